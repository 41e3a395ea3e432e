"""One public list through the real import, with every record accounted for."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from indicia.domain.access import Actor, Role
from indicia.domain.access import Source as Door
from indicia.domain.changes import Step
from indicia.domain.draft import NOTHING_GIVEN
from indicia.domain.guard import Guard
from indicia.importers.parsed import Refusal
from indicia.services.import_report import ImportReport, Listener
from indicia.services.imports import Format, Options, Source, import_indicators
from indicia.store.database import Database
from tests.engines.converters import Feed, Part

NOW = datetime(2026, 9, 1, tzinfo=UTC)
ACTOR = Actor("analyst", "analyst", Door.CLI, Role.ADMINISTRATOR.permissions)
DEFAULTS = NOTHING_GIVEN._replace(action="Block", title="A public list", description="from a public list")
COMMENTS = ("#", "//", ";", "!")


@dataclass
class Heard(Listener):
    """Everything that the import said about each record: where, what became of it, and why."""

    lines: Counter[tuple[str, int]] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    held: Counter[str] = field(default_factory=Counter)
    samples: dict[str, list[str]] = field(default_factory=dict)
    values: set[tuple[str, str]] = field(default_factory=set)
    guard: Guard = field(default_factory=Guard.default)

    def refused(self, file: str, refusal: Refusal) -> None:
        self.lines[file, refusal.line] += 1
        self.outcomes["refused"] += 1
        # A row is counted under its first reason, so that the reasons add up to the refused rows.
        problem = next(each for each in refusal.problems if not each.warning)
        self.refusals[problem.code] += 1
        self._sample(problem.code, f"{refusal.draft.value} | {problem.message}")

    def planned(self, file: str, steps: Sequence[Step]) -> None:
        for candidate, outcome, _known, _notes in steps:
            if outcome == "refused":  # heard of by `refused`
                continue
            indicator = candidate.indicator
            self.lines[file, candidate.line] += 1
            self.outcomes[outcome.value] += 1
            self.values.add((indicator.type.value, indicator.canonical))
            if outcome == "held":
                reason = self.guard.reason(indicator.type, indicator.canonical)
                assert reason is not None, "what is held has a reason"
                self.held[reason.code] += 1
                self._sample(f"held-{reason.code}", f"{indicator.value} | {reason.message}")

    def _sample(self, code: str, text: str) -> None:
        self.samples.setdefault(code, []).append(text)


@dataclass
class Result:
    """What became of one public list."""

    feed: Feed
    files: int
    records: int
    passed_over: int
    report: ImportReport
    heard: Heard

    def count(self, outcome: str) -> int:
        """Return how many records had *outcome*."""
        return self.report.total(outcome)

    def row(self) -> str:
        """Return the line of the table in docs/reference/real-data.md."""
        refused, held = (_reasons(found) for found in (self.heard.refusals, self.heard.held))
        counts = [self.files, self.records, *map(self.count, ("created", "unchanged", "held", "refused"))]
        cells = [self.feed.name, *(f"{count:,}" for count in counts), refused, held]
        return f"| {' | '.join(cells)} |"


def _reasons(found: Counter[str]) -> str:
    return ", ".join(f"{code} {count:,}" for code, count in sorted(found.items(), key=lambda each: (-each[1], each[0])))


def expected_lines(part: Part, kind: Format) -> list[int]:
    """Return the line on which each record of *part* begins, by a count that shares no code with the readers."""
    text = part.data.decode("utf-8-sig", "surrogateescape")
    if kind is Format.TEXT:
        lines = (line.strip() for line in text.split("\n"))
        return [number for number, line in enumerate(lines, start=1) if line and not line.startswith(COMMENTS)]
    reader = csv.reader(io.StringIO(text, newline=""))
    next(reader)
    found, begins = [], reader.line_num + 1
    for _row in reader:
        found.append(begins)
        begins = reader.line_num + 1
    return found


@contextmanager
def new_database(folder: Path) -> Iterator[Database]:
    """Give an empty database in *folder*."""
    folder.mkdir(parents=True, exist_ok=True)
    database = Database.open(f"sqlite:///{folder / 'indicia.db'}")
    try:
        database.upgrade()
        yield database
    finally:
        database.close()


def run(feed: Feed, root: Path, database: Database) -> Result:
    """Import everything of *feed* under *root*, all files in one call, skipping bad rows."""
    parts = list(feed.convert(root))
    expected = Counter((part.name, line) for part in parts for line in expected_lines(part, feed.format))
    heard = Heard()
    report = import_indicators(
        database,
        [Source(part.name, io.BytesIO(part.data)) for part in parts],
        Options(feed.format, skip_bad_rows=True, defaults=DEFAULTS if feed.format is Format.TEXT else NOTHING_GIVEN),
        actor=ACTOR,
        now=NOW,
        guard=heard.guard,
        listener=heard,
    )
    report.problems.close()
    assert report.applied
    assert not report.fatal
    assert heard.lines == expected, "every record is heard of once, on the line on which it begins"
    records = sum(expected.values())
    for outcome in ("created", "updated", "unchanged", "refused", "held"):
        assert report.total(outcome) == heard.outcomes[outcome]
    return Result(feed, len(parts), records, sum(part.passed_over for part in parts), report, heard)
