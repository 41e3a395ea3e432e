"""`indicia app` and `key`: API clients, and the keys with which people's own programs come."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import click

from indicia.cli.commands import Group, Invocation, actor, clock, pass_invocation
from indicia.cli.output import clean, plain_table, show, show_json
from indicia.cli.parameters import Name
from indicia.domain.access import Grant, Permission

if TYPE_CHECKING:
    from indicia.services.api_keys import NewKey, Owned
    from indicia.store.applications import Application

_SHOWN_ONCE: Final = "is shown this once and kept nowhere"
_SPAN: Final = re.compile(r"(\d{1,6})(d|h)?")

_as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


class Span(click.ParamType[timedelta | None]):
    """A time such as 90d or 24h; a bare number counts the unit that is usual for it."""

    def __init__(self, name: str, unit: str, *, never: bool) -> None:
        self.name = name
        self._unit = unit
        self._never = never

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta | None:
        text = str(value).strip().lower()
        if self._never and text == "never":
            return None
        found = _SPAN.fullmatch(text)
        if found is None:
            allowed = "a number of days such as 90d, or never" if self._never else "a time such as 24h, 2d or 0"
            self.fail(f"{str(value)[:100]!r} is no time; allowed: {allowed}", param, ctx)
        number, unit = int(found[1]), found[2] or self._unit
        if self._never and (unit != "d" or not number):
            self.fail(f"{str(value)[:100]!r} is no number of days; allowed: from 1d, or never", param, ctx)
        return timedelta(days=number) if unit == "d" else timedelta(hours=number)


def _expires(default: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return click.option(
        "--expires",
        type=Span("DAYS", "d", never=True),
        default=default,
        help=f"After how many days it ends, such as 90d, or never; default: {default}.",
    )


_grace = click.option(
    "--grace",
    type=Span("TIME", "h", never=False),
    default="24h",
    help="For how long the secret before is good, such as 24h or 2d; 0 if it was stolen; default: 24h.",
)
_groups = click.option(
    "--group", "groups", multiple=True, metavar="NAME", help="A device group that it is limited to. May be repeated."
)

app_command = Group(
    "app",
    help="""API clients: add, list, show, rotate, revoke.

    An API client has an id and a secret, for which the server gives it a token. For a program of one person a key is
    simpler: `indicia key`.""",
    examples=("indicia app add soar", "indicia app list", "indicia app rotate 5f0c…", "indicia app revoke 5f0c…"),
)
key_command = Group(
    "key",
    help="""API keys of people: add, list, rotate, revoke.

    A key lets a program do what its person may, or less. People make their own in the portal, under Settings.""",
    examples=(
        "indicia key add backup-script --user ada --expires 30d",
        "indicia key list",
        "indicia key rotate k3jq0v9x2m1a",
        "indicia key revoke k3jq0v9x2m1a",
    ),
)


# -- API clients ------------------------------------------------------------------------------------------------------


@app_command.command(
    "add",
    examples=(
        "indicia app add soar",
        "indicia app add feed --scope Ti.ReadWrite --expires 365d --json",
        "indicia app add agents --scope Machine.ReadWrite.All --group Servers",
    ),
)
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    type=Name("permission", Grant),
    multiple=True,
    help="What it may do; default: Ti.ReadWrite.All. May be repeated.",
)
@_groups
@_expires("never")
@_as_json
@pass_invocation
def app_add(
    invocation: Invocation,
    name: str,
    scopes: tuple[str, ...],
    groups: tuple[str, ...],
    expires: timedelta | None,
    as_json: bool,
) -> None:
    """Add an API client and print its secret, once.

    Ti.ReadWrite sees and changes the indicators that it created itself, Ti.ReadWrite.All every one, Ti.Read.All reads.
    Machine.… is for devices and their groups, Audit.Read.All for the history, Indicia.Administer for everything.
    """
    from indicia.services.applications import add_application

    with invocation.app() as app:
        made = add_application(
            app.database, name, scopes, actor=actor(), now=clock(), groups=groups or None, days=_days(expires)
        )
    _show_secret(invocation, made._asdict(), "the secret", as_json=as_json)


@app_command.command("list", examples=("indicia app list",))
@_as_json
@pass_invocation
def app_list(invocation: Invocation, as_json: bool) -> None:
    """List the API clients, revoked ones too."""
    from indicia.services.applications import list_applications

    with invocation.app() as app:
        rows = [_app_row(each) for each in list_applications(app.database, actor=actor())]
    if as_json:
        show_json({"applications": rows})
        return
    shown = ("client_id", "name", "permissions", "groups", "expires_at", "last_used_at", "revoked_at")
    header = ("CLIENT ID", "NAME", "PERMISSIONS", "GROUPS", "EXPIRES", "LAST USED", "REVOKED")
    _show_table(header, [[row[name] for name in shown] for row in rows])
    if not rows:
        invocation.tell("there are none; `indicia app add NAME` makes one")


@app_command.command("show", examples=("indicia app show 5f0c1a2e-…",))
@click.argument("client_id")
@_as_json
@pass_invocation
def app_show(invocation: Invocation, client_id: str, as_json: bool) -> None:
    """Show one API client: what it may do, until when, and when it was used last."""
    from indicia.services.applications import show_application

    with invocation.app() as app:
        row = _app_row(show_application(app.database, client_id, actor=actor()))
    if as_json:
        show_json(row)
        return
    for name, value in row.items():
        show(f"{name:<14}  {_cell(value)}")


@app_command.command("rotate", examples=("indicia app rotate 5f0c1a2e-…", "indicia app rotate 5f0c1a2e-… --grace 0"))
@click.argument("client_id")
@_grace
@_as_json
@pass_invocation
def app_rotate(invocation: Invocation, client_id: str, grace: timedelta, as_json: bool) -> None:
    """Give an API client a new secret; the one before is good for a day more, unless told otherwise.

    A client that ends gets as much time again as it had. Tokens that were given for the secret before end with it.
    """
    from indicia.services.applications import rotate_application

    with invocation.app() as app:
        made = rotate_application(app.database, client_id, actor=actor(), now=clock(), grace=grace)
    _show_secret(invocation, made._asdict(), "the secret", as_json=as_json)


@app_command.command("revoke", examples=("indicia app revoke 5f0c1a2e-…",))
@click.argument("client_id")
@pass_invocation
def app_revoke(invocation: Invocation, client_id: str) -> None:
    """Revoke an API client: its secret and its tokens stop working at once."""
    from indicia.services.applications import revoke_application

    with invocation.app() as app:
        revoked = revoke_application(app.database, client_id, actor=actor(), now=clock())
    show(f"revoked: {clean(revoked.name)}")


# -- keys -------------------------------------------------------------------------------------------------------------


@key_command.command(
    "add",
    examples=(
        "indicia key add backup-script --user ada",
        "indicia key add dashboard --user ada --permission indicators.read --expires 365d --json",
    ),
)
@click.argument("name")
@click.option("--user", "person", required=True, metavar="NAME", help="Whose key it is; changes by it are theirs.")
@click.option(
    "--permission",
    "permissions",
    type=Name("permission", Permission),
    multiple=True,
    help="What it may do of what its person may; default: all of that. May be repeated.",
)
@_groups
@_expires("90d")
@_as_json
@pass_invocation
def key_add(
    invocation: Invocation,
    name: str,
    person: str,
    permissions: tuple[str, ...],
    groups: tuple[str, ...],
    expires: timedelta | None,
    as_json: bool,
) -> None:
    """Add a key for somebody and print it, once.

    Its changes are theirs in the history; what they may no longer do, it may not either.
    """
    from indicia.services.api_keys import add_key

    with invocation.app() as app:
        made = add_key(
            app.database,
            name,
            actor=actor(),
            now=clock(),
            permissions=permissions or None,
            groups=groups or None,
            days=_days(expires),
            person=person,
        )
    _show_key(invocation, made, as_json=as_json)


@key_command.command("list", examples=("indicia key list", "indicia key list --user ada"))
@click.option("--user", "person", metavar="NAME", help="Those of one person.")
@_as_json
@pass_invocation
def key_list(invocation: Invocation, person: str | None, as_json: bool) -> None:
    """List everybody's keys, revoked ones too."""
    from indicia.services.api_keys import all_keys
    from indicia.services.people import name_key

    with invocation.app() as app:
        found = all_keys(app.database, actor=actor())
    rows = [_key_row(each) for each in found if person is None or name_key(each.person.name) == name_key(person)]
    if as_json:
        show_json({"keys": rows})
        return
    shown = ("id", "name", "user", "permissions", "expires_at", "last_used_at", "revoked_at")
    header = ("ID", "NAME", "USER", "PERMISSIONS", "EXPIRES", "LAST USED", "REVOKED")
    _show_table(header, [[row[name] for name in shown] for row in rows])
    if not rows:
        invocation.tell("there are none; `indicia key add NAME --user WHO` makes one")


@key_command.command(
    "rotate", examples=("indicia key rotate k3jq0v9x2m1a", "indicia key rotate k3jq0v9x2m1a --grace 0")
)
@click.argument("key_id")
@_grace
@_as_json
@pass_invocation
def key_rotate(invocation: Invocation, key_id: str, grace: timedelta, as_json: bool) -> None:
    """Give a key a new secret, and as much time again as it had; the one before is good for a day more."""
    from indicia.services.api_keys import rotate_key

    with invocation.app() as app:
        made = rotate_key(app.database, key_id, actor=actor(), now=clock(), grace=grace)
    _show_key(invocation, made, as_json=as_json)


@key_command.command("revoke", examples=("indicia key revoke k3jq0v9x2m1a",))
@click.argument("key_id")
@pass_invocation
def key_revoke(invocation: Invocation, key_id: str) -> None:
    """Revoke a key: it stops working at once."""
    from indicia.services.api_keys import revoke_key

    with invocation.app() as app:
        key, person = revoke_key(app.database, key_id, actor=actor(), now=clock())
    show(f"revoked: {clean(key.name)} of {clean(person.name)}")


# -- parts ------------------------------------------------------------------------------------------------------------


def _days(expires: timedelta | None) -> int | None:
    return None if expires is None else expires.days


def _moment(at: datetime | None) -> str | None:
    from indicia.exporters.entity import seconds

    return seconds(at) if at else None


def _app_row(each: Application) -> dict[str, Any]:
    return {
        "client_id": each.client_id,
        "name": each.name,
        "permissions": sorted(each.grants),
        "groups": None if each.groups is None else sorted(each.groups),
        "created_at": _moment(each.created_at),
        "created_by": each.created_by,
        "rotated_at": _moment(each.rotated_at),
        "expires_at": _moment(each.expires_at),
        "last_used_at": _moment(each.last_used_at),
        "revoked_at": _moment(each.revoked_at),
    }


def _key_row(owned: Owned) -> dict[str, Any]:
    key = owned.key
    return {
        "id": key.id,
        "name": key.name,
        "user": owned.person.name,
        "permissions": None if key.permissions is None else sorted(key.permissions),
        "groups": None if key.groups is None else sorted(key.groups),
        "created_at": _moment(key.created_at),
        "rotated_at": _moment(key.rotated_at),
        "expires_at": _moment(key.expires_at),
        "last_used_at": _moment(key.last_used_at),
        "revoked_at": _moment(key.revoked_at),
    }


def _cell(value: Any) -> str:
    return clean(" ".join(value)) if isinstance(value, list) else clean(str(value or ""))


def _show_table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    for line in plain_table(header, [[_cell(cell) for cell in row] for row in rows]):
        show(line)


def _show_secret(invocation: Invocation, fields: Mapping[str, Any], what: str, *, as_json: bool) -> None:
    if as_json:
        show_json(dict(fields))
        return
    for label, value in fields.items():
        show(f"{label:<13}  {value}")
    invocation.tell(f"{what} {_SHOWN_ONCE}")


def _show_key(invocation: Invocation, made: NewKey, *, as_json: bool) -> None:
    ends = _moment(made.key.expires_at)
    fields = {"key": made.text, "id": made.key.id, "name": clean(made.key.name), "user": clean(made.person.name)}
    _show_secret(invocation, fields | {"expires_at": ends if as_json else ends or "never"}, "the key", as_json=as_json)
