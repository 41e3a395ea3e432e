"""`indicia user`: the people who sign in to the portal, and the links by which they set their passwords."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from indicia.cli.commands import Group, Invocation, actor, clock, pass_invocation
from indicia.cli.output import clean, plain_table, show, show_json

if TYPE_CHECKING:
    from indicia.services.people import Link

_as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")

user_command = Group(
    "user",
    help="""People who sign in to the portal: add, list, reset, disable, enable.

    Nobody is given a password: a link, good once and for a day, lets a person choose one.""",
    examples=("indicia user add ada", "indicia user reset ada", "indicia user disable ada"),
)


def _url(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
        raise click.BadParameter(f"{value[:100]!r} is no address of a portal, such as https://indicia.example")
    return value.rstrip("/")


_portal = click.option(
    "--url",
    metavar="URL",
    default="http://localhost:8484",
    callback=_url,
    help="Where the portal is, for the link; default: http://localhost:8484.",
)


@user_command.command("add", examples=("indicia user add ada", "indicia user add ada --url https://indicia.example"))
@click.argument("name")
@_portal
@_as_json
@pass_invocation
def user_add(invocation: Invocation, name: str, url: str, as_json: bool) -> None:
    """Add a person and print the link by which they set their password, once.

    Give the link to that person by a way that nobody else reads.
    """
    from indicia.services.people import add_person

    with invocation.app() as app:
        made = add_person(app.database, name, actor=actor(), now=clock())
    _show_link(invocation, made, url, as_json=as_json)


@user_command.command("reset", examples=("indicia user reset ada",))
@click.argument("name")
@_portal
@_as_json
@pass_invocation
def user_reset(invocation: Invocation, name: str, url: str, as_json: bool) -> None:
    """Print a new link for somebody who forgot the password, or let the first link grow too old.

    The old password works until the link is used; using it signs the person out everywhere.
    """
    from indicia.services.people import reset_link

    with invocation.app() as app:
        made = reset_link(app.database, name, actor=actor(), now=clock())
    _show_link(invocation, made, url, as_json=as_json)


@user_command.command("list", examples=("indicia user list",))
@_as_json
@pass_invocation
def user_list(invocation: Invocation, as_json: bool) -> None:
    """List everybody, disabled people too."""
    from indicia.exporters.entity import seconds
    from indicia.services.people import list_people

    with invocation.app() as app:
        found = list_people(app.database, actor=actor())
    rows = [
        {
            "name": each.name,
            "id": each.id,
            "created_at": seconds(each.created_at),
            "created_by": each.created_by,
            "password_at": seconds(each.password_at) if each.password_at else None,
            "disabled_at": seconds(each.disabled_at) if each.disabled_at else None,
        }
        for each in found
    ]
    if as_json:
        show_json({"users": rows})
        return
    header = ("NAME", "ID", "CREATED", "BY", "PASSWORD SET", "DISABLED")
    for line in plain_table(header, [[cell or "" for cell in row.values()] for row in rows]):
        show(line)
    if not rows:
        invocation.tell(
            "there is nobody; `indicia serve` prints a link that makes the first, `indicia user add` another"
        )


@user_command.command("disable", examples=("indicia user disable ada",))
@click.argument("name")
@pass_invocation
def user_disable(invocation: Invocation, name: str) -> None:
    """Let somebody sign in no more; they are signed out everywhere at once. What they did stays theirs."""
    from indicia.services.people import disable_person

    with invocation.app() as app:
        person = disable_person(app.database, name, actor=actor(), now=clock())
    show(f"disabled: {clean(person.name)}")


@user_command.command("enable", examples=("indicia user enable ada",))
@click.argument("name")
@pass_invocation
def user_enable(invocation: Invocation, name: str) -> None:
    """Let somebody who was disabled sign in again, with the password that they had."""
    from indicia.services.people import enable_person

    with invocation.app() as app:
        person = enable_person(app.database, name, actor=actor(), now=clock())
    show(f"enabled: {clean(person.name)}")


def _show_link(invocation: Invocation, made: Link, url: str, *, as_json: bool) -> None:
    from indicia.exporters.entity import seconds

    link = f"{url}/welcome/{made.token}"
    if as_json:
        show_json({"name": made.person.name, "link": link, "expires_at": seconds(made.expires_at)})
        return
    show(f"{'name':<7}  {clean(made.person.name)}")
    show(f"{'link':<7}  {link}")
    show(f"{'until':<7}  {seconds(made.expires_at)}")
    invocation.tell("the link works once and is shown this once; whoever has it sets the password")
