"""What the command line prints and how it ends: data on stdout, messages on stderr, one exit code per outcome."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any, BinaryIO, Final

import click

from indicia.domain.errors import Conflict, Forbidden, IndiciaError, InvalidInput, NotFound, Problem, Unavailable

OK: Final = 0
FAILED: Final = 1
USAGE: Final = 2
ROWS_REFUSED: Final = 3
INTERRUPTED: Final = 130
READER_GONE: Final = 141

EXIT_CODES: Final[dict[type[IndiciaError], int]] = {
    InvalidInput: USAGE,
    Forbidden: 4,
    NotFound: 5,
    Conflict: 6,
    Unavailable: 75,
}

#: What --exit-code ends with: of the strictest action that was met.
ACTION_CODES: Final = {"BlockAndRemediate": 10, "Block": 10, "Warn": 11, "Audit": 12}

#: More problems of one outcome than this are counted, not shown.
MOST_PROBLEMS: Final = 20


def stdout() -> BinaryIO:
    """Return stdout for bytes: data is UTF-8 whatever the locale says."""
    return sys.stdout.buffer


def say(text: str = "") -> None:
    """Print a message on stderr."""
    click.echo(text, err=True)


def show(text: str = "") -> None:
    """Print data on stdout."""
    click.echo(text)


def show_json(document: object) -> None:
    """Print one JSON document on stdout."""
    click.echo(json.dumps(document, indent=2, ensure_ascii=False, default=str))


def say_error(message: str) -> None:
    """Print what went wrong on stderr, as one line that begins with ``error:``."""
    say(f"error: {message}")


def clean(text: object) -> str:
    r"""Return *text* on one line and without anything that a terminal would act on.

    >>> print(clean("a\tb" + chr(27) + "[31m"))
    a b\x1b[31m
    """
    plain = str(text)
    if plain.isprintable():
        return plain
    return "".join(
        char if char.isprintable() else " " if char.isspace() and ord(char) < 128 else ascii(char)[1:-1]
        for char in plain
    )


def middle(text: str, width: int) -> str:
    """Return *text* in at most *width* characters, cut in its middle, because both ends of a value tell it apart.

    >>> middle("0123456789", 5)
    '01…89'
    """
    if len(text) <= width:
        return text
    if width < 2:
        return "…"[:width]
    tail = (width - 1) // 2
    return f"{text[: width - 1 - tail]}…{text[len(text) - tail :]}"


def on_terminal() -> bool:
    """Return whether a person looks at stdout."""
    return sys.stdout.isatty()


def plain_table(header: Sequence[str], rows: Iterable[Sequence[object]], *, right: Iterable[int] = ()) -> list[str]:
    """Return the lines of an aligned table; no value is cut."""
    lines = [list(header), *([clean(cell) for cell in row] for row in rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(header))]
    return [aligned(line, widths, right=right) for line in lines]


def aligned(cells: Sequence[str], widths: Sequence[int], *, right: Iterable[int] = ()) -> str:
    """Return one line of a table."""
    to_the_right = set(right)
    padded = [
        cell.rjust(width) if place in to_the_right else cell.ljust(width)
        for place, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return "  ".join(padded).rstrip()


def problem_line(problem: Problem) -> str:
    """Return a problem in one line: where it is, what is wrong, and what would be right where the message says less."""
    place = [f"line {problem.line}"] if problem.line else []
    place += [problem.column] if problem.column else []
    text = clean(": ".join([*place, problem.message]))
    if problem.suggestion and problem.suggestion not in problem.message:
        text += f"; did you mean {clean(problem.suggestion)}?"
    elif problem.allowed and not any(each in problem.message for each in problem.allowed):
        text += f"; allowed: {clean(', '.join(problem.allowed[:12]))}{' …' if len(problem.allowed) > 12 else ''}"
    return text


def say_outcome(error: IndiciaError) -> None:
    """Print an outcome other than success, and the problems that it names."""
    problems: Sequence[Problem] = getattr(error, "problems", ())
    if isinstance(error, InvalidInput):
        for problem in problems[:MOST_PROBLEMS]:
            say_error(f"{clean(problem.file)}: {problem_line(problem)}" if problem.file else problem_line(problem))
    else:
        say_error(clean(error))
        for problem in problems[:MOST_PROBLEMS]:
            if problem.message != str(error):
                say(f"  {problem_line(problem)}")
    if len(problems) > MOST_PROBLEMS:
        say(f"  … and {len(problems) - MOST_PROBLEMS} more")


def number(count: int, one: str, many: str | None = None) -> str:
    """Return *count* with its noun.

    >>> number(1, "row"), number(2000, "row"), number(0, "entry", "entries")
    ('1 row', '2,000 rows', '0 entries')
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def json_line(document: dict[str, Any]) -> bytes:
    """Return *document* as one line of JSON."""
    import orjson

    return orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE)
