"""Whatever happens to a backup on its way is found before a database is touched, and told with its place."""

from __future__ import annotations

import io
import random
from pathlib import Path

import pytest
import zstandard

from indicia.domain.errors import InvalidInput
from indicia.services import backup
from indicia.store.database import Database
from tests.integration.services.test_copying import fill, made
from tests.integration.stores import new_file, url_of


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return a backup."""
    database = Database.open(url_of(new_file(tmp_path_factory.mktemp("archive"))))
    fill(database)
    out, _ = made(database, keys={"tokens": b"secret"})
    database.close()
    return out.getvalue()


def check(data: bytes) -> str:
    """Return what is told of *data*."""
    with pytest.raises(InvalidInput) as told:
        backup.check_backup(io.BytesIO(data), "b")
    [problem] = told.value.problems
    assert problem.file == "b"
    return problem.message


def lines(data: bytes) -> list[bytes]:
    return zstandard.ZstdDecompressor().decompressobj().decompress(data).splitlines(keepends=True)


def packed(parts: list[bytes]) -> bytes:
    return zstandard.ZstdCompressor().compress(b"".join(parts))


def test_a_good_one_is_good(good: bytes) -> None:
    contents = backup.check_backup(io.BytesIO(good), "b")
    assert contents.rows["indicators"] == 301
    assert contents.keys == {"tokens": b"secret"}
    assert backup.check_backup(io.BytesIO(packed(lines(good))), "b") == contents


def test_wherever_it_ends_too_early(good: bytes) -> None:
    dice = random.Random(5)
    for length in [0, 3, 4, 20, *(dice.randrange(len(good)) for _ in range(60)), len(good) - 1]:
        told = check(good[:length])
        assert "ends too early" in told or "no backup" in told or "damaged" in told
    written = lines(good)
    for count in dice.sample(range(1, len(written)), 80):
        assert "ends too early" in check(packed(written[:count]))
        assert "ends too early" in check(packed([*written[:count], written[count][:-1]]))


def test_whichever_byte_is_another(good: bytes) -> None:
    dice = random.Random(6)
    for _ in range(300):
        place = dice.randrange(len(good))
        altered = good[:place] + bytes([good[place] ^ (1 << dice.randrange(8))]) + good[place + 1 :]
        try:  # what zstandard itself does not look at may be anything
            same = lines(altered) == lines(good)
        except zstandard.ZstdError:
            same = False
        if not same:
            check(altered)


def test_whichever_line_is_taken_away_doubled_or_moved(good: bytes) -> None:
    written, dice = lines(good), random.Random(7)
    for _ in range(100):
        place = dice.randrange(1, len(written))
        check(packed(written[:place] + written[place + 1 :]))
        check(packed([*written[:place], written[place], *written[place:]]))
        if place + 1 < len(written):
            check(packed([*written[:place], written[place + 1], written[place], *written[place + 2 :]]))


def test_a_row_that_says_something_else(good: bytes) -> None:
    written = lines(good)
    [place] = [number for number, line in enumerate(written) if b'"h7.example.org"' in line]
    written[place] = written[place].replace(b"h7.example", b"h8.example")
    assert check(packed(written)) == "the rows of table indicators are not those that were written"


@pytest.mark.parametrize(
    "data, told",
    [
        (b"", "no backup that Indicia made"),
        (b"IndicatorType,IndicatorValue\n", "no backup that Indicia made"),
        (b"SQLite format 3\0" * 100, "no backup that Indicia made"),
        (packed([b"hello\n"]), "not what Indicia writes"),
        (packed([b'{"a": 1}\n']), "no backup that Indicia made"),
        (packed([b'{"indicia": "backup", "format": 2}\n']), "its form is 2; this version reads 1"),
        (packed([b'{"indicia": "backup", "format": 1}\n']), "does not say 'schema'"),
    ],
)
def test_what_is_something_else(data: bytes, told: str) -> None:
    assert told in check(data)


def test_more_after_the_end(good: bytes) -> None:
    check(good + b"x")
    assert "follows after its end" in check(good + packed([b"{}\n"]))


def test_every_row_of_another_form_is_told(good: bytes) -> None:
    written = lines(good)
    place = next(number for number, line in enumerate(written) if b'"h7.example.org"' in line)
    for row in (b"[]\n", b'["a"]\n', b"[1,2,3]\n", b"[1,\n", written[place].replace(b"[", b"[null,")):
        assert "in table indicators" in check(packed([*written[:place], row, *written[place + 1 :]]))


def test_a_file_that_unpacks_to_a_million_times_its_size(tmp_path: Path) -> None:
    bomb = packed([b'{"indicia": "backup", "format": 1', b" " * (600 << 20)])
    assert len(bomb) < 1 << 20
    assert "longer than any" in check(bomb)
