"""How often passwords may be tried: slower with every failure, and alike for names that exist and names that do not."""

from __future__ import annotations

import hashlib
import math
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network
from threading import Lock
from typing import Final, NamedTuple

from indicia.domain.errors import Unavailable
from indicia.store.database import Database

#: Failures are forgotten after this time without another one.
FORGOTTEN_AFTER: Final = timedelta(hours=1)
#: Names and addresses that are remembered, each; the one that failed longest ago is forgotten first.
MOST_REMEMBERED: Final = 10_000
LONGEST_WAIT: Final = timedelta(minutes=1)


class _Rule(NamedTuple):
    """How many failures cost nothing; after that each doubles the time to wait, up to a minute."""

    free: int


class _Failures(NamedTuple):
    number: int
    last: datetime


# A minute is short enough that nobody can keep somebody else out for long, and long enough that nobody guesses a
# password: 1,440 tries a day for one name from one place.
_BOTH: Final = "name and address"
_RULES: Final = {_BOTH: _Rule(5), "name": _Rule(100), "address": _Rule(100)}


class Throttle:
    """Remembers failures: in this process at once, and in the database for the other nodes as soon as it is free.

    What is read of the database waits for nobody, and what is written is given up where another writer is at work: a
    million-row import keeps nobody from signing in, and each node counts by itself meanwhile. There are only so many
    rows, and they end after an hour: strangers can write no more than that, and nothing into the history.
    """

    def __init__(self, database: Database | None = None, *, most: int = MOST_REMEMBERED) -> None:
        """Without a *database* this process counts by itself."""
        self._database = database
        self._most = most
        self._lock = Lock()
        self._failures: dict[str, OrderedDict[str, _Failures]] = {rule: OrderedDict() for rule in _RULES}

    def attempt(self, name_key: str, address: str, now: datetime) -> int:
        """Return how many seconds to wait before the next try, 0 where one may be made now: it counts as failed then.

        Whoever succeeds says so by `succeeded`, whoever fails by `failed`; so a hundred tries at once count as a
        hundred.
        """
        keys = _keys(name_key, address)
        shared = self._shared(keys)
        with self._lock:
            waits = [_wait(rule, self._known(rule, key, shared), now) for rule, key in keys.items()]
            if any(waits):
                return max(waits)
            for rule, key in keys.items():
                before = self._known(rule, key, shared)
                known = self._failures[rule]
                known.pop(key, None)
                number = before.number if before and now - before.last < FORGOTTEN_AFTER else 0
                known[key] = _Failures(number + 1, now)
                while len(known) > self._most:
                    known.popitem(last=False)
            return 0

    def failed(self, name_key: str, address: str, now: datetime) -> None:
        """Tell the other nodes of a try that failed."""
        if self._database is None:
            return
        digests = [_digest(rule, key) for rule, key in _keys(name_key, address).items()]
        with suppress(Unavailable), self._database.attempt() as tx:  # or this node alone knows
            tx.failures.add(digests, now, forgotten_before=now - FORGOTTEN_AFTER, most=len(_RULES) * self._most)

    def succeeded(self, name_key: str, address: str) -> None:
        """Forget the failures of this name from this address; and take back what the try counted elsewhere."""
        keys = _keys(name_key, address)
        with self._lock:
            for rule, key in keys.items():
                before = self._failures[rule].get(key)
                if before is None:
                    continue
                if rule == _BOTH or before.number == 1:
                    del self._failures[rule][key]
                else:
                    self._failures[rule][key] = before._replace(number=before.number - 1)
        if self._database is not None and _BOTH in self._shared(keys):
            with suppress(Unavailable), self._database.attempt() as tx:  # or it is forgotten in an hour
                tx.failures.forget(_digest(_BOTH, keys[_BOTH]))

    def is_strained(self, name_key: str, address: str) -> bool:
        """Return whether the next try with this name from this address has to wait."""
        with self._lock:
            return any(
                (known := self._failures[rule].get(key)) is not None and known.number == _RULES[rule].free
                for rule, key in _keys(name_key, address).items()
            )

    def _known(self, rule: str, key: str, shared: Mapping[str, _Failures]) -> _Failures | None:
        """Return what is known here or elsewhere, whichever is worse."""
        found = [each for each in (self._failures[rule].get(key), shared.get(rule)) if each is not None]
        return max(found, default=None)

    def _shared(self, keys: Mapping[str, str]) -> dict[str, _Failures]:
        if self._database is None:
            return {}
        digests = {_digest(rule, key): rule for rule, key in keys.items()}
        with suppress(Unavailable), self._database.snapshot() as tx:
            return {digests[digest]: _Failures(*found) for digest, found in tx.failures.get(list(digests)).items()}
        return {}


def _wait(rule: str, known: _Failures | None, now: datetime) -> int:
    over = known.number - _RULES[rule].free if known else -1
    if known is None or over < 0 or now - known.last >= FORGOTTEN_AFTER:
        return 0
    pause = min(timedelta(seconds=2 ** min(over, 10)), LONGEST_WAIT)
    return max(0, math.ceil((known.last + pause - now).total_seconds()))


def _digest(rule: str, key: str) -> bytes:
    return hashlib.sha256(f"{rule}\0{key}".encode("utf-8", "surrogatepass")).digest()


def _keys(name_key: str, address: str) -> dict[str, str]:
    place = _network(address)
    return {_BOTH: f"{place} {name_key}", "name": name_key, "address": place}


def _network(address: str) -> str:
    """Return what one household has: an address, or of IPv6 a /64.

    >>> _network("2001:db8::1:2:3:4"), _network("192.0.2.7"), _network("testclient")
    ('2001:db8::/64', '192.0.2.7', 'testclient')
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        return address[:100]
    return str(ip_network((parsed, 64), strict=False)) if parsed.version == 6 else str(parsed)
