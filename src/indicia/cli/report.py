"""The report of an import: Defender's own sentence first, problems in kinds, counts, what to do next."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Final

import orjson

from indicia.cli.commands import Invocation
from indicia.cli.output import MOST_PROBLEMS, clean, number, plain_table, problem_line, say, show, stdout
from indicia.domain.errors import Problem
from indicia.services.import_report import FileReport, ImportReport
from indicia.services.imports import Format

_NAMES: Final = {Format.CSV: "CSV file", Format.TEXT: "text list", Format.NDJSON: "JSON lines", None: "file"}
_COUNTS: Final = ("created", "updated", "unchanged", "held", "refused", "conflicts")
# Defender lists them in this order (SPEC 4.2), and scripts compare the sentence.
_DEFENDERS_ORDER: Final = ("Allowed", "Audit", "BlockAndRemediate", "Warn", "Block")
#: No more than this of one kind are shown while there are others, and no more are looked at to tell them apart.
_OF_A_KIND: Final = 5
_LINES_SHOWN: Final = 5
_LOOKED_AT: Final = 20_000


def defenders_sentence(problem: Problem, kind: Format | None) -> str:
    """Return the first line of a failed report, as Defender says it (SPEC 9.20).

    >>> bad = Problem("invalid-action", "…", "Action", "Blok", ("Audit", "Warn", "Block"), line=2)
    >>> print(defenders_sentence(bad, Format.CSV))  # doctest: +NORMALIZE_WHITESPACE
    Failed to parse CSV file. Invalid line: 2, Reason: Error in parsing field Action, value: Blok.
    Possible values: Audit,Warn,Block
    """
    head = f"Failed to parse {_NAMES[kind]}."
    if problem.line is not None:
        head += f" Invalid line: {problem.line},"
    if problem.column is None or problem.line is None:
        return clean(f"{head} Reason: {problem.message}")
    text = f"{head} Reason: Error in parsing field {problem.column}, value: {problem.value or ''}."
    if not problem.allowed:
        return clean(f"{text} {problem.message}")
    order = {name: place for place, name in enumerate(_DEFENDERS_ORDER)}
    allowed = problem.allowed
    if set(allowed) <= set(order):
        allowed = tuple(sorted(allowed, key=order.__getitem__))
    return clean(f"{text} Possible values: {','.join(allowed)}")


def first_error(report: ImportReport) -> Problem | None:
    """Return the first problem that refuses something."""
    return next((problem for problem in report.problems if not problem.warning), None)


def print_json(report: ImportReport, kind: Format | None, *, failed: bool) -> None:
    """Print the report as one JSON document; its problems may be more than memory is large."""
    error = first_error(report) if failed else None
    if error is not None:
        say(defenders_sentence(error, kind))
    out = stdout()
    out.write(orjson.dumps(report.counts())[:-1] + b',"problems":[')
    separator = b"\n"
    for problem in report.problems:
        out.write(separator + orjson.dumps(_encodable(problem.as_dict())))
        separator = b",\n"
    out.write(b"]}\n")
    out.flush()


def _encodable(fields: dict[str, object]) -> dict[str, object]:
    """Return *fields* with what is no good UTF-8 replaced."""
    return {
        name: value.encode("utf-8", "replace").decode() if isinstance(value, str) and not value.isascii() else value
        for name, value in fields.items()
    }


def print_report(
    invocation: Invocation,
    report: ImportReport,
    kind: Format | None,
    *,
    failed: bool,
    dry_run: bool,
    rejects: Sequence[Path],
) -> None:
    """Print problems on stderr, counts on stdout, and what to do next on stderr."""
    error = first_error(report) if report.must_stop else None
    if failed and error is not None:
        say(defenders_sentence(error, kind))
    _print_problems(invocation, report, error)
    if not invocation.quiet:
        for line in _counts(report.files):
            show(line)
        for line in _next_steps(report, failed=failed, dry_run=dry_run, rejects=rejects):
            say(line)


def _counts(files: Sequence[FileReport]) -> list[str]:
    names = ("rows", *_COUNTS)
    counts: dict[str, list[int]] = {}
    for file in files:
        before = counts.get(file.name, [0] * len(names))
        counts[file.name] = [count + getattr(file, name) for count, name in zip(before, names, strict=True)]
    rows = list(counts.items())
    if len(rows) > 1:
        rows.append(("all", [sum(column) for column in zip(*counts.values(), strict=True)]))
    cells = [(name, *(f"{count:,}" for count in each)) for name, each in rows]
    return plain_table(("file", *names), cells, right=range(1, 1 + len(names)))


def _print_problems(invocation: Invocation, report: ImportReport, error: Problem | None) -> None:
    count = len(report.problems)
    if not count:
        return
    looked_at = list(islice(report.problems, _LOOKED_AT))
    if error is not None and all(problem.warning for problem in looked_at):
        looked_at.append(error)
    if invocation.quiet:
        looked_at = [problem for problem in looked_at if not problem.warning]
    most = MOST_PROBLEMS * 10 if invocation.verbose else MOST_PROBLEMS
    groups = grouped(looked_at, most)
    file = None
    for group in groups:
        if group.first.file != file:
            file = group.first.file
            say(f"{clean(file)}:")
        say(f"  {'note' if group.first.warning else 'refused'}: {group}")
    rest = (count if not invocation.quiet else len(looked_at)) - sum(group.count for group in groups)
    if rest > 0:
        say(f"  … and {rest:,} more (--json shows all)")


@dataclass(slots=True)
class Group:
    """Problems of one file that say the same."""

    first: Problem
    lines: list[int]
    count: int = 1

    def __str__(self) -> str:
        if self.count == 1 or not self.lines:
            return problem_line(self.first)
        more = self.count - len(self.lines)
        lines = ", ".join(map(str, self.lines)) + (f" and {more:,} more" if more else "")
        return f"lines {lines}: {problem_line(replace(self.first, line=None))}"


def grouped(problems: Iterable[Problem], most: int) -> list[Group]:
    """Return *most* groups of equal problems, by file: refusals before notes, and all kinds before more of one."""
    groups: dict[tuple[object, ...], Group] = {}
    for problem in problems:
        same = groups.get(key := (problem.file, problem.warning, problem.column, problem.message))
        if same is None:
            groups[key] = Group(problem, [problem.line] if problem.line else [])
            continue
        same.count += 1
        if problem.line and len(same.lines) < _LINES_SHOWN:
            same.lines.append(problem.line)
    kinds: dict[tuple[str, str | None], int] = {}
    ranked = []
    for place, group in enumerate(groups.values()):
        kind = (group.first.code, group.first.column)
        kinds[kind] = kinds.get(kind, 0) + 1
        ranked.append((group.first.warning, kinds[kind] > _OF_A_KIND, place, group))
    chosen = [each[3] for each in sorted(ranked, key=lambda each: each[:3])[:most]]
    return sorted(chosen, key=lambda group: (group.first.file or "", group.first.warning, group.first.line or 0))


def _next_steps(report: ImportReport, *, failed: bool, dry_run: bool, rejects: Sequence[Path]) -> list[str]:
    refused, held = report.total("refused"), report.total("held")
    lines = []
    if report.applied:
        if report.changeset is None:
            lines.append("nothing was new, so nothing was changed")
        else:
            lines.append(f"this is changeset {report.changeset}; `indicia undo {report.changeset}` takes it back")
    elif report.fatal:
        lines.append("nothing was imported; `indicia sample` prints a file that is right")
    elif failed:
        would = "would be" if dry_run else "was"
        lines.append(
            f"nothing {would} imported, because of {number(refused, 'refused row')}: mend what is wrong, or import the"
            " others with --on-error skip"
        )
    elif dry_run:
        lines.append("nothing was changed: this was a dry run")
        lines += [f"doing it takes two people: {reason.message}" for reason in report.takes_two]
    if rejects:
        names = ", ".join(clean(path) for path in rejects)
        lines.append(f"refused rows are in {names}, with their reasons: mend them there and import that file")
    if held and report.applied:
        lines.append(
            f"{number(held, 'indicator')} held back, not enforced: `indicia list --filter \"status eq 'held'\"` lists"
            " them, `indicia release ID --reason TEXT` enforces one"
        )
    return lines
