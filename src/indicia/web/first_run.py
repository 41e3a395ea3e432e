"""What somebody sees who starts the server for the first time: the way in, an API client, and what to try with it."""

from __future__ import annotations

import re
import shutil
import sys
from datetime import datetime
from pathlib import Path
from typing import Final

from indicia.app import App
from indicia.domain.access import Actor, Role, Source
from indicia.services import applications, people
from indicia.web.tokens import DEFENDER_RESOURCE

CLIENT_NAME: Final = "first client"
_INDICATOR: Final = (
    '{"indicatorValue":"evil.example","indicatorType":"DomainName","action":"Block",'
    '"title":"My first indicator","description":"Try it out"}'
)


def way_in(app: App, address: str, *, now: datetime) -> list[str]:
    """Return the lines with the link that makes the first administrator, none where there is somebody already.

    There is no password that everybody knows: whoever reads what the server prints may choose one.
    """
    token = people.one_time_link(app.database, now)
    if token is None:
        return []
    return [
        "",
        "Nobody can sign in yet. This link makes the first administrator, once, within 24 hours:",
        f"  {_reachable(address)}/welcome/{token}",
    ]


def what_to_try(app: App, address: str, *, now: datetime) -> list[str]:
    """Return the lines to print; makes an API client where there is none, whose secret is shown this once."""
    actor = Actor("first-run", "first run", Source.CLI, Role.ADMINISTRATOR.permissions)
    if applications.list_applications(app.database, actor=actor):
        return ["", f"The API describes itself at {address}/openapi.json.", *_by_command_line()]
    made = applications.add_application(app.database, CLIENT_NAME, [], actor=actor, now=now)
    token_url = f"{address}/{made.tenant_id}/oauth2/v2.0/token"
    return [
        "",
        "An API client was made for you; its secret is shown this once:",
        f"  tenant id      {made.tenant_id}",
        f"  client id      {made.client_id}",
        f"  client secret  {made.client_secret}",
        f"  token URL      {token_url}",
        "",
        "Get a token, and submit an indicator with it:",
        f"  TOKEN=$(curl -s {token_url} -d grant_type=client_credentials -d client_id={made.client_id} \\",
        f"    -d client_secret={made.client_secret} -d scope={DEFENDER_RESOURCE}/.default \\",
        "    | python3 -c 'import json, sys; print(json.load(sys.stdin)[\"access_token\"])')",
        f'  curl -s {address}/api/indicators -H "Authorization: Bearer $TOKEN" \\',
        f"    -H 'Content-Type: application/json' -d '{_INDICATOR}'",
        *_by_command_line(),
    ]


def _reachable(address: str) -> str:
    """Return *address* as a browser on this machine can open it, where it stands for every address there is."""
    return re.sub(r"//(?:0\.0\.0\.0|\[::\])(?=:)", "//localhost", address)


def _by_command_line() -> list[str]:
    command = _command()
    return [
        "",
        "Import a file in Defender's own format, list what there is, and ask what would be blocked, and why:",
        f"  {command} sample > sample.csv",
        f"  {command} import sample.csv",
        f"  {command} list",
        f"  {command} check www.malware.example",
    ]


def _command() -> str:
    """Return the command as it can be typed here: a virtual environment that is not active is not on the path."""
    script = Path(sys.executable).with_name("indicia")
    if shutil.which("indicia") == str(script):
        return "indicia"
    if not script.exists():
        return f"{sys.executable} -m indicia"
    here = Path.cwd()
    return str(script.relative_to(here)) if script.is_relative_to(here) else str(script)
