"""The search language: what text makes which tree, what is refused and where, and how menus write it."""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from indicia.domain.indicator import Action, Category, Severity, Status
from indicia.domain.observable import ObservableType
from indicia.domain.query import About, And, Compare, Contested, Field, Has, In, InvalidFilter, Or, OrderBy, Query, Text
from indicia.domain.query import Not as NotQuery
from indicia.domain.query import Within as WithinQuery
from indicia.domain.query_text import MAX_DEPTH, parse_filter
from indicia.domain.search_qualifiers import ALIASES, QUALIFIERS, SORTS
from indicia.domain.search_terms import MAX_BYTES, MAX_TERMS
from indicia.domain.search_text import Search, parse_search, to_odata, values_of, with_qualifier
from tests.unit.domain.searches import ANYTHING, GROUPS, NOW, SEARCHES, SORTED, VALUES

EVIL = About(frozenset({(ObservableType.DOMAIN_NAME, "evil.example")}))
DAY = timedelta(days=1)


def words(text: str) -> Query:
    fields = (Field.INDICATOR_VALUE, Field.TITLE, Field.DESCRIPTION)
    return Or(tuple(Text("contains", field, text, "lower") for field in fields))


def expires(operator: str, at: datetime) -> Query:
    return Compare(Field.EXPIRATION_TIME, operator, at)  # type: ignore[arg-type]  # one of the operators


def read(text: str, **more: bool) -> Search:
    return parse_search(text, now=NOW, groups=GROUPS, **more)


def read_or_refused(text: str) -> Search | InvalidFilter:
    try:
        return read(text)
    except InvalidFilter as error:
        return error


ACCEPTED: dict[str, Query | None] = {
    "": None,
    " \t": None,
    # free text
    "evil": words("evil"),
    "Evil  TEAM": And((words("evil"), words("team"))),
    '"evil team"': words("evil team"),
    '"a ""b"" c"': words('a "b" c'),
    "-test": NotQuery(words("test")),
    "not test": NotQuery(words("test")),
    "not not test": words("test"),
    "-": words("-"),
    # values, however they are written
    "evil.example": EVIL,
    "EVIL.example.": EVIL,
    "evil[.]example": EVIL,
    "evil(.)example": EVIL,
    '"evil.example"': words("evil.example"),
    "hxxps://evil[.]example/a(b)?c": About(frozenset({(ObservableType.URL, "https://evil.example/a(b)?c")})),
    "2001:DB8::1": About(frozenset({(ObservableType.IP_ADDRESS, "2001:db8::1")})),
    "185.220.101.0/24": About(frozenset({(ObservableType.IP_RANGE, "185.220.101.0/24")})),
    "-1.2.3.4": NotQuery(About(frozenset({(ObservableType.IP_ADDRESS, "1.2.3.4")}))),
    # or, and, parentheses
    "a or b": Or((words("a"), words("b"))),
    "a b OR c": Or((And((words("a"), words("b"))), words("c"))),
    "a and b": And((words("a"), words("b"))),
    "(a or b) c": And((Or((words("a"), words("b"))), words("c"))),
    "-(a or b)": NotQuery(Or((words("a"), words("b")))),
    '"or"': words("or"),
    # choices
    "type:ip": In(Field.INDICATOR_TYPE, (ObservableType.IP_ADDRESS, ObservableType.IP_RANGE)),
    "TYPE:url": Compare(Field.INDICATOR_TYPE, "eq", ObservableType.URL),
    "type:domain,url,Url": In(Field.INDICATOR_TYPE, (ObservableType.DOMAIN_NAME, ObservableType.URL)),
    "-type:cert": NotQuery(Compare(Field.INDICATOR_TYPE, "eq", ObservableType.CERTIFICATE_THUMBPRINT)),
    "indicatorType:FileSha256": Compare(Field.INDICATOR_TYPE, "eq", ObservableType.FILE_SHA256),
    "action:block,allow": In(Field.ACTION, (Action.BLOCK, Action.ALLOWED)),
    "severity:>=high": Compare(Field.SEVERITY, "ge", Severity.HIGH),
    "severity:low,>medium": Or(
        (Compare(Field.SEVERITY, "gt", Severity.MEDIUM), Compare(Field.SEVERITY, "eq", Severity.LOW))
    ),
    'category:"Command and control"': Compare(Field.CATEGORY, "eq", Category.COMMAND_AND_CONTROL),
    "category:none": Compare(Field.CATEGORY, "eq", None),
    "source:api": Compare(Field.CREATED_BY_SOURCE, "eq", "PublicApi"),
    "is:held": Compare(Field.STATUS, "eq", Status.HELD),
    "is:expiring": expires("le", NOW + 7 * DAY),
    "has:conflict": Contested(),
    "-has:expiry": Compare(Field.EXPIRATION_TIME, "eq", None),
    # times
    "expires:<7d": expires("lt", NOW + 7 * DAY),
    "expires:7d": expires("le", NOW + 7 * DAY),
    "expires:>2w": expires("gt", NOW + 14 * DAY),
    "expires:never": Compare(Field.EXPIRATION_TIME, "eq", None),
    "expires:2026-12": And(
        (expires("ge", datetime(2026, 12, 1, tzinfo=UTC)), expires("lt", datetime(2027, 1, 1, tzinfo=UTC)))
    ),
    "expires:>2026-12-05": expires("ge", datetime(2026, 12, 6, tzinfo=UTC)),
    "expires:<=2026": expires("lt", datetime(2027, 1, 1, tzinfo=UTC)),
    "created:<7d": Compare(Field.CREATION_TIME, "gt", NOW - 7 * DAY),
    "updated:>30d": Compare(Field.LAST_UPDATE_TIME, "lt", NOW - 30 * DAY),
    # texts, names, numbers
    'title:"two words",B': Or(
        (Text("contains", Field.TITLE, "two words", "lower"), Text("contains", Field.TITLE, "b", "lower"))
    ),
    "scope:all": Compare(Field.RBAC_GROUP_NAMES, "eq", None),
    "scope:Servers": Has(Field.RBAC_GROUP_NAMES, "Servers"),
    "scope:SERVERS": Or((Has(Field.RBAC_GROUP_NAMES, "Servers"), Has(Field.RBAC_GROUP_NAMES, "servers"))),
    "technique:t1566": Has(Field.MITRE_TECHNIQUES, "T1566"),
    "external:a,b": In(Field.EXTERNAL_ID, ("a", "b")),
    "id:>7": Compare(Field.ID, "gt", 7),
    "in:10.1.2.3/8": WithinQuery("10.0.0.0/8"),
    "in:10.0.0.0-10.0.0.255": WithinQuery("10.0.0.0/24"),
    "in:192.0.2.1": WithinQuery("192.0.2.1/32"),
}


@pytest.mark.parametrize("text", ACCEPTED)
def test_a_search_means_a_tree(text: str) -> None:
    assert read(text).query == ACCEPTED[text]


#: Text -> where it goes wrong, at what, and what may have been meant.
REFUSED: dict[str, tuple[int, str, str]] = {
    "sevirity:high": (0, "sevirity", "severity"),
    "-sevirity:high": (1, "sevirity", "severity"),
    "a tipe:ip": (2, "tipe", "type"),
    "type:ipp": (5, "ipp", "ip"),
    "type:ip,domian": (8, "domian", "domain"),
    "severity:>=hihg": (11, "hihg", "high"),
    "action:blok": (7, "blok", "block"),
    "category:malwear": (9, "malwear", "malware"),
    "scope:Servrs": (6, "Servrs", "Servers"),
    "scope:nowhere": (6, "nowhere", ""),
    "is:expired": (3, "expired", "expiring"),
    "has:conflicts": (4, "conflicts", "conflict"),
    "sort:serverity": (5, "serverity", "severity"),
    "-sort:title": (0, "-sort:title", ""),
    "sort:title sort:id": (11, "sort:id", ""),
    "type:": (0, "type:", ""),
    "type:,": (0, "type:,", ""),
    'title:""': (6, "", ""),
    '""': (0, '""', ""),
    "expires:2026-13": (8, "2026-13", ""),
    "expires:soon": (8, "soon", ""),
    "expires:2027..2026": (8, "2027..2026", ""),
    "technique:phishing": (10, "phishing", ""),
    "id:x": (3, "x", ""),
    "in:10.0.0.0/0": (3, "10.0.0.0/0", ""),
    "in:2001:db8::/33": (3, "2001:db8::/33", ""),
    "in:evil.example": (3, "evil.example", ""),
    'a "b': (2, '"', ""),
    "(a": (0, "(", ""),
    "a)": (1, ")", ""),
    "()": (0, "(", ""),
    "a or": (2, "or", ""),
    "or a": (0, "or", ""),
    "a not": (2, "not", ""),
    "a\0b": (1, "\\x00", ""),
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_wrong_is_told_with_its_place(text: str) -> None:
    with pytest.raises(InvalidFilter) as refused:
        read(text)
    error = refused.value
    assert (error.position, error.token, error.suggestion) == REFUSED[text]
    assert not error.suggestion or error.suggestion in error.message


@pytest.mark.parametrize(
    "text", ["a" * (MAX_BYTES + 1), "a " * (MAX_TERMS + 1), "(" * (MAX_DEPTH + 1) + "a" + ")" * (MAX_DEPTH + 1)]
)
def test_searches_are_bounded(text: str) -> None:
    with pytest.raises(InvalidFilter):
        read(text)


@pytest.mark.parametrize(
    "text",
    ['"' * MAX_BYTES, "(" * MAX_BYTES, "a(" * 2000, "a:" * 2000, "," * MAX_BYTES, "title:" + "a," * 2000, '"a"' * 900],
)
def test_hostile_searches_take_no_time(text: str) -> None:
    began = time.process_time()
    with suppress(InvalidFilter):
        read(text)
    assert time.process_time() - began < 0.5


@settings(max_examples=400)
@given(text=ANYTHING)
@example(text="title:a..b expires:..")
@example(text="-(")
def test_any_text_gives_a_search_or_a_refusal(text: str) -> None:
    found = read_or_refused(text)
    if isinstance(found, InvalidFilter):
        assert 0 <= found.position <= len(text)
    elif found.query is not None:
        assert to_odata(found.query)


@settings(max_examples=300)
@given(text=SORTED)
def test_what_can_be_read_is_read(text: str) -> None:
    found = read(text)
    assert found.query is not None
    parse_filter(to_odata(found.query))


def test_every_qualifier_is_tried() -> None:
    assert set(VALUES) == set(QUALIFIERS)
    assert set(ALIASES.values()) <= set(QUALIFIERS)
    for qualifier in QUALIFIERS.values():
        for offer in qualifier.offers:
            read(f"{qualifier.name}:{offer}")


@pytest.mark.parametrize("name", SORTS)
def test_every_column_sorts_both_ways(name: str) -> None:
    field = SORTS[name]
    assert read(f"sort:{name}").order_by == read(f"sort:{name}-asc").order_by == (OrderBy(field),)
    assert read(f"sort:-{name}").order_by == read(f"sort:{name}-desc").order_by == (OrderBy(field, descending=True),)


def test_one_value_alone_is_told() -> None:
    assert read("type:domain evil[.]example").exact == (ObservableType.DOMAIN_NAME, "evil.example")
    assert read("evil.example team").exact is None
    assert read("evil.example team").words == ("team",)
    assert read("evil.example 1.2.3.4").exact is None
    assert read("-evil.example").exact is None


def test_a_value_can_be_looked_for_as_a_part() -> None:
    loose = read("evil[.]example", exactly=False)
    assert loose.query == words("evil.example")
    assert (loose.exact, loose.words) == (None, ("evil.example",))


# -- how menus write it -----------------------------------------------------------------------------------------------

_texts = st.text('ab ",()<>=-.:%ä', min_size=1, max_size=6).filter(lambda text: bool(text.strip()))


@settings(max_examples=200)
@given(text=SEARCHES, values=st.lists(_texts, min_size=1, max_size=3))
def test_what_a_menu_writes_means_what_it_says(text: str, values: list[str]) -> None:
    written = with_qualifier(text, "title", values)
    expected = Or(
        tuple(Text("contains", Field.TITLE, value.lower() if value.isascii() else value, "lower") for value in values)
    )
    added = read(written).query
    asked = expected.operands[0] if len(values) == 1 else expected
    rest = read(with_qualifier(text, "title", []))
    assert _conditions(added)[-1] == asked
    assert values_of(written, "title") == tuple(values)
    before = () if rest.query is None else _conditions(rest.query)
    assert _conditions(added)[:-1] in (before, (rest.query,))


def _conditions(query: Query | None) -> tuple[Query | None, ...]:
    return query.operands if isinstance(query, And) else (query,)


@pytest.mark.parametrize(
    "text, name, values, written",
    [
        ("", "type", ["ip"], "type:ip"),
        ("type:ip evil", "type", ["domain", "url"], "evil type:domain,url"),
        ("evil  type:ip  team", "type", [], "evil team"),
        ("indicatorType:Url", "type", ["ip"], "type:ip"),
        ("-type:ip", "type", ["url"], "-type:ip type:url"),
        ("not type:ip", "type", ["url"], "not type:ip type:url"),
        ("(type:ip or a)", "type", ["url"], "(type:ip or a) type:url"),
        ("a or type:ip", "type", ["url"], "(a or type:ip) type:url"),
        ("", "severity", [">=high"], "severity:>=high"),
        ("sort:title", "sort", ["-updated"], "sort:-updated"),
        ("a or b sort:title", "sort", ["-updated"], "a or b sort:-updated"),
        ("a or b sort:title", "sort", [], "a or b"),
        ("", "scope", ["Big servers"], 'scope:"Big servers"'),
        ('"', "type", ["ip"], '" type:ip'),
    ],
)
def test_a_menu_writes_one_term(text: str, name: str, values: list[str], written: str) -> None:
    assert with_qualifier(text, name, values) == written
