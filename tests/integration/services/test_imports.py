"""Importing files: all or nothing, the plan that is shown is the one that is done, twice is once."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import timedelta

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indicia.domain.access import Actor, Source
from indicia.domain.changes import Step
from indicia.domain.draft import Draft
from indicia.domain.errors import Conflict, Forbidden, InvalidInput, NotFound
from indicia.exporters.defender_csv import CsvWriter
from indicia.importers.parsed import Refusal
from indicia.services import imports, indicators, planned_imports
from indicia.services.groups import add_group, list_groups
from indicia.services.imports import Format, Options
from indicia.services.writing import Policy
from indicia.store.database import Database
from tests.integration.stores import (
    ADMIN,
    BLOCK,
    CLIENT,
    EVERYTHING,
    NOW,
    OTHER,
    codes,
    contents,
    counts,
    csv_of,
    domains,
    faults,
    guard,
    listed,
    rows_of,
    run_import,
    submit,
    titles,
)
from tests.unit.indicators import GROUPS, drafts

BAD = BLOCK._replace(action="Blok")


def state(database: Database) -> list[list[str]]:
    """Return everything that the database holds."""
    return list(rows_of(database).values())


def test_all_or_nothing(database: Database) -> None:
    before = state(database)
    report = run_import(database, [*domains(range(3)), BAD, *domains(range(3, 5))])
    assert (report.applied, report.changeset) == (False, None)
    assert counts(report) == {"created": 5, "refused": 1}
    assert codes(report) == [(5, "invalid-action")]
    assert state(database) == before


def test_skipping_bad_rows_takes_the_good_ones(database: Database) -> None:
    report = run_import(database, [*domains(range(3)), BAD], skip_bad_rows=True, reason="the weekly list")
    assert (report.applied, report.changeset) == (True, 1)
    assert counts(report) == {"created": 3, "refused": 1}
    assert len(listed(database)) == 3
    assert faults(database) == []


def test_a_file_that_is_no_use_stops_the_others_too(database: Database) -> None:
    before = state(database)
    report = run_import(database, domains(range(3)), b"no,header\n1,2\n", skip_bad_rows=True)
    assert not report.applied
    assert {problem.file for problem in report.problems if not problem.warning} == {"1.csv"}
    assert state(database) == before


def test_several_files_are_one_changeset(database: Database) -> None:
    report = run_import(database, domains(range(3)), domains(range(2, 6)))
    assert report.changeset == 1
    assert counts(report) == {"created": 6, "unchanged": 1}
    assert [file.rows for file in report.files] == [3, 4]


def test_contradicting_rows_are_refused_and_name_each_other(database: Database) -> None:
    twice = [BLOCK, BLOCK._replace(title="another title")]
    one_file = run_import(database, twice)
    two_files = run_import(database, twice[:1], twice[1:])
    for report in (one_file, two_files):
        assert not report.applied
        assert counts(report) == {"created": 1, "refused": 1}
        assert [code for _, code in codes(report)] == ["duplicate"]


@pytest.mark.parametrize("apart", [False, True], ids=["in one batch", "in two batches"])
def test_contradicting_rows_say_the_same_again(database: Database, apart: bool) -> None:
    first, second = domains([1]), domains([1], title="another title")
    files = [first, second] if apart else [first + second]
    run_import(database, *files, skip_bad_rows=True)
    before = contents(database)
    assert titles(database) == {"h1.example.org": "a title"}
    again = run_import(database, *files, skip_bad_rows=True)
    assert counts(again) == {"unchanged": 1, "refused": 1}
    assert again.changeset is None
    assert contents(database) == before
    # What is stored may be the second row: then the first updates it, and the second contradicts the first.
    run_import(database, second)
    assert counts(run_import(database, *files, skip_bad_rows=True)) == {"updated": 1, "refused": 1}


@pytest.mark.parametrize("apart", [False, True], ids=["in one batch", "in two batches"])
def test_a_value_that_comes_again_in_another_spelling_is_unchanged(database: Database, apart: bool) -> None:
    first, second = domains([1]), domains([1], value="H1.Example.ORG.")
    files = [first, second] if apart else [first + second]
    planned = run_import(database, *files, dry_run=True)
    done = run_import(database, *files, expected_plan=planned.plan_digest)
    assert counts(planned) == counts(done) == {"created": 1, "unchanged": 1}
    assert [stored.indicator.value for stored in listed(database)] == ["h1.example.org"]
    assert counts(run_import(database, *files)) == {"unchanged": 2}


def test_what_is_left_as_it_is_stays_so_when_it_comes_again(database: Database) -> None:
    submit(database, BLOCK._replace(external_id="case 7"))
    assert counts(run_import(database, [BLOCK], [BLOCK])) == {"unchanged": 2}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(st.lists(drafts(), max_size=6))
def test_a_re_import_changes_nothing_and_an_export_comes_in_as_it_was(database: Database, batch: list[Draft]) -> None:
    for name in GROUPS - {group.name for group in list_groups(database)}:
        add_group(database, name, None, actor=ADMIN, now=NOW)
    indicators.delete_matching(database, EVERYTHING, actor=ADMIN, now=NOW)
    text = csv_of(batch)
    first = run_import(database, text, skip_bad_rows=True)
    after = state(database)
    again = run_import(database, text, skip_bad_rows=True)
    assert again.changeset is None
    assert again.total("unchanged") == first.total("created") + first.total("updated") + first.total(
        "held"
    ) + first.total("unchanged")
    writer = CsvWriter(full=True)
    whole = writer.header() + "".join(writer.lines(contents(database).values()))
    exported = run_import(database, whole.encode())
    assert set(counts(exported)) <= {"unchanged", "conflicts"}
    assert state(database) == after


FILES = st.lists(
    st.lists(
        st.one_of(
            st.just(BAD),
            st.builds(
                lambda value, action, title, external_id: BLOCK._replace(
                    type=value[0], value=value[1], action=action, title=title, external_id=external_id
                ),
                st.sampled_from(
                    [
                        ("DomainName", "a.example.org"),
                        ("DomainName", "b.a.example.org"),
                        ("DomainName", "co.uk"),
                        ("IpRange", "185.220.101.0/24"),
                        ("IpAddress", "185.220.101.7"),
                    ]
                ),
                st.sampled_from(["Block", "Allowed"]),
                st.sampled_from("tu"),
                st.sampled_from([None, "x", "y"]),
            ),
        ),
        max_size=5,
    ).map(csv_of),
    min_size=1,
    max_size=3,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(FILES, FILES, st.booleans(), st.sampled_from([ADMIN, CLIENT]), st.sampled_from([1, 10_000]))
def test_the_plan_is_what_is_done(
    database: Database, before: list[bytes], files: list[bytes], skip: bool, actor: Actor, batch: int
) -> None:
    """Whatever is stored, however the records fall into batches."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("indicia.importers.defender_csv.BATCH_RECORDS", batch)
        indicators.delete_matching(database, EVERYTHING, actor=ADMIN, now=NOW)
        run_import(database, *before, skip_bad_rows=True, actor=OTHER)
        stored = state(database)
        plan = run_import(database, *files, dry_run=True, skip_bad_rows=skip, actor=actor)
        assert state(database) == stored
        done = run_import(database, *files, skip_bad_rows=skip, actor=actor, expected_plan=plan.plan_digest)
    assert [file.as_dict() for file in plan.files] == [file.as_dict() for file in done.files]
    assert list(map(str, plan.problems)) == list(map(str, done.problems))
    assert plan.plan_digest == done.plan_digest
    assert (plan.applied, plan.changeset) == (False, None)


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_process_of_its_own_reads_the_same(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("indicia.services.imports.LONG_BYTES", 0)
    monkeypatch.setattr("indicia.services.imports.may_read_apart", lambda: True)
    monkeypatch.setattr("indicia.importers.defender_csv.BATCH_RECORDS", 3)
    drafts = [*domains(range(8)), BAD, BLOCK._replace(value="com"), BLOCK._replace(expires="2030-12-01")]
    plans = [run_import(database, drafts, dry_run=True, apart=apart) for apart in (False, True)]
    assert plans[0].plan_digest == plans[1].plan_digest
    assert list(map(str, plans[0].problems)) == list(map(str, plans[1].problems))
    done = run_import(database, drafts, skip_bad_rows=True, apart=True, expected_plan=plans[0].plan_digest)
    assert counts(done) == counts(plans[0])
    assert faults(database) == []


def test_a_plan_of_other_things_is_another(database: Database) -> None:
    def digest(*files: Sequence[Draft]) -> bytes:
        return run_import(database, *files, dry_run=True).plan_digest

    plans = [digest(domains([1])), digest(domains([2])), digest(domains([1, 2])), digest(domains([1], title="x"))]
    run_import(database, domains([1]))
    plans.append(digest(domains([1])))
    submit(database, *domains([1], title="x"))
    plans.append(digest(domains([1])))
    assert len(set(plans)) == len(plans)


def test_nothing_is_written_where_the_plan_has_become_another(database: Database) -> None:
    plan = run_import(database, domains(range(3)), dry_run=True)
    submit(database, *domains([1]))
    before = state(database)
    with pytest.raises(Conflict, match="changed since"):
        run_import(database, domains(range(3)), expected_plan=plan.plan_digest)
    assert state(database) == before
    plan = run_import(database, domains(range(3)), dry_run=True)
    assert run_import(database, domains(range(3)), expected_plan=plan.plan_digest).applied


@pytest.mark.parametrize("dry_run", [True, False])
def test_the_limit_of_active_indicators(database: Database, dry_run: bool) -> None:
    run_import(database, domains(range(3)), policy=Policy(3))
    report = run_import(database, domains(range(2, 5)), policy=Policy(4), dry_run=dry_run)
    assert not report.applied
    assert codes(report) == [(None, "maximum-indicators-exceeded")]
    assert len(listed(database)) == 3
    assert run_import(database, domains(range(3), title="x"), policy=Policy(3)).applied


def test_what_a_csv_cannot_say_stays_as_it_is_stored(database: Database) -> None:
    submit(database, BLOCK._replace(external_id="x", application="Browser", notification_body="call us"))
    report = run_import(database, [BLOCK._replace(title="another")])
    (stored,) = listed(database)
    assert counts(report) == {"updated": 1}
    indicator = stored.indicator
    assert (indicator.title, indicator.external_id, indicator.application) == ("another", "x", "Browser")
    assert indicator.extras.notification_body == "call us"


def test_json_says_everything_so_what_it_leaves_out_goes(database: Database) -> None:
    submit(database, BLOCK._replace(external_id="x", application="Browser"))
    names = ("indicatorType", "indicatorValue", "action", "title", "description")
    values = ("DomainName", "evil.example.org", "Block", "t", "d")
    line = orjson.dumps(dict(zip(names, values, strict=True)))
    run_import(database, line, format=Format.NDJSON)
    (stored,) = listed(database)
    assert (stored.indicator.external_id, stored.indicator.application) == (None, "Browser")


def test_a_text_list_takes_what_it_lacks_from_the_options(database: Database) -> None:
    text = b"# ours\nevil.example.org\nhxxps://a[.]example[.]org/x\n185.220.101.7\n" + b"ab" * 32
    defaults = Draft(action="Block", title="t", description="d")
    report = run_import(database, text, format=Format.TEXT, defaults=defaults)
    assert counts(report) == {"created": 4}
    assert codes(report, warnings=True) == [(3, "refanged")]
    assert set(titles(database)) == {"evil.example.org", "https://a.example.org/x", "185.220.101.7", "ab" * 32}


class Heard(imports.Listener):
    """Remembers all it hears."""

    def __init__(self) -> None:
        self.lines: list[int] = []
        self.positions: list[int] = []

    def refused(self, file: str, refusal: Refusal) -> None:
        self.lines.append(refusal.line)

    def planned(self, file: str, steps: Sequence[Step]) -> None:
        self.lines += [step.candidate.line for step in steps if step.outcome != "refused"]

    def progress(self, file: str, position: int, rows: int) -> None:
        self.positions.append(position)


def test_a_listener_hears_of_every_row_once(database: Database) -> None:
    rows = [*domains(range(30)), BAD, BLOCK, BLOCK._replace(title="contradicts"), *domains(range(5))]
    text, heard = csv_of(rows), Heard()
    run_import(database, text, listener=heard, skip_bad_rows=True)
    assert sorted(heard.lines) == list(range(2, len(rows) + 2))
    assert heard.positions[-1] == len(text)


def test_nobody_without_a_permission_imports(database: Database) -> None:
    nobody = Actor("x", "nobody", Source.PUBLIC_API, frozenset())
    with pytest.raises(Forbidden):
        run_import(database, domains([1]), actor=nobody)


def test_scopes_are_checked_against_the_groups_there_are(database: Database) -> None:
    scoped = [BLOCK._replace(rbac_group_names="Servers")]
    assert codes(run_import(database, scoped)) == [(2, "unknown-group")]
    add_group(database, "Servers", None, actor=ADMIN, now=NOW)
    assert run_import(database, scoped).applied


def test_a_source_that_fails_changes_nothing(database: Database) -> None:
    class Broken(io.RawIOBase):
        pieces = iter([csv_of(domains(range(100)))])

        def read(self, size: int = -1) -> bytes:
            piece = next(self.pieces, None)
            if piece is None:
                raise OSError("the network is gone")
            return piece

    before = state(database)
    source = imports.Source("broken.csv", Broken())  # type: ignore[arg-type] # all that is asked of it is `read`
    with pytest.raises(OSError, match="the network is gone"):
        imports.import_indicators(database, [source], Options(), actor=ADMIN, now=NOW, guard=guard())
    assert state(database) == before
    assert run_import(database, domains(range(3))).applied


# -- plan now, apply later --------------------------------------------------------------------------------------------


def plan(
    database: Database, rows: Sequence[Draft], *, import_id: str = "p1", actor: Actor = ADMIN, **options: bool
) -> imports.ImportReport:
    source = imports.Source("list.csv", io.BytesIO(csv_of(rows)))
    return planned_imports.plan_import(
        database, source, Options(**options), import_id=import_id, actor=actor, now=NOW, guard=guard()
    )


def apply(database: Database, *, import_id: str = "p1", actor: Actor = ADMIN, **more: object) -> imports.ImportReport:
    at = {"now": NOW} | more
    return planned_imports.apply_import(database, import_id, actor=actor, guard=guard(), **at)  # type: ignore[arg-type] # the arguments by name


def test_a_plan_can_be_applied_once_and_does_what_it_showed(database: Database) -> None:
    shown = plan(database, domains(range(20)))
    assert listed(database) == []
    done = apply(database)
    assert counts(done) == counts(shown)
    assert done.plan_digest == shown.plan_digest
    assert len(listed(database)) == 20
    with pytest.raises(Conflict, match="changeset 1"):
        apply(database)
    assert planned_imports.planned_import(database, "p1", actor=ADMIN).changeset == 1


def test_a_plan_that_became_another_is_not_applied(database: Database) -> None:
    plan(database, domains(range(20)))
    submit(database, *domains([3]))
    with pytest.raises(Conflict):
        apply(database)
    assert len(listed(database)) == 1


def test_a_plan_with_refused_rows_cannot_be_applied(database: Database) -> None:
    plan(database, [*domains(range(3)), BAD])
    with pytest.raises(InvalidInput):
        apply(database)
    plan(database, [*domains(range(3)), BAD], import_id="p2", skip_bad_rows=True)
    assert apply(database, import_id="p2").applied


def test_an_expiry_that_has_passed_meanwhile_stops_the_plan(database: Database) -> None:
    plan(database, domains(range(3), expires=(NOW + timedelta(hours=1)).isoformat()))
    with pytest.raises(Conflict, match="plan it again"):
        apply(database, now=NOW + timedelta(hours=2))
    assert listed(database) == []


def test_plans_of_others_do_not_exist_for_a_client(database: Database) -> None:
    plan(database, domains(range(3)), actor=CLIENT)
    with pytest.raises(NotFound):
        apply(database, actor=OTHER)
    assert apply(database, actor=CLIENT).applied


def test_a_plan_that_changes_nothing_can_be_applied_too(database: Database) -> None:
    run_import(database, domains(range(3)))
    plan(database, domains(range(3)))
    assert apply(database).changeset is None
    with pytest.raises(Conflict, match="changed nothing"):
        apply(database)


def test_plans_are_kept_for_a_day(database: Database) -> None:
    plan(database, domains(range(3)))
    source = imports.Source("list.csv", io.BytesIO(csv_of(domains(range(3)))))
    later = NOW + timedelta(hours=25)
    planned_imports.plan_import(database, source, Options(), import_id="p2", actor=ADMIN, now=later, guard=guard())
    with pytest.raises(NotFound):
        apply(database, now=later)
    assert apply(database, import_id="p2", now=later).applied
