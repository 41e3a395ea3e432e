"""The census: whatever happened and however it is followed, its counts are those of the indicators that are there."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from indicia.domain.draft import Draft
from indicia.domain.errors import Conflict
from indicia.domain.indicator import Status
from indicia.domain.observable import ObservableType
from indicia.domain.query import Constant
from indicia.domain.search_text import parse_search
from indicia.services import census as module
from indicia.services import changesets, expiry, indicators
from indicia.services.census import Census, Counts
from indicia.store.database import Database
from tests.integration import stores
from tests.integration.stores import ADMIN, BLOCK, NOW

QUERIES = ["type:domain", "action:block -severity:high", "is:held", "category:malware or has:alert"]


def counted(database: Database, now: datetime) -> dict[str, Counter[object]]:
    """Return the counts by looking at every indicator."""
    found = [row.indicator for row in stores.listed(database, now=now)]
    return {
        "by_type": Counter(each.type for each in found),
        "by_action": Counter(each.action for each in found),
        "by_severity": Counter(each.severity for each in found),
        "by_category": Counter(each.category for each in found),
        "by_status": Counter(each.status for each in found),
        "by_type_action_status": Counter((each.type, each.action, each.status) for each in found),
        "by_type_and_action": Counter((each.type, each.action) for each in found),
        "by_type_and_status": Counter((each.type, each.status) for each in found),
    }


def agree(census: Census, database: Database, now: datetime) -> None:
    """Hold the law for the counts at *now*."""
    told = census.counts(database, now)
    expected = counted(database, now)
    assert {name: dict(getattr(told, name)) for name in expected} == {name: dict(expected[name]) for name in expected}
    assert told.total == expected["by_type"].total()


def _some(dice: random.Random, now: datetime) -> list[Draft]:
    return [
        BLOCK._replace(
            value=dice.choice([f"h{number}.example.org", f"h{number}.google.com"]),
            action=dice.choice(["Block", "Warn", "Allowed"]),
            severity=dice.choice([None, "Low", "High"]),
            category=dice.choice([None, "Malware"]),
            recommended_actions=dice.choice([None, "a", "b"]),
            expires=dice.choice([None, now + timedelta(seconds=dice.randint(1, 20))]),
        )
        for number in dice.sample(range(60), dice.randint(1, 12))
    ]


def _operations(database: Database, dice: random.Random) -> list[Callable[[datetime], object]]:
    def numbers(now: datetime) -> list[int]:
        there = sorted(stores.contents(database, now=now))
        return dice.sample(there, min(len(there), dice.randint(1, 5)))

    def undo(now: datetime) -> None:
        some = changesets.list_changesets(database, actor=ADMIN, before=None, limit=4)
        with suppress(Conflict):
            changesets.undo(database, dice.choice(some).id, actor=ADMIN, now=now)

    def edit(now: datetime) -> None:
        for number in numbers(now):
            stores.edit(database, number, now=now, severity=dice.choice(["Low", "High"]), title=f"t{dice.random()}")

    return [
        lambda now: stores.submit(database, *_some(dice, now), now=now),
        lambda now: stores.submit(database, *_some(dice, now), now=now),
        lambda now: stores.run_import(database, _some(dice, now), now=now, skip_bad_rows=True),
        lambda now: indicators.delete(database, numbers(now), actor=ADMIN, now=now) if numbers(now) else None,
        lambda now: expiry.remove_expired(database, now=now, most=3),
        edit,
        undo,
        lambda now: None,
    ]


@pytest.mark.parametrize("limits", [{}, {"_DECISIONS": -1}, {"_DECISIONS": 6}, {"_FOLLOWED": 8}, {"_FOLLOWED": -1}])
@pytest.mark.parametrize("seed", range(3))
def test_the_counts_follow_whatever_happens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limits: dict[str, int], seed: int
) -> None:
    for name, value in limits.items():
        monkeypatch.setattr(module, name, value)
    database, dice, now = Database.open(stores.url_of(stores.new_file(tmp_path))), random.Random(seed), NOW
    often, seldom = Census(), Census()
    agree(often, database, now)
    stores.submit(database, *_some(dice, now), now=now)
    operations = _operations(database, dice)
    for step in range(40):
        now += timedelta(seconds=dice.choice([0, 0, 0.5, 1, 3]))
        dice.choice(operations)(now)
        agree(often, database, now)
        if step % 9 == 0:
            agree(seldom, database, now)
            agree(often, database, now - timedelta(seconds=5))
            agree(often, database, now)
    with database.snapshot() as tx:
        for text in QUERIES:
            query = parse_search(text, now=now, groups=()).query
            told = often.count(tx, query, {}, now)
            if "_DECISIONS" not in limits:
                assert told is not None
                assert told.total == tx.indicators.count(
                    indicators.selection_of(tx, indicators.Wanted(query), ADMIN, now)
                )
    database.close()


def test_it_does_not_mistake_another_database_for_its_own(tmp_path: Path) -> None:
    one = Database.open(stores.url_of(stores.new_file(tmp_path, "one.db")))
    other = Database.open(stores.url_of(stores.new_file(tmp_path, "other.db")))
    stores.submit(one, *stores.domains(range(3)))
    stores.submit(other, *stores.domains(range(5)))
    stores.submit(other, *stores.domains(range(5, 9)))
    census = Census()
    for database in (one, other, one):
        agree(census, database, NOW)
    one.close()
    other.close()


def test_what_is_asked_of_more_than_decisions_is_not_told(tmp_path: Path) -> None:
    database = Database.open(stores.url_of(stores.new_file(tmp_path)))
    stores.submit(database, *stores.domains(range(3)))
    census = Census()
    with database.snapshot() as tx:
        for text in ("title:a", "expires:never", "type:domain evil.example", "by:admin", "id:1"):
            assert census.count(tx, parse_search(text, now=NOW, groups=()).query, {}, NOW) is None
        everything = census.count(tx, None, {}, NOW)
        assert isinstance(everything, Counts)
        assert everything == census.count(tx, Constant(value=True), {}, NOW)
        nothing = census.count(tx, Constant(value=False), {}, NOW)
        assert nothing is not None
        assert nothing.total == 0
        assert everything.of_types(ObservableType.DOMAIN_NAME) == 3
        assert everything.of_types(ObservableType.DOMAIN_NAME, status=Status.HELD) == 0
    database.close()
