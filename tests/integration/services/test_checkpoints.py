"""Checkpoints: made when it is time, signed so that nobody makes one without the key, shipped, and checked."""

from __future__ import annotations

import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import text

from indicia.domain.errors import Conflict, InvalidInput, Unavailable
from indicia.services.checkpoints import (
    KEY_KIND,
    Checkpoints,
    Shipping,
    checkpoint_in,
    faults_of,
    kept_in,
    line_of,
    own_keys,
)
from indicia.services.signing import SigningKey, public_keys
from indicia.store import engines
from indicia.store.checkpoints import Checkpoint
from indicia.store.database import Database
from tests.integration.stores import NOW, domains, faults, submit

MINUTE = timedelta(minutes=1)


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "audit.key"


def checkpoints(key_file: Path, **shipping: Any) -> Checkpoints:
    return Checkpoints(Shipping(key_file, **{"every": 3, "seconds": 60} | shipping))


def change(database: Database, number: int, times: int = 1) -> None:
    for each in range(number, number + times):
        submit(database, *domains([each]))


def run(database: Database, statement: str) -> None:
    with database.engine.connect() as connection, engines.begin_write(connection):
        connection.execute(text(statement))


def found(database: Database, key_file: Path, **options: Any) -> list[str]:
    with database.snapshot() as tx:
        return list(faults_of(tx, own_keys(key_file), **options))


def made(database: Database, maker: Checkpoints, count: int) -> list[Checkpoint]:
    """Return *count* checkpoints, one for each of as many changes."""
    for number in range(count):
        change(database, 1_000 + number)
        maker.make(database, NOW + number * MINUTE)
    with database.snapshot() as tx:
        return tx.checkpoints.after(0, count)


def test_the_first_change_is_signed_then_every_so_many_or_after_so_long(database: Database, key_file: Path) -> None:
    maker = checkpoints(key_file)
    assert maker.make(database, NOW) is None
    change(database, 1)
    first = maker.make(database, NOW)
    assert first is not None
    assert (first.number, first.changeset) == (1, 2)  # the entry that names the key is the second
    assert maker.make(database, NOW + 10 * MINUTE) is None
    change(database, 2, 2)
    assert maker.make(database, NOW + MINUTE / 2) is None
    assert maker.make(database, NOW + MINUTE / 2, due=False) is not None
    change(database, 4)
    assert maker.make(database, NOW + MINUTE) is None
    assert maker.make(database, NOW + 2 * MINUTE) is not None
    change(database, 5, 3)
    assert maker.make(database, NOW + 2 * MINUTE) is not None
    assert found(database, key_file) == faults(database) == []


def test_the_key_is_for_this_user_alone_and_named_in_the_chain(database: Database, key_file: Path) -> None:
    maker = checkpoints(key_file)
    made(database, maker, 2)
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    assert list(key_file.parent.iterdir()) == [key_file]
    with database.snapshot() as tx:
        named = [each.details for each in tx.changesets.page(before=None, limit=100) if each.kind == KEY_KIND]
    assert named == [{"keyId": maker.key.public.id, "publicKey": maker.key.public.text}]


@pytest.mark.parametrize("form", ["pem", "text"])
def test_a_public_key_is_read_in_either_form(key_file: Path, tmp_path: Path, form: str) -> None:
    one, other = SigningKey.open(key_file).public, SigningKey.open(tmp_path / "other").public
    read = public_keys("\n".join(getattr(each, form) for each in (one, other)))
    assert read.keys() == {one.id, other.id}
    assert read[one.id].signed(SigningKey.open(key_file).sign(b"x"), b"x")


@pytest.mark.parametrize("given", ["", "hello", "-----BEGIN PUBLIC KEY-----\nx\n-----END PUBLIC KEY-----", "AAAA"])
def test_what_is_no_public_key_is_told(given: str) -> None:
    with pytest.raises(InvalidInput, match="no public key"):
        public_keys(given)


def test_a_key_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    file = tmp_path / "audit.key"
    file.write_text("no key")
    with pytest.raises(Unavailable, match="holds no key"):
        SigningKey.open(file)


def test_without_the_key_file_the_chain_names_the_key(database: Database, key_file: Path) -> None:
    made(database, checkpoints(key_file), 2)
    key_file.unlink()
    assert found(database, key_file) == []
    made(database, checkpoints(key_file), 1)  # a new key, which the chain names too
    assert found(database, key_file) == []


@pytest.mark.parametrize(
    "statement, told",
    [
        ("UPDATE checkpoints SET changeset = 1 WHERE number = 2", "checkpoint 2 was altered"),
        ("UPDATE checkpoints SET at = at + 1 WHERE number = 2", "checkpoint 2 was altered"),
        ("UPDATE checkpoints SET key_id = 'x' WHERE number = 2", "checkpoint 2 is signed by the key 'x'"),
        ("UPDATE checkpoints SET number = 9 WHERE number = 3", "checkpoint 9 stands where checkpoint 3 has to"),
        ("DELETE FROM checkpoints WHERE number = 2", "checkpoint 3 stands where checkpoint 2 has to"),
        ("DELETE FROM changesets WHERE id > 3", "checkpoint 3 is of changeset 4, which is missing"),
        ("UPDATE changesets SET hash = prev_hash WHERE id = 3", "another changeset 3 than the chain has"),
    ],
)
def test_what_was_altered_is_named(database: Database, key_file: Path, statement: str, told: str) -> None:
    made(database, checkpoints(key_file), 3)
    run(database, statement)
    assert any(told in fault for fault in found(database, key_file)), found(database, key_file)


def test_only_what_was_kept_elsewhere_tells_that_the_end_is_missing(database: Database, key_file: Path) -> None:
    kept = [(f"line {each.number}", each) for each in made(database, checkpoints(key_file), 3)]
    assert found(database, key_file, kept=kept) == []
    run(database, "DELETE FROM checkpoints WHERE number = 3")
    assert found(database, key_file) == []
    assert found(database, key_file, kept=kept) == [
        "line 3: the database has no checkpoint 3: the end of the table is missing"
    ]


def test_a_key_that_is_not_trusted_is_no_proof(database: Database, key_file: Path, tmp_path: Path) -> None:
    made(database, checkpoints(key_file), 2)
    other = SigningKey.open(tmp_path / "other").public
    assert len(found(database, key_file, trusted={other.id: other})) == 2
    own = SigningKey.open(key_file).public
    assert found(database, key_file, trusted={own.id: own}) == []


def test_nothing_is_signed_over_a_past_that_was_altered(database: Database, key_file: Path) -> None:
    maker = checkpoints(key_file)
    made(database, maker, 2)
    run(database, "UPDATE changesets SET hash = prev_hash WHERE id = 3")
    change(database, 1)
    with pytest.raises(Conflict, match="its past was altered"):
        maker.make(database, NOW + 10 * MINUTE)


# -- shipping ---------------------------------------------------------------------------------------------------------


def test_the_file_has_every_checkpoint_once(database: Database, key_file: Path, tmp_path: Path) -> None:
    file = tmp_path / "kept" / "checkpoints.jsonl"
    maker = checkpoints(key_file, file=file)
    all_of_them = []
    for _round in range(3):
        all_of_them = made(database, maker, 2)
        checkpoints(key_file, file=file).append(database)  # another process, that knows nothing
        assert maker.append(database) == 0
    with database.snapshot() as tx:
        all_of_them = tx.checkpoints.after(0, 100)
    with file.open("rb") as lines:
        kept = list(kept_in(lines, "kept"))
    assert [each for _place, each in kept] == all_of_them
    assert found(database, key_file, kept=kept) == []


def test_a_line_that_a_power_cut_broke_is_written_again(database: Database, key_file: Path, tmp_path: Path) -> None:
    file = tmp_path / "checkpoints.jsonl"
    maker = checkpoints(key_file, file=file)
    made(database, maker, 2)
    maker.append(database)
    file.write_bytes(file.read_bytes()[:-20])
    with file.open("rb") as lines:
        assert [each.number for _place, each in kept_in(lines, "kept")] == [1]
    assert maker.append(database) == 1
    lines_of_it = file.read_bytes().splitlines()
    assert checkpoint_in(lines_of_it[-1]).number == 2
    with file.open("rb") as lines, pytest.raises(InvalidInput, match="no checkpoint"):
        list(kept_in(lines, "kept"))


def test_a_database_that_was_put_back_is_told(database: Database, key_file: Path, tmp_path: Path) -> None:
    maker = checkpoints(key_file, file=tmp_path / "checkpoints.jsonl")
    made(database, maker, 3)
    maker.append(database)
    run(database, "DELETE FROM checkpoints WHERE number = 3")
    with pytest.raises(Conflict, match="put back to an earlier state"):
        maker.append(database)


def test_a_file_that_cannot_be_written_is_told(database: Database, key_file: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    maker = checkpoints(key_file, file=tmp_path / "file" / "checkpoints.jsonl")
    made(database, maker, 1)
    with pytest.raises(Unavailable, match="cannot be appended"):
        maker.append(database)


def test_a_line_comes_back_as_it_was(database: Database, key_file: Path) -> None:
    [each] = made(database, checkpoints(key_file), 1)
    assert checkpoint_in(line_of(each)) == each


@contextmanager
def receiver(answers: list[int]) -> Iterator[tuple[str, list[tuple[dict[str, str], bytes]]]]:
    """Give the URL of a server that answers with *answers*, and what it is sent."""
    got: list[tuple[dict[str, str], bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            got.append((headers, self.rfile.read(int(headers["content-length"]))))
            self.send_response(answers.pop(0) if answers else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hooks/canary-path?key=canary-query", got
    finally:
        server.shutdown()
        server.server_close()


def test_the_newest_is_sent_once_and_signed(database: Database, key_file: Path) -> None:
    with receiver([]) as (url, got):
        maker = checkpoints(key_file, url=url)
        newest = made(database, maker, 3)[-1]
        assert maker.post(database, NOW) is True
        assert maker.post(database, NOW) is False
    [(headers, body)] = got
    assert checkpoint_in(body) == newest
    assert orjson.loads(body)["checkpoint"] == 3
    version, _, signature = headers["webhook-signature"].partition(",")
    assert version == "v1a"
    text_of_it = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    import base64

    assert maker.key.public.signed(base64.b64decode(signature), text_of_it)


def test_what_could_not_be_sent_is_sent_later_and_later(database: Database, key_file: Path) -> None:
    with receiver([500, 302]) as (url, got):
        maker = checkpoints(key_file, url=url)
        made(database, maker, 1)
        with pytest.raises(Unavailable, match="it answered 500; it is tried again") as caught:
            maker.post(database, NOW)
        assert "canary" not in str(caught.value)
        assert maker.post(database, NOW + timedelta(seconds=9)) is False
        with pytest.raises(Unavailable, match="it answered 302"):
            maker.post(database, NOW + timedelta(seconds=10))
        assert maker.post(database, NOW + timedelta(seconds=29)) is False
        assert maker.post(database, NOW + timedelta(seconds=30)) is True
        assert len(got) == 3


@pytest.mark.parametrize("url", ["http://192.0.2.1/canary", "https://user:canary@example.com/canary", "ftp://x/canary"])
def test_no_secret_of_an_address_is_told(database: Database, key_file: Path, url: str) -> None:
    maker = checkpoints(key_file, url=url)
    made(database, maker, 1)
    with pytest.raises(Unavailable) as caught:
        maker.post(database, NOW)
    assert "canary" not in str(caught.value)
