"""One law: SQL and memory answer every filter alike, row by row; and what reaches SQL is columns and bound values."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, FromClause, create_engine, insert, select, union_all
from sqlalchemy.dialects import postgresql, sqlite

from indicia.domain.indicator import Action, Category, Indicator, Severity, Status, StoredIndicator
from indicia.domain.observable import ObservableType, canonical
from indicia.domain.query import CATEGORY_NUMBERS, KINDS, NAMES, Field, Has, Kind, OrderBy, Query
from indicia.domain.query_memory import _READ, matches
from indicia.domain.query_text import MAX_CONDITIONS, MAX_DEPTH, MAX_IN, parse_filter, parse_orderby
from indicia.store import codes, filters
from indicia.store.filters import order_by, where
from indicia.store.rows import DECISION_COLUMNS, OWN_COLUMNS, Encoder
from indicia.store.schema import changesets, decisions, indicator_history, indicators, metadata

# Small pools, so that hits are common; in them what engines are known to take differently.
TEXTS = [
    *["", "a", "A", "ab", "aB", "AB", "b", "ba", "a b", "100%", "1_0", "1x0", "it's", "'", '"', "\\", "a\\%", "%", "_"],
    *[
        "ä",
        "Ä",
        "é",
        "e\u0301",
        "İ",
        "ı",
        "ß",
        "ſ",
        "ﬀ",
        "日本",
        "\ud7ff",
        "\ue000",
        "\uffff",
        "a\U0010ffff",
        "\U0010ffff",
    ],
    *["[a]", "*", "?", "a\nb", "\t", "null", "true", "1", "Z", "z", "^", "@", "`", "{"],
]
GROUPS = {"Servers": "3", "servers": "4", "it's": "5", "100%": "6", "Ungrouped": "7"}
TECHNIQUES = ["T1059", "T1059.001", "T1566"]
VALUES = {
    ObservableType.DOMAIN_NAME: [
        "evil.example",
        "EVIL.Example.",
        "bücher.example",
        "xn--bcher-kva.example",
        "a_b.example",
    ],
    ObservableType.URL: [
        "https://evil.example/a%b",
        "HTTPS://Evil.example:443/a%b",
        "http://evil.example",
        "http://1.2.3.4/_",
    ],
    ObservableType.IP_ADDRESS: ["1.2.3.4", "::ffff:1.2.3.4", "2001:DB8::1", "2001:db8:0::1"],
    ObservableType.IP_RANGE: ["10.0.0.0/8", "2001:db8::/32"],
    ObservableType.FILE_SHA256: ["a" * 64, "A" * 64, "0" * 64],
    ObservableType.FILE_SHA1: ["a" * 40, "B" * 40],
    ObservableType.FILE_MD5: ["a" * 32, "A" * 32],
    ObservableType.CERTIFICATE_THUMBPRINT: ["a" * 40, "A" * 40],
}
START = datetime(2024, 2, 29, 23, 59, 59, tzinfo=UTC)
TIMES = [START, START + timedelta(microseconds=1), START + timedelta(seconds=1), START + timedelta(days=300)]
SPELLED_TIMES = [
    *["2024-02-29T23:59:59Z", "2024-03-01", "2024-03-01T01:59:59+02:00", "2024-02-29T23:59:59.0000010Z"],
    *["2024-02-29T23:59:59.0000001Z", "2024-02-29T23:59:59.0000009Z", "0001-01-01Z", "9999-12-31T23:59:59.9999999Z"],
]


CHANGESETS: list[dict[str, Any]] = [
    {"id": 0, "at": TIMES[0], "actor": "a", "actor_name": "A", "source": "Portal"},
    {"id": 1, "at": TIMES[1], "actor": "A", "actor_name": "it's", "source": "PublicApi"},
    {"id": 2, "at": TIMES[2], "actor": "ä", "actor_name": "100%", "source": "Cli"},
    {"id": 3, "at": TIMES[1], "actor": "a", "actor_name": "", "source": "Feed"},
    {"id": 4, "at": TIMES[3], "actor": "1", "actor_name": "\U0010ffff", "source": "PublicApi"},
]


def _rows() -> list[StoredIndicator]:
    """Return rows at random, the same ones in every run; no two of them are the same indicator."""
    choose = random.Random(20240229)
    rows: dict[Any, StoredIndicator] = {}
    for number in range(400):
        kind = choose.choice(list(ObservableType))
        value = choose.choice(VALUES[kind])
        indicator = Indicator(
            type=kind,
            canonical=canonical(kind, value),
            value=value,
            action=choose.choice(list(Action)),
            title=choose.choice(TEXTS),
            description=choose.choice(TEXTS),
            severity=choose.choice(list(Severity)),
            category=choose.choice([None, *Category]),
            mitre_techniques=tuple(choose.sample(TECHNIQUES, choose.randint(0, 2))),
            recommended_actions=choose.choice([None, None, *TEXTS]),
            rbac_group_names=tuple(choose.sample([*GROUPS, "Gone"], choose.randint(0, 2))),
            expires_at=choose.choice([None, *TIMES]),
            generate_alert=choose.random() < 0.5,
            external_id=choose.choice([None, None, *TEXTS]),
            application=choose.choice([None, *TEXTS]),
            status=choose.choice(list(Status)),
        )
        created = choose.randrange(len(CHANGESETS))
        began = choose.choice([created, choose.randrange(created, len(CHANGESETS))])
        rows[indicator.identity] = StoredIndicator(
            id=number if number % 9 else 2**63 - 1 - number,
            indicator=indicator,
            created=created,
            began=began,
            created_at=CHANGESETS[created]["at"],
            created_by=CHANGESETS[created]["actor"],
            created_by_name=CHANGESETS[created]["actor_name"],
            created_source=CHANGESETS[created]["source"],
            updated_at=CHANGESETS[began]["at"],
            updated_by=None if began == created else CHANGESETS[began]["actor"],
        )
    return list(rows.values())


def _columns(row: StoredIndicator) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the columns of *row* and those of a decision of its own."""
    *own, decision = Encoder().encode(row.indicator)
    version = dict(zip(OWN_COLUMNS, [*own, row.id], strict=True))
    version |= {"id": row.id, "created": row.created, "began": row.began, "expires_at": row.indicator.expires_at}
    decided = dict(zip(DECISION_COLUMNS, decision.values, strict=True))
    return version, decided | {"id": row.id, "key": row.id.to_bytes(32, "big")}


def store(connection: Connection) -> None:
    """Make the tables and put every row in them."""
    metadata.create_all(connection)
    more = {
        "kind": "import",
        "details": "{}",
        "created": 0,
        "updated": 0,
        "deleted": 0,
        "first_id": 0,
        "next_id": (1 << 63) - 1,
    }
    digests = dict.fromkeys(("rows_digest", "prev_hash", "hash"), bytes(32))
    connection.execute(insert(changesets), [changeset | more | digests for changeset in CHANGESETS])
    pairs = [_columns(row) for row in ROWS]
    connection.execute(insert(decisions), [decided for _, decided in pairs])
    connection.execute(insert(indicators), [version for version, _ in pairs])


ROWS = _rows()


@pytest.fixture(scope="module")
def database() -> Iterator[Connection]:
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        store(connection)
        yield connection
    engine.dispose()


# -- filters at random -------------------------------------------------------------------------------------------------


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


_TEXT = st.sampled_from(TEXTS).map(_quoted)
_ACTORS = st.sampled_from(
    [str(changeset[key]) for changeset in CHANGESETS for key in ("actor", "actor_name", "source")]
)
_NULL = st.just("null")
_VALUES = st.sampled_from(
    [value for values in VALUES.values() for value in values]
    + ["EVIL.EXAMPLE", "evil[.]example", "e", "1.2.3.4/32", ""]
).map(_quoted)
_LITERALS: dict[Kind, Any] = {
    Kind.NUMBER: st.sampled_from([row.id for row in ROWS[:9]] + [0, -1, 2**63 - 1]).map(str),
    Kind.TEXT: _TEXT | _ACTORS.map(_quoted),
    Kind.VALUE: _VALUES | _TEXT,
    Kind.FLAG: st.sampled_from(["true", "false", "'True'"]),
    Kind.TIME: st.sampled_from([*SPELLED_TIMES, *(time.isoformat() for time in TIMES)]),
    Kind.LIST: st.sampled_from([*GROUPS, *TECHNIQUES, *GROUPS.values(), "T10", ""]).map(_quoted),
}
_FUNCTIONS = st.sampled_from(["contains", "startswith", "endswith"])
_FOLDS = st.sampled_from(["{}", "{}", "tolower({})", "toupper({})"])


@st.composite
def leaves(draw: st.DrawFn) -> str:
    """Return one comparison."""
    field = draw(st.sampled_from(Field))
    kind = KINDS[field]
    literals = (st.sampled_from(NAMES[field]).map(_quoted) if field in NAMES else _LITERALS[kind]) | _NULL
    if field is Field.ACTION:
        literals |= st.sampled_from(["'Alert'", "'AlertAndBlock'"])
    literal = draw(literals)
    named = draw(_FOLDS).format(field) if kind in (Kind.TEXT, Kind.VALUE) else field.value
    shapes = ["{named} eq {literal}", "{named} ne {literal}", "{literal} eq {named}", "{named} in ({several})"]
    if kind not in (Kind.CHOICE, Kind.FLAG, Kind.LIST):
        shapes += ["{named} gt {literal}", "{named} ge {literal}", "{named} lt {literal}", "{named} le {literal}"] * 2
    if kind in (Kind.TEXT, Kind.VALUE) and literal != "null":
        shapes += [f"{draw(_FUNCTIONS)}({{named}}, {{literal}})"] * 8
    if kind is Kind.LIST:
        shapes += ["{named}/any()", "{named}/any(g: g eq {literal})", "contains({named}, {literal})"]
    if kind is Kind.FLAG:
        shapes += ["{named}", "not {named}"]
    several = ", ".join([literal, *draw(st.lists(literals, max_size=3))])
    return draw(st.sampled_from(shapes)).format(named=named, literal=literal, several=several)


def _joined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    several = st.lists(inner, min_size=2, max_size=3)
    return (
        several.map(" and ".join) | several.map(" or ".join) | inner.map("not ({})".format) | inner.map("({})".format)
    )


FILTERS = st.recursive(leaves() | st.sampled_from(["true", "false"]), _joined, max_leaves=5)
KEYS = st.lists(
    st.builds(OrderBy, st.sampled_from([f for f in Field if KINDS[f] is not Kind.LIST]), st.booleans()), max_size=3
)


def by_sql(connection: Connection, query: Query, table: FromClause = indicators) -> set[int]:
    """Return the numbers of the rows that SQL selects."""
    return set(connection.scalars(select(table.c.id).where(where(query, table, groups=GROUPS))))


def by_memory(query: Query) -> set[int]:
    """Return the numbers of the rows that memory selects."""
    return {row.id for row in ROWS if matches(query, row, GROUPS)}


def agree(connection: Connection, text: str) -> None:
    """Hold the law for one filter, and for its opposite."""
    query = parse_filter(text)
    found = by_sql(connection, query)
    assert found == by_memory(query)
    assert by_sql(connection, parse_filter(f"not ({text})")) == {row.id for row in ROWS} - found


@settings(max_examples=600)
@given(text=leaves())
def test_sql_and_memory_agree_on_comparisons(database: Connection, text: str) -> None:
    agree(database, text)


@settings(max_examples=300)
@given(text=FILTERS)
def test_sql_and_memory_agree_on_filters(database: Connection, text: str) -> None:
    agree(database, text)


@pytest.mark.parametrize("field", [field for field in Field if KINDS[field] is Kind.TEXT])
@pytest.mark.parametrize("function", ["contains", "startswith", "endswith", "gt"])
def test_sql_and_memory_agree_on_every_text(database: Connection, field: Field, function: str) -> None:
    for text in TEXTS:
        quoted = _quoted(text)
        asked = f"{field} gt {quoted}" if function == "gt" else f"{function}({field}, {quoted})"
        query = parse_filter(asked)
        assert by_sql(database, query) == by_memory(query), asked


@settings(max_examples=150)
@given(keys=KEYS)
def test_sql_sorts_as_python_does_with_null_lowest(database: Connection, keys: list[OrderBy]) -> None:
    expected = sorted(ROWS, key=lambda row: row.id)
    for key in reversed(keys):
        expected.sort(key=partial(_rank, key.field), reverse=key.descending)
    found = database.scalars(select(indicators.c.id).order_by(*order_by(keys, indicators)))
    assert list(found) == [row.id for row in expected]


def _rank(field: Field, row: StoredIndicator) -> tuple[bool, Any]:
    value = _READ[field](row)
    # `sort(reverse=True)` keeps equals in their order, as the number of the indicator is always ascending.
    return value is not None, 0 if value is None else filters._CODES[field][value] if field in filters._CODES else value


def test_the_tables_of_the_filter_know_every_field() -> None:
    known = set(filters._COLUMNS) | set(filters._OF_CHANGESETS) | {Field.INDICATOR_VALUE}
    assert known == set(Field)
    home = {field: decisions if field in filters._OF_DECISIONS else indicators for field in filters._COLUMNS}
    nullable = {field for field, name in filters._COLUMNS.items() if home[field].c[name].nullable}
    assert nullable | {Field.LAST_UPDATED_BY} == filters._NULLABLE


def test_the_numbers_of_categories_are_the_stored_ones() -> None:
    assert CATEGORY_NUMBERS == codes.CATEGORIES


# -- what reaches SQL --------------------------------------------------------------------------------------------------

DIALECTS: list[Any] = [sqlite.dialect(), postgresql.dialect()]  # type: ignore[no-untyped-call]  # as SQLAlchemy has it
SHAPES = [
    "title eq {}",
    "title gt {}",
    "contains(title, {})",
    "startswith(indicatorValue, {})",
    "endswith(tolower(application), {})",
    "title in ({}, 'x')",
    "rbacGroupNames/any(g: g eq {})",
    "mitreTechniques eq {}",
    "createdBy eq {}",
    "startswith(lastUpdatedBy, {})",
    "indicatorValue eq {}",
]
ATTACKS = [
    "' OR 1=1 --",
    "x'; DROP TABLE indicators; --",
    "%' ESCAPE '\\",
    ":title_1",
    "%(title_1)s",
    "?",
    "\\'",
    "\u02bc or 1",
]


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: str(dialect.name))
@pytest.mark.parametrize("shape", SHAPES)
def test_the_text_of_a_statement_does_not_depend_on_values(shape: str, dialect: Any) -> None:
    def compiled(value: str) -> str:
        query = parse_filter(shape.format(_quoted(value)))
        statement = select(indicators.c.id).where(where(query, indicators, groups=GROUPS))
        return str(statement.compile(dialect=dialect))

    assert {compiled(attack) for attack in ATTACKS} == {compiled("no value")}


@settings(max_examples=100)
@given(text=FILTERS, keys=KEYS)
def test_every_filter_compiles_for_postgresql(text: str, keys: list[OrderBy]) -> None:
    query = parse_filter(text)
    statement = (
        select(indicators.c.id).where(where(query, indicators, groups=GROUPS)).order_by(*order_by(keys, indicators))
    )
    str(statement.compile(dialect=DIALECTS[1]))


@pytest.mark.parametrize(
    "text", ["title gt 'a'", "startswith(title, 'a')", "tolower(title) eq 'a'", "toupper(title) eq 'A'"]
)
def test_postgresql_takes_text_by_code_point_whatever_its_collation(text: str) -> None:
    condition = where(parse_filter(text), indicators, groups={})
    assert 'title COLLATE "C"' in str(condition.compile(dialect=DIALECTS[1]))


def test_a_value_is_found_by_its_index(database: Connection) -> None:
    query = parse_filter("indicatorValue in ('EVIL.example', 'a')")
    condition = where(query, indicators, groups={})
    statement = select(indicators.c.id).where(condition).compile(database, compile_kwargs={"render_postcompile": True})
    plan = database.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", tuple(statement.params.values())).fetchall()
    assert all("SEARCH" in step[3] and "(subject=?)" in step[3] for step in plan), plan


def test_a_prefix_can_be_found_by_an_index(database: Connection) -> None:
    condition = where(parse_filter("startswith(title, 'a')"), indicators, groups={})
    assert "indicators.title >= " in str(condition.compile(database))
    assert "indicators.title < " in str(condition.compile(database))


# -- the largest questions ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        " or ".join(["id eq 1"] * (MAX_CONDITIONS - 1)),
        " and ".join(["generateAlert"] * MAX_CONDITIONS),
        "rbacGroupNames in (" + ",".join(f"'{n}'" for n in range(MAX_CONDITIONS)) + ")",
        "indicatorValue in (" + ",".join(f"'{n}.x'" for n in range(MAX_IN)) + ")",
        "id eq 1 or id eq 2 and (" * MAX_DEPTH + "id eq 3" + ")" * MAX_DEPTH,
        "not (id eq 1 or id eq 2 and (" * (MAX_DEPTH // 3) + "createdBy eq 'a'" + "))" * (MAX_DEPTH // 3),
        "not (id eq 1 and " * (MAX_DEPTH // 2) + "createdBy eq 'a'" + ")" * (MAX_DEPTH // 2),
        "(application eq null or lastUpdatedBy eq 'a' and (" * (MAX_DEPTH // 2) + "id eq 3" + "))" * (MAX_DEPTH // 2),
    ],
    ids=lambda text: text[:24],
)
def test_the_largest_filters_are_answered(database: Connection, text: str) -> None:
    query = parse_filter(text)
    table = union_all(select(indicators), select(indicators).where(indicators.c.id < 0)).subquery("then")
    assert by_sql(database, query, table) == by_memory(query)


def test_history_can_be_asked_too(database: Connection) -> None:
    names = [column.name for column in indicators.c]
    past = select(*(indicator_history.c[name] for name in names))
    table = union_all(select(indicators), past).subquery("then")
    for text in ("createdBy eq 'a'", "startswith(title, 'a')", "expirationTime gt 2024-03-01", "generateAlert"):
        query = parse_filter(text)
        assert by_sql(database, query, table) == by_memory(query)
    keys = parse_orderby("createdBy desc, expirationTime")
    found = list(database.scalars(select(table.c.id).order_by(*order_by(keys, table))))
    assert found == list(database.scalars(select(indicators.c.id).order_by(*order_by(keys, indicators))))


def test_a_statement_that_joins_the_changesets_is_not_confused(database: Connection) -> None:
    query = parse_filter("createdBy eq 'a'")
    statement = (
        select(indicators.c.id)
        .join(changesets, changesets.c.id == indicators.c.began)
        .where(where(query, indicators, groups={}))
        .order_by(*order_by(parse_orderby("lastUpdateTime"), indicators))
    )
    assert set(database.scalars(statement)) == by_memory(query)


def test_a_separator_does_not_join_two_names(database: Connection) -> None:
    pair = next(row.indicator.rbac_group_names for row in ROWS if len(row.indicator.rbac_group_names) > 1)
    assert by_sql(database, Has(Field.RBAC_GROUP_NAMES, "\x1f".join(pair))) == set()
