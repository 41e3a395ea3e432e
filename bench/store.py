"""How fast the store takes, undoes and lists indicators: imports against a bare load, pages by every kind of filter."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import made_up

FILTERS = (
    "",
    "action eq 'Block'",
    "indicatorType eq 'Url'",
    "action eq 'Warn' and severity eq 'High' and indicatorType eq 'FileSha1'",
    "severity ge 'Medium'",
    "generateAlert eq false",
    "category eq 'Ransomware'",
    "application eq 'x'",
    "createdBy eq 'bench'",
    "createdBy eq 'nobody'",
    "createdByDisplayName eq 'bench'",
    "indicatorValue eq 'www1.example.org'",
    "indicatorValue in ('11.0.0.7','5.6.7.8')",
    "title eq 'Campaign 7 activity'",
    "title eq 'nothing'",
    "contains(title,'paign 77')",
    "contains(title,'zebra')",
    "contains(description,'case 999998,')",
    "startswith(indicatorValue,'https://www77')",
    "startswith(indicatorValue,'zzz')",
    "endswith(indicatorValue,'.com')",
    "contains(indicatorValue,'deadbee')",
    "expirationTime lt 2099-01-03T00:00:00Z",
    "expirationTime eq null",
    "expirationTime gt 2100-01-01T00:00:00Z",
    "creationTimeDateTimeUtc gt 2020-01-01",
    "creationTimeDateTimeUtc lt 2020-01-01",
    "lastUpdateTime gt 2100-01-01",
    "rbacGroupNames/any(g: g eq 'Servers')",
    "externalId eq 'a'",
    "mitreTechniques/any(t: t eq 'T1059')",
    "not (action eq 'Block') and contains(title,'99')",
    "id gt 900000",
    "contains(title,'Campaign 3') or contains(description,'Campaign 4')",
)


def child(name: str, argument: str | Path, database: Path | str) -> dict[str, Any]:
    """Run one piece of work in its own process."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.child", name, str(argument), str(database)],
        check=True,
        capture_output=True,
        text=True,
    )
    return dict(json.loads(done.stdout))


def forget(database: Path) -> None:
    """Remove a database and its companions."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        Path(f"{database}{suffix}").unlink(missing_ok=True)


def measure_imports(folder: Path, rows: int, runs: int) -> tuple[list[str], Path]:
    """Measure imports against the bare load, in pairs; return lines of a report and the last database."""
    source = folder / "made-up.csv"
    bad = made_up.write(source, rows)
    figures: dict[str, list[float]] = {}
    peak = 0.0
    database = folder / "ours.db"
    for run in range(runs):
        forget(folder / "bare.db")
        forget(database)
        bare = child("bare", source, folder / "bare.db")
        first = child("ours", source, database)
        again = child("ours", source, database)
        assert first["refused"] == bad and again["created"] == 0 and again["changeset"] is None, (first, again)
        verified = child("verify", "", database)
        assert verified["faults"] == 0
        undone = child("undo", first["changeset"], database)
        assert undone["deleted"] == rows - bad
        peak = max(peak, first["peak_mb"], again["peak_mb"])
        for name, value in (
            ("bare csv.reader -> executemany, s", bare["seconds"]),
            ("import, s", first["seconds"]),
            ("import again, all unchanged, s", again["seconds"]),
            ("verify the chain, s", verified["seconds"]),
            ("undo of the import, s", undone["seconds"]),
            ("ratio import / bare", first["seconds"] / bare["seconds"]),
            ("ratio import again / import", again["seconds"] / first["seconds"]),
        ):
            figures.setdefault(name, []).append(value)
        print(
            f"run {run + 1}: " + ", ".join(f"{name} {values[-1]:.2f}" for name, values in figures.items()), flush=True
        )
    forget(database)
    child("ours", source, database)
    lines = [f"| {name} | {min(v):.2f} | {statistics.median(v):.2f} | {max(v):.2f} |" for name, v in figures.items()]
    head = [
        f"### Import of {rows:,} rows, {bad:,} of them bad ({source.stat().st_size >> 20} MiB)",
        "",
        "| figure | min | median | max |",
        "|---|---|---|---|",
    ]
    return [*head, *lines, f"| peak memory of an import, MB | | {peak:.0f} | |", ""], database


def imported(folder: Path, rows: int) -> Path:
    """Return a database with so many rows, which nothing was measured of."""
    source = folder / "made-up.csv"
    made_up.write(source, rows)
    child("ours", source, folder / "ours.db")
    return folder / "ours.db"


def timed(work: Any, times: int) -> float:
    """Return the median of *times* runs of *work*, in milliseconds."""
    spent = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        spent.append((time.perf_counter() - began) * 1000)
    return statistics.median(spent)


def measure_lists(database: Path) -> list[str]:
    """Measure pages of 100 by every kind of filter, pages at every depth, and single submits."""
    from indicia.app import App
    from indicia.domain.access import Actor, Role, Source
    from indicia.domain.draft import Draft
    from indicia.domain.query_text import parse_filter
    from indicia.domain.rules import Strictness
    from indicia.services.indicators import Wanted, list_indicators, submit
    from indicia.settings import Settings

    app = App.open(Settings.from_environment(f"sqlite:///{database}"))
    actor = Actor("bench", "bench", Source.PUBLIC_API, Role.ADMINISTRATOR.permissions)
    now = datetime.now(UTC)

    def page(text: str, after: int | None = None) -> int:
        wanted = Wanted(parse_filter(text) if text else None)
        return len(list_indicators(app.database, wanted, actor=actor, now=now, limit=100, after=after).items)

    figures = [(text, page(text), timed(lambda text=text: page(text), 5)) for text in FILTERS]
    lines = ["### Pages of 100 at that size, in process", "", "| filter | rows | ms |", "|---|---|---|"]
    lines += [f"| `{text or '(none)'}` | {rows} | {spent:.1f} |" for text, rows, spent in figures]
    spent_all = [spent for _, _, spent in figures]
    over = sum(spent > 50 for spent in spent_all)
    lines += [
        "",
        f"Median over the filters {statistics.median(spent_all):.1f} ms; {over} of {len(figures)} take over 50 ms.",
        "",
    ]
    depths = (0, 250_000, 500_000, 900_000)
    lines += ["| a page by cursor after number | ms |", "|---|---|"]
    lines += [f"| {after:,} | {timed(lambda after=after: page('', after), 9):.2f} |" for after in depths]
    numbers = iter(range(1_000_000))

    def one() -> None:
        value = f"submit{next(numbers)}.example.net"
        draft = Draft("DomainName", value, action="Block", title="t", description="d", generate_alert=True)
        submit(app.database, [draft], actor=actor, now=now, guard=app.guard, strictness=Strictness.COMPAT)

    lines += [f"| a compat submit, committed to disk | {timed(one, 50):.2f} |", ""]
    app.close()
    return lines
