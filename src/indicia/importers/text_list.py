"""A list of values, one per line: types are detected, defanged values mended, comments passed over."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO, Final

from indicia.domain.checker import Checker
from indicia.domain.draft import COLUMN_NAMES, Draft
from indicia.domain.errors import Problem
from indicia.importers.bare_values import draft_of_value
from indicia.importers.lines import TOO_LONG, blocks
from indicia.importers.parsed import BATCH_RECORDS, Parsed, Read, Refusal

_COMMENT: Final = re.compile(r"\s+(?:#|//|;).*$")
_MARKS: Final = ("#", "//", ";", "!")
_HOSTS: Final = re.compile(r"(?:0\.0\.0\.0|127\.0\.0\.1|::1?)\s+(\S+)")
_VALUE: Final = COLUMN_NAMES["value"]


class TextList:
    """Reads lists of values; what a list lacks, such as the action, comes from *defaults*."""

    def __init__(self, defaults: Draft) -> None:
        self._defaults = defaults

    def read(self, source: BinaryIO, checker: Checker, *, strict: bool = False) -> Iterator[Parsed]:
        """Yield the values of *source* in batches, in order. Never raises for bad data."""
        for block in blocks(source):
            for start in range(0, len(block.lines), BATCH_RECORDS):
                parsed = Parsed(position=block.position)
                for line, text in enumerate(block.lines[start : start + BATCH_RECORDS], block.first + start):
                    self._one(parsed, checker, line, text)
                yield parsed

    def _one(self, parsed: Parsed, checker: Checker, line: int, text: str) -> None:
        if text == TOO_LONG:
            problem = Problem("line-too-long", "the line has over 65,536 characters", _VALUE, line=line)
            parsed.refused.append(Refusal(line, Draft(), (problem,)))
            return
        value = text.strip()
        if not value or value.startswith(_MARKS):
            return
        value = _COMMENT.sub("", value).strip().strip('"')
        hosts = _HOSTS.fullmatch(value)
        if hosts:
            value = hosts[1]
        draft, found = draft_of_value(self._defaults, value)
        indicator, problems = checker.check(draft)
        if any(not problem.warning for problem in found):  # what the checker says of a value without a type is no help
            indicator, problems = None, ()
        placed = [each.at(line=line) for each in (*problems, *found)]
        if indicator is None:
            parsed.refused.append(Refusal(line, draft, tuple(placed), text))
            return
        parsed.notes.extend(placed)
        parsed.read.append(Read(line, indicator))
