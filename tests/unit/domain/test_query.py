"""The filter tree: what text makes which tree, what is refused and where, and what a tree means for one indicator."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indicia.domain import query_memory
from indicia.domain.indicator import Action, Category, Indicator, Severity, Status, StoredIndicator
from indicia.domain.observable import ObservableType
from indicia.domain.query import (
    CATEGORY_NUMBERS,
    KINDS,
    About,
    And,
    Compare,
    Constant,
    Contested,
    Field,
    Has,
    In,
    InvalidFilter,
    Kind,
    Not,
    Or,
    OrderBy,
    Query,
    Text,
    Within,
)
from indicia.domain.query_memory import matches
from indicia.domain.query_text import (
    MAX_BYTES,
    MAX_CONDITIONS,
    MAX_DEPTH,
    MAX_IN,
    MAX_TOKENS,
    parse_filter,
    parse_orderby,
)

AUGUST = datetime(2018, 8, 1, tzinfo=UTC)
TITLE_IS_A = Compare(Field.TITLE, "eq", "a")
NEVER = Constant(value=False)
EVIL = About(frozenset({(ObservableType.DOMAIN_NAME, "evil.example")}))
ALERTS = Compare(Field.GENERATE_ALERT, "eq", literal=True)

ACCEPTED: dict[str, Query] = {
    "title eq 'a'": TITLE_IS_A,
    "TITLE EQ 'a'": TITLE_IS_A,
    "  ( title eq 'a' )\t": TITLE_IS_A,
    "'a' eq title": TITLE_IS_A,
    "title ne 'a'": Not(TITLE_IS_A),
    "title eq 'it''s'": Compare(Field.TITLE, "eq", "it's"),
    "title eq ''": Compare(Field.TITLE, "eq", ""),
    "title eq 'and not (x'": Compare(Field.TITLE, "eq", "and not (x"),
    "title gt 'a'": Compare(Field.TITLE, "gt", "a"),
    "'a' gt title": Compare(Field.TITLE, "lt", "a"),
    "'a' le title": Compare(Field.TITLE, "ge", "a"),
    "title ge null": NEVER,
    "application eq null": Compare(Field.APPLICATION, "eq", None),
    "null ne application": Not(Compare(Field.APPLICATION, "eq", None)),
    # precedence
    "title eq 'a' or title eq 'a' and not title eq 'a'": Or((TITLE_IS_A, And((TITLE_IS_A, Not(TITLE_IS_A))))),
    "(title eq 'a' or title eq 'a') and title eq 'a'": And((Or((TITLE_IS_A, TITLE_IS_A)), TITLE_IS_A)),
    "not(title eq 'a')": Not(TITLE_IS_A),
    "not not title eq 'a'": TITLE_IS_A,
    # conditions as values
    "true": Constant(value=True),
    "not true": NEVER,
    "generateAlert": ALERTS,
    "not generateAlert": Not(ALERTS),
    "(title eq 'a') eq false": Not(TITLE_IS_A),
    "false ne (title eq 'a')": TITLE_IS_A,
    # numbers
    "id eq '5'": Compare(Field.ID, "eq", 5),
    "id eq 5": Compare(Field.ID, "eq", 5),
    "id ge -3": Compare(Field.ID, "ge", -3),
    "id eq 9223372036854775807": Compare(Field.ID, "eq", 2**63 - 1),
    "id eq -9223372036854775808": Compare(Field.ID, "eq", -(2**63)),
    "id in (1, '2', 1)": In(Field.ID, (1, 2)),
    # names
    "severity eq 'high'": Compare(Field.SEVERITY, "eq", Severity.HIGH),
    "severity ge 'Medium'": Compare(Field.SEVERITY, "ge", Severity.MEDIUM),
    "tolower(severity) eq 'high'": Compare(Field.SEVERITY, "eq", Severity.HIGH),
    "indicatorType eq 'FILESHA256'": Compare(Field.INDICATOR_TYPE, "eq", ObservableType.FILE_SHA256),
    "status eq 'held'": Compare(Field.STATUS, "eq", Status.HELD),
    "category eq 'malware'": Compare(Field.CATEGORY, "eq", Category.MALWARE),
    "category eq 2": Compare(Field.CATEGORY, "eq", Category.COLLECTION),
    "category eq '2'": Compare(Field.CATEGORY, "eq", Category.COLLECTION),
    "category eq 1": Compare(Field.CATEGORY, "eq", None),
    "category in ('None', 'Exploit')": In(Field.CATEGORY, (None, Category.EXPLOIT)),
    # SPEC 9.3
    "action eq 'Alert'": And((Compare(Field.ACTION, "eq", Action.AUDIT), ALERTS)),
    "action eq 'AlertAndBlock'": And((Compare(Field.ACTION, "eq", Action.BLOCK_AND_REMEDIATE), ALERTS)),
    "action ne 'alert'": Not(And((Compare(Field.ACTION, "eq", Action.AUDIT), ALERTS))),
    "action in ('Alert', 'Warn', 'alert')": Or(
        (And((Compare(Field.ACTION, "eq", Action.AUDIT), ALERTS)), Compare(Field.ACTION, "eq", Action.WARN))
    ),
    # booleans
    "generateAlert eq true": ALERTS,
    "generateAlert eq 'True'": ALERTS,
    "generateAlert ne FALSE": Not(Compare(Field.GENERATE_ALERT, "eq", literal=False)),
    # lists in text
    "title in ('a')": TITLE_IS_A,
    "title in ['a','b']": In(Field.TITLE, ("a", "b")),
    "title IN('a',null)": In(Field.TITLE, ("a", None)),
    # parts
    "contains(title,'x')": Text("contains", Field.TITLE, "x"),
    "Contains(title,'x') eq true": Text("contains", Field.TITLE, "x"),
    "startswith(title, 'x') eq false": Not(Text("startswith", Field.TITLE, "x")),
    "endswith(tolower(title),'x')": Text("endswith", Field.TITLE, "x", "lower"),
    "contains(tolower(title),tolower('ÄX'))": Text("contains", Field.TITLE, "Äx", "lower"),
    "tolower(title) eq 'x'": Compare(Field.TITLE, "eq", "x", "lower"),
    "toupper(title) in ('X','Y')": In(Field.TITLE, ("X", "Y"), "upper"),
    "contains(indicatorValue,'evil')": Text("contains", Field.INDICATOR_VALUE, "evil"),
    # times
    "expirationTime gt 2018-08-01Z": Compare(Field.EXPIRATION_TIME, "gt", AUGUST),
    "expirationTime gt 2018-08-01": Compare(Field.EXPIRATION_TIME, "gt", AUGUST),
    "expirationTime gt '2018-08-01T00:00:00Z'": Compare(Field.EXPIRATION_TIME, "gt", AUGUST),
    "expirationTime gt 2018-08-01t02:00+02:00": Compare(Field.EXPIRATION_TIME, "gt", AUGUST),
    "expirationTime gt 2018-08-01T02:00:00 02:00": Compare(Field.EXPIRATION_TIME, "gt", AUGUST),
    "expirationTime gt datetime'2018-08-01'": Compare(Field.EXPIRATION_TIME, "gt", AUGUST),
    "2018-08-01 lt expirationTime": Compare(Field.EXPIRATION_TIME, "gt", AUGUST),
    "expirationTime gt datetimeoffset'2018-07-31T22:00:00-02:00'": Compare(Field.EXPIRATION_TIME, "gt", AUGUST),
    "lastUpdateTime eq 2018-08-01T00:00:00.0000010Z": Compare(
        Field.LAST_UPDATE_TIME, "eq", AUGUST + timedelta(microseconds=1)
    ),
    "lastUpdateTime ge 2018-08-01T00:00:00.0000001Z": Compare(Field.LAST_UPDATE_TIME, "gt", AUGUST),
    "lastUpdateTime lt 2018-08-01T00:00:00.0000001Z": Compare(Field.LAST_UPDATE_TIME, "le", AUGUST),
    "lastUpdateTime eq 2018-08-01T00:00:00.0000001Z": NEVER,
    "expirationTime lt 9999-12-31T23:59:59.9999999-05:00": Compare(
        Field.EXPIRATION_TIME, "le", datetime(9999, 12, 31, 23, 59, 59, 999999, timezone(timedelta(hours=-5)))
    ),
    # lists of names
    "rbacGroupNames/any(g: g eq 'X')": Has(Field.RBAC_GROUP_NAMES, "X"),
    "rbacGroupNames/any(G:'X' eq g)": Has(Field.RBAC_GROUP_NAMES, "X"),
    "rbacGroupNames/any(g:g eq 'X' or g in ('Y','X'))": Or(
        (Has(Field.RBAC_GROUP_NAMES, "X"), Or((Has(Field.RBAC_GROUP_NAMES, "Y"), Has(Field.RBAC_GROUP_NAMES, "X"))))
    ),
    "mitreTechniques/any()": Not(Compare(Field.MITRE_TECHNIQUES, "eq", None)),
    "contains(mitreTechniques,'T1059')": Has(Field.MITRE_TECHNIQUES, "T1059"),
    "mitreTechniques ne 'T1059'": Not(Has(Field.MITRE_TECHNIQUES, "T1059")),
    "mitreTechniques eq null": Compare(Field.MITRE_TECHNIQUES, "eq", None),
    "rbacGroupIds/any(g: g eq 3)": Has(Field.RBAC_GROUP_IDS, "3"),
    "rbacGroupIds in ('3', 4)": Or((Has(Field.RBAC_GROUP_IDS, "3"), Has(Field.RBAC_GROUP_IDS, "4"))),
    # the same value, however it is spelled
    "indicatorValue eq 'Evil.Example.'": EVIL,
    "indicatorValue ne 'evil.example'": Not(EVIL),
    # words of our own
    "hasConflict": Contested(),
    "not HASCONFLICT": Not(Contested()),
    "hasConflict eq false": Not(Contested()),
    "within(indicatorValue, '10.1.0.0/8')": Within("10.0.0.0/8"),
    "Within(IndicatorValue,'192.0.2.0-192.0.2.255') eq true": Within("192.0.2.0/24"),
    "indicatorValue in ('evil.example', 'no value', null)": About(EVIL.values, frozenset({"no value"})),
    "indicatorValue eq null": About(frozenset()),
    "tolower(indicatorValue) eq 'evil.example'": Compare(Field.INDICATOR_VALUE, "eq", "evil.example", "lower"),
}

# What is refused, at which place, for which token.
REFUSED: dict[str, tuple[int, str]] = {
    "": (0, ""),
    "   ": (0, ""),
    "title": (5, ""),
    "title eq": (8, ""),
    "title eq 'a' and": (16, ""),
    "(title eq 'a'": (13, ""),
    "title eq 'a')": (12, ")"),
    "title eq 'a": (9, "'a"),
    "title eq 'a' 'b'": (13, "'b'"),
    "title eq 'a' eq true": (13, "eq"),
    "title like 'a'": (6, "like"),
    "title eq description": (6, "eq"),
    "'a' eq 'a'": (4, "eq"),
    "'a'": (0, "'a'"),
    "null": (0, "null"),
    "secret eq 's'": (0, "secret"),
    "hasConflict eq 1": (12, "eq"),
    "within(title, '10.0.0.0/8')": (7, "title"),
    "within(indicatorValue, '10.0.0.0/0')": (23, "'10.0.0.0/0'"),
    "within(indicatorValue, '2001:db8::/33')": (23, "'2001:db8::/33'"),
    "within(indicatorValue, 5)": (23, "5"),
    "within(indicatorValue, 'evil')": (23, "'evil'"),
    "subject eq 's'": (0, "subject"),
    "title/length eq 1": (5, "/"),
    "indexof(title,'x') eq 1": (0, "indexof"),
    "matchesPattern(title,'x')": (0, "matchesPattern"),
    "concat(title,'x') eq 'y'": (0, "concat"),
    "title eq 5": (9, "5"),
    "title eq true": (9, "true"),
    "title eq 2018-08-01": (9, "2018-08-01"),
    "title eq 1.5": (9, "1.5"),
    "title eq 5and": (9, "5and"),
    'title eq "a"': (9, '"a"'),
    "title in ()": (10, ")"),
    "title in 'a'": (9, "'a'"),
    "title in ('a']": (13, "]"),
    "title in ('a',)": (14, ")"),
    "title in ('a' 'b')": (14, "'b'"),
    "title in (description)": (10, "description"),
    "id eq 'abc'": (6, "'abc'"),
    "id eq ''": (6, "''"),
    "id eq true": (6, "true"),
    "id eq 9223372036854775808": (6, "9223372036854775808"),
    "id eq '-9223372036854775809'": (6, "'-9223372036854775809'"),
    "id eq " + "9" * 5000: (6, "9" * 60 + "…"),
    "contains(id,'5')": (9, "id"),
    "tolower(id) eq '5'": (8, "id"),
    "tolower(5) eq title": (8, "5"),
    "tolower(tolower(title)) eq 'a'": (8, "tolower"),
    "contains(title)": (14, ")"),
    "contains('x',title)": (9, "'x'"),
    "contains(title,5)": (15, "5"),
    "contains(title,null)": (15, "null"),
    "contains(title,description)": (15, "description"),
    "contains(title,'x') eq 'true'": (20, "eq"),
    "contains(title,'x') gt true": (20, "gt"),
    "contains(expirationTime,'2018')": (9, "expirationTime"),
    "contains(severity,'i')": (9, "severity"),
    "severity eq 'Hi'": (12, "'Hi'"),
    "severity eq High": (12, "High"),
    "severity eq 3": (12, "3"),
    "action eq 'Blok'": (10, "'Blok'"),
    "action gt 'Block'": (7, "gt"),
    "category eq 99": (12, "99"),
    "category eq true": (12, "true"),
    "category lt 3": (9, "lt"),
    "indicatorType eq 'WebCategory'": (17, "'WebCategory'"),
    "generateAlert eq 1": (17, "1"),
    "generateAlert eq 'yes'": (17, "'yes'"),
    "generateAlert gt true": (14, "gt"),
    "expirationTime gt 'notadate'": (18, "'notadate'"),
    "expirationTime gt 20": (18, "20"),
    "expirationTime gt 2018-13-01Z": (18, "2018-13-01Z"),
    "expirationTime gt 2018-02-30": (18, "2018-02-30"),
    "expirationTime gt 0000-01-01": (18, "0000-01-01"),
    "expirationTime gt 2018-08-01T00:00:00+99:00": (18, "2018-08-01T00:00:00+99:00"),
    "expirationTime gt datetime'x'": (18, "datetime'x'"),
    "expirationTime gt datetime'2018-08-01": (26, "'2018-08-01"),
    "rbacGroupNames gt 'X'": (15, "gt"),
    "startswith(rbacGroupNames,'X')": (11, "rbacGroupNames"),
    "rbacGroupNames eq 5": (18, "5"),
    "rbacGroupIds eq true": (16, "true"),
    "title/any(g: g eq 'X')": (5, "/"),
    "rbacGroupNames/all(g: g eq 'X')": (15, "all"),
    "rbacGroupNames/any(g: h eq 'X')": (22, "h"),
    "rbacGroupNames/any(g: g ne 'X')": (24, "ne"),
    "rbacGroupNames/any('g': g eq 'X')": (19, "'g'"),
    "rbacGroupNames/any(g: g eq 'X'": (30, ""),
    "title eq 'a\0'": (11, "\\x00"),
    "title eq '\ud800'": (10, "\\ud800"),
    "title eq 'a' ; drop": (13, ";"),
    "title\u00a0eq 'a'": (5, "\u00a0eq"),
    "not": (3, ""),
    "title in": (8, ""),
}


@pytest.mark.parametrize("text", ACCEPTED)
def test_text_makes_this_tree(text: str) -> None:
    assert parse_filter(text) == ACCEPTED[text]


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: ascii(text)[:50])
def test_text_is_refused_here(text: str) -> None:
    with pytest.raises(InvalidFilter) as raised:
        parse_filter(text)
    assert (raised.value.position, raised.value.token) == REFUSED[text]
    assert str(raised.value).startswith(f"at position {raised.value.position}: ")


def test_a_refusal_names_what_is_allowed() -> None:
    with pytest.raises(InvalidFilter, match=r"'Blok' is not one that action can be; allowed: Allowed, Audit, Warn, "):
        parse_filter("action eq 'Blok'")
    with pytest.raises(InvalidFilter) as raised:
        parse_filter("nonsense eq 1")
    assert set(Field) <= set(raised.value.allowed)


OVER_THE_BOUNDS = {
    "bytes": "title eq '" + "ä" * (MAX_BYTES // 2) + "'",
    "tokens": "title in (" + "1," * (MAX_TOKENS // 2),
    "conditions": " or ".join(["id eq 1"] * (MAX_CONDITIONS - 1) + ["generateAlert", "true"]),
    "list": "id in (" + ",".join(["1"] * (MAX_IN + 1)) + ")",
    "depth": "(" * (MAX_DEPTH + 1) + "true" + ")" * (MAX_DEPTH + 1),
    "not": "not " * (MAX_DEPTH + 1) + "true",
}
AT_THE_BOUNDS = {
    "bytes": "title eq '" + "ä" * ((MAX_BYTES - 12) // 2) + "'",
    "conditions": " or ".join(["id eq 1"] * (MAX_CONDITIONS - 1)),
    "list": "id in (" + ",".join(["1"] * MAX_IN) + ")",
    "depth": "(" * MAX_DEPTH + "true" + ")" * MAX_DEPTH,
    "not": "not " * MAX_DEPTH + "true",
}
HOSTILE = [
    piece * (MAX_BYTES // len(piece))
    for piece in ("(", "not ", "'", "''", "a/", "1", "-", "2018-", " ", "true or ", "contains(", "x in (", "((a)")
] + [
    "title eq '" + "''" * 4000,
    "id eq " + "9" * 8000,
    "title eq 'a" + " " * 8000,
    "true" + " " * 8000 + "x",
    "expirationTime gt 2018-08-01T00:00:00." + "1" * 8000,
    "true eq " * 1000 + "true",
    "indicatorValue in (" + ",".join(f"'{'a.' * 5}{n}'" for n in range(480)) + ")",
    "indicatorValue eq '" + "a." * 4000 + "'",
    "indicatorValue eq 'http://" + "[" * 8000 + "'",
]


@pytest.mark.parametrize("bound", OVER_THE_BOUNDS)
def test_bounds_hold(bound: str) -> None:
    with pytest.raises(InvalidFilter):
        parse_filter(OVER_THE_BOUNDS[bound])


@pytest.mark.parametrize("bound", AT_THE_BOUNDS)
def test_bounds_are_reached(bound: str) -> None:
    parse_filter(AT_THE_BOUNDS[bound])


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text)[:20])
def test_hostile_text_ends(text: str) -> None:
    _parses_or_is_refused(text)


PIECES = (
    " ".join(Field)
    + " eq ne gt ge lt le and or not in ( ) [ ] , / : any all null true false contains startswith endswith tolower"
    + " toupper datetime datetimeoffset asc desc 'a' 'it''s' ' '' 5 -7 99999999999999999999 1.5 g 2018-08-01Z"
    + " 2018-13-41 2018-08-01T00:00:00.1234567+02:00 'High' 'Alert' 'evil.example' \0 \ud800 ä"
).split(" ")


@settings(max_examples=2_000, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=14))
def test_tokens_in_any_order_never_raise_anything_else(pieces: list[str]) -> None:
    _parses_or_is_refused(" ".join(pieces))
    _parses_or_is_refused("".join(pieces))
    _parses_or_is_refused(f"title eq 'a' or {' '.join(pieces)}")


@settings(max_examples=1_000, deadline=None)
@given(st.text(max_size=60))
def test_any_text_never_raises_anything_else(text: str) -> None:
    _parses_or_is_refused(text)
    _parses_or_is_refused(f"indicatorValue eq '{text}'")


def _parses_or_is_refused(text: str) -> None:
    for parse in (parse_filter, parse_orderby):
        refused = None
        try:
            parse(text)
        except InvalidFilter as error:
            refused = error
        assert refused is None or (0 <= refused.position <= len(text) and refused.message)


def test_orders_are_read() -> None:
    assert parse_orderby("id") == (OrderBy(Field.ID),)
    assert parse_orderby(" Severity DESC,title asc , indicatorvalue") == (
        OrderBy(Field.SEVERITY, descending=True),
        OrderBy(Field.TITLE),
        OrderBy(Field.INDICATOR_VALUE),
    )


@pytest.mark.parametrize(
    "text,position",
    [
        ("", 0),
        ("title,", 6),
        ("title down", 6),
        ("secret", 0),
        ("rbacGroupNames", 0),
        ("title, mitreTechniques desc", 7),
        ("id,id,id,id,id,id", 15),
        ("'title'", 0),
    ],
)
def test_orders_are_refused(text: str, position: int) -> None:
    with pytest.raises(InvalidFilter) as raised:
        parse_orderby(text)
    assert raised.value.position == position


ROW = StoredIndicator(
    id=5,
    indicator=Indicator(
        ObservableType.DOMAIN_NAME,
        "evil.example",
        "Evil.Example.",
        Action.AUDIT,
        "Title",
        "100% _bad_",
        severity=Severity.MEDIUM,
        mitre_techniques=("T1059", "T1059.001"),
        rbac_group_names=("Servers",),
        generate_alert=True,
    ),
    created=1,
    began=1,
    created_at=AUGUST,
    created_by="client",
    created_by_name="Client",
    created_source="PublicApi",
    updated_at=AUGUST,
    updated_by=None,
)
GROUPS = {"Servers": "3", "Laptops": "4"}
HOLDS = [
    "application eq null",
    "application ne 'a'",
    "not (application gt 'a')",
    "application in (null)",
    "lastUpdatedBy eq null and lastUpdatedBy ne 'client'",
    "expirationTime eq null",
    "category eq 1",
    "indicatorValue eq 'EVIL.example'",
    "indicatorValue eq 'Evil.Example.'",
    "contains(indicatorValue, 'Evil')",
    "not contains(indicatorValue, 'evil')",
    "tolower(indicatorValue) eq 'evil.example.'",
    "toupper(title) eq 'TITLE' and title ne 'TITLE'",
    "startswith(description, '100%') and endswith(description, 'bad_') and not contains(description, '_b%')",
    "severity gt 'Low' and severity gt 'Informational' and severity lt 'High' and severity le 'Medium'",
    "action eq 'Alert'",
    "mitreTechniques eq 'T1059' and mitreTechniques ne 'T10'",
    "rbacGroupNames/any() and rbacGroupNames ne null",
    "rbacGroupIds eq '3' and not rbacGroupIds/any(g: g in (4, 5))",
    "creationTimeDateTimeUtc ge 2018-08-01 and creationTimeDateTimeUtc lt 2018-08-01T00:00:00.0000001Z",
    "id lt '10'",
    "indicatorType in ('domainname', 'url')",
    "createdBySource eq 'PublicApi'",
    "status eq 'Active'",
]


@pytest.mark.parametrize("text", HOLDS)
def test_filters_mean_this(text: str) -> None:
    assert matches(parse_filter(text), ROW, GROUPS)
    assert not matches(parse_filter(f"not ({text})"), ROW, GROUPS)


@pytest.mark.parametrize("operator", ["gt", "ge", "lt", "le"])
def test_no_order_holds_of_null(operator: str) -> None:
    assert not matches(parse_filter(f"application {operator} null"), ROW, GROUPS)
    assert not matches(parse_filter(f"application {operator} ''"), ROW, GROUPS)
    assert not matches(parse_filter(f"title {operator} null"), ROW, GROUPS)


def test_every_field_has_a_kind_and_can_be_read() -> None:
    assert set(KINDS) == set(query_memory._READ) == set(Field)


def test_every_field_can_be_asked_about() -> None:
    for field in Field:
        parse_filter(f"{field} eq null")
        assert (KINDS[field] is Kind.LIST) or parse_orderby(field) == (OrderBy(field),)


def test_category_numbers_leave_one_for_none() -> None:
    assert sorted(CATEGORY_NUMBERS.values()) == list(range(2, 18))
