"""`indicia proposal`: changes that wait for a second person."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from indicia.cli.commands import Group, Invocation, actor, pass_invocation
from indicia.cli.output import FAILED, OK, clean, middle, plain_table, say, show, show_json
from indicia.cli.waiting import parts_of

if TYPE_CHECKING:
    from indicia.services.proposals import Shown

_as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
_number = click.argument("number", type=click.IntRange(1), metavar="PROPOSAL")

proposal_command = Group(
    "proposal",
    help="""Changes that wait for a second person: list, show, apply, decline, withdraw, comment.

    Whoever proposed a change does not apply it. On the command line that is the user of the system.""",
    examples=(
        "indicia proposal list",
        "indicia proposal show 12",
        "indicia proposal apply 12",
        "indicia proposal decline 12 --comment 'still in use in Kiel'",
    ),
)


@proposal_command.command("list", examples=("indicia proposal list", "indicia proposal list --state declined"))
@click.option(
    "--state",
    type=click.Choice(["open", "applied", "declined", "withdrawn", "expired", "all"]),
    default="open",
    help="Those in this state; default: open.",
)
@click.option("--mine", is_flag=True, help="Only your own.")
@click.option("--limit", type=click.IntRange(1, 1_000), default=50, metavar="N", help="At most so many; default: 50.")
@click.option("--before", type=click.IntRange(1), metavar="PROPOSAL", help="Only older ones.")
@_as_json
@pass_invocation
def list_command(invocation: Invocation, state: str, mine: bool, limit: int, before: int | None, as_json: bool) -> None:
    """List proposals, the newest first."""
    from indicia.services.proposal_shapes import proposal_as_dict
    from indicia.services.proposals import State, find

    with invocation.app() as app:
        found = find(
            app.database,
            None if state == "all" else State(state),
            actor=actor(),
            now=app.now(),
            limit=limit,
            before=before,
            mine=True if mine else None,
        )
    if as_json:
        show_json({"proposals": [proposal_as_dict(each) for each in found.items]})
        return
    rows = [
        (
            each.id,
            each.state,
            f"{each.record.created_at:%Y-%m-%d %H:%M}",
            clean(each.record.actor_name),
            f"{each.record.summary['rows']:,}",
            middle(clean(each.record.title), 60),
        )
        for each in found.items
    ]
    for line in plain_table(("ID", "STATE", "PROPOSED", "BY", "ROWS", "WHAT"), rows, right=(0, 4)):
        show(line)
    if found.more_before is not None:
        invocation.tell(f"older ones: indicia proposal list --before {found.more_before}")


@proposal_command.command("show", examples=("indicia proposal show 12",))
@_number
@click.option("--again", is_flag=True, help="Make the plan again, however long it is.")
@_as_json
@pass_invocation
def show_command(invocation: Invocation, number: int, again: bool, as_json: bool) -> None:
    """Show what a proposal would do, indicator by indicator, and what was said about it."""
    from indicia.services.proposal_shapes import shown_as_dict
    from indicia.services.proposals import show as look_at

    with invocation.app() as app:
        shown = look_at(app.database, number, actor=actor(), now=app.now(), parts=parts_of(app), again=again or None)
    if as_json:
        show_json(shown_as_dict(shown))
    else:
        _print(shown)


@proposal_command.command(
    "apply", examples=("indicia proposal apply 12", "indicia proposal apply 12 --plan 9f86d081… --yes")
)
@_number
@click.option("--plan", metavar="DIGEST", help="The plan that you were shown; default: the one that is shown now.")
@click.option("--comment", metavar="TEXT", help="What you say to it; kept with the proposal.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask: apply what was proposed, if it is still that.")
@_as_json
@pass_invocation
def apply_command(
    invocation: Invocation, number: int, plan: str | None, comment: str | None, yes: bool, as_json: bool
) -> int:
    """Do what somebody else proposed, just as it is shown."""
    from indicia.services import deciding
    from indicia.services.proposal_shapes import proposal_as_dict
    from indicia.services.proposals import show as look_at

    with invocation.app() as app:
        shown = look_at(app.database, number, actor=actor(), now=app.now(), parts=parts_of(app), again=True)
        if not yes and plan is None and shown.in_the_way is None:
            if not sys.stdin.isatty():
                raise click.UsageError("say --yes to apply it, or --plan with its digest", click.get_current_context())
            _print(shown)
            if not click.confirm("Apply this?", err=True):
                say("nothing was changed")
                return FAILED
        # With --yes it is what was proposed: who does not look agrees to nothing else.
        digest = plan or (shown.planned.digest if yes else shown.plan.digest)
        done = deciding.apply(
            app.database,
            number,
            plan=digest,
            actor=actor(),
            now=app.now(),
            parts=parts_of(app),
            comment=comment,
        )
    if as_json:
        show_json(proposal_as_dict(done.proposal))
    else:
        show(f"applied: proposal {number}: changeset {done.changeset}")
        invocation.tell(f"`indicia undo {done.changeset}` takes it back")
    return OK


@proposal_command.command("decline", examples=("indicia proposal decline 12 --comment 'still in use in Kiel'",))
@_number
@click.option("--comment", metavar="TEXT", required=True, help="Why; kept with the proposal.")
@pass_invocation
def decline_command(invocation: Invocation, number: int, comment: str) -> None:
    """Say no to what somebody else proposed."""
    from indicia.services import deciding

    with invocation.app() as app:
        deciding.decline(app.database, number, actor=actor(), now=app.now(), comment=comment)
    show(f"declined: proposal {number}")


@proposal_command.command("withdraw", examples=("indicia proposal withdraw 12",))
@_number
@click.option("--comment", metavar="TEXT", help="Why; kept with the proposal.")
@pass_invocation
def withdraw_command(invocation: Invocation, number: int, comment: str | None) -> None:
    """Take back what you proposed."""
    from indicia.services import deciding

    with invocation.app() as app:
        deciding.withdraw(app.database, number, actor=actor(), now=app.now(), comment=comment)
    show(f"withdrawn: proposal {number}")


@proposal_command.command("comment", examples=("indicia proposal comment 12 'is this the new proxy?'",))
@_number
@click.argument("text", metavar="TEXT")
@pass_invocation
def comment_command(invocation: Invocation, number: int, text: str) -> None:
    """Say something about a proposal; it is kept with it."""
    from indicia.services import deciding

    with invocation.app() as app:
        made = deciding.comment(app.database, number, text, actor=actor(), now=app.now())
    show(f"commented: proposal {number}, comment {made.number}")


def _print(shown: Shown) -> None:
    record, plan = shown.proposal.record, shown.plan
    show(clean(f"proposal {record.id}: {record.title}"))
    show(clean(f"{shown.proposal.state}; proposed by {record.actor_name} at {record.created_at:%Y-%m-%d %H:%M} UTC"))
    if record.reason:
        show(clean(f"why: {record.reason}"))
    for reason in shown.proposal.reasons:
        show(f"takes two: {reason.message}")
    if shown.now is not None:
        show("the store has moved on since; this is what it would do now:")
    counts = plan.counts
    show(f"{counts['created']:,} added, {counts['updated']:,} changed, {counts['deleted']:,} deleted")
    for line in plan.lines:
        name = f"indicator {line.number}" if line.number is not None else "a new indicator"
        show(clean(f"  {line.effect}: {name}: {line.action} {line.type} {line.value}"))
        if line.effect == "updated":
            for field, old, new in line.changes:
                show(clean(f"      {field}: {old or 'nothing'} -> {new or 'nothing'}"))
    if plan.more:
        show(f"  and {plan.more:,} more")
    for each in shown.comments:
        show(clean(f"{each.at:%Y-%m-%d %H:%M}  {each.actor_name}: {each.text}"))
    if shown.in_the_way is not None:
        show(f"you cannot apply it: {clean(shown.in_the_way)}")
    else:
        show(f"plan: {plan.digest}")
