"""`indicia export` and `indicia sample`: indicators out, in Defender's CSV."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

import click

from indicia.cli.commands import Invocation, actor, clock, command, pass_invocation
from indicia.cli.output import number, stdout
from indicia.cli.parameters import Filter, Moment

if TYPE_CHECKING:
    from indicia.domain.query import Query
    from indicia.exporters.defender_csv import CsvWriter

_LINES_AT_ONCE: Final = 1_000


@command(
    "export",
    "indicia export > indicators.csv                       everything",
    "indicia export -o blocked.csv --filter \"action eq 'Block'\"",
    "indicia export -o all.csv --batch 500                 all-0001.csv, all-0002.csv …, as Defender takes them",
    "indicia export --full --at 2026-01-31 > then.csv      with our own columns, as it was",
)
@click.option("-o", "--output", metavar="FILE", type=click.Path(path_type=Path), help="Write there; default: stdout.")
@click.option("--filter", "query", type=Filter(), metavar="ODATA", help="Which ones; as the API's $filter.")
@click.option(
    "--at", type=Moment(), metavar="TIME|CHANGESET", help="As it was then: a time, 2d ago, or after a changeset."
)
@click.option("--batch", type=click.IntRange(1), metavar="N", help="Several files of N rows each; Defender takes 500.")
@click.option("--full", is_flag=True, help="With our own columns, so that nothing is lost.")
@click.option("--raw", is_flag=True, help="Not made safe for spreadsheets: cells may begin with = + - @.")
@pass_invocation
def export_command(
    invocation: Invocation,
    output: Path | None,
    query: Query | None,
    at: datetime | int | None,
    batch: int | None,
    full: bool,
    raw: bool,
) -> None:
    """Export indicators as the CSV that Defender and `indicia import` read.

    A failed export leaves nothing half-written. What the twelve columns cannot say is told on stderr; --full keeps it.
    """
    from indicia.exporters.defender_csv import CsvWriter
    from indicia.services.indicators import Wanted, stream_indicators

    if batch is not None and output is None:
        raise click.UsageError("--batch writes several files: --output must name them", click.get_current_context())
    writer = CsvWriter(full=full, guarded=not raw)
    wanted = Wanted(query=query, at=at)
    with (
        invocation.app() as app,
        stream_indicators(app.database, wanted, actor=actor(), now=app.now()) as (stored, _group_ids),
    ):
        rows = 0

        def counted() -> Iterator[str]:
            nonlocal rows
            for line in writer.lines(each.indicator for each in stored):
                rows += 1
                yield line

        try:
            files = list(_files(output, batch, writer.header(), counted()))
        finally:
            asked = {"filter": str(query) if query is not None else None, "at": at}
            details = {"rows": rows, "format": "csv", **asked}
            app.audit.note("export", actor=actor(), now=app.now(), details=details, subject="indicators")
    if output is not None:
        count = sum(rows for _path, rows in files)
        names = f"{files[0][0]} to {files[-1][0]}" if len(files) > 1 else f"{files[0][0]}"
        invocation.tell(f"{number(count, 'indicator')} written to {names}")
    _tell_of_losses(invocation, writer)


def _tell_of_losses(invocation: Invocation, writer: CsvWriter) -> None:
    lost = writer.inexpressible
    if lost.left_out:
        invocation.tell(
            f"{number(lost.left_out, 'IpRange indicator')} left out: Defender's columns have no networks (--full has)"
        )
    if lost.lost_properties:
        invocation.tell(
            f"{number(lost.lost_properties, 'indicator')} lost properties that Defender's columns do not have"
            " (--full keeps them)"
        )


def _files(output: Path | None, batch: int | None, header: str, lines: Iterator[str]) -> Iterator[tuple[Path, int]]:
    """Write all files and yield their names and rows; where one fails, none is there."""
    if output is None:
        _write(stdout(), header, lines)
        return
    if batch is None:
        with _whole(output) as out:
            rows = _write(out, header, lines)
        yield output, rows
        return
    finished: list[tuple[Path, Path, int]] = []
    try:
        while (first := next(lines, None)) is not None or not finished:
            path = output.with_name(f"{output.stem}-{len(finished) + 1:04d}{output.suffix}")
            some = islice(chain([first], lines), batch) if first is not None else iter(())
            part = _beside(path)
            finished.append((part, path, 0))
            with part.open("xb") as out:
                rows = _write(out, header, some)
                os.fsync(out.fileno())
            finished[-1] = (part, path, rows)
    except BaseException:
        for part, _path, _rows in finished:
            part.unlink(missing_ok=True)
        raise
    for part, path, rows in finished:
        part.replace(path)
        yield path, rows


@contextmanager
def _whole(path: Path) -> Iterator[BinaryIO]:
    """Give a file that takes its place only when it is finished; what is no plain file is written as it comes."""
    path = path.resolve() if path.is_symlink() else path
    if path.exists() and not stat.S_ISREG(path.stat().st_mode):
        with path.open("wb") as out:
            yield out
        return
    part = _beside(path)
    try:
        with part.open("xb") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        part.replace(path)
    except BaseException as error:
        part.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename == str(part):
            error.filename = str(path)
        raise


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.part")


def _write(out: BinaryIO, header: str, lines: Iterable[str]) -> int:
    """Write *header* and *lines* and return how many lines there were."""
    rows = 0
    out.write(header.encode())
    rest = iter(lines)
    while some := list(islice(rest, _LINES_AT_ONCE)):
        out.write("".join(some).encode("utf-8"))
        rows += len(some)
    out.flush()
    return rows


@command("sample", "indicia sample > sample.csv && indicia import sample.csv")
def sample_command() -> None:
    """Print a sample CSV that can be imported.

    It has Defender's twelve columns and a row for each type that Defender takes. The values are those that
    documentation may use; they stand for nothing real.
    """
    from indicia.services.samples import sample_csv

    out = stdout()
    out.write(sample_csv(clock()))
    out.flush()
