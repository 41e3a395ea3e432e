"""Every problem of every row, in bounded memory: the first ones in a list, the rest in a temporary file."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import IO, Any, Final, Self

import orjson

from indicia.domain.errors import Problem

IN_MEMORY: Final = 20_000


class ProblemLog:
    """A list of problems that may be longer than memory is large; closed when nobody needs it any more."""

    def __init__(self) -> None:
        self._first: list[Problem] = []
        self._rest: IO[bytes] | None = None
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def extend(self, problems: Iterable[Problem]) -> None:
        """Add *problems* at the end."""
        for problem in problems:
            self._count += 1
            if len(self._first) < IN_MEMORY:
                self._first.append(problem)
                continue
            if self._rest is None:
                self._rest = tempfile.TemporaryFile()  # noqa: SIM115 closed by `close`
            self._rest.write(orjson.dumps(problem.as_dict()) + b"\n")

    def __iter__(self) -> Iterator[Problem]:
        yield from self._first
        if self._rest is not None:
            self._rest.seek(0)
            for line in self._rest:
                yield _problem(orjson.loads(line))
            self._rest.seek(0, 2)

    def first(self, count: int) -> list[Problem]:
        """Return the first *count* problems."""
        return self._first[:count]

    def close(self) -> None:
        """Give the temporary file back."""
        if self._rest is not None:
            self._rest.close()
            self._rest = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _problem(fields: dict[str, Any]) -> Problem:
    warning = fields.pop("severity") == "warning"
    return Problem(**fields | {"allowed": tuple(fields["allowed"]), "warning": warning})
