"""The tree of commands: a table, so that `indicia --help` loads none of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import click

from indicia.cli.commands import Lazy, LazyGroup

_IN_OUT: Final = "In and out"
_INDICATORS: Final = "Indicators"
_PAST: Final = "What was done"
_SYSTEM: Final = "Running Indicia"

COMMANDS: Final[Mapping[str, Lazy]] = {
    "import": Lazy(_IN_OUT, "imports", "Import files of indicators."),
    "export": Lazy(_IN_OUT, "exports", "Export indicators as CSV."),
    "sample": Lazy(_IN_OUT, "exports", "Print a sample CSV that can be imported."),
    "list": Lazy(_INDICATORS, "listing", "List indicators."),
    "show": Lazy(_INDICATORS, "listing", "Show one indicator."),
    "add": Lazy(_INDICATORS, "indicators", "Add indicators by their values."),
    "edit": Lazy(_INDICATORS, "indicators", "Change one indicator."),
    "delete": Lazy(_INDICATORS, "indicators", "Delete indicators."),
    "release": Lazy(_INDICATORS, "indicators", "Enforce indicators that are held."),
    "check": Lazy(_INDICATORS, "checking", "Tell what would happen to values, and why."),
    "scan": Lazy(_INDICATORS, "scanning", "Find what indicators decide about in logs."),
    "history": Lazy(_PAST, "changes", "Show what was changed, by whom and why."),
    "undo": Lazy(_PAST, "changes", "Take a changeset back."),
    "proposal": Lazy(_PAST, "proposals", "Changes that wait for a second person."),
    "verify": Lazy(_PAST, "audit", "Prove that the history was not altered."),
    "audit": Lazy(_PAST, "audit", "What happened: list, export, check, key."),
    "serve": Lazy(_SYSTEM, "serving", "Serve the portal and the API."),
    "user": Lazy(_SYSTEM, "people", "People who sign in: add, list, reset, disable."),
    "app": Lazy(_SYSTEM, "clients", "API clients: add, list, show, rotate, revoke."),
    "key": Lazy(_SYSTEM, "clients", "API keys of people: add, list, rotate, revoke."),
    "device": Lazy(_SYSTEM, "devices", "Devices: add, import, list, show, tag, remove."),
    "group": Lazy(_SYSTEM, "groups", "Device groups: add, list, rules, rank, rename, remove."),
    "db": Lazy(_SYSTEM, "database", "The database: upgrade it, copy it to another one."),
    "backup": Lazy(_SYSTEM, "database", "Write everything in the database to a file."),
    "restore": Lazy(_SYSTEM, "database", "Fill an empty database with a backup."),
    "doctor": Lazy(_SYSTEM, "doctor", "Check that everything is in order."),
    "completion": Lazy(_SYSTEM, "completion", "Print a script that completes commands in your shell."),
    "help": Lazy(_SYSTEM, "completion", "Show the help of a command."),
}


def _version(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value and not context.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"indicia {version('indicia')}")
        context.exit()


root = LazyGroup(
    "indicia",
    lazy=COMMANDS,
    help="""Manage indicators of compromise.

    Data goes to stdout, messages go to stderr. Exit codes: 0 ok, 1 failed, 2 usage, 3 some rows were refused,
    4 forbidden, 5 not found, 6 conflict, 75 not available now, 130 interrupted.""",
    examples=(
        "indicia sample > sample.csv        a file to begin with",
        "indicia import sample.csv          check it and import it",
        "indicia list                       what is there now",
        "indicia undo 1                     take it back",
    ),
    params=[
        click.Option(
            ["--version"], is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version."
        )
    ],
)


def tree(group: Any = root, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], click.Command]]:
    """Return every command with its words, groups too; loads them all."""
    context = click.Context(group)
    found: list[tuple[tuple[str, ...], click.Command]] = []
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        found.append(((*path, name), command))
        if isinstance(command, click.Group):
            found += tree(command, (*path, name))
    return found
