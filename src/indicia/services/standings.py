"""What people may do: their roles, and the device groups that they are limited to."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from indicia.domain.access import Actor, Permission, Role, require
from indicia.domain.errors import Conflict, Forbidden, InvalidInput, NotFound, Problem
from indicia.domain.sight import own_groups
from indicia.services.writing import record_event
from indicia.store.changesets import Header
from indicia.store.database import Database, Transaction
from indicia.store.people import Person

#: Device groups that one person, client or key may be limited to; who needs more is better not limited.
MOST_GROUPS: Final = 100
#: The code of the problem where nobody would be left who manages people.
LAST_ADMINISTRATOR: Final = "last-administrator"


def change_person(
    database: Database,
    person_id: str,
    *,
    role: Role | None = None,
    groups: Collection[str] | None = None,
    everywhere: bool = False,
    actor: Actor,
    now: datetime,
) -> Person:
    """Give somebody another role, or other device groups; None leaves either, and *everywhere* lifts the limit.

    It holds from their next request on. `Conflict` for oneself, and for the last administrator; `InvalidInput` for
    groups that are not there; `Forbidden` for more than the actor may do itself.
    """
    require(actor, Permission.PEOPLE_WRITE)
    with database.transaction() as tx:
        person = tx.people.get(person_id)
        if person is None or not is_seen(actor, person):
            raise NotFound("there is no such person")
        if person.id == actor.id:
            raise Conflict("nobody changes their own role or device groups; ask another administrator")
        limits = None if everywhere else person.groups if groups is None else known_groups(tx, groups, actor)
        return give(tx, person, role or person.role, limits, actor=actor, now=now)


def give(
    tx: Transaction, person: Person, role: Role, groups: frozenset[str] | None, *, actor: Actor, now: datetime
) -> Person:
    """Give *person* a role and device groups in *tx*, recorded where that is a change; the same where it is none.

    For whoever decides about people: an administrator, or the claims of an OpenID provider.
    """
    after = replace(person, role=role, groups=groups)
    if after == person:
        return person
    require_power(actor, role, groups)
    if person.groups != groups or person.role is not role:
        require_power(actor, person.role, person.groups)
    if not is_whole(after):
        keep_an_administrator(tx, person)
    tx.people.give(person.id, role, groups)
    details: dict[str, Any] = {"id": person.id, "name": person.name}
    details |= standing_as_dict(after) | {"was": standing_as_dict(person)}
    record_event(tx, Header(actor, "user.change", now), details)
    return after


def standing_as_dict(person: Person) -> dict[str, Any]:
    """Return the role and the device groups of *person*, in the shape that the API, `--json` and the chain share."""
    return {"role": person.role.value, "groups": None if person.groups is None else sorted(person.groups)}


def is_whole(person: Person) -> bool:
    """Return whether *person* can manage everybody."""
    return person.role is Role.ADMINISTRATOR and person.groups is None and person.disabled_at is None


def keep_an_administrator(tx: Transaction, person: Person) -> None:
    """Raise `Conflict` where nobody could manage people any more if *person* could not."""
    if is_whole(person) and not any(is_whole(each) for each in tx.people.all() if each.id != person.id):
        message = f"{person.name} is the last administrator; make somebody else one first"
        raise Conflict(message, [Problem(LAST_ADMINISTRATOR, message, "role")])


def is_seen(actor: Actor, person: Person) -> bool:
    """Return whether *person* exists for *actor*: to who is limited to device groups, those within the same ones."""
    if actor.groups is None or person.id == actor.id:
        return True
    return person.groups is not None and person.groups <= actor.groups


def known_groups(tx: Transaction, names: Collection[str], actor: Actor) -> frozenset[str]:
    """Return *names* as the device groups to be limited to; `InvalidInput` names those that are not there.

    A group that *actor* is not limited to is none that is there.
    """
    given = frozenset(name.strip() for name in names)
    there = own_groups(actor, [group.name for group in tx.groups.all()])
    problems = [
        Problem("unknown-group", f"there is no device group named {name[:100]!r}", "groups", name[:100], _some(there))
        for name in sorted(given - there)[:50]
    ]
    if len(given) > MOST_GROUPS:
        message = f"{len(given)} device groups are given, and {MOST_GROUPS} is the most; leave the limit away instead"
        problems.append(Problem("too-many", message, "groups"))
    if problems:
        raise InvalidInput(problems)
    return given


def require_power(actor: Actor, role: Role, groups: frozenset[str] | None) -> None:
    """Raise `Forbidden` where *role* and *groups* are more than *actor* has itself: nobody gives what they lack."""
    missing = role.permissions - actor.permissions
    if missing:
        raise Forbidden(f"{actor.name} cannot decide about the role {role}: it may do more than {actor.name} may")
    if actor.groups is not None and (groups is None or not groups <= actor.groups):
        raise Forbidden(f"{actor.name} is limited to device groups, and decides about people of these only")


def _some(names: Collection[str]) -> tuple[str, ...]:
    return tuple(sorted(names)[:50])
