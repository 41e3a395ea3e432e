"""Who proposed a change, what they may still ask for, and what their request would do now."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from indicia.domain.access import Actor, Permission, Source, granted, limits_to_own
from indicia.domain.approval import NO_RULE
from indicia.domain.errors import Conflict
from indicia.domain.guard import Guard
from indicia.services.policy import Policy
from indicia.services.request import Parts, Request
from indicia.services.reviewing import Review
from indicia.store.database import Database, Transaction
from indicia.store.proposals import ProposalRecord

# A request is planned with these, whoever made it: applying it needs them of whoever applies it.
_LENT: Final = frozenset(
    {
        Permission.INDICATORS_READ,
        Permission.INDICATORS_PROPOSE,
        Permission.INDICATORS_WRITE,
        Permission.INDICATORS_RELEASE,
    }
)
# An API client counts as whoever made it, and that one as whoever made them.
_MAKERS: Final = 10


class Proposer(NamedTuple):
    """Who proposed a change, and how far they see and reach: a request is planned within that, whoever applies it."""

    id: str
    name: str
    source: Source
    groups: frozenset[str] | None
    sees_only_own: bool

    @classmethod
    def live(cls, actor: Actor) -> Proposer:
        """Return what is kept of *actor*."""
        return cls(actor.id, actor.name, actor.source, actor.groups, actor.sees_only_own)

    @classmethod
    def kept(cls, record: ProposalRecord) -> Proposer:
        """Return who proposed *record*, as they were then."""
        details = record.actor_details
        groups = None if details["groups"] is None else frozenset(details["groups"])
        return cls(record.actor, record.actor_name, Source(details["source"]), groups, details["sees_only_own"])

    def as_dict(self) -> dict[str, Any]:
        """Return the shape in which it is kept."""
        groups = None if self.groups is None else sorted(self.groups)
        return {"source": self.source.value, "groups": groups, "sees_only_own": self.sees_only_own}

    def actor(self) -> Actor:
        """Return the actor for whom a request is planned."""
        return Actor(self.id, self.name, self.source, _LENT, self.groups, self.sees_only_own)

    def within(self, groups: frozenset[str] | None) -> Proposer:
        """Return this one, limited to *groups* as well."""
        if groups is None:
            return self
        return self._replace(groups=groups if self.groups is None else self.groups & groups)


def proposer_of(tx: Transaction, record: ProposalRecord, now: datetime) -> Proposer:
    """Return who proposed *record*, as far as they may go now; `Conflict` where they may propose nothing any more."""
    then = Proposer.kept(record)
    gone = f"{record.actor_name}, who proposed it, may propose nothing any more: decline it, and propose it anew"
    person = tx.people.get(record.actor)
    if person is not None:
        if person.disabled_at is not None or Permission.INDICATORS_PROPOSE not in person.role.permissions:
            raise Conflict(gone)
        return then.within(person.groups)
    client = tx.applications.get(record.actor)
    if client is None:
        return then  # the command line: whoever is at the machine
    expired = client.expires_at is not None and client.expires_at <= now
    if client.revoked_at is not None or expired or Permission.INDICATORS_PROPOSE not in granted(client.grants):
        raise Conflict(gone)
    limited = then._replace(sees_only_own=then.sees_only_own or limits_to_own(client.grants))
    return limited.within(client.groups)


def is_the_same(tx: Transaction, actor: Actor, record: ProposalRecord) -> bool:
    """Return whether *actor* is who proposed *record*, or an API client of theirs, or whoever made the client."""
    return not _makers(tx, actor.id).isdisjoint(_makers(tx, record.actor))


def _makers(tx: Transaction, id: str) -> set[str]:
    found = {id}
    for _ in range(_MAKERS):
        client = tx.applications.get(id)
        if client is None or client.created_by in found:
            break
        id = client.created_by
        found.add(id)
    return found


def review_of(
    database: Database, request: Request, proposer: Proposer, *, now: datetime, guard: Guard, policy: Policy
) -> Review:
    """Return what *request* would do now; raises what doing it would raise."""
    review = Review(told=True)
    request.perform(Parts(database, proposer.actor(), now, guard, reviewed(policy, review)), dry_run=True)
    return review


def reviewed(policy: Policy, review: Review) -> Policy:
    """Return *policy* for a change that is proposed, or was: *review* hears of it, and no rule stops it."""
    return policy._replace(rule=NO_RULE, review=review)


def counts_of(summary: Mapping[str, Any]) -> dict[str, int]:
    """Return the numbers of a summary, without its lines."""
    return {name: value for name, value in summary.items() if name != "lines"}
