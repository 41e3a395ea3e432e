"""One effect however often a request comes: its answer is committed with what it did, and given again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from indicia.domain.access import Actor
from indicia.domain.errors import Conflict, InvalidInput, Problem, Unavailable
from indicia.services.nodes import Node
from indicia.store.database import Database, Transaction
from indicia.store.idempotency import Answer
from indicia.store.joined import Joined

KEPT: Final = timedelta(hours=24)
# A request whose process died is begun again after this; one that only takes long is never done twice all the same.
PRESUMED_DEAD: Final = timedelta(minutes=2)
MOST_BYTES: Final = 1 << 20
IN_PROGRESS: Final = "request-in-progress"
REUSED: Final = "idempotency-key-reused"
_FAILED: Final = 400


class Asked(NamedTuple):
    """A request that its sender may repeat: who sends it, under which key, and what it says."""

    actor: Actor
    key: str
    request_sha256: bytes


class Reply(NamedTuple):
    """What a request is answered with; ``replayed`` where it was answered so before."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    replayed: bool = False


Work = Callable[[Database], Reply]


def once(
    database: Database, asked: Asked, work: Work, *, now: datetime, changes: bool = True, node: Node | None = None
) -> Reply:
    """Return what *work* answers, or what it answered to the same request before; kept for a day.

    Where *work* *changes* anything, its changes and its answer are one transaction, so that nobody is told of a
    change that was not made, and no change is made twice, wherever the process dies. Without it the answer is
    kept afterwards, so that a long dry run holds up no writer. What failed is not kept and may be tried again.

    *node* is this process: by it others know whether somebody still works on a request, whichever it came to.

    Raises `InvalidInput` where another request came under the key, `Conflict` while the same one is under way.
    """
    try:
        answer = _begin(database, asked, now, node)
    except Unavailable:
        _release(database, asked, now, node)  # nobody can say whether the key was claimed
        raise
    if answer is not None:
        return answer
    answered = False
    try:
        if changes:
            with database.transaction() as tx:
                _still_ours(tx, asked, now)
                reply = work(Joined(tx))
                kept = _keep(tx, asked, reply)
        else:
            reply = work(database)
            with database.transaction() as tx:
                _still_ours(tx, asked, now)
                kept = _keep(tx, asked, reply)
        answered = kept  # not before it is committed
    finally:
        if not answered:
            _release(database, asked, now, node)
    return reply


def _release(database: Database, asked: Asked, now: datetime, node: Node | None) -> None:
    """Free the key of a request that did nothing; where the database is away, as soon as it is back."""

    def release() -> None:
        with database.transaction() as tx:
            if _is_ours(tx, asked, now):
                tx.idempotency_keys.release(asked.actor.id, asked.key)

    try:
        release()
    except Unavailable:
        if node is None:
            raise
        node.when_possible(release)


def as_one(database: Database, work: Work) -> Reply:
    """Return what *work* answers, with everything it does in one transaction."""
    with database.transaction() as tx:
        return work(Joined(tx))


def _begin(database: Database, asked: Asked, now: datetime, node: Node | None) -> Reply | None:
    """Return the answer that was given before, or take note that the request is under way."""
    with database.snapshot() as tx:  # waits for no writer, as most repetitions need not
        before = tx.idempotency_keys.get(asked.actor.id, asked.key)
    dead = _is_abandoned(before, node)
    if before is not None and not _may_begin(before, now, dead=dead):
        return _given_before(before, asked)
    if node is not None:
        node.show()
    with database.transaction() as tx:
        tx.idempotency_keys.forget_before(now - KEPT)
        found = tx.idempotency_keys.get(asked.actor.id, asked.key)
        if found is not None and not _may_begin(found, now, dead=dead and found == before):
            return _given_before(found, asked)
        if found is not None:
            tx.idempotency_keys.release(asked.actor.id, asked.key)
        claimant = None if node is None else node.id
        tx.idempotency_keys.claim(asked.actor.id, asked.key, asked.request_sha256, now, claimant)
    return None


def _is_abandoned(found: Answer | None, node: Node | None) -> bool:
    """Return whether the process that worked on a request is no more."""
    if found is None or found.status is not None or found.node is None or node is None:
        return False
    return not node.is_alive(found.node)


def _may_begin(found: Answer, now: datetime, *, dead: bool) -> bool:
    """Return whether what is known of a key is no reason not to begin: too old, or never to be answered."""
    return dead or found.at <= now - (PRESUMED_DEAD if found.status is None else KEPT)


def _given_before(found: Answer, asked: Asked) -> Reply:
    if found.request_sha256 != asked.request_sha256:
        message = "another request was sent under this Idempotency-Key; use a new key for a new request"
        raise InvalidInput([Problem(REUSED, message, "Idempotency-Key", asked.key[:100])])
    if found.status is None:
        problem = Problem(IN_PROGRESS, "it will be answered in a moment", "Idempotency-Key", asked.key[:100])
        raise Conflict("the same request is under way; ask again in a moment", [problem])
    return Reply(found.status, found.headers, found.body, replayed=True)


def _is_ours(tx: Transaction, asked: Asked, now: datetime) -> bool:
    found = tx.idempotency_keys.get(asked.actor.id, asked.key)
    mine = (asked.request_sha256, now, None)
    return found is not None and (found.request_sha256, found.at, found.status) == mine


def _still_ours(tx: Transaction, asked: Asked, now: datetime) -> None:
    if not _is_ours(tx, asked, now):
        problem = Problem(IN_PROGRESS, "a repetition has taken over", "Idempotency-Key", asked.key[:100])
        raise Conflict("this request took so long to begin that a repetition of it has taken over", [problem])


def _keep(tx: Transaction, asked: Asked, reply: Reply) -> bool:
    """Keep *reply* unless it says that nothing was done; return whether it was kept."""
    if reply.status >= _FAILED:
        return False
    body = reply.body if len(reply.body) <= MOST_BYTES else b"{}"
    tx.idempotency_keys.answer(asked.actor.id, asked.key, reply.status, reply.headers, body)
    return True
