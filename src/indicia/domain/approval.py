"""The two-person rule: which changes one person does not make alone, and why (ASVS 2.3.5)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple, Protocol

from indicia.domain.indicator import Action, Indicator, Status


class Need(StrEnum):
    """What about a change takes a second person."""

    #: A block that the guard held, or would hold, takes effect (SPEC 9.21).
    RELEASE = "release"
    #: A value is let through: an indicator is, or becomes, Allowed, or allows for longer or on more devices.
    ALLOW = "allow"
    #: More indicators are touched than one person may touch at once.
    ROWS = "rows"


class Reason(NamedTuple):
    """One reason why a change takes two: how many indicators are concerned, and how many would not be too many."""

    need: Need
    rows: int
    limit: int | None = None

    @property
    def message(self) -> str:
        """What a person reads.

        >>> Reason(Need.ALLOW, 1).message, Reason(Need.ROWS, 1200, 500).message
        ('it allows 1 indicator', 'it touches 1,200 indicators, and more than 500 at once take two people')
        """
        indicators = f"{self.rows:,} indicator{'' if self.rows == 1 else 's'}"
        if self.need is Need.ROWS:
            return f"it touches {indicators}, and more than {self.limit or 0:,} at once take two people"
        verb = "allows" if self.need is Need.ALLOW else "enforces"
        held = ", held back because blocking it may break something" if self.rows == 1 else ""
        held = held or ", held back because blocking them may break something"
        return f"it {verb} {indicators}" + ("" if self.need is Need.ALLOW else held)


class Rule(NamedTuple):
    """Which changes take two people; by default none does."""

    release: bool = False
    allow: bool = False
    rows: int | None = None

    @property
    def is_on(self) -> bool:
        """Whether any change takes two people."""
        return self.release or self.allow or self.rows is not None

    def asks_of(self, need: Need) -> bool:
        """Return whether an indicator with *need*, however few they are, takes two people."""
        return (need is Need.RELEASE and self.release) or (need is Need.ALLOW and self.allow)

    def reasons(self, tally: Tally) -> tuple[Reason, ...]:
        """Return why a change that counts *tally* takes two people; nothing where it does not."""
        found = [
            Reason(need, count)
            for need, count in ((Need.RELEASE, tally.released), (Need.ALLOW, tally.allowed))
            if count and self.asks_of(need)
        ]
        if self.rows is not None and tally.rows > self.rows:
            found.append(Reason(Need.ROWS, tally.rows, self.rows))
        return tuple(found)


NO_RULE: Final = Rule()


@dataclass(slots=True)
class Tally:
    """What of a change counts for the rule, added up while it is planned: nothing of the rows is kept."""

    rows: int = 0
    released: int = 0
    allowed: int = 0
    #: The device groups that all of it is scoped to; meaningless where it reaches *everywhere*.
    groups: set[str] = field(default_factory=set)
    everywhere: bool = False

    def add(self, need: Need | None) -> None:
        """Count one indicator that is created, changed or deleted."""
        self.rows += 1
        if need is Need.RELEASE:
            self.released += 1
        elif need is Need.ALLOW:
            self.allowed += 1

    def reach(self, scope: Iterable[str]) -> None:
        """Take note that an indicator reaches the devices of *scope*; an empty one reaches all."""
        before = len(self.groups)
        self.groups.update(scope)
        if len(self.groups) == before and not tuple(scope):
            self.everywhere = True


class Version(Protocol):
    """What of a version that an indicator had says how much it let through."""

    @property
    def action(self) -> Action: ...

    @property
    def status(self) -> Status: ...

    @property
    def expires_at(self) -> datetime | None: ...


def need_of(before: Version | None, scope: Iterable[str], after: Indicator) -> Need | None:
    """Return what about *after* takes a second person where it takes the place of *before*, whose scope is *scope*.

    *before* is the version of the same value that counts until then: None where there is none, where it has expired,
    or where it was about another value. What was agreed to stays agreed to, and no more than that: for longer, or on
    more devices, is asked anew.
    """
    if after.action is Action.ALLOWED:
        need = Need.ALLOW
        was = before is not None and before.action is Action.ALLOWED
    elif after.status is Status.ACTIVE and after.action.interferes:
        freed = before is not None and before.status is Status.HELD
        if not (freed or after.extras.override_reason):
            return None
        need = Need.RELEASE
        was = before is not None and before.status is Status.ACTIVE and before.action is after.action
    else:
        return None
    if was and before is not None and _is_no_longer(before, after) and _is_no_wider(frozenset(scope), after):
        return None
    return need


def _is_no_longer(before: Version, after: Indicator) -> bool:
    return before.expires_at is None or (after.expires_at is not None and after.expires_at <= before.expires_at)


def _is_no_wider(scope: frozenset[str], after: Indicator) -> bool:
    return not scope or (bool(after.rbac_group_names) and scope.issuperset(after.rbac_group_names))
