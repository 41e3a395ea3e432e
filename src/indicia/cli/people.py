"""`indicia user`: the people who sign in to the portal, and the links by which they set their passwords."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from indicia.cli.commands import Group, Invocation, actor, clock, pass_invocation
from indicia.cli.output import clean, plain_table, show, show_json
from indicia.cli.parameters import Name
from indicia.domain.access import Role

if TYPE_CHECKING:
    from indicia.services.people import Link
    from indicia.store.people import Person

_as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")

user_command = Group(
    "user",
    help="""People who sign in to the portal: add, list, role, reset, disable, enable, link.

    Nobody is given a password: a link, good once and for a day, lets a person choose one. The role says what somebody
    may do, and device groups what of it they see and change.""",
    examples=(
        "indicia user add ada --role analyst --group Servers",
        "indicia user role ada responder",
        "indicia user disable ada",
    ),
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


_groups = click.option(
    "--group",
    "groups",
    metavar="GROUP",
    multiple=True,
    help="Limit them to this device group; may be repeated. They see what touches it, and change what is for it alone.",
)


@user_command.command(
    "add",
    examples=(
        "indicia user add ada --role administrator",
        "indicia user add grace --role analyst --group Servers",
        "indicia user add ada --url https://indicia.example",
    ),
)
@click.argument("name")
@click.option(
    "--role",
    type=Name("role", Role),
    default=Role.VIEWER.value,
    help="What they may do; default: viewer, who only looks.",
)
@_groups
@_portal
@_as_json
@pass_invocation
def user_add(invocation: Invocation, name: str, role: str, groups: tuple[str, ...], url: str, as_json: bool) -> None:
    """Add a person and print the link by which they set their password, once.

    Give the link to that person by a way that nobody else reads.
    """
    from indicia.services.people import add_person

    with invocation.app() as app:
        made = add_person(app.database, name, actor=actor(), now=clock(), role=Role(role), groups=list(groups) or None)
    _show_link(invocation, made, url, as_json=as_json)


@user_command.command(
    "role",
    examples=(
        "indicia user role ada responder",
        "indicia user role grace analyst --group Servers --group Kiosks",
        "indicia user role grace analyst --all-groups",
    ),
)
@click.argument("name")
@click.argument("role", type=Name("role", Role))
@_groups
@click.option("--all-groups", is_flag=True, help="Limit them to no device group any more.")
@_as_json
@pass_invocation
def user_role(
    invocation: Invocation, name: str, role: str, groups: tuple[str, ...], all_groups: bool, as_json: bool
) -> None:
    """Say what somebody may do: viewer, analyst, responder or administrator, and for which device groups.

    Without --group and --all-groups the device groups stay as they are. It holds from their next request on.
    """
    from indicia.services.people import person_named
    from indicia.services.standings import change_person

    if groups and all_groups:
        raise click.UsageError("--group limits them and --all-groups does not: give one of the two")
    with invocation.app() as app:
        person = person_named(app.database, name, actor=actor())
        person = change_person(
            app.database,
            person.id,
            role=Role(role),
            groups=list(groups) or None,
            everywhere=all_groups,
            actor=actor(),
            now=clock(),
        )
    if as_json:
        show_json({"name": person.name, **_standing(person)})
        return
    reach = "all device groups" if person.groups is None else ", ".join(sorted(person.groups))
    show(f"{clean(person.name)}: {person.role}, {clean(reach)}")


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
            **_standing(each),
        }
        for each in found
    ]
    if as_json:
        show_json({"users": rows})
        return
    header = ("NAME", "ROLE", "DEVICE GROUPS", "CREATED", "BY", "PASSWORD SET", "DISABLED")
    names = ("name", "role", "groups", "created_at", "created_by", "password_at", "disabled_at")
    for line in plain_table(header, [[_cell(row[name], name) for name in names] for row in rows]):
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


@user_command.command("link", examples=("indicia user link ada --subject 00u1f5xk2q",))
@click.argument("name")
@click.option("--subject", required=True, metavar="ID", help="What the provider calls them: the refused page says.")
@click.option("--issuer", metavar="URL", help="The provider; default: INDICIA_OIDC_ISSUER.")
@pass_invocation
def user_link(invocation: Invocation, name: str, subject: str, issuer: str | None) -> None:
    """Let somebody with a local account come by the OpenID provider, too.

    From then on their role and device groups are those that the provider's groups give, with each sign-in by it.
    """
    from indicia.services.identities import link_identity

    with invocation.app() as app:
        known = issuer or app.settings.oidc_issuer
        if not known:
            raise click.UsageError("there is no INDICIA_OIDC_ISSUER; name the provider with --issuer")
        person = link_identity(app.database, name, known, subject, actor=actor(), now=clock())
    show(f"linked: {clean(person.name)} is {clean(subject)} of {clean(known)}")


def _standing(person: Person) -> dict[str, Any]:
    from indicia.services.standings import standing_as_dict

    return standing_as_dict(person)


def _cell(value: Any, name: str) -> str:
    if name == "groups":
        return "all" if value is None else ", ".join(value)
    return value or ""


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
