"""Defender's CSV: every record is accounted for, and a bad one never takes its neighbours along."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indicia.exporters.defender_csv import COLUMNS as WRITTEN
from indicia.exporters.defender_csv import MORE_COLUMNS as MORE_WRITTEN
from indicia.importers.defender_csv import COLUMNS, MORE_COLUMNS, STRICT_ROWS
from tests.unit.importers.reading import HEADER, read

GOOD = "DomainName,h{n}.example.org,,Block,High,a title,a description,,,,,False"
FIRST = GOOD.replace("{n}", "1")
# Each kind of record: its text, the code of its fault or None, how many lines it takes.
KINDS: list[tuple[str, str | None, int]] = [
    (GOOD, None, 1),
    (GOOD.replace("a title", '"a ""title"", two\nlines"'), None, 2),
    (GOOD.replace("a title", '"two\r\n\r\nempty"'), None, 3),
    (GOOD.replace("a title", 'a 5" disk and a 3" disk'), None, 1),
    (GOOD + ",,", None, 1),
    (GOOD.replace("Block", "Blok"), "invalid-action", 1),
    (GOOD.replace(",False", ""), "wrong-number-of-fields", 1),
    (GOOD + ",more", "wrong-number-of-fields", 1),
    (GOOD.replace("a title", '"never closed'), "unclosed-quote", 1),
    (GOOD.replace("a title", 'a"b,"c'), "bad-quotes", 1),
    (GOOD.replace("a title", '"a"b""'), "bad-quotes", 1),
    (GOOD.replace("a title", "a\x00b"), "nul", 1),
    (GOOD.replace("a title", "x" * 17_000), "field-too-long", 1),
    (GOOD.replace("a title", "x" * 70_000), "line-too-long", 1),
    (GOOD.replace("a title", "x" * 5_000), "too-long", 1),
    (GOOD.replace("a title", "\udcff"), "control-character", 1),
    ("one field", "wrong-number-of-fields", 1),
    ("", "blank", 1),
    (",,,,,,,,,,,", "missing", 1),
    (" ", "blank", 1),
]


@given(st.lists(st.sampled_from(KINDS), max_size=12), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_every_record_is_accounted_for_once(records: list[tuple[str, str | None, int]], end: str, last: bool) -> None:
    line = 2
    expected_good, expected_bad = [], []
    pieces = [HEADER]
    for number, (text, code, height) in enumerate(records):
        pieces.append(text.replace("{n}", str(number)))
        if code is None:
            expected_good.append(line)
        elif code != "blank":
            expected_bad.append((line, code))
        line += height
    data = (end.join(pieces) + (end if last else "")).encode("utf-8", "surrogateescape")
    found = read("csv", data)
    assert [each.line for each in found.read] == expected_good
    assert [(each.line, each.problems[0].code) for each in found.refused] == expected_bad
    assert found.fatal == []


@pytest.mark.parametrize("bad", [kind for kind in KINDS if kind[1] not in (None, "blank")], ids=lambda kind: kind[1])
def test_one_bad_record_never_takes_later_ones_along(bad: tuple[str, str, int]) -> None:
    rows = [GOOD.replace("{n}", str(number)) for number in range(3_000)]
    rows[10] = bad[0].replace("{n}", "10")
    found = read("csv", "\n".join([HEADER, *rows]).encode("utf-8", "surrogateescape"))
    assert len(found.read) == 2_999
    assert [(each.line, each.problems[0].code) for each in found.refused] == [(12, bad[1])]


def test_a_record_may_have_many_lines_but_not_endlessly_many() -> None:
    def refusals(breaks: int) -> list[tuple[int, str]]:
        title = '"' + "\n".join(["x"] * (breaks + 1)) + '"'
        return read("csv", f"{HEADER}\n{FIRST.replace('a title', title)}\n{FIRST}\n").codes()

    assert refusals(1_000) == []
    assert refusals(5_000)[0] == (2, "unclosed-quote")


def test_line_breaks_in_quotes_stay_what_they_are() -> None:
    title = "one\ntwo\r\nthree\rfour\n\n"
    for end in ("\n", "\r\n"):
        found = read("csv", HEADER + end + FIRST.replace("a title", f'"{title}"') + end)
        assert [each.indicator.title for each in found.read] == [title]


def test_both_sides_name_the_columns_alike() -> None:
    assert (COLUMNS, MORE_COLUMNS) == (WRITTEN, MORE_WRITTEN)
    assert ",".join(COLUMNS) == HEADER


@given(st.permutations(range(12)), st.lists(st.sampled_from([str.lower, str.upper, str]), min_size=12, max_size=12))
def test_columns_in_any_order_and_case(order: list[int], spellings: list[type[str]]) -> None:
    cells = [
        "DomainName",
        "evil.example.org",
        "2031-01-01T00:00:00Z",
        "Block",
        "High",
        "t",
        "d",
        "r",
        "Servers",
        "Malware",
        "T1059",
        "True",
    ]
    header = ",".join(spellings[place](COLUMNS[place]) for place in order)
    row = ",".join(cells[place] for place in order)
    expected = read("csv", f"{HEADER}\n{','.join(cells)}").read
    found = read("csv", f"{header}\n{row}")
    assert found.read == expected
    assert len(found.read) == 1


@pytest.mark.parametrize(
    "header, codes",
    [
        ("", ["empty-file"]),
        ("\n\n \n", ["empty-file"]),
        ("hello", ["missing-column"] * 5),
        (HEADER.replace("Title,", ""), ["missing-column"]),
        (HEADER + ",Action", ["repeated-column"]),
        (HEADER + ",rbacGroupNames", ["repeated-column"]),
        ('"' + HEADER, ["missing-column"] * 5),
        ("x" * 70_000, ["missing-column"] * 5),
        (HEADER.replace("Action", "Aktion"), ["missing-column"]),
    ],
)
def test_a_header_that_is_no_use_stops_the_file(header: str, codes: list[str]) -> None:
    found = read("csv", header + "\n" + FIRST)
    assert [problem.code for problem in found.fatal] == (codes if header.strip() else ["missing-column"] * 5)
    assert found.lines == []


def test_a_column_that_nobody_knows_is_a_warning_with_a_suggestion() -> None:
    found = read("csv", f"{HEADER},Severitty,,Owner\n{FIRST},x,y,z\n")
    assert [(note.code, note.column, note.suggestion, note.line) for note in found.notes] == [
        ("unknown-column", "Severitty", "Severity", 1),
        ("unknown-column", "", None, 1),
        ("unknown-column", "Owner", None, 1),
    ]
    assert len(found.read) == 1


@pytest.mark.parametrize("rows, codes", [(STRICT_ROWS, []), (STRICT_ROWS + 1, ["too-many-rows"])])
@pytest.mark.parametrize("blank", ["", "\n\n,,\n \n"])
def test_strict_takes_five_hundred_rows(rows: int, codes: list[str], blank: str) -> None:
    body = "".join(GOOD.replace("{n}", str(number)) + "\n" for number in range(rows))
    blank = blank.replace(",,", "")
    found = read("csv", f"{HEADER}\n{body}{blank}", strict=True)
    assert [problem.code for problem in found.fatal] == codes
    assert read("csv", f"{HEADER}\n{body}{blank}").fatal == []
