"""Text lists: types are detected, defanged values mended and told, comments passed over."""

from __future__ import annotations

import pytest

from indicia.domain.observable import ObservableType
from tests.unit.importers.reading import read
from tests.unit.indicators import VALUES

T = ObservableType


@pytest.mark.parametrize(
    "text, kind, value",
    [
        ("evil.example.org", T.DOMAIN_NAME, "evil.example.org"),
        ("  Evil.Example.ORG  ", T.DOMAIN_NAME, "evil.example.org"),
        ('"evil.example.org"', T.DOMAIN_NAME, "evil.example.org"),
        ("0.0.0.0 evil.example.org", T.DOMAIN_NAME, "evil.example.org"),
        ("127.0.0.1\tevil.example.org # ads", T.DOMAIN_NAME, "evil.example.org"),
        ("::1 evil.example.org", T.DOMAIN_NAME, "evil.example.org"),
        ("evil.example.org ; why", T.DOMAIN_NAME, "evil.example.org"),
        ("evil.example.org // why", T.DOMAIN_NAME, "evil.example.org"),
        ("https://evil.example.org/a#b", T.URL, "https://evil.example.org/a"),
        ("evil.example.org/gate.php", T.URL, "http://evil.example.org/gate.php"),
        ("185.220.101.7", T.IP_ADDRESS, "185.220.101.7"),
        ("185.220.101.0/24", T.IP_RANGE, "185.220.101.0/24"),
        ("A" * 64, T.FILE_SHA256, "a" * 64),
        ("A" * 40, T.FILE_SHA1, "a" * 40),
        ("A" * 32, T.FILE_MD5, "a" * 32),
    ],
)
def test_what_a_line_says(text: str, kind: T, value: str) -> None:
    found = read("text", text)
    assert [(each.indicator.type, each.indicator.canonical) for each in found.read] == [(kind, value)]
    assert found.notes == []


@pytest.mark.parametrize("text", ["hxxps://evil[.]example[.]org/a", "evil(.)example[dot]org", "185[.]220.101.7"])
def test_refanging_is_told(text: str) -> None:
    found = read("text", text)
    assert len(found.read) == 1
    assert [(note.code, note.value, note.warning) for note in found.notes] == [("refanged", text, True)]


@pytest.mark.parametrize(
    "text, left",
    [
        ("185.220.101.7:8080", "185.220.101.7"),
        ("evil.example.org:443", "evil.example.org"),
        ("*.evil.example.org", "evil.example.org"),
        ("someone@evil.example.org", "evil.example.org"),
        ("evil[.]example[.]org:443", "evil.example.org"),
    ],
)
def test_what_is_too_much_is_told_with_what_would_be_left(text: str, left: str) -> None:
    problem = read("text", text).refused[0].problems[0]
    assert (problem.code, problem.suggestion) == ("type-not-detected", left)


@pytest.mark.parametrize("text", ["evil.example.org/a, Block, a title", "evil.example.org/a b"])
def test_a_table_is_not_taken_for_a_path(text: str) -> None:
    assert read("text", text).codes() == [(1, "type-not-detected")]


@pytest.mark.parametrize("text", ["", "   ", "# a comment", "// a comment", "; a comment", "! a comment", "\t\r"])
def test_comments_are_passed_over(text: str) -> None:
    assert read("text", text).lines == []


@pytest.mark.parametrize(
    "text, code",
    [
        ("two words", "type-not-detected"),
        ("localhost", "type-not-detected"),
        ("ftp://evil.example.org/a", "type-not-detected"),
        ("https://user@evil.example.org/", "type-not-detected"),
        ("x" * 70_000, "line-too-long"),
        ("evil.example.org\x00", "type-not-detected"),
    ],
)
def test_what_is_no_value_is_refused_and_the_next_is_read(text: str, code: str) -> None:
    found = read("text", f"{text}\n{VALUES[T.URL]}")
    assert found.codes() == [(1, code)]
    assert [each.line for each in found.read] == [2]
