"""`indicia add`, `edit`, `delete` and `release`: indicators one by one."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from indicia.cli.commands import Invocation, actor, command, pass_invocation
from indicia.cli.output import (
    FAILED,
    OK,
    ROWS_REFUSED,
    clean,
    middle,
    number,
    plain_table,
    problem_line,
    say,
    say_error,
    show,
    show_json,
)
from indicia.cli.parameters import Filter, field_options, fields_of
from indicia.cli.waiting import or_waits, propose_option, tell_two

if TYPE_CHECKING:
    from indicia.app import App
    from indicia.domain.approval import Reason
    from indicia.domain.draft import Draft
    from indicia.domain.errors import Problem
    from indicia.domain.indicator import StoredIndicator
    from indicia.domain.query import Query
    from indicia.services.indicators import Written
    from indicia.services.policy import Policy
    from indicia.store.database import Database

_dry_run = click.option("-n", "--dry-run", is_flag=True, help="Check everything, change nothing.")
_as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
_why = click.option("--reason", metavar="TEXT", help="Why; kept with the changeset.")
_SHOWN_BEFORE_A_DELETE = 10


@command(
    "add",
    "indicia add evil.example --action Block --title Phishing --description 'Case 12'",
    "indicia add 'hxxps://evil[.]example/login' 203.0.113.7 --action Audit --title T --description D --expires 30d",
)
@click.argument("values", nargs=-1, required=True, metavar="VALUE...")
@field_options(required=True, more=True)
@_dry_run
@_as_json
@_why
@propose_option
@click.option("-y", "--yes", is_flag=True, expose_value=False, help="Answer yes to every question; add asks none.")
@pass_invocation
def add_command(
    invocation: Invocation,
    values: tuple[str, ...],
    dry_run: bool,
    as_json: bool,
    reason: str | None,
    propose: bool,
    **fields: Any,
) -> int:
    """Add indicators by their values; what they are is detected, and defanged values are mended.

    Where an indicator of the same value and action exists it is updated. All values of one call are one changeset;
    where one is bad none is added.
    """
    from indicia.domain.draft import NOTHING_GIVEN
    from indicia.importers.bare_values import draft_of_value
    from indicia.services.indicators import submit
    from indicia.services.policy import Watched
    from indicia.services.requests import submit_of

    base = NOTHING_GIVEN._replace(**fields_of(fields))
    read = [draft_of_value(base, value.strip()) for value in values]
    drafts = [draft for draft, _problems in read]
    faults = [tuple(each for each in problems if not each.warning) for _draft, problems in read]
    with invocation.app() as app:
        who, now, watched = actor(), app.now(), Watched(app.policy)

        def submitted(database: Database, *, dry: bool) -> list[Written]:
            return submit(
                database,
                drafts,
                actor=who,
                now=now,
                guard=app.guard,
                dry_run=dry,
                reason=reason,
                known_problems=faults,
                policy=watched.policy if dry else app.policy,
            )

        results = submitted(app.database, dry=True)
        refused = any(each.outcome == "refused" for each in results)
        if not dry_run and not refused:
            found = or_waits(
                invocation,
                app,
                lambda database: submitted(database, dry=False),
                lambda _database: submit_of(drafts, faults, reason=reason),
                now=now,
                propose=propose,
                reason=reason,
                as_json=as_json,
            )
            if found is None:
                return OK
            results = found
        notes = [tuple(each for each in problems if each.warning) for _draft, problems in read]
        done, two = not dry_run and not refused, watched.reasons
        _print_added(invocation, values, results, notes, as_json=as_json, done=done, two=two)
    return ROWS_REFUSED if refused else OK


def _print_added(
    invocation: Invocation,
    values: Sequence[str],
    results: Sequence[Written],
    notes: Sequence[Sequence[Problem]],
    *,
    as_json: bool,
    done: bool,
    two: Sequence[Reason],
) -> None:
    refused = any(each.outcome == "refused" for each in results)
    rows = []
    for value, written, mended in zip(values, results, notes, strict=True):
        # A value of which the type is not known misses it too: saying the one thing is enough.
        unknown = any(problem.code == "type-not-detected" for problem in written.problems)
        problems = [each for each in (*mended, *written.problems) if not (unknown and each.code == "missing")]
        rows.append((value, written, problems))
        for problem in problems:
            if not invocation.quiet or not problem.warning:
                say(f"{clean(value)}: {'note' if problem.warning else 'refused'}: {problem_line(problem)}")
    changeset = next((each.changeset for each in results if each.changeset is not None), None) if done else None
    if as_json:
        show_json(
            {
                "changeset": changeset,
                "results": [
                    {
                        "value": value,
                        "outcome": written.outcome,
                        "id": str(written.stored.id) if written.stored else None,
                        "problems": [problem.as_dict() for problem in problems],
                    }
                    for value, written, problems in rows
                ],
            }
        )
    else:
        for value, written, _problems in rows:
            name = f"indicator {written.stored.id}" if written.stored else "indicator"
            if written.outcome != "refused":
                show(f"{written.outcome}: {name}: {clean(value)}")
    if refused:
        say_error("nothing was added")
    else:
        _tell_what_next(invocation, changeset, done=done, two=two)


def _tell_what_next(invocation: Invocation, changeset: int | None, *, done: bool, two: Sequence[Reason] = ()) -> None:
    if not done:
        invocation.tell("nothing was changed: this was a dry run")
        tell_two(invocation, two)
    elif changeset is None:
        invocation.tell("it is as it was: nothing was changed")
    else:
        invocation.tell(f"this is changeset {changeset}; `indicia undo {changeset}` takes it back")


@command(
    "edit",
    "indicia edit 17 --action Block",
    "indicia edit 17 --expires never --title 'Phishing, second wave' --reason 'still active'",
    "indicia edit 17 --all-devices                   no longer for some device groups only",
)
@click.argument("id", type=click.IntRange(1))
@click.option("--value", metavar="VALUE", help="Another value.")
@field_options(more=True)
@click.option("--all-devices", is_flag=True, help="Apply to all devices instead of some groups.")
@_dry_run
@_as_json
@_why
@propose_option
@click.option("-y", "--yes", is_flag=True, expose_value=False, help="Answer yes to every question; edit asks none.")
@pass_invocation
def edit_command(
    invocation: Invocation,
    id: int,
    value: str | None,
    all_devices: bool,
    dry_run: bool,
    as_json: bool,
    reason: str | None,
    propose: bool,
    **fields: Any,
) -> None:
    """Change one indicator; what is not named stays. An empty text clears a field that may be empty."""
    from indicia.exporters.entity import entity
    from indicia.services.groups import list_groups
    from indicia.services.indicators import draft_from, edit
    from indicia.services.policy import Watched
    from indicia.services.requests import edit_of

    given = fields_of(fields)
    if value is not None:
        given["value"] = value
    if all_devices:
        given["rbac_group_names"] = ()
    if not given:
        raise click.UsageError("nothing to change was named", click.get_current_context())

    def change(stored: StoredIndicator) -> tuple[Draft, Sequence[Problem]]:
        return draft_from(stored.indicator)._replace(**given), ()

    with invocation.app() as app:
        watched = Watched(app.policy, dry_run=dry_run)
        who: dict[str, Any] = {"actor": actor(), "now": app.now(), "reason": reason}
        written = or_waits(
            invocation,
            app,
            lambda database: edit(database, id, change, **who, guard=app.guard, dry_run=dry_run, policy=watched.policy),
            lambda database: edit_of(database, id, change, **who),
            now=who["now"],
            propose=propose and not dry_run,
            reason=reason,
            as_json=as_json,
        )
        if written is None:
            return
        group_ids = {group.name: str(group.id) for group in list_groups(app.database)}
    for problem in written.problems:
        invocation.tell(f"note: {problem_line(problem)}")
    if as_json:
        document = entity(written.stored, group_ids) if written.stored else None
        show_json({"outcome": written.outcome, "changeset": written.changeset, "indicator": document})
    else:
        show(f"{written.outcome}: indicator {id}")
    _tell_what_next(invocation, written.changeset, done=not dry_run, two=watched.reasons)


@command(
    "delete",
    "indicia delete 17 18",
    "indicia delete --filter \"title eq 'Case 12'\" --dry-run       how many, and which",
    "indicia delete --filter \"title eq 'Case 12'\" --yes           without being asked",
)
@click.argument("ids", nargs=-1, type=click.IntRange(1), metavar="[ID...]")
@click.option("--filter", "query", type=Filter(), metavar="ODATA", help="All that match; asks first.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@_dry_run
@_as_json
@_why
@propose_option
@pass_invocation
def delete_command(
    invocation: Invocation,
    ids: tuple[int, ...],
    query: Query | None,
    yes: bool,
    dry_run: bool,
    as_json: bool,
    reason: str | None,
    propose: bool,
) -> None:
    """Delete indicators, all or none; `indicia undo` brings them back."""
    from indicia.services.indicators import Wanted, delete
    from indicia.services.policy import Watched
    from indicia.services.requests import Delete, DeleteMatching

    if bool(ids) == (query is not None):
        raise click.UsageError("name indicators by their numbers, or all that match a --filter", _context())
    with invocation.app() as app:
        now, watched = app.now(), Watched(app.policy, dry_run=dry_run)

        def do(database: Database) -> tuple[int, int]:
            if query is not None:
                return _delete_matching(
                    invocation, app, database, query, yes=yes, dry_run=dry_run, reason=reason, policy=watched.policy
                )
            who: dict[str, Any] = {"actor": actor(), "now": now, "reason": reason}
            return len(delete(database, ids, **who, dry_run=dry_run, policy=watched.policy)), ids[0]

        done = or_waits(
            invocation,
            app,
            do,
            lambda _database: DeleteMatching(Wanted(query=query), reason) if query else Delete(ids, reason),
            now=now,
            propose=propose and not dry_run,
            reason=reason,
            as_json=as_json,
        )
        if done is None:
            return
        deleted, one = done
        changeset = _changeset_that_ended(app, one) if deleted and not dry_run else None
    if as_json:
        show_json({"deleted": deleted, "changeset": changeset})
    else:
        show(f"{'would delete' if dry_run else 'deleted'} {number(deleted, 'indicator')}")
    _tell_what_next(invocation, changeset, done=not dry_run, two=watched.reasons)


def _context() -> click.Context:
    return click.get_current_context()


def _delete_matching(
    invocation: Invocation,
    app: App,
    database: Database,
    query: Query,
    *,
    yes: bool,
    dry_run: bool,
    reason: str | None,
    policy: Policy,
) -> tuple[int, int]:
    """Delete what matches, after asking; return how many were (or would be) deleted, and the number of one of them."""
    from indicia.services.indicators import Wanted, delete_matching, list_indicators

    wanted, now, who = Wanted(query=query), app.now(), actor()
    page = list_indicators(database, wanted, actor=who, now=now, limit=_SHOWN_BEFORE_A_DELETE)
    if not page.items:
        return 0, 0
    one = page.items[0].id
    if dry_run or not yes:
        count = delete_matching(database, wanted, actor=who, now=now, dry_run=True, policy=policy)
        if not invocation.quiet:
            for line in plain_table(("ID", "TYPE", "VALUE", "ACTION", "TITLE"), map(_short, page.items), right=[0]):
                say(line)
            if page.more:
                say(f"… and {count - len(page.items):,} more")
        if dry_run:
            return count, one
        if not sys.stdin.isatty():
            raise click.UsageError(f"this would delete {number(count, 'indicator')}: say --yes to do it", _context())
        if not click.confirm(f"Delete {number(count, 'indicator')}?", err=True):
            say("nothing was deleted")
            _context().exit(FAILED)
    return delete_matching(database, wanted, actor=who, now=now, reason=reason, policy=policy), one


def _short(stored: StoredIndicator) -> tuple[object, ...]:
    indicator = stored.indicator
    return stored.id, indicator.type, middle(indicator.value, 48), indicator.action, clean(indicator.title)[:40]


def _changeset_that_ended(app: App, number: int) -> int | None:
    from indicia.services.changesets import history_of

    ended = history_of(app.database, number, actor=actor())[-1].ended
    return ended.id if ended else None


@command("release", "indicia release 17 --reason 'our own test page, agreed with the owner'")
@click.argument("ids", nargs=-1, required=True, type=click.IntRange(1), metavar="ID...")
@click.option("--reason", metavar="TEXT", required=True, help="Why it is enforced although it may do harm; kept.")
@_as_json
@click.option("-y", "--yes", is_flag=True, expose_value=False, help="Answer yes to every question; release asks none.")
@propose_option
@pass_invocation
def release_command(invocation: Invocation, ids: tuple[int, ...], reason: str, as_json: bool, propose: bool) -> None:
    """Enforce indicators that are held because blocking them may do harm; all or none.

    `indicia list --filter "status eq 'held'"` lists them, `indicia show ID` says why one is held.
    """
    from indicia.services.indicators import release
    from indicia.services.requests import Release

    with invocation.app() as app:
        who: dict[str, Any] = {"actor": actor(), "now": app.now(), "reason": reason}
        freed = or_waits(
            invocation,
            app,
            lambda database: release(database, ids, **who, policy=app.policy),
            lambda _database: Release(ids, reason),
            now=who["now"],
            propose=propose,
            reason=reason,
            as_json=as_json,
        )
        if freed is None:
            return
    changeset = freed[0].began
    if as_json:
        show_json({"released": [str(each.id) for each in freed], "changeset": changeset})
    else:
        for each in freed:
            show(f"released: indicator {each.id}: {clean(each.indicator.value)}")
    _tell_what_next(invocation, changeset, done=True)
