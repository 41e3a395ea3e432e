"""What was made harmless to click is made live again, and that is said."""

from __future__ import annotations

import pytest
from hypothesis import given

from indicia.domain.refanging import Refanged, refang
from tests.unit.spellings import ANYTHING


class TestRefang:
    @pytest.mark.parametrize(
        "text,live,changes",
        [
            ("hxxp://evil[.]example", "http://evil.example", ("hxxp -> http", "[.] -> .")),
            ("hXXps[://]evil(.)example{.}org", "https://evil.example.org", None),
            ("HXXP[:]//evil[dot]example(DOT)org", "http://evil.example.org", None),
            ("1[.]2[.]3[.]4", "1.2.3.4", ("[.] -> .",)),
            ("user[at]evil[.]example", "user@evil.example", ("[at] -> @", "[.] -> .")),
            ("user[@]evil\\.example[/]a", "user@evil.example/a", ("[@] -> @", "\\. -> .", "[/] -> /")),
        ],
    )
    def test_what_is_undone(self, text: str, live: str, changes: tuple[str, ...] | None) -> None:
        found = refang(text)
        assert found.text == live
        assert changes is None or found.changes == changes

    @pytest.mark.parametrize(
        "text",
        [
            "http://[::1]/",
            "http://[2001:db8::1]:8080/",
            "evil.example",
            "hxxp",
            "hxxp.example",
            "xhxxp://a",
            "[]",
            "hxxpſ://a",
        ],
    )
    def test_what_is_left_alone(self, text: str) -> None:
        assert refang(text) == Refanged(text, ())

    @given(ANYTHING)
    def test_refanging_says_so_exactly_when_it_changes_something(self, text: str) -> None:
        live = refang(text)
        assert bool(live.changes) == (live.text != text)
