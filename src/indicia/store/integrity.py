"""Whether the tables still hold what the chain of changesets signed: reads everything, and names what does not fit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Connection, Select, Table, func, select, type_coerce, union
from sqlalchemy.types import NULLTYPE

from indicia.store import engines
from indicia.store.changesets import EMPTY_ROWS, GENESIS, chain_hash, digest_of_rows
from indicia.store.rows import DECISION_COLUMNS, OWN_COLUMNS, Encoder, decision_key, decode
from indicia.store.schema import changesets, decisions, indicator_history, indicators

#: Indicators that are named for one changeset whose rows are not those it signed.
_NAMED: Final = 5
_LARGEST: Final = 2**63 - 1


class Integrity:
    """Reads the chain and what it is about, as of one moment."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._hear: Callable[[int], None] = _nobody

    def work(self) -> int:
        """Return how many rows `faults` reads: each version to sign it, again where it ended, and once to compare."""
        columns = changesets.c
        total = func.sum(2 * (columns.created + columns.updated) + columns.updated + columns.deleted)
        return _whole(self._connection.execute(select(total)).scalar_one())

    def hash_of(self, changeset: object) -> object:
        """Return what is stored as the hash of *changeset*, None where there is no such entry."""
        if not isinstance(changeset, int) or not 0 < changeset <= _LARGEST:
            return None
        found = self._connection.execute(_stored(changesets, "hash").where(changesets.c.id == changeset))
        stored: object = found.scalar_one_or_none()
        return stored

    def details_of(self, kind: str) -> Iterator[object]:
        """Yield the details of every entry of one *kind*, as they are stored."""
        query = _stored(changesets, "details").where(changesets.c.kind == kind).order_by(changesets.c.id)
        for part in engines.parts(self._connection, query, 1_000):
            yield from (row[0] for row in part)

    def faults(self, hear: Callable[[int], None] | None = None) -> Iterator[str]:
        """Yield one sentence for every place where the chain and the tables do not agree; none means all is well.

        *hear* is told of every portion of rows that was read.
        """
        self._hear = hear or _nobody
        prev_hash, before, expected, began, ended = GENESIS, 0, 1, 0, 0
        for values in self._chain():
            number = values["id"]
            if number < 1:
                yield f"changeset {number} was added outside Indicia: the first one is 1"
                continue
            if number != expected:
                yield f"changesets {expected} to {number - 1} are missing"
            if values["prev_hash"] != prev_hash:
                yield f"changeset {number} does not follow changeset {before}: one of them is not what it was"
            if not self._rows_are_signed(values):
                yield f"the indicators that changeset {number} wrote are not those it signed{self._which(values)}"
            if not _is_signed(values):
                yield f"changeset {number} was altered: {_shown(values['kind'])} by {_shown(values['actor'])}"
            prev_hash, before, expected = values["hash"], number, number + 1
            created, updated, deleted = (_whole(values[name]) for name in ("created", "updated", "deleted"))
            began += created + updated
            ended += updated + deleted
        yield from self._decision_faults()
        yield from self._content_faults()
        # A version that no changeset began or ended is in nobody's digest: only the counts tell of it.
        for table, counted in ((indicators, began - ended), (indicator_history, ended)):
            kept = self._connection.execute(select(func.count()).select_from(table)).scalar_one()
            if kept != counted:
                strays = self._strays(table)
                yield f"the changesets leave {counted} versions in {table.name}, and it holds {kept}{strays}"

    def _chain(self) -> Iterator[Mapping[str, Any]]:
        """Yield what is stored of every changeset, in order: there may be millions, of sign-ins alone."""
        names = [column.name for column in changesets.c]
        for part in engines.parts(self._connection, _stored(changesets).order_by(changesets.c.id), 2_000):
            yield from (dict(zip(names, row, strict=True)) for row in part)

    def _rows_are_signed(self, values: Mapping[str, Any]) -> bool:
        signed: bytes = values["rows_digest"]
        if not (values["created"] or values["updated"] or values["deleted"]):
            return signed == EMPTY_ROWS
        try:
            made = digest_of_rows(self._connection, values["id"], values["first_id"], values["next_id"], self._hear)
        except TypeError:  # a digest that is no bytes
            return False
        return signed == made

    # -- naming what is wrong -------------------------------------------------------------------------------------

    def _which(self, values: Mapping[str, Any]) -> str:
        """Return which indicators of a changeset are gone, or which it may be that were altered, as far as is known."""
        number, first, after = (values[name] for name in ("id", "first_id", "next_id"))
        if not all(isinstance(each, int) and 0 <= each <= _LARGEST for each in (number, first, after)):
            return ""
        now, past = indicators.c, indicator_history.c
        missing = self._missing(first, after) if values["created"] else ()
        if missing:
            return f": {_names(missing)} {'is' if len(missing) == 1 else 'are'} missing"
        query = union(
            select(now.id).where(now.began == number),
            select(past.id).where((past.began == number) | (past.ended == number)),
        )
        found: list[int] = list(self._connection.execute(query.order_by("id").limit(_NAMED + 1)).scalars())
        if not found:
            return ": none of them is there"
        if len(found) > _NAMED:
            last = self._connection.execute(select(func.max(query.subquery().c.id))).scalar_one()
            return f": one or more of {found[0]} to {last}"
        return f": one or more of {', '.join(map(str, found))}"

    def _missing(self, first: int, after: int) -> list[int]:
        """Return some of the numbers from *first* up to *after* that neither is nor was an indicator."""
        now, past = indicators.c, indicator_history.c
        there = union(
            select(now.id).where(now.id >= first, now.id < after),
            select(past.id).where(past.id >= first, past.id < after),
        ).order_by("id")
        found: list[int] = []
        expected = first
        for part in engines.parts(self._connection, there):
            for (number,) in part:
                while expected < number and len(found) <= _NAMED:
                    found.append(expected)
                    expected += 1
                expected = number + 1
        found += range(expected, min(after, expected + _NAMED + 1 - len(found)))
        return found

    def _strays(self, table: Table) -> str:
        """Return which rows of *table* no changeset wrote, where such are why it holds more than it should."""
        columns = changesets.c
        began = select(columns.id).where(columns.created + columns.updated > 0)
        stray: ColumnElement[bool] = ~table.c.began.in_(began)
        if table is indicator_history:
            stray |= ~table.c.ended.in_(select(columns.id).where(columns.updated + columns.deleted > 0))
        query = select(table.c.id).where(stray).order_by(table.c.id).limit(_NAMED + 1)
        found = [row[0] for row in self._connection.execute(query)]
        return f"; no changeset says that it wrote {_names(found)}" if found else ""

    # -- what is stored against itself ----------------------------------------------------------------------------

    def _decision_faults(self) -> Iterator[str]:
        query = _stored(decisions, "id", "key", *DECISION_COLUMNS)
        for part in self._parts(query):
            for number, key, *values in part:
                if key != decision_key(values):
                    yield f"decision {number}, which indicators share, was altered outside Indicia"

    def _parts(self, query: Select[*tuple[Any, ...]]) -> Iterator[Sequence[Any]]:
        return self._connection.execute(query, execution_options={"yield_per": 5_000}).partitions()

    def _content_faults(self) -> Iterator[str]:
        encoder = Encoder()
        for table in (indicators, indicator_history):
            # An outer join: a version whose decision is gone has to be found too.
            query = (
                _stored(table, "id", *OWN_COLUMNS)
                .add_columns(*_stored(decisions, *DECISION_COLUMNS).selected_columns)
                .outerjoin_from(table, decisions, decisions.c.id == table.c.decision)
            )
            for part in self._parts(query):
                self._hear(len(part))
                for number, *content in part:
                    if not _is_intact(encoder, content[: len(OWN_COLUMNS)], content[len(OWN_COLUMNS) :]):
                        yield f"indicator {number} ({table.name}) was altered outside Indicia"


def _stored(table: Table, *names: str) -> Select[*tuple[Any, ...]]:
    """Return a query for columns of *table* as they are stored: what was altered may be of any type."""
    columns: list[Column[Any]] = [table.c[name] for name in names] or list(table.c)
    return select(*[type_coerce(column, NULLTYPE).label(column.name) for column in columns])


def _nobody(rows: int) -> None:
    """Hear of *rows*, and do nothing."""


def _whole(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _shown(value: Any) -> str:
    """Return *value*, which somebody may have put there, fit for one line."""
    text = str(value)[:60]
    return text if text.isprintable() else repr(text)


def _names(numbers: Sequence[int]) -> str:
    """Return the first of *numbers* of indicators in words."""
    named = ", ".join(map(str, numbers[:_NAMED])) + (" and more" if len(numbers) > _NAMED else "")
    return f"indicator{'' if len(numbers) == 1 else 's'} {named}"


def _is_signed(values: Mapping[str, Any]) -> bool:
    try:
        return bool(values["hash"] == chain_hash(values["prev_hash"], values, values["rows_digest"]))
    except TypeError:  # bytes where a text was, or the other way round
        return False


def _is_intact(encoder: Encoder, content: list[Any], decided: list[Any]) -> bool:
    try:
        again = encoder.encode(decode(content, decided))
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
        return False
    return again[:-1] == tuple(content[:-1]) and again[-1].values == tuple(decided)
