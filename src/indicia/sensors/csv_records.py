"""Records of CSV whose first one names the columns; any text is some CSV, so that nothing here can fail."""

from __future__ import annotations

import re
from typing import Final

from indicia.sensors.records import MARK, Record

_DELIMITERS: Final = ",;\t|"
_CELLS: Final = {
    delimiter: re.compile(
        rf'(?:[ ]*+"(?P<quoted>(?:[^"]++|"")*+)"[^{re.escape(delimiter)}]*+|(?P<bare>[^{re.escape(delimiter)}]*+))'
        rf"(?:{re.escape(delimiter)}|\Z)"
    )
    for delimiter in _DELIMITERS
}
_LONGEST_NAME: Final = 100


def plain_key(text: str) -> str:
    """Return the name of a column as tables have it: small letters, no blanks, no underscores.

    >>> plain_key("Initiating Process SHA1"), plain_key("file_name")
    ('initiatingprocesssha1', 'filename')
    """
    return text.lower().replace(" ", "").replace("_", "")


def delimiter_of(line: str) -> str:
    """Return what most likely stands between the cells of *line*, which names columns."""
    return max(_DELIMITERS, key=line.count)


def cells_of(text: str, delimiter: str) -> list[str]:
    """Return the cells of one record.

    >>> cells_of('a,"b ""c"", d",', ",")
    ['a', 'b "c", d', '']
    """
    cells = []
    for found in _CELLS[delimiter].finditer(text):
        quoted = found["quoted"]
        cells.append(found["bare"] if quoted is None else quoted.replace('""', '"'))
        if not found[0].endswith(delimiter):  # the last one; after it there is an empty match
            break
    return cells


class Columns:
    """The columns of one file."""

    def __init__(self) -> None:
        self._header = b""
        self._delimiter = ","
        self._names: list[str] = []

    def name(self, record: bytes) -> None:
        """Take the record that names the columns."""
        self._header = record.strip()
        text = _text(record)
        self._delimiter = delimiter_of(text)
        self._names = [cell.strip()[:_LONGEST_NAME] for cell in cells_of(text, self._delimiter)]

    def record(self, record: bytes) -> Record | None:
        """Return the cells that hold anything, by column; None for a blank line and for the header.

        A cell without a column is known by its number, and so is the second of two columns of one name.
        """
        if not record.strip() or record.strip() == self._header:
            return None
        cells: Record = {}
        for at, cell in enumerate(cells_of(_text(record), self._delimiter)):
            if cell:
                column = self._names[at] if at < len(self._names) else ""
                cells[column if column and column not in cells else f"column {at + 1}"] = cell
        return cells


def _text(record: bytes) -> str:
    return record.removeprefix(MARK).decode("utf-8", "surrogateescape").rstrip("\r\n")
