"""The routes of the portal as the router knows them, so that no test forgets one."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from starlette.testclient import TestClient

from indicia.domain.access import Role
from indicia.services import people, sessions
from indicia.web.logs import open_log
from indicia.web.portal.routes import router
from indicia.web.server import create_app
from tests.integration.web.portal.conftest import COOKIE, ORIGIN, Portal
from tests.wire.doors import ADMIN, make_template, open_door

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
#: What is open to whoever is not signed in, by the first segment of its path.
OPEN = frozenset({"assets", "sign-in", "welcome"})
_PARAMETER = re.compile(r"\{(\w+)(?::\w+)?\}")


class Route(NamedTuple):
    """One method of one path."""

    method: str
    path: str

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def is_open(self) -> bool:
        """Whether nobody needs to be signed in."""
        return self.path.split("/")[1] in OPEN

    def at(self, **values: object) -> str:
        """Return the path with *values* in it; 1 where there is none."""
        return _PARAMETER.sub(lambda found: str(values.get(found[1], 1)), self.path)


def _routes(routes: Iterable[Any]) -> Iterator[Route]:
    for each in routes:
        included = getattr(each, "original_router", None)
        if included is not None:
            yield from _routes(included.routes)
        else:
            yield from (Route(method, each.path) for method in each.methods or ())


ROUTES = sorted(set(_routes(router.routes)))
WRITES = [route for route in ROUTES if route.method not in SAFE]
READS = [route for route in ROUTES if route.method == "GET"]


@contextmanager
def portal_over(folder: Path) -> Iterator[Portal]:
    """Give a portal over a new database in *folder*, with somebody signed in: for several tests that change nothing."""
    make_template(folder)
    now = datetime.now(UTC)
    with open_door(folder) as door:
        person = people.add_person(door.app.database, "alice", actor=ADMIN, now=now, role=Role.ADMINISTRATOR).person
        token = sessions.open_session(door.app.database, person, now=now, limits=sessions.Limits())
        server = create_app(door.app, log=open_log(io.StringIO()))
        with TestClient(server, base_url=ORIGIN, cookies={COOKIE: token}) as http:
            yield Portal(door.app, http, person, token)
