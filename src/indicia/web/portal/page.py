"""What all pages share: the templates, what stands around each page's content, and how times and names are shown."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse

from indicia.domain.access import Actor, Permission
from indicia.web.portal.assets import Assets

#: Sentences that a page may show after a write, by the code that its address carries: never a text from the address.
SAID: Final[Mapping[str, str]] = {
    "saved": "Saved.",
    "unchanged": "Nothing was changed: it is stored like that already.",
    "signed-out": "You are signed out.",
    "signed-out-everywhere": "You are signed out everywhere.",
    "timed-out": "Your session is over: nothing happened for a while, or you signed in long ago. "
    "Sign in to go on where you were.",
    "password-changed": "Your password was changed; every other session was signed out.",
    "session-ended": "That session is signed out.",
    "sessions-ended": "You are signed out everywhere else.",
    "group-added": "The device group was added.",
    "group-removed": "The device group was removed.",
    "group-moved": "The order of ranks was changed.",
    "device-removed": "The device was removed; if it reports again, it is a new one.",
    "client-revoked": "The API client is revoked; its tokens stop working with its next request.",
    "key-revoked": "The key is revoked; it stops working with its next request.",
    "person-disabled": "They are signed out everywhere and cannot sign in any more.",
    "person-changed": "Saved: it holds from their next click on.",
    "person-enabled": "They can sign in again.",
    "nothing-left": "Nothing was left to take back.",
    "proposed": "This waits for somebody else now: nothing was changed yet.",
    "proposal-declined": "Declined: nothing was changed.",
    "proposal-withdrawn": "Withdrawn: nothing was changed.",
    "nothing-selected": "Nothing was selected: tick the boxes before the rows first.",
}
#: Nothing from elsewhere, nothing inline: what an indicator says stays text.
PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_PAGE_HEADERS: Final = {
    "Content-Security-Policy": PAGE_POLICY,
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Vary": "HX-Request",
}
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_STEPS: Final = ((86_400 * 365, "y"), (86_400 * 30, "mo"), (86_400, "d"), (3_600, "h"), (60, "min"))


@dataclass(frozen=True, slots=True)
class Notice:
    """What a page says above its content: after a write what it did, with a way back where there is one."""

    text: str
    changeset: int | None = None
    can_undo: bool = False
    kind: str = "ok"


@dataclass(frozen=True, slots=True)
class Shell:
    """What stands around the content of every page; ``current`` is the first segment of its path."""

    person: str | None
    csrf: str
    theme: str
    keys: bool
    current: str
    here: str
    now: datetime
    version: str
    scripts: bool
    notice: Notice | None = None
    actor: Actor | None = None
    waiting: int = 0

    def may(self, permission: str) -> bool:
        """Return whether to offer what needs *permission*; services refuse it anyway."""
        return self.actor is not None and self.actor.may(Permission(permission))

    def changes(self, scope: Collection[str]) -> bool:
        """Return whether to offer changing an indicator with *scope*."""
        return self.actor is not None and self.may("indicators.write") and self.actor.reaches(scope)

    @property
    def limited(self) -> bool:
        """Whether only what touches some device groups exists for whoever looks."""
        return self.actor is not None and not self.actor.sees_all


class Templates:
    """The templates of this installation; every value is escaped, and a name that is not given is an error."""

    def __init__(self, assets: Assets) -> None:
        self._environment = Environment(
            loader=PackageLoader("indicia.web", "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
            extensions=["jinja2.ext.do"],
        )
        self._environment.globals |= {"asset": assets.path, "assets": assets}
        self._environment.filters |= {
            "ago": ago,
            "count": count,
            "defang": defang,
            "iso": iso,
            "moment": moment,
            "words": words,
        }

    def render(
        self,
        template: str,
        context: object,
        shell: Shell,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> HTMLResponse:
        """Return *template* with *context* as ``page``."""
        text = self._environment.get_template(template).render(page=context, shell=shell)
        return HTMLResponse(text, status, {**_PAGE_HEADERS, **(headers or {})})

    def part(self, template: str, **values: Any) -> str:
        """Return the text of a template that needs no shell."""
        return self._environment.get_template(template).render(**values)


def defang(value: str) -> str:
    """Return *value* so that nobody can follow it by mistake.

    >>> defang("https://evil.example/a.b")
    'hxxps[://]evil[.]example/a.b'
    >>> defang("192.0.2.7"), defang("2001:db8::1"), defang("d41d8cd98f00b204e9800998ecf8427e")
    ('192[.]0[.]2[.]7', '2001[:]db8[:][:]1', 'd41d8cd98f00b204e9800998ecf8427e')
    """
    scheme, mark, rest = value.partition("://")
    if not mark:
        return value.replace(".", "[.]").replace(":", "[:]")
    host, slash, path = rest.partition("/")
    return f"{scheme.replace('tt', 'xx', 1)}[://]{host.replace('.', '[.]')}{slash}{path}"


def words(name: str) -> str:
    """Return a name of ours as people write it.

    >>> words("CommandAndControl"), words("BlockAndRemediate"), words("FileSha256")
    ('Command and control', 'Block and remediate', 'File sha256')
    """
    first, *rest = _CAMEL.split(str(name)) or [""]
    return " ".join([first[:1].upper() + first[1:], *(each.lower() for each in rest)])


def count(number: int) -> str:
    """Return *number* with its thousands apart."""
    return f"{number:,}"


def iso(at: datetime) -> str:
    """Return *at* for a machine."""
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def moment(at: datetime) -> str:
    """Return *at* for a reader, in UTC and to the second."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def ago(at: datetime, now: datetime) -> str:
    """Return how far *at* is from *now*, in the largest unit that fits.

    >>> now = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
    >>> ago(datetime(2026, 11, 20, 12, 0, tzinfo=UTC), now), ago(datetime(2026, 11, 23, 14, 30, tzinfo=UTC), now)
    ('3 d ago', 'in 2 h')
    >>> ago(now, now)
    'just now'
    """
    away = at - now
    seconds = int(abs(away) / timedelta(seconds=1))
    for size, unit in _STEPS:
        if seconds >= size:
            return f"in {seconds // size} {unit}" if away > timedelta() else f"{seconds // size} {unit} ago"
    return "in less than 1 min" if away > timedelta() else "just now"
