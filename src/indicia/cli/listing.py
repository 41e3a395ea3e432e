"""`indicia list` and `indicia show`: what there is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import chain, islice
from typing import TYPE_CHECKING, Final, NamedTuple

import click

from indicia.cli.commands import Invocation, actor, command, pass_invocation
from indicia.cli.output import aligned, clean, middle, number, on_terminal, say, show, show_json, stdout
from indicia.cli.parameters import Filter, Moment, Order

if TYPE_CHECKING:
    from indicia.app import App
    from indicia.domain.indicator import StoredIndicator
    from indicia.domain.query import OrderBy, Query
    from indicia.services.indicators import Wanted

HEADER: Final = ("ID", "TYPE", "VALUE", "ACTION", "SEVERITY", "STATUS", "EXPIRES", "TITLE")
_VALUE: Final = HEADER.index("VALUE")
_TITLE: Final = HEADER.index("TITLE")
_NARROWEST: Final = 12
_ROWS_AT_ONCE: Final = 1_000


class _Found(NamedTuple):
    """Indicators as they are read, the numbers of device groups, and whether more remain than were asked for."""

    items: Iterator[StoredIndicator]
    group_ids: dict[str, str]
    more: bool


@command(
    "list",
    "indicia list                                          the first 100",
    "indicia list --filter \"action eq 'Block' and severity ge 'Medium'\"",
    "indicia list --order-by 'expirationTime desc' --limit 20",
    "indicia list --filter \"contains(title, 'Case 12')\" --jsonl | jq -r .indicatorValue",
    "indicia list --at 2026-01-31 --count                  how many there were",
)
@click.option("--filter", "query", type=Filter(), metavar="ODATA", help="Which ones; as the API's $filter.")
@click.option(
    "--limit", type=click.IntRange(0), default=100, metavar="N", help="At most so many; 0: all. Default: 100."
)
@click.option("--order-by", type=Order(), metavar="FIELDS", help="What to sort by, such as 'severity desc, title'.")
@click.option(
    "--at", type=Moment(), metavar="TIME|CHANGESET", help="As it was then: a time, 2d ago, or after a changeset."
)
@click.option("--count", is_flag=True, help="Print how many there are.")
@click.option("--json", "as_json", is_flag=True, help='One JSON document: {"value": […]}.')
@click.option("--jsonl", is_flag=True, help="One JSON object a line, as the API gives them.")
@click.option("--csv", is_flag=True, help="Defender's CSV.")
@pass_invocation
def list_command(
    invocation: Invocation,
    query: Query | None,
    limit: int,
    order_by: tuple[OrderBy, ...] | None,
    at: datetime | int | None,
    count: bool,
    as_json: bool,
    jsonl: bool,
    csv: bool,
) -> None:
    """List indicators, as a table or for programs.

    On a terminal the table is made to fit; elsewhere nothing is cut. Expired indicators are not shown.
    """
    from indicia.services.indicators import Wanted, count_indicators

    if as_json + jsonl + csv > 1:
        raise click.UsageError("--json, --jsonl and --csv exclude each other", click.get_current_context())
    wanted = Wanted(query=query, order_by=order_by or (), at=at)
    with invocation.app() as app:
        now = app.now()
        if count:
            found = count_indicators(app.database, wanted, actor=actor(), now=now)
            show_json({"count": found}) if as_json else show(str(found))
            return
        printers: dict[bool, Callable[[_Found], None]] = {as_json: _print_json, jsonl: _print_lines, csv: _print_csv}
        with _read(app, wanted, now, limit) as read:
            first = next(read.items, None)
            if first is not None:
                read = read._replace(items=chain([first], read.items))
            elif not (as_json or jsonl or csv):
                invocation.tell("there are none that match" if query else "there are none")
                return
            printers.get(True, _print_table)(read)
        if read.more:
            every = count_indicators(app.database, wanted, actor=actor(), now=now)
            invocation.tell(f"the first {limit:,} of {every:,}; --limit 0 shows all")


@contextmanager
def _read(app: App, wanted: Wanted, now: datetime, limit: int) -> Iterator[_Found]:
    from indicia.services.indicators import list_indicators, stream_indicators

    if limit:
        page = list_indicators(app.database, wanted, actor=actor(), now=now, limit=limit)
        yield _Found(iter(page.items), page.group_ids, page.more)
    else:
        with stream_indicators(app.database, wanted, actor=actor(), now=now) as (stored, group_ids):
            yield _Found(stored, group_ids, more=False)


# -- for programs -----------------------------------------------------------------------------------------------------


def _entities(found: _Found) -> Iterator[bytes]:
    import orjson

    from indicia.exporters.entity import entity

    for stored in found.items:
        yield orjson.dumps(entity(stored, found.group_ids))


def _print_json(found: _Found) -> None:
    out = stdout()
    out.write(b'{"value":[')
    separator = b"\n"
    for line in _entities(found):
        out.write(separator + line)
        separator = b",\n"
    out.write(b"]}\n")
    out.flush()


def _print_lines(found: _Found) -> None:
    _pour(line + b"\n" for line in _entities(found))


def _print_csv(found: _Found) -> None:
    from indicia.exporters.defender_csv import CsvWriter

    writer = CsvWriter()
    _pour([writer.header().encode()])
    _pour(line.encode() for line in writer.lines(each.indicator for each in found.items))
    if writer.inexpressible.left_out:
        left_out = number(writer.inexpressible.left_out, "IpRange indicator")
        say(f"{left_out} left out: Defender's columns have no networks")


def _pour(pieces: Iterable[bytes]) -> None:
    out = stdout()
    rest = iter(pieces)
    while some := list(islice(rest, _ROWS_AT_ONCE)):
        out.write(b"".join(some))
    out.flush()


# -- for people -------------------------------------------------------------------------------------------------------


def row_of(stored: StoredIndicator) -> list[str]:
    """Return the cells of one line of the table."""
    indicator = stored.indicator
    expires = f"{indicator.expires_at:%Y-%m-%d %H:%M}" if indicator.expires_at else "never"
    cells = (
        stored.id,
        indicator.type,
        indicator.value,
        indicator.action,
        indicator.severity,
        indicator.status,
        expires,
        indicator.title,
    )
    return [clean(cell) for cell in cells]


def _print_table(found: _Found) -> None:
    if on_terminal():
        _print_fitting(found)
        return
    widths = [len(name) for name in HEADER]
    first = True
    while rows := [row_of(stored) for stored in islice(found.items, _ROWS_AT_ONCE)]:
        for row in rows:
            widths = [max(width, len(cell)) for width, cell in zip(widths, row, strict=True)]
        lines = [list(HEADER), *rows] if first else rows
        show("\n".join(aligned(line, widths, right=[0]) for line in lines))
        first = False


def _print_fitting(found: _Found) -> None:
    """Print tables that are as wide as the terminal: values are cut in the middle, titles at their end."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    styles = {"held": "yellow", "Block": "red", "BlockAndRemediate": "red", "Warn": "yellow", "Allowed": "green"}
    while rows := [row_of(stored) for stored in islice(found.items, _ROWS_AT_ONCE)]:
        value_width, title_width = widths_of(rows, console.width)
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        for place, name in enumerate(HEADER):
            table.add_column(name, justify="right" if place == 0 else "left", no_wrap=True)
        for row in rows:
            row[_VALUE] = middle(row[_VALUE], value_width)
            row[_TITLE] = row[_TITLE] if len(row[_TITLE]) <= title_width else row[_TITLE][: title_width - 1] + "…"
            table.add_row(*(Text(cell, style=styles.get(cell, "")) for cell in row))
        console.print(table)


def widths_of(rows: list[list[str]], width: int) -> tuple[int, int]:
    """Return how wide values and titles may be so that *rows* fit in *width* columns."""
    needed = [max(len(name), *(len(row[place]) for row in rows)) for place, name in enumerate(HEADER)]
    rest = width - sum(needed) + needed[_VALUE] + needed[_TITLE] - 2 * (len(HEADER) - 1) - 2
    value = min(needed[_VALUE], max(_NARROWEST, rest * 3 // 5, rest - needed[_TITLE]))
    return value, max(_NARROWEST, rest - value)


@command("show", "indicia show 17", "indicia show 17 --json | jq .action")
@click.argument("id", type=click.IntRange(1))
@click.option("--json", "as_json", is_flag=True, help="One JSON document, as the API gives it.")
@pass_invocation
def show_command(invocation: Invocation, id: int, as_json: bool) -> None:
    """Show one indicator, with everything that is known about it."""
    from indicia.exporters.entity import entity
    from indicia.services.indicators import show_indicator

    with invocation.app() as app:
        stored, group_ids = show_indicator(app.database, id, actor=actor(), now=app.now())
        if as_json:
            show_json(entity(stored, group_ids))
            return
        indicator = stored.indicator
        fields = entity(stored, group_ids) | {"category": indicator.category}
        if indicator.canonical != indicator.value:
            fields["matched as"] = indicator.canonical
        shown = {name: value for name, value in fields.items() if value not in (None, [], "", False)}
        width = max(map(len, shown))
        for name, value in shown.items():
            text = ", ".join(map(str, value)) if isinstance(value, list) else value
            show(f"{name.ljust(width)}  {clean(text)}")
        reason = app.guard.reason(indicator.type, indicator.canonical)
        if indicator.status == "held" and reason is not None:
            invocation.tell(f"held: {reason.message}; `indicia release {id} --reason TEXT` enforces it all the same")
