"""Verdicts from the store: what matches by the law is what is found, now and as of any moment of the past."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indicia.domain.draft import Draft
from indicia.domain.errors import Forbidden, InvalidInput, NotFound
from indicia.domain.matching import keys_of, parts_of
from indicia.domain.observable import Observable, ObservableType, detect
from indicia.domain.verdict import Outcome
from indicia.services import indicators
from indicia.services.groups import add_group
from indicia.services.verdicts import MOST_VALUES, Explained, explain
from indicia.store.database import Database
from tests.integration.stores import ADMIN, BLOCK, CLIENT, EVERYTHING, NOW, contents, edit, guard, listed, submit

VALUES = [
    *("example.org", "evil.example.org", "a.evil.example.org", "185.220.101.7", "185.220.101.0/24", "2a00::/16"),
    *("http://evil.example.org/", "https://evil.example.org/x", "http://185.220.101.7/x", "2a00::7", "185.220.0.0/16"),
    *("0f" * 32, "1e" * 20, "2d" * 16, "http://a.evil.example.org:8080/x?y", "http://[2a00::7]/x"),
]


ACTIONS = st.sampled_from(["Allowed", "Audit", "Block", "Warn"])


def asked(database: Database, *values: str, **more: object) -> list[Explained]:
    given = {"actor": ADMIN, "now": NOW, "guard": guard()} | more
    return explain(database, values, **given).verdicts  # type: ignore[arg-type] # of a test


def draft(value: str, action: str = "Block") -> Draft:
    found = detect(value)
    assert found is not None
    return BLOCK._replace(type=found.type.value, value=value, action=action, generate_alert=True)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rules=st.lists(
        st.tuples(st.sampled_from(VALUES), st.sampled_from(["Allowed", "Audit", "Block", "Warn"])), max_size=12
    ),
    values=st.lists(st.sampled_from(VALUES), min_size=1, max_size=8),
)
def test_what_matches_by_the_law_is_considered(
    database: Database, rules: list[tuple[str, str]], values: list[str]
) -> None:
    indicators.delete_matching(database, EVERYTHING, actor=ADMIN, now=NOW)
    submit(database, *(draft(*rule) for rule in rules))
    every = listed(database)
    for each in asked(database, *values):
        assert each.seen == detect(each.value)
        assert each.seen is not None
        keys = {key for part in parts_of(each.seen) for key in keys_of(part)}
        expected = {
            stored.id for stored in every if Observable(stored.indicator.type, stored.indicator.canonical) in keys
        }
        assert {found.match.rule.id for found in each.verdict.considered} == expected


def test_forty_digits_may_be_a_file_or_a_certificate(database: Database) -> None:
    submit(database, BLOCK._replace(type="CertificateThumbprint", value="3c" * 20))
    [found] = asked(database, "3C" * 20)
    assert found.verdict.action == "Block"
    assert found.verdict.considered[0].match.seen.type is ObservableType.CERTIFICATE_THUMBPRINT
    # Who says that it is a file means the file.
    assert asked(database, "3C" * 20, kind=ObservableType.FILE_SHA1)[0].verdict.considered == ()
    assert asked(database, "3C" * 20, kind=ObservableType.CERTIFICATE_THUMBPRINT)[0].verdict.action == "Block"


def test_as_of_any_moment_of_the_past(database: Database) -> None:
    submit(database, BLOCK)
    [number] = contents(database)
    edit(database, number, action="Warn", now=NOW + timedelta(days=1))
    indicators.delete_matching(database, EVERYTHING, actor=ADMIN, now=NOW + timedelta(days=2))
    value, late = str(BLOCK.value), NOW + timedelta(days=9)
    assert asked(database, value, now=late)[0].verdict.action is None
    for at, action in [(1, "Block"), (2, "Warn"), (3, None), (NOW + timedelta(hours=30), "Warn")]:
        assert asked(database, value, now=late, at=at)[0].verdict.action == action
    with pytest.raises(NotFound):
        asked(database, value, at=99)


def test_an_indicator_stops_deciding_at_the_second_it_expires(database: Database) -> None:
    end = NOW.replace(microsecond=0) + timedelta(seconds=10)
    submit(database, BLOCK._replace(expires=end.isoformat()))
    value = str(BLOCK.value)
    assert asked(database, value, now=end - timedelta(microseconds=1))[0].verdict.action == "Block"
    after = asked(database, value, now=end)[0].verdict
    assert (after.action, after.considered[0].outcome) == (None, Outcome.IGNORED)


def test_the_group_decides_and_has_to_exist(database: Database) -> None:
    add_group(database, "Servers", None, actor=ADMIN, now=NOW)
    submit(database, BLOCK._replace(rbac_group_names=["Servers"]))
    value = str(BLOCK.value)
    assert asked(database, value, group="Servers")[0].verdict.action == "Block"
    assert asked(database, value)[0].verdict.action is None
    with pytest.raises(InvalidInput) as refused:
        asked(database, value, group="Server")
    assert refused.value.problems[0].allowed == ("Servers",)


def test_what_is_no_value_gets_a_note_and_the_others_their_verdicts(database: Database) -> None:
    submit(database, BLOCK)
    nonsense, mended, popular = asked(database, "two words", "evil[.]example[.]org", "reddit.com")
    assert nonsense.seen is None
    assert [note.code for note in nonsense.notes] == ["type-not-detected"]
    assert mended.verdict.action == "Block"
    assert [note.code for note in mended.notes] == ["refanged"]
    assert [note.code for note in popular.notes] == ["popular-name"]


def test_ten_thousand_values_and_no_more(database: Database) -> None:
    submit(database, draft("185.220.0.0/16"))
    many = [f"185.220.{number // 256}.{number % 256}" for number in range(MOST_VALUES)]
    assert {found.verdict.action for found in asked(database, *many)} == {"Block"}
    for count in (0, MOST_VALUES + 1):
        with pytest.raises(InvalidInput):
            asked(database, *(["evil.example"] * count))


def test_a_question_that_is_too_much_work_is_refused(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("indicia.services.verdicts.MOST_KEYS", 100)
    assert asked(database, "http://evil.example/" + "a/" * 10)[0].seen is not None
    with pytest.raises(InvalidInput, match="fewer"):
        asked(database, "http://evil.example/" + "a/" * 100)


def test_a_client_that_sees_only_its_own_may_not_ask(database: Database) -> None:
    with pytest.raises(Forbidden):
        asked(database, "evil.example", actor=CLIENT)
