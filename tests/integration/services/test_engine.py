"""The engine follows the store: whatever was written, by whomever, its verdicts are those of the store."""

from __future__ import annotations

import shutil
import stat
import subprocess
import sys
import threading
import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indicia.domain.draft import Draft
from indicia.domain.errors import Unavailable
from indicia.domain.indicator import Status
from indicia.domain.observable import Observable, ObservableType, detect
from indicia.matcher import lookup, snapshot
from indicia.matcher.rules import TYPES
from indicia.services import changesets, engine, indicators
from indicia.services.engine import Engine, Limits, View, write_snapshot
from indicia.services.verdicts import Explanation, explain
from indicia.store import codes
from indicia.store.database import Database
from tests.acceptance.command_line import SCRIPT
from tests.integration.stores import (
    ADMIN,
    BLOCK,
    EVERYTHING,
    NOW,
    contents,
    copy_of,
    domains,
    edit,
    guard,
    new_file,
    run_import,
    submit,
    url_of,
)

VALUES = [
    *("example.org", "evil.example.org", "a.evil.example.org", "185.220.101.7", "185.220.101.0/24", "2a00::/16"),
    *("http://evil.example.org/", "https://evil.example.org/x", "http://185.220.101.7/x", "2a00::7", "185.220.0.0/16"),
    *("0f" * 32, "1e" * 20, "2d" * 16, "http://a.evil.example.org:8080/x?y", "http://[2a00::7]/x"),
]
#: So small that a few edits go through every layer and make new files.
TINY = Limits(few=1, small=2, most=3)


@pytest.fixture(params=["compiled", "plain"], autouse=True)
def compiled(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Do every test with the kernel, and as if it were not installed."""
    if request.param == "plain":
        for module in (lookup, engine):
            monkeypatch.setattr(module, "COMPILED", False)
    elif not lookup.COMPILED:
        pytest.skip("the compiled kernel is not built: make install")
    return bool(request.param == "compiled")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "indicia.snapshot"


def draft(value: str, action: str = "Block") -> Draft:
    found = detect(value)
    assert found is not None
    return BLOCK._replace(type=found.type.value, value=value, action=action, generate_alert=True)


def asked(database: Database, using: Engine | None, now: datetime = NOW) -> Explanation:
    return explain(database, VALUES, actor=ADMIN, now=now, guard=guard(), engine=using)


def agree(database: Database, using: Engine, now: datetime = NOW) -> Explanation:
    """Return what the engine explains, having seen that it is what the store explains."""
    found = asked(database, using, now)
    expected = asked(database, None, now)
    assert found.verdicts == expected.verdicts
    assert (found.group_ids, found.snapshot) == (expected.group_ids, expected.snapshot)
    named = {each.match.rule.id for one in found.verdicts for each in one.verdict.considered}
    assert {number: found.indicators[number] for number in named} == dict(expected.indicators)
    return found


def action_of(view: View | None, name: str = "evil.example.org") -> list[str]:
    assert view is not None
    return [rule.action.value for rule in view.matcher.match(Observable(ObservableType.DOMAIN_NAME, name))]


def test_the_codes_of_types_are_those_of_the_tables() -> None:
    assert dict(TYPES) == codes.TYPES


# -- the law ----------------------------------------------------------------------------------------------------------

_actions = st.sampled_from(["Allowed", "Audit", "Block", "Warn"])
_steps = st.one_of(
    st.tuples(st.just("submit"), st.lists(st.tuples(st.sampled_from(VALUES), _actions), min_size=1, max_size=5)),
    st.tuples(st.just("edit"), st.tuples(st.integers(0, 20), _actions)),
    st.tuples(st.just("delete"), st.integers(0, 20)),
    st.tuples(st.just("undo"), st.integers(0, 20)),
    st.tuples(st.just("expire"), st.integers(0, 20)),
    st.tuples(st.just("tend"), st.none()),
    st.tuples(st.just("restart"), st.none()),
)


def done(database: Database, what: str, given: object) -> None:
    """Do a step of the law, where it can be done."""
    there = sorted(contents(database))
    if what == "submit":
        submit(database, *(draft(*rule) for rule in dict(given).items()))  # type: ignore[call-overload]  # drawn
        return
    number = given[0] if isinstance(given, tuple) else given
    assert isinstance(number, int)
    if what == "undo":
        with database.snapshot() as tx:
            head = tx.changesets.head()
        if head is not None:
            changesets.undo(database, head.id - number % head.id, actor=ADMIN, now=NOW, keep_later=True)
    elif there:
        one = there[number % len(there)]
        if what == "edit":
            edit(database, one, title=f"{number} now", expires=None)
        elif what == "expire":
            edit(database, one, expires=(NOW + timedelta(days=1)).isoformat())
        else:
            indicators.delete(database, [one], actor=ADMIN, now=NOW)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(_steps, min_size=1, max_size=12))
def test_whatever_is_written_the_engine_explains_as_the_store_does(
    database: Database, file: Path, steps: list[tuple[str, object]]
) -> None:
    indicators.delete_matching(database, EVERYTHING, actor=ADMIN, now=NOW)
    using = Engine(database, file, TINY)
    for what, details in steps:
        if what == "tend":
            using.tend()
            assert using.current() is not None
        elif what == "restart":
            using = Engine(database, file, TINY)
        else:
            done(database, what, details)
        agree(database, using)
    agree(database, using, NOW + timedelta(days=2))
    view = using.ready()
    with database.snapshot() as tx:
        assert view.tip == tx.changesets.tip()
        assert len(view.matcher) == sum(len(piece) for piece in tx.entries.all())


# -- an edit counts at once -------------------------------------------------------------------------------------------


def test_changed_deleted_undone_released(database: Database, file: Path) -> None:
    using = Engine(database, file)
    submit(database, BLOCK)
    assert action_of(using.current()) == ["Block"]
    [number] = contents(database)
    edit(database, number, action="Warn")
    assert action_of(using.current()) == ["Warn"]
    indicators.delete_matching(database, EVERYTHING, actor=ADMIN, now=NOW)
    assert action_of(using.current()) == []
    changesets.undo(database, 3, actor=ADMIN, now=NOW)
    assert action_of(using.current()) == ["Warn"]
    submit(database, BLOCK._replace(type="DomainName", value="co.uk"))
    before = using.current()
    assert before is not None
    [held] = before.matcher.match(Observable(ObservableType.DOMAIN_NAME, "co.uk"))
    assert held.status is Status.HELD
    indicators.release(database, [held.id], actor=ADMIN, now=NOW, reason="because")
    after = using.current()
    assert after is not None
    [released] = after.matcher.match(Observable(ObservableType.DOMAIN_NAME, "co.uk"))
    assert released.status is Status.ACTIVE
    # A view never changes: who has one keeps what it said.
    assert before.matcher.match(Observable(ObservableType.DOMAIN_NAME, "co.uk")) == [held]
    assert after.changeset == before.changeset + 1


def test_an_indicator_expires_without_a_new_snapshot(database: Database, file: Path) -> None:
    end = NOW.replace(microsecond=0) + timedelta(seconds=10)
    submit(database, draft("evil.example.org")._replace(expires=end.isoformat()))
    using = Engine(database, file)
    at = VALUES.index("evil.example.org")
    assert agree(database, using, end - timedelta(microseconds=1)).verdicts[at].verdict.action == "Block"
    assert agree(database, using, end).verdicts[at].verdict.action is None


def test_a_large_import_is_answered_by_the_store_until_the_worker_has_made_a_snapshot(
    database: Database, file: Path, compiled: bool
) -> None:
    using = Engine(database, file)
    submit(database, *[draft(value) for value in VALUES])
    assert using.current() is not None
    report = run_import(database, domains(range(60_000)))
    assert report.applied
    assert using.current() is None
    agree(database, using)
    using.tend()
    assert using.current() is not None
    assert file.exists() == compiled
    agree(database, using)
    if compiled:
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert sorted(each.name for each in file.parent.glob("*snapshot*")) == [f".{file.name}.lock", file.name]
        other = Engine(database, file)
        assert other.current() is not None
        submit(database, draft("later.example.org", "Warn"))
        assert "Warn" in action_of(other.current(), "later.example.org")


def test_a_small_store_needs_no_file(database: Database, file: Path) -> None:
    using = Engine(database, file)
    submit(database, BLOCK)
    assert action_of(using.ready()) == ["Block"]
    using.tend()
    assert not file.exists()


def test_an_empty_store(database: Database, file: Path) -> None:
    using = Engine(database, file)
    assert agree(database, using).snapshot is None
    assert (len(using.ready().matcher), using.ready().changeset) == (0, 0)


# -- other processes --------------------------------------------------------------------------------------------------


def test_another_process_writes_and_this_one_knows(database: Database, file: Path) -> None:
    using = Engine(database, file)
    assert action_of(using.current()) == []
    where = database.url.render_as_string(hide_password=False)
    for arguments, expected in [
        (["add", "evil.example.org", "--action", "Block", "--title", "t", "--description", "d"], ["Block"]),
        (["edit", "1", "--action", "Warn"], ["Warn"]),
        (["delete", "1", "--yes"], []),
        (["undo", "3"], ["Warn"]),
    ]:
        done = subprocess.run(
            [str(SCRIPT), "--database", where, *arguments], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        began = time.monotonic()
        assert action_of(using.current()) == expected, arguments
        assert time.monotonic() - began < 1


_READER = """
import sys, time
from pathlib import Path
from indicia.domain.observable import Observable, ObservableType
from indicia.services.engine import Engine
from indicia.store.database import Database

using = Engine(Database.open(sys.argv[1]), Path(sys.argv[2]))
name = Observable(ObservableType.DOMAIN_NAME, "evil.example.org")
for line in sys.stdin:
    view = using.current()
    print("store" if view is None else [rule.action.value for rule in view.matcher.match(name)], flush=True)
"""


def test_this_process_writes_and_another_one_knows(database: Database, file: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _READER, str(database.url), str(file)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as reader:
        assert reader.stdin is not None
        assert reader.stdout is not None

        def told() -> str:
            assert reader.stdin is not None
            assert reader.stdout is not None
            reader.stdin.write("\n")
            reader.stdin.flush()
            return reader.stdout.readline().strip()

        assert told() == "[]"
        submit(database, BLOCK)
        assert told() == "['Block']"
        edit(database, 1, action="Warn")
        assert told() == "['Warn']"
        run_import(database, domains(range(60_000)))
        assert told() == "store"
        Engine(database, file).tend()
        if lookup.COMPILED and file.exists():  # the file is of this process, and the other one takes it up
            assert told() == "['Warn']"
        reader.stdin.close()


def test_many_threads_ask_while_others_write_and_publish(database: Database, file: Path) -> None:
    using = Engine(database, file, TINY)
    submit(database, *[draft(value) for value in VALUES])
    faults: list[BaseException] = []
    stop = threading.Event()

    def asking() -> None:
        try:
            while not stop.is_set():
                found = asked(database, using)
                by_number = found.indicators
                assert all(
                    by_number[each.match.rule.id].indicator.action is each.match.rule.action
                    for one in found.verdicts
                    for each in one.verdict.considered
                )
        except BaseException as error:
            faults.append(error)
            raise

    threads = [threading.Thread(target=asking) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(25):
        edit(database, 1 + number % len(VALUES), title=f"edited {number}")
        if number % 5 == 0:
            using.tend()
    stop.set()
    for thread in threads:
        thread.join()
    assert faults == []
    assert using.trouble is None
    agree(database, using)


# -- files that are not to be trusted ---------------------------------------------------------------------------------


@pytest.fixture
def only_compiled(compiled: bool) -> None:
    if not compiled:
        pytest.skip("without the kernel no file is read or written")


@pytest.mark.usefixtures("only_compiled")
class TestFiles:
    def stocked(self, database: Database, file: Path) -> Engine:
        submit(database, *[draft(value) for value in VALUES])
        using = Engine(database, file, TINY)
        using.publish()
        assert file.exists()
        return using

    def test_the_snapshot_of_an_older_copy_is_refused(self, database: Database, file: Path, tmp_path: Path) -> None:
        submit(database, *[draft(value) for value in VALUES])
        copy = copy_of(tmp_path / "indicia.db", tmp_path / "copy.db")
        submit(database, draft("evil.example.org", "Allowed"))
        Engine(database, file, TINY).publish()
        older = Database.open(url_of(copy))
        # The copy went on by itself: its changesets have the same numbers, and say something else.
        submit(older, draft("evil.example.org", "Warn"))
        for using in (Engine(older, file, TINY), Engine(older, file)):
            agree(older, using)
            assert "another" in str(using.trouble)
        using = Engine(older, file, TINY)
        using.tend()
        assert sorted(action_of(using.current())) == ["Block", "Block", "Warn"]  # example.org, and these two
        assert using.trouble is None
        older.close()

    @pytest.mark.sqlite_only("a file is put back; on a server that is a restore, after which its nodes start again")
    def test_a_database_that_is_put_back_under_a_running_engine(self, tmp_path: Path, file: Path) -> None:
        kept = new_file(tmp_path, "kept.db")
        with_more = Database.open(url_of(tmp_path / "more.db"))
        shutil.copyfile(kept, tmp_path / "more.db")
        submit(with_more, draft("evil.example.org"))
        using = Engine(with_more, file, TINY)
        assert action_of(using.current()) == ["Block"]
        with_more.engine.dispose()
        for ending in ("", "-wal", "-shm"):
            Path(f"{tmp_path / 'more.db'}{ending}").unlink(missing_ok=True)
        shutil.copyfile(kept, tmp_path / "more.db")
        assert action_of(using.current()) == []
        submit(with_more, draft("evil.example.org", "Warn"))
        assert action_of(using.current()) == ["Warn"]
        with_more.close()

    @pytest.mark.parametrize("damage", ["cut", "empty", "foreign", "bits", "folder"])
    def test_a_damaged_file_is_made_anew(self, database: Database, file: Path, damage: str) -> None:
        self.stocked(database, file)
        data = bytearray(file.read_bytes())
        file.unlink()
        if damage == "folder":
            file.mkdir()
        elif damage == "bits":
            data[len(data) // 2] ^= 0x10
            data[-1] ^= 0x01
            file.write_bytes(data)
        else:
            file.write_bytes(
                {"cut": data[: len(data) // 2], "empty": b"", "foreign": b"SQLite format 3\0" * 999}[damage]
            )
        using = Engine(database, file, TINY)
        assert using.current() is None
        assert using.trouble
        agree(database, using)
        using.tend()
        assert using.current() is not None
        agree(database, using)
        assert (using.trouble is None) == (damage != "folder")

    def test_what_the_store_does_not_say_is_not_believed(self, database: Database, file: Path) -> None:
        using = self.stocked(database, file)
        with database.engine.begin() as connection:  # as nobody may: no changeset tells of it
            connection.exec_driver_sql("UPDATE indicators SET canonical = canonical, expires_at = 5 WHERE id = 2")
        asked(database, using)
        assert "does not say" in str(using.trouble)
        agree(database, using)

    def test_a_large_file_is_verified_when_there_is_time(self, database: Database, file: Path) -> None:
        self.stocked(database, file)
        using = Engine(database, file, TINY._replace(verified_at_once=0))
        assert using.current() is not None
        using.tend()
        using.tend()
        assert using.current() is not None
        assert using.trouble is None

    def test_a_folder_that_cannot_be_written(self, database: Database, tmp_path: Path) -> None:
        (tmp_path / "a-file").write_bytes(b"")
        using = Engine(database, tmp_path / "a-file" / "indicia.snapshot", TINY)
        submit(database, *[draft(value) for value in VALUES])
        assert using.current() is None
        assert "Block" in action_of(using.ready())
        assert "cannot be written" in str(using.trouble)
        agree(database, using)

    def test_one_process_at_a_time_makes_one(self, database: Database, file: Path) -> None:
        submit(database, *[draft(value) for value in VALUES])
        using = Engine(database, file, TINY)
        left = file.with_name(f".{file.name}.1.new")
        left.mkdir()
        with snapshot.alone(file, wait=False) as mine:
            assert mine
            with snapshot.alone(file, wait=False) as second:
                assert not second
            using.tend()
            assert not file.exists()
        assert not left.exists()
        using.tend()
        assert file.exists()

    def test_rows_that_cannot_be_in_a_snapshot(self, database: Database, file: Path) -> None:
        submit(database, *[draft(value) for value in VALUES])
        with database.engine.begin() as connection:
            connection.exec_driver_sql("UPDATE indicators SET decision = 99999 WHERE id = 2")
        using = Engine(database, file, TINY)
        assert using.current() is None
        with pytest.raises(Unavailable, match="indicia verify"):
            using.ready()
        with pytest.raises(Unavailable):
            using.tend()
        using.tend()  # not again before something changes

    def test_a_snapshot_for_others(self, database: Database, tmp_path: Path) -> None:
        submit(database, *[draft(value) for value in VALUES])
        made = write_snapshot(database, tmp_path / "for-others.snapshot")
        assert len(made) == len(VALUES)


def test_without_the_kernel_a_huge_store_answers_by_itself(database: Database, file: Path, compiled: bool) -> None:
    if compiled:
        pytest.skip("with the kernel nothing is too large")
    using = Engine(database, file, TINY._replace(uncompiled=5))
    submit(database, *[draft(value) for value in VALUES])
    assert using.slow_because
    assert using.current() is None
    using.tend()
    using.tend()
    assert using.current() is None
    agree(database, using)
    with pytest.raises(Unavailable, match="not part of this installation"):
        using.ready()
