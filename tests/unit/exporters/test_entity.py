"""The entity of the compat API: every documented key, in the order of a live reply (SPEC 1.1, 9.28)."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indicia.domain.indicator import Indicator, StoredIndicator
from indicia.exporters.entity import entity, precise, seconds
from tests.unit.importers.reading import read
from tests.unit.indicators import GROUPS, NOW, indicators

# "Full key order of a live object", SPEC 1.1; after it ours.
LIVE = [
    "id",
    "indicatorValue",
    "indicatorType",
    "action",
    "createdBy",
    "severity",
    "category",
    "application",
    "educateUrl",
    "bypassDurationHours",
    "title",
    "description",
    "recommendedActions",
    "creationTimeDateTimeUtc",
    "expirationTime",
    "lastUpdateTime",
    "lastUpdatedBy",
    "rbacGroupNames",
    "rbacGroupIds",
    "notificationId",
    "notificationBody",
    "version",
    "mitreTechniques",
    "historicalDetection",
    "lookBackPeriod",
    "generateAlert",
    "additionalInfo",
    "createdByDisplayName",
    "externalId",
    "createdBySource",
    "certificateInfo",
]
IDS = {name: str(number) for number, name in enumerate(sorted(GROUPS), 1)}


def stored(indicator: Indicator) -> StoredIndicator:
    return StoredIndicator(994, indicator, 3, 5, NOW, "client-7", "Feed", "PublicApi", NOW, None)


@given(indicators())
def test_every_documented_key_is_there_in_order(indicator: Indicator) -> None:
    shape = entity(stored(indicator), IDS)
    assert list(shape)[: len(LIVE)] == LIVE
    assert shape["id"] == "994"
    assert shape["indicatorValue"] == indicator.value
    assert shape["externalId"] == indicator.external_id
    assert isinstance(shape["category"], int)
    assert [IDS[name] for name in shape["rbacGroupNames"]] == shape["rbacGroupIds"]
    assert (shape["createdBy"], shape["createdByDisplayName"], shape["createdBySource"]) == (
        "client-7",
        "Feed",
        "PublicApi",
    )
    orjson.dumps(shape)


@given(indicators())
def test_an_entity_comes_in_again_as_the_same_indicator(indicator: Indicator) -> None:
    shape = entity(stored(indicator), IDS)
    if indicator.extras.override_reason:  # Defender has no word for a release
        indicator = indicator._replace(extras=indicator.extras._replace(override_reason=None))
        indicator = indicator._replace(status=read("ndjson", orjson.dumps(shape)).read[0].indicator.status)
    found = read("ndjson", orjson.dumps(shape))
    assert [each.indicator for each in found.read] == [indicator]


@given(st.datetimes(timezones=st.just(UTC)))
def test_times_have_the_digits_of_live_replies(at: datetime) -> None:
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z", precise(at))
    assert datetime.fromisoformat(precise(at).replace("0Z", "+00:00")) == at
    whole = at.replace(microsecond=0)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", seconds(whole))
    assert datetime.fromisoformat(seconds(whole)) == whole


@pytest.mark.parametrize("source, kind", [("PublicApi", "AadApp"), ("Portal", "User"), ("Cli", "User")])
def test_the_source_type_of_older_replies(source: str, kind: str) -> None:
    indicator = read("text", "evil.example.org").read[0].indicator
    shape = entity(stored(indicator)._replace(created_source=source), IDS)
    assert (shape["source"], shape["sourceType"]) == ("Feed", kind)
