"""A list of values, one per line: types are detected, defanged values mended, comments passed over."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO, Final

from indicia.domain.checker import Checker
from indicia.domain.draft import COLUMN_NAMES, Draft
from indicia.domain.errors import Problem
from indicia.domain.observable import ObservableType, detect, refang
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
        refanged = refang(value)
        draft, fault = self._draft(refanged.text, value)
        if fault is not None:
            parsed.refused.append(Refusal(line, draft, (fault.at(line=line),), text))
            return
        indicator, problems = checker.check(draft)
        placed = [each.at(line=line) for each in problems]
        if indicator is None:
            parsed.refused.append(Refusal(line, draft, tuple(placed), text))
            return
        if refanged.changes:
            message = f"read as {refanged.text[:200]} ({', '.join(refanged.changes)})"
            placed.append(Problem("refanged", message, _VALUE, value[:200], line=line, warning=True))
        parsed.notes.extend(placed)
        parsed.read.append(Read(line, indicator))

    def _draft(self, value: str, written: str) -> tuple[Draft, Problem | None]:
        """Return the draft of *value*, with its type detected unless the defaults name one."""
        draft = self._defaults._replace(value=value)
        if draft.type is not None:
            return draft, None
        found = detect(value)
        if found is None:
            message = f"{written[:200]!r} is no hash, address, network, domain or URL; `--type` says what it is"
            return draft, Problem("type-not-detected", message, _VALUE, written[:200], tuple(ObservableType))
        if found.type is ObservableType.URL and "://" not in value:
            value = f"http://{value}"
        return draft._replace(type=found.type.value, value=value), None
