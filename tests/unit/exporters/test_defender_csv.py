"""The CSV that goes out comes in again as the same indicators, and no spreadsheet runs any of its cells."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indicia.domain.draft import Draft
from indicia.domain.indicator import NO_EXTRAS, Indicator
from indicia.domain.observable import ObservableType
from indicia.exporters.defender_csv import COLUMNS, MORE_COLUMNS, CsvWriter, Inexpressible, add_guard, rejects_line
from indicia.importers.defender_csv import PROBLEMS_COLUMN, RAW_COLUMN, strip_guard
from tests.unit.importers.reading import read
from tests.unit.indicators import AWKWARD, drafts, indicators, made

FORMULA = "=+-@\t\r＝＋－＠"


def exported(batch: Sequence[Indicator], *, full: bool = False, guarded: bool = True) -> str:
    writer = CsvWriter(full=full, guarded=guarded)
    return writer.header() + "".join(writer.lines(batch))


def unique(batch: list[Indicator]) -> list[Indicator]:
    return list({indicator.identity: indicator for indicator in batch}.values())


_batches = st.lists(indicators(), max_size=4).map(unique)


@given(_batches)
def test_a_full_export_comes_in_again_as_it_was(batch: list[Indicator]) -> None:
    found = read("csv", exported(batch, full=True))
    assert [each.indicator for each in found.read] == batch
    assert (found.refused, found.fatal) == ([], [])


@given(_batches)
def test_twelve_columns_come_in_again_as_far_as_they_can_tell(batch: list[Indicator]) -> None:
    found = read("csv", exported(batch))
    expected = []
    for indicator in batch:
        if indicator.type is not ObservableType.IP_RANGE:
            bare = indicator._replace(extras=NO_EXTRAS, external_id=None, application=None)
            # A release is one of the things that the twelve columns cannot say.
            expected.append(bare._replace(status=made(_without_release(indicator)).status))
    assert [each.indicator for each in found.read] == expected


def _without_release(indicator: Indicator) -> Draft:
    kind, value, action = indicator.type.value, indicator.value, indicator.action.value
    return Draft(kind, value, None, action, None, "t", "d", generate_alert=True)


@given(_batches)
def test_what_twelve_columns_cannot_say_is_counted(batch: list[Indicator]) -> None:
    writer = CsvWriter()
    written = list(writer.lines(batch))
    ranges = [each for each in batch if each.type is ObservableType.IP_RANGE]
    rest = [each for each in batch if each not in ranges]
    poorer = [each for each in rest if each.extras != NO_EXTRAS or each.external_id or each.application]
    assert writer.inexpressible == Inexpressible(len(ranges), len(poorer))
    assert len(written) == len(rest)
    full = CsvWriter(full=True)
    assert len(list(full.lines(batch))) == len(batch)
    assert full.inexpressible == Inexpressible()


@given(_batches, st.booleans())
def test_no_cell_of_a_guarded_export_begins_a_formula(batch: list[Indicator], full: bool) -> None:
    for row in csv.reader(io.StringIO(exported(batch, full=full), newline="")):
        assert all(cell[:1] not in FORMULA or not cell for cell in row)


@given(_batches, st.booleans())
def test_a_raw_export_is_the_values_themselves(batch: list[Indicator], full: bool) -> None:
    raw = list(csv.reader(io.StringIO(exported(batch, full=full, guarded=False), newline="")))[1:]
    kept = [each for each in batch if full or each.type is not ObservableType.IP_RANGE]
    assert [(row[1], row[5], row[6]) for row in raw] == [(each.value, each.title, each.description) for each in kept]


@given(st.text(AWKWARD))
def test_the_guard_comes_off_just_where_it_was_put_on(cell: str) -> None:
    assert strip_guard(add_guard(cell)) == cell
    assert add_guard(cell)[:1] not in FORMULA or not cell


@pytest.mark.parametrize("cell", ["'", "''", "'abc", "it's", "'5", "", " =1", "a=1", "'a'"])
def test_an_apostrophe_of_the_users_own_stays(cell: str) -> None:
    assert add_guard(cell) == strip_guard(cell) == cell


@given(indicators())
def test_times_are_written_as_defender_has_them(indicator: Indicator) -> None:
    for row in csv.DictReader(io.StringIO(exported([indicator], full=True), newline="")):
        expires = row["ExpirationTime"]
        if indicator.expires_at is None:
            assert expires == ""
        else:
            assert datetime.fromisoformat(expires.replace(".0Z", "+00:00")) == indicator.expires_at


REJECTS_HEADER = rejects_line((*COLUMNS, *MORE_COLUMNS), PROBLEMS_COLUMN, RAW_COLUMN)
_anything = st.one_of(st.none(), st.integers(), st.text(st.characters()))


@given(st.lists(_anything, min_size=len(Draft._fields), max_size=len(Draft._fields)), st.text(AWKWARD), st.text())
def test_refused_rows_can_be_given_again(cells: list[object], reasons: str, raw: str) -> None:
    found = read("csv", REJECTS_HEADER + rejects_line(cells, reasons, raw))
    assert (found.fatal, [note.code for note in found.notes if note.code.endswith("column")]) == ([], [])
    assert len(found.lines) <= 1


@given(drafts())
def test_a_refused_row_that_was_mended_is_what_was_meant(draft: Draft) -> None:
    as_cells = draft._replace(
        expires=draft.expires and draft.expires.strftime("%Y-%m-%dT%H:%M:%S.0Z"),
        rbac_group_names=",".join(draft.rbac_group_names),
        mitre_techniques=",".join(draft.mitre_techniques),
    )
    found = read("csv", REJECTS_HEADER + rejects_line(as_cells, "line 3: =1 is no action", "=raw"))
    assert [each.indicator for each in found.read] == [made(draft)]


def test_the_header_is_that_of_the_sample() -> None:
    assert CsvWriter().header() == ",".join(COLUMNS) + "\r\n"
    assert CsvWriter(full=True).header() == ",".join(COLUMNS + MORE_COLUMNS) + "\r\n"
