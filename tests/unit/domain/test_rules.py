"""Which action goes with which type, as SPEC 2.2 and 9.4 have it; how durations are spelled."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indicia.domain.indicator import Action
from indicia.domain.observable import ObservableType
from indicia.domain.rules import ALLOWED_ACTIONS, DEFENDER_TYPES, LEGACY_ACTIONS, parse_duration


def test_every_type_has_actions_and_allowed_is_one_of_each() -> None:
    assert set(ALLOWED_ACTIONS) == set(ObservableType)
    assert all(Action.ALLOWED in actions and Action.AUDIT in actions for actions in ALLOWED_ACTIONS.values())


def test_what_legacy_names_mean_is_allowed_somewhere() -> None:
    assert LEGACY_ACTIONS == {"Alert": Action.AUDIT, "AlertAndBlock": Action.BLOCK_AND_REMEDIATE}
    assert len(DEFENDER_TYPES) == 5


@pytest.mark.parametrize(
    "text, time",
    [
        ("45m", timedelta(minutes=45)),
        ("12h", timedelta(hours=12)),
        ("30d", timedelta(days=30)),
        ("2w", timedelta(weeks=2)),
        ("1y", timedelta(days=365)),
        (" 3 D ", timedelta(days=3)),
        ("0d", timedelta()),
        ("", None),
        ("30", None),
        ("d", None),
        ("-1d", None),
        ("1.5d", None),
        ("1d12h", None),
        ("999999d", None),
        ("٣d", None),
    ],
)
def test_durations(text: str, time: timedelta | None) -> None:
    assert parse_duration(text) == time


@given(st.text(st.characters()))
def test_any_text_is_a_duration_or_none(text: str) -> None:
    parse_duration(text)
