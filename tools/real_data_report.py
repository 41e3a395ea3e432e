"""Count what becomes of real public lists; ``python -m tools.real_data_report`` writes docs/reference/real-data.md.

It takes the archives from the folder that the first argument names, else ``INDICIA_SHARED_DATA``, else ``shared/data``
beside this repository, and some three minutes. Only what stands between the two marks is written; the rest is prose.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from pathlib import Path

from tests.engines.converters import FEEDS, unpack
from tests.engines.running import new_database, run

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "reference" / "real-data.md"
BEGIN, END = "<!-- made by tools/real_data_report.py -->", "<!-- until here -->"
HEAD = (
    "| List | Files | Records | Created | Unchanged | Held | Refused | Refused because | Held because |",
    "|---|--:|--:|--:|--:|--:|--:|---|---|",
)
HOW_HEAD = ("| List | Given to the importer as | How it was made readable |", "|---|---|---|")


def table(data: Path) -> list[str]:
    """Return the lines of the tables: one row for each list."""
    rows, how = [], []
    with tempfile.TemporaryDirectory() as folder:
        for number, feed in enumerate(FEEDS.values()):
            root = unpack(data / "indicators" / f"{feed.archive}.tar.xz", Path(folder) / "lists")
            with new_database(Path(folder) / str(number)) as database:
                result = run(feed, root, database)
            rows.append(result.row())
            left = f"; {result.passed_over:,} of other kinds left out" if result.passed_over else ""
            how.append(f"| {feed.name} | {feed.format.value} | {feed.how}{left} |")
            print(rows[-1], file=sys.stderr)
    return [*HEAD, *rows, "", *HOW_HEAD, *how]


def main(arguments: list[str]) -> int:
    """Write the tables into the page; return 1 where there is no data."""
    named = arguments[0] if arguments else os.environ.get("INDICIA_SHARED_DATA")
    data = Path(named) if named else ROOT.parent / "shared" / "data"
    if not (data / "indicators").is_dir():
        print(f"no real data: {data} has no folder indicators", file=sys.stderr)
        return 1
    made = "\n".join([BEGIN, "", *table(data), "", END])
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(re.sub(f"{BEGIN}.*{END}", lambda _: made, page, flags=re.DOTALL), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
