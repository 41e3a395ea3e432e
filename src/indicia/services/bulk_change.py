"""What a bulk change does to one indicator: fields that get another value, an expiry that moves, a release."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from indicia.domain.checker import Checked, Checker
from indicia.domain.draft import PROPERTY_NAMES, Draft
from indicia.domain.errors import InvalidInput, Problem
from indicia.domain.indicator import Indicator, Status
from indicia.services.indicators import draft_from

#: The fields of a draft that a bulk change may give another value.
FIELDS: Final = (
    "action",
    "severity",
    "category",
    "title",
    "description",
    "recommended_actions",
    "mitre_techniques",
    "rbac_group_names",
    "generate_alert",
    "expires",
)
MOST_DAYS: Final = 36_500
# Every action goes with a hash, so only the change itself can be wrong about this one.
_ANY: Final = Draft("FileSha256", "a" * 64, None, "Block", "Low", "a title", "a description")


@dataclass(frozen=True, slots=True)
class BulkChange:
    """What to do to every indicator of a selection.

    ``values`` are fields of `FIELDS` and what they become, in the terms of a draft: None takes a value away.
    ``extend`` moves an expiry on from where it is. ``release`` is the reason for which held ones are enforced.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    extend: timedelta | None = None
    delete: bool = False
    release: str | None = None

    @property
    def kind(self) -> str:
        """What the changeset is called."""
        return "delete" if self.delete else "release" if self.release is not None else "edit"

    @property
    def can_conflict(self) -> bool:
        """Whether what is changed can contradict another indicator afterwards that it did not contradict before."""
        return self.release is not None or not self.values.keys().isdisjoint({"action", "rbac_group_names"})

    def as_dict(self) -> dict[str, Any]:
        """Return what the changeset keeps of it."""
        said: dict[str, Any] = {PROPERTY_NAMES[name]: _plain(value) for name, value in self.values.items()}
        if self.extend is not None:
            said["extendDays"] = self.extend.days
        return said


def require_sense(change: BulkChange, checker: Checker) -> None:
    """Raise `InvalidInput` with everything that is wrong with *change*, whatever it is applied to."""
    ways = [change.delete, change.release is not None, bool(change.values) or change.extend is not None]
    if sum(ways) != 1:
        message = (
            "nothing is to be changed; choose at least one field" if not any(ways) else "choose one kind of change"
        )
        raise InvalidInput([Problem("nothing-to-change", message)])
    problems = []
    if change.release is not None and not change.release.strip():
        message = "a release needs a reason: it is kept with the indicators"
        problems.append(Problem("missing", message, "reason"))
    if change.extend is not None and not timedelta(days=1) <= change.extend <= timedelta(days=MOST_DAYS):
        message = f"an expiry can be moved on by 1 to {MOST_DAYS} days"
        problems.append(Problem("invalid-days", message, "extendDays", str(change.extend.days)))
    if change.extend is not None and "expires" in change.values:
        message = "either move the expiry on, or set it"
        problems.append(Problem("contradicting-change", message, "expirationTime"))
    if unknown := change.values.keys() - set(FIELDS):
        message = f"{', '.join(sorted(unknown))} cannot be changed for many at once"
        problems.append(Problem("unknown-property", message))
    else:
        checked = checker.check(_ANY._replace(**change.values))
        problems += [problem for problem in checked.problems if not problem.warning]
    if problems:
        raise InvalidInput(problems)


def changed(stored: Indicator, change: BulkChange, checker: Checker) -> Checked:
    """Return what *change* makes of *stored*, or every reason why it cannot."""
    if change.release is not None:
        if stored.status is not Status.HELD:
            return Checked(stored, ())
        extras = stored.extras._replace(override_reason=change.release.strip())
        return Checked(stored._replace(status=Status.ACTIVE, extras=extras), ())
    values = dict(change.values)
    if change.extend is not None:
        moved = _moved(stored.expires_at, change.extend)
        if isinstance(moved, Problem):
            return Checked(None, (moved,))
        values["expires"] = moved
    draft = draft_from(stored)._replace(**values)
    acts_alike = str(draft.action).lower() == stored.action.value.lower()
    if not acts_alike:  # a release was given for the action that it had
        draft = draft._replace(override_reason=None)
    checked = checker.check(draft)
    if checked.indicator is None:
        return checked
    # What nobody asked to change stays to the letter: the value as it was written, and what the guard once decided.
    status = stored.status if acts_alike else checked.indicator.status
    return Checked(checked.indicator._replace(value=stored.value, status=status), checked.problems)


def _moved(expires_at: datetime | None, by: timedelta) -> datetime | Problem | None:
    if expires_at is None:
        return None
    try:
        return expires_at + by
    except OverflowError:
        return Problem("invalid-expiry", "the expiry would be past the year 9999", "expirationTime", str(expires_at))


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return list(value) if isinstance(value, tuple) else value
