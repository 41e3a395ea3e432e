"""What can go wrong, as data (`Problem`) and as the five outcomes a use case may have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
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
        fields = {name: _showable(value) if isinstance(value, str) else value for name, value in asdict(self).items()}
        fields["allowed"] = list(self.allowed)
        fields["severity"] = "warning" if fields.pop("warning") else "error"
        return fields

    def __str__(self) -> str:
        place = [str(part) for part in (self.file, f"line {self.line}" if self.line else None, self.column) if part]
        return ": ".join([*place, self.message])


def _showable(text: str) -> str:
    """Return *text* as something that every encoding of Unicode can hold: bytes that were no text become escapes."""
    return text.encode("utf-8", "backslashreplace").decode()


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
    """The actor lacks a permission."""

    code = "forbidden"


class Unavailable(IndiciaError):
    """A part that is needed cannot be used now; trying again later may work."""

    code = "unavailable"
