"""`indicia app`, `group` and `db`: API clients, device groups, the database."""

from __future__ import annotations

import click

from indicia.cli.commands import Group, Invocation, actor, clock, pass_invocation
from indicia.cli.output import clean, plain_table, show, show_json
from indicia.cli.parameters import Name
from indicia.domain.access import Permission

_as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


# -- API clients ------------------------------------------------------------------------------------------------------


app_command = Group(
    "app",
    help="""API clients: add, list, revoke.

    An API client has an id and a secret, for which the server gives it a token.""",
    examples=("indicia app add soar", "indicia app list", "indicia app revoke 5f0c…"),
)
group_command = Group(
    "group",
    help="""Device groups: add, list, remove.

    A scope of an indicator names device groups; a name that is none is refused.""",
    examples=("indicia group add 'Servers' --rank 1", "indicia group list", "indicia group remove 'Servers'"),
)
db_command = Group(
    "db",
    help="""The database: upgrade.

    An embedded database is made and upgraded when it is used; a server's only by this command.""",
    examples=("indicia db upgrade --database postgresql://indicia@db.example/indicia",),
)


@app_command.command("add", examples=("indicia app add soar", "indicia app add feed --scope Ti.ReadWrite --json"))
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    type=Name("permission", Permission),
    multiple=True,
    help="What it may do; default: Ti.ReadWrite.All. May be repeated.",
)
@_as_json
@pass_invocation
def app_add(invocation: Invocation, name: str, scopes: tuple[str, ...], as_json: bool) -> None:
    """Add an API client and print its secret, once.

    Ti.ReadWrite sees and changes the indicators that it created itself, Ti.ReadWrite.All every one.
    """
    from indicia.services.applications import add_application

    with invocation.app() as app:
        made = add_application(app.database, name, scopes, actor=actor(), now=clock())
    if as_json:
        show_json(made._asdict())
        return
    for label, value in made._asdict().items():
        show(f"{label:<13}  {value}")
    invocation.tell("the secret is shown this once and kept nowhere")


@app_command.command("list", examples=("indicia app list",))
@_as_json
@pass_invocation
def app_list(invocation: Invocation, as_json: bool) -> None:
    """List the API clients, revoked ones too."""
    from indicia.exporters.entity import seconds
    from indicia.services.applications import list_applications

    with invocation.app() as app:
        found = list_applications(app.database, actor=actor())
    rows = [
        {
            "client_id": each.client_id,
            "name": each.name,
            "permissions": sorted(each.permissions),
            "created_at": seconds(each.created_at),
            "created_by": each.created_by,
            "revoked_at": seconds(each.revoked_at) if each.revoked_at else None,
        }
        for each in found
    ]
    if as_json:
        show_json({"applications": rows})
        return
    header = ("CLIENT ID", "NAME", "PERMISSIONS", "CREATED", "BY", "REVOKED")
    cells = [[" ".join(cell) if isinstance(cell, list) else cell or "" for cell in row.values()] for row in rows]
    for line in plain_table(header, cells):
        show(line)
    if not rows:
        invocation.tell("there are none; `indicia app add NAME` makes one")


@app_command.command("revoke", examples=("indicia app revoke 5f0c1a2e-…",))
@click.argument("client_id")
@pass_invocation
def app_revoke(invocation: Invocation, client_id: str) -> None:
    """Revoke an API client: its secret and its tokens stop working at once."""
    from indicia.services.applications import revoke_application

    with invocation.app() as app:
        revoked = revoke_application(app.database, client_id, actor=actor(), now=clock())
    show(f"revoked: {clean(revoked.name)}")


# -- device groups ----------------------------------------------------------------------------------------------------


@group_command.command("add", examples=("indicia group add Servers --rank 1", "indicia group add Kiosks"))
@click.argument("name")
@click.option("--rank", type=int, metavar="N", help="1 is the highest; default: below all others.")
@_as_json
@pass_invocation
def group_add(invocation: Invocation, name: str, rank: int | None, as_json: bool) -> None:
    """Add a device group."""
    from indicia.services.groups import add_group

    with invocation.app() as app:
        made = add_group(app.database, name, rank, actor=actor(), now=clock())
    if as_json:
        show_json(made._asdict())
    else:
        show(f"added: {clean(made.name)}, rank {made.rank}")


@group_command.command("list", examples=("indicia group list",))
@_as_json
@pass_invocation
def group_list(invocation: Invocation, as_json: bool) -> None:
    """List the device groups, the highest ranked first."""
    from indicia.services.groups import list_groups

    with invocation.app() as app:
        found = list_groups(app.database)
    if as_json:
        show_json({"groups": [each._asdict() for each in found]})
        return
    for line in plain_table(("RANK", "ID", "NAME"), [(each.rank, each.id, each.name) for each in found], right=(0, 1)):
        show(line)
    if not found:
        invocation.tell("there are none; `indicia group add NAME` makes one")


@group_command.command("remove", examples=("indicia group remove Servers",))
@click.argument("name")
@pass_invocation
def group_remove(invocation: Invocation, name: str) -> None:
    """Remove a device group; refused while indicators are scoped to it."""
    from indicia.services.groups import remove_group

    with invocation.app() as app:
        remove_group(app.database, name, actor=actor(), now=clock())
    show(f"removed: {clean(name)}")


# -- the database -----------------------------------------------------------------------------------------------------


@db_command.command("upgrade", examples=("indicia db upgrade",))
@pass_invocation
def db_upgrade(invocation: Invocation) -> None:
    """Make the tables of this version, or bring those of an older one up to date; does nothing when they are."""
    from indicia.store.database import Database, shown

    settings = invocation.settings()
    database = Database.open(settings.database_url)
    try:
        changed = database.upgrade()
        show(f"{shown(database.url)}: {'upgraded' if changed else 'up to date already'}")
    finally:
        database.close()
