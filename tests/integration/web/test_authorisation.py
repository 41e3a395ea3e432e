"""Every route of the router against everybody who may ask: what the table `authorisation.txt` says, and no more."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import pairwise

import pytest

from tests.integration.web.authorisation import (
    CANARY,
    LETTERS,
    PRINCIPALS,
    ROLES,
    TABLE,
    Bench,
    Route,
    bench_over,
    letter,
    read_table,
    routes,
    write_table,
)

#: Those whose proof of who they are is not good (any more): whoever they were, they are strangers.
STRANGERS = ("anonymous", "disabled", "expired-key", "revoked-key", "revoked-app")
#: What a program asks for before it can have a token, and what is nobody's: open to all, on purpose.
OPEN_DOORS = ("open", "oauth")
OPEN_PAGES = ("/assets/", "/sign-in", "/welcome/")


@cache
def table() -> dict[Route, dict[str, str]]:
    return read_table(TABLE.read_text())


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with bench_over(tmp_path_factory.mktemp("authorisation")) as opened:
        yield opened


def test_the_table_has_a_row_for_every_route_and_no_other(bench: Bench) -> None:
    there, told = set(routes(bench.door.http.app)), set(table())
    assert there - told == set(), "routes without a row: write the table anew, and read what is new in it"
    assert told - there == set(), "rows without a route"


@pytest.mark.parametrize("route", sorted(table()), ids=str)
def test_everybody_is_answered_as_the_table_says(bench: Bench, route: Route) -> None:
    found = {}
    for principal in PRINCIPALS:
        reply = bench.ask(route, principal)
        found[principal] = letter(route, reply)
        if principal == "elsewhere":
            shown = reply.text + str(reply.headers)
            assert not [text for text in CANARY if text in shown], "what is for other device groups is told"
    assert found == table()[route]


# -- what any table has to say ----------------------------------------------------------------------------------------


def test_the_table_says_what_its_letters_mean() -> None:
    assert {sign for row in table().values() for sign in row.values()} <= set(LETTERS)
    assert write_table(table()) == TABLE.read_text(), "the table is kept as it is written"


@pytest.mark.parametrize("route", sorted(table()), ids=str)
def test_a_stranger_gets_nothing_but_what_is_open_to_all(route: Route) -> None:
    row = table()[route]
    is_open = route.door in OPEN_DOORS or route.path.startswith(OPEN_PAGES) or route == Route("/indicators/bulk", "GET")
    for principal in STRANGERS:
        assert row[principal] == "S" or is_open, principal
    if is_open:
        assert len({row[principal] for principal in STRANGERS}) == 1, "it tells no strangers apart"


@pytest.mark.parametrize("route", sorted(table()), ids=str)
def test_a_higher_role_is_never_refused_where_a_lower_one_is_not(route: Route) -> None:
    row = table()[route]
    for lower, higher in pairwise(ROLES):
        assert row[lower] == "-" or row[higher] != "-", f"{lower} may and {higher} may not"
    assert row["administrator"] != "-"


@pytest.mark.parametrize("route", sorted(table()), ids=str)
def test_whoever_is_limited_to_device_groups_may_no_more_than_their_role(route: Route) -> None:
    row = table()[route]
    if row["analyst"] == "-":
        assert row["elsewhere"] in "-0"


@pytest.mark.parametrize("route", [each for each in sorted(table()) if each.door in ("compat", "native")], ids=str)
def test_a_key_may_no_more_than_its_person(route: Route) -> None:
    row = table()[route]
    if row["administrator"] == "-":
        assert row["narrow-key"] == "-"


@pytest.mark.parametrize("route", [each for each in sorted(table()) if each.door == "portal"], ids=str)
def test_no_key_and_no_token_opens_a_page(route: Route) -> None:
    row = table()[route]
    assert {row[name] for name in ("narrow-key", "narrow-app")} == {row["anonymous"]}
