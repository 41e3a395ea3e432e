"""`indicia serve` as a process that may be killed or run out of room, and a client of it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Self

import httpx

from indicia.services import applications
from tests.acceptance.command_line import SCRIPT
from tests.databases import environment_of
from tests.faults.left import opened
from tests.integration.stores import ADMIN, NOW, new_file, url_of
from tests.wire.doors import SCOPE


class Server:
    """`indicia serve` over the database in *folder*, and a client of it."""

    def __init__(self, folder: Path) -> None:
        self.file = new_file(folder)
        with opened(self.file) as database:
            made = applications.add_application(database, "soar", ["Indicia.Administer"], actor=ADMIN, now=NOW)
        self.process = subprocess.Popen(
            [str(SCRIPT), "--database", url_of(self.file), "serve", "--port", "0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=os.environ | environment_of(folder),
        )
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().strip()
        form = {
            "grant_type": "client_credentials",
            "client_id": made.client_id,
            "client_secret": made.client_secret,
            "scope": SCOPE,
        }
        token = httpx.post(f"{self.address}/{made.tenant_id}/oauth2/v2.0/token", data=form).json()["access_token"]
        self.headers = {"Authorization": f"Bearer {token}"}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()
