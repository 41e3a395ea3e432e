"""What one record of telemetry tells: when, on which device, and the things that verdicts are about."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from indicia.domain.observable import Observable


class Seen(NamedTuple):
    """An observable, and the field of the record in which it stands (dotted path, column, or `text`)."""

    field: str
    observable: Observable


class Event(NamedTuple):
    """One record of telemetry.

    ``time`` is aware UTC, None where the record names none. ``device`` is the machine that the record is about, as the
    record names it. Each subject is one thing that a verdict is about: the hashes of one file, or the URL, name and
    address of one connection; files and the network never share a subject.
    """

    time: datetime | None
    device: str | None
    subjects: tuple[tuple[Seen, ...], ...]
