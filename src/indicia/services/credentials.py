"""What keys and API clients have in common: names, device groups, how long they last, and secrets that are replaced."""

from __future__ import annotations

import hashlib
import hmac
import unicodedata
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final, Protocol

from indicia.domain.access import Actor
from indicia.domain.errors import InvalidInput, Problem
from indicia.store.database import Transaction

NAME_CHARACTERS: Final = 200
#: That a credential was used is written at most this often.
TOUCHED_EVERY: Final = timedelta(minutes=1)
#: The lifetimes that are offered, in days; any other from 1 to the most may be asked for.
OFFERED_DAYS: Final = (7, 30, 90, 180, 365)
MOST_DAYS: Final = 3_650
#: For so long the secret before is good beside the new one, unless told otherwise: time to take the new one everywhere.
GRACE: Final = timedelta(hours=24)
LONGEST_GRACE: Final = timedelta(days=30)


class Replaceable(Protocol):
    """Something whose secret may have been replaced a while ago."""

    @property
    def previous_sha256(self) -> bytes | None:
        """SHA-256 of the secret before, where there was one."""

    @property
    def previous_until(self) -> datetime | None:
        """Until when that one is good."""


def digest(secret: str) -> bytes:
    """Return what is kept of *secret*, which is 256 random bits."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def is_secret(secret: str, current: bytes, kept: Replaceable | None, now: datetime) -> bool:
    """Return whether *secret* is the one of now, or the one before while that is good; as long whichever it is."""
    given = digest(secret)
    before = kept.previous_sha256 if kept is not None else None
    until = kept.previous_until if kept is not None else None
    right = hmac.compare_digest(given, current)
    was_right = hmac.compare_digest(given, before or bytes(32))
    return right or (was_right and before is not None and until is not None and now < until)


def is_unused_for_long(last_used_at: datetime | None, now: datetime) -> bool:
    """Return whether it is time to write down again that a credential is used."""
    return last_used_at is None or now - last_used_at >= TOUCHED_EVERY


def checked_name(given: str) -> tuple[str, list[Problem]]:
    """Return *given* as it is kept, and what is wrong with it."""
    name = unicodedata.normalize("NFC", given.strip())
    if 0 < len(name) <= NAME_CHARACTERS and name.isprintable():
        return name, []
    message = f"a name has 1 to {NAME_CHARACTERS} characters that can be printed"
    return name, [Problem("invalid-name", message, "name", name[:200])]


def checked_days(days: int | None) -> list[Problem]:
    """Return what is wrong with a lifetime of *days*; None is without end."""
    if days is None or 1 <= days <= MOST_DAYS:
        return []
    message = f"it lasts from 1 to {MOST_DAYS} days, or has no end"
    return [Problem("invalid-expiry", message, "expires", str(days)[:50], tuple(map(str, OFFERED_DAYS)))]


def checked_grace(grace: timedelta) -> None:
    """Raise `InvalidInput` unless *grace* is a time for which the secret before may stay good."""
    if not timedelta(0) <= grace <= LONGEST_GRACE:
        hours = int(LONGEST_GRACE / timedelta(hours=1))
        message = f"the secret before stays good for 0 to {hours} hours"
        raise InvalidInput([Problem("invalid-grace", message, "grace", str(grace))])


def expiry(days: int | None, now: datetime) -> datetime | None:
    """Return when something ends that lasts *days* from *now*."""
    return None if days is None else now + timedelta(days=days)


def checked_groups(tx: Transaction, groups: Collection[str] | None, actor: Actor) -> frozenset[str] | None:
    """Return the device groups that a credential is limited to; None where it is not, and *actor* is not either.

    Raises `InvalidInput` for groups that there are not; those of others are not, for somebody who is limited.
    """
    if groups is None:
        return actor.groups
    wanted = frozenset(groups)
    known = {group.name for group in tx.groups.all()} if actor.groups is None else actor.groups
    unknown = sorted(wanted - known)
    if unknown:
        allowed = tuple(sorted(known))[:50]
        raise InvalidInput(
            [
                Problem("unknown-group", f"there is no device group {name[:100]!r}", "groups", name[:100], allowed)
                for name in unknown[:20]
            ]
        )
    if not wanted:
        message = "without any device group it could do nothing; name one, or leave the limit away"
        raise InvalidInput([Problem("invalid-groups", message, "groups")])
    return wanted
