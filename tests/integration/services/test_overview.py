"""The numbers of the first page: they are those of the lists behind them, whatever was done before."""

from __future__ import annotations

from datetime import timedelta

from indicia.domain.indicator import Action
from indicia.domain.observable import ObservableType
from indicia.services import changesets, expiry, indicators
from indicia.services.census import Census
from indicia.services.overview import DAYS, Overview, overview
from indicia.store.database import Database
from tests.integration.stores import ADMIN, BLOCK, NOW, domains, listed, run_import, submit

DAY = timedelta(days=1)
TODAY = NOW.replace(hour=0, minute=0, second=0, microsecond=0)
LOCAL = BLOCK._replace(type="IpAddress", value="10.0.0.1")


def seen(database: Database, census: Census | None = None, now: object = NOW) -> Overview:
    return overview(database, census or Census(), actor=ADMIN, now=now)  # type: ignore[arg-type]  # a moment


def test_an_empty_database_has_nothing_to_show(database: Database) -> None:
    found = seen(database)
    assert found.is_empty
    assert (found.active, found.held, found.expiring, found.added_today, found.types) == (0, 0, 0, 0, ())
    assert len(found.days) == DAYS
    assert found.days[-1].begins == TODAY


def test_it_is_not_empty_any_more_when_all_was_deleted(database: Database) -> None:
    submit(database, BLOCK)
    indicators.delete(database, [1], actor=ADMIN, now=NOW)
    assert not seen(database).is_empty


def test_active_and_held_are_counted_apart(database: Database) -> None:
    run_import(database, [*domains(range(4)), LOCAL, LOCAL._replace(value="9.9.9.9", action="Allowed")])
    found = seen(database)
    assert (found.active, found.held) == (5, 1)
    assert {each.type: dict(each.by_action) for each in found.types} == {
        ObservableType.DOMAIN_NAME: {Action.BLOCK: 4},
        ObservableType.IP_ADDRESS: {Action.ALLOWED: 1},
    }
    assert found.active + found.held == len(listed(database))


def test_numbers_follow_every_change_with_one_census(database: Database) -> None:
    census = Census()
    run_import(database, domains(range(6)))
    assert seen(database, census).active == 6
    indicators.delete(database, [1, 2], actor=ADMIN, now=NOW)
    assert seen(database, census).active == 4
    changesets.undo(database, 2, actor=ADMIN, now=NOW)
    assert seen(database, census).active == 6
    submit(database, LOCAL)
    assert seen(database, census).held == 1
    indicators.release(database, [7], actor=ADMIN, now=NOW, reason="a honeypot")
    found = seen(database, census)
    assert (found.active, found.held) == (7, 0)


def test_what_expires_counts_to_the_second(database: Database) -> None:
    moments = [NOW + timedelta(days=7) - timedelta(seconds=1), NOW + timedelta(days=7, seconds=1), NOW + DAY, None]
    run_import(database, [BLOCK._replace(value=f"e{n}.example.org", expires=at) for n, at in enumerate(moments)])
    assert (seen(database).active, seen(database).expiring) == (4, 2)
    later = seen(database, now=NOW + DAY)
    assert (later.active, later.expiring) == (3, 2)


def test_each_day_has_what_was_done_on_it(database: Database) -> None:
    for ago, numbers in ((40, range(3)), (3, range(10, 15)), (0, range(20, 22))):
        at = NOW - ago * DAY
        rows = domains(numbers, expires=at + 2 * DAY) if ago == 3 else domains(numbers)
        run_import(database, rows, now=at)
    expiry.remove_expired(database, now=NOW)
    indicators.delete(database, [1, 2], actor=ADMIN, now=NOW)
    found = seen(database)
    days = {(TODAY - day.begins).days: (day.added, day.expired, day.deleted) for day in found.days if any(day[1:])}
    assert days == {3: (5, 0, 0), 0: (2, 5, 2)}
    assert [day.begins for day in found.days] == [TODAY - ago * DAY for ago in range(DAYS - 1, -1, -1)]
    assert (found.added_today, found.added_week) == (2, 7)


def test_days_are_those_of_utc_and_of_the_time_that_is_recorded(database: Database) -> None:
    midnight = TODAY - timedelta(microseconds=1)
    run_import(database, domains(range(2)), now=midnight)
    run_import(database, domains(range(5, 6)), now=TODAY)
    days = {day.begins: day.added for day in seen(database).days if day.added}
    assert days == {TODAY - DAY: 2, TODAY: 1}


def test_the_first_day_of_the_series_is_whole(database: Database) -> None:
    first = TODAY - (DAYS - 1) * DAY
    run_import(database, domains(range(1)), now=first - timedelta(microseconds=1))
    run_import(database, domains(range(5, 7)), now=first)
    found = seen(database)
    assert (found.days[0].begins, found.days[0].added) == (first, 2)


def test_recent_changes_are_the_newest_first_and_say_what_was_undone(database: Database) -> None:
    for number in range(10):
        submit(database, BLOCK._replace(value=f"r{number}.example.org"))
    changesets.undo(database, 9, actor=ADMIN, now=NOW)
    recent = seen(database).recent
    assert [line.record.id for line in recent] == [11, 10, 9, 8, 7, 6, 5, 4]
    assert {line.record.id: line.undone_by for line in recent if line.undone_by} == {9: 11}
