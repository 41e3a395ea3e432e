"""Defender's CSV of twelve columns, which `importers.defender_csv` reads back as the same indicators."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from indicia.domain.draft import COLUMN_NAMES, COMMON_FIELDS, Draft
from indicia.domain.indicator import NO_EXTRAS, Indicator
from indicia.domain.observable import ObservableType

COLUMNS: Final = tuple(COLUMN_NAMES[field] for field in Draft._fields[:COMMON_FIELDS])
MORE_COLUMNS: Final = tuple(
    COLUMN_NAMES[field][0].upper() + COLUMN_NAMES[field][1:] for field in Draft._fields[COMMON_FIELDS:]
)
_FORMULA: Final = frozenset("=+-@\t\r＝＋－＠")  # noqa: RUF001 the full-width forms that spreadsheets fold


class Inexpressible(NamedTuple):
    """What a Defender CSV cannot say: how many indicators were left out, how many lost properties."""

    left_out: int = 0
    lost_properties: int = 0


class CsvWriter:
    """Writes indicators as CSV; counts what the twelve columns cannot express.

    With *full* it writes our own columns too, and nothing is lost. With *guarded*, a cell that a spreadsheet
    would run as a formula begins with a quote mark, which the importer takes off again.
    """

    def __init__(self, *, full: bool = False, guarded: bool = True) -> None:
        self._full = full
        self._guarded = guarded
        self.inexpressible = Inexpressible()

    def header(self) -> str:
        """Return the header line."""
        return _line(COLUMNS + MORE_COLUMNS if self._full else COLUMNS)

    def lines(self, indicators: Iterable[Indicator]) -> Iterator[str]:
        """Yield one record per indicator that can be expressed."""
        left_out, lost = self.inexpressible
        for indicator in indicators:
            if not self._full:
                if indicator.type is ObservableType.IP_RANGE:
                    left_out += 1
                    self.inexpressible = Inexpressible(left_out, lost)
                    continue
                if indicator.extras != NO_EXTRAS or indicator.external_id or indicator.application:
                    lost += 1
                    self.inexpressible = Inexpressible(left_out, lost)
            cells = common_cells(indicator) + (rare_cells(indicator) if self._full else ())
            yield _line(tuple(map(add_guard, cells)) if self._guarded else cells)


def common_cells(indicator: Indicator) -> tuple[str, ...]:
    """Return the cells of Defender's twelve columns."""
    return (
        indicator.type.value,
        indicator.value,
        indicator.expires_at.strftime("%Y-%m-%dT%H:%M:%S.0Z") if indicator.expires_at else "",
        indicator.action.value,
        indicator.severity.value,
        indicator.title,
        indicator.description,
        indicator.recommended_actions or "",
        ",".join(indicator.rbac_group_names),
        indicator.category.value if indicator.category else "",
        ",".join(indicator.mitre_techniques),
        "True" if indicator.generate_alert else "False",
    )


def rare_cells(indicator: Indicator) -> tuple[str, ...]:
    """Return the cells of our own columns."""
    values = (indicator.external_id, indicator.application, *indicator.extras)
    return tuple("" if value is None or value is False else str(value) for value in values)


def add_guard(cell: str) -> str:
    """Return *cell* fit for a spreadsheet: what would be a formula begins with ``'``."""
    bare = cell.lstrip("'")
    return f"'{cell}" if bare[:1] in _FORMULA and bare else cell


def rejects_line(fields: Sequence[object], reasons: str, raw: str) -> str:
    """Return a record of a file of refused rows: its cells as they came, why, and its text where it has no cells."""
    cells = ["" if value is None else str(value) for value in (*fields, reasons, raw)]
    return _line([add_guard(cell.replace("\0", "\ufffd")) for cell in cells])


def _line(cells: Sequence[str]) -> str:
    text = io.StringIO()
    csv.writer(text).writerow(cells)
    return text.getvalue()
