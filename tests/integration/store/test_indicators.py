"""Pages of any filter are those of the law, whichever way the store takes to find them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, create_engine

from indicia.domain.query_memory import matches
from indicia.domain.query_text import parse_filter
from indicia.store.indicators import Indicators
from indicia.store.selection import Selection
from tests.integration.store.test_filters import FILTERS, GROUPS, ROWS, store

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def connection() -> Iterator[Connection]:
    engine = create_engine("sqlite://")
    with engine.connect() as opened:
        store(opened)
        yield opened
    engine.dispose()


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=st.one_of(
        FILTERS,
        st.sampled_from(
            [
                "lastUpdateTime gt 1999-01-01",
                "lastUpdateTime lt 2024-02-29T12:00:00Z and action eq 'Block'",
                "lastUpdateTime ne 2024-02-29T12:00:00Z and contains(title,'a')",
            ]
        ),
    ),
    walked=st.integers(0, 500),
    few=st.sampled_from([0, 5, 10_000]),
    limit=st.integers(1, 200),
)
def test_pages_are_all_that_match_in_order(
    connection: Connection, monkeypatch: pytest.MonkeyPatch, text: str, walked: int, few: int, limit: int
) -> None:
    monkeypatch.setattr("indicia.store.indicators.WALKED_FIRST", walked)
    monkeypatch.setattr("indicia.store.indicators.FEW_ROWS", few)
    query = parse_filter(text)
    wanted = Selection(LONG_AGO, query, include_expired=True, group_ids=GROUPS)
    expected = sorted(row.id for row in ROWS if matches(query, row, GROUPS))
    indicators, found, last = Indicators(connection), [], -1
    while page := [stored.id for stored in indicators.select(wanted, limit=limit, after=last)]:
        assert len(page) <= limit
        found += page
        last = page[-1]
    assert found == expected
    offset = [stored.id for stored in indicators.select(wanted, limit=limit, offset=limit)]
    assert offset == [number for number in expected if number > 0][limit : 2 * limit]
