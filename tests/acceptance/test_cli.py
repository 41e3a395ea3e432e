"""Every command of the command line, one promise at a time."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from tests.acceptance.command_line import HEADER, LIST, Terminal

GOOD = "DomainName,evil.example,,Block,High,T,D,,,,,"
BAD = "DomainName,evil2.example,,Blok,High,T,D,,,,,"
HELD = "DomainName,com,,Block,High,T,D,,,,,"


@pytest.fixture
def stocked(terminal: Terminal) -> Terminal:
    """Return a terminal over a database with the five rows of the sample."""
    (terminal.folder / "sample.csv").write_bytes(terminal.ok("sample").out.encode())
    terminal.ok("import", "sample.csv")
    return terminal


class TestImport:
    def test_json_is_one_document_of_the_documented_shape(self, terminal: Terminal) -> None:
        path = terminal.write("bad.csv", GOOD, BAD, HELD)
        done = terminal.call("import", path, "--json")
        assert done.code == 3
        document = done.json
        assert list(document) == [
            "files", "created", "updated", "unchanged", "refused", "held", "conflicts", "changeset", "problems",
        ]  # fmt: skip
        assert (document["created"], document["refused"], document["held"]) == (1, 1, 1)
        assert document["changeset"] is None
        (bad,) = [each for each in document["problems"] if each["severity"] == "error"]
        assert bad | {"message": ""} == {
            "file": str(path),
            "line": 3,
            "column": "Action",
            "code": "invalid-action",
            "value": "Blok",
            "message": "",
            "allowed": ["Allowed", "Audit", "Warn", "Block", "BlockAndRemediate"],
            "suggestion": "Block",
            "severity": "error",
        }
        assert done.err.startswith("Failed to parse CSV file. Invalid line: 3, ")

    def test_skip_imports_the_good_and_keeps_the_bad_with_reasons(self, terminal: Terminal) -> None:
        path = terminal.write("bad.csv", GOOD, BAD)
        done = terminal.call("import", path, "--on-error", "skip")
        assert done.code == 3
        assert not done.err.startswith("Failed")
        rejects = Path(f"{path}.rejects.csv")
        (row,) = csv.DictReader(io.StringIO(rejects.read_text(encoding="utf-8")))
        assert row["IndicatorValue"] == "evil2.example"
        assert row["Problems"].startswith("line 3: Action: 'Blok' is not one of")
        assert terminal.ok("list", "--count").out == "1\n"
        rejects.write_text(rejects.read_text(encoding="utf-8").replace(",Blok,", ",Block,"), encoding="utf-8")
        assert terminal.ok("import", rejects, "--json").json["created"] == 1

    def test_rejects_of_several_files_go_where_they_are_sent(self, terminal: Terminal) -> None:
        one, two = terminal.write("1.csv", GOOD, BAD), terminal.write("2.csv", BAD)
        assert terminal.call("import", one, two, "--rejects", "r.csv").code == 3
        assert (terminal.folder / "r.csv").read_text().count("evil2.example") == 2
        assert not (terminal.folder / "1.csv.rejects.csv").exists()

    def test_files_of_one_call_are_one_changeset(self, terminal: Terminal) -> None:
        one, two = terminal.write("1.csv", GOOD), terminal.write("2.csv", HELD)
        document = terminal.ok("import", one, two, "--json", "--reason", "both").json
        assert document["changeset"] == 1
        assert [file["rows"] for file in document["files"]] == [1, 1]
        (changeset,) = terminal.ok("history", "--json").json["changesets"]
        assert changeset["reason"] == "both"

    def test_a_dry_run_shows_the_plan_and_changes_nothing(self, terminal: Terminal) -> None:
        path = terminal.write("bad.csv", GOOD, HELD, BAD, GOOD)
        done = terminal.call("import", path, "--dry-run", "--plan", "plan.jsonl")
        assert done.code == 3
        rows = [json.loads(line) for line in (terminal.folder / "plan.jsonl").read_text().splitlines()]
        assert [(row["line"], row["outcome"]) for row in rows] == [
            (2, "created"),
            (3, "held"),
            (4, "refused"),
            (5, "unchanged"),
        ]
        assert rows[1]["notes"][0]["code"] == "held-public-suffix"
        assert rows[2]["notes"][0]["code"] == "invalid-action"
        assert rows[0] == rows[0] | {"type": "DomainName", "value": "evil.example", "action": "Block", "notes": []}
        assert terminal.ok("list", "--count").out == "0\n"

    def test_a_second_import_is_nothing_new(self, stocked: Terminal) -> None:
        done = stocked.ok("import", "sample.csv")
        assert "nothing was new" in done.err
        assert stocked.ok("import", "sample.csv", "--json").json["changeset"] is None

    def test_equal_problems_are_one_line(self, terminal: Terminal) -> None:
        rows = [f"DomainName,n{number}.example,,Blok,High,T,D,,,,," for number in range(100)]
        done = terminal.call("import", terminal.write("bad.csv", *rows))
        (line,) = [line for line in done.err.splitlines() if "refused:" in line]
        assert "lines 2, 3, 4, 5, 6 and 95 more: Action: 'Blok'" in line

    def test_many_different_problems_are_counted(self, terminal: Terminal) -> None:
        rows = [f"DomainName,n{number}.example,,Blok{number},High,T,D,,,,," for number in range(100)]
        done = terminal.call("import", terminal.write("bad.csv", *rows))
        assert sum("refused:" in line for line in done.err.splitlines()) == 20
        assert "… and 80 more (--json shows all)" in done.err

    def test_quiet_says_errors_only(self, terminal: Terminal) -> None:
        done = terminal.ok("import", terminal.write("held.csv", HELD), "-q")
        assert (done.out, done.err) == ("", "")
        done = terminal.call("-q", "import", terminal.write("bad.csv", HELD, BAD))
        assert "refused:" in done.err
        assert "note:" not in done.err

    def test_a_text_list_needs_what_it_lacks(self, terminal: Terminal) -> None:
        path = terminal.write("names.txt", "evil.example", header="")
        done = terminal.call("import", path, "--action", "Block")
        assert done.code == 2
        assert "--title and --description must be given" in done.err
        done = terminal.ok(
            "import", path, *LIST, "--expires", "30d", "--mitre", "T1566", "--category", "malware", "--json"
        )
        assert done.json["created"] == 1
        (found,) = terminal.ok("list", "--json").json["value"]
        assert found["mitreTechniques"] == ["T1566"]
        assert found["expirationTime"] is not None

    def test_ndjson_is_found_out_and_what_list_prints_can_be_imported(self, stocked: Terminal) -> None:
        (stocked.folder / "all.jsonl").write_bytes(stocked.ok("list", "--jsonl").out.encode())
        assert stocked.ok("import", "all.jsonl", "--json").json["unchanged"] == 5

    @pytest.mark.parametrize(
        "name, content, code, message",
        [
            ("x.gz", b"\x1f\x8b\x08", 3, "compressed"),
            ("x.bin", b"MZ\0\0\xff", 3, "not a text"),
            ("x.json", b'[{"a":1}]', 3, "JSON array"),
            ("empty.csv", b"", 3, "no header line"),
            ("short.csv", b"IndicatorType,IndicatorValue\nUrl,x\n", 3, "the column Action is required"),
            ("latin.csv", HEADER.encode() + b"DomainName,\xe9vil.example,,Block,High,T,D,,,,,\n", 3, "Invalid line: 2"),
        ],
    )
    def test_what_is_no_list_is_a_sentence(
        self, terminal: Terminal, name: str, content: bytes, code: int, message: str
    ) -> None:
        (terminal.folder / name).write_bytes(content)
        done = terminal.call("import", name)
        assert done.code == code
        assert done.err.startswith("Failed to parse")
        assert message in done.err
        assert terminal.call("import", name, "--json").json["changeset"] is None

    @pytest.mark.parametrize(
        "arguments, code, message",
        [
            (["nowhere.csv"], 1, "nowhere.csv: there is no such file"),
            (["."], 1, "it is a folder"),
            ([], 2, "Missing argument"),
            (["-", "-"], 2, "stdin (-) can be read once"),
            (["good.csv", "names.txt"], 2, "have to be of one format"),
            (["good.csv", "--rejects", "good.csv"], 2, "is one of the files to import"),
            (["good.csv", "--action", "Block"], 2, "--action gives what a text list lacks"),
            (["good.csv", "--action", "Blok"], 2, "did you mean Block?"),
            (["good.csv", "--format", "tsv"], 2, "is not one of auto, csv, text, ndjson"),
            (["good.csv", "--expires", "soon"], 2, "is neither a while"),
            (["good.csv", "--dry-runn"], 2, "did you mean --dry-run?"),
        ],
    )
    def test_what_cannot_be_done_is_a_sentence(
        self, terminal: Terminal, arguments: list[str], code: int, message: str
    ) -> None:
        terminal.write("good.csv", GOOD)
        terminal.write("names.txt", "evil.example", header="")
        done = terminal.call("import", *arguments)
        assert done.code == code
        assert message in done.err
        assert done.out == ""

    def test_strict_refuses_what_defender_refuses(self, terminal: Terminal) -> None:
        path = terminal.write("md5.csv", f"FileMd5,{'a' * 32},,Block,High,T,D,,,,,")
        assert terminal.call("import", path, "--strict").code == 3
        assert terminal.call("import", path).code == 0


class TestExport:
    def test_export_then_import_changes_nothing(self, stocked: Terminal) -> None:
        stocked.ok("add", "198.51.100.0/24", "--action", "Audit", "--title", "=1+1", "--description", 'a\nb, "c"')
        done = stocked.ok("export", "--full", "-o", "all.csv")
        assert done.out == ""
        assert done.err == "6 indicators written to all.csv\n"
        document = stocked.ok("import", "all.csv", "--json").json
        assert (document["unchanged"], document["refused"]) == (6, 0)

    def test_what_cannot_be_said_is_told(self, stocked: Terminal) -> None:
        stocked.ok("add", "198.51.100.0/24", "--action", "Audit", "--title", "T", "--description", "D")
        stocked.ok("add", "evil.example", *LIST, "--external-id", "7")
        done = stocked.ok("export")
        assert done.out.startswith(HEADER.strip())
        assert len(done.out.splitlines()) == 7
        assert "1 IpRange indicator left out" in done.err
        assert "1 indicator lost properties" in done.err

    def test_cells_are_safe_for_spreadsheets_unless_raw(self, terminal: Terminal) -> None:
        terminal.ok("add", "evil.example", "--action", "Block", "--title", "=1+1", "--description", "D")
        assert ",'=1+1," in terminal.ok("export").out
        assert ",=1+1," in terminal.ok("export", "--raw").out

    def test_batches_have_a_header_each(self, stocked: Terminal) -> None:
        done = stocked.ok("export", "--batch", "2", "-o", "part.csv")
        assert done.err == "5 indicators written to part-0001.csv to part-0003.csv\n"
        files = sorted(stocked.folder.glob("part*"))
        assert [len(file.read_text().splitlines()) for file in files] == [3, 3, 2]
        assert all(file.read_text().startswith(HEADER.strip()) for file in files)
        assert stocked.ok("import", *files, "--json").json["unchanged"] == 5
        assert stocked.call("export", "--batch", "2").code == 2

    def test_filter_and_time_travel(self, stocked: Terminal) -> None:
        stocked.ok("delete", "1")
        assert len(stocked.ok("export", "--filter", "action eq 'Audit'").out.splitlines()) == 2
        assert len(stocked.ok("export", "--at", "1").out.splitlines()) == 6

    def test_a_failed_export_leaves_nothing(self, stocked: Terminal) -> None:
        (stocked.folder / "kept.csv").write_text("kept")
        before = sorted(stocked.folder.iterdir())
        assert stocked.call("export", "-o", "kept.csv", "--at", "99").code == 5
        assert stocked.call("export", "-o", "nowhere/x.csv").err == "error: nowhere/x.csv: there is no such file\n"
        assert sorted(stocked.folder.iterdir()) == before
        assert (stocked.folder / "kept.csv").read_text() == "kept"


class TestList:
    def test_a_bad_filter_is_shown_with_a_mark(self, stocked: Terminal) -> None:
        done = stocked.call("list", "--filter", "action eq 'Block' and sevrity ge 'Medium'")
        assert done.code == 2
        lines = done.err.splitlines()
        assert lines[1] == "  action eq 'Block' and sevrity ge 'Medium'"
        assert lines[2] == "                        ^^^^^^^"
        assert lines[3].startswith("  allowed: id, indicatorValue")

    def test_a_mark_stays_in_sight_of_its_place(self, stocked: Terminal) -> None:
        done = stocked.call("list", "--filter", "title eq 'x' or " * 50 + "foo eq 1")
        shown, mark = done.err.splitlines()[1:3]
        assert shown[mark.index("^") :].startswith("foo eq 1")
        assert len(shown) < 80

    def test_table_json_lines_and_csv_say_the_same(self, stocked: Terminal) -> None:
        table = stocked.ok("list").out.splitlines()
        assert table[0].split()[:3] == ["ID", "TYPE", "VALUE"]
        entities = stocked.ok("list", "--json").json["value"]
        lines = [json.loads(line) for line in stocked.ok("list", "--jsonl").out.splitlines()]
        rows = list(csv.DictReader(io.StringIO(stocked.ok("list", "--csv").out)))
        assert entities == lines
        assert [each["indicatorValue"] for each in entities] == [row["IndicatorValue"] for row in rows]
        assert all(each["indicatorValue"] in row for each, row in zip(entities, table[1:], strict=True))
        assert stocked.call("list", "--json", "--csv").code == 2

    def test_limit_order_and_count(self, stocked: Terminal) -> None:
        done = stocked.ok("list", "--limit", "2", "--order-by", "severity desc,id", "--json")
        assert [each["id"] for each in done.json["value"]] == ["2", "4"]
        assert done.err == "the first 2 of 5; --limit 0 shows all\n"
        everything = stocked.ok("list", "--limit", "0", "--order-by", "severity desc,id", "--json").json["value"]
        assert [each["id"] for each in everything] == ["2", "4", "5", "3", "1"]
        assert stocked.ok("list", "--count", "--json").json == {"count": 5}

    def test_nothing_is_said_in_words(self, stocked: Terminal) -> None:
        done = stocked.ok("list", "--filter", "id eq 99")
        assert (done.out, done.err) == ("", "there are none that match\n")
        assert stocked.ok("list", "--filter", "id eq 99", "--json").json == {"value": []}

    def test_as_it_was(self, stocked: Terminal) -> None:
        stocked.ok("delete", "1", "2")
        assert stocked.ok("list", "--count").out == "3\n"
        assert stocked.ok("list", "--count", "--at", "1").out == "5\n"
        assert stocked.ok("list", "--count", "--at", "2000-01-01").out == "0\n"
        assert stocked.ok("list", "--count", "--at", "0m").out == "3\n"
        assert stocked.call("list", "--at", "yesterday").code == 2

    def test_nothing_acts_on_the_terminal(self, terminal: Terminal) -> None:
        terminal.ok("add", "evil.example", "--action", "Block", "--title", "a\u009b31mb\tc[red]", "--description", "D")
        assert "a\\x9b31mb c[red]" in terminal.ok("list").out

    def test_show(self, stocked: Terminal) -> None:
        shown = stocked.ok("show", "4").out
        assert "malware.example" in shown
        assert stocked.ok("show", "4", "--json").json["indicatorType"] == "DomainName"
        assert stocked.call("show", "99").code == 5
        stocked.ok("add", "com", "--type", "DomainName", *LIST)
        assert "is a public suffix" in stocked.ok("show", "6").err


class TestOneByOne:
    def test_add_mends_and_detects_and_says_so(self, terminal: Terminal) -> None:
        done = terminal.ok("add", "hxxps://evil[.]example/a", "evil.example", *LIST, "--json")
        assert done.json["changeset"] == 1
        assert [each["outcome"] for each in done.json["results"]] == ["created", "created"]
        assert "read as https://evil.example/a (hxxps -> https, [.] -> .)" in done.err
        types = [each["indicatorType"] for each in terminal.ok("list", "--json").json["value"]]
        assert types == ["Url", "DomainName"]

    def test_add_is_all_or_none(self, terminal: Terminal) -> None:
        done = terminal.call("add", "evil.example", "nonsense", *LIST)
        assert done.code == 3
        assert "'nonsense' is no hash" in done.err
        assert "nothing was added" in done.err
        assert terminal.ok("list", "--count").out == "0\n"

    def test_add_plans_only_in_a_dry_run(self, terminal: Terminal) -> None:
        assert "created: indicator: evil.example" in terminal.ok("add", "evil.example", *LIST, "--dry-run").out
        assert terminal.ok("list", "--count").out == "0\n"

    def test_add_needs_to_know_what_to_do(self, terminal: Terminal) -> None:
        done = terminal.call("add", "evil.example")
        assert done.code == 2
        assert "--action" in done.err

    def test_held_and_released(self, terminal: Terminal) -> None:
        done = terminal.ok("add", "com", "--type", "DomainName", *LIST)
        assert done.out == "held: indicator 1: com\n"
        assert terminal.call("release", "1").code == 2
        assert terminal.ok("release", "1", "--reason", "agreed", "--json").json == {"released": ["1"], "changeset": 2}
        assert terminal.ok("show", "1", "--json").json["status"] == "active"
        assert terminal.call("release", "1", "--reason", "again").code == 6
        assert terminal.call("release", "9", "--reason", "no such").code == 5
        overridden = terminal.ok("add", "net", "--type", "DomainName", *LIST, "--override-reason", "agreed")
        assert overridden.out == "created: indicator 2: net\n"

    def test_edit_changes_what_is_named(self, stocked: Terminal) -> None:
        done = stocked.ok("edit", "4", "--action", "audit", "--expires", "never", "--title", "Seen", "--json")
        assert done.json["outcome"] == "updated"
        found = stocked.ok("show", "4", "--json").json
        assert (found["action"], found["expirationTime"], found["title"]) == ("Audit", None, "Seen")
        assert found["mitreTechniques"] == ["T1071.001"]
        assert stocked.ok("edit", "4", "--title", "Seen").out == "unchanged: indicator 4\n"
        assert stocked.ok("edit", "4", "--title", "Other", "--dry-run").out == "updated: indicator 4\n"
        assert stocked.ok("show", "4", "--json").json["title"] == "Seen"
        assert stocked.call("edit", "4").code == 2
        assert stocked.call("edit", "4", "--action", "BlockAndRemediate").code == 2
        assert stocked.call("edit", "99", "--title", "T").code == 5

    def test_edit_to_what_is_there_already_is_a_conflict(self, terminal: Terminal) -> None:
        terminal.ok("add", "evil.example", *LIST)
        terminal.ok("add", "evil.example", "--action", "Warn", "--title", "T", "--description", "D")
        assert terminal.call("edit", "2", "--action", "Block").code == 6

    def test_scopes(self, terminal: Terminal) -> None:
        terminal.ok("group", "add", "Servers")
        terminal.ok("add", "evil.example", *LIST, "--group", "Servers")
        assert terminal.ok("show", "1", "--json").json["rbacGroupNames"] == ["Servers"]
        assert terminal.call("group", "remove", "Servers").code == 6
        assert terminal.call("add", "b.example", *LIST, "--group", "Kiosks").code == 3
        terminal.ok("edit", "1", "--all-devices")
        terminal.ok("group", "remove", "Servers")

    def test_delete_by_number_is_all_or_none(self, stocked: Terminal) -> None:
        assert stocked.call("delete", "1", "99").code == 5
        assert stocked.ok("delete", "1", "2", "--dry-run").out == "would delete 2 indicators\n"
        assert stocked.ok("delete", "1", "2", "--json").json == {"deleted": 2, "changeset": 2}
        assert stocked.ok("list", "--count").out == "3\n"
        assert stocked.call("delete").code == 2
        assert stocked.call("delete", "3", "--filter", "id eq 3").code == 2

    def test_delete_by_filter_asks(self, stocked: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
        done = stocked.call("delete", "--filter", "id gt 3")
        assert done.code == 2
        assert "this would delete 2 indicators: say --yes" in done.err
        assert stocked.ok("delete", "--filter", "id gt 3", "--dry-run").out == "would delete 2 indicators\n"
        assert stocked.ok("delete", "--filter", "id gt 3", "--yes").out == "deleted 2 indicators\n"
        assert stocked.ok("delete", "--filter", "id gt 3", "--yes").out == "deleted 0 indicators\n"


class TestThePast:
    def test_undo_and_undo_of_undo(self, stocked: Terminal) -> None:
        assert "5 removed" in stocked.ok("undo", "1", "--dry-run").out
        assert stocked.ok("undo", "1", "--json", "--reason", "wrong file").json == {
            "undone": 1,
            "changeset": 2,
            "created": 0,
            "updated": 0,
            "deleted": 5,
            "kept": [],
        }
        stocked.ok("undo", "2")
        assert stocked.ok("list", "--count").out == "5\n"
        assert stocked.call("undo", "99").code == 5

    def test_undo_of_what_was_touched_later_is_a_conflict(self, stocked: Terminal) -> None:
        stocked.ok("edit", "4", "--title", "Seen")
        done = stocked.call("undo", "1")
        assert done.code == 6
        assert "indicator 4 was changed by changeset 2" in done.err
        assert "--keep-later" in done.err
        assert stocked.ok("undo", "1", "--keep-later", "--json").json["kept"] == ["4"]
        assert stocked.ok("list", "--count").out == "1\n"

    def test_history(self, stocked: Terminal) -> None:
        stocked.ok("edit", "4", "--title", "Seen", "--reason", "better words")
        stocked.ok("delete", "4")
        assert [each["kind"] for each in stocked.ok("history", "--json").json["changesets"]] == [
            "delete",
            "edit",
            "import",
        ]
        done = stocked.ok("history", "--limit", "1")
        assert "indicia history --before 3" in done.err
        versions = stocked.ok("history", "4", "--json").json["versions"]
        assert [version["began"]["id"] for version in versions] == [1, 2]
        assert versions[-1]["ended"]["kind"] == "delete"
        shown = stocked.ok("history", "4").out
        assert "title: Sample: DomainName to Block -> Seen" in shown
        assert "better words" in shown
        assert "deleted by" in shown
        assert stocked.call("history", "99").code == 5

    def test_verify(self, stocked: Terminal) -> None:
        head = stocked.ok("verify").out.strip()
        stocked.ok("delete", "1")
        assert stocked.ok("verify", "--head", head).code == 0
        done = stocked.call("verify", "--head", "00" * 32, "--json")
        assert done.code == 1
        assert done.json["ok"] is False
        assert len(done.json["faults"]) == 1


class TestRunning:
    def test_an_api_client_is_three_words(self, terminal: Terminal) -> None:
        made = terminal.ok("app", "add", "soar", "--json").json
        assert list(made) == ["tenant_id", "client_id", "client_secret"]
        done = terminal.ok("app", "add", "feed", "--scope", "ti.readwrite")
        assert made["tenant_id"] in done.out
        listed = terminal.ok("app", "list", "--json").json["applications"]
        assert [each["permissions"] for each in listed] == [["Ti.ReadWrite.All"], ["Ti.ReadWrite"]]
        assert made["client_secret"] not in terminal.ok("app", "list").out
        assert terminal.ok("app", "revoke", made["client_id"]).out == "revoked: soar\n"
        assert terminal.call("app", "revoke", made["client_id"]).code == 5
        assert terminal.call("app", "add", "x", "--scope", "Ti.Read").code == 2
        assert terminal.call("app", "add", " ").code == 2

    def test_groups(self, terminal: Terminal) -> None:
        assert terminal.ok("group", "add", "Servers", "--rank", "5", "--json").json["rank"] == 5
        terminal.ok("group", "add", "Kiosks")
        assert terminal.call("group", "add", "Kiosks").code == 6
        assert terminal.call("group", "add", "a,b").code == 2
        assert [each["name"] for each in terminal.ok("group", "list", "--json").json["groups"]] == ["Servers", "Kiosks"]
        assert "Kiosks" in terminal.ok("group", "list").out
        assert terminal.call("group", "remove", "Nobody").code == 5

    @pytest.mark.sqlite_only("there the tables are made before the test")
    def test_db_upgrade(self, terminal: Terminal) -> None:
        assert "upgraded" in terminal.ok("db", "upgrade").out
        assert "up to date already" in terminal.ok("db", "upgrade").out

    @pytest.mark.sqlite_only("it is about the file")
    def test_doctor_changes_nothing_and_finds_what_is_wrong(self, terminal: Terminal) -> None:
        assert terminal.ok("doctor", "--json").json["ok"] is True
        assert not (terminal.folder / "indicia.db").exists()
        terminal.ok("list")
        assert "fail" not in terminal.ok("doctor").out
        (terminal.folder / "indicia.db").chmod(0o644)
        states = {each["name"]: each["state"] for each in terminal.ok("doctor", "--json").json["checks"]}
        assert states["database file"] == "warn"
        (terminal.folder / "other.db").write_text("this is no database, and long enough to be told from one" * 50)
        done = terminal.call("doctor", "--database", f"sqlite:///{terminal.folder / 'other.db'}")
        assert done.code == 1
        assert "is not an Indicia database" in done.out

    @pytest.mark.parametrize("url", ["nonsense", "sqlite:////proc/none/x.db"])
    def test_a_database_that_cannot_be_is_a_sentence(self, terminal: Terminal, url: str) -> None:
        done = terminal.call("list", "--database", url)
        assert done.code in (1, 2, 75)
        assert done.err.startswith("error: ")

    def test_a_wrong_setting_is_a_sentence(self, terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("INDICIA_TOKEN_SECONDS", "soon")
        done = terminal.call("list")
        assert done.code == 2
        assert "INDICIA_TOKEN_SECONDS" in done.err

    @pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
    def test_completion(self, terminal: Terminal, shell: str) -> None:
        assert "_INDICIA_COMPLETE" in terminal.ok("completion", shell).out
        assert terminal.call("completion", "csh").code == 2

    def test_what_is_not_there_is_guessed(self, terminal: Terminal) -> None:
        done = terminal.call("improt")
        assert done.code == 2
        assert "did you mean 'import'?" in done.err
        assert terminal.call("help", "lst").code == 2
        assert terminal.call("help", "list", "more").code == 2

    def test_no_command_is_help(self, terminal: Terminal) -> None:
        assert terminal.ok().out == terminal.ok("help").out
        assert "revoke" in terminal.ok("app").out
        assert terminal.ok("--version").out.startswith("indicia ")

    @pytest.mark.sqlite_only("it is about the name of the file")
    def test_verbose_names_the_database_without_a_password(self, terminal: Terminal) -> None:
        assert "indicia.db" in terminal.ok("list", "-v").err
        done = terminal.call("list", "--database", "postgresql://me:secret@127.0.0.1:1/none")
        assert done.code == 75
        assert "secret" not in done.err
