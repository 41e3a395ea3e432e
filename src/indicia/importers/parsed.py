"""What every importer yields: indicators, and the records that make none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from indicia.domain.draft import Draft
from indicia.domain.errors import Problem
from indicia.domain.indicator import Indicator

#: Records per batch: large enough that look-ups are cheap, small enough that memory stays flat.
BATCH_RECORDS = 10_000


class Read(NamedTuple):
    """A record that makes an indicator, and the line on which it begins."""

    line: int
    indicator: Indicator


class Refusal(NamedTuple):
    """A record that makes none: its line, its fields as far as they could be told apart, and every reason.

    ``raw`` is the text of a record whose fields could not be told apart, so that nothing is lost.
    """

    line: int
    draft: Draft
    problems: tuple[Problem, ...]
    raw: str = ""


@dataclass(slots=True)
class Parsed:
    """A batch of records in the order of the file.

    ``notes`` are warnings about records that were read all the same. ``position`` is how many bytes of the
    source were consumed. ``fatal`` problems make the whole source useless, such as a missing column.
    """

    read: list[Read] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    notes: list[Problem] = field(default_factory=list)
    fatal: Sequence[Problem] = ()
    position: int = 0
