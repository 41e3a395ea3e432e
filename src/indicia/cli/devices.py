"""`indicia device`: the devices that registered, and the device group of each."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO

import click

from indicia.cli.commands import Group, Invocation, actor, pass_invocation
from indicia.cli.output import (
    OK,
    ROWS_REFUSED,
    clean,
    json_line,
    number,
    plain_table,
    problem_line,
    say,
    show,
    show_json,
    stdout,
)

if TYPE_CHECKING:
    from indicia.services.devices import Shown

_as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
_LONGEST_FIELD: Final = 16 * 1024
_MOST_SAID: Final = 20
#: Columns of a CSV of devices, in any case and with or without blanks; several tags or addresses between semicolons.
_COLUMNS: Final = {
    "name": "name",
    "computerdnsname": "name",
    "devicename": "name",
    "domain": "domain",
    "machineid": "machineId",
    "id": "machineId",
    "osplatform": "osPlatform",
    "os": "osPlatform",
    "osversion": "osVersion",
    "version": "osVersion",
    "tags": "tags",
    "machinetags": "tags",
    "addresses": "addresses",
    "ipaddresses": "addresses",
    "lastseen": "lastSeen",
}
_LISTS: Final = ("tags", "addresses")

device_command = Group(
    "device",
    help="""Devices: add, import, list, show, tag, remove.

    A device registers by the API, or here; it is in the highest ranked device group whose rules match it.""",
    examples=(
        "indicia device add srv-web-01.corp.example --os Linux --tag web",
        "indicia device import devices.csv",
        "indicia device show srv-web-01",
    ),
)


@device_command.command(
    "add",
    examples=("indicia device add srv-web-01.corp.example --os Linux --tag web", "indicia device add pc-7 --json"),
)
@click.argument("name")
@click.option("--domain", metavar="NAME", help="Default: what follows the first dot of the name.")
@click.option("--machine-id", metavar="HEX", help="40 hexadecimal digits; default: made of name and domain.")
@click.option("--os", "platform", metavar="NAME", help="The platform, such as Windows11 or Linux.")
@click.option("--os-version", metavar="TEXT", help="Its version.")
@click.option("--tag", "tags", multiple=True, metavar="TEXT", help="A tag; may be repeated. Default: as they are.")
@click.option("--address", "addresses", multiple=True, metavar="IP", help="An IP address; may be repeated.")
@_as_json
@pass_invocation
def device_add(
    invocation: Invocation,
    name: str,
    domain: str | None,
    machine_id: str | None,
    platform: str | None,
    os_version: str | None,
    tags: tuple[str, ...],
    addresses: tuple[str, ...],
    as_json: bool,
) -> None:
    """Register a device, or say what is new of one that is registered."""
    from dataclasses import replace

    from indicia.domain.errors import InvalidInput
    from indicia.services.devices import register, show_device

    given = {
        "name": name,
        "domain": domain,
        "machineId": machine_id,
        "osPlatform": platform,
        "osVersion": os_version,
        "tags": list(tags) or None,
        "addresses": list(addresses) or None,
    }
    with invocation.app() as app:
        [outcome] = register(app.database, [given], actor=actor(), now=app.now(), grouping=app.grouping)
        if outcome.device is None:
            raise InvalidInput([replace(problem, line=None) for problem in outcome.problems])
        shown = show_device(app.database, outcome.device.machine_id, actor=actor())
    if as_json:
        show_json({"outcome": outcome.outcome, "device": _as_dict(shown)})
    else:
        show(f"{outcome.outcome}: {clean(shown.device.dns_name)}, {_group(shown)}")


@device_command.command(
    "import", examples=("indicia device import devices.csv", "indicia device import - < devices.csv")
)
@click.argument("file", type=click.Path(path_type=Path))
@_as_json
@pass_invocation
def device_import(invocation: Invocation, file: Path, as_json: bool) -> int:
    """Register the devices of a CSV file, - is stdin: a bad row fails alone, and is named.

    Columns: name, and as wanted domain, machineId, osPlatform, osVersion, tags, addresses, lastSeen; several tags or
    addresses stand between semicolons. An empty cell leaves what is known as it is.
    """
    from indicia.services.devices import MOST_AT_ONCE, register

    counts = dict.fromkeys(("created", "updated", "unchanged", "refused"), 0)
    problems: list[str] = []
    with invocation.app() as app, _opened(file) as text:
        rows = _rows(text, file)
        while part := list(islice(rows, MOST_AT_ONCE)):
            lines = [line for line, _given in part]
            given = [each for _line, each in part]
            for line, outcome in zip(
                lines,
                register(app.database, given, actor=actor(), now=app.now(), grouping=app.grouping),
                strict=True,
            ):
                counts[outcome.outcome] += 1
                problems += [f"{file}: {problem_line(problem.at(line=line))}" for problem in outcome.problems]
    if as_json:
        show_json(counts | {"problems": problems})
    else:
        show(", ".join(f"{count:,} {name}" for name, count in counts.items()))
        for problem in problems[:_MOST_SAID]:
            say(f"error: {problem}")
        if len(problems) > _MOST_SAID:
            say(f"  … and {len(problems) - _MOST_SAID} more")
    return ROWS_REFUSED if counts["refused"] else OK


@device_command.command(
    "list",
    examples=("indicia device list --group Servers", "indicia device list --search web --jsonl | jq -r .name"),
)
@click.option("--search", metavar="TEXT", help="Part of a name, an address, a tag or a machine id.")
@click.option("--group", metavar="NAME", help="A device group.")
@click.option("--ungrouped", is_flag=True, help="Devices in no device group.")
@click.option("--tag", metavar="TEXT", help="A whole tag.")
@click.option("-n", "--limit", type=click.IntRange(1, 1_000_000), default=100, help="The most; default: 100.")
@click.option("--jsonl", "as_lines", is_flag=True, help="Print a JSON object a line.")
@pass_invocation
def device_list(
    invocation: Invocation,
    search: str | None,
    group: str | None,
    ungrouped: bool,
    tag: str | None,
    limit: int,
    as_lines: bool,
) -> None:
    """List devices by name."""
    from indicia.services.devices import count_devices, list_devices
    from indicia.store.devices import Devices

    wanted, of = Devices(search=search, tag=tag), "" if ungrouped else group
    after = None
    left = limit
    rows: list[Shown] = []
    with invocation.app() as app:
        while left > 0:
            page = list_devices(app.database, wanted, actor=actor(), group=of, after=after, limit=min(left, 1_000))
            rows += page.items
            left -= len(page.items)
            after = page.after
            if after is None:
                break
        total = count_devices(app.database, wanted, actor=actor(), group=of)
    if as_lines:
        for row in rows:
            stdout().write(json_line(_as_dict(row)))
        return
    header = ("NAME", "GROUP", "OS", "TAGS", "LAST SEEN")
    cells = [
        (
            row.device.dns_name,
            row.group or "",
            f"{row.device.os_platform} {row.device.os_version or ''}".strip(),
            ", ".join(row.device.tags),
            f"{row.device.last_seen:%Y-%m-%dT%H:%M:%SZ}",
        )
        for row in rows
    ]
    for line in plain_table(header, cells):
        show(line)
    more = "" if total == len(rows) else f" of {total:,}; --limit shows more"
    invocation.tell(f"{number(len(rows), 'device')}{more}")


@device_command.command("show", examples=("indicia device show srv-web-01", "indicia device show srv-web-01 --json"))
@click.argument("device")
@_as_json
@pass_invocation
def device_show(invocation: Invocation, device: str, as_json: bool) -> None:
    """Show a device, by its name, its full name or its machine id, and why it is in its device group."""
    from indicia.services.devices import show_device, why_grouped

    with invocation.app() as app:
        shown = show_device(app.database, device, actor=actor())
        why = why_grouped(app.database, shown.device, actor=actor())
    passed = [{"group": each.group.name, "unmet": each.unmet} for each in why.passed]
    rule = [] if why.group is None else [str(condition) for condition in why.group.rule]
    if as_json:
        show_json(_as_dict(shown) | {"why": {"rule": rule, "passed": passed, "more": why.more}})
        return
    for name, value in _as_dict(shown).items():
        text = ", ".join(value) if isinstance(value, list) else value
        if text:
            show(f"{name:<12}  {clean(text)}")
    show(f"{'why':<12}  {clean('; '.join(rule)) if rule else 'no rule of any device group matches'}")
    for group in why.passed:
        reason = "it has no rules" if group.unmet is None else f"its {group.unmet} does not match"
        show(f"{'not in':<12}  {clean(group.group.name)}, rank {group.group.rank}: {reason}")
    if why.more:
        show(f"{'':<12}  … and {why.more:,} more")


@device_command.command("tag", examples=("indicia device tag srv-web-01 --add lab --remove web",))
@click.argument("device")
@click.option("--add", multiple=True, metavar="TEXT", help="A tag to give it; may be repeated.")
@click.option("--remove", multiple=True, metavar="TEXT", help="A tag to take away; may be repeated.")
@pass_invocation
def device_tag(invocation: Invocation, device: str, add: tuple[str, ...], remove: tuple[str, ...]) -> None:
    """Change the tags of a device; it may be in another device group after that."""
    from indicia.services.devices import tag_device

    with invocation.app() as app:
        shown = tag_device(
            app.database, device, add=add, remove=remove, actor=actor(), now=app.now(), grouping=app.grouping
        )
    show(f"{clean(shown.device.dns_name)}: {clean(', '.join(shown.device.tags)) or 'no tags'}; {_group(shown)}")


@device_command.command("remove", examples=("indicia device remove srv-web-01",))
@click.argument("devices", nargs=-1, required=True, metavar="DEVICE...")
@pass_invocation
def device_remove(invocation: Invocation, devices: tuple[str, ...]) -> None:
    """Forget devices, all or none; one that reports again is a new one."""
    from indicia.services.devices import remove_devices

    with invocation.app() as app:
        gone = remove_devices(app.database, devices, actor=actor(), now=app.now())
    for device in gone:
        show(f"removed: {clean(device.dns_name)}")


def _opened(file: Path) -> Any:
    if str(file) == "-":
        sys.stdin.reconfigure(encoding="utf-8-sig", errors="replace", newline="")  # type: ignore[union-attr]  # stdin of a process is a TextIOWrapper
        return nullcontext(sys.stdin)
    return file.open(encoding="utf-8-sig", errors="replace", newline="")


def _rows(text: TextIO, file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the devices of a CSV, each with its line; what is in unknown columns is passed over."""
    reader = csv.reader(text)
    try:
        header = next(reader, [])
        names = [_COLUMNS.get("".join(cell.split()).replace("_", "").lower()) for cell in header]
        if "name" not in names:
            known = ", ".join(dict.fromkeys(_COLUMNS.values()))
            raise click.UsageError(f"{file} has no column name in its first line; known columns: {known}")
        start = reader.line_num + 1
        for cells in reader:
            line, start = start, reader.line_num + 1
            if any(len(cell) > _LONGEST_FIELD for cell in cells):
                raise click.UsageError(f"{file}, line {line}: a field has over {_LONGEST_FIELD:,} characters")
            given = {name: cell for name, cell in zip(names, cells, strict=False) if name and cell.strip()}
            if given:
                yield line, {name: _items(cell) if name in _LISTS else cell for name, cell in given.items()}
    except csv.Error as error:
        raise click.UsageError(f"{file}, line {reader.line_num}: {error}") from None


def _items(cell: str) -> list[str]:
    return [part.strip() for part in cell.split(";") if part.strip()]


def _group(shown: Shown) -> str:
    return f"in {clean(shown.group)}" if shown.group is not None else "in no device group"


def _as_dict(shown: Shown) -> dict[str, Any]:
    device = shown.device
    return {
        "id": str(device.id),
        "machineId": device.machine_id,
        "name": device.name,
        "domain": device.domain,
        "osPlatform": device.os_platform,
        "osVersion": device.os_version,
        "tags": list(device.tags),
        "addresses": list(device.addresses),
        "group": shown.group,
        "firstSeen": f"{device.first_seen:%Y-%m-%dT%H:%M:%SZ}",
        "lastSeen": f"{device.last_seen:%Y-%m-%dT%H:%M:%SZ}",
        "registeredBy": device.registered_by,
    }
