"""Who acts, and what they may do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from indicia.domain.errors import Forbidden


class Permission(StrEnum):
    """Defender's permission names (SPEC 5.3)."""

    TI_READ_WRITE = "Ti.ReadWrite"
    TI_READ_WRITE_ALL = "Ti.ReadWrite.All"


class Source(StrEnum):
    """The door by which a change came in (SPEC 9.28)."""

    PORTAL = "Portal"
    PUBLIC_API = "PublicApi"
    CLI = "Cli"
    FEED = "Feed"
    SYSTEM = "System"


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody or something that reads or writes indicators."""

    id: str
    name: str
    source: Source
    permissions: frozenset[Permission]

    @property
    def sees_only_own(self) -> bool:
        """Whether only the indicators that this actor created exist for it (SPEC 5.6)."""
        return Permission.TI_READ_WRITE_ALL not in self.permissions


def require(actor: Actor, *any_of: Permission) -> None:
    """Raise `Forbidden` unless *actor* holds one of the permissions."""
    if not actor.permissions.intersection(any_of):
        raise Forbidden(f"this needs the permission {_either(any_of)}; {actor.name} has {_either(actor.permissions)}")


def _either(permissions: Iterable[Permission]) -> str:
    return " or ".join(sorted(permissions)) or "none"


def system_actor(name: str) -> Actor:
    """Return the actor of timed work, such as ``expiry`` (SPEC 9.19)."""
    return Actor(name, name, Source.SYSTEM, frozenset({Permission.TI_READ_WRITE_ALL}))
