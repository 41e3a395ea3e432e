"""What of the store exists for an actor, as part of a question and for one indicator, and how far it may write."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from indicia.domain.access import Actor
from indicia.domain.errors import Forbidden, Problem
from indicia.domain.indicator import StoredIndicator
from indicia.domain.query import Query, Touches, every

#: The code of the problem about what reaches devices of groups that an actor is not limited to.
OUTSIDE: Final = "outside-your-groups"
#: The code of the problem about a value and action that an indicator has which does not exist for the actor.
NOT_YOURS: Final = "not-yours"
_NAMED: Final = 50


def in_sight_of(actor: Actor, query: Query | None) -> Query | None:
    """Return *query* for what touches the device groups of *actor*; what it created itself is a `Selection.owner`."""
    if actor.groups is None:
        return query
    touching = Touches(actor.groups)
    return touching if query is None else every((touching, query))


def exists_for(actor: Actor, stored: StoredIndicator) -> bool:
    """Return whether *stored* exists for *actor*: it touches its device groups, and is its own where only those do."""
    mine = not actor.sees_only_own or stored.created_by == actor.id
    return mine and actor.sees(stored.indicator.rbac_group_names)


def owner_for(actor: Actor) -> str | None:
    """Return who has to have created what exists for *actor*, None where anybody may have."""
    return actor.id if actor.sees_only_own else None


def outside(actor: Actor, scope: Collection[str], value: str | None = None) -> Problem | None:
    """Return what is wrong where *actor* would write something that reaches past its device groups; only those named.

    >>> from indicia.domain.access import Source
    >>> ada = Actor("1", "Ada", Source.PORTAL, frozenset(), frozenset({"Servers"}))
    >>> outside(ada, []).message
    'this reaches every device, and you change what is for Servers only'
    """
    if actor.reaches(scope):
        return None
    own = sorted(actor.groups or ())
    names = ", ".join(own[:10]) + (f" and {len(own) - 10} more" if len(own) > 10 else "")
    reach = "devices of other groups too" if scope else "every device"
    yours = f"you change what is for {names} only" if own else "you have no device group, so you change nothing"
    return Problem(OUTSIDE, f"this reaches {reach}, and {yours}", "rbacGroupNames", value, tuple(own[:_NAMED]))


def require_reach(actor: Actor, *written: StoredIndicator) -> None:
    """Raise `Forbidden` where one of *written*, which *actor* sees, reaches past its device groups."""
    for stored in written:
        problem = outside(actor, stored.indicator.rbac_group_names)
        if problem is not None:
            raise Forbidden(f"indicator {stored.id}: {problem.message}", [problem])


def own_groups(actor: Actor, names: Collection[str]) -> frozenset[str]:
    """Return those of the device groups *names* that *actor* may name; all others are unknown to it, there or not."""
    return frozenset(names) if actor.groups is None else actor.groups.intersection(names)
