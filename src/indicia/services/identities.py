"""Who signs in by an OpenID provider: found, made, given the role that the provider's groups say, or refused."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import NamedTuple

from indicia.domain.access import Actor, Permission, Source, require
from indicia.domain.errors import Conflict, InvalidInput, NotFound, Problem
from indicia.services import people, sessions
from indicia.services.oidc import Claimed, SignInRefused
from indicia.services.oidc_rules import Rules, Standing
from indicia.services.sessions import Limits
from indicia.services.standings import standing_as_dict
from indicia.services.writing import record_event
from indicia.store.changesets import Header
from indicia.store.database import Database, Transaction
from indicia.store.identities import Identity
from indicia.store.people import Person


class Welcomed(NamedTuple):
    """Somebody who is signed in, and the token of their session."""

    person: Person
    token: str


def sign_in(
    database: Database, claimed: Claimed, rules: Rules, *, now: datetime, limits: Limits, place: tuple[str, str]
) -> Welcomed:
    """Sign in whom a provider vouches for, and give them the role and the device groups of their groups there.

    Who comes for the first time is made a person. Raises `SignInRefused` for somebody who has no role, is disabled,
    or has the name of a local account, with which nobody is taken for the same; and for an answer that was used.
    """
    standing = rules.standing(claimed.groups)
    with database.transaction() as tx:
        if not tx.identities.use_state(claimed.state_sha256, until=claimed.state_until, now=now):
            raise SignInRefused("replayed", "this answer was used already; sign in again", claimed.name)
        found = tx.identities.get(claimed.issuer, claimed.subject)
        person = tx.people.get(found.person) if found is not None else None
        refusal: SignInRefused | None = None
        if isinstance(standing, str):
            if found is not None and person is not None:
                _end(tx, found, person, now)
            refusal = SignInRefused("no-role", standing, claimed.name)
        elif found is not None and person is not None:
            if person.disabled_at is not None:
                raise SignInRefused("disabled", f"{person.name} is disabled in Indicia", claimed.name)
            tx.identities.seen(found, now, refused=False)
            person = _refreshed(tx, person, standing, claimed.issuer, now)
        else:
            person = _made(tx, claimed, standing, now)
        if refusal is None and person is not None:
            token = sessions.begin(tx, person, now=now, limits=limits, place=place, by=claimed.issuer)
            return Welcomed(person, token)
    # That sessions ended counts, so that this is said after the transaction.
    raise refusal or SignInRefused("no-role", "you have no role here", claimed.name)


def link_identity(database: Database, name: str, issuer: str, subject: str, *, actor: Actor, now: datetime) -> Person:
    """Let somebody who has a local account come by the provider, too: the administrator knows that they are one."""
    require(actor, Permission.PEOPLE_WRITE)
    if not subject.strip() or len(subject) > 255 or not subject.isprintable():
        message = "a subject is what the provider calls somebody: 1 to 255 characters; the audit names it"
        raise InvalidInput([Problem("invalid-subject", message, "subject", subject[:200])])
    with database.transaction() as tx:
        person = tx.people.named(people.name_key(name))
        if person is None:
            raise NotFound(f"there is nobody called {name[:100]!r}")
        if tx.identities.get(issuer, subject) is not None:
            raise Conflict(f"{subject} of {issuer} is somebody already")
        tx.identities.add(Identity(issuer, subject, person.id, now, now))
        details = {"id": person.id, "name": person.name, "issuer": issuer, "subject": subject}
        record_event(tx, Header(actor, "user.link", now), details)
        return person


def identities_of(database: Database, person: str) -> list[Identity]:
    """Return by which providers somebody signs in."""
    with database.snapshot() as tx:
        return tx.identities.of(person)


def _made(tx: Transaction, claimed: Claimed, standing: Standing, now: datetime) -> Person:
    """Return the person that somebody becomes who comes for the first time."""
    name, problems = people.checked_name(claimed.name)
    if problems:
        message = f"the provider calls you {claimed.name[:100]!r}, which is no name here: {problems[0].message}"
        raise SignInRefused("name", message, claimed.name)
    if tx.people.named(people.name_key(name)) is not None:
        message = (
            f"there is an account called {name} here already, and nobody is taken for somebody else because of a name; "
            f"whoever looks after Indicia can link the two: indicia user link {name} --subject {claimed.subject}"
        )
        raise SignInRefused("name-taken", message, claimed.name)
    if tx.people.count() >= people.MOST_PEOPLE:
        raise SignInRefused("too-many-people", f"there are {people.MOST_PEOPLE} people already", claimed.name)
    person = Person(str(uuid.uuid4()), name, now, claimed.issuer, role=standing.role, groups=standing.groups)
    tx.people.add(person, people.name_key(name))
    tx.identities.add(Identity(claimed.issuer, claimed.subject, person.id, now, now))
    details = _details(person) | {"issuer": claimed.issuer, "subject": claimed.subject}
    record_event(tx, Header(_provider(claimed.issuer), "user.add", now), details)
    return person


def _refreshed(tx: Transaction, person: Person, standing: Standing, issuer: str, now: datetime) -> Person:
    """Return *person* with the role and the device groups that the provider gives them now."""
    if (person.role, person.groups) == (standing.role, standing.groups):
        return person
    tx.people.give(person.id, standing.role, standing.groups)
    changed = tx.people.get(person.id) or person
    details = _details(changed) | {"was": standing_as_dict(person)}
    record_event(tx, Header(_provider(issuer), "user.change", now), details)
    return changed


def _end(tx: Transaction, found: Identity, person: Person, now: datetime) -> None:
    """End what somebody has here whom the provider gives no role any more; the next sign-in with one ends that."""
    ended = tx.sessions.remove_of(person.id)
    tx.identities.seen(found, now, refused=True)
    if ended or found.refused_at is None:
        details = {"id": person.id, "name": person.name, "sessions": ended, "why": "no role at the provider"}
        record_event(tx, Header(_provider(found.issuer), "user.sign-out", now), details)


def _provider(issuer: str) -> Actor:
    return Actor("openid", issuer, Source.SYSTEM, frozenset())


def _details(person: Person) -> dict[str, object]:
    return {"id": person.id, "name": person.name, **standing_as_dict(person)}
