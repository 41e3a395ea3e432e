"""The pages of devices, and the editor of device groups."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from indicia.services import devices, groups
from tests.integration.web.portal.conftest import Portal, text_of
from tests.wire.doors import ADMIN

HOSTILE = "<script>alert(1)</script>\"'&"
SERVERS = {"field": "name", "operator": "startsWith", "values": ["srv-"]}


def register(portal: Portal, *given: dict[str, Any]) -> None:
    now = datetime.now(UTC)
    devices.register(portal.app.database, given, actor=ADMIN, now=now, grouping=portal.app.grouping)


def form(*rows: tuple[str, str, str], **fields: str) -> dict[str, Any]:
    parts = zip(*rows, strict=True) if rows else ((), (), ())
    return {**fields, **dict(zip(("field", "operator", "value"), map(list, parts), strict=True))}


def names(page: httpx.Response) -> list[str]:
    return [html.unescape(each) for each in re.findall(r'href="/devices/\d+">([^<]*)<', page.text)]


def test_the_list(portal: Portal) -> None:
    empty = portal.get("/devices")
    assert "No devices yet" in empty.text
    assert "/v1/devices -H" in html.unescape(empty.text)
    groups.add_group(
        portal.app.database, HOSTILE.replace(",", ""), None, actor=ADMIN, now=datetime.now(UTC), rules=[SERVERS]
    )
    register(portal, {"name": "srv-1", "tags": [HOSTILE]}, {"name": "pc-1", "osPlatform": HOSTILE[:90]})
    page = portal.get("/devices")
    assert names(page) == ["pc-1", "srv-1"]
    assert "<script>alert" not in page.text
    assert names(portal.get("/devices?group=none")) == ["pc-1"]
    assert names(portal.get(f"/devices?group=%3D{HOSTILE}".replace("&", "%26"))) == ["srv-1"]
    assert names(portal.get("/devices?search=SRV")) == ["srv-1"]
    assert "No device is like that" in portal.get("/devices?search=x").text
    assert portal.get("/devices?group=%3DNobody").status_code == 400
    for place in ("x", "1:", ":", "9" * 40 + ":a", "1:soon"):
        for order in ("name", "seen"):
            assert portal.get(f"/devices?order={order}&after={place}").status_code == 200


@pytest.mark.parametrize("order", ["name", "seen"])
def test_pages(portal: Portal, order: str) -> None:
    register(portal, *({"name": f"d{number:03}"} for number in range(230)))
    address: str | None = f"/devices?order={order}"
    seen: list[list[str]] = []
    while address:
        page = portal.get(address)
        seen.append(names(page))
        address = next(
            (html.unescape(each) for each in re.findall(r'href="(/devices\?[^"]*after=[^"]*)"', page.text)), None
        )
    assert [len(each) for each in seen] == [100, 100, 30]
    assert len({name for each in seen for name in each}) == 230
    [back] = re.findall(r'href="(/devices\?[^"]*before=[^"]*)"', page.text)
    assert names(portal.get(html.unescape(back))) == seen[1]


def test_a_device_says_why_it_is_in_its_group(portal: Portal) -> None:
    now = datetime.now(UTC)
    groups.add_group(portal.app.database, "Lab", None, actor=ADMIN, now=now, rules=[{**SERVERS, "field": "tag"}])
    groups.add_group(portal.app.database, "Servers", None, actor=ADMIN, now=now, rules=[SERVERS])
    register(portal, {"name": "srv-1"}, {"name": "pc-1"})
    portal.add(rbac_group_names=["Servers"])
    text = text_of(portal.get("/devices/srv-1"))
    assert "rank 2: 1 indicator is for it" in text
    assert "name starts with srv-" in text
    assert "rank 1: its tag is none of those" in text
    assert "no rule of a device group matches" in text_of(portal.get("/devices/pc-1"))
    number = devices.show_device(portal.app.database, "pc-1", actor=ADMIN).device.id
    assert portal.post(f"/devices/{number}/tags", {"tags": "srv-x\n\nb"}).status_code == 303
    assert devices.show_device(portal.app.database, "pc-1", actor=ADMIN).group == "Lab"
    assert portal.post(f"/devices/{number}/tags", {"tags": "x" * 300}).status_code == 422
    assert "Remove the device" in portal.get(f"/devices/{number}/remove").text
    assert portal.post(f"/devices/{number}/remove", {}).status_code == 303
    assert portal.get(f"/devices/{number}").status_code == 404


def test_the_editor_of_a_group(portal: Portal) -> None:
    register(portal, {"name": "srv-1"}, {"name": "pc-1", "tags": ["a,b", "lab"]})
    rows = (("tag", "in", "lab, kiosk"), ("name", "contains", ""), ("osPlatform", "equals", ""))
    edit = "/settings/groups/edit"
    page = portal.post(edit, form(*rows, name="Lab", rank="", old="", do="row"))
    assert page.text.count('name="value"') == 4
    page = portal.post(edit, form(*rows, name="Lab", rank="", old="", do="preview"))
    assert "1 device would be in it" in text_of(page)
    assert not groups.list_groups(portal.app.database), "a preview saves nothing"
    assert portal.post(edit, form(*rows, name="Lab", rank="", old="", do="save")).status_code == 303
    assert devices.show_device(portal.app.database, "pc-1", actor=ADMIN).group == "Lab"
    again = portal.get("/settings/groups/edit?name=Lab")
    assert 'value="lab, kiosk"' in again.text
    rows = (("name", "startsWith", "srv-"),)
    assert portal.post(edit, form(*rows, name="Servers", rank="1", old="Lab", description="racks")).status_code == 303
    [row] = groups.overview(portal.app.database, actor=ADMIN, now=datetime.now(UTC)).groups
    assert (row.group.name, row.group.description, row.members) == ("Servers", "racks", 1)
    wrong = portal.post(edit, form(("name", "equals", ""), ("name", "equals", "a\x02"), name="", old="Servers"))
    assert wrong.status_code == 422
    assert 'id="f-value-2-error"' in wrong.text
    assert 'id="f-name-error"' in wrong.text
    assert portal.post(edit, form(name="x", old="Nobody")).status_code == 404
    assert portal.get("/settings/groups/edit?name=Nobody").status_code == 404


def test_a_value_with_a_comma_keeps_its_meaning_in_the_editor(portal: Portal) -> None:
    register(portal, {"name": "pc-1", "tags": ["a,b"]})
    rule = {"field": "tag", "operator": "in", "values": ["a,b", "c", "d"]}
    groups.add_group(portal.app.database, "G", None, actor=ADMIN, now=datetime.now(UTC), rules=[rule])
    page = portal.get("/settings/groups/edit?name=G")
    values = re.findall(r'name="value" type="text" value="([^"]*)"', page.text)
    assert values[:2] == ["c, d", "a,b"]


def test_moving(portal: Portal) -> None:
    for name in "ab":
        groups.add_group(portal.app.database, name, None, actor=ADMIN, now=datetime.now(UTC))
    assert portal.post("/settings/groups/move", {"name": "b", "to": "up"}).status_code == 303
    assert [group.name for group in groups.list_groups(portal.app.database)] == ["b", "a"]
    assert portal.post("/settings/groups/move", {"name": "b", "to": "down"}).status_code == 303
    assert [group.name for group in groups.list_groups(portal.app.database)] == ["a", "b"]


def test_checking_on_a_device(portal: Portal) -> None:
    groups.add_group(portal.app.database, "Servers", None, actor=ADMIN, now=datetime.now(UTC), rules=[SERVERS])
    register(portal, {"name": "srv-1"}, {"name": "pc-1"})
    portal.add(value="evil.example", rbac_group_names=["Servers"])
    assert "BLOCK" in text_of(portal.get("/check?value=evil.example&device=srv-1"))
    page = portal.get("/check?value=evil.example&device=pc-1&group=Servers")
    assert "Nothing decides" in text_of(page)
    assert "--device pc-1" in page.text
    refused = portal.get("/check?value=evil.example&device=nobody")
    assert refused.status_code == 400
    assert "there is no device" in refused.text
