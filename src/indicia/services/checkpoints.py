"""Checkpoints: the chain signed by a key that is not in the database, and shipped to where its owner cannot reach."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import orjson

from indicia.domain.access import Actor, Permission, require, system_actor
from indicia.domain.errors import Conflict, InvalidInput, Problem, Unavailable
from indicia.remotes.http import Remote, Unreachable
from indicia.services.signing import PublicKey, SigningKey, keyed, known_keys
from indicia.services.writing import record_event
from indicia.store.changesets import Header
from indicia.store.checkpoints import Checkpoint
from indicia.store.database import Database, Transaction
from indicia.store.schema import to_microseconds

#: The kind of the entry that tells which key signs from then on.
KEY_KIND: Final = "audit.key"
#: What a checkpoint is, so that no other text that the key signs is taken for one.
_PREFIX: Final = b"indicia checkpoint 1\n"
_MOST_KEYS: Final = 1_000
_MOST_AT_ONCE: Final = 1_000
_LONGEST_LINE: Final = 2_000
_TAIL_BYTES: Final = 64 << 10
_FIRST_PAUSE: Final = timedelta(seconds=10)
_LONGEST_PAUSE: Final = timedelta(hours=1)
_AUDIT: Final = system_actor("audit")


@dataclass(frozen=True, slots=True)
class Shipping:
    """Where checkpoints come from and go: after how many entries or how long, to which file, to which URL."""

    key_file: Path
    every: int = 1_000
    seconds: int = 300
    file: Path | None = None
    url: str | None = None


@dataclass(slots=True)
class Checkpoints:
    """Makes and ships the checkpoints of one process; used by its worker."""

    shipping: Shipping
    _key: SigningKey | None = None
    _posted: int = 0
    _again_at: datetime | None = None
    _pause: timedelta = field(default=_FIRST_PAUSE)

    @property
    def key(self) -> SigningKey:
        """The key that signs; it is made where there is none. Raises `Unavailable`."""
        if self._key is None:
            self._key = SigningKey.open(self.shipping.key_file)
        return self._key

    def make(self, database: Database, now: datetime, *, due: bool = True) -> Checkpoint | None:
        """Sign where the chain is, where it has moved far or long enough (or at all, unless it has to be *due*).

        Raises `Conflict` where the chain does not hold what the last checkpoint signed: nothing is signed then.
        """
        with database.snapshot() as tx:
            if not self._is_time(tx, now, due=due):
                return None
        key = self.key
        with database.attempt() as tx:
            if not self._is_time(tx, now, due=due):
                return None
            if key.public.id not in _keys_in(tx):
                details = {"keyId": key.public.id, "publicKey": key.public.text}
                record_event(tx, Header(_AUDIT, KEY_KIND, now), details)
            tip, last = tx.changesets.tip(), tx.checkpoints.last()
            assert tip is not None, "the chain has entries"
            number = 1 if last is None else last.number + 1
            text = signed_text(number, tip.id, to_microseconds(now), tip.hash, key.public.id)
            made = Checkpoint(number, tip.id, now, tip.hash, key.public.id, key.sign(text))
            tx.checkpoints.add(made)
            return made

    def _is_time(self, tx: Transaction, now: datetime, *, due: bool) -> bool:
        last, tip = tx.checkpoints.last(), tx.changesets.tip()
        if tip is None or not tip.id:
            return False
        if last is None:
            return True
        there = tx.changesets.tip(last.changeset)
        if there is None or there.hash != last.hash:
            raise Conflict(
                f"the chain does not hold changeset {last.changeset} as checkpoint {last.number} signed it: its past "
                "was altered; `indicia verify` tells where. No checkpoint is made"
            )
        if tip.id == last.changeset:
            return False
        return (
            not due
            or tip.id - last.changeset >= self.shipping.every
            or now - last.at >= timedelta(seconds=self.shipping.seconds)
        )

    # -- shipping -------------------------------------------------------------------------------------------------

    def append(self, database: Database) -> int:
        """Append what the file does not have yet, and have it on disk; return how many lines that were.

        Raises `Conflict` where the file knows of later checkpoints than the database: that was put back or altered.
        """
        file = self.shipping.file
        if file is None:
            return 0
        try:
            written, ended = _end_of(file)
            with database.snapshot() as tx:
                last = tx.checkpoints.last()
                found = tx.checkpoints.after(written, _MOST_AT_ONCE)
            if written > (last.number if last else 0):
                raise Conflict(
                    f"{file} has checkpoint {written}, and the database only {last.number if last else 0}: it was put "
                    "back to an earlier state, or its past was altered; `indicia verify --checkpoints` tells"
                )
            if found:
                _append(file, b"" if ended else b"\n", [line_of(each) for each in found])
        except OSError as error:
            raise Unavailable(f"checkpoints cannot be appended to {file}: {error.strerror}") from error
        return len(found)

    def post(self, database: Database, now: datetime) -> bool:
        """Send the newest checkpoint to the URL, where it does not have it; return whether it was sent.

        A newer one says all that an older one says, so only the newest is sent. Where that fails it is tried again,
        later each time. Raises `Unavailable` when it does.
        """
        url = self.shipping.url
        if not url or (self._again_at is not None and now < self._again_at):
            return False
        with database.snapshot() as tx:
            last = tx.checkpoints.last()
        if last is None or last.number <= self._posted:
            return False
        trouble = self._send(url, last, now)
        if trouble is None:
            self._posted, self._again_at, self._pause = last.number, None, _FIRST_PAUSE
            return True
        self._again_at, self._pause = now + self._pause, min(2 * self._pause, _LONGEST_PAUSE)
        raise Unavailable(f"checkpoint {last.number} could not be sent to {_host(url)}: {trouble}; it is tried again")

    def _send(self, url: str, checkpoint: Checkpoint, now: datetime) -> str | None:
        """Return what went wrong; the headers are those of the Standard Webhooks, signed by the same key."""
        body = line_of(checkpoint)
        identity, stamp = f"checkpoint-{checkpoint.number}", str(int(now.timestamp()))
        signature = self.key.sign(f"{identity}.{stamp}.".encode() + body)
        headers = {
            "webhook-id": identity,
            "webhook-timestamp": stamp,
            "webhook-signature": f"v1a,{base64.b64encode(signature).decode()}",
        }
        try:
            answer = Remote([_host(url)]).post(url, body, "application/json", headers=headers)
        except Unreachable as error:
            # Its path may be a secret.
            return str(error).replace(url.partition("?")[0].partition("#")[0][:300], _host(url))
        return None if 200 <= answer.status < 300 else f"it answered {answer.status}"


def newest(database: Database, *, limit: int, actor: Actor) -> list[Checkpoint]:
    """Return up to *limit* checkpoints, the newest first."""
    require(actor, Permission.AUDIT_READ)
    with database.snapshot() as tx:
        return tx.checkpoints.newest(limit)


def line_of(checkpoint: Checkpoint) -> bytes:
    """Return *checkpoint* as one line of JSON, without its end."""
    return orjson.dumps(as_dict(checkpoint))


def as_dict(checkpoint: Checkpoint) -> dict[str, Any]:
    """Return *checkpoint* as JSON has it."""
    return {
        "checkpoint": checkpoint.number,
        "changeset": checkpoint.changeset,
        "hash": checkpoint.hash.hex(),
        "at": checkpoint.at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "keyId": checkpoint.key_id,
        "signature": base64.b64encode(checkpoint.signature).decode(),
    }


def checkpoint_in(line: bytes) -> Checkpoint:
    """Return the checkpoint that `line_of` made a line of; raises `ValueError` where it is none."""
    if len(line) > _LONGEST_LINE:
        raise ValueError("it is too long")
    found = orjson.loads(line)
    try:
        at = datetime.fromisoformat(found["at"])
        number, changeset = found["checkpoint"], found["changeset"]
        if type(number) is not int or type(changeset) is not int or at.tzinfo is None:
            raise ValueError("it has no numbers")
        signature = base64.b64decode(found["signature"], validate=True)
        return Checkpoint(number, changeset, at, bytes.fromhex(found["hash"]), str(found["keyId"]), signature)
    except (KeyError, TypeError, binascii.Error) as error:
        raise ValueError("it is no checkpoint") from error


def signed_text(number: object, changeset: object, at: object, chain: object, key_id: object) -> bytes:
    """Return what is signed: JSON of numbers and texts; *at* in microseconds since 1970, *chain* the hash."""
    shown = chain.hex() if isinstance(chain, bytes) else repr(chain)
    return _PREFIX + orjson.dumps([number, changeset, at, shown, key_id], default=repr)


# -- verifying --------------------------------------------------------------------------------------------------------


def faults_of(
    tx: Transaction,
    own: Mapping[str, PublicKey],
    *,
    trusted: Mapping[str, PublicKey] | None = None,
    kept: Iterable[tuple[str, Checkpoint]] = (),
) -> Iterator[str]:
    """Yield a sentence for every checkpoint that does not fit: those of the table, and those *kept* elsewhere.

    Each of *kept* comes with where it stands. Keys are *trusted* ones, where such are given: no other counts then.
    Else they are our *own* and those that the chain names, which shows what was altered by somebody without a key.
    """
    keys = dict(trusted) if trusted is not None else known_keys(_keys_in(tx), own)
    comparing, expected = _Comparing(tx, keys), 1
    for number, *row in tx.checkpoints.stored():
        if number != expected:
            yield f"checkpoint {number} stands where checkpoint {expected} has to: some are missing, or were added"
        expected = number + 1 if isinstance(number, int) else expected + 1
        yield from comparing.faults(f"checkpoint {number}", (number, *row))
    comparing, last = _Comparing(tx, keys), expected - 1
    for place, each in kept:
        facts = (each.number, each.changeset, to_microseconds(each.at), each.hash, each.key_id)
        yield from comparing.faults(place, (*facts, each.signature))
        if each.number > last:
            yield f"{place}: the database has no checkpoint {each.number}: the end of the table is missing"


class _Comparing:
    """Compares one checkpoint after another with the chain, and remembers up to where it is as it was signed."""

    def __init__(self, tx: Transaction, keys: Mapping[str, PublicKey]) -> None:
        self._tx = tx
        self._keys = keys
        self._good = 0

    def faults(self, place: str, row: tuple[Any, ...]) -> Iterator[str]:
        """Yield what is wrong with the checkpoint at *place*: its facts, as they are stored, and its signature."""
        *facts, signature = row
        _number, changeset, _at, chain, key_id = facts
        key = self._keys.get(key_id) if isinstance(key_id, str) else None
        if key is None:
            yield f"{place} is signed by the key {str(key_id)[:50]!r}, which is none of those that are trusted"
            return
        if not key.signed(signature, signed_text(*facts)):
            yield f"{place} was altered: its signature does not fit"
            return
        there = self._tx.integrity.hash_of(changeset)
        since = f"changesets {self._good + 1} to {changeset}"
        if there is None:
            yield f"{place} is of changeset {changeset}, which is missing: of {since} the end was cut off"
        elif there != chain:
            yield f"{place} is of another changeset {changeset} than the chain has: of {since} some were made anew"
        else:
            self._good = changeset


def kept_in(lines: Iterable[bytes], name: str) -> Iterator[tuple[str, Checkpoint]]:
    """Yield the checkpoints of a file that was shipped, each with its place; raises `InvalidInput` naming a bad line.

    A last line that ends in the middle is left out: that is what a power cut leaves.
    """
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield f"{name}, line {number}", checkpoint_in(line.strip())
        except ValueError as error:
            if not line.endswith(b"\n"):
                return
            message = f"this is no checkpoint ({error}); give the file that INDICIA_CHECKPOINT_FILE names"
            raise InvalidInput([Problem("not-a-checkpoint", message).at(file=name, line=number)]) from None


def own_keys(key_file: Path) -> dict[str, PublicKey]:
    """Return the public half of the key in *key_file*, where there is one."""
    return keyed([SigningKey.open(key_file).public]) if key_file.exists() else {}


def _keys_in(tx: Transaction) -> dict[str, PublicKey]:
    """Return the keys that the chain names."""
    found = []
    for details in islice(tx.integrity.details_of(KEY_KIND), _MOST_KEYS):
        try:
            found.append(PublicKey(base64.b64decode(orjson.loads(details)["publicKey"], validate=True)))  # type: ignore[arg-type]  # it may be of any type, and what is none is told of
        except (KeyError, TypeError, ValueError):  # altered, which is told of the chain
            continue
    return keyed(found)


# -- the file and the address -----------------------------------------------------------------------------------------


def _end_of(file: Path) -> tuple[int, bool]:
    """Return the number of the last checkpoint in *file*, 0 where it has none, and whether its last line is whole."""
    try:
        size = file.stat().st_size
    except FileNotFoundError:
        return 0, True
    with file.open("rb") as opened:
        opened.seek(max(0, size - _TAIL_BYTES))
        tail = opened.read(_TAIL_BYTES)
    for line in reversed(tail.split(b"\n")):
        try:
            return checkpoint_in(line).number, tail.endswith(b"\n")
        except ValueError:
            continue
    return 0, not tail or tail.endswith(b"\n")


def _append(file: Path, before: bytes, lines: Iterable[bytes]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    is_new = not file.exists()
    with file.open("ab") as opened:
        opened.write(before + b"".join(line + b"\n" for line in lines))
        opened.flush()
        os.fsync(opened.fileno())
    if is_new:
        folder = os.open(file.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _host(url: str) -> str:
    try:
        parts = urlsplit(url)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
        return f"{host}:{parts.port}" if parts.port else host
    except ValueError:
        return "an address that is no URL"
