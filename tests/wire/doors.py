"""A server over a real database in a temporary folder, and clients of it with their tokens."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from starlette.testclient import TestClient

from indicia.app import App
from indicia.domain.access import Actor, Role, Source
from indicia.services import applications, groups
from indicia.services.applications import Credentials
from indicia.settings import Settings
from indicia.web.logs import open_log
from indicia.web.server import create_app
from indicia.web.tokens import Tokens
from tests.databases import new_file, settings_of

ADMIN = Actor("admin", "Admin", Source.CLI, Role.ADMINISTRATOR.permissions)
SCOPE = "https://api.securitycenter.microsoft.com/.default"
ORIGIN = "http://indicia.example:8484"


@dataclass
class Door:
    """One running server, spoken to as its clients do."""

    app: App
    http: TestClient
    log: io.StringIO
    credentials: Credentials
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def tenant(self) -> str:
        return self.credentials.tenant_id

    def client(self, *permissions: str) -> Credentials:
        """Return a new API client."""
        name = "client of " + " ".join(permissions)
        return applications.add_application(self.app.database, name, permissions, actor=ADMIN, now=datetime.now(UTC))

    def token(self, credentials: Credentials | None = None) -> str:
        """Return a token."""
        made = credentials or self.credentials
        reply = self.http.post(
            f"/{made.tenant_id}/oauth2/v2.0/token",
            data={
                "grant_type": "client_credentials",
                "client_id": made.client_id,
                "client_secret": made.client_secret,
                "scope": SCOPE,
            },
        )
        assert reply.status_code == 200, reply.text
        return str(reply.json()["access_token"])

    def as_client(self, *permissions: str) -> dict[str, str]:
        """Return the headers of a new API client with *permissions*."""
        return {"Authorization": f"Bearer {self.token(self.client(*permissions))}"}

    def group(self, name: str) -> int:
        """Return the number of a new device group."""
        return groups.add_group(self.app.database, name, None, actor=ADMIN, now=datetime.now(UTC)).id

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.http.get(path, **{"headers": self.headers} | options)

    def post(self, path: str, body: Any, **options: Any) -> httpx.Response:
        return self.http.post(path, json=body, **{"headers": self.headers} | options)

    def patch(self, path: str, body: Any, **options: Any) -> httpx.Response:
        return self.http.patch(path, json=body, **{"headers": self.headers} | options)

    def delete(self, path: str, **options: Any) -> httpx.Response:
        return self.http.delete(path, **{"headers": self.headers} | options)

    def submitted(self, **changes: Any) -> dict[str, Any]:
        """Submit an indicator and return its entity."""
        reply = self.post("/api/indicators", indicator(**changes))
        assert reply.status_code == 200, reply.text
        return dict(reply.json())

    def values(self, query: str = "") -> list[str]:
        """Return the values of a list."""
        reply = self.get(f"/api/indicators?{query}")
        assert reply.status_code == 200, reply.text
        return [each["indicatorValue"] for each in reply.json()["value"]]


def indicator(**changes: Any) -> dict[str, Any]:
    """Return the body of a submission."""
    return {
        "indicatorValue": "evil.example",
        "indicatorType": "DomainName",
        "action": "Block",
        "title": "Known phishing site",
        "description": "Seen last week",
        **changes,
    }


def make_template(folder: Path) -> None:
    """Make an empty database and a key in *folder*."""
    new_file(folder)
    Tokens.open(folder / "indicia.key")


@contextmanager
def open_door(folder: Path, **settings: Any) -> Iterator[Door]:
    """Give a server over the database in *folder*, which is made where there is none."""
    app = App.open(Settings(**settings_of(folder), **settings), upgrade=True)
    # Tests that travel in time take this process along, and no server: its clock has tests of its own (test_clock).
    app.clock._shared = False
    try:
        made = applications.add_application(app.database, "tests", [], actor=ADMIN, now=datetime.now(UTC))
        log = io.StringIO()
        with TestClient(create_app(app, log=open_log(log)), base_url=ORIGIN) as http:
            door = Door(app, http, log, made)
            door.headers = {"Authorization": f"Bearer {door.token()}"}
            yield door
    finally:
        app.close()


def error_of(reply: httpx.Response) -> dict[str, str]:
    """Return the error of a compat reply, after a look at its shape."""
    body = reply.json()
    assert set(body) == {"error"}, body
    assert set(body["error"]) == {"code", "message", "target"}, body
    assert all(isinstance(value, str) and value for value in body["error"].values()), body
    assert reply.headers["content-type"].startswith("application/json")
    return dict(body["error"])
