"""`indicia serve`: the portal and the API."""

from __future__ import annotations

import importlib

import click

from indicia.cli.commands import Invocation, command, is_embedded, pass_invocation
from indicia.domain.errors import Unavailable


@command(
    "serve",
    "indicia serve                      on this machine only, http://127.0.0.1:8484",
    "indicia serve --first-run          and make an API client where there is none, to try it with",
    "indicia serve --host 0.0.0.0 --port 443",
)
@click.option("--host", default="127.0.0.1", metavar="ADDRESS", help="Where to listen; default: 127.0.0.1.")
@click.option(
    "--port", type=click.IntRange(0, 65_535), default=8484, metavar="N", help="Default: 8484; 0 takes any that is free."
)
@click.option("--first-run", is_flag=True, help="Make an API client where there is none, and say what to try.")
@click.option("--upgrade", is_flag=True, help="Bring a server's database up to date first; an embedded one always is.")
@pass_invocation
def serve_command(invocation: Invocation, host: str, port: int, first_run: bool, upgrade: bool) -> None:
    """Serve the portal and the API until it is stopped; the first line on stdout is the address.

    While there is nobody who could sign in to the portal, a link that makes the first administrator follows. To be
    reached from elsewhere, put a server that speaks TLS in front of it.
    """
    from indicia.app import App

    settings = invocation.settings()
    App.open(settings, upgrade=upgrade or is_embedded(settings.database_url)).close()
    try:
        # A room on the same floor: found by its name, so that neither depends on the other.
        server = importlib.import_module("indicia.web.server")
    except ModuleNotFoundError as error:
        raise Unavailable(f"the server is not part of this installation: {error}") from None
    server.run(settings, host=host, port=port, first_run=first_run)
