"""A server with somebody signed in to its portal."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from indicia.app import App
from indicia.domain.access import Role
from indicia.domain.draft import Draft
from indicia.services import indicators, people, sessions
from indicia.web.portal.visit import masked
from indicia.web.server import create_app
from tests.wire.conftest import folder, template
from tests.wire.doors import ADMIN, Door, open_door

__all__ = ["door", "folder", "portal", "template"]

ORIGIN = "https://indicia.example"
COOKIE = "__Host-indicia"


@dataclass
class Portal:
    """A browser without JavaScript: signed in, it follows no redirect by itself."""

    app: App
    http: TestClient
    person: Any
    token: str

    @property
    def csrf(self) -> str:
        session = sessions.find(self.app.database, self.token, datetime.now(UTC), sessions.Limits())
        assert session is not None
        return masked(session.csrf)

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.http.get(path, follow_redirects=False, **options)

    def post(self, path: str, fields: Any = None, **options: Any) -> httpx.Response:
        """Send a form as a page of ours does."""
        data = {"csrf": self.csrf, **(fields or {})}
        headers = {"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin", **options.pop("headers", {})}
        return self.http.post(path, data=data, headers=headers, follow_redirects=False, **options)

    def part(self, path: str, **options: Any) -> httpx.Response:
        """Ask for a part of a page, as htmx does."""
        headers = {"HX-Request": "true", "HX-Request-Type": "partial", **options.pop("headers", {})}
        return self.get(path, headers=headers, **options)

    def add(self, value: str = "evil.example", **fields: Any) -> int:
        """Store an indicator and return its number."""
        draft = Draft(
            **{"value": value, "type": "DomainName", "action": "Block", "title": "t", "description": "d"} | fields
        )
        [written] = indicators.submit(
            self.app.database, [draft], actor=ADMIN, now=datetime.now(UTC), guard=self.app.guard
        )
        assert written.stored is not None, written.problems
        return written.stored.id

    def heads(self) -> int:
        """Return the number of the newest changeset."""
        with self.app.database.snapshot() as tx:
            head = tx.changesets.head()
        return head.id if head else 0


@pytest.fixture
def door(folder: Path) -> Iterator[Door]:
    """Give a server over an empty database."""
    with open_door(folder) as opened:
        yield opened


@pytest.fixture
def portal(door: Door) -> Iterator[Portal]:
    """Give the portal of an empty database, with somebody signed in."""
    now = datetime.now(UTC)
    person = people.add_person(door.app.database, "alice", actor=ADMIN, now=now, role=Role.ADMINISTRATOR).person
    token = sessions.open_session(door.app.database, person, now=now, limits=sessions.Limits())
    with TestClient(create_app(door.app), base_url=ORIGIN, cookies={COOKIE: token}) as http:
        yield Portal(door.app, http, person, token)


def text_of(reply: httpx.Response) -> str:
    """Return what a page says, without its tags."""
    body = re.sub(r"(?s)<(script|style|svg).*?</\1>", " ", reply.text)
    return " ".join(html.unescape(re.sub(r"(?s)<[^>]*>", " ", body)).split())
