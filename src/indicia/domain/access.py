"""Who acts, and what they may do: permissions, the roles of people, the grants of API clients, and the actor."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from indicia.domain.errors import Forbidden


class Permission(StrEnum):
    """One thing that somebody may do; checked in the services, and nowhere else."""

    INDICATORS_READ = "indicators.read"
    #: Plan a change and leave it as a proposal for somebody else.
    INDICATORS_PROPOSE = "indicators.propose"
    #: Create, change, delete, import and undo.
    INDICATORS_WRITE = "indicators.write"
    #: Let a held indicator, which blocks something an organisation needs, take effect (SPEC 9.21).
    INDICATORS_RELEASE = "indicators.release"
    #: Apply or decline what somebody else proposed.
    PROPOSALS_DECIDE = "proposals.decide"
    DEVICES_READ = "devices.read"
    #: Register devices and report what they are.
    DEVICES_WRITE = "devices.write"
    #: Make, change and rank device groups: what says which devices an indicator reaches.
    GROUPS_WRITE = "groups.write"
    #: Read everything in the chain of changesets, verify and export it.
    AUDIT_READ = "audit.read"
    #: See how this installation is: database, engine, limits.
    SYSTEM_READ = "system.read"
    #: Change what the installation does, and make backups.
    SYSTEM_WRITE = "system.write"
    #: Manage people and their roles.
    PEOPLE_WRITE = "people.write"
    #: Manage API clients, and the keys of others.
    CLIENTS_WRITE = "clients.write"


class Role(StrEnum):
    """What somebody is to an installation; each may do all that the one before it may."""

    VIEWER = "viewer"
    ANALYST = "analyst"
    RESPONDER = "responder"
    ADMINISTRATOR = "administrator"

    @property
    def permissions(self) -> frozenset[Permission]:
        """What somebody with this role may do."""
        return _OF_ROLES[self]

    @property
    def sentence(self) -> str:
        """What somebody with this role does, for whoever has to choose one."""
        return _SENTENCES[self]


_VIEWER: Final = frozenset({Permission.INDICATORS_READ, Permission.DEVICES_READ})
_ANALYST: Final = _VIEWER | {Permission.INDICATORS_PROPOSE, Permission.INDICATORS_WRITE}
_RESPONDER: Final = _ANALYST | {
    Permission.INDICATORS_RELEASE,
    Permission.PROPOSALS_DECIDE,
    Permission.DEVICES_WRITE,
    Permission.SYSTEM_READ,
}
_ADMINISTRATOR: Final = frozenset(Permission)
_OF_ROLES: Final = {
    Role.VIEWER: _VIEWER,
    Role.ANALYST: _ANALYST,
    Role.RESPONDER: _RESPONDER,
    Role.ADMINISTRATOR: _ADMINISTRATOR,
}


_SENTENCES: Final = {
    Role.VIEWER: "Looks at indicators, verdicts, devices and changes, and changes nothing.",
    Role.ANALYST: "Adds, imports, changes, deletes and takes back; what the guard holds waits for somebody else.",
    Role.RESPONDER: "Does all that an analyst does, releases what the guard holds, decides about proposals, and "
    "registers devices.",
    Role.ADMINISTRATOR: "Does everything: people, API clients, device groups, settings and the audit trail too.",
}


class Grant(StrEnum):
    """What an API client is given: Defender's application permissions (SPEC 5.3), and three of our own."""

    TI_READ_WRITE = "Ti.ReadWrite"
    TI_READ_WRITE_ALL = "Ti.ReadWrite.All"
    #: Our own: read, and nothing else.
    TI_READ_ALL = "Ti.Read.All"
    MACHINE_READ_ALL = "Machine.Read.All"
    MACHINE_READ_WRITE_ALL = "Machine.ReadWrite.All"
    SCORE_READ_ALL = "Score.Read.All"
    ALERT_READ_ALL = "Alert.Read.All"
    #: Our own: the chain of changesets, for a system that keeps or watches it.
    AUDIT_READ_ALL = "Audit.Read.All"
    #: Our own: everything that an administrator may.
    ADMINISTER = "Indicia.Administer"

    @property
    def permissions(self) -> frozenset[Permission]:
        """What an API client with this grant may do."""
        return _OF_GRANTS[self]


_WRITES: Final = frozenset({Permission.INDICATORS_READ, Permission.INDICATORS_PROPOSE, Permission.INDICATORS_WRITE})
_OF_GRANTS: Final = {
    Grant.TI_READ_WRITE: _WRITES,
    Grant.TI_READ_WRITE_ALL: _WRITES
    | {Permission.INDICATORS_RELEASE, Permission.PROPOSALS_DECIDE, Permission.DEVICES_READ},
    Grant.TI_READ_ALL: frozenset({Permission.INDICATORS_READ}),
    Grant.MACHINE_READ_ALL: frozenset({Permission.DEVICES_READ}),
    Grant.MACHINE_READ_WRITE_ALL: frozenset(
        {Permission.DEVICES_READ, Permission.DEVICES_WRITE, Permission.GROUPS_WRITE}
    ),
    Grant.SCORE_READ_ALL: frozenset({Permission.DEVICES_READ}),
    Grant.ALERT_READ_ALL: frozenset({Permission.INDICATORS_READ}),
    Grant.AUDIT_READ_ALL: frozenset({Permission.AUDIT_READ}),
    Grant.ADMINISTER: _ADMINISTRATOR,
}


class Source(StrEnum):
    """The door by which a change came in (SPEC 9.28)."""

    PORTAL = "Portal"
    PUBLIC_API = "PublicApi"
    CLI = "Cli"
    FEED = "Feed"
    SYSTEM = "System"


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody or something that reads or writes, and what it may do.

    ``groups`` are the device groups that it is limited to, None where it is not: what touches none of them does not
    exist for it, and what reaches past them it cannot change. ``sees_only_own`` is Defender's limit of a client to
    the indicators that it created (SPEC 5.6).
    """

    id: str
    name: str
    source: Source
    permissions: frozenset[Permission]
    groups: frozenset[str] | None = None
    sees_only_own: bool = False

    @property
    def sees_all(self) -> bool:
        """Whether every indicator exists for this actor."""
        return self.groups is None and not self.sees_only_own

    def may(self, permission: Permission) -> bool:
        """Return whether this actor holds *permission*."""
        return permission in self.permissions

    def sees(self, scope: Collection[str]) -> bool:
        """Return whether an indicator with *scope* touches the device groups of this actor; an empty one reaches all.

        >>> analyst = Actor("1", "Ada", Source.PORTAL, frozenset(), frozenset({"Servers"}))
        >>> analyst.sees([]), analyst.sees(["Servers", "Clerks"]), analyst.sees(["Clerks"])
        (True, True, False)
        """
        return self.groups is None or not scope or not self.groups.isdisjoint(scope)

    def reaches(self, scope: Collection[str]) -> bool:
        """Return whether an indicator with *scope* reaches only the device groups of this actor, so that it may change.

        >>> analyst = Actor("1", "Ada", Source.PORTAL, frozenset(), frozenset({"Servers"}))
        >>> analyst.reaches(["Servers"]), analyst.reaches([]), analyst.reaches(["Servers", "Clerks"])
        (True, False, False)
        """
        return self.groups is None or (bool(scope) and self.groups.issuperset(scope))


def require(actor: Actor, *any_of: Permission) -> None:
    """Raise `Forbidden` unless *actor* holds one of the permissions."""
    if not actor.permissions.intersection(any_of):
        raise Forbidden(f"this needs the permission {_either(any_of)}; {actor.name} has {_either(actor.permissions)}")


def require_unlimited(actor: Actor, permission: Permission) -> None:
    """Raise `Forbidden` unless *actor* holds *permission* and more than what it created itself exists for it."""
    require(actor, permission)
    if actor.sees_only_own:
        raise Forbidden(f"{actor.name} sees only what it created itself; this needs {Grant.TI_READ_WRITE_ALL}")


def require_all(actor: Actor, permission: Permission) -> None:
    """Raise `Forbidden` unless *actor* holds *permission* and every indicator exists for it."""
    require_unlimited(actor, permission)
    if actor.groups is not None:
        raise Forbidden(f"{actor.name} is limited to device groups; this is about everything that there is")


def granted(grants: Iterable[Grant]) -> frozenset[Permission]:
    """Return what somebody with all of *grants* may do."""
    return frozenset().union(*(grant.permissions for grant in grants))


def limits_to_own(grants: Collection[Grant]) -> bool:
    """Return whether an API client with *grants* sees only what it created: nothing of them lets it see more."""
    wider = {Grant.TI_READ_WRITE_ALL, Grant.TI_READ_ALL, Grant.ADMINISTER}
    return Grant.TI_READ_WRITE in grants and wider.isdisjoint(grants)


def _either(permissions: Iterable[Permission]) -> str:
    return " or ".join(sorted(permissions)) or "none"


def system_actor(name: str) -> Actor:
    """Return the actor of timed work, such as ``expiry`` (SPEC 9.19)."""
    return Actor(name, name, Source.SYSTEM, Role.ADMINISTRATOR.permissions)
