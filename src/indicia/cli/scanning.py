"""`indicia scan`: logs through the indicators, one line of JSON per hit."""

from __future__ import annotations

import signal
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from threading import Event
from time import monotonic
from typing import TYPE_CHECKING, Final

import click

from indicia.cli.commands import Invocation, command, pass_invocation
from indicia.cli.output import ACTION_CODES, FAILED, OK, ROWS_REFUSED, clean, json_line, number, say_error, stdout
from indicia.cli.parameters import Name
from indicia.cli.progress import Progress
from indicia.domain.indicator import Action
from indicia.sensors import SENSORS

if TYPE_CHECKING:
    from indicia.app import App
    from indicia.domain.errors import Problem
    from indicia.services.hits import Question, Summary
    from indicia.services.reading import Source
    from indicia.services.scanning import Scan

_POLL_S: Final = 0.25
#: A hit waits no longer than this for others before somebody behind a pipe gets to see it.
_FLUSH_S: Final = 0.2


@command(
    "scan",
    "indicia scan conn.log dns.log.gz",
    "indicia scan '/var/log/zeek/**/*.log.gz' | jq -r .observable | sort | uniq -c",
    "indicia scan - < some.log",
    "indicia scan --follow eve.json --action Block --action BlockAndRemediate",
    "indicia scan --exit-code proxy.csv > hits.jsonl || echo 'look at the hits'",
)
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--format", "format_", type=Name("format", SENSORS), help="What the logs are; default: by their content.")
@click.option("--group", metavar="NAME", help="The device group of the devices; default: none that has a name.")
@click.option("--action", "actions", type=Name("action", Action), multiple=True, help="Only hits with this action.")
@click.option("--max-hits", type=click.IntRange(1), metavar="N", help="Stop after so many hits.")
@click.option("--follow", is_flag=True, help="Go on as the files grow, through rotations; Ctrl-C ends it.")
@click.option("--exit-code", is_flag=True, help="End with 10 (Block), 11 (Warn), 12 (Audit) or 0 (Allowed, nothing).")
@pass_invocation
def scan_command(
    invocation: Invocation,
    files: tuple[str, ...],
    format_: str | None,
    group: str | None,
    actions: tuple[str, ...],
    max_hits: int | None,
    follow: bool,
    exit_code: bool,
) -> int:
    """Find what indicators decide about in logs, and print each hit as a line of JSON.

    Zeek, Suricata EVE, Windows events and Sysmon, Defender hunting, ECS, CSV, JSON and plain text are recognised by
    their content, gzip and zstd too; Parquet and Arrow by the extra `hunt`. - is stdin.
    """
    from indicia.services.hits import Question
    from indicia.services.reading import expand

    sources, problems = expand(files, sys.stdin.buffer)
    if follow and len(sources) > 1 and any(source.path is None for source in sources):
        raise click.UsageError("stdin (-) cannot be followed beside files", click.get_current_context())
    output = _Output(invocation, sources, at_once=follow)
    with invocation.app() as app:
        wanted = frozenset(map(Action, actions)) or frozenset(Action)
        question = Question(group, app.settings.network_precedence, wanted)
        with output.progress, _stopping(follow) as stop:
            found = _scan(app, sources, question, format_, output, stop, follow=follow)
            summary = found.summary
            for problem in problems:
                summary.add(problem)
            for hit in islice(found, max_hits):
                output.stdout.write(json_line(hit.as_dict()))
            output.stdout.flush()
        if app.engine.slow_because:
            invocation.tell(app.engine.slow_because)
    output.problems(summary)
    _report(invocation, summary)
    return _code(summary, exit_code=exit_code)


def _scan(
    app: App,
    sources: list[Source],
    question: Question,
    format: str | None,
    output: _Output,
    stop: Event,
    *,
    follow: bool,
) -> Scan:
    from indicia.services import scanning

    scanning.check_group(app.database, question.group)
    if follow and sources and sources[0].path is not None:
        return scanning.follow(
            sources,
            app.engine,
            clock=app.now,
            wait=lambda: not stop.wait(_POLL_S),
            question=question,
            format=format,
            tell=output.tell,
        )
    return scanning.scan(
        sources,
        app.engine,
        now=app.now(),
        clock=app.now if follow else None,
        question=question,
        format=format,
        tell=output.tell,
        stopped=stop.is_set,
    )


@contextmanager
def _stopping(follow: bool) -> Iterator[Event]:
    """Give what says whether to stop: while files are followed, Ctrl-C and SIGTERM are the way to end, no failure."""
    stop = Event()
    if not follow:
        yield stop
        return
    before = {each: signal.signal(each, lambda *_: stop.set()) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


class _Output:
    """Where hits go, flushed when they have waited, and a bar for somebody who looks at nothing else."""

    def __init__(self, invocation: Invocation, sources: list[Source], *, at_once: bool) -> None:
        self.stdout = stdout()
        looked_at = sys.stderr.isatty() and not sys.stdout.isatty()
        sizes = [_size(source) for source in sources]
        self.progress = Progress(sizes, hidden=invocation.quiet or not looked_at)
        self._flushed = 0.0
        self._before = self._told = 0
        self._file = ""
        self._invocation = invocation
        self._at_once = at_once

    def tell(self, summary: Summary) -> None:
        """Hear how far the scan is."""
        now = monotonic()
        if now - self._flushed > _FLUSH_S:
            self._flushed = now
            self.stdout.flush()
        if summary.file != self._file:
            self._file, self._before = summary.file, summary.records
        self.progress.tell(summary.file, summary.position, summary.records - self._before)
        if self._at_once:
            self.problems(summary)

    def problems(self, summary: Summary) -> None:
        """Print the problems that were not yet."""
        for problem in summary.problems[self._told :]:
            if problem.warning:
                self._invocation.tell(f"note: {_line(problem)}")
            else:
                say_error(_line(problem))
        self._told = len(summary.problems)


def _size(source: Source) -> int | None:
    if source.path is None or not source.path.is_file():
        return None
    return source.path.stat().st_size


def _report(invocation: Invocation, summary: Summary) -> None:
    """Print what the scan came to."""
    shown = Counter(problem.code for problem in summary.problems)
    for code, what in (("record-too-long", "too long"), ("unreadable-record", "not to be read")):
        if summary.counts[code] > shown[code]:
            more = number(summary.counts[code] - shown[code], "more record was", "more records were")
            say_error(f"{more} {what}")
    actions = ", ".join(
        f"{summary.by_action[action]:,} {action}" for action in reversed(Action) if summary.by_action[action]
    )
    invocation.tell(
        f"scanned {number(summary.files, 'file')}, {number(summary.records, 'record')}, {summary.bytes / 1e6:,.1f} MB: "
        + number(summary.hits, "hit")
        + (f" ({actions})" if actions else "")
    )


def _line(problem: Problem) -> str:
    place = f"line {problem.line}: " if problem.line else ""
    return clean(f"{problem.file}: {place}{problem.message}")


def _code(summary: Summary, *, exit_code: bool) -> int:
    if exit_code:
        code = next((code for action, code in ACTION_CODES.items() if summary.by_action[Action(action)]), OK)
        if code:
            return code
    if summary.failed:
        return FAILED
    return ROWS_REFUSED if summary.unreadable or summary.too_long else OK
