"""The proposals: stored requests that wait for somebody else, and what was said about them."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, Select, func, insert, select, update

from indicia.store.schema_proposals import proposal_comments, proposals

#: The state of a proposal that waits; whatever else there is, it is decided.
OPEN = "open"
_JSON = ("actor_details", "why", "summary")


class ProposalRecord(NamedTuple):
    """One proposal as it is kept; ``request`` is left out where many are read."""

    id: int
    state: str
    kind: str
    title: str
    actor: str
    actor_name: str
    actor_details: Mapping[str, Any]
    created_at: datetime
    expires_at: datetime
    reason: str | None
    why: list[Mapping[str, Any]]
    import_id: str | None
    summary: Mapping[str, Any]
    rbac_group_names: frozenset[str] | None
    based_on: int
    plan_digest: bytes
    decided_at: datetime | None = None
    decided_by: str | None = None
    decided_by_name: str | None = None
    changeset: int | None = None


class CommentRecord(NamedTuple):
    """What somebody said about a proposal."""

    number: int
    at: datetime
    actor: str
    actor_name: str
    text: str


_COLUMNS = [proposals.c[name] for name in ProposalRecord._fields]


class Proposals:
    """Reads and writes proposals."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def next_id(self) -> int:
        """Return the number of the next proposal; they are never deleted, so that none is given twice."""
        newest = self._connection.execute(select(func.max(proposals.c.id))).scalar_one()
        return 1 if newest is None else int(newest) + 1

    def add(self, record: ProposalRecord, request: Mapping[str, Any]) -> None:
        """Keep a new one, and what was asked for."""
        values = _values(record._asdict()) | {"request": zlib.compress(orjson.dumps(request), 6)}
        self._connection.execute(insert(proposals).values(values))

    def get(self, number: int) -> ProposalRecord | None:
        """Return the proposal *number*, None where there is none."""
        row = self._connection.execute(select(*_COLUMNS).where(proposals.c.id == number)).first()
        return None if row is None else _record(row)

    def request(self, number: int) -> dict[str, Any]:
        """Return what the proposal *number* asks for."""
        kept = self._connection.execute(select(proposals.c.request).where(proposals.c.id == number)).scalar_one()
        asked: dict[str, Any] = orjson.loads(zlib.decompress(kept))
        return asked

    def page(
        self, state: str | None, *, before: int | None = None, limit: int, actor: str | None = None
    ) -> list[ProposalRecord]:
        """Return the newest ones first, those under *before*; of one *state*, and of one *actor*, where given."""
        query = select(*_COLUMNS)
        if state is not None:
            query = query.where(proposals.c.state == state)
        if before is not None:
            query = query.where(proposals.c.id < before)
        if actor is not None:
            query = query.where(proposals.c.actor == actor)
        return self._read(query.order_by(proposals.c.id.desc()).limit(limit))

    def count(self, state: str, *, now: datetime, most: int, actor: str | None = None) -> int:
        """Return how many are in *state* and have not run out at *now*, counting no further than *most*."""
        query = select(proposals.c.id).where(proposals.c.state == state, proposals.c.expires_at > now)
        if actor is not None:
            query = query.where(proposals.c.actor == actor)
        counted = select(func.count()).select_from(query.limit(most).subquery())
        return int(self._connection.execute(counted).scalar_one())

    def same(self, actor: str, kind: str, digest: bytes, *, now: datetime) -> ProposalRecord | None:
        """Return the open proposal of *actor* that would do the same, None where there is none."""
        columns = proposals.c
        query = select(*_COLUMNS).where(columns.state == OPEN, columns.actor == actor, columns.kind == kind)
        found = self._read(query.where(columns.plan_digest == digest, columns.expires_at > now).limit(1))
        return found[0] if found else None

    def run_out(self, now: datetime, most: int) -> list[ProposalRecord]:
        """Return up to *most* open ones that have run out at *now*."""
        query = select(*_COLUMNS).where(proposals.c.state == OPEN, proposals.c.expires_at <= now)
        return self._read(query.order_by(proposals.c.id).limit(most))

    def decide(self, number: int, state: str, **values: Any) -> bool:
        """Give an open proposal another state; return whether it was open."""
        query = update(proposals).where(proposals.c.id == number, proposals.c.state == OPEN)
        return self._connection.execute(query.values(state=state, **values)).rowcount == 1

    # -- what is said ---------------------------------------------------------------------------------------------

    def comments(self, number: int) -> list[CommentRecord]:
        """Return what was said about the proposal *number*, in order."""
        said = proposal_comments.c
        query = select(said.number, said.at, said.actor, said.actor_name, said.text).where(said.proposal == number)
        return [CommentRecord(*row) for row in self._connection.execute(query.order_by(said.number))]

    def comment(self, number: int, comment: CommentRecord) -> None:
        """Keep what somebody said about the proposal *number*."""
        self._connection.execute(insert(proposal_comments).values(proposal=number, **comment._asdict()))

    def _read(self, query: Select[Any]) -> list[ProposalRecord]:
        return [_record(row) for row in self._connection.execute(query)]


def _values(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: orjson.dumps(value).decode() if name in _JSON else value for name, value in fields.items()}


def _record(row: Any) -> ProposalRecord:
    values = dict(row._mapping)  # noqa: SLF001 SQLAlchemy's public name
    return ProposalRecord(**values | {name: orjson.loads(values[name]) for name in _JSON})
