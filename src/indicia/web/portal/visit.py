"""One request of a signed-in person, and what its pages and writes are answered with."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from importlib.metadata import version
from typing import Annotated, Final
from urllib.parse import parse_qsl, urlencode

from fastapi import Depends
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from indicia.app import App
from indicia.domain.access import Actor, Permission
from indicia.domain.errors import IndiciaError
from indicia.services import changesets, people, proposals
from indicia.services.audit_told import what_it_did
from indicia.services.sessions import Session
from indicia.store.database import Database
from indicia.web.dependencies import AppDep, NowDep
from indicia.web.portal.forms import NO_FORM, Form, read_form
from indicia.web.portal.page import SAID, Notice, Shell, Templates
from indicia.web.session import check_csrf, current_session

_CHANGED: Final = "changed"
_SAID: Final = "said"
_DIGITS: Final = 18
_NOT_UNDONE_HERE: Final = ("undo", "expiry", "group.rename")


@dataclass(frozen=True, slots=True)
class Visit:
    """One request to the portal, and the parts that answer it; ``form`` is what a POST sent."""

    request: Request
    app: App
    actor: Actor
    now: datetime
    session: Session
    form: Form = NO_FORM

    @property
    def database(self) -> Database:
        """Where the indicators are."""
        return self.app.database

    def may(self, permission: str) -> bool:
        """Return whether to offer what needs *permission*; services refuse it anyway."""
        return self.actor.may(Permission(permission))

    @property
    def partial(self) -> bool:
        """Whether a part of a page is wanted, and not the page."""
        headers = self.request.headers
        return headers.get("hx-request") == "true" and headers.get("hx-request-type", "partial") == "partial"

    def page(
        self, template: str, context: object, *, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> Response:
        """Return *template* with *context* as ``page``, inside what stands around every page."""
        templates: Templates = self.request.app.state.templates
        return templates.render(template, context, self.shell(), status=status, headers=headers)

    def go(self, path: str, *, changed: int | None = None, said: str | None = None) -> Response:
        """Return the way to the page at *path*, a path of ours, which then says what was done."""
        path, _, query = path.partition("?")
        kept = [pair for pair in parse_qsl(query, keep_blank_values=True) if pair[0] not in (_CHANGED, _SAID)]
        kept += [(_CHANGED, str(changed))] if changed is not None else []
        kept += [(_SAID, said)] if said is not None else []
        target = f"{path}?{urlencode(kept)}" if kept else path
        if self.request.headers.get("hx-request") == "true":
            return Response(None, 200, {"HX-Redirect": target})
        return RedirectResponse(target, 303)

    def shell(self) -> Shell:
        """Return what stands around the content of the page that is asked for."""
        shell = shell_of(self.request, self.now, self.session, self._notice())
        return replace(shell, waiting=proposals.count_open(self.database, actor=self.actor, now=self.now))

    def _notice(self) -> Notice | None:
        """Return what the page before this one did, as its address says."""
        query = self.request.query_params
        number = query.get(_CHANGED, "")
        if number.isascii() and number.isdecimal() and len(number) <= _DIGITS:
            try:
                record, undone_by = changesets.show_changeset(self.database, int(number), actor=self.actor)
            except IndiciaError:
                return None
            can_undo = undone_by is None and record.kind not in _NOT_UNDONE_HERE
            return Notice(what_it_did(record), record.id, can_undo)
        text = SAID.get(query.get(_SAID, ""))
        return Notice(text) if text else None


def shell_of(request: Request, now: datetime, session: Session | None, notice: Notice | None = None) -> Shell:
    """Return what stands around a page for somebody who is signed in, or is not."""
    path = request.url.path
    query = [pair for pair in request.query_params.multi_items() if pair[0] not in (_CHANGED, _SAID)]
    return Shell(
        person=session.person.name if session else None,
        csrf=masked(session.csrf) if session else "",
        theme=session.theme if session else "system",
        keys=session.keys if session else True,
        current=path.split("/")[1],
        here=f"{path}?{urlencode(query)}" if query else path,
        now=now,
        version=version("indicia"),
        scripts=request.app.state.assets.has_htmx,
        notice=notice,
        actor=people.actor_of(session.person) if session else None,
    )


def masked(token: str) -> str:
    """Return *token* in a form that is another one each time: a compressed page tells nothing of it by its length.

    >>> unmasked(masked("token")), masked("token") == masked("token")
    ('token', False)
    """
    data = token.encode()
    pad = secrets.token_bytes(len(data))
    return (pad + bytes(a ^ b for a, b in zip(pad, data, strict=True))).hex()


def unmasked(text: str) -> str:
    """Return the token that `masked` made *text* of; what it never made gives a text that is no token."""
    try:
        data = bytes.fromhex(text)
    except ValueError:
        return ""
    half = len(data) // 2
    return bytes(a ^ b for a, b in zip(data[:half], data[half:], strict=False)).decode("ascii", "replace")


def visit(request: Request, app: AppDep, now: NowDep, session: Annotated[Session, Depends(current_session)]) -> Visit:
    """Return the visit of whoever is signed in; others are sent to sign in first."""
    actor = people.actor_of(session.person)
    request.state.actor = actor.id
    request.state.who = actor
    request.state.session = session
    return Visit(request, app, actor, now, session)


VisitDep = Annotated[Visit, Depends(visit)]


async def posted(visit: VisitDep) -> Visit:
    """Return a visit with the form that it sent, which came from a page of ours."""
    request = visit.request
    header = request.headers.get("x-csrf-token")
    if header is not None:
        check_csrf(request, visit.session, unmasked(header))
    form = await read_form(request, visit.app.settings.max_body_bytes)
    request.state.form = form  # what a page of an earlier session sent is not lost
    if header is None:
        check_csrf(request, visit.session, unmasked(form.text("csrf")))
    return replace(visit, form=form)


PostDep = Annotated[Visit, Depends(posted)]
