"""The page `/settings/limits`: what the settings say, and what the guard holds back."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from fastapi import APIRouter
from starlette.responses import Response

from indicia.domain.errors import InvalidInput
from indicia.services.guarding import HeldList, Tried, lists_of, own_entries, try_value
from indicia.services.health import active_indicators
from indicia.settings import Settings
from indicia.web.portal.fields import Faults, by_field
from indicia.web.portal.visit import VisitDep

SHOWN_ENTRIES = 50

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: what it is for, what it says, and the variable that sets it."""

    text: str
    value: str
    variable: str


@dataclass(frozen=True, slots=True)
class LimitsPage:
    """Both; ``value`` is what somebody wants to know whether it is guarded."""

    section: str
    active: int
    most_active: int | None
    settings: tuple[Setting, ...]
    lists: tuple[HeldList, ...]
    guard_file: Path | None
    own: tuple[str, ...]
    own_more: int
    value: str = ""
    tried: Tried | None = None
    problems: Faults = field(default_factory=dict)


@router.get("/settings/limits")
def read_limits(visit: VisitDep, value: str = "") -> Response:
    """The page."""
    app = visit.app
    tried: Tried | None = None
    problems: Faults = {}
    if value.strip():
        try:
            tried = try_value(app.guard, value)
        except InvalidInput as error:
            problems = by_field(error)
    lists = lists_of(app.guard)
    listed = next((each.entries for each in lists if each.code == "listed"), 0)
    page = LimitsPage(
        section="limits",
        active=active_indicators(visit.database, actor=visit.actor, now=visit.now),
        most_active=app.settings.max_active_indicators,
        settings=tuple(settings_shown(app.settings)),
        lists=tuple(lists),
        guard_file=app.settings.guard_file,
        own=tuple(own_entries(app.guard, SHOWN_ENTRIES)),
        own_more=max(0, listed - SHOWN_ENTRIES),
        value=value[:5_000],
        tried=tried,
        problems=problems,
    )
    return visit.page("settings_limits.html", page, status=422 if problems else 200)


def settings_shown(settings: Settings) -> list[Setting]:
    """Return the limits that *settings* say, each as people read it."""
    most = settings.max_active_indicators
    return [
        Setting(
            "Active indicators, at most",
            "no limit" if most is None else f"{most:,}",
            _variable("max_active_indicators"),
        ),
        Setting("An import, at most", _bytes(settings.max_import_bytes), _variable("max_import_bytes")),
        Setting("Any other request, at most", _bytes(settings.max_body_bytes), _variable("max_body_bytes")),
        Setting("Expired indicators are removed every", _seconds(settings.sweep_seconds), _variable("sweep_seconds")),
        Setting(
            "Which network indicator wins",
            {"action": "by action", "most-specific": "the narrowest value first"}.get(
                settings.network_precedence.value, settings.network_precedence.value
            ),
            _variable("network_precedence"),
        ),
        Setting("A token of the API is good for", _seconds(settings.token_seconds), _variable("token_seconds")),
        Setting(
            "Signed out after nothing happened for",
            _seconds(settings.session_idle_seconds),
            _variable("session_idle_seconds"),
        ),
        Setting("Signed out in any case after", _seconds(settings.session_seconds), _variable("session_seconds")),
        Setting("Names of this server, never to be blocked", settings.own_names or "none", _variable("own_names")),
    ]


def _variable(name: str) -> str:
    return f"INDICIA_{name.upper()}"


def _bytes(number: int) -> str:
    """Return a size in the largest unit that it fills.

    >>> _bytes(16 << 20), _bytes(1500)
    ('16 MiB', '1,500 bytes')
    """
    for shift, unit in ((30, "GiB"), (20, "MiB"), (10, "KiB")):
        if number >= 1 << shift and number % (1 << shift) == 0:
            return f"{number >> shift:,} {unit}"
    return f"{number:,} bytes"


def _seconds(number: float) -> str:
    """Return a time in the largest unit that it fills.

    >>> _seconds(43200), _seconds(1800), _seconds(5.0), _seconds(3599)
    ('12 hours', '30 minutes', '5 seconds', '3,599 seconds')
    """
    for length, unit in ((3_600, "hours"), (60, "minutes")):
        if number >= length and number % length == 0:
            return f"{number / length:,.0f} {unit}"
    return f"{number:,g} seconds" if number < 1_000_000 else f"{number:,.0f} seconds"
