"""`indicia group`: device groups, their ranks and rules."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import click

from indicia.cli.commands import Group, Invocation, actor, pass_invocation
from indicia.cli.output import clean, number, plain_table, show, show_json

if TYPE_CHECKING:
    from indicia.services.group_preview import Preview
    from indicia.services.groups import GroupRow

_as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")

group_command = Group(
    "group",
    help="""Device groups: add, list, rules, rank, rename, remove, preview.

    A device is in one group: the highest ranked whose rules match it. A scope of an indicator names device groups.""",
    examples=(
        "indicia group add Servers --rank 1 --rule 'name starts with srv-'",
        "indicia group preview --rule 'tag in lab, kiosk' --rule 'os platform is Linux'",
        "indicia group rank Servers 1",
    ),
)

_OPERATORS: Final = {
    "starts with": "startsWith",
    "startswith": "startsWith",
    "ends with": "endsWith",
    "endswith": "endsWith",
    "contains": "contains",
    "is one of": "in",
    "in": "in",
    "is": "equals",
    "equals": "equals",
    "=": "equals",
}
_ROW: Final = re.compile(
    r"\s*(name|domain|tag|os\s?platform)\s+"
    r"(starts with|startswith|ends with|endswith|contains|is one of|in|is|equals|=)\s+(\S.*)",
    re.IGNORECASE,
)


class RuleRow(click.ParamType[Any]):
    """One condition, in words: a field, how it compares, and with what."""

    name = "condition"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, dict):
            return value
        found = _ROW.fullmatch(str(value)[:30_000])
        if found is None:
            self.fail(
                f"{str(value)[:100]!r} is no condition; wanted is a field (name, domain, tag, os platform), how it "
                "compares (is, starts with, ends with, contains, in) and a value, such as 'name starts with srv-'",
                param,
                ctx,
            )
        operator = _OPERATORS[found[2].lower()]
        values = [part.strip() for part in found[3].split(",") if part.strip()] if operator == "in" else [found[3]]
        return {"field": found[1], "operator": operator, "values": values}


_rules = click.option(
    "--rule",
    "rules",
    type=RuleRow(),
    multiple=True,
    metavar="CONDITION",
    help="A condition, such as 'tag in lab, web'; may be repeated: those on one field are alternatives.",
)


@group_command.command("add", examples=("indicia group add Servers --rank 1", "indicia group add Kiosks"))
@click.argument("name")
@click.option("--rank", type=int, metavar="N", help="1 is the highest; default: below all others.")
@click.option("--description", metavar="TEXT", help="What the group is for.")
@_rules
@_as_json
@pass_invocation
def group_add(
    invocation: Invocation,
    name: str,
    rank: int | None,
    description: str | None,
    rules: tuple[dict[str, Any], ...],
    as_json: bool,
) -> None:
    """Add a device group.

    The devices that its rules match are in it at once, but for those of higher ranked groups.
    """
    from indicia.services.groups import add_group

    with invocation.app() as app:
        made = add_group(
            app.database, name, rank, rules=list(rules), description=description, actor=actor(), now=app.now()
        )
    if as_json:
        show_json(made._asdict())
    else:
        show(f"added: {clean(made.name)}, rank {made.rank}")


@group_command.command("list", examples=("indicia group list",))
@_as_json
@pass_invocation
def group_list(invocation: Invocation, as_json: bool) -> None:
    """List the device groups, the highest ranked first."""
    from indicia.services.groups import overview

    with invocation.app() as app:
        found = overview(app.database, actor=actor(), now=app.now())
    if as_json:
        show_json({"groups": [_as_dict(row) for row in found.groups], "ungrouped": found.ungrouped})
        return
    header = ("RANK", "ID", "NAME", "DEVICES", "INDICATORS", "RULES")
    rows = [
        (row.group.rank, row.group.id, row.group.name, row.members, row.indicators, _in_words(row))
        for row in found.groups
    ]
    for line in plain_table(header, rows, right=(0, 1, 3, 4)):
        show(line)
    invocation.tell(f"{number(found.ungrouped, 'device is', 'devices are')} in no device group")
    if not found.groups:
        invocation.tell("there are none; `indicia group add NAME` makes one")


@group_command.command(
    "rules",
    examples=(
        "indicia group rules Servers                                     show them",
        "indicia group rules Servers --rule 'name starts with srv-'      have these in place of them",
        "indicia group rules Servers --none                              no device by itself",
    ),
)
@click.argument("name")
@_rules
@click.option("--none", "none", is_flag=True, help="Take all rules away.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@_as_json
@pass_invocation
def group_rules(
    invocation: Invocation, name: str, rules: tuple[dict[str, Any], ...], none: bool, dry_run: bool, as_json: bool
) -> None:
    """Show the rules of a device group, or have others in place of them."""
    from indicia.services.group_preview import preview
    from indicia.services.groups import change_group, show_group

    if none and rules:
        raise click.UsageError("--none takes all rules away: give no --rule with it", click.get_current_context())
    with invocation.app() as app:
        if dry_run:
            _show_preview(preview(app.database, list(rules), name=name, actor=actor()), as_json=as_json)
            return
        if rules or none:
            changed = change_group(app.database, name, rules=list(rules), actor=actor(), now=app.now())
            invocation.tell(f"{number(changed.moved, 'device is', 'devices are')} in another group now")
        row = show_group(app.database, name, actor=actor(), now=app.now())
    if as_json:
        show_json(_as_dict(row))
        return
    for condition in row.group.rule:
        show(clean(condition))
    if not row.group.rule:
        invocation.tell("it has none: no device is in it by itself")


@group_command.command(
    "preview",
    examples=(
        "indicia group preview --rule 'name starts with srv-'",
        "indicia group preview --rule 'tag is lab' --rank 1 --json",
    ),
)
@click.option("--rank", type=int, metavar="N", help="Of a new group, 1 is the highest; default: below all others.")
@_rules
@_as_json
@pass_invocation
def group_preview(invocation: Invocation, rank: int | None, rules: tuple[dict[str, Any], ...], as_json: bool) -> None:
    """Tell which devices a new device group with these rules would have, and from which groups."""
    from indicia.services.group_preview import preview

    with invocation.app() as app:
        found = preview(app.database, list(rules), rank=rank, actor=actor())
    _show_preview(found, as_json=as_json)


@group_command.command("rank", examples=("indicia group rank Servers 1",))
@click.argument("name")
@click.argument("place", type=int)
@pass_invocation
def group_rank(invocation: Invocation, name: str, place: int) -> None:
    """Put a device group at a place in the order of ranks, 1 is the highest; the others are numbered anew."""
    from indicia.services.groups import change_group

    with invocation.app() as app:
        changed = change_group(app.database, name, rank=place, actor=actor(), now=app.now())
    show(f"rank {changed.group.rank}: {clean(name)}")
    invocation.tell(f"{number(changed.moved, 'device is', 'devices are')} in another group now")


@group_command.command("rename", examples=("indicia group rename Servers 'Servers EU'",))
@click.argument("name")
@click.argument("to")
@pass_invocation
def group_rename(invocation: Invocation, name: str, to: str) -> None:
    """Give a device group another name; the scopes of its indicators name it so at once, by one changeset."""
    from indicia.services.groups import change_group

    with invocation.app() as app:
        changed = change_group(app.database, name, to=to, actor=actor(), now=app.now())
    show(f"renamed: {clean(name)} to {clean(changed.group.name)}")
    invocation.tell(f"{number(changed.renamed, 'indicator names', 'indicators name')} it so now")


@group_command.command("remove", examples=("indicia group remove Servers",))
@click.argument("name")
@pass_invocation
def group_remove(invocation: Invocation, name: str) -> None:
    """Remove a device group; refused while indicators are scoped to it, or somebody is limited to it."""
    from indicia.services.groups import remove_group

    with invocation.app() as app:
        remove_group(app.database, name, actor=actor(), now=app.now())
    show(f"removed: {clean(name)}")


def _as_dict(row: GroupRow) -> dict[str, Any]:
    from indicia.domain.grouping import rule_as_list

    group, members, indicators = row
    return {
        "id": group.id,
        "name": group.name,
        "rank": group.rank,
        "description": group.description,
        "rules": rule_as_list(group.rule),
        "members": members,
        "indicators": indicators,
    }


def _in_words(row: GroupRow) -> str:
    rule = row.group.rule
    more = f", and {len(rule) - 1} more" if len(rule) > 1 else ""
    return f"{rule[0]}{more}" if rule else ""


def _show_preview(found: Preview, *, as_json: bool) -> None:
    if as_json:
        moves = {
            name: [{"group": group, "devices": count} for group, count in getattr(found, name)]
            for name in ("joining", "leaving")
        }
        show_json({"matching": found.matching, "members": found.members, "sample": list(found.sample), **moves})
        return
    show(f"{number(found.members, 'device')} would be in it; the rules match {found.matching:,}")
    for word, moves_of in (("from", found.joining), ("to", found.leaving)):
        for group, count in moves_of:
            show(f"  {word} {clean(group) if group is not None else 'no group'}: {count:,}")
    for name in found.sample:
        show(f"  {clean(name)}")
    if found.members > len(found.sample):
        show(f"  … and {found.members - len(found.sample):,} more")
