"""Who is let through by which route: the routes as the router knows them, those who ask, and the table of answers.

``python -m tests.integration.web.authorisation`` writes the table anew from what the server does; whoever runs it reads
the difference, line by line, before it is kept.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

import httpx
from starlette.testclient import TestClient

from indicia.domain.access import Grant, Permission, Role
from indicia.domain.draft import Draft
from indicia.services import api_keys, applications, indicators, people, sessions
from indicia.store.people import Person
from indicia.web.portal.visit import masked
from tests.wire.doors import ADMIN, Door, make_template, open_door

TABLE: Final = Path(__file__).with_name("authorisation.txt")
ORIGIN: Final = "https://indicia.example"
COOKIE: Final = "__Host-indicia"
#: Whoever is limited is limited to these; the indicator of `CANARY` is for others.
OWN_GROUP, OTHER_GROUP = "Laboratory", "Ministers-of-9f3b"
CANARY: Final = ("canary-9f3b.example", "canary title 9f3b", "canary text 9f3b", OTHER_GROUP)
#: The number of the indicator that is for `OTHER_GROUP`; nobody else's requests touch it.
HIDDEN: Final = 1
NOTHING: Final = 987_654

#: Those who ask, in the order of the columns of the table.
ROLES: Final = ("viewer", "analyst", "responder", "administrator")
PRINCIPALS: Final = (
    "anonymous",
    *ROLES,
    "elsewhere",
    "disabled",
    "expired-key",
    "revoked-key",
    "narrow-key",
    "narrow-app",
    "revoked-app",
)
#: What the letters of the table say, and which answers they allow.
LETTERS: Final = {
    "+": "let through",
    "S": "asked to sign in, or for a good token",
    "-": "refused: it lacks the permission",
    "0": "told that there is no such thing",
}
_PARAMETER: Final = re.compile(r"\{(\w+)(?::\w+)?\}")
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class Route(NamedTuple):
    """One method of one path, and the door that it belongs to."""

    path: str
    method: str

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def door(self) -> str:
        """Whose shape its refusals have."""
        if self.path.startswith("/api"):
            return "compat"
        if self.path.startswith("/v1"):
            return "native"
        if "oauth2" in self.path or "well-known" in self.path or self.path.startswith("/{tenant"):
            return "oauth"
        # What a program asks for: no page, and nothing to sign in to.
        if self.path.split("/")[1] in {"docs", "openapi.json", "livez", "readyz", "healthz", "metrics", "status"}:
            return "open"
        return "portal"

    def at(self, number: int) -> str:
        """Return the path with *number* wherever it asks for something."""
        return _PARAMETER.sub(str(number), self.path)


def routes(server: Any) -> list[Route]:
    """Return every route of *server*; HEAD goes with GET."""
    return sorted(set(_routes(server.routes, "")))


def _routes(found: Iterable[Any], prefix: str) -> Iterator[Route]:
    for each in found:
        included = getattr(each, "original_router", None)
        if included is not None:
            yield from _routes(included.routes, prefix + (each.include_context.prefix or ""))
        elif getattr(each, "methods", None):
            yield from (Route(prefix + each.path, method) for method in each.methods if method != "HEAD")
        else:
            yield from _routes(getattr(each, "routes", None) or (), prefix + getattr(each, "path", ""))


INDICATOR: Final = {
    "indicatorValue": "mine.example",
    "indicatorType": "DomainName",
    "action": "Block",
    "title": "t",
    "description": "d",
    "rbacGroupNames": [OWN_GROUP],
}
FORM: Final = {
    "value": "mine.example",
    "values": "mine.example",
    "type": "DomainName",
    "action": "Block",
    "title": "t",
    "description": "d",
    "name": "somebody new",
    "reason": "because",
    "confirm": "yes",
    "id": str(NOTHING),
    "ids": str(NOTHING),
    "permission": Grant.TI_READ_ALL.value,
    "do": "delete",
    "role": "viewer",
    "theme": "dark",
    "groups": OWN_GROUP,
    "line": "1",
    "text": "x",
    "column": "title",
}
#: Bodies that are good enough to get past whoever reads them, by the path that takes them; others get an empty object.
_BODIES: Final[dict[str, Any]] = {
    "/api/indicators": INDICATOR,
    "/api/indicators/import": {"Indicators": [INDICATOR]},
    "/api/indicators/batchUpdate": {"Indicators": [INDICATOR]},
    "/api/machines/{id}/tags": {"Value": "a tag", "Action": "Add"},
    "/v1/clients": {"name": "a new client", "permissions": [Grant.TI_READ_ALL.value]},
    "/v1/keys": {"name": "a new key"},
    "/v1/indicators": INDICATOR,
    "/v1/verdicts": {"values": ["mine.example"], "group": OWN_GROUP},
    "/v1/device-groups": {"name": "A new group"},
    "/v1/groups": {"name": "A new group"},
    "/v1/people": {"name": "a new person"},
    "/v1/devices": {"name": "a-new-device"},
    "PUT /v1/devices": [{"name": "another-new-device"}],
    "/v1/proposals/{id}/decline": {"comment": "because"},
    "/v1/indicators/{id}/release": {"reason": "because"},
}


@dataclass
class Bench:
    """A server, and everybody who asks it."""

    door: Door
    http: TestClient
    persons: dict[str, Person]
    bearers: dict[str, str]

    def ask(self, route: Route, principal: str) -> httpx.Response:
        """Return what *principal* is answered: about the hidden indicator where it is elsewhere, or only looks."""
        number = HIDDEN if principal == "elsewhere" or route.method in _SAFE else NOTHING
        target = route.at(number)
        if route.door == "portal":
            return self._by_browser(route, target, principal)
        headers = {}
        if principal in self.bearers:
            headers["Authorization"] = f"Bearer {self.bearers[principal]}"
        if route.method in _SAFE:
            query = {"value": "mine.example", "group": OWN_GROUP} if route.path == "/v1/verdicts" else {}
            return self.http.request(route.method, target, headers=headers, params=query, follow_redirects=False)
        body = _BODIES.get(str(route), _BODIES.get(route.path))
        if body is None:
            named = "IndicatorIds" if route.path.startswith("/api") else "ids"
            ids: list[Any] = [str(number)] if route.path.startswith("/api") else [number]
            body = {named: ids, "reason": "because"} if "elete" in route.path or "elease" in route.path else {}
        if "import" in route.path and route.door == "native":
            return self.http.request(
                route.method,
                target,
                headers=headers | {"Content-Type": "text/plain"},
                content=b"mine.example",
                follow_redirects=False,
            )
        headers |= {"If-Match": "*"}
        return self.http.request(route.method, target, headers=headers, json=body, follow_redirects=False)

    def _by_browser(self, route: Route, target: str, principal: str) -> httpx.Response:
        headers = {"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"}
        self.http.cookies.clear()
        csrf = ""
        if principal in self.persons:
            token, csrf = self._session(self.persons[principal], disabled=principal == "disabled")
            headers["Cookie"] = f"{COOKIE}={token}"
        elif principal in self.bearers:
            headers["Authorization"] = f"Bearer {self.bearers[principal]}"
        if route.method in _SAFE:
            return self.http.request(route.method, target, headers=headers, follow_redirects=False)
        fields = FORM | {"csrf": csrf}
        address = f"{target}?csrf={csrf}" if route.path == "/import" else target
        return self.http.request(route.method, address, headers=headers, data=fields, follow_redirects=False)

    def _session(self, person: Person, *, disabled: bool) -> tuple[str, str]:
        """Return a cookie and what proves the origin; of a disabled person one from before that."""
        database, now = self.door.app.database, datetime.now(UTC)
        token = sessions.open_session(database, person, now=now, limits=sessions.Limits())
        found = sessions.find(database, token, now, sessions.Limits())
        assert disabled == (found is None), "who is disabled has no session, whatever cookie they kept"
        return token, masked(found.csrf) if found else ""


def letter(route: Route, reply: httpx.Response) -> str:
    """Return the letter of the table for *reply*, after a look at its shape."""
    status = reply.status_code
    assert status < 500, (route, reply.text)
    assert "Traceback" not in reply.text
    if is_sign_in(reply):
        return "S"
    if route.door == "portal" and status == 403:
        assert reply.headers["content-type"].startswith("text/html"), (route, reply.text)
        return "-"
    if status in (401, 403):
        shape_of(route, reply)
        return "S" if status == 401 else "-"
    return "0" if status == 404 else "+"


def is_sign_in(reply: httpx.Response) -> bool:
    """Return whether a page sends or asks somebody to sign in."""
    if reply.status_code == 303:
        return reply.headers["location"].split("?")[0] == "/sign-in"
    return reply.status_code == 401 and 'action="/sign-in' in reply.text


def shape_of(route: Route, reply: httpx.Response) -> None:
    """Assert that a refusal has the shape of its door, and says something."""
    if route.door == "compat":
        error = reply.json()["error"]
        assert set(error) == {"code", "message", "target"}
        assert error["message"]
        assert error["target"]
    elif route.door == "native":
        assert reply.headers["content-type"] == "application/problem+json", reply.text
        assert reply.json()["status"] == reply.status_code
        assert reply.json()["detail"]
    elif route.door == "oauth":
        assert set(reply.json()) >= {"error", "error_description"}
    if reply.status_code == 401 and route.door in ("compat", "native"):
        assert reply.headers["www-authenticate"].startswith("Bearer")


@contextmanager
def bench_over(folder: Path) -> Iterator[Bench]:
    """Give a server over a new database in *folder*, with everybody who asks it."""
    make_template(folder)
    now = datetime.now(UTC)
    with open_door(folder) as door:
        database = door.app.database
        for name in (OWN_GROUP, OTHER_GROUP):
            door.group(name)
        value, title, text, group = CANARY
        hidden = Draft("DomainName", value, None, "Block", "High", title, text, None, [group])
        [written] = indicators.submit(database, [hidden], actor=ADMIN, now=now, guard=door.app.guard)
        assert written.stored is not None
        assert written.stored.id == HIDDEN
        made = {role: _person(door, role, Role(role), None) for role in ROLES}
        made["elsewhere"] = _person(door, "elsewhere", Role.ANALYST, [OWN_GROUP])
        made["disabled"] = _person(door, "disabled", Role.ADMINISTRATOR, None)
        bearers = {name: _key(door, person) for name, person in made.items()}
        people.disable_person(database, "disabled", actor=ADMIN, now=now)
        administrator = made["administrator"]
        bearers["expired-key"] = _key(door, administrator, at=now - timedelta(days=9), days=1)
        bearers["revoked-key"] = _key(door, administrator)
        revoked = next(
            each for each in api_keys.all_keys(database, actor=ADMIN) if each.key.id in bearers["revoked-key"]
        )
        api_keys.revoke_key(database, revoked.key.id, actor=ADMIN, now=now)
        bearers["narrow-key"] = _key(door, administrator, permissions=[Permission.DEVICES_READ])
        bearers["narrow-app"] = door.token(door.client(Grant.MACHINE_READ_ALL))
        gone = door.client(Grant.ADMINISTER)
        bearers["revoked-app"] = door.token(gone)
        applications.revoke_application(database, gone.client_id, actor=ADMIN, now=now)
        with TestClient(door.http.app, base_url=ORIGIN) as http:
            yield Bench(door, http, made, bearers)


def _person(door: Door, name: str, role: Role, groups: list[str] | None) -> Person:
    now = datetime.now(UTC)
    return people.add_person(door.app.database, name, actor=ADMIN, now=now, role=role, groups=groups).person


def _key(
    door: Door,
    person: Person,
    *,
    at: datetime | None = None,
    days: int = 30,
    permissions: list[Permission] | None = None,
) -> str:
    made = api_keys.add_key(
        door.app.database,
        "a key",
        actor=people.actor_of(person),
        now=at or datetime.now(UTC),
        days=days,
        permissions=permissions,
    )
    return made.text


# -- the table --------------------------------------------------------------------------------------------------------


def read_table(text: str) -> dict[Route, dict[str, str]]:
    """Return what the table says: for each route a letter for everybody who asks."""
    lines = [line.split() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    header, *rows = lines
    assert tuple(header[3:]) == PRINCIPALS, "the columns are those who ask, in their order"
    return {Route(row[1], row[0]): dict(zip(PRINCIPALS, row[3:], strict=True)) for row in rows}


def write_table(answers: dict[Route, dict[str, str]]) -> str:
    """Return the text of a table."""
    width = max(len(route.path) for route in answers) + 1
    lines = [
        "# Every route of the server, and what everybody who asks is answered. test_authorisation.py holds the server",
        "# to it; a route without a row fails. Written anew by python -m tests.integration.web.authorisation.",
        "#",
        *(f"#   {sign}  {says}" for sign, says in LETTERS.items()),
        "#",
        f"# elsewhere is an analyst who is limited to {OWN_GROUP}, and asks for an indicator of other groups.",
        "# narrow-key may read devices only, and so may narrow-app; keys and tokens open no page.",
        "",
        f"{'method':<7} {'route':<{width}} {'door':<7} {' '.join(PRINCIPALS)}",
    ]
    for route, row in sorted(answers.items()):
        cells = " ".join(row[name].ljust(len(name)) for name in PRINCIPALS)
        lines.append(f"{route.method:<7} {route.path:<{width}} {route.door:<7} {cells}".rstrip())
    return "\n".join(lines) + "\n"


def measured(bench: Bench) -> dict[Route, dict[str, str]]:
    """Return what the server answers."""
    return {
        route: {name: letter(route, bench.ask(route, name)) for name in PRINCIPALS}
        for route in routes(bench.door.http.app)
    }


if __name__ == "__main__":
    with TemporaryDirectory() as name, bench_over(Path(name)) as opened:
        TABLE.write_text(write_table(measured(opened)))
        sys.stdout.write(f"{TABLE}: written; read the difference\n")
