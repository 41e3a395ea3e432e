"""What every sensor is: bytes of one record in, an event out."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from indicia.domain.event import Event


class Layout(NamedTuple):
    """How records of a format lie in a file, for whoever looks for records without parsing them.

    ``json``: a string before a colon is a key and holds nothing. ``comments``: every line that begins with ``#``
    counts. ``csv``: a record may hold line breaks between quotes, and the first one names the columns.
    """

    json: bool = False
    comments: bool = False
    csv: bool = False


class Unreadable(ValueError):
    """The record cannot be parsed; the text is a sentence that says why."""


class Sensor(Protocol):
    """Reads the records of one file, in their order; it may remember the header lines of that file."""

    name: str
    layout: Layout

    def header(self, record: bytes) -> None:
        """Take the first record of the file, which names the columns; asked where ``layout.csv`` says so."""

    def event(self, record: bytes) -> Event | None:
        """Return what *record* tells, None where it is no event (header, comment, blank line).

        Raises `Unreadable`, and nothing else, whatever the bytes.
        """
