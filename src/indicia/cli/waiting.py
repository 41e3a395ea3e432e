"""Changes on the command line that take a second person: what is said, and the option that asks for one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

import click

from indicia.cli.commands import Invocation, actor
from indicia.cli.output import clean, show, show_json

if TYPE_CHECKING:
    from indicia.app import App
    from indicia.domain.approval import Reason
    from indicia.services.proposals import Parts, Proposal
    from indicia.services.requests import Request
    from indicia.store.database import Database

Done = TypeVar("Done")

#: The option of every command that changes indicators.
propose_option = click.option(
    "--propose", is_flag=True, help="Leave it as a proposal that somebody else applies, whatever the rules say."
)


def parts_of(app: App) -> Parts:
    """Return what plans are made with."""
    from indicia.services.proposals import Parts

    return Parts(app.guard, app.policy)


def or_waits(
    invocation: Invocation,
    app: App,
    do: Callable[[Database], Done],
    request: Callable[[Database], Request],
    *,
    now: datetime,
    propose: bool,
    reason: str | None,
    as_json: bool = False,
) -> Done | None:
    """Return what *do* returns; None where it takes a second person, after saying which proposal was made of it."""
    from indicia.services.proposals import Proposal, or_propose

    done = or_propose(
        app.database, do, request, actor=actor(), now=now, parts=parts_of(app), ask=propose, reason=reason
    )
    if not isinstance(done, Proposal):
        return done
    tell_proposed(invocation, done, as_json=as_json)
    return None


def tell_two(invocation: Invocation, reasons: Iterable[Reason]) -> None:
    """Say after a dry run why doing it takes a second person, where it does."""
    for reason in reasons:
        invocation.tell(f"doing it takes two people: {reason.message}")


def tell_proposed(invocation: Invocation, proposal: Proposal, *, as_json: bool) -> None:
    """Say that nothing was changed, and what waits."""
    from indicia.services.proposal_shapes import proposal_as_dict

    if as_json:
        show_json({"proposal": proposal_as_dict(proposal)})
    else:
        show(f"proposed: {proposal.id}: {clean(proposal.record.title)}")
    for reason in proposal.reasons:
        invocation.tell(f"this takes two people: {reason.message}")
    invocation.tell(f"nothing was changed yet; somebody else looks at it: indicia proposal show {proposal.id}")
