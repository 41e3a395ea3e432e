"""The vocabulary of indicators: which actions interfere, what identity is."""

from __future__ import annotations

from hypothesis import given

from indicia.domain.indicator import NO_EXTRAS, Action, Extras, Indicator
from tests.unit.indicators import indicators


def test_allowed_and_audit_stop_nobody() -> None:
    assert {action for action in Action if not action.interferes} == {Action.ALLOWED, Action.AUDIT}


@given(indicators())
def test_identity_is_type_canonical_value_and_action(indicator: Indicator) -> None:
    kind, canonical, action = indicator.identity
    others = indicator._replace(value="x", title="x", description="x", external_id="x", extras=Extras(version="9"))
    assert others.identity == (kind, canonical, action)
    for other in Action:
        assert (indicator._replace(action=other).identity == indicator.identity) is (other is action)


def test_no_extras_say_nothing() -> None:
    assert not any(NO_EXTRAS)
