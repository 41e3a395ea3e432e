"""What somebody had filled in when their session was over: kept in the page itself, and sent when they say so."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import Response

from indicia.domain.errors import Forbidden, InvalidInput
from indicia.services.sessions import Session
from indicia.web.portal.forms import Form, read_form
from indicia.web.portal.visit import shell_of
from indicia.web.problems import Refusal
from indicia.web.session import HOME, check_origin, local_path

#: The fields of the sign-in form that carry it.
KEPT: Final = "kept"
KEPT_FOR: Final = "kept-for"
MOST_BYTES: Final = 256 * 1024
_MOST_FIELDS: Final = 2_000
#: Nobody's password waits in a page; what writes nothing needs not be sent again.
_SECRETS: Final = frozenset({"password", "current", "new", "again"})


@dataclass(frozen=True, slots=True)
class Kept:
    """A form that was not sent yet: where to, and its fields."""

    path: str
    fields: tuple[tuple[str, str], ...]

    @property
    def text(self) -> str:
        """The fields as one text."""
        return urlencode(self.fields)

    @property
    def shown(self) -> tuple[tuple[str, str], ...]:
        """The fields that somebody filled in, shortened, as far as they have a word to say."""
        return tuple((name, value[:200]) for name, value in self.fields if value.strip())[:20]


@dataclass(frozen=True, slots=True)
class ResumePage:
    """Asks whether what was filled in shall be sent now."""

    kept: Kept


def kept_of(path: str, text: str) -> Kept | None:
    """Return the form that a page kept for *path*, None where there is none."""
    if local_path(path) == HOME or len(text) > 2 * MOST_BYTES:
        return None
    try:
        fields = parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        return None
    return Kept(path, tuple(fields))


async def kept_from(request: Request) -> Kept | None:
    """Return the form that *request* sent from a page of ours, None where it cannot wait in a page."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        return None
    try:
        check_origin(request)
        form = await read_form(request, MOST_BYTES)
    except (Forbidden, InvalidInput, Refusal):
        return None
    return kept_form(request, form)


def kept_form(request: Request, form: Form) -> Kept | None:
    """Return *form*, which *request* sent, as something that can wait in a page; None where it cannot."""
    path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    if local_path(path) == HOME or form.files or _SECRETS & set(form.fields):
        return None
    fields = [(name, value) for name, values in form.fields.items() for value in values if name != "csrf"]
    small = len(fields) <= _MOST_FIELDS and sum(len(name) + len(value) for name, value in fields) <= MOST_BYTES
    return Kept(path, tuple(fields)) if small else None


def resumed(request: Request, now: datetime, session: Session, kept: Kept, *, status: int = 200) -> Response:
    """Return the page that sends what was kept, now that somebody is signed in."""
    shell = shell_of(request, now, session)
    reply: Response = request.app.state.templates.render("resume.html", ResumePage(kept), shell, status=status)
    return reply
