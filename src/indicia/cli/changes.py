"""`indicia history`, `undo` and `verify`: what was done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from indicia.cli.commands import Invocation, actor, command, pass_invocation
from indicia.cli.output import clean, number, plain_table, show, show_json
from indicia.cli.waiting import or_waits, propose_option, tell_two
from indicia.domain.errors import Conflict

if TYPE_CHECKING:
    from indicia.app import App
    from indicia.services.changesets import Undone, Version
    from indicia.store.changesets import ChangeSetRecord


@command(
    "history",
    "indicia history                    the newest changesets",
    "indicia history 17                 what became of indicator 17",
    "indicia history --json | jq '.changesets[0].hash'",
)
@click.argument("id", type=click.IntRange(1), required=False)
@click.option("--limit", type=click.IntRange(1, 10_000), default=30, metavar="N", help="At most so many; default: 30.")
@click.option("--before", type=click.IntRange(1), metavar="CHANGESET", help="Only older ones.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@pass_invocation
def history_command(invocation: Invocation, id: int | None, limit: int, before: int | None, as_json: bool) -> None:
    """Show what was changed, by whom and why: the newest changesets, or every version of one indicator."""
    from indicia.services.changesets import changeset_as_dict, history_of, list_changesets

    with invocation.app() as app:
        if id is not None:
            versions = history_of(app.database, id, actor=actor())
            show_json(_versions(app, id, versions)) if as_json else _print_versions(versions)
            return
        records = list_changesets(app.database, actor=actor(), before=before, limit=limit)
        if as_json:
            show_json({"changesets": [changeset_as_dict(record) for record in records]})
        else:
            _print_changesets(records)
            if len(records) == limit and records[-1].id > 1:
                invocation.tell(f"older ones: indicia history --before {records[-1].id}")


def _versions(app: App, id: int, versions: list[Version]) -> dict[str, Any]:
    from indicia.exporters.entity import entity
    from indicia.services.changesets import changeset_as_dict
    from indicia.services.groups import list_groups

    group_ids = {group.name: str(group.id) for group in list_groups(app.database)}
    return {
        "id": str(id),
        "versions": [
            {
                "indicator": entity(version.stored, group_ids),
                "began": changeset_as_dict(version.began),
                "ended": changeset_as_dict(version.ended) if version.ended else None,
            }
            for version in versions
        ],
    }


def _print_changesets(records: list[ChangeSetRecord]) -> None:
    header = ("ID", "AT", "BY", "FROM", "WHAT", "CREATED", "UPDATED", "DELETED", "WHY")
    rows = [
        (
            record.id,
            f"{record.at:%Y-%m-%d %H:%M:%S}",
            record.actor_name,
            record.source,
            record.kind if record.undoes is None else f"{record.kind} {record.undoes}",
            f"{record.created:,}",
            f"{record.updated:,}",
            f"{record.deleted:,}",
            record.reason or "",
        )
        for record in records
    ]
    for line in plain_table(header, rows, right=(0, 5, 6, 7)):
        show(line)


def _print_versions(versions: list[Version]) -> None:
    from indicia.services.indicators import draft_from

    before: dict[str, Any] = {}
    for version in versions:
        now = draft_from(version.stored.indicator)._asdict() | {"status": version.stored.indicator.status.value}
        show(_line(version.began, "created" if not before else "changed"))
        for name, value in now.items():
            if value != before.get(name) and value not in (None, (), "", False if not before else None):
                old = f"{clean(before[name])} -> " if before.get(name) not in (None, (), "") else ""
                show(f"    {name}: {old}{clean(value)}")
            elif value in (None, (), "") and before.get(name) not in (None, (), ""):
                show(f"    {name}: {clean(before[name])} -> nothing")
        before = now
    ended = versions[-1].ended
    if ended is not None:
        show(_line(ended, "deleted"))


def _line(record: ChangeSetRecord, what: str) -> str:
    why = f": {record.reason}" if record.reason else ""
    return clean(f"{record.at:%Y-%m-%d %H:%M:%S}  {what} by {record.actor_name}, changeset {record.id}{why}")


@command(
    "undo",
    "indicia undo 7 --dry-run           what would come back, what would go",
    "indicia undo 7 --reason 'wrong file'",
    "indicia undo 7 --keep-later        except what was changed again since",
)
@click.argument("changeset", type=click.IntRange(1))
@click.option("--keep-later", is_flag=True, help="Leave alone what later changesets touched.")
@click.option("-n", "--dry-run", is_flag=True, help="Check everything, change nothing.")
@click.option("--reason", metavar="TEXT", help="Why; kept with the changeset.")
@propose_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("-y", "--yes", is_flag=True, expose_value=False, help="Answer yes to every question; undo asks none.")
@pass_invocation
def undo_command(
    invocation: Invocation,
    changeset: int,
    keep_later: bool,
    dry_run: bool,
    reason: str | None,
    propose: bool,
    as_json: bool,
) -> None:
    """Take a changeset back, by another changeset; an undo can be undone too.

    Where later changesets touched the same indicators it is refused and names them, unless with --keep-later.
    """
    from indicia.services.changesets import undo
    from indicia.services.policy import Watched
    from indicia.services.requests import Undo

    with invocation.app() as app:
        watched = Watched(app.policy, dry_run=dry_run)
        who: dict[str, Any] = {"actor": actor(), "now": app.now(), "reason": reason, "keep_later": keep_later}
        try:
            found = or_waits(
                invocation,
                app,
                lambda database: undo(database, changeset, **who, dry_run=dry_run, policy=watched.policy),
                lambda _database: Undo(changeset, keep_later, reason),
                now=who["now"],
                propose=propose and not dry_run,
                reason=reason,
                as_json=as_json,
            )
        except Conflict as error:
            if error.problems:
                raise Conflict(f"{error} (--keep-later)", error.problems) from None
            raise
    if found is None:
        return
    done = found
    if as_json:
        show_json(_undone(done))
        return
    counts = f"{done.created:,} brought back, {done.updated:,} as before, {done.deleted:,} removed"
    show(f"{'would undo' if dry_run else 'undid'} changeset {changeset}: {counts}")
    if done.kept:
        invocation.tell(f"{number(len(done.kept), 'indicator')} left alone, which later changesets touched")
    tell_two(invocation, watched.reasons)
    if done.changeset is not None:
        invocation.tell(f"this is changeset {done.changeset.id}; `indicia undo {done.changeset.id}` takes it back")


def _undone(done: Undone) -> dict[str, Any]:
    return {
        "undone": done.undone,
        "changeset": done.changeset.id if done.changeset else None,
        "created": done.created,
        "updated": done.updated,
        "deleted": done.deleted,
        "kept": [str(number) for number in done.kept],
    }
