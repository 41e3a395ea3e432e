"""Limited to device groups: what somebody sees is the store without what does not touch theirs, in every answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from indicia.domain.access import Actor, Permission, Role, Source
from indicia.domain.changes import Outcome
from indicia.domain.draft import Draft
from indicia.domain.errors import Conflict, Forbidden, IndiciaError, InvalidInput, NotFound
from indicia.domain.search_text import parse_search
from indicia.services import (
    bulk,
    changesets,
    checking,
    foresight,
    groups,
    health,
    history,
    indicators,
    overview,
    searching,
    verdicts,
)
from indicia.services.bulk_change import BulkChange
from indicia.services.census import Census
from indicia.services.changesets import undo
from indicia.services.engine import Engine
from indicia.services.indicators import Wanted
from indicia.services.pasting import read_values
from indicia.services.planned_imports import planned_import
from indicia.services.standing import coverage_of, standing_of
from indicia.store.database import Database
from tests.databases import new_file, url_of
from tests.integration.services.test_standing import VALUES, draft
from tests.integration.stores import (
    ADMIN,
    EVERYTHING,
    NOW,
    change_fields,
    contents,
    csv_of,
    edit,
    guard,
    listed,
    run_import,
    submit,
)

GROUPS = ["Servers", "Kiosks", "Labs-canary", "Clerks-canary"]
#: Whoever is limited here to these; the others are foreign, and named nowhere but in a scope that holds one of these.
OWN = st.sampled_from([frozenset({"Servers"}), frozenset({"Servers", "Kiosks"}), frozenset({"Kiosks"})])
ROWS = st.lists(
    st.tuples(
        st.sampled_from(VALUES),
        st.sampled_from(["Allowed", "Audit", "Block", "Warn"]),
        st.lists(st.sampled_from(GROUPS), unique=True, max_size=2),
        st.sampled_from([None, 1, 30]),
    ),
    min_size=1,
    max_size=14,
    unique_by=lambda row: (row[0], row[1]),
)
NUMBERS = re.compile(r"\b(indicators?) (\d+)")
SEARCHES = ["", "type:domain", "has:conflict", "-has:conflict", "is:held", "example", "scope:all", "evil"]


def actor(own: frozenset[str] | None, role: Role = Role.ANALYST) -> Actor:
    return Actor("ada", "Ada", Source.PORTAL, role.permissions, own)


def drafts(rows: Sequence[tuple[str, str, list[str], int | None]]) -> list[Draft]:
    """Return drafts each with a title of its own, by which an answer that tells of it gives itself away."""
    return [
        draft(value, action, scope, days)._replace(title=f"title-{number:03}-", description=f"text-{number:03}-")
        for number, (value, action, scope, days) in enumerate(rows)
    ]


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Callable[[Sequence[Draft]], Database]]:
    """Give what makes a store of its own for each list of indicators."""
    made: list[Database] = []
    numbers = count()

    def make(rows: Sequence[Draft]) -> Database:
        found = Database.open(url_of(new_file(tmp_path, f"{next(numbers)}.db")))
        made.append(found)
        for name in GROUPS:
            groups.add_group(found, name, None, actor=ADMIN, now=NOW)
        for each in rows:
            submit(found, each)
        return found

    yield make
    for each in made:
        each.close()


# -- reading ----------------------------------------------------------------------------------------------------------


class Reader:
    """Everything that somebody can read of a store, with the numbers of indicators replaced by what they are about."""

    def __init__(self, database: Database, who: Actor, folder: Path) -> None:
        self.database = database
        self.who = who
        self.census = Census()
        self.engine = Engine(database, folder / f"{id(database)}.snapshot")
        self.names = {
            each.id: f"<{each.indicator.type} {each.indicator.canonical} {each.indicator.action}>"
            for each in listed(database)
        }

    def named(self, numbers: Any) -> list[str]:
        return [self.names[each] for each in numbers]

    def said(self, text: str) -> str:
        return NUMBERS.sub(lambda found: f"{found[1]} {self.names.get(int(found[2]), found[2])}", text)

    def outcome(self, work: Callable[[], Any]) -> Any:
        try:
            return work()
        except IndiciaError as error:
            problems = [self.said(str(each.as_dict())) for each in getattr(error, "problems", ())]
            return type(error).__name__, self.said(str(error)), problems

    def everything(self) -> dict[str, Any]:
        how: dict[str, Any] = {"actor": self.who, "now": NOW}
        database = self.database
        page = indicators.list_indicators(database, EVERYTHING, limit=1_000, **how)
        with indicators.stream_indicators(database, EVERYTHING, **how) as (rows, _groups):
            streamed = [each.indicator for each in rows]
        standings = standing_of(database, page.items, engine=self.engine, **how)
        whole = {"guard": guard(), "engine": self.engine}
        told: dict[str, Any] = {
            "list": [each.indicator for each in page.items],
            "stream": streamed,
            "count": indicators.count_indicators(database, EVERYTHING, **how),
            "counts": self.census.counts_for(database, self.who, NOW),
            "standing": [(each.status, self.said(each.why)) for each in standings.values()],
            "overview": self.overview(how),
            "groups": [each.name for each in groups.list_groups(database, actor=self.who)],
            "changes": [each.kind for each in changesets.list_changesets(database, actor=self.who)],
            "who": history.who(database, actor=self.who),
        }
        for text in [*SEARCHES, *(f"scope:{name}" for name in sorted(OWN_OF(self.who)))]:
            told[f"search {text}"] = self.outcome(lambda text=text: self.search(text, how))
        for value in VALUES:
            told[f"verdict {value}"] = self.outcome(lambda value=value: self.verdict(value, how | whole))
            told[f"check {value}"] = self.outcome(lambda value=value: self.check(value, how | whole))
        for each in page.items:
            told[f"coverage {self.names[each.id]}"] = self.coverage(each, how)
            told[f"history {self.names[each.id]}"] = [
                (one.stored.indicator, one.began.reason, one.ended)
                for one in changesets.history_of(database, each.id, actor=self.who)
            ]
        pasted = read_values("\n".join(VALUES)).values
        told["pasted"] = [
            (each.pasted.canonical, each.winner and each.winner.indicator, [one.indicator for one in each.same])
            for each in foresight.about_values(database, pasted, **how, **whole)
        ]
        plan = bulk.plan_bulk(database, EVERYTHING, BulkChange(values={"severity": "Low"}), guard=guard(), **how)
        told["bulk"] = (plan.total, plan.changed, plan.unchanged, plan.refused, plan.conflicts)
        return told

    def search(self, text: str, how: dict[str, Any]) -> Any:
        found = searching.find(self.database, self.census, searching.Asking(text), **how)
        total = searching.count(self.database, self.census, searching.Asking(text), **how)
        return self.named(each.id for each in found.items), found.total, found.tabs, found.counts, total

    def verdict(self, value: str, how: dict[str, Any]) -> Any:
        found = verdicts.explain(self.database, [value], group=min(OWN_OF(self.who)), **how)
        [each] = found.verdicts
        considered = [
            (self.names[one.match.rule.id], one.outcome, self.said(one.because)) for one in each.verdict.considered
        ]
        assert set(found.indicators) == {one.match.rule.id for one in each.verdict.considered}
        return each.verdict.action, considered, [self.said(note.message) for note in each.notes]

    def check(self, value: str, how: dict[str, Any]) -> Any:
        group = min(OWN_OF(self.who))
        how = how | {"precedence": verdicts.NetworkPrecedence.ACTION}
        found = checking.check_one(self.database, value, checking.Question(group), **how)
        # Whoever is not limited hears of all groups; compared is what both hear of.
        per_group = {each.group: each.verdict.action for each in found.groups if each.group in OWN_OF(self.who)}
        other = found.otherwise and found.otherwise.without.action
        return per_group, other, sorted(self.named(found.indicators))

    def coverage(self, stored: Any, how: dict[str, Any]) -> Any:
        found = coverage_of(self.database, stored, engine=self.engine, narrow=True, **how)
        around = [(self.names[each.stored.id], each.relation, self.said(each.because)) for each in found.same_or_wider]
        under = [(self.names[each.stored.id], each.relation) for each in found.narrower or ()]
        return sorted(around), sorted(under), found.more

    def overview(self, how: dict[str, Any]) -> Any:
        found = overview.overview(self.database, self.census, **how)
        return found.active, found.held, found.expiring, found.added_today, found.types, found.days


LIMITS: dict[str, frozenset[str]] = {}


def OWN_OF(who: Actor) -> frozenset[str]:  # noqa: N802 what both readers of a comparison ask about
    return LIMITS["own"] if who.groups is None else who.groups


@settings(
    max_examples=20,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # an example takes a second: one that fails is small enough
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(rows=ROWS, own=OWN)
def test_whoever_is_limited_reads_the_store_without_what_does_not_touch_their_groups(
    stores: Callable[[Sequence[Draft]], Database],
    tmp_path: Path,
    rows: list[tuple[str, str, list[str], int | None]],
    own: frozenset[str],
) -> None:
    LIMITS["own"] = own
    limited, whole = actor(own), actor(None)
    every = drafts(rows)
    visible = [each for each in every if limited.sees(each.rbac_group_names or [])]
    found = Reader(stores(every), limited, tmp_path).everything()
    wanted = Reader(stores(visible), whole, tmp_path).everything()
    # Who is not limited hears of everything in the chain, of all groups, and changes what reaches every device.
    for name in ("groups", "changes", "who", "bulk"):
        found.pop(name), wanted.pop(name)
    assert found.keys() == wanted.keys()
    for name, told in found.items():
        assert told == wanted[name], name


@settings(
    max_examples=20,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # an example takes a second: one that fails is small enough
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(rows=ROWS, own=OWN)
def test_nothing_of_what_they_do_not_see_stands_in_any_answer(
    stores: Callable[[Sequence[Draft]], Database],
    tmp_path: Path,
    rows: list[tuple[str, str, list[str], int | None]],
    own: frozenset[str],
) -> None:
    LIMITS["own"] = own
    limited, every = actor(own), drafts(rows)
    database = stores(every)
    shared = {name for each in every if limited.sees(each.rbac_group_names or []) for name in each.rbac_group_names}
    secrets = [
        text
        for each in every
        if not limited.sees(each.rbac_group_names or [])
        for text in (each.title, each.description)
    ]
    secrets += sorted(set(GROUPS) - own - shared)
    reader = Reader(database, limited, tmp_path)
    answers = [str(reader.everything())]
    hidden = [each for each in listed(database) if not limited.sees(each.indicator.rbac_group_names)]
    for each in hidden:
        answers += refusals(database, limited, each)
    for text in secrets:
        assert not [answer for answer in answers if text in answer], text
    for number, stored in contents(database).items():
        assert stored.severity == "High", f"indicator {number} was changed"


def refusals(database: Database, limited: Actor, each: Any) -> list[str]:
    """Return what is said to whoever asks for *each*, which does not exist for them, by its number and by its value."""
    how: dict[str, Any] = {"actor": limited, "now": NOW}
    ways: list[Callable[[], Any]] = [
        lambda: indicators.show_indicator(database, each.id, **how),
        lambda: changesets.history_of(database, each.id, actor=limited),
        lambda: edit(database, each.id, actor=limited, severity="Low"),
        lambda: indicators.delete(database, [each.id], **how),
        lambda: indicators.delete(database, [each.id], name_others=True, **how),
        lambda: changesets.show_changeset(database, each.began, actor=limited),
        lambda: history.show(database, each.began, actor=limited),
        lambda: history.rows_of(database, each.began, None, actor=limited, limit=10),
        lambda: undo(database, each.began, **how),
    ]
    said = []
    for way in ways:
        with pytest.raises(NotFound) as refused:
            way()
        said.append(str(refused.value))
    again = draft(each.indicator.value, each.indicator.action.value, sorted(limited.groups or ()))
    [written] = submit(database, again._replace(severity="Low"), actor=limited)
    assert (written.outcome, written.stored) == (Outcome.REFUSED, None)
    assert [problem.code for problem in written.problems if not problem.warning] == ["not-yours"]
    report = run_import(database, csv_of([again]), actor=limited, dry_run=True)
    plan = bulk.plan_bulk(database, [each.id], BulkChange(delete=True), guard=guard(), **how)
    assert (plan.changed, plan.refused) == (0, 1)
    return [*said, str(written.problems), str([str(problem) for problem in report.problems]), str(plan.refusals)]


# -- writing ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def grouped(database: Database) -> Database:
    for name in GROUPS:
        groups.add_group(database, name, None, actor=ADMIN, now=NOW)
    return database


ADA = actor(frozenset({"Servers"}))
GRACE = Actor("grace", "Grace", Source.PORTAL, Role.RESPONDER.permissions, frozenset({"Servers"}))


@pytest.mark.parametrize(
    "scope, code",
    [
        (["Servers"], None),
        ([], "outside-your-groups"),
        (["Labs-canary"], "unknown-group"),
        (["no group"], "unknown-group"),
    ],
)
def test_they_make_what_stays_within_their_groups(grouped: Database, scope: list[str], code: str | None) -> None:
    [written] = submit(grouped, draft("evil.example.org", "Block", scope), actor=ADA)
    assert [each.code for each in written.problems if not each.warning] == ([code] if code else [])
    assert len(contents(grouped)) == (0 if code else 1)


def test_a_group_of_others_and_one_that_is_not_there_are_told_alike(grouped: Database) -> None:
    def told(name: str) -> list[str]:
        [written] = submit(grouped, draft("evil.example.org", "Block", [name]), actor=ADA)
        found = [str(each.as_dict()) for each in written.problems]
        with pytest.raises(InvalidInput) as refused:
            verdicts.explain(grouped, ["evil.example.org"], group=name, actor=ADA, now=NOW, guard=guard())
        return [text.replace(name, "…") for text in [*found, str(refused.value), str(refused.value.problems)]]

    assert told("Labs-canary") == told("Labs-nothing")


def test_what_reaches_past_their_groups_they_see_and_do_not_change(grouped: Database) -> None:
    wide = submit(grouped, draft("evil.example.org"))[0].stored
    both = submit(grouped, draft("a.evil.example.org", "Block", ["Servers", "Kiosks"]))[0].stored
    assert wide is not None
    assert both is not None
    for stored in (wide, both):
        ways: list[Callable[[], Any]] = [
            lambda stored=stored: edit(grouped, stored.id, actor=ADA, severity="Low"),
            lambda stored=stored: indicators.delete(grouped, [stored.id], actor=ADA, now=NOW),
            lambda: indicators.delete_matching(grouped, EVERYTHING, actor=ADA, now=NOW),
        ]
        for way in ways:
            with pytest.raises(Forbidden) as refused:
                way()
            assert [each.code for each in refused.value.problems] == ["outside-your-groups"]
        assert indicators.show_indicator(grouped, stored.id, actor=ADA, now=NOW)[0] == stored
    plan = bulk.plan_bulk(grouped, EVERYTHING, BulkChange(delete=True), actor=ADA, now=NOW, guard=guard())
    assert (plan.total, plan.changed, plan.refused) == (2, 0, 2)
    assert [each.problem.code for each in plan.refusals] == ["outside-your-groups"]
    assert len(contents(grouped)) == 2


def test_they_cannot_move_anything_out_of_their_groups(grouped: Database) -> None:
    stored = submit(grouped, draft("evil.example.org", "Block", ["Servers"]), actor=ADA)[0].stored
    assert stored is not None
    with pytest.raises(Forbidden, match="every device"):
        edit(grouped, stored.id, actor=ADA, rbac_group_names=[])
    change = BulkChange(values={"rbac_group_names": []})
    plan = bulk.plan_bulk(grouped, EVERYTHING, change, actor=ADA, now=NOW, guard=guard())
    assert (plan.changed, plan.refused) == (0, 1)
    report = run_import(grouped, [draft("evil.example.org")._replace(title="for all")], actor=ADA)
    assert [each.code for each in report.problems if not each.warning] == ["outside-your-groups"]
    assert contents(grouped)[stored.id] == stored.indicator


def test_they_take_back_their_own_changes_and_no_others(grouped: Database) -> None:
    stored = submit(grouped, draft("evil.example.org", "Block", ["Servers"]))[0].stored
    own = edit(grouped, stored.id if stored else 0, actor=ADA, severity="Low").changeset
    assert own is not None
    with pytest.raises(NotFound):
        undo(grouped, own - 1, actor=ADA, now=NOW)
    # Somebody whose groups became others has no part in what they did before.
    elsewhere = Actor(ADA.id, ADA.name, ADA.source, ADA.permissions, frozenset({"Kiosks"}))
    with pytest.raises(Forbidden, match="devices of other groups"):
        undo(grouped, own, actor=elsewhere, now=NOW)
    assert history.rows_of(grouped, own, None, actor=elsewhere, limit=10).items == []
    assert undo(grouped, own, actor=ADA, now=NOW).updated == 1


def test_nothing_that_they_may_see_once_shows_them_what_it_is_now(grouped: Database) -> None:
    stored = submit(grouped, draft("evil.example.org", "Block", ["Servers"]))[0].stored
    assert stored is not None
    edit(grouped, stored.id, rbac_group_names=["Labs-canary"], title="secret-canary", reason="moved")
    assert listed(grouped, actor=ADA) == []
    [version] = changesets.history_of(grouped, stored.id, actor=ADA)
    assert version.stored.indicator == stored.indicator
    assert "canary" not in str(version)
    with pytest.raises(NotFound):
        indicators.show_indicator(grouped, stored.id, actor=ADA, now=NOW)


def test_of_the_change_of_another_they_hear_who_and_why_and_not_what_else_it_did(grouped: Database) -> None:
    rows = [draft("evil.example.org", "Block", ["Servers"]), draft("10.0.0.1", "Audit", ["Labs-canary"])]
    report = run_import(grouped, rows, reason="a list")
    [mine] = listed(grouped, actor=ADA)
    [version] = changesets.history_of(grouped, mine.id, actor=ADA)
    assert (version.began.id, version.began.actor_name, version.began.reason) == (
        report.changeset,
        ADMIN.name,
        "a list",
    )
    assert (version.began.created, dict(version.began.details)) == (0, {})


# -- verdicts ---------------------------------------------------------------------------------------------------------


def test_a_verdict_is_about_devices_of_their_own_groups(grouped: Database) -> None:
    submit(grouped, draft("evil.example.org", "Warn"), draft("evil.example.org", "Block", ["Labs-canary"]))
    submit(grouped, draft("0f" * 32, "Warn"), draft("0f" * 32, "Block", ["Servers"]))
    how: dict[str, Any] = {"now": NOW, "guard": guard()}
    found = verdicts.explain(grouped, ["evil.example.org", "0f" * 32], actor=ADA, **how)
    assert found.group == "Servers", "who has one group need not name it"
    assert [each.verdict.action for each in found.verdicts] == ["Warn", "Block"]
    several = actor(frozenset({"Servers", "Kiosks"}))
    with pytest.raises(InvalidInput) as refused:
        verdicts.explain(grouped, ["evil.example.org"], actor=several, **how)
    assert [(each.code, each.allowed) for each in refused.value.problems] == [("group-needed", ("Kiosks", "Servers"))]
    with pytest.raises(InvalidInput, match="none of them is there"):
        verdicts.explain(grouped, ["evil.example.org"], actor=actor(frozenset({"gone"})), **how)


# -- releasing --------------------------------------------------------------------------------------------------------

HELD = draft("10.0.0.1", "Block", ["Servers"])


def test_what_the_guard_holds_is_released_by_who_may(grouped: Database) -> None:
    [written] = submit(grouped, HELD, actor=ADA)
    assert written.stored is not None
    number = written.stored.id
    ways: list[Callable[[Actor], Any]] = [
        lambda who: indicators.release(grouped, [number], actor=who, now=NOW, reason="agreed"),
        lambda who: edit(grouped, number, actor=who, override_reason="agreed"),
        lambda who: bulk.plan_bulk(grouped, [number], BulkChange(release="ok"), actor=who, now=NOW, guard=guard()),
    ]
    for way in ways:
        with pytest.raises(Forbidden, match=Permission.INDICATORS_RELEASE):
            way(ADA)
    assert contents(grouped)[number].status == "held"
    indicators.release(grouped, [number], actor=GRACE, now=NOW, reason="agreed")
    assert contents(grouped)[number].status == "active"


@pytest.mark.parametrize("by_import", [False, True])
def test_a_reason_of_who_may_not_release_holds_and_says_so(grouped: Database, by_import: bool) -> None:
    given = HELD._replace(override_reason="I think so")
    if by_import:
        problems = list(run_import(grouped, [given], actor=ADA).problems)
    else:
        [written] = submit(grouped, given, actor=ADA)
        problems = list(written.problems)
    assert ["may not release" in each.message for each in problems] == [True]
    [stored] = contents(grouped).values()
    assert (stored.status, stored.extras.override_reason) == ("held", None)


def test_what_was_released_stays_so_whoever_edits_it(grouped: Database) -> None:
    [written] = submit(grouped, HELD._replace(override_reason="agreed"), actor=GRACE)
    assert written.stored is not None
    edit(grouped, written.stored.id, actor=ADA, severity="Low")
    bulk_change = BulkChange(values={"title": "another"})
    plan = bulk.plan_bulk(grouped, EVERYTHING, bulk_change, actor=ADA, now=NOW, guard=guard())
    bulk.apply_bulk(grouped, EVERYTHING, bulk_change, actor=ADA, now=NOW, guard=guard(), expected=plan.digest)
    submit(grouped, HELD, actor=ADA)
    [stored] = contents(grouped).values()
    assert (stored.status, stored.extras.override_reason) == ("active", "agreed")


# -- permissions ------------------------------------------------------------------------------------------------------

LOOKER = actor(None, Role.VIEWER)
NOBODY = Actor("nobody", "Nobody", Source.PORTAL, frozenset())
READS: dict[str, Callable[[Database, Actor], Any]] = {
    "list": lambda database, who: indicators.list_indicators(database, EVERYTHING, actor=who, now=NOW, limit=1),
    "count": lambda database, who: indicators.count_indicators(database, EVERYTHING, actor=who, now=NOW),
    "show": lambda database, who: indicators.show_indicator(database, 1, actor=who, now=NOW),
    "find": lambda database, who: searching.find(database, Census(), searching.Asking(), actor=who, now=NOW),
    "history": lambda database, who: changesets.history_of(database, 1, actor=who),
    "changes": lambda database, who: history.find(database, history.Sought(), actor=who, limit=1),
    "verdict": lambda database, who: verdicts.explain(database, ["a.example"], actor=who, now=NOW, guard=guard()),
    "overview": lambda database, who: overview.overview(database, Census(), actor=who, now=NOW),
    "import": lambda database, who: planned_import(database, "1", actor=who),
}
WRITES: dict[str, Callable[[Database, Actor], Any]] = {
    "submit": lambda database, who: submit(database, draft("a.example.org"), actor=who),
    "edit": lambda database, who: indicators.edit(
        database, 1, change_fields(title="x"), actor=who, now=NOW, guard=guard()
    ),
    "delete": lambda database, who: indicators.delete(database, [1], actor=who, now=NOW),
    "delete all": lambda database, who: indicators.delete_matching(database, Wanted(), actor=who, now=NOW),
    "bulk": lambda database, who: bulk.plan_bulk(
        database, [1], BulkChange(delete=True), actor=who, now=NOW, guard=guard()
    ),
    "import": lambda database, who: run_import(database, [], actor=who),
    "undo": lambda database, who: undo(database, 1, actor=who, now=NOW),
    "release": lambda database, who: indicators.release(database, [1], actor=who, now=NOW, reason="x"),
}


@pytest.mark.parametrize("name", READS)
def test_reading_needs_the_permission_to_read(database: Database, name: str) -> None:
    with pytest.raises(Forbidden, match=Permission.INDICATORS_READ):
        READS[name](database, NOBODY)
    with suppress(NotFound):
        READS[name](database, LOOKER)


@pytest.mark.parametrize("name", WRITES)
def test_who_only_looks_changes_nothing(database: Database, name: str) -> None:
    with pytest.raises(Forbidden, match=r"indicators\.(write|release)"):
        WRITES[name](database, LOOKER)
    with suppress(NotFound, Conflict, InvalidInput):
        WRITES[name](database, actor(None, Role.RESPONDER))


def test_how_an_installation_is_concerns_who_runs_it(database: Database, tmp_path: Path) -> None:
    engine = Engine(database, tmp_path / "indicia.snapshot")
    for who in (LOOKER, actor(None)):
        with pytest.raises(Forbidden, match=Permission.SYSTEM_READ):
            health.health(database, engine, actor=who, now=NOW)
    submit(database, draft("a.example.org"))
    assert health.health(database, engine, actor=GRACE, now=NOW).active == 1


def test_a_search_for_a_group_of_others_is_one_for_a_group_that_is_not_there(grouped: Database) -> None:
    def told(name: str) -> str:
        with pytest.raises(ValueError, match="no device group") as refused:
            searching.find(grouped, Census(), searching.Asking(f"scope:{name}"), actor=ADA, now=NOW)
        return str(refused.value).replace(name, "…")

    assert parse_search("scope:Labs-canary", now=NOW, groups={"Labs-canary": "3"}) is not None
    assert told("Labs-canary") == told("Labs-nothing")
