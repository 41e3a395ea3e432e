"""One import in the background, as it is looked at: its state, progress, what was found, what was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple

from indicia.domain.checker import Checker
from indicia.domain.circumstances import Circumstances
from indicia.domain.draft import COLUMN_NAMES, NOTHING_GIVEN, Draft
from indicia.domain.errors import Problem
from indicia.domain.rules import parse_duration
from indicia.services.import_detecting import Detected
from indicia.services.import_findings import Kind
from indicia.services.imports import Format, Options
from indicia.services.planned_imports import PLANS_ARE_KEPT
from indicia.store.import_jobs import ImportJobRecord

COUNTS: Final = ("created", "updated", "unchanged", "refused", "held", "conflicts")
# A value to try with what is given for all values of a text list: every action may be given to a file.
_PROBE: Final = ("FileSha256", "5d" * 32)
#: A text list says nothing but values: what of the rest there has to be.
LIST_NEEDS: Final = ("action", "title", "description")
MISSING: Final = "missing-default"


class State(StrEnum):
    """Where an import has got to. ``interrupted`` is never stored: it is seen when its process is gone."""

    PLANNING = "planning"
    PLANNED = "planned"
    REFUSED = "refused"
    APPLYING = "applying"
    APPLIED = "applied"
    CANCELLED = "cancelled"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


UNDER_WAY: Final = (State.PLANNING, State.APPLYING)
#: What may be planned again: everything but what is done; what is under way only where its process is gone.
_IDLE: Final = (State.PLANNED, State.REFUSED, State.CANCELLED, State.FAILED, *UNDER_WAY)


class Phase(StrEnum):
    """What an import that is under way does just now."""

    WAITING = "waiting"
    CORRECTING = "correcting"
    PLANNING = "planning"
    APPLYING = "applying"


class Progress(NamedTuple):
    """How far an import has got: since when, as of when, bytes of its size, rows of those expected."""

    phase: Phase
    began: datetime
    at: datetime
    size: int
    bytes: int = 0
    rows: int = 0
    rows_expected: int | None = None

    @property
    def share(self) -> float:
        """How much of the file was read, from 0 to 1."""
        return min(1.0, self.bytes / self.size) if self.size else 0.0

    @property
    def rate(self) -> float | None:
        """Rows a second, None before there is anything to tell."""
        seconds = (self.at - self.began).total_seconds()
        return self.rows / seconds if self.rows and seconds > 0 else None

    @property
    def remaining_s(self) -> float | None:
        """How many seconds it will go on at this rate."""
        seconds = (self.at - self.began).total_seconds()
        return seconds * (1 / self.share - 1) if self.bytes and seconds > 0 else None


class Wish(NamedTuple):
    """How somebody wants a file to be imported; ``asked`` is the format that was asked for, None: as it is detected."""

    asked: Format | None = None
    format: Format = Format.CSV
    encoding: str = "UTF-8"
    delimiter: str | None = None
    strict: bool = False
    skip_bad_rows: bool = False
    reason: str | None = None
    defaults: Draft = NOTHING_GIVEN
    problem: str | None = None

    def for_file(self, found: Detected) -> Wish:
        """Return this wish for a file that was *found* to be something."""
        return self._replace(
            format=self.asked or found.format or Format.TEXT,
            encoding=found.encoding,
            delimiter=found.delimiter,
            problem=found.problem.message if found.problem else None,
        )

    def faults(self, circumstances: Circumstances) -> list[Problem]:
        """Return why no row of the file can be imported like this, whatever it says."""
        if self.problem is not None:
            return [Problem("not-importable", self.problem)]
        if self.format is not Format.TEXT:
            return []
        missing = [name for name in LIST_NEEDS if not getattr(self.defaults, name)]
        if missing:
            message = "give the {} of all values"
            return [Problem(MISSING, message.format(name), COLUMN_NAMES[name]) for name in missing]
        draft = self.options(circumstances.now).defaults._replace(type=_PROBE[0], value=_PROBE[1])
        _indicator, problems = Checker(circumstances).check(draft)
        return [problem for problem in problems if not problem.warning]

    def options(self, now: datetime) -> Options:
        """Return the options of the import, planned at *now*."""
        defaults = self.defaults if self.format is Format.TEXT else NOTHING_GIVEN
        after = parse_duration(defaults.expires or "")
        if after is not None:
            with suppress(OverflowError):  # later than a time can be: the check says so
                defaults = defaults._replace(expires=now + after)
        return Options(self.format, self.strict, self.skip_bad_rows, True, self.reason, defaults)

    def as_dict(self) -> dict[str, Any]:
        """Return the shape in which it is kept."""
        return {**self._asdict(), "defaults": list(self.defaults)}

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> Wish:
        """Return what `as_dict` made *kept* of."""
        asked = kept["asked"]
        return cls(
            **{
                **kept,
                "asked": Format(asked) if asked else None,
                "format": Format(kept["format"]),
                "defaults": Draft(*kept["defaults"]),
            }
        )


class Failure(NamedTuple):
    """Why an import did not get on; *stale* where the plan has to be made anew."""

    message: str
    stale: bool = False
    applying: bool = False


class Sample(NamedTuple):
    """One of the first rows that have an outcome."""

    line: int
    type: str | None
    value: str | None
    expires: str | None
    action: str | None
    severity: str | None
    title: str | None
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Job:
    """One import; ``kept`` says whether its file is still there."""

    record: ImportJobRecord
    state: State
    wish: Wish
    progress: Progress | None
    kept: bool

    @property
    def id(self) -> str:
        return self.record.id

    @property
    def name(self) -> str:
        return self.record.name

    @property
    def under_way(self) -> bool:
        """Whether it goes on by itself just now."""
        return self.state in UNDER_WAY

    @property
    def plan(self) -> str:
        """The digest of what is shown."""
        return str(self.record.summary.get("plan", ""))

    @property
    def has_plan(self) -> bool:
        """Whether the rows were looked at."""
        return "rows" in self.record.summary

    @property
    def counts(self) -> dict[str, int]:
        """What becomes, or became, of the rows."""
        return {name: int(self.record.summary.get(name, 0)) for name in COUNTS}

    @property
    def rows(self) -> int:
        return int(self.record.summary.get("rows", 0))

    @property
    def writes(self) -> int:
        """How many indicators applying it writes."""
        counts = self.counts
        return counts["created"] + counts["updated"] + counts["held"]

    @property
    def kinds(self) -> list[Kind]:
        """The problems by their kinds, errors first."""
        return [Kind.of(each) for each in self.record.summary.get("kinds", ())]

    @property
    def fatal(self) -> list[dict[str, Any]]:
        """Why the file cannot be imported at all."""
        return list(self.record.summary.get("fatal", ()))

    @property
    def needs_options(self) -> bool:
        """Whether all that is wrong is that nobody has said yet what the values of a text list get."""
        return self.state is State.REFUSED and all(each["code"] == MISSING for each in self.fatal)

    @property
    def samples(self) -> dict[str, list[Sample]]:
        """The first rows of each outcome."""
        return {
            name: [Sample(**row | {"notes": tuple(row["notes"])}) for row in rows]
            for name, rows in self.record.summary.get("samples", {}).items()
        }

    @property
    def failure(self) -> Failure | None:
        """Why it did not get on, where it did not."""
        found = self.record.summary.get("failure")
        return Failure(**found) if found else None

    @property
    def forgotten_at(self) -> datetime:
        """When the file will not be kept any more."""
        return self.record.state_at + PLANS_ARE_KEPT


def job_of(record: ImportJobRecord, progress: Progress | None, *, interrupted: bool, kept: bool) -> Job:
    """Return the import that *record* keeps."""
    state = State.INTERRUPTED if interrupted else State(record.state)
    return Job(record, state, Wish.of(record.options), progress if state in UNDER_WAY else None, kept)


def idle(job: Job) -> list[str]:
    """Return the state in which *job* was seen, none where nothing can be begun with it: it has to be in that still."""
    return [job.record.state] if job.record.state in _IDLE else []
