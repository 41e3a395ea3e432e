"""What the address of the list says, it says again; what nobody could have meant is left out."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

from hypothesis import given
from hypothesis import strategies as st

from indicia.web.portal.columns import ALWAYS, COLUMNS, DENSITIES, SIZES, Likes, chosen, read_likes
from indicia.web.portal.view import PATH, TABS, View

_views = st.builds(
    View,
    q=st.text(st.characters(exclude_categories=["Cs"]), max_size=40).map(str.strip),
    tab=st.sampled_from(list(TABS)),
    sort=st.sampled_from(["", "value", "-updated"]),
    after=st.sampled_from(["", "i4.17"]),
    before=st.sampled_from(["", "n.3"]),
    size=st.sampled_from([0, *SIZES]),
    columns=st.one_of(st.just(()), st.lists(st.sampled_from([each.key for each in COLUMNS])).map(chosen)),
    density=st.sampled_from(["", *DENSITIES]),
)
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def read(path: str) -> View:
    return View.read(dict(parse_qsl(urlsplit(path).query)))


@given(_views)
def test_an_address_leads_to_the_view_that_it_was_made_of(view: View) -> None:
    assert read(view.path()) == view
    assert urlsplit(view.path()).path == PATH


@given(_views)
def test_another_search_tab_order_or_size_begins_at_the_first_page(view: View) -> None:
    for changes in ({"q": "x"}, {"tab": "ips"}, {"sort": "title"}, {"size": 100}):
        other = read(view.path(**changes))
        assert (other.after, other.before) == ("", "")
    look = read(view.path(density="compact"))
    assert (look.after, look.before) == (view.after, view.before)


@given(
    found=st.dictionaries(st.sampled_from(["q", "tab", "size", "columns", "density", "after"]), st.text(max_size=30))
)
def test_whatever_an_address_says_is_a_view(found: dict[str, str]) -> None:
    view = View.read(found)
    assert view.tab in TABS
    assert view.size in (0, *SIZES)
    assert not view.columns or ALWAYS in view.columns


@given(_json)
def test_whatever_is_kept_is_some_way_to_show_a_table(kept: object) -> None:
    likes = read_likes(kept)
    assert ALWAYS in likes.columns
    assert likes.size in SIZES
    assert read_likes({"columns": list(likes.columns), "density": likes.density, "size": likes.size}) == likes


def test_the_indicator_is_always_a_column_and_the_order_is_that_of_the_table() -> None:
    assert chosen(["severity", "nothing", "type"]) == ("indicator", "type", "severity")
    assert read_likes(None) == Likes()
