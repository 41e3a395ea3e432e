"""Importing in the portal: with a form alone, as a script does it, and what is said when something goes wrong."""

from __future__ import annotations

import io
import re
from typing import Any

import httpx
import orjson
import pytest

from indicia.domain.access import Actor, Role, Source
from indicia.services.import_job import State, Wish
from indicia.web.portal import importing_events
from indicia.web.portal.visit import masked
from tests.integration.web.portal.conftest import ORIGIN, Portal, text_of
from tests.wire.conftest import folder, template
from tests.wire.doors import open_door

__all__ = ["folder", "template"]

HEADER = "IndicatorType,IndicatorValue,Action,Title,Description\r\n"
GOOD = HEADER + "DomainName,a.example,Block,t,d\r\nIpAddress,45.1.2.3,Audit,t,d\r\nDomainName,com,Block,t,d\r\n"
BAD = HEADER + "DomainName,a.example,Block,t,d\r\nIpAddress,45.1.2.3,Blok,t,d\r\nIpAddress,45.1.2.4,Blok,t,d\r\n"
OWN = {"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"}
PERSON = Actor("p", "Pia", Source.PORTAL, Role.ADMINISTRATOR.permissions)


def send(portal: Portal, *files: tuple[str, str | bytes], csrf: str | None = None, **more: Any) -> httpx.Response:
    """Send files as the form does without a script."""
    given = [("file", (name, body.encode() if isinstance(body, str) else body)) for name, body in files]
    token = portal.csrf if csrf is None else csrf
    fields = {"repeat": "on", **more.pop("fields", {})}
    return portal.http.post(
        f"/import?csrf={token}",
        files=given or [("file", ("", b""))],
        data=fields,
        headers=OWN | more.pop("headers", {}),
        follow_redirects=False,
        **more,
    )


def begun(portal: Portal, body: str | bytes, name: str = "list.csv", **fields: str) -> str:
    """Return the path of the page of a new import, which is planned by then."""
    reply = send(portal, (name, body), fields=fields)
    assert reply.status_code == 303, reply.text
    path = reply.headers["location"]
    assert portal.app.imports.wait(path.rsplit("/", 1)[-1], 30)
    return str(path)


def page(portal: Portal, path: str, status: int = 200) -> str:
    reply = portal.get(path)
    assert reply.status_code == status, reply.text
    return text_of(reply)


def plan_of(portal: Portal, path: str) -> str:
    found = re.search(r'name="plan" value="([0-9a-f]+)"', portal.get(path).text)
    assert found is not None
    return found[1]


def apply(portal: Portal, path: str, **fields: str) -> httpx.Response:
    return portal.post(f"{path}/apply", {"plan": plan_of(portal, path), **fields})


def values(portal: Portal) -> set[str]:
    with portal.app.database.snapshot() as tx:
        rows = tx.connection.exec_driver_sql("SELECT canonical FROM indicators").all()
    return {row[0] for row in rows}


# -- the journey, without a script ------------------------------------------------------------------------------------


def test_choose_look_import_undo(portal: Portal) -> None:
    first = page(portal, "/import")
    for words in ("Choose file", "Import", "Done", "Download a sample CSV", "Repeat for all the files"):
        assert words in first
    path = begun(portal, GOOD)
    shown = page(portal, path)
    for words in ("2 New", "1 Held for review", "Nothing is changed yet", "Import 3 indicators", "CSV, separated"):
        assert words in shown, shown
    assert values(portal) == set()
    assert apply(portal, path, reason="case 7").headers["location"] == path
    done = page(portal, path)
    for words in ("Imported: 2 added, 1 held", "Changeset ", "“case 7”", "Undo", "Held for review"):
        assert words in done, done
    assert values(portal) == {"a.example", "45.1.2.3", "com"}
    undone = portal.post(f"/changes/{portal.heads()}/undo", {"next": path})
    assert undone.status_code == 303
    assert "This import was taken back" in page(portal, path)
    assert values(portal) == set()
    assert "Imported" in page(portal, "/import")


def test_the_sample_is_the_one_of_the_command_line_and_can_be_imported(portal: Portal) -> None:
    reply = portal.get("/import/sample.csv")
    assert reply.headers["content-type"].startswith("text/csv")
    assert "attachment" in reply.headers["content-disposition"]
    path = begun(portal, reply.content, "sample.csv")
    assert "5 New" in page(portal, path)


def test_correct_in_place_all_alike_and_the_whole_row(portal: Portal) -> None:
    path = begun(portal, BAD)
    shown = page(portal, path)
    for words in (
        "2 Refused",
        "did you mean Block?",
        "Allowed: Allowed, Audit",
        "Blok in 2 rows",
        "Change all 2",
        "Whole row",
    ):
        assert words in shown, shown
    opened = portal.get(f"{path}?show=problems&kind=0").text
    assert 'aria-label="Action on line 3"' in opened
    [back] = set(re.findall(r'name="back" value="([^"]+)"', opened))
    reply = portal.post(f"{path}/correct", {"line": "3", "column": "Action", "text": "Warn", "back": back})
    assert reply.headers["location"] == f"{path}?show=problems&kind=0&page=1#kind-0"
    assert "1 Refused" in page(portal, path)
    row = page(portal, f"{path}/rows/4")
    assert "Correct line 4" in row
    assert "did you mean Block" in row
    reply = portal.post(f"{path}/rows/4", {"cell-1": "45.1.2.9", "cell-2": "Block"})
    assert reply.status_code == 303
    assert "0 Refused" in page(portal, path)
    apply(portal, path)
    assert values(portal) == {"a.example", "45.1.2.3", "45.1.2.9"}


def test_all_suggestions_at_once(portal: Portal) -> None:
    path = begun(portal, BAD)
    portal.post(f"{path}/correct", {"kind": "0", "value": "Blok", "text": "Block"})
    assert "0 Refused" in page(portal, path)
    path = begun(portal, BAD.replace("45.1.2.4,Blok", "45.1.2.4,Blck"))
    assert "Use all 2 suggestions" in page(portal, path)
    portal.post(f"{path}/correct", {"kind": "0", "suggested": "on"})
    assert "0 Refused" in page(portal, path)


def test_good_rows_only_and_the_others_to_download(portal: Portal) -> None:
    path = begun(portal, BAD)
    refused = apply(portal, path, reason="typed before")
    assert refused.status_code == 400
    assert "correct them, or import the good rows only" in text_of(refused)
    assert 'value="typed before"' in refused.text
    assert values(portal) == set()
    assert apply(portal, path, on_error="skip").status_code == 303
    assert values(portal) == {"a.example"}
    assert "2 bad rows were left out" in page(portal, path)
    file = portal.get(f"{path}/rejected")
    assert 'filename="list-rejected.csv"' in file.headers["content-disposition"]
    lines = file.text.split("\r\n")
    assert lines[0].endswith(",_error")
    assert len(lines) == 4


def test_several_files_one_after_another(portal: Portal) -> None:
    reply = send(portal, ("one.csv", GOOD), ("two.txt", "b.example\n"), fields={"action": "Block", "title": "t"})
    assert reply.headers["location"].startswith("/import")
    listed = page(portal, "/import")
    assert "one.csv" in listed
    assert "Needs options" in listed
    [two] = [job for job in portal.app.imports.newest(actor=PERSON) if job.name == "two.txt"]
    assert two.wish.defaults.action == "Block"
    again = {"options": "on", "action": "Block", "title": "t", "description": "d"}
    assert portal.post(f"/import/{two.id}/again", again).status_code == 303
    assert "Import 1 indicator" in page(portal, f"/import/{two.id}")
    [one] = [job for job in portal.app.imports.newest(actor=PERSON) if job.name == "one.csv"]
    apply(portal, f"/import/{one.id}")
    assert "Next: two.txt" in page(portal, f"/import/{one.id}")
    send(portal, ("one.txt", "c.example\n"), ("two.txt", "d.example\n"), fields={"action": "Block", "repeat": ""})
    newest = {job.name: job for job in portal.app.imports.newest(actor=PERSON, limit=2)}
    assert (newest["one.txt"].wish.defaults.action, newest["two.txt"].wish.defaults.action) == ("Block", None)


def test_paste_instead(portal: Portal) -> None:
    fields = {"pasted": "hxxps://evil[.]example/a\r\n45.1.2.3\r\n", "action": "Block", "title": "t", "description": "d"}
    reply = send(portal, fields=fields)
    path = reply.headers["location"]
    assert "Import 2 indicators" in page(portal, path)
    assert "Pasted text" in page(portal, path)
    apply(portal, path)
    assert "45.1.2.3" in values(portal)


def test_one_by_one_and_in_the_end_nothing_to_write(portal: Portal) -> None:
    apply(portal, begun(portal, GOOD))
    path = begun(portal, GOOD)
    assert "There is nothing to write" in page(portal, path)
    header = begun(portal, HEADER)
    assert "The file holds no indicators" in page(portal, header)


def test_stop_and_check_again(portal: Portal) -> None:
    path = begun(portal, GOOD)
    assert portal.post(f"{path}/stop").status_code == 303
    assert "This import was stopped. Nothing was changed." in page(portal, path)
    portal.post(f"{path}/again")
    assert "Import 3 indicators" in page(portal, path)


def test_what_a_killed_server_left_behind(portal: Portal) -> None:
    path = begun(portal, GOOD)
    id = path.rsplit("/", 1)[-1]
    with portal.app.database.transaction() as tx:
        tx.import_jobs.move(id, among=[State.PLANNED], state=State.APPLYING, owner="gone")
    shown = page(portal, path)
    assert "The server was stopped while this import was under way. Nothing was changed." in shown
    assert "Check again" in shown


def test_somebody_was_faster(portal: Portal) -> None:
    path = begun(portal, GOOD)
    plan = plan_of(portal, path)
    portal.add("a.example", title="faster")
    assert apply(portal, path).status_code == 303
    assert "what is stored has changed since this import was planned" in page(portal, path)
    portal.post(f"{path}/again")
    old = portal.post(f"{path}/apply", {"plan": plan})
    assert old.status_code == 409
    assert "not the plan that you saw" in text_of(old)
    assert apply(portal, path).status_code == 303
    assert "Imported" in page(portal, path)


# -- what goes wrong --------------------------------------------------------------------------------------------------


def test_nothing_chosen_and_nothing_lost(portal: Portal) -> None:
    reply = send(portal, fields={"reason": "r" * 2_000, "title": "kept"})
    assert reply.status_code == 400
    said = text_of(reply)
    assert "2,000 characters are given, at most 1,000 are allowed" in said
    assert "r" * 2_000 in reply.text
    assert 'value="kept"' in reply.text
    assert "choose a file, drop one" in text_of(send(portal))
    assert "nothing.csv is empty" in text_of(send(portal, ("one.csv", GOOD), ("nothing.csv", "")))
    assert portal.app.imports.newest(actor=PERSON) == []


def test_a_write_of_somebody_else_is_refused_before_it_is_read(portal: Portal) -> None:
    for token in ("", "00", masked("x" * 64)):
        assert send(portal, ("list.csv", GOOD), csrf=token).status_code == 403
    foreign = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    assert send(portal, ("list.csv", GOOD), headers=foreign).status_code == 403
    huge = {"Content-Length": str(1 << 50), "Content-Type": "multipart/form-data; boundary=x", **OWN}
    reply = portal.http.post("/import?csrf=00", content=b"", headers=huge)
    assert reply.status_code == 403
    assert portal.app.imports.newest(actor=PERSON) == []


def test_a_broken_upload_leaves_nothing_behind(portal: Portal) -> None:
    kind = {"Content-Type": "multipart/form-data; boundary=x", **OWN}
    start = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n' + GOOD.encode()
    for body, headers, status in (
        (start, kind, 400),  # the connection ended in the file
        (start + b"\r\n--x\r\n", kind, 400),  # and after it
        (b"no parts at all", kind, 400),
        (start + b"\r\n--x--\r\n", OWN | {"Content-Type": "multipart/form-data"}, 400),
        (b"csrf=1&file=x", OWN | {"Content-Type": "application/x-www-form-urlencoded"}, 415),
        (orjson.dumps({}), OWN | {"Content-Type": "application/json"}, 415),
    ):
        reply = portal.http.post(f"/import?csrf={portal.csrf}", content=body, headers=headers)
        assert (reply.status_code, portal.app.imports.newest(actor=PERSON)) == (status, []), (body[:40], reply.text)


def test_too_much_at_once(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = portal.app.settings.model_copy(update={"max_import_bytes": 2_000})
    object.__setattr__(portal.app, "settings", settings)
    reply = send(portal, ("long.csv", HEADER + "x" * 3_000))
    assert reply.status_code == 413
    assert "split the file" in text_of(reply)

    def pieces() -> Any:
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
        for _ in range(1_000):
            yield b"x" * 1_000

    headers = {"Content-Type": "multipart/form-data; boundary=x", **OWN}
    unannounced = portal.http.post(f"/import?csrf={portal.csrf}", content=pieces(), headers=headers)
    assert unannounced.status_code == 413
    assert portal.app.imports.newest(actor=PERSON) == []


def test_a_file_that_cannot_be_imported_says_what_to_do(portal: Portal) -> None:
    path = begun(portal, b"\x1f\x8b\x08\0", "list.csv.gz")
    said = page(portal, path)
    assert "This file cannot be imported as it is. Nothing was changed." in said
    assert "unpack it first, as with gzip -dc" in said
    assert "Choose another file" in said


def test_addresses_that_mean_nothing(portal: Portal) -> None:
    path = begun(portal, BAD)
    for address in ("/import/nothing", f"{path}/rows/999", f"{path}/rows/0", f"{path}/rows/x", "/import/nothing/state"):
        assert portal.get(address).status_code == 404, address
    for query in ("show=x", "show=problems&kind=99&page=7", "show=problems&kind=0&page=99999", "kind=-1", "show=held"):
        assert portal.get(f"{path}?{query}").status_code == 200, query
    assert portal.post(f"{path}/correct", {}).status_code == 400
    assert portal.post(f"{path}/correct", {"line": "x"}).status_code == 400
    assert portal.post(f"{path}/correct", {"line": "3", "column": "Action", "text": "x" * 20_000}).status_code == 400
    kept = portal.post(f"{path}/rows/3", {"cell-3": "y" * 20_000})
    assert kept.status_code == 400
    assert "y" * 20_000 in kept.text
    assert "2 Refused" in page(portal, path)


def test_what_a_file_says_stays_text(portal: Portal) -> None:
    evil = "<script>alert(1)</script>\"'><img src=x>"
    rows = f'DomainName,{evil},"{evil}",t,d\r\n'.replace('>"', '>""').replace("\"'", '""\'')
    path = begun(
        portal, HEADER.replace("Title", "Title,<b>x</b>") + rows + "Url,javascript:alert(1),Block,t,,d\r\n", evil
    )
    for address in (path, f"{path}?show=refused", f"{path}?show=problems&kind=0", f"{path}/rows/2", "/import"):
        text = portal.get(address).text
        assert "<script>alert" not in text
        assert "<img" not in text
        assert "<b>x" not in text
        assert 'href="javascript' not in text


# -- as a script does it ----------------------------------------------------------------------------------------------


def test_a_script_sends_one_file_and_asks_how_it_goes(portal: Portal) -> None:
    headers = {"Accept": "application/json", "X-CSRF-Token": portal.csrf}
    reply = send(portal, ("list.csv", GOOD), csrf="", headers=headers)
    assert reply.status_code == 201
    [told] = reply.json()["imports"]
    state = portal.get(f"{told['href']}/state").json()
    assert (state["state"], state["done"], state["text"]) == ("planned", True, "2 new, 1 held")
    empty = send(portal, ("list.csv", ""), csrf="", headers=headers)
    assert (empty.status_code, empty.json()["problems"][0]["code"]) == (400, "empty-file")


def test_progress_is_a_stream_of_events_that_ends(portal: Portal) -> None:
    path = begun(portal, GOOD)
    reply = portal.get(f"{path}/events")
    assert reply.headers["content-type"].startswith("text/event-stream")
    assert "content-encoding" not in reply.headers
    assert "event: done\ndata: {" in reply.text
    assert portal.get("/import/nothing/events").status_code == 404


def test_one_person_has_only_so_many_streams(portal: Portal) -> None:
    path = begun(portal, GOOD)
    portal.get(f"{path}/events")
    state = portal.http.app.state  # type: ignore[attr-defined] # it is ours, which has one
    assert set(state.import_streams.values()) == {0}
    state.import_streams[portal.person.id] = importing_events.MOST_STREAMS
    assert portal.get(f"{path}/events").status_code == 429


def test_a_page_that_waits_needs_no_script(portal: Portal) -> None:
    rows = "".join(f"DomainName,h{number}.example,Block,t,d\r\n" for number in range(60_000))
    job = portal.app.imports.start("long.csv", io.BytesIO((HEADER + rows).encode()), Wish(), actor=PERSON)
    shown = portal.get(f"/import/{job.id}").text
    assert '<noscript><meta http-equiv="refresh"' in shown
    assert "You may leave this page" in shown
    assert "Checking" in portal.get("/import").text
    assert portal.app.imports.wait(job.id, 60)
    assert "refresh" not in portal.get(f"/import/{job.id}").text


def test_a_killed_server_forgets_no_plan(folder: Any) -> None:
    with open_door(folder) as door:
        job = door.app.imports.start("list.csv", io.BytesIO(GOOD.encode()), Wish(), actor=PERSON)
        assert door.app.imports.wait(job.id, 30)
        door.app.close()
    with open_door(folder) as door:
        again = door.app.imports.get(job.id, actor=PERSON)
        assert (again.state, again.rows, again.kept) == (State.PLANNED, 3, True)


def test_the_type_that_a_value_has_is_not_put_in_its_place(portal: Portal) -> None:
    path = begun(portal, HEADER + "DomainName,http://evil.example/a,Block,t,d\r\nFileMd5,evil.example,Block,t,d\r\n")
    shown = "".join(portal.get(f"{path}?show=problems&kind={kind}").text for kind in (0, 1))
    assert 'name="text" value="http://evil.example/a"' in shown
    assert 'name="text" value="evil.example"' in shown
    assert 'value="Url" aria-label' not in shown
    assert "suggestions" not in shown
