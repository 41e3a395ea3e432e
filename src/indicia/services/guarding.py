"""What the guard holds back and why, for people who want to know before they are surprised by it."""

from __future__ import annotations

from collections import Counter
from typing import Final, NamedTuple

from indicia.domain.errors import InvalidInput, Problem
from indicia.domain.guard import Guard, GuardReason
from indicia.domain.observable import Observable, detect
from indicia.domain.refanging import refang

_MOST_CHARACTERS: Final = 4_096
_LISTS: Final = (
    ("own-name", "Names and addresses of this server"),
    ("listed", "Your organisation's own list"),
    ("critical-name", "What organisations depend on: update servers, sign-in, certificate checks"),
    ("empty-file", "Hashes of the empty file and of other content that harms nobody"),
    ("eicar", "Hashes of the EICAR test file"),
)


class HeldList(NamedTuple):
    """One list of the guard: the code of its reason, what it is, and how many values are in it."""

    code: str
    text: str
    entries: int


class Tried(NamedTuple):
    """What the guard says to one value; ``text`` is as it was given."""

    text: str
    observable: Observable
    reason: GuardReason | None
    note: str | None


def lists_of(guard: Guard) -> list[HeldList]:
    """Return the lists of *guard*, with how many values each holds."""
    numbers = Counter(reason.code for reason in guard.exact.values())
    held = [HeldList(code, text, numbers[code]) for code, text in _LISTS]
    suffixes = len(guard.suffixes.names) + len(guard.suffixes.wildcards)
    return [*held, HeldList("public-suffix", "Public suffixes: unrelated people own the names under them", suffixes)]


def own_entries(guard: Guard, most: int) -> list[str]:
    """Return up to *most* values of the organisation's own list, in the order of the alphabet."""
    return sorted(value for value, reason in guard.exact.items() if reason.code == "listed")[:most]


def try_value(guard: Guard, text: str) -> Tried:
    """Return what *guard* says to the value *text*, defanged or not; `InvalidInput` where it is no value."""
    given = text.strip()
    if len(given) > _MOST_CHARACTERS:
        raise InvalidInput([_problem(f"a value has at most {_MOST_CHARACTERS} characters", given)])
    found = detect(refang(given).text)
    if found is None:
        raise InvalidInput(
            [_problem("this is no hash, address, range, domain or URL; nothing else can be held", given)]
        )
    return Tried(given, found, guard.reason(found.type, found.value), guard.note(found.type, found.value))


def _problem(message: str, value: str) -> Problem:
    return Problem("unknown-value", message, "value", value[:200])
