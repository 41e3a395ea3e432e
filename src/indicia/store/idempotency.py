"""The answers given to requests with an Idempotency-Key, so that a repeated request has one effect."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

import orjson
from sqlalchemy import Connection, delete, insert, select, update

from indicia.store.schema import idempotency_keys


class Answer(NamedTuple):
    """What was asked under a key, and what was answered; ``status`` is None while *node* works on it."""

    request_sha256: bytes
    at: datetime
    status: int | None
    headers: Mapping[str, str]
    body: bytes
    node: str | None = None


class IdempotencyKeys:
    """Reads and writes answers by actor and key."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, actor: str, key: str) -> Answer | None:
        """Return the answer given to *actor* under *key*."""
        row = self._connection.execute(
            select(idempotency_keys).where(idempotency_keys.c.actor == actor, idempotency_keys.c.key == key)
        ).first()
        if row is None:
            return None
        headers = orjson.loads(row.headers) if row.headers else {}
        return Answer(row.request_sha256, row.at, row.status, headers, row.body or b"", row.node)

    def claim(self, actor: str, key: str, request_sha256: bytes, at: datetime, node: str | None = None) -> None:
        """Remember that *actor* began a request under *key*, which *node* works on."""
        values = {"actor": actor, "key": key, "request_sha256": request_sha256, "at": at, "node": node}
        self._connection.execute(insert(idempotency_keys).values(values))

    def answer(self, actor: str, key: str, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """Keep the answer to the request that `claim` began."""
        mine = (idempotency_keys.c.actor == actor, idempotency_keys.c.key == key)
        values = {"status": status, "headers": orjson.dumps(dict(headers)).decode(), "body": body}
        self._connection.execute(update(idempotency_keys).where(*mine).values(values))

    def release(self, actor: str, key: str) -> None:
        """Forget a request that failed before it did anything."""
        mine = (idempotency_keys.c.actor == actor, idempotency_keys.c.key == key)
        self._connection.execute(delete(idempotency_keys).where(*mine))

    def forget_before(self, moment: datetime) -> None:
        """Forget the answers that were given before *moment*."""
        self._connection.execute(delete(idempotency_keys).where(idempotency_keys.c.at < moment))
