"""The compiled kernel answers what `domain.matching.keys_of` says, in every way that it can be asked."""

from __future__ import annotations

import os
import string
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indicia.domain.matching import keys_of, parts_of
from indicia.domain.observable import Observable, ObservableType, canonical, detect
from indicia.store.codes import TYPES
from tests.unit.matcher.made import NAMES, OBSERVABLES, V4, VALUES, urls
from tests.unit.spellings import PIECES

kernel: Any = pytest.importorskip("indicia.matcher._kernel", reason="the kernel is not compiled here")

KINDS = {code: kind for kind, code in TYPES.items()}
RULINGS = {code: (code, code * 10) for code in KINDS}
CHAIN = bytes(range(32))
Entry = tuple[int, str, int, int, int | None]


def built(observables: Iterable[Observable], secret: bytes = b"\x07" * 16) -> tuple[bytes, list[Entry]]:
    entries: list[Entry] = [
        (TYPES[each.type], each.value, number, TYPES[each.type] * 10, number if number % 3 else None)
        for number, each in enumerate(observables, start=1)
    ]
    builder = kernel.Builder(secret, RULINGS)
    builder.add([(kind, value, number, expires) for kind, value, number, _ruling, expires in entries])
    return builder.to_bytes(4, CHAIN, b'{"about": 1}'), entries


def snapshot_of(observables: Iterable[Observable], secret: bytes = b"\x07" * 16) -> tuple[Any, list[Entry]]:
    data, entries = built(observables, secret)
    return kernel.Snapshot.from_bytes(data), entries


def expected(entries: list[Entry], parts: Iterable[Observable]) -> list[Entry]:
    keys = {(TYPES[key.type], key.value) for part in parts for key in keys_of(part)}
    return sorted((entry for entry in entries if entry[:2] in keys), key=str)


@given(known=st.lists(OBSERVABLES, max_size=30), seen=OBSERVABLES, secret=st.binary(min_size=16, max_size=16))
def test_what_matches_is_what_the_law_says(known: list[Observable], seen: Observable, secret: bytes) -> None:
    snapshot, entries = snapshot_of([*known, *known[:3]], secret)
    for each in [seen, *known]:
        assert sorted(snapshot.match(TYPES[each.type], each.value), key=str) == expected(entries, [each])


@given(known=st.lists(OBSERVABLES, max_size=30), seen=OBSERVABLES)
def test_find_is_about_one_value(known: list[Observable], seen: Observable) -> None:
    snapshot, entries = snapshot_of(known)
    for each in [seen, *known]:
        exact = [entry for entry in entries if entry[:2] == (TYPES[each.type], each.value)]
        assert sorted(snapshot.find(TYPES[each.type], each.value), key=str) == sorted(exact, key=str)


@given(known=st.lists(OBSERVABLES, max_size=30), text=st.one_of(st.lists(PIECES, max_size=6).map("".join), st.text()))
def test_the_point_call_reads_a_value_as_detect_does(known: list[Observable], text: str) -> None:
    snapshot, entries = snapshot_of(known)
    for each in [text, *(one.value for one in known)]:
        answer = snapshot.check(each)
        if answer is NotImplemented:
            continue
        seen = detect(each)
        assert seen is not None
        assert sorted(answer or [], key=str) == expected(entries, parts_of(seen))


@given(known=st.lists(OBSERVABLES, max_size=30))
def test_canonical_values_of_every_day_take_the_fast_way(known: list[Observable]) -> None:
    snapshot, _entries = snapshot_of(known)
    for text in [
        "ab" * 32,
        "AB" * 20,
        "0" * 32,
        "203.0.113.7",
        "www.evil.example",
        "http://evil.example/a?b",
        "x.xn--p1ai",
    ]:
        assert snapshot.check(text) is not NotImplemented


@given(text=st.one_of(st.lists(PIECES, max_size=8).map("".join), NAMES, V4, urls()))
def test_what_the_kernel_takes_as_canonical_is_canonical(text: str) -> None:
    snapshot, _entries = snapshot_of([])
    if snapshot.check(text) is NotImplemented:
        return
    seen = detect(text)
    assert seen is not None
    assert seen.value == (text.lower() if len(text) in (32, 40, 64) and set(text) <= set(string.hexdigits) else text)
    assert canonical(seen.type, text) == seen.value


@given(
    known=st.lists(OBSERVABLES, max_size=30),
    more=st.lists(OBSERVABLES, max_size=100),
    kind=st.sampled_from(ObservableType),
)
def test_many_at_once_is_one_after_the_other(
    known: list[Observable], more: list[Observable], kind: ObservableType
) -> None:
    snapshot, _entries = snapshot_of(known)
    code = TYPES[kind]
    values = [each.value for each in [*known, *more] if each.type is kind]
    one_by_one = [(row, entry) for row, value in enumerate(values) for entry in snapshot.match(code, value)]
    for given_as in (list, tuple):
        rows, refs = snapshot.match_many(code, given_as(values))
        found = [(row, entry) for row, ref in zip(rows, refs, strict=True) for entry in snapshot.entries(ref)]
        assert sorted(found, key=str) == sorted(one_by_one, key=str)


def test_many_at_once_from_numpy_and_arrow() -> None:
    numpy = pytest.importorskip("numpy")
    pyarrow = pytest.importorskip("pyarrow")
    digests = [os.urandom(32) for _ in range(1000)]
    snapshot, _entries = snapshot_of(Observable(ObservableType.FILE_SHA256, each.hex()) for each in digests[::7])
    texts = [each.hex().upper() if i % 2 else each.hex() for i, each in enumerate(digests)]
    rows = list(range(0, 1000, 7))
    forms = [
        texts,
        numpy.array(texts),
        numpy.array([text.encode() for text in texts]),
        numpy.frombuffer(b"".join(digests), dtype=numpy.uint8).reshape(-1, 32),
        pyarrow.array(texts),
        pyarrow.array(texts, pyarrow.large_string()),
        pyarrow.array(texts, pyarrow.string_view()),
        pyarrow.array(digests, pyarrow.binary(32)),
        pyarrow.array(digests),
        pyarrow.array(digests, pyarrow.large_binary()),
        pyarrow.array(digests, pyarrow.binary_view()),
    ]
    for form in forms:
        found, refs = snapshot.match_many(1, form)
        assert list(found) == rows
        assert [snapshot.entries(ref)[0][1] for ref in refs] == [digests[row].hex() for row in rows]
    with_nulls = pyarrow.array([None, texts[0], None, texts[7], "short"])
    assert list(snapshot.match_many(1, with_nulls)[0]) == [1, 3]
    assert list(snapshot.match_many(1, with_nulls.slice(2))[0]) == [1]
    assert list(
        snapshot.match_many(1, pyarrow.array([None, digests[0], digests[7]], pyarrow.binary(32)).slice(1))[0]
    ) == [0, 1]
    mixed = pyarrow.array([None, digests[0], texts[7].encode(), b"", digests[14]])
    assert list(snapshot.match_many(1, mixed)[0]) == [1, 2, 4]
    for wrong in (3, "text", pyarrow.array([1, 2]), pyarrow.array(texts).dictionary_encode(), numpy.array([1.0]), [1]):
        with pytest.raises(TypeError):
            snapshot.match_many(1, wrong)


def test_a_crowded_table_still_answers() -> None:
    """So many keys that some lines overflow, and none of them is lost."""
    digests = [number.to_bytes(16, "big").hex() for number in range(200_000)]
    snapshot, _entries = snapshot_of(Observable(ObservableType.FILE_MD5, each) for each in digests)
    rows, _refs = snapshot.match_many(3, digests)
    assert list(rows) == list(range(200_000))
    assert list(snapshot.match_many(3, [f"{number:032x}" for number in range(200_000, 400_000)])[0]) == []
    assert snapshot.hot_bytes[3] / snapshot.keys(3) < 4


def test_values_that_are_not_canonical_are_refused_and_named() -> None:
    builder = kernel.Builder(b"s" * 16, RULINGS)
    for kind, value in [(1, "ab"), (5, "1.2.3"), (5, "2001:DB8::1"), (6, "10.0.0.1/8"), (7, ""), (8, "ftp://a/")]:
        with pytest.raises(ValueError, match="indicator 77 is not spelled canonically"):
            builder.add([(kind, value, 77, None)])
    with pytest.raises(ValueError, match="indicator 78 has an unknown decision"):
        builder.add([(99, "ab", 78, None)])
    with pytest.raises(ValueError, match="a row is"):
        builder.add([(1, "ab")])
    with pytest.raises(TypeError):
        builder.add([(7, 5, 79, None)])
    with pytest.raises(ValueError, match="16 bytes"):
        kernel.Builder(b"short", RULINGS)
    assert len(kernel.Snapshot.from_bytes(builder.to_bytes(1, CHAIN, b""))) == 0


def test_a_snapshot_says_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.snapshot"
    builder = kernel.Builder(b"s" * 16, RULINGS)
    builder.add([(7, "evil.example", 1, 5)])
    builder.write(str(path), 12, CHAIN, b"about")
    snapshot = kernel.Snapshot.open(str(path))
    snapshot.verify()
    assert (snapshot.changeset, snapshot.chain, snapshot.about, len(snapshot)) == (12, CHAIN, b"about", 1)
    assert snapshot.size == path.stat().st_size
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        builder.write(str(path), 12, CHAIN, b"about")
    with pytest.raises(FileNotFoundError):
        kernel.Snapshot.open(str(tmp_path / "none"))


@given(data=st.data())
def test_damage_is_refused_or_found_and_never_crashes(data: st.DataObject) -> None:
    known = [
        Observable(kind, value) for kind, values in VALUES.items() for value in data.draw(st.lists(values, max_size=4))
    ]
    whole, _entries = built(known)
    damaged = bytearray(whole)
    used = [at for at in range(0, len(whole), 64) if any(whole[at : at + 64])]
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.sampled_from(used)) + data.draw(st.integers(0, 63))
        damaged[at] ^= data.draw(st.integers(1, 255))
    cut = data.draw(st.one_of(st.none(), st.integers(0, len(whole) - 1)))
    snapshot = _opened(bytes(damaged[:cut]))
    if snapshot is None:
        return
    assert cut is None
    for each in known:  # whatever it answers, it answers
        snapshot.match(TYPES[each.type], each.value)
        snapshot.check(each.value)
        _rows, refs = snapshot.match_many(TYPES[each.type], [each.value])
        for ref in [*refs, *(ref ^ (1 << 40) for ref in refs), 2**64 - 1]:
            snapshot.entries(ref)
    if bytes(damaged) != whole and not _is_intact(snapshot):
        return
    assert bytes(damaged[:4096]) == whole[:4096]  # what changed, if anything, belongs to no section


def _opened(data: bytes) -> Any:
    """Return the snapshot, None where it is refused in words."""
    try:
        return kernel.Snapshot.from_bytes(data)
    except kernel.SnapshotError as error:
        if not str(error).startswith("it is "):
            raise
        return None


def _is_intact(snapshot: Any) -> bool:
    try:
        snapshot.verify()
    except kernel.SnapshotError:
        return False
    return True


def test_foreign_files_are_refused(tmp_path: Path) -> None:
    whole, _entries = built([Observable(ObservableType.DOMAIN_NAME, "evil.example")])
    newer = whole[:8] + (2).to_bytes(4, "little") + whole[12:]
    for data, says in [
        (b"", "too short"),
        (b"\0" * 8192, "no snapshot"),
        (b"PAR1" * 4096, "no snapshot"),
        (newer, "version 2, this program reads version 1"),
        (whole[:-4096], "damaged"),
        (whole + b"\0", "damaged"),
    ]:
        path = tmp_path / "file"
        path.write_bytes(data)
        with pytest.raises(kernel.SnapshotError, match=says):
            kernel.Snapshot.open(str(path))
    with pytest.raises(kernel.SnapshotError):
        kernel.Snapshot.open(str(tmp_path))


def test_threads_may_ask_at_the_same_time() -> None:
    from concurrent.futures import ThreadPoolExecutor

    values = [f"n{i}.example" for i in range(5000)]
    snapshot, _entries = snapshot_of(Observable(ObservableType.DOMAIN_NAME, value) for value in values[::2])
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: list(snapshot.match_many(7, values)[0]), range(16)))
    assert answers == [list(range(0, 5000, 2))] * 16
