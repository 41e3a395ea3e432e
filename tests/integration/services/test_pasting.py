"""What is pasted: every value is found and read as the domain reads it, whatever stands around it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indicia.domain.observable import ObservableType, Unspellable, canonical, detect
from indicia.services.pasting import MOST_VALUES, read_values

VALUES = {
    "evil.example": "evil.example",
    "EVIL[.]Example": "evil.example",
    "hxxps://evil[.]example/a,b?c=d": "https://evil.example/a,b?c=d",
    "evil.example/gate.php": "http://evil.example/gate.php",
    "203.0.113.7": "203.0.113.7",
    "2001:DB8::1": "2001:db8::1",
    "203.0.113.0/24": "203.0.113.0/24",
    "0F" * 32: "0f" * 32,
    "1e" * 20: "1e" * 20,
}


@given(
    rows=st.lists(st.tuples(st.sampled_from(sorted(VALUES)), st.sampled_from(["\n", "\n\n", "\t", ", ", "; ", " "]))),
    around=st.sampled_from(["", '"', "'", "  ", "`"]),
)
def test_every_value_is_found(rows: list[tuple[str, str]], around: str) -> None:
    text = "".join(f"{around}{value}{around}{between}" for value, between in rows)
    found = read_values(text)
    expected = list(dict.fromkeys(VALUES[value] for value, _between in rows))
    assert [each.canonical for each in found.values] == expected
    assert found.repeated == len(rows) - len(expected)
    assert not found.bad


@given(st.text(max_size=200), st.sampled_from([None, *ObservableType]))
def test_nothing_that_is_pasted_raises(text: str, kind: ObservableType | None) -> None:
    for each in read_values(text, kind).values:
        wrong = [problem for problem in each.problems if not problem.warning]
        assert each.is_good != bool(wrong)
        if each.is_good and each.kind:
            assert canonical(each.kind, each.value) == each.canonical
            assert kind in (None, each.kind)


def test_comments_are_passed_over_and_lines_are_named() -> None:
    found = read_values("# a list\n// of\n\nevil.example  # why\nfoo bar\n1.2.3.4")
    assert [(each.line, each.canonical) for each in found.values] == [(4, "evil.example"), (5, None), (6, "1.2.3.4")]
    assert [each.written for each in found.bad] == ["foo bar"]


def test_forty_digits_are_a_certificate_where_one_was_chosen() -> None:
    digits = "3C" * 20
    assert read_values(digits).kinds == (ObservableType.FILE_SHA1,)
    assert read_values(digits, thumbprints={digits.lower()}).kinds == (ObservableType.CERTIFICATE_THUMBPRINT,)


@pytest.mark.parametrize("text", ["a.example\n" * 50_000, "\n".join(f"h{n}.example" for n in range(MOST_VALUES + 1))])
def test_there_is_an_end(text: str) -> None:
    found = read_values(text)
    assert found.over
    assert len(found.values) <= MOST_VALUES


def test_what_fits_no_type_is_refused_with_a_hint() -> None:
    [found] = read_values("203.0.113.0/24", ObservableType.IP_ADDRESS).values
    assert not found.is_good
    with pytest.raises(Unspellable):
        canonical(ObservableType.IP_ADDRESS, "203.0.113.0/24")
    [hint] = read_values("http://evil.example").values[0].problems
    assert "sub-domains" in hint.message
    assert detect("http://evil.example") is not None
