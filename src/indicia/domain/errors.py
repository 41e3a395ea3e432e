"""What can go wrong, as data (`Problem`) and as the five outcomes a use case may have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault in what a user gave: one line of a report, never raised.

    ``code`` is stable and kebab-case; ``message`` is a sentence that says what is wrong and what to do;
    ``line`` is the physical line on which the record begins (the first is 1); ``column`` is the canonical
    column or property name; ``allowed`` lists the values that would have been right.
    A ``warning`` tells the user something and refuses nothing.
    """

    code: str
    message: str
    column: str | None = None
    value: str | None = None
    allowed: tuple[str, ...] = ()
    suggestion: str | None = None
    line: int | None = None
    file: str | None = None
    warning: bool = False

    def at(self, *, line: int | None = None, file: str | None = None) -> Problem:
        """Return the same problem, placed at *line* of *file*."""
        return replace(self, line=self.line if line is None else line, file=self.file if file is None else file)

    def as_dict(self) -> dict[str, Any]:
        """Return the shape that `--json`, the API and the rejects file share."""
        # By hand: a bad file has a problem for each of its million rows, and `asdict` copies deeply.
        return {
            "code": self.code,
            "message": _showable(self.message),
            "column": _showable(self.column),
            "value": _showable(self.value),
            "allowed": list(self.allowed),
            "suggestion": _showable(self.suggestion),
            "line": self.line,
            "file": _showable(self.file),
            "severity": "warning" if self.warning else "error",
        }

    def __str__(self) -> str:
        place = [str(part) for part in (self.file, f"line {self.line}" if self.line else None, self.column) if part]
        return ": ".join([*place, self.message])


def _showable(text: str | None) -> str | None:
    """Return *text* as something that every encoding of Unicode can hold: bytes that were no text become escapes."""
    return text if text is None or text.isascii() else text.encode("utf-8", "backslashreplace").decode()


class IndiciaError(Exception):
    """An outcome other than success; every subclass has a stable ``code``."""

    code = "error"


class InvalidInput(IndiciaError):
    """The input is wrong; ``problems`` lists every fault that was found."""

    code = "invalid-input"

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(map(str, self.problems[:10])))


class NotFound(IndiciaError):
    """What was named does not exist, or the actor may not know that it does."""

    code = "not-found"


class Conflict(IndiciaError):
    """What is stored does not allow this change; ``problems`` names the rows in the way."""

    code = "conflict"

    def __init__(self, message: str, problems: Sequence[Problem] = ()) -> None:
        self.problems = tuple(problems)
        super().__init__(message)


class Forbidden(IndiciaError):
    """The actor lacks a permission, or what it would change reaches further than it may: ``problems`` says how."""

    code = "forbidden"

    def __init__(self, message: str, problems: Sequence[Problem] = ()) -> None:
        self.problems = tuple(problems)
        super().__init__(message)


class Unavailable(IndiciaError):
    """A part that is needed cannot be used now; trying again later may work."""

    code = "unavailable"
