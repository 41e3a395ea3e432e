"""Reading a whole source at once, and bytes that are worth reading."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from hypothesis import strategies as st

from indicia.domain.draft import COLUMN_NAMES, Draft
from indicia.domain.errors import Problem
from indicia.domain.rules import Strictness
from indicia.importers.defender_csv import DefenderCsv
from indicia.importers.ndjson import NdJson
from indicia.importers.parsed import Read, Refusal
from indicia.importers.text_list import TextList
from tests.unit.indicators import checker

HEADER = (
    "IndicatorType,IndicatorValue,ExpirationTime,Action,Severity,Title,Description,"
    "RecommendedActions,RbacGroups,Category,MitreTechniques,GenerateAlert"
)
LIST_DEFAULTS = Draft(action="Block", title="a title", description="a description")
IMPORTERS: dict[str, Any] = {"csv": DefenderCsv(), "ndjson": NdJson(), "text": TextList(LIST_DEFAULTS)}


@dataclass
class Everything:
    """What came out of one source."""

    read: list[Read] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    notes: list[Problem] = field(default_factory=list)
    fatal: list[Problem] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)

    @property
    def lines(self) -> list[int]:
        """The lines on which records begin, in order."""
        return sorted([each.line for each in self.read] + [each.line for each in self.refused])

    def codes(self) -> list[tuple[int, str]]:
        """Return the line and the code of every error."""
        problems = [problem for refusal in self.refused for problem in refusal.problems if not problem.warning]
        return [(problem.line or 0, problem.code) for problem in (*self.fatal, *problems)]

    def content(self) -> tuple[Any, ...]:
        """Return everything but how far the reader was at each moment."""
        return self.read, self.refused, self.notes, self.fatal


def read(name: str, source: bytes | str | BinaryIO, *, strict: bool = False, names: Any = COLUMN_NAMES) -> Everything:
    """Return what the importer *name* makes of *source*; anything that it raises fails the test."""
    found = Everything()
    if isinstance(source, str):
        source = source.encode("utf-8", "surrogatepass")
    stream = io.BytesIO(source) if isinstance(source, bytes) else source
    strictness = Strictness.STRICT if strict else Strictness.NATIVE
    for parsed in IMPORTERS[name].read(stream, checker(strictness, names=names), strict=strict):
        found.read += parsed.read
        found.refused += parsed.refused
        found.notes += parsed.notes
        found.fatal += parsed.fatal
        found.positions.append(parsed.position)
    return found


# Bytes that are nearly a file: pieces that mean something to one of the readers, and pieces that mean nothing.
_PIECES = [
    *[
        b"\n",
        b"\n",
        b"\r\n",
        b"\r",
        b",",
        b",",
        b";",
        b"\t",
        b'"',
        b'"',
        b'""',
        b"'",
        b"=",
        b"\x00",
        b" ",
        b"#",
        b"//",
        b"{",
        b"}",
        b"[",
    ],
    *[
        b"DomainName",
        b"Url",
        b"evil.example.org",
        b"http://a.example.org/",
        b"Block",
        b"t",
        b"d",
        b"T1059",
        b"\xef\xbb\xbf",
    ],
    *[
        b"\xff\xfe",
        b"\xfe\xff",
        b"\xe2\x82",
        b"\xff",
        b"\xed\xa0\x80",
        b"hxxp://a[.]b",
        b"1.2.3.4",
        b"a" * 32,
        b"x" * 17_000,
        b"{}",
    ],
    *[
        b'{"title":1}',
        b"DomainName,a.example.org,,Block,,t,d,,,,,\n",
        b'DomainName,a.example.org,,Block,,"t\n',
        b'u",d,,,,,\n',
    ],
]
bodies = st.lists(st.one_of(st.sampled_from(_PIECES), st.binary(max_size=6)), max_size=25).map(b"".join)
