"""`indicia device` and `indicia group`, as somebody types them."""

from __future__ import annotations

import csv

from tests.acceptance.command_line import Terminal

CSV = """Name,OS,Tags,Addresses,Owner
srv-1.corp.example,Linux,web;lab,10.0.0.1;2001:db8::1,ops
pc7,Windows11,,,
,x,,,
srv-2,Linux,,10.0.0.999,
"""


def test_devices_find_their_groups(terminal: Terminal) -> None:
    terminal.ok("group", "add", "Servers", "--rule", "name starts with srv-")
    assert (
        terminal.ok("group", "add", "Lab", "--rank", "1", "--rule", "tag in lab, kiosk").out == "added: Lab, rank 1\n"
    )
    (terminal.folder / "devices.csv").write_text(CSV)
    done = terminal.call("device", "import", str(terminal.folder / "devices.csv"))
    assert done.code == 3
    assert "2 created, 0 updated, 0 unchanged, 2 refused" in done.out
    assert "line 4: name: name is missing" in done.err
    assert "line 5: addresses: '10.0.0.999' is not an IP address" in done.err
    shown = terminal.ok("device", "show", "srv-1", "--json").json
    assert (shown["group"], shown["tags"], shown["why"]["rule"]) == (
        "Lab",
        ["web", "lab"],
        ["tag is one of lab, kiosk"],
    )
    assert "not in        Lab, rank 1: its tag does not match" in terminal.ok("device", "show", "pc7").out
    groups = terminal.ok("group", "list", "--json").json
    assert [(each["name"], each["members"]) for each in groups["groups"]] == [("Lab", 1), ("Servers", 0)]
    assert groups["ungrouped"] == 1
    terminal.ok("group", "rank", "Servers", "1")
    assert "in Servers" in terminal.ok("device", "tag", "srv-1", "--add", "x").out
    assert terminal.ok("device", "list", "--group", "Servers", "--jsonl").out.count("\n") == 1
    assert "pc7" in terminal.ok("device", "list", "--ungrouped").out
    assert terminal.ok("device", "add", "pc7", "--tag", "kiosk", "--json").json["device"]["group"] == "Lab"
    assert terminal.ok("device", "remove", "pc7").out == "removed: pc7\n"
    assert terminal.call("device", "show", "pc7").code == 5
    assert terminal.call("device", "add", "a\x02b").code == 2
    (terminal.folder / "none.csv").write_text("a,b\n1,2\n")
    assert terminal.call("device", "import", str(terminal.folder / "none.csv")).code == 2


def test_rules_are_previewed_changed_and_taken_away(terminal: Terminal) -> None:
    terminal.ok("device", "add", "srv-1")
    found = terminal.ok("group", "preview", "--rule", "name contains 1", "--rule", "name is x", "--json").json
    assert (found["members"], found["sample"]) == (1, ["srv-1"])
    terminal.ok("group", "add", "Servers")
    assert (
        "1 device would be in it"
        in terminal.ok("group", "rules", "Servers", "--rule", "name is srv-1", "--dry-run").out
    )
    assert terminal.ok("group", "rules", "Servers").out == ""
    assert terminal.ok("group", "rules", "Servers", "--rule", "name is srv-1").out == "name is srv-1\n"
    assert terminal.ok("group", "rename", "Servers", "Other").out == "renamed: Servers to Other\n"
    assert terminal.ok("group", "rules", "Other", "--none").out == ""
    for wrong in ("name like x", "size is 5", "name is", "x"):
        assert terminal.call("group", "preview", "--rule", wrong).code == 2
    assert terminal.call("group", "rules", "Other", "--none", "--rule", "name is x").code == 2


def test_a_verdict_for_a_device(terminal: Terminal) -> None:
    terminal.ok("group", "add", "Servers", "--rule", "name starts with srv-")
    terminal.ok("device", "add", "srv-1")
    text = ("--title", "t", "--description", "d")
    terminal.ok("add", "evil.example", "--action", "Block", *text, "--group", "Servers")
    assert "Block, by indicator 1" in terminal.ok("check", "evil.example", "--device", "srv-1").out
    done = terminal.call("check", "evil.example", "--device", "srv-9")
    assert done.code == 2
    assert "there is no device 'srv-9'" in done.err


def test_a_field_that_is_too_long_is_told_with_its_line(terminal: Terminal) -> None:
    (terminal.folder / "devices.csv").write_text(f"name,tags\nsrv-1,a\nsrv-2,{'x' * 20_000}\n")
    limit = csv.field_size_limit()
    done = terminal.call("device", "import", str(terminal.folder / "devices.csv"))
    assert done.code == 2
    assert "line 3: a field has over 16,384 characters" in done.err
    assert csv.field_size_limit() == limit, "which is the whole process's"
