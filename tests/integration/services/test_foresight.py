"""Foresight: what is foretold of an indicator is what comes to be when it is stored."""

from __future__ import annotations

from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indicia.services import indicators
from indicia.services.engine import Engine
from indicia.services.foresight import about_values, foresee
from indicia.services.pasting import read_values
from indicia.services.standing import coverage_of, standing_of
from indicia.store.database import Database
from tests.integration.services.test_standing import VALUES, draft
from tests.integration.stores import ADMIN, BLOCK, EVERYTHING, NOW, guard, listed, submit

RULES = st.tuples(st.sampled_from(VALUES), st.sampled_from(["Allowed", "Audit", "Block", "Warn"]))


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rules=st.lists(RULES, max_size=8), new=RULES)
def test_it_comes_as_foretold(
    database: Database, tmp_path: Path, rules: list[tuple[str, str]], new: tuple[str, str]
) -> None:
    indicators.delete_matching(database, EVERYTHING, actor=ADMIN, now=NOW)
    submit(database, *(draft(*rule) for rule in rules))
    engine = Engine(database, tmp_path / "indicia.snapshot")
    foreseen = foresee(database, draft(*new), actor=ADMIN, now=NOW, guard=guard(), engine=engine)
    assert foreseen is not None
    [written] = submit(database, draft(*new))
    assert written.stored is not None
    [stored] = [each for each in listed(database) if each.id == written.stored.id]
    assert stored.indicator == foreseen.stored.indicator
    standing = standing_of(database, [stored], actor=ADMIN, now=NOW, engine=engine)[stored.id]
    assert (standing.status, standing.by) == (foreseen.standing.status, foreseen.standing.by)
    coverage = coverage_of(database, stored, actor=ADMIN, now=NOW, engine=engine)
    told = [(each.stored.id, each.relation) for each in foreseen.coverage.same_or_wider]
    assert told == [(each.stored.id, each.relation) for each in coverage.same_or_wider]


def test_a_draft_that_is_none_foretells_nothing(database: Database) -> None:
    assert foresee(database, BLOCK._replace(title=None), actor=ADMIN, now=NOW, guard=guard()) is None


def test_what_is_stored_about_values_is_told(database: Database) -> None:
    submit(database, draft("example.org", "Warn"), draft("evil.example.org"), draft("co.uk"))
    values = read_values("evil.example.org\nother.example\njunk junk\nco.uk").values
    found = about_values(database, values, actor=ADMIN, now=NOW, guard=guard())
    assert [each.pasted for each in found] == list(values)
    assert [each.winner and each.winner.indicator.canonical for each in found] == ["example.org", None, None, None]
    assert [len(each.same) for each in found] == [1, 0, 0, 1]
