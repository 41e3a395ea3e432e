"""Changes: every changeset is listed and shown with what it did, can be taken back, and the chain can be verified."""

from __future__ import annotations

import io
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from indicia.services import groups, indicators
from indicia.services.imports import Options, Source, import_indicators
from indicia.web.portal.changes import _details
from tests.integration.web.portal.conftest import Portal, text_of
from tests.wire.doors import ADMIN


def edit(portal: Portal, number: int, **fields: Any) -> None:
    def change(stored: Any) -> Any:
        return indicators.draft_from(stored.indicator)._replace(**fields), ()

    indicators.edit(
        portal.app.database,
        number,
        change,
        actor=ADMIN,
        now=datetime.now(UTC),
        guard=portal.app.guard,
        reason="because",
    )


def imported(portal: Portal, names: list[str]) -> int:
    rows = "".join(f"DomainName,{name},Block,t,d\n" for name in names)
    source = Source(
        "list of <today>.csv", io.BytesIO(f"IndicatorType,IndicatorValue,Action,Title,Description\n{rows}".encode())
    )
    report = import_indicators(
        portal.app.database, [source], Options(), actor=ADMIN, now=datetime.now(UTC), guard=portal.app.guard
    )
    assert report.changeset is not None
    return report.changeset


# -- the list ---------------------------------------------------------------------------------------------------------


def test_every_changeset_is_listed_with_who_from_where_what_and_why(portal: Portal) -> None:
    number = portal.add("one.example")
    edit(portal, number, title="another")
    text = text_of(portal.get("/changes"))
    assert "Edited ~1 1 changed Admin Command line because" in text
    assert "Saved +1 1 added Admin Command line" in text


def test_the_list_is_narrowed_by_what_the_address_says(portal: Portal) -> None:
    number = portal.add("one.example")
    edit(portal, number, title="another")
    today = datetime.now(UTC).date()
    tomorrow = today + timedelta(days=1)
    for query, kinds in (
        ("kind=edit", {"Edited"}),
        ("kind=delete", set()),
        ("actor=admin&kind=submit", {"Saved"}),
        ("source=Cli&kind=edit", {"Edited"}),
        ("source=Feed", set()),
        (f"since={tomorrow}", set()),
        ("since=today&kind=edit", {"Edited"}),
        ("until=yesterday", set()),
        ("since=7d&kind=edit", {"Edited"}),
        (f"since={today}&until={today}&kind=edit", {"Edited"}),
    ):
        page = portal.get(f"/changes?{query}")
        assert page.status_code == 200
        rows = re.findall(r'<th scope="row" class="right"><a href="/changes/\d+">.*?</tr>', page.text, re.DOTALL)
        assert {kind for kind in ("Edited", "Saved") for row in rows if kind in row} == kinds, query
        if not kinds:
            assert "No change is like that" in page.text


def test_what_is_chosen_stays_chosen_on_the_next_page(portal: Portal) -> None:
    for number in range(52):
        groups.add_group(portal.app.database, f"g{number}", None, actor=ADMIN, now=datetime.now(UTC))
    page = portal.get("/changes?kind=group.add")
    [older] = re.findall(r'href="(/changes\?[^"]*before=[^"]*)"', page.text)
    assert "kind=group.add" in older
    last = portal.get(older.replace("&amp;", "&"))
    assert last.text.count("Device group added</td>") == 2
    [newer] = re.findall(r'href="(/changes\?[^"]*after=[^"]*)"', last.text)
    assert portal.get(newer.replace("&amp;", "&")).text.count("Device group added</td>") == 50


@pytest.mark.parametrize("field", ["since", "until"])
@pytest.mark.parametrize("text", ["soon", "2026-02-30", "99999999999999999d", "d", "-1d", "١d"])
def test_a_day_that_is_none_is_said_beside_its_field(portal: Portal, field: str, text: str) -> None:
    page = portal.get(f"/changes?{field}={text}")
    assert page.status_code == 400
    assert "is no day; write it as 2026-01-31" in page.text
    assert re.search(rf'id="f-{field}"[^>]*value="{re.escape(text)}"', page.text)


# -- one changeset ----------------------------------------------------------------------------------------------------


def test_an_edit_is_shown_field_by_field(portal: Portal) -> None:
    number = portal.add("one.example", title="before <b>")
    edit(portal, number, title="after <b>", severity="High")
    page = portal.get(f"/changes/{portal.heads()}")
    assert "Title before <b> → became after <b>" in text_of(page)
    assert "Severity Informational → became High" in text_of(page)
    assert "<b>" not in page.text


def test_an_import_names_its_files_and_counts(portal: Portal) -> None:
    number = imported(portal, ["one.example", "two.example"])
    text = text_of(portal.get(f"/changes/{number}"))
    assert "list of <today>.csv 2 2 0 0 0 0 0" in text
    assert text.count("Added ") >= 2


def test_what_a_large_one_did_comes_in_pages(portal: Portal) -> None:
    number = imported(portal, [f"n{each}.example" for each in range(120)])
    seen: list[str] = []
    path: str | None = f"/changes/{number}"
    while path:
        page = portal.get(path)
        seen += re.findall(r'href="/indicators/(\d+)"', page.text)
        found = re.search(r'href="([^"]*after=\d+)"', page.text)
        path = found[1].replace("&amp;", "&") if found else None
    assert seen == [str(each) for each in range(1, 121)]


def test_the_kinds_of_rows_have_their_tabs(portal: Portal) -> None:
    imported(portal, ["one.example", "two.example"])
    rows = "DomainName,one.example,Block,t2,d\nDomainName,three.example,Block,t,d\n"
    source = Source("x.csv", io.BytesIO(f"IndicatorType,IndicatorValue,Action,Title,Description\n{rows}".encode()))
    import_indicators(
        portal.app.database, [source], Options(), actor=ADMIN, now=datetime.now(UTC), guard=portal.app.guard
    )
    here = f"/changes/{portal.heads()}"
    assert "All 2 Added 1 Changed 1" in text_of(portal.get(here))
    assert "three.example" in portal.get(f"{here}?effect=created").text
    assert "three.example" not in portal.get(f"{here}?effect=updated").text
    assert portal.get(f"{here}?effect=nonsense").status_code == 200


@pytest.mark.parametrize("path", ["/changes/0", "/changes/999", "/changes/x", "/changes/-1", "/changes/" + "9" * 5_000])
def test_there_is_no_such_changeset(portal: Portal, path: str) -> None:
    assert portal.get(path).status_code == 404
    assert portal.get(f"{path}/undo").status_code == 404
    assert portal.post(f"{path}/undo").status_code == 404


def test_a_change_of_something_else_has_its_details_and_no_undo(portal: Portal) -> None:
    groups.add_group(portal.app.database, "Servers", None, actor=ADMIN, now=datetime.now(UTC))
    here = f"/changes/{portal.heads()}"
    page = portal.get(here)
    assert "Name Servers" in text_of(page)
    assert f'href="{here}/undo"' not in page.text
    assert "nothing to take back" in text_of(portal.get(f"{here}/undo"))
    assert portal.post(f"{here}/undo").status_code == 409


def test_what_a_changeset_says_of_itself_is_words_and_not_json() -> None:
    details = {"bulk": {"total": 3, "unchanged": 0, "change": {"severity": "High", "groups": ["A", "B"]}}, "by": "link"}
    assert _details(details) == (("Bulk", "total 3, change severity High, groups A, B"), ("By", "link"))


# -- undo -------------------------------------------------------------------------------------------------------------


def test_the_preview_says_what_an_undo_does_and_changes_nothing(portal: Portal) -> None:
    number = imported(portal, ["one.example", "two.example"])
    text = text_of(portal.get(f"/changes/{number}/undo"))
    assert "2 are removed" in text
    assert portal.heads() == number


def test_an_undo_goes_back_where_its_button_stood_and_keeps_the_reason(portal: Portal) -> None:
    number = imported(portal, ["one.example"])
    reply = portal.post(f"/changes/{number}/undo", {"next": "/indicators?q=type%3Aip", "reason": "wrong list"})
    assert reply.status_code == 303
    assert reply.headers["location"] == f"/indicators?q=type%3Aip&changed={number + 1}"
    text = text_of(portal.get(f"/changes/{number + 1}"))
    assert "wrong list" in text
    assert f"Undo of {number}" in text
    assert f"taken back by changeset {number + 1}" in text_of(portal.get(f"/changes/{number}"))


@pytest.mark.parametrize("elsewhere", ["//evil.example/", "https://evil.example/", "/\\evil.example", "javascript:1"])
def test_an_undo_never_leads_elsewhere(portal: Portal, elsewhere: str) -> None:
    number = imported(portal, ["one.example"])
    reply = portal.post(f"/changes/{number}/undo", {"next": elsewhere})
    assert reply.headers["location"] == f"/?changed={number + 1}"


def test_what_is_in_the_way_is_named_with_the_choice_to_keep_it(portal: Portal) -> None:
    number = imported(portal, ["one.example", "two.example"])
    edit(portal, 1, title="later")
    before = portal.heads()
    reply = portal.post(f"/changes/{number}/undo", {"next": "/changes", "reason": "a reason"})
    assert reply.status_code == 409
    text = text_of(reply)
    assert "Nothing was undone: later changes are in the way" in text
    assert f"Indicator 1 was changed by changeset {before}" in text
    assert "1 are removed" in text
    assert 'value="a reason"' in reply.text
    assert portal.heads() == before
    kept = portal.post(f"/changes/{number}/undo", {"next": "/changes", "keep_later": "on"})
    assert kept.status_code == 303
    left = indicators.list_indicators(
        portal.app.database, indicators.Wanted(), actor=ADMIN, now=datetime.now(UTC), limit=10
    )
    assert [stored.id for stored in left.items] == [1]


def test_a_second_click_undoes_nothing_twice(portal: Portal) -> None:
    number = imported(portal, ["one.example"])
    portal.post(f"/changes/{number}/undo")
    again = portal.post(f"/changes/{number}/undo")
    assert again.status_code in (303, 409)
    assert portal.heads() == number + 1
    assert "taken back already" in text_of(portal.get(f"/changes/{number}/undo"))


# -- verification -----------------------------------------------------------------------------------------------------


def test_verifying_says_that_all_is_well_and_which_hash_to_keep(portal: Portal) -> None:
    imported(portal, ["one.example"])
    assert "not verified since this server was started" in text_of(portal.get("/changes/verify"))
    reply = portal.post("/changes/verify", {"head": ""})
    assert (reply.status_code, reply.headers["location"]) == (303, "/changes/verify")
    page = portal.get("/changes/verify")
    assert "All is as it was written" in text_of(page)
    [head] = set(re.findall(r"\b[0-9a-f]{64}\b", page.text)) - {portal.csrf}
    portal.post("/changes/verify", {"head": f" {head.upper()} "})
    assert "The hash that was given is part of the history" in text_of(portal.get("/changes/verify"))


def test_what_was_altered_is_told_as_an_alarm(portal: Portal) -> None:
    imported(portal, ["one.example"])
    with portal.app.database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE indicators SET title = '<i>altered</i>'")
    portal.post("/changes/verify")
    page = portal.get("/changes/verify")
    assert "The history was altered" in text_of(page)
    assert 'role="alert"' in page.text


@pytest.mark.parametrize("head", ["abc", "z" * 64, "0" * 65])
def test_a_hash_that_is_none_is_said_beside_its_field(portal: Portal, head: str) -> None:
    page = portal.post("/changes/verify", {"head": head})
    assert page.status_code == 400
    assert "a hash has 64 characters" in page.text
    assert f'value="{head}"' in page.text


def test_the_part_that_is_asked_for_again_and_again_is_only_a_part(portal: Portal) -> None:
    part = portal.part("/changes/verify")
    assert part.status_code == 200
    assert "<html" not in part.text
