"""Databases to work on, who works on them, and files of indicators to import."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

from sqlalchemy import inspect

from indicia.domain.access import Actor, Grant, Role, Source, granted
from indicia.domain.draft import COLUMN_NAMES, Draft
from indicia.domain.guard import Guard
from indicia.domain.indicator import StoredIndicator
from indicia.services import changesets, imports, indicators
from indicia.services.imports import Format, ImportReport, Options
from indicia.services.writing import NO_POLICY, Policy
from indicia.store.database import Database
from tests.databases import copy_of, new_file, url_of  # noqa: F401 names of this module too

NOW = datetime(2030, 6, 15, 12, 30, 45, 250_000, tzinfo=UTC)
ADMIN = Actor("admin", "An administrator", Source.CLI, Role.ADMINISTRATOR.permissions)
CLIENT = Actor("client-1", "One client", Source.PUBLIC_API, granted([Grant.TI_READ_WRITE]), sees_only_own=True)
OTHER = Actor("client-2", "Another client", Source.PUBLIC_API, granted([Grant.TI_READ_WRITE]), sees_only_own=True)
BLOCK = Draft("DomainName", "evil.example.org", None, "Block", "High", "a title", "a description")
EVERYTHING = indicators.Wanted()


@cache
def guard() -> Guard:
    return Guard.default()


def rows_of(database: Database) -> dict[str, list[str]]:
    """Return everything that the tables hold, by their names: each row as Python spells it."""
    with database.engine.connect() as connection:
        names = sorted(inspect(connection).get_table_names())
        return {name: sorted(map(repr, connection.exec_driver_sql(f'SELECT * FROM "{name}"'))) for name in names}


def csv_of(drafts: Iterable[Draft]) -> bytes:
    """Return a CSV with a column for every field that any of *drafts* gives."""
    rows = list(drafts)
    fields = [field for field in Draft._fields if any(getattr(row, field) is not None for row in rows)] or ["type"]
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([COLUMN_NAMES[field] for field in fields])
    writer.writerows([[_cell(getattr(row, field)) for field in fields] for row in rows])
    return text.getvalue().encode()


def _cell(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    return "" if value is None else ",".join(value) if isinstance(value, list | tuple) else str(value)


def domains(numbers: Iterable[int], **changed: Any) -> list[Draft]:
    return [BLOCK._replace(**{"value": f"h{number}.example.org"} | changed) for number in numbers]


def run_import(
    database: Database,
    *files: Sequence[Draft] | bytes,
    actor: Actor = ADMIN,
    now: datetime = NOW,
    format: Format = Format.CSV,
    listener: imports.Listener | None = None,
    expected_plan: bytes | None = None,
    policy: Policy = NO_POLICY,
    **options: Any,
) -> ImportReport:
    """Import *files*, each bytes as they are or drafts that become a CSV."""
    sources = [
        imports.Source(f"{number}.csv", io.BytesIO(file if isinstance(file, bytes) else csv_of(file)))
        for number, file in enumerate(files)
    ]
    return imports.import_indicators(
        database,
        sources,
        Options(format=format, **options),
        actor=actor,
        now=now,
        guard=guard(),
        listener=listener,
        expected_plan=expected_plan,
        policy=policy,
    )


def submit(
    database: Database, *drafts: Draft, actor: Actor = ADMIN, now: datetime = NOW, **more: Any
) -> list[indicators.Written]:
    return indicators.submit(database, drafts, actor=actor, now=now, guard=guard(), **more)


def listed(
    database: Database, *, actor: Actor = ADMIN, now: datetime = NOW, at: datetime | int | None = None, **wanted: Any
) -> list[StoredIndicator]:
    """Return every indicator that *actor* sees."""
    asked = indicators.Wanted(at=at, **wanted)
    return indicators.list_indicators(database, asked, actor=actor, now=now, limit=100_000).items


def contents(database: Database, **asked: Any) -> dict[int, Any]:
    """Return the indicators by their numbers."""
    return {stored.id: stored.indicator for stored in listed(database, **asked)}


def titles(database: Database, **asked: Any) -> dict[str, str]:
    return {stored.indicator.canonical: stored.indicator.title for stored in listed(database, **asked)}


def faults(database: Database, head: str | None = None) -> list[str]:
    return changesets.verify_chain(database, head=head)[1]


def counts(report: ImportReport) -> dict[str, int]:
    """Return the counts of *report* that are not zero."""
    names = ("created", "updated", "unchanged", "refused", "held", "conflicts")
    return {name: report.total(name) for name in names if report.total(name)}


def codes(report: ImportReport, *, warnings: bool = False) -> list[tuple[int | None, str]]:
    return [(problem.line, problem.code) for problem in report.problems if problem.warning is warnings]


def change_fields(**changed: Any) -> Any:
    """Return the change of an edit that gives fields other values."""

    def change(stored: StoredIndicator) -> tuple[Draft, Sequence[Any]]:
        return indicators.draft_from(stored.indicator)._replace(**changed), ()

    return change


def edit(
    database: Database, number: int, *, actor: Actor = ADMIN, now: datetime = NOW, **changed: Any
) -> indicators.Written:
    options: Mapping[str, Any] = {
        name: changed.pop(name) for name in ("version", "dry_run", "reason") if name in changed
    }
    return indicators.edit(database, number, change_fields(**changed), actor=actor, now=now, guard=guard(), **options)
