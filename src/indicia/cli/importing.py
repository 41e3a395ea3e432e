"""What `indicia import` does: files opened and told apart, the import run, its report printed."""

from __future__ import annotations

import secrets
import stat
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from io import BufferedReader, RawIOBase
from os import fstat
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import click

from indicia.app import App
from indicia.cli.commands import Invocation, actor
from indicia.cli.output import FAILED, OK, ROWS_REFUSED, say_error
from indicia.cli.progress import Progress
from indicia.cli.report import print_json, print_report
from indicia.cli.rows import Rows
from indicia.cli.waiting import parts_of, tell_proposed
from indicia.domain.draft import Draft
from indicia.domain.errors import Conflict, InvalidInput, Problem
from indicia.services.import_detecting import HEAD_BYTES, detect
from indicia.services.import_report import FileReport, ImportReport
from indicia.services.imports import Format, Options, Source, import_indicators
from indicia.services.planned_imports import plan_import, planned_import
from indicia.services.policy import is_for_two
from indicia.services.proposals import propose
from indicia.services.requests import import_of


class Input(NamedTuple):
    """One file to import: its name, its first bytes, all of it, and its size where that is known."""

    name: str
    head: bytes
    stream: BinaryIO
    size: int | None


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody asks `indicia import` for; ``format`` is None where the files cannot be read at all."""

    inputs: Sequence[Input]
    format: Format | None
    dry_run: bool
    strict: bool
    skip: bool
    rejects: Path | None
    plan: Path | None
    as_json: bool
    reason: str | None
    defaults: Draft
    propose: bool = False


# -- what the files are -----------------------------------------------------------------------------------------------


class _Rejoined(RawIOBase):
    """A stream that cannot go back, with the bytes before it that were read already."""

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        self._head = head
        self._rest = rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self._head[: len(buffer)] or self._rest.read(len(buffer))
        self._head = self._head[len(buffer) :]
        buffer[: len(piece)] = piece
        return len(piece)


@contextmanager
def opened(names: Sequence[str]) -> Iterator[list[Input]]:
    """Open every file before any is read; raises what the system says about the first that cannot be."""
    if names.count("-") > 1:
        raise click.UsageError("stdin (-) can be read once")
    with ExitStack() as stack:
        inputs = []
        for name in names:
            if name == "-":
                inputs.append(_input("stdin", sys.stdin.buffer))
            else:
                inputs.append(_input(name, stack.enter_context(Path(name).open("rb"))))
        yield inputs


def _input(name: str, stream: BinaryIO) -> Input:
    head = stream.read(HEAD_BYTES)
    size = None
    try:
        found = fstat(stream.fileno())
        size = found.st_size if stat.S_ISREG(found.st_mode) else None
    except OSError:  # a stream without a file under it
        pass
    if stream.seekable():
        stream.seek(0)
        return Input(name, head, stream, size)
    return Input(name, head, BufferedReader(_Rejoined(head, stream), HEAD_BYTES), size)


def format_of(inputs: Sequence[Input], named: str, otherwise: str) -> Format | None:
    """Return the one format that all files have, *otherwise* where all are empty, None where one is no text at all."""
    if named != "auto":
        return Format(named)
    whats = {each.name: detect(each.head) for each in inputs}
    if any(what.problem for what in whats.values()):
        return None
    found = {name: what.format for name, what in whats.items() if what.format is not None}
    if len(set(found.values())) > 1:
        told = ", ".join(f"{name} is {kind.value}" for name, kind in found.items())
        raise click.UsageError(f"the files of one call have to be of one format, and {told}")
    return next(iter(found.values()), Format(otherwise))


def _not_a_text(each: Input) -> Problem | None:
    """Return why a file cannot hold indicators, seen by its first bytes."""
    what = detect(each.head)
    if what.problem is None or what.unpack is None:
        return what.problem and what.problem.at(file=each.name)
    message = f"the file is compressed; unpack it first: {what.unpack} {each.name} | indicia import -"
    return replace(what.problem, message=message, file=each.name)


# -- the import -------------------------------------------------------------------------------------------------------


def run(invocation: Invocation, request: Request) -> int:
    """Import what is asked for, print the report and return the exit code."""
    _check_outputs(request)
    if request.format is None:
        return _print(invocation, request, _unreadable(request.inputs), None)
    options = Options(
        request.format, request.strict, request.skip, request.dry_run, request.reason, request.defaults, apart=True
    )
    sources = [Source(each.name, each.stream) for each in request.inputs]
    sizes = [each.size for each in request.inputs]
    with (
        invocation.app() as app,
        Progress(sizes, hidden=invocation.quiet) as progress,
        Rows(_rejects(request), request.plan, progress) as rows,
    ):
        now = app.now()
        try:
            if request.propose and not request.dry_run:
                return _propose(invocation, app, request, options, now)
            report = import_indicators(
                app.database,
                sources,
                options,
                actor=actor(),
                now=now,
                guard=app.guard,
                listener=rows,
                policy=app.policy,
            )
        except Conflict as error:
            if not is_for_two(error):
                raise
            return _propose(invocation, app, request, options, now)
    with report.problems:
        try:
            return _print(invocation, request, report, rows)
        except BrokenPipeError:
            raise
        except OSError as error:
            if report.changeset is None:
                raise
            say_error(f"the report could not be printed ({error.strerror}), but the import is done")
            invocation.tell(f"this is changeset {report.changeset}; `indicia undo {report.changeset}` takes it back")
            return FAILED


def _propose(invocation: Invocation, app: App, request: Request, options: Options, now: datetime) -> int:
    """Keep the file, and leave its import as a proposal."""
    if len(request.inputs) > 1 or not request.inputs[0].stream.seekable():
        message = "this takes a second person, and what waits is one file: import them one by one, each from a file"
        raise InvalidInput([Problem("one-file-at-a-time", message)])
    [only] = request.inputs
    only.stream.seek(0)
    import_id, who = secrets.token_hex(8), actor()
    report = plan_import(
        app.database,
        Source(only.name, only.stream),
        options,
        import_id=import_id,
        actor=who,
        now=now,
        guard=app.guard,
        policy=app.policy,
    )
    with report.problems:
        if report.fatal or (report.must_stop and not request.skip):
            return _print(invocation, request, report, None)
    asked = import_of(planned_import(app.database, import_id, actor=who))
    made = propose(app.database, asked, actor=who, now=now, parts=parts_of(app), reason=request.reason)
    tell_proposed(invocation, made, as_json=request.as_json)
    return OK


def _print(invocation: Invocation, request: Request, report: ImportReport, rows: Rows | None) -> int:
    failed = report.fatal or (report.must_stop and not request.skip)
    if request.as_json:
        print_json(report, request.format, failed=failed)
    else:
        written = rows.rejects_written if rows else ()
        print_report(invocation, report, request.format, failed=failed, dry_run=request.dry_run, rejects=written)
    return ROWS_REFUSED if report.must_stop else OK


def _unreadable(inputs: Sequence[Input]) -> ImportReport:
    report = ImportReport(files=[FileReport(each.name) for each in inputs], fatal=True)
    report.problems.extend(filter(None, map(_not_a_text, inputs)))
    return report


def _rejects(request: Request) -> dict[str, Path]:
    """Return where the refused rows of each file go."""
    if request.rejects is not None:
        return {each.name: request.rejects for each in request.inputs}
    if not request.skip or request.dry_run:
        return {}
    return {each.name: Path(f"{each.name}.rejects.csv") for each in request.inputs}


def _check_outputs(request: Request) -> None:
    """Refuse to write over what is about to be read."""
    for option, path in (("--rejects", request.rejects), ("--plan", request.plan)):
        if path is not None and any(
            each.name != "stdin" and path.exists() and path.samefile(each.name) for each in request.inputs
        ):
            raise click.UsageError(f"{option} {path} is one of the files to import", click.get_current_context())
    if request.plan is not None and request.plan == request.rejects:
        raise click.UsageError("--plan and --rejects name the same file", click.get_current_context())
