"""`indicia check`: what the indicators decide about values, and why."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from datetime import datetime
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from indicia.cli.commands import Invocation, actor, command, pass_invocation
from indicia.cli.output import ACTION_CODES, OK, ROWS_REFUSED, clean, number, show, show_json
from indicia.cli.parameters import Moment, Name
from indicia.domain.matching import keys_of, parts_of
from indicia.domain.observable import Observable, ObservableType

if TYPE_CHECKING:
    from indicia.domain.indicator import StoredIndicator
    from indicia.services.verdicts import Explained

_LONGEST_LINE: Final = 64 * 1024
#: Fewer values are looked up in the store before a snapshot is opened and has caught up.
_MANY: Final = 100


@command(
    "check",
    "indicia check evil.example 203.0.113.7",
    "indicia check 'hxxps://evil[.]example/login' --group Servers",
    "indicia check evil.example --device srv-web-01        by the device group that it is in",
    "indicia check --file seen.txt --json | jq -r '.[] | select(.action) | .value'",
    "indicia check evil.example --at 2026-01-31            what it would have been then",
    "indicia check --exit-code evil.example || echo 'not allowed'",
)
@click.argument("values", nargs=-1, metavar="[VALUE]...")
@click.option("-f", "--file", type=click.Path(path_type=Path), metavar="FILE", help="One value a line; - is stdin.")
@click.option("--type", "kind", type=Name("type", ObservableType), help="What the values are; default: detected.")
@click.option("--group", metavar="NAME", help="The device group of the device; default: none that has a name.")
@click.option("--device", metavar="NAME", help="The device, by name or machine id, in place of its group.")
@click.option("--at", type=Moment(), metavar="TIME|CHANGESET", help="As it was then.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list of verdicts, as POST /v1/verdicts has them.")
@click.option("--exit-code", is_flag=True, help="End with 10 (Block), 11 (Warn), 12 (Audit) or 0 (Allowed, nothing).")
@pass_invocation
def check_command(
    invocation: Invocation,
    values: tuple[str, ...],
    file: Path | None,
    kind: str | None,
    group: str | None,
    device: str | None,
    at: datetime | int | None,
    as_json: bool,
    exit_code: bool,
) -> int:
    """Tell what would happen to values, and why: each indicator that matches, whether it decides, and the reason.

    A name is matched by its parents too, an address by the networks around it, a URL also by its host. Defanged values
    are mended.
    """
    from indicia.exporters.verdict import verdict_as_dict
    from indicia.services.verdicts import MOST_VALUES, explain

    # One more than may be asked about is enough to be told so, however long the file is.
    asked = list(islice(chain(values, _lines(file) if file is not None else ()), MOST_VALUES + 1))
    if not asked:
        raise click.UsageError("give a value, or --file with one a line", click.get_current_context())
    with invocation.app() as app:
        found = explain(
            app.database,
            asked,
            actor=actor(),
            now=app.now(),
            guard=app.guard,
            group=group,
            device=device,
            at=at,
            kind=None if kind is None else ObservableType(kind),
            precedence=app.settings.network_precedence,
            engine=app.engine if len(asked) >= _MANY else None,
        )
    if as_json:
        shapes = [
            verdict_as_dict(*each, indicators=found.indicators, group_ids=found.group_ids, snapshot=found.snapshot)
            for each in found.verdicts
        ]
        show_json(shapes)
    else:
        for each in found.verdicts:
            _show(each, found.indicators, detected=kind is None)
    unread = sum(each.seen is None for each in found.verdicts)
    if unread:
        invocation.tell(f"{number(unread, 'value is', 'values are')} of no type that is known")
    if exit_code:
        actions = {each.verdict.action for each in found.verdicts}
        code = next((code for action, code in ACTION_CODES.items() if action in actions), OK)
        if code:
            return code
    return ROWS_REFUSED if unread else OK


def _lines(path: Path) -> Iterator[str]:
    """Yield the values of a file, `-` is stdin; comments and empty lines are passed over, long lines cut."""
    with nullcontext(sys.stdin.buffer) if str(path) == "-" else path.open("rb") as file:
        goes_on = False
        while line := file.readline(_LONGEST_LINE):
            text = "" if goes_on else line.decode("utf-8", "replace").strip().lstrip("\ufeff")
            goes_on = not line.endswith(b"\n")
            if text and not text.startswith("#"):
                yield text


def _show(explained: Explained, indicators: Mapping[int, StoredIndicator], *, detected: bool) -> None:
    value, seen, verdict, notes = explained
    read = "of no type" if seen is None else f"{seen.type} {clean(seen.value)}"
    show(f"{clean(value)}  ({read})")
    if verdict.winner is not None:
        alert = ", with an alert" if verdict.alert else ""
        title = indicators[verdict.winner.id].indicator.title
        ends = verdict.winner.expires_at
        until = "" if ends is None else f", until {ends:%Y-%m-%dT%H:%M:%SZ}"
        show(f"  {verdict.action}, by indicator {verdict.winner.id}: {clean(title)}{alert}{until}")
    elif seen is not None:
        show("  nothing: no indicator decides" if verdict.considered else "  nothing: no indicator matches")
    if seen is not None:
        show(f"  tried   {clean(_tried(seen, detected=detected))}")
    for match, outcome, because in sorted(verdict.considered, key=lambda each: (each.outcome != "won", each.outcome)):
        rule = f"{match.rule.id} {match.rule.action} {clean(match.rule.canonical)}"
        show(f"  {outcome:<8}{rule}: {because}")
    for note in notes:
        show(f"  note    {clean(note.message)}")


def _tried(seen: Observable, *, detected: bool) -> str:
    """Return the values that *seen* was looked up as; of long lists how many."""
    tried = []
    for part in parts_of(seen):
        above = [key.value for key in keys_of(part)][1:]
        match part.type:
            case ObservableType.DOMAIN_NAME if above:
                tried.append(", ".join([part.value, *above]))
            case ObservableType.IP_ADDRESS | ObservableType.IP_RANGE:
                tried.append(f"{part.value} and the networks around it")
            case ObservableType.URL if above:
                tried.append(f"{part.value} and {number(len(above), 'URL', 'URLs')} above it or by another scheme")
            case ObservableType.FILE_SHA1 if detected:
                tried.append(f"{part.value}, of a file and of a certificate")
            case _:
                tried.append(part.value)
    return "; ".join(tried)
