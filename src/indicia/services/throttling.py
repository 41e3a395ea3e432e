"""How often passwords may be tried: slower with every failure, and alike for names that exist and names that do not."""

from __future__ import annotations

import math
from collections import OrderedDict
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network
from threading import Lock
from typing import Final, NamedTuple

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
_RULES: Final = {"name and address": _Rule(5), "name": _Rule(100), "address": _Rule(100)}


class Throttle:
    """Remembers failures in this process: strangers shall not be able to write to the database."""

    def __init__(self, *, most: int = MOST_REMEMBERED) -> None:
        self._most = most
        self._lock = Lock()
        self._failures: dict[str, OrderedDict[str, _Failures]] = {rule: OrderedDict() for rule in _RULES}

    def attempt(self, name_key: str, address: str, now: datetime) -> int:
        """Return how many seconds to wait before the next try, 0 where one may be made now: it counts as failed then.

        Whoever succeeds says so by `succeeded`; so a hundred tries at once count as a hundred.
        """
        keys = _keys(name_key, address)
        with self._lock:
            waits = [self._wait(rule, key, now) for rule, key in keys.items()]
            if any(waits):
                return max(waits)
            for rule, key in keys.items():
                known = self._failures[rule]
                before = known.pop(key, None)
                number = before.number if before and now - before.last < FORGOTTEN_AFTER else 0
                known[key] = _Failures(number + 1, now)
                while len(known) > self._most:
                    known.popitem(last=False)
            return 0

    def succeeded(self, name_key: str, address: str) -> None:
        """Forget the failures of this name from this address; and take back what the try counted elsewhere."""
        with self._lock:
            for rule, key in _keys(name_key, address).items():
                before = self._failures[rule].get(key)
                if before is None:
                    continue
                if rule == "name and address" or before.number == 1:
                    del self._failures[rule][key]
                else:
                    self._failures[rule][key] = before._replace(number=before.number - 1)

    def is_strained(self, name_key: str, address: str) -> bool:
        """Return whether the next try with this name from this address has to wait."""
        with self._lock:
            return any(
                (known := self._failures[rule].get(key)) is not None and known.number == _RULES[rule].free
                for rule, key in _keys(name_key, address).items()
            )

    def _wait(self, rule: str, key: str, now: datetime) -> int:
        known = self._failures[rule].get(key)
        over = known.number - _RULES[rule].free if known else -1
        if known is None or over < 0 or now - known.last >= FORGOTTEN_AFTER:
            return 0
        pause = min(timedelta(seconds=2 ** min(over, 10)), LONGEST_WAIT)
        return max(0, math.ceil((known.last + pause - now).total_seconds()))


def _keys(name_key: str, address: str) -> dict[str, str]:
    place = _network(address)
    return {"name and address": f"{place} {name_key}", "name": name_key, "address": place}


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
