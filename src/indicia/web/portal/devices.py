"""The pages of devices: the list, one device with why it is in its group, its tags, and taking it away."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, NamedTuple
from urllib.parse import urlencode

from fastapi import APIRouter
from starlette.responses import Response

from indicia.domain.device import MOST_TAGS, Device
from indicia.domain.errors import Forbidden, InvalidInput, NotFound, Problem
from indicia.domain.grouping import UNGROUPED, folded
from indicia.services import devices, groups
from indicia.services.devices import Page, Shown, Why
from indicia.store.devices import Devices, Place
from indicia.web.origin import origin_of
from indicia.web.portal.fields import Faults, by_field
from indicia.web.portal.visit import PostDep, Visit, VisitDep

router = APIRouter(include_in_schema=False)

PAGE_SIZE: Final = 100
_COUNTED: Final = 10_000
_TEXT_CHARACTERS: Final = 256
_NONE: Final = "none"
_ORDERS: Final = (("name", "Name"), ("seen", "Seen last"))


class Filters(NamedTuple):
    """What the list is narrowed to; ``group`` is ``=NAME``, or ``none`` for devices in no group."""

    search: str
    group: str
    tag: str
    order: str

    @property
    def is_set(self) -> bool:
        """Whether some devices may be left out."""
        return bool(self.search or self.group or self.tag)

    def address(self, **more: str) -> str:
        """Return the address of the list with these, and *more*."""
        given = {name: value for name, value in self._asdict().items() if value and (name, value) != ("order", "name")}
        return f"/devices?{urlencode(given | more)}" if given or more else "/devices"


@dataclass(frozen=True, slots=True)
class DevicesPage:
    """Some devices, what they are narrowed to, and the ways to the pages beside."""

    filters: Filters
    rows: tuple[Shown, ...]
    groups: tuple[tuple[str, str], ...]
    total: int
    previous: str | None
    next: str | None
    curl: str
    problems: Faults = field(default_factory=dict)
    orders: tuple[tuple[str, str], ...] = _ORDERS

    @property
    def count(self) -> str:
        """How many match, counted no further than is quick."""
        return f"{self.total:,}" if self.total <= _COUNTED else f"more than {_COUNTED:,}"


@dataclass(frozen=True, slots=True)
class DevicePage:
    """One device, why it is in its group, and how many indicators are for that group."""

    device: Device
    group: str | None
    why: Why
    indicators: int
    is_active: bool
    tags: str
    most_tags: int = MOST_TAGS
    problems: Faults = field(default_factory=dict)
    ungrouped: str = UNGROUPED


@dataclass(frozen=True, slots=True)
class RemovePage:
    """Asks before a device is forgotten."""

    device: Device
    group: str | None


@router.get("/devices")
def read_devices(
    visit: VisitDep,
    search: str = "",
    group: str = "",
    tag: str = "",
    order: str = "",
    after: str = "",
    before: str = "",
) -> Response:
    """The list."""
    search, group, tag = (text.strip()[:_TEXT_CHARACTERS] for text in (search, group, tag))
    filters = Filters(search, group, tag, "seen" if order == "seen" else "name")
    wanted = Devices(search=filters.search or None, tag=filters.tag or None)
    named = "" if filters.group == _NONE else filters.group.removeprefix("=") if filters.group else None
    by_seen = filters.order == "seen"
    place = _place(before or after, by_seen=by_seen)
    try:
        found = devices.list_devices(
            visit.database,
            wanted,
            actor=visit.actor,
            group=named,
            by_last_seen=by_seen,
            after=place,
            backwards=bool(before and place),
            limit=PAGE_SIZE,
        )
        total = devices.count_devices(visit.database, wanted, actor=visit.actor, group=named, most=_COUNTED + 1)
    except InvalidInput as error:
        return visit.page("devices.html", _list(visit, filters, Page([], None, None), 0, by_field(error)), status=400)
    return visit.page("devices.html", _list(visit, filters, found, total))


@router.get("/devices/{id}")
def read_device(visit: VisitDep, id: str) -> Response:
    """One device, by its number, its machine id or its name."""
    return visit.page("device.html", _device_page(visit, devices.show_device(visit.database, id, actor=visit.actor)))


@router.post("/devices/{id}/tags")
def change_tags(visit: PostDep, id: str) -> Response:
    """Give a device the tags that were typed, a line each, in place of those that it has."""
    shown = devices.show_device(visit.database, id, actor=visit.actor)
    wanted = [line.strip() for line in visit.form.text("tags").splitlines() if line.strip()]
    kept = {folded(tag) for tag in wanted}
    try:
        after = devices.tag_device(
            visit.database,
            shown.device.machine_id,
            add=wanted,
            remove=[tag for tag in shown.device.tags if folded(tag) not in kept],
            actor=visit.actor,
            now=visit.now,
            grouping=visit.app.grouping,
        )
    except InvalidInput as error:
        page = _device_page(visit, shown, visit.form.text("tags")[:20_000], by_field(error))
        return visit.page("device.html", page, status=422)
    except Forbidden as error:
        if not visit.may("devices.write"):
            raise
        faults = {"tags": (Problem("forbidden", str(error)),)}
        page = _device_page(visit, shown, visit.form.text("tags")[:20_000], faults)
        return visit.page("device.html", page, status=422)
    return visit.go(f"/devices/{after.device.id}", said="saved" if after.device != shown.device else "unchanged")


@router.get("/devices/{id}/remove")
def ask_to_remove(visit: VisitDep, id: str) -> Response:
    """Ask whether a device shall be forgotten."""
    device, group = devices.show_device(visit.database, id, actor=visit.actor)
    return visit.page("device_remove.html", RemovePage(device, group))


@router.post("/devices/{id}/remove")
def remove_device(visit: PostDep, id: str) -> Response:
    """Forget a device."""
    devices.remove_devices(visit.database, [id], actor=visit.actor, now=visit.now)
    return visit.go("/devices", said="device-removed")


def _list(visit: Visit, filters: Filters, found: Page, total: int, problems: Faults | None = None) -> DevicesPage:
    names = [group.name for group in groups.list_groups(visit.database, actor=visit.actor)]
    others = ((_NONE, UNGROUPED),) if visit.actor.groups is None else ()
    body = '\'{"name":"srv-web-01.corp.example","osPlatform":"Linux","tags":["web"]}\''
    curl = (
        f'curl -s {origin_of(visit.request)}/v1/devices -H "Authorization: Bearer $TOKEN" '
        f'-H "Content-Type: application/json" -d {body}'
    )
    return DevicesPage(
        filters,
        tuple(found.items),
        (("", "All device groups"), *((f"={name}", name) for name in names), *others),
        total,
        filters.address(before=_text(found.before)) if found.before else None,
        filters.address(after=_text(found.after)) if found.after else None,
        curl,
        problems or {},
    )


def _device_page(visit: Visit, shown: Shown, tags: str | None = None, problems: Faults | None = None) -> DevicePage:
    device, group = shown
    why = devices.why_grouped(visit.database, device, actor=visit.actor)
    indicators = 0
    if group is not None:
        try:
            indicators = groups.show_group(visit.database, group, actor=visit.actor, now=visit.now).indicators
        except NotFound:  # renamed or removed just now
            group = None
    text = "\n".join(device.tags) if tags is None else tags
    return DevicePage(device, group, why, indicators, device.is_active(visit.now), text, problems=problems or {})


def _text(place: Place) -> str:
    value, number = place
    return f"{number}:{value.isoformat() if isinstance(value, datetime) else value}"


def _place(text: str, *, by_seen: bool) -> Place | None:
    """Return the place that an address names, None for one that is none: the list begins anew then."""
    number, _, value = text[:2_000].partition(":")
    if not (number.isascii() and number.isdecimal() and len(number) < 19 and value):
        return None
    if not by_seen:
        return value, int(number)
    try:
        at = datetime.fromisoformat(value)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC), int(number)
    except (ValueError, OverflowError):
        return None
