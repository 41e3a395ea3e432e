"""Standing: what the list says of an indicator is what `indicia check` says of its value, by the engine and without."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indicia.domain.draft import Draft
from indicia.domain.indicator import Action, Status
from indicia.domain.matching import keys_of, parts_of
from indicia.domain.observable import Observable, detect
from indicia.domain.verdict import NetworkPrecedence, Outcome
from indicia.services import indicators
from indicia.services.engine import Engine
from indicia.services.groups import add_group
from indicia.services.standing import Condition, Relation, coverage_of, standing_of
from indicia.services.verdicts import explain
from indicia.store.database import Database
from tests.integration.stores import ADMIN, BLOCK, EVERYTHING, NOW, contents, edit, guard, listed, submit

VALUES = [
    *("example.org", "evil.example.org", "a.evil.example.org", "185.220.101.7", "185.220.101.0/24", "2a00::/16"),
    *("http://evil.example.org/", "https://evil.example.org/x", "http://185.220.101.7/x", "2a00::7", "185.220.0.0/16"),
    *("0f" * 32, "1e" * 20, "http://a.evil.example.org:8080/x?y", "http://a.evil.example.org:8080/x"),
    *("net.example.org", "http://evil.example.org/x/y", "http://[2a00::7]/x", "10.0.0.1"),
]
GROUPS = ["Servers", "Kiosks", "Labs"]
RULES = st.lists(
    st.tuples(
        st.sampled_from(VALUES),
        st.sampled_from(["Allowed", "Audit", "Block", "Warn"]),
        st.lists(st.sampled_from(GROUPS), unique=True, max_size=2),
        st.sampled_from([None, 1, 30]),
    ),
    min_size=1,
    max_size=14,
)


def draft(value: str, action: str = "Block", groups: Sequence[str] = (), days: int | None = None) -> Draft:
    found = detect(value)
    assert found is not None
    ends = None if days is None else NOW + timedelta(days=days)
    return BLOCK._replace(
        type=found.type.value,
        value=value,
        action=action,
        generate_alert=True,
        rbac_group_names=list(groups),
        expires=ends,
    )


@pytest.fixture(params=["engine", "store"])
def engine(request: pytest.FixtureRequest, database: Database, tmp_path: Path) -> Engine | None:
    return Engine(database, tmp_path / "indicia.snapshot") if request.param == "engine" else None


@pytest.fixture
def grouped(database: Database) -> Database:
    for name in GROUPS:
        add_group(database, name, None, actor=ADMIN, now=NOW)
    return database


@pytest.mark.parametrize("precedence", NetworkPrecedence)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rules=RULES, days=st.sampled_from([0, 2]))
def test_it_says_what_a_check_of_the_value_says(
    grouped: Database, engine: Engine | None, precedence: NetworkPrecedence, rules: list[tuple[Any, ...]], days: int
) -> None:
    indicators.delete_matching(grouped, EVERYTHING, actor=ADMIN, now=NOW)
    submit(grouped, *(draft(*rule) for rule in rules))
    every, now = listed(grouped), NOW + timedelta(days=days)
    found = standing_of(grouped, every, actor=ADMIN, now=now, engine=engine, precedence=precedence)
    assert set(found) == {stored.id for stored in every}
    for stored in every:
        rule, standing = stored.indicator, found[stored.id]
        assert standing.why
        if rule.is_expired(now):
            assert standing.status is Condition.EXPIRED
        elif rule.status is Status.HELD:
            assert standing.status is Condition.HELD
        else:
            verdicts = [
                explain(
                    *(grouped, [rule.value]),
                    actor=ADMIN,
                    now=now,
                    guard=guard(),
                    group=group,
                    kind=rule.type,
                    precedence=precedence,
                )
                .verdicts[0]
                .verdict
                for group in rule.rbac_group_names or (None,)
            ]
            lost = [
                verdict.winner
                for verdict in verdicts
                for each in verdict.considered
                if each.match.rule.id == stored.id and each.outcome is Outcome.LOST
                if rule.action is not Action.AUDIT or verdict.action is Action.AUDIT
            ]
            assert (standing.status is Condition.SHADOWED) == (len(lost) == len(verdicts))
            if standing.status is Condition.SHADOWED:
                assert standing.by is not None
                assert standing.by in lost
                assert f"indicator {standing.by.id} " in standing.why
            else:
                soon = rule.expires_at is not None and rule.expires_at <= now + timedelta(days=7)
                assert (standing.status is Condition.EXPIRING) == soon


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rules=RULES, precedence=st.sampled_from(NetworkPrecedence))
def test_coverage_names_all_that_match_where_it_does(
    grouped: Database, engine: Engine | None, rules: list[tuple[Any, ...]], precedence: NetworkPrecedence
) -> None:
    indicators.delete_matching(grouped, EVERYTHING, actor=ADMIN, now=NOW)
    submit(grouped, *(draft(*rule) for rule in rules))
    every = listed(grouped)
    about = {stored.id: Observable(stored.indicator.type, stored.indicator.canonical) for stored in every}
    covers = {
        number: {other for other in about if about[other] in [key for part in parts_of(seen) for key in keys_of(part)]}
        for number, seen in about.items()
    }
    for stored in every:
        found = coverage_of(grouped, stored, actor=ADMIN, now=NOW, engine=engine, precedence=precedence)
        assert not found.more
        assert {each.stored.id for each in found.same_or_wider} == covers[stored.id] - {stored.id}
        # Narrower rules are named where one of the two does something to the other.
        under = {
            other.id
            for other in every
            if stored.id in covers[other.id] and about[other.id] != about[stored.id]
            if Action.AUDIT not in (other.indicator.action, stored.indicator.action)
            if other.indicator.action is not stored.indicator.action
        }
        assert found.narrower is not None
        assert {each.stored.id for each in found.narrower} >= under
        for each in (*found.same_or_wider, *found.narrower):
            assert each.because
            same = each.stored.indicator.action is stored.indicator.action
            assert same or each.relation is not Relation.AGREES


def test_of_two_one_beats_and_the_other_is_beaten(database: Database, engine: Engine | None) -> None:
    submit(database, draft("evil.example.org"), draft("good.evil.example.org", "Allowed"), draft("example.org", "Warn"))
    block, allowed, warn = listed(database)
    found = coverage_of(database, block, actor=ADMIN, now=NOW, engine=engine)
    assert found.narrower is not None
    assert [(each.stored.id, each.relation) for each in found.same_or_wider] == [(warn.id, Relation.BEATS)]
    assert [(each.stored.id, each.relation) for each in found.narrower] == [(allowed.id, Relation.BEATS)]
    found = coverage_of(database, warn, actor=ADMIN, now=NOW, engine=engine)
    assert found.narrower is not None
    assert {each.stored.id: each.relation for each in found.narrower} == {
        block.id: Relation.BEATEN,
        allowed.id: Relation.BEATS,
    }
    standing = standing_of(database, [block], actor=ADMIN, now=NOW, engine=engine)[block.id]
    assert (standing.status, standing.by and standing.by.id) == (Condition.SHADOWED, warn.id)


def test_an_indicator_is_judged_as_it_was_read(database: Database, engine: Engine | None) -> None:
    submit(database, draft("evil.example.org"), draft("example.org", "Allowed"))
    before = listed(database)
    [number, _other] = contents(database)
    edit(database, number, action="Audit")
    found = standing_of(database, before, actor=ADMIN, now=NOW, engine=engine)
    assert found[number].status is Condition.SHADOWED
    indicators.delete_matching(database, EVERYTHING, actor=ADMIN, now=NOW)
    assert standing_of(database, before, actor=ADMIN, now=NOW, engine=engine)[number].status is Condition.ACTIVE


def test_for_some_groups_only_it_is_not_shadowed(grouped: Database, engine: Engine | None) -> None:
    submit(grouped, draft("evil.example.org", "Block", GROUPS[:2]), draft("example.org", "Allowed", GROUPS[:1]))
    block, _allowed = listed(grouped)
    found = standing_of(grouped, [block], actor=ADMIN, now=NOW, engine=engine)[block.id]
    assert found.status is Condition.ACTIVE
    assert "not in Servers" in found.why


def test_no_more_related_ones_are_named_than_a_page_can_hold(database: Database, engine: Engine | None) -> None:
    submit(database, draft("example.org", "Allowed"), *(draft(f"h{n}.example.org") for n in range(40)))
    found = coverage_of(database, listed(database)[0], actor=ADMIN, now=NOW, engine=engine)
    assert found.narrower is not None
    assert (len(found.narrower), found.more) == (25, True)
    apart = coverage_of(database, listed(database)[0], actor=ADMIN, now=NOW, engine=engine, narrow=False)
    assert (apart.narrower, apart.more) == (None, False)
