"""What a person is shown when something goes wrong: what it is, and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from indicia.domain.errors import Problem
from indicia.web.portal.page import Templates
from indicia.web.portal.visit import shell_of
from indicia.web.problems import Fault
from indicia.web.session import local_path

_TITLES: Final[Mapping[int, str]] = {
    400: "This cannot be done as it was asked",
    401: "Sign in first",
    403: "This is not allowed",
    404: "There is nothing here",
    405: "This cannot be opened like that",
    409: "Something is in the way",
    412: "It was changed meanwhile",
    413: "That is too large",
    415: "This form cannot be read",
    422: "This cannot be done as it was asked",
    429: "Too often in a short time",
    500: "Something went wrong on our side",
    503: "Not possible right now",
}
_NEXT: Final[Mapping[int, str]] = {
    403: "Go back, load the page anew, and try again; nothing was changed.",
    404: "The address may be mistyped, or what it names was deleted: its history is under Changes.",
    405: "Open the page from the menu, and try again; nothing was changed.",
    500: "Nothing was half done. Try again; if it stays like this, tell your administrator the number below.",
    503: "Nothing was half done. Try again in a few seconds.",
}
_GO_BACK: Final = "Go back, mend it, and try again; nothing was changed."


@dataclass(frozen=True, slots=True)
class FaultPage:
    """The error page: a title, the sentences, each problem, what to do, and the number that the log knows."""

    title: str
    text: str
    problems: tuple[Problem, ...]
    what_to_do: str
    request_id: str
    status: int


def portal_reply(fault: Fault, request: Request) -> Response:
    """Return *fault* as a page, or as a part of one where that is what was asked for."""
    templates: Templates = request.app.state.templates
    text = _TITLES[404] if fault.code == "not-found" and "path" in fault.message else fault.message
    page = FaultPage(
        title=_TITLES.get(fault.status, "This did not work"),
        text=text,
        problems=fault.problems if len(fault.problems) > 1 else (),
        what_to_do=_NEXT.get(fault.status, _GO_BACK),
        request_id=str(request.scope.get("indicia.request_id", "")),
        status=fault.status,
    )
    part = request.headers.get("hx-request") == "true" and request.headers.get("hx-request-type") != "full"
    shell = shell_of(request, request.app.state.indicia.now(), getattr(request.state, "session", None))
    headers = {name: value for name, value in fault.headers.items() if name.lower() != "www-authenticate"}
    return templates.render("fault.html" if part else "error.html", page, shell, status=fault.status, headers=headers)


def signed_out_reply(request: Request, *, ended: bool) -> Response:
    """Return the way to the sign-in page, and from there back to where *request* was, as far as that can be shown."""
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    if request.method != "GET" or request.headers.get("hx-request") == "true":
        here = urlsplit(request.headers.get("hx-current-url") or request.headers.get("referer", "")).path or "/"
    query = {"next": local_path(here)} | ({"said": "timed-out"} if ended else {})
    target = f"/sign-in?{urlencode(query)}"
    if request.headers.get("hx-request") == "true":
        return Response(None, 200, {"HX-Redirect": target})
    return RedirectResponse(target, 303)
