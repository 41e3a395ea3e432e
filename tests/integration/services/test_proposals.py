"""Proposals: what is kept is what is done, by somebody else, once, and only while it is what was shown."""

from __future__ import annotations

import io
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from indicia.domain.access import Actor, Role, Source
from indicia.domain.draft import Draft
from indicia.domain.errors import Conflict, Forbidden, IndiciaError, InvalidInput, NotFound
from indicia.services import applications, changesets, deciding, people, planned_imports, proposals
from indicia.services.groups import add_group
from indicia.services.imports import Options
from indicia.services.imports import Source as File
from indicia.services.proposals import Proposal, State
from indicia.services.requests import Delete, Release, Undo, import_of
from indicia.store.database import Database
from tests.integration.services.proposing import (
    ADA,
    ALLOW,
    ANALYST,
    BEN,
    POLICY,
    VIEWER,
    applied,
    parts,
    proposed,
    shown,
    submit,
)
from tests.integration.stores import ADMIN, BLOCK, NOW, contents, csv_of, domains, edit, faults, guard
from tests.integration.stores import submit as put

LATER = NOW + timedelta(hours=1)


def waits(database: Database, *drafts: Draft, actor: Actor = ADA) -> Proposal:
    """Return the proposal that submitting *drafts* becomes."""
    made = submit(database, *(drafts or (ALLOW,)), actor=actor)
    assert isinstance(made, Proposal)
    return made


def kinds(database: Database) -> list[str]:
    return [each.kind for each in changesets.list_changesets(database, actor=ADMIN)][::-1]


# -- who decides ------------------------------------------------------------------------------------------------------


def test_who_may_not_apply(database: Database) -> None:
    made = waits(database)
    for actor, error in ((ADA, Forbidden), (ANALYST, Forbidden), (VIEWER, Forbidden)):
        with pytest.raises(error):
            applied(database, made.id, actor=actor)
    assert contents(database) == {}
    assert applied(database, made.id, actor=BEN).proposal.state is State.APPLIED
    assert kinds(database) == ["proposal.made", "submit", "proposal.applied"]
    assert faults(database) == []


def test_a_release_needs_somebody_who_may_release(database: Database) -> None:
    [held] = put(database, BLOCK._replace(value="com"))
    assert held.stored is not None
    made = proposed(database, Release((held.stored.id,), "agreed"), actor=ANALYST)
    able = frozenset(BEN.permissions) - {"indicators.release"}
    half = Actor("half", "Half", Source.PORTAL, able)
    assert "indicators.release" in str(shown(database, made.id, actor=half).in_the_way)
    with pytest.raises(Forbidden, match="release"):
        applied(database, made.id, actor=half)
    applied(database, made.id)
    [(number, indicator)] = contents(database).items()
    assert (number, indicator.status, indicator.extras.override_reason) == (held.stored.id, "active", "agreed")


def test_an_api_client_counts_as_whoever_made_it(database: Database) -> None:
    maker = Actor("maker", "Maker", Source.PORTAL, Role.ADMINISTRATOR.permissions)
    made = [applications.add_application(database, name, [], actor=maker, now=NOW) for name in ("one", "two")]
    one, two = (Actor(each.client_id, "client", Source.PUBLIC_API, BEN.permissions) for each in made)
    proposal = waits(database, actor=one)
    for actor in (one, two, maker):
        with pytest.raises(Forbidden):
            applied(database, proposal.id, actor=actor)
    applied(database, proposal.id, actor=BEN)


def test_who_was_disabled_meanwhile_has_nothing_applied(database: Database) -> None:
    person = people.add_person(database, "Eve", actor=ADMIN, now=NOW, role=Role.ANALYST).person
    made = waits(database, actor=people.actor_of(person))
    people.disable_person(database, "Eve", actor=ADMIN, now=NOW)
    assert "may propose nothing any more" in str(shown(database, made.id).in_the_way)
    with pytest.raises(Conflict, match="may propose nothing any more"):
        applied(database, made.id)
    assert deciding.decline(database, made.id, actor=BEN, now=NOW, comment="gone").state is State.DECLINED


def test_limited_people_see_and_apply_what_is_theirs(database: Database) -> None:
    for name in ("Servers", "Clerks"):
        add_group(database, name, None, actor=ADMIN, now=NOW)
    servers = Actor("s", "S", Source.PORTAL, BEN.permissions, frozenset({"Servers"}))
    clerks = Actor("c", "C", Source.PORTAL, BEN.permissions, frozenset({"Clerks"}))
    narrow = waits(database, ALLOW._replace(rbac_group_names=["Servers"]))
    wide = waits(database, ALLOW)
    assert [each.id for each in _open(database, servers)] == [narrow.id]
    assert _open(database, clerks) == []
    assert (
        proposals.count_open(database, actor=servers, now=NOW),
        proposals.count_open(database, actor=BEN, now=NOW),
    ) == (1, 2)
    for actor, number in ((clerks, narrow.id), (clerks, wide.id), (servers, wide.id)):
        with pytest.raises(NotFound):
            shown(database, number, actor=actor)
        with pytest.raises(NotFound):
            deciding.comment(database, number, "x", actor=actor, now=NOW)
    applied(database, narrow.id, actor=servers)
    mine = waits(database, ALLOW._replace(value="other.example.org", rbac_group_names=["Clerks"]), actor=clerks)
    assert [each.id for each in _open(database, clerks)] == [mine.id]


def _open(database: Database, actor: Actor) -> list[Proposal]:
    return proposals.find(database, State.OPEN, actor=actor, now=NOW, limit=10).items


# -- what is done is what was shown -----------------------------------------------------------------------------------


def test_an_import_waits_with_its_file_and_does_what_was_shown(database: Database) -> None:
    body = csv_of(domains(range(50)))
    planned_imports.plan_import(
        database, File("a.csv", io.BytesIO(body)), Options(), import_id="i", actor=ADA, now=NOW, guard=guard()
    ).problems.close()
    made = proposed(database, import_of(planned_imports.planned_import(database, "i", actor=ADA)))
    assert (made.record.summary["created"], len(made.record.summary["lines"])) == (50, 20)
    with database.transaction() as tx:
        tx.imports.forget_before(NOW + timedelta(days=3))  # longer than plans are kept, and it is still there
    done = applied(database, made.id, now=LATER)
    assert len(contents(database)) == 50
    record = changesets.show_changeset(database, done.changeset, actor=ADMIN)[0]
    assert (record.kind, record.created, record.actor) == ("import", 50, BEN.id)
    assert record.details["proposal"] == {"by": ADA.id, "byName": ADA.name, "number": made.id}


def test_what_moved_on_is_shown_and_only_that_is_applied(database: Database) -> None:
    numbers = [each.stored.id for each in put(database, *domains(range(4))) if each.stored]
    made = proposed(database, Delete(tuple(numbers)))
    edit(database, numbers[0], title="changed since")
    seen = shown(database, made.id)
    assert seen.now is not None
    with pytest.raises(Conflict) as caught:
        applied(database, made.id, plan=made.digest)
    assert [each.value for each in caught.value.problems] == [seen.now.digest]
    assert len(contents(database)) == 4
    applied(database, made.id, plan=seen.now.digest)
    assert contents(database) == {}


def test_what_is_gone_is_said_and_not_applied(database: Database) -> None:
    [written] = put(database, BLOCK)
    assert written.stored is not None
    made = proposed(database, Delete((written.stored.id,)))
    from indicia.services import indicators

    indicators.delete(database, [written.stored.id], actor=ADMIN, now=NOW)
    assert "nothing can come of it any more" in str(shown(database, made.id).fault)
    with pytest.raises(NotFound):
        deciding.apply(database, made.id, plan=made.digest, actor=BEN, now=NOW, parts=parts())
    assert shown(database, made.id).proposal.state is State.OPEN


def test_undoing_what_two_agreed_to_takes_two_again(database: Database) -> None:
    allowed = applied(database, waits(database).id).changeset
    gone = changesets.undo(database, allowed, actor=ADA, now=NOW, policy=POLICY).changeset
    assert gone is not None
    assert contents(database) == {}
    with pytest.raises(Conflict, match="second person"):
        changesets.undo(database, gone.id, actor=ADA, now=NOW, policy=POLICY)
    assert contents(database) == {}
    applied(database, proposed(database, Undo(gone.id)).id)
    assert [each.action for each in contents(database).values()] == ["Allowed"]
    assert faults(database) == []


def test_what_would_change_nothing_or_is_wrong_is_no_proposal(database: Database) -> None:
    put(database, BLOCK)
    with pytest.raises(Conflict, match="nothing to propose"):
        submit(database, BLOCK, ask=True)
    with pytest.raises(InvalidInput):
        submit(database, BLOCK._replace(action="Explode"), ask=True)
    with pytest.raises(NotFound):
        proposed(database, Delete((99,)))
    assert kinds(database) == ["submit"]


# -- time, and two at once --------------------------------------------------------------------------------------------


def test_what_nobody_decides_runs_out(database: Database) -> None:
    made = waits(database)
    late = made.record.expires_at
    assert shown(database, made.id, now=late).proposal.state is State.EXPIRED
    assert proposals.count_open(database, actor=BEN, now=late) == 0
    with pytest.raises(Conflict, match="expired"):
        applied(database, made.id, now=late)
    assert (deciding.expire(database, now=late - timedelta(seconds=1)), deciding.expire(database, now=late)) == (0, 1)
    assert deciding.expire(database, now=late) == 0
    assert [each.id for each in proposals.find(database, State.EXPIRED, actor=BEN, now=late, limit=5).items] == [
        made.id
    ]
    assert kinds(database) == ["proposal.made", "proposal.expired"]
    assert contents(database, now=late) == {}


def test_of_many_who_decide_at_once_one_does(database: Database, tmp_path: Path) -> None:
    made = waits(database)
    outcomes: list[str] = []
    others = [Actor(f"p{n}", f"P{n}", Source.PORTAL, BEN.permissions) for n in range(6)]
    barrier = threading.Barrier(len(others))

    def decide(place: int, actor: Actor) -> None:
        barrier.wait()
        try:
            if place % 2:
                deciding.decline(database, made.id, actor=actor, now=NOW, comment="no")
            else:
                deciding.apply(database, made.id, plan=made.digest, actor=actor, now=NOW, parts=parts())
            outcomes.append("done")
        except IndiciaError:
            outcomes.append("late")

    threads = [threading.Thread(target=decide, args=each) for each in enumerate(others)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["done", *["late"] * 5]
    state = shown(database, made.id).proposal.state
    assert len(contents(database)) == (state is State.APPLIED)
    assert faults(database) == []


def test_comments_are_bounded_and_checked(database: Database) -> None:
    made = waits(database)
    for bad in (" ", "x" * (deciding.COMMENT_CHARACTERS + 1), "a\x00b"):
        with pytest.raises(InvalidInput):
            deciding.comment(database, made.id, bad, actor=BEN, now=NOW)
    with pytest.raises(Forbidden):
        deciding.comment(database, made.id, "x", actor=VIEWER, now=NOW)
    for _ in range(deciding.MOST_COMMENTS):
        deciding.comment(database, made.id, "x", actor=BEN, now=NOW)
    with pytest.raises(Conflict):
        deciding.comment(database, made.id, "x", actor=BEN, now=NOW)
