"""What a request is that can be kept, and planned again by the same functions that would do it at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, Final, NamedTuple, Protocol, Self

from indicia.domain.access import Actor
from indicia.domain.guard import Guard
from indicia.services.policy import Policy
from indicia.store.database import Database

#: How many indicators a title names.
NAMED: Final = 3


class Parts(NamedTuple):
    """What a request is carried out with; ``actor`` is who asked for it, whoever applies it."""

    database: Database
    actor: Actor
    now: datetime
    guard: Guard
    policy: Policy


class Request(Protocol):
    """One change that somebody asked for."""

    kind: ClassVar[str]

    @property
    def title(self) -> str:
        """What it is about, in a few words."""
        ...

    @property
    def import_id(self) -> str | None:
        """The kept file that it needs, None where it needs none."""
        ...

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        ...

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> Self:
        """Return what `as_dict` made *kept* of."""
        ...

    def perform(self, parts: Parts, *, dry_run: bool) -> None:
        """Do it, or with *dry_run* only plan it; `parts.policy.review` hears what it does."""
        ...


class NoFile:
    """A request that needs no file."""

    @property
    def import_id(self) -> str | None:
        """Nothing."""
        return None


def named(numbers: Sequence[int]) -> str:
    """Return how a title names indicators."""
    if len(numbers) <= NAMED:
        return f"indicator{'' if len(numbers) == 1 else 's'} {', '.join(map(str, numbers))}"
    return f"{len(numbers):,} indicators"
