"""How the fields of a format are read, as data; and the subjects that the fields of one record make."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Final, NamedTuple, TypeAlias

from indicia.domain.event import Event, Seen
from indicia.domain.observable import Observable
from indicia.domain.precedence import NETWORK_TYPES
from indicia.sensors.records import Leaf
from indicia.sensors.values import Found, Reader, anything, free_text

#: No more different observables of one record are kept.
MOST_SEEN: Final = 10_000

_LONGEST_DEVICE: Final = 255


class Use(NamedTuple):
    """How one field is read, and what its observables belong to: the same word means the same thing of one record.

    Without a reader the field is passed over; without a word each of its observables is a subject of its own.
    """

    read: Reader | None
    subject: str | None = None


Fields: TypeAlias = Mapping[str, Use]
_UNKNOWN: Final = Use(anything)


def fields(read: Reader | None, names: str, subject: str | None = None) -> dict[str, Use]:
    """Return a table in which each of *names*, with blanks between, is read in the same way.

    >>> fields(None, "id name")
    {'id': Use(read=None, subject=None), 'name': Use(read=None, subject=None)}
    """
    return dict.fromkeys(names.split(), Use(read, subject))


class Collector:
    """Gathers what the fields of one record hold into subjects, in the order in which they are met."""

    def __init__(self) -> None:
        # A verdict is about a file or about a connection: what a crafted field holds of the other is kept apart.
        self._together: dict[tuple[str, int, bool], dict[Observable, Seen]] = {}
        self._alone: dict[Observable, Seen] = {}

    def add(self, field: str, found: Found, subject: str | None = None, place: int = 0) -> None:
        """Add what *field* holds: to the *subject* in that *place*, or each by itself."""
        for one in found:
            of_network = one.type in NETWORK_TYPES
            into = self._alone if subject is None else self._together.setdefault((subject, place, of_network), {})
            if one not in into and len(into) < MOST_SEEN:
                into[one] = Seen(field, one)

    def read(self, leaves: Iterable[Leaf], table: Fields, fold: Callable[[str], str] = str) -> None:
        """Add what *leaves* hold by *table*, which has their paths *fold*ed; an unknown field may hold anything."""
        texts = []  # are read last: the field that is made for a value is named rather than a message that repeats it
        for path, place, text in leaves:
            use = table.get(fold(path), _UNKNOWN)
            if use.read is free_text:
                texts.append((path, text))
            elif use.read is not None and text:
                found = use.read(text)
                if found:
                    self.add(path, found, use.subject, place)
        for path, text in texts:
            self.add(path, free_text(text))

    def event(self, time: datetime | None, device: str | None) -> Event:
        """Return the event of this record. What is part of a subject is not told again as one of its own."""
        together = list(self._together.values())
        known = {one for subject in together for one in subject}
        alone = [(seen,) for one, seen in self._alone.items() if one not in known]
        return Event(
            time, device and device[:_LONGEST_DEVICE], (*(tuple(subject.values()) for subject in together), *alone)
        )
