"""What the administrator decided about all writes, and what comes of a write that one person does not make alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final, NamedTuple

from indicia.domain.access import Actor
from indicia.domain.approval import NO_RULE, Reason, Rule
from indicia.domain.errors import Conflict, Problem
from indicia.domain.verdict import NetworkPrecedence
from indicia.services.reviewing import Review

#: The code of the problems in the `Conflict` about a change that one person does not make alone.
TAKES_TWO: Final = "takes-two-people"


class Approval(NamedTuple):
    """Who applies what somebody else proposed: the changeset is theirs, and names both."""

    by: Actor
    proposal: int
    proposed_by: str
    proposed_by_name: str


class Policy(NamedTuple):
    """What the administrator decided about all writes: the most active indicators, who wins over whom, what takes two.

    One write may carry more: the *review* that hears all that it does, and the *approval* by which it is made.
    """

    most_active: int | None = None
    precedence: NetworkPrecedence = NetworkPrecedence.ACTION
    rule: Rule = NO_RULE
    proposals_last: timedelta = timedelta(hours=72)
    review: Review | None = None
    approval: Approval | None = None


NO_POLICY: Final = Policy()


class Watched:
    """The policy of one dry run, and after it the reasons why doing it takes a second person.

    Where it is no *dry_run*, the policy is what it was, and there are no reasons: who may not is told by the write.
    """

    def __init__(self, policy: Policy, *, dry_run: bool = True) -> None:
        self._policy = policy
        self._review = Review()
        self._hears = dry_run and policy.rule.is_on

    @property
    def policy(self) -> Policy:
        """The policy to plan with."""
        return self._policy._replace(review=self._review) if self._hears else self._policy

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Why it takes two; nothing where it does not."""
        return self._policy.rule.reasons(self._review.tally)


def takes_two(reasons: Sequence[Reason]) -> Conflict:
    """Return the outcome of a change that one person does not make alone, for these *reasons*."""
    why = "; ".join(reason.message for reason in reasons)
    message = f"this takes a second person: {why}; propose it, and somebody else applies it"
    return Conflict(message, [Problem(TAKES_TWO, reason.message) for reason in reasons])


def is_for_two(error: Conflict) -> bool:
    """Return whether *error* says that a change takes a second person."""
    return bool(error.problems) and all(problem.code == TAKES_TWO for problem in error.problems)
