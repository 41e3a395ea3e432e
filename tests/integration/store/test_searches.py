"""One law for the portal's language too: SQL and memory answer every search alike, and so does the OData it becomes."""

from __future__ import annotations

import ipaddress
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, delete, insert, select
from sqlalchemy.dialects import postgresql

from indicia.domain.networks import beginning, is_small, is_within
from indicia.domain.observable import ObservableType, canonical
from indicia.domain.query import Among, Contested, Field, Not, Text, Within
from indicia.domain.query_memory import matches
from indicia.domain.query_odata import to_odata
from indicia.domain.query_text import MAX_DEPTH, parse_filter
from indicia.domain.search_text import parse_search
from indicia.store.filters import where
from indicia.store.schema import decisions, indicators
from tests.integration.store import test_filters as rows
from tests.integration.store.test_filters import FILTERS, ROWS, TEXTS, by_memory, by_sql, database
from tests.unit.domain.searches import NOW, SEARCHES

__all__ = ["database"]
TEXT_FIELDS = [Field.TITLE, Field.DESCRIPTION, Field.INDICATOR_VALUE, Field.APPLICATION, Field.CREATED_BY_DISPLAY_NAME]


@settings(max_examples=300)
@given(text=SEARCHES)
def test_sql_and_memory_agree_on_searches(database: Connection, text: str) -> None:
    query = parse_search(text, now=NOW, groups=rows.GROUPS).query
    assert query is not None
    found = by_sql(database, query)
    assert found == by_memory(query)
    assert by_sql(database, Not(query)) == {row.id for row in ROWS} - found


@settings(max_examples=200)
@given(text=SEARCHES)
def test_a_search_and_its_odata_mean_the_same(text: str) -> None:
    query = parse_search(text, now=NOW, groups=rows.GROUPS).query
    assert query is not None
    assert by_memory(parse_filter(to_odata(query))) == by_memory(query)


@settings(max_examples=300)
@given(text=FILTERS)
def test_a_filter_and_the_odata_that_is_written_of_it_mean_the_same(text: str) -> None:
    query = parse_filter(text)
    assert by_memory(parse_filter(to_odata(query))) == by_memory(query)


@pytest.mark.parametrize("fold", ["lower", "upper"])
@pytest.mark.parametrize("field", TEXT_FIELDS)
def test_parts_in_any_case_are_found_alike(database: Connection, field: Field, fold: str) -> None:
    for text in [*TEXTS, "EVIL", "evil.EXAMPLE", "a%b", "%B", "/_"]:
        for part in (text, text.lower(), text.upper()):
            query = Text("contains", field, part, fold)  # type: ignore[arg-type]  # one of the two
            assert by_sql(database, query) == by_memory(query), (part, fold)


@given(ids=st.sets(st.sampled_from([row.id for row in ROWS]) | st.integers(-5, 5)))
def test_a_list_of_numbers_finds_those(database: Connection, ids: set[int]) -> None:
    query = Among(frozenset(ids))
    assert by_sql(database, query) == by_memory(query) == {row.id for row in ROWS} & ids


def test_a_list_of_numbers_may_be_long_and_goes_by_the_number(database: Connection) -> None:
    query = Among(frozenset(range(100_000)))
    assert by_sql(database, query) == by_memory(query)
    statement = select(indicators.c.id).where(where(query, indicators, groups={})).compile(database)
    plan = database.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", tuple(statement.params.values())).fetchall()
    assert "SEARCH indicators USING INTEGER PRIMARY KEY" in plan[0][3]


def test_who_is_in_conflict_has_to_be_looked_up_first(database: Connection) -> None:
    with pytest.raises(ValueError, match="services"):
        by_sql(database, Contested())
    with pytest.raises(ValueError, match="contradicts"):
        matches(Contested(), ROWS[0], {})


# -- networks ---------------------------------------------------------------------------------------------------------

_DICE = random.Random(7)


def _around(network: str) -> list[str]:
    """Return addresses and blocks in, at the edges of and beside *network*."""
    parsed = ipaddress.ip_network(network)
    width, first, last = parsed.max_prefixlen, int(parsed.network_address), int(parsed.broadcast_address)
    some = [first, last, first - 1, last + 1, *(_DICE.randint(first, last) for _ in range(3)), _DICE.getrandbits(width)]
    kind = type(parsed.network_address)
    addresses = [str(kind(number)) for number in some if 0 <= number < 1 << width]
    lengths = {0, parsed.prefixlen - 1, parsed.prefixlen, parsed.prefixlen + 1, width, _DICE.randint(0, width)}
    blocks = [f"{address}/{length}" for address in addresses for length in lengths if 0 <= length <= width]
    return [*addresses, *blocks]


_networks = st.one_of(
    st.builds(lambda address, bits: f"{address}/{bits}", st.ip_addresses(v=4), st.integers(1, 32)),
    st.builds(lambda address, groups: f"{address}/{groups * 16}", st.ip_addresses(v=6), st.integers(1, 7)),
    st.sampled_from(["1.2.0.0/15", "10.0.0.0/7", "100.0.0.0/6", "2001:db8::/32", "1::/16", "10::/16", "192.0.2.9/32"]),
).map(lambda text: str(ipaddress.ip_network(text, strict=False)))


@settings(max_examples=100)
@given(network=_networks)
def test_what_is_in_a_network_is_found_alike(database: Connection, network: str) -> None:
    try:
        network = canonical(ObservableType.IP_RANGE, network)
    except ValueError:
        return
    if beginning(network) is None:
        return
    query, template = Within(network), ROWS[0]
    values = {
        (kind, text)
        for kind, texts in (
            (ObservableType.IP_ADDRESS, [text for text in _around(network) if "/" not in text]),
            (ObservableType.IP_RANGE, [text for text in _around(network) if "/" in text]),
        )
        for text in (canonical(kind, each) for each in texts)
    }
    values |= {(ObservableType.DOMAIN_NAME, "10.evil.example"), (ObservableType.URL, f"http://{network}")}
    numbered = {
        number: template._replace(
            id=number, indicator=template.indicator._replace(type=kind, canonical=text, value=text)
        )
        for number, (kind, text) in enumerate(sorted(values), start=1)
    }
    columns = [rows._columns(row) for row in numbered.values()]
    with database.begin_nested() as undone:
        database.execute(delete(indicators))
        database.execute(delete(decisions))
        database.execute(insert(decisions), [decided for _, decided in columns])
        database.execute(insert(indicators), [version for version, _ in columns])
        found = by_sql(database, query)
        undone.rollback()
    assert found == {number for number, row in numbered.items() if matches(query, row, {})}


def test_the_law_of_networks_is_that_of_addresses() -> None:
    inside = [kind for kind in ObservableType if is_within(kind, "10.0.0.1", "10.0.0.0/8")]
    assert inside == [ObservableType.IP_ADDRESS, ObservableType.IP_RANGE]
    assert is_small("192.0.2.0/24")
    assert not is_small("192.0.2.0/23")


@settings(max_examples=100)
@given(text=SEARCHES)
def test_every_search_compiles_for_postgresql(text: str) -> None:
    query = parse_search(text, now=NOW, groups=rows.GROUPS).query
    assert query is not None
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]  # as SQLAlchemy has it
    str(select(indicators.c.id).where(where(query, indicators, groups=rows.GROUPS)).compile(dialect=dialect))


@pytest.mark.parametrize(
    "text",
    [
        " ".join(["a"] * 130),
        " or ".join(["a"] * 130),
        "(" * MAX_DEPTH + "a" + ")" * MAX_DEPTH,
        "-(a or (b " * (MAX_DEPTH // 2) + "id:3" + "))" * (MAX_DEPTH // 2),
        "-(by:a or " * MAX_DEPTH + "in:10.0.0.0/9" + ")" * MAX_DEPTH,
        "type:" + ",".join(["ip", "url"] * 100) + " in:10.0.0.0/31",
        "in:1.2.3.0/24,2001:db8::/32 -in:9.0.0.0/9",
        "title:" + ",".join(f"t{number}" for number in range(390)),
    ],
    ids=lambda text: text[:24],
)
def test_the_largest_searches_are_answered(database: Connection, text: str) -> None:

    query = parse_search(text, now=NOW, groups=rows.GROUPS).query
    assert query is not None
    assert by_sql(database, query) == by_memory(query)
