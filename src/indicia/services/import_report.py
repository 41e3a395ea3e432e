"""What an import did or would do, and who hears of it while it runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from indicia.domain.approval import Reason
from indicia.domain.changes import Step
from indicia.domain.errors import Problem
from indicia.importers.parsed import Refusal
from indicia.services.problem_log import ProblemLog


@dataclass(slots=True)
class FileReport:
    """What becomes of the rows of one file; ``rows`` is the sum of the outcomes."""

    name: str
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    refused: int = 0
    held: int = 0
    conflicts: int = 0

    @property
    def rows(self) -> int:
        """How many records the file holds."""
        return self.created + self.updated + self.unchanged + self.refused + self.held

    def as_dict(self) -> dict[str, Any]:
        """Return the shape that `--json`, the API and the changeset's details share."""
        return {
            "name": self.name,
            "rows": self.rows,
            "created": self.created,
            "updated": self.updated,
            "unchanged": self.unchanged,
            "refused": self.refused,
            "held": self.held,
            "conflicts": self.conflicts,
        }


@dataclass(slots=True)
class ImportReport:
    """What an import did, or would do: ``applied`` says which."""

    files: list[FileReport] = field(default_factory=list)
    problems: ProblemLog = field(default_factory=ProblemLog)
    fatal: bool = False
    applied: bool = False
    changeset: int | None = None
    plan_digest: bytes = b""
    takes_two: tuple[Reason, ...] = ()

    def total(self, name: str) -> int:
        """Return the sum of one count over all files."""
        return sum(getattr(file, name) for file in self.files)

    @property
    def must_stop(self) -> bool:
        """Whether rows were refused, so that an import of all or nothing does nothing."""
        return self.fatal or self.total("refused") > 0

    def counts(self) -> dict[str, Any]:
        """Return the stable part of the report: everything but the problems."""
        names = ("created", "updated", "unchanged", "refused", "held", "conflicts")
        files = [file.as_dict() for file in self.files]
        return {"files": files, **{name: self.total(name) for name in names}, "changeset": self.changeset}


class Listener:
    """Hears what happens to each row while an import runs; the methods do nothing unless a door overrides them."""

    def refused(self, file: str, refusal: Refusal) -> None:
        """Hear of a record that makes no indicator, or may not be written."""

    def noted(self, file: str, problems: Sequence[Problem]) -> None:
        """Hear of warnings about records that make indicators all the same."""

    def planned(self, file: str, steps: Sequence[Step]) -> None:
        """Hear what becomes of records that make indicators."""

    def progress(self, file: str, position: int, rows: int) -> None:
        """Hear how many bytes and rows of a file were read."""

    def kept(self, report: ImportReport) -> dict[str, Any]:
        """Return what to keep of a plan besides its counts."""
        return {}
