"""The query options of the compat API, with or without the `$` (SPEC 9.27)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import parse_qsl, quote, urlencode

from indicia.domain.errors import InvalidInput, Problem
from indicia.domain.query import InvalidFilter, OrderBy, Query
from indicia.domain.query_text import parse_filter, parse_orderby
from indicia.web.defender_schemas import MOST_PER_PAGE

_OPTIONS: Final = ("filter", "orderby", "top", "skip", "count", "skiptoken")
_DIGITS: Final = 18


@dataclass(frozen=True, slots=True)
class Options:
    """What a client asks of a list; ``given`` is what it wrote, for the link to the next page."""

    query: Query | None
    order_by: tuple[OrderBy, ...]
    top: int
    skip: int
    after: int | None
    count: bool
    given: Mapping[str, str]

    @classmethod
    def parse(cls, query_string: str) -> Options:
        """Return the options of *query_string*; other parameters are ignored. `InvalidInput` names every fault."""
        given: dict[str, str] = {}
        problems: list[Problem] = []
        for name, value in parse_qsl(query_string, keep_blank_values=True):
            option = name.strip().lower().removeprefix("$")
            if option in _OPTIONS:
                if option in given and given[option] != value:
                    problems.append(_problem(option, "is given twice, and not alike", value))
                given[option] = value
        parsed = cls(
            query=_filter(given.get("filter", ""), problems),
            order_by=_order(given.get("orderby", ""), problems),
            top=_number(given, "top", MOST_PER_PAGE, MOST_PER_PAGE, problems),
            skip=_number(given, "skip", 0, 10**_DIGITS, problems),
            after=_number(given, "skiptoken", 0, 10**_DIGITS, problems) if given.get("skiptoken") else None,
            count=_flag(given.get("count", ""), problems),
            given=given,
        )
        if problems:
            raise InvalidInput(problems)
        return parsed

    def next_page(self, last_id: int) -> str:
        """Return the query string of the page after the one that ends with *last_id*.

        By number where the order is ours, so that what is deleted meanwhile makes no row go unseen.
        """
        wanted = {name: value for name, value in self.given.items() if name not in ("skip", "skiptoken")}
        if self.order_by:
            wanted["skip"] = str(self.skip + self.top)
        else:
            wanted["skiptoken"] = str(last_id)
        return urlencode({f"${name}": value for name, value in wanted.items()}, safe="$", quote_via=quote)

    def without_pages(self) -> Options:
        """Return what is asked for, whatever the page."""
        return replace(self, top=MOST_PER_PAGE, skip=0, after=None)


def _filter(text: str, problems: list[Problem]) -> Query | None:
    if not text.strip():
        return None
    try:
        return parse_filter(text)
    except InvalidFilter as error:
        problems.append(_unreadable("filter", error))
        return None


def _order(text: str, problems: list[Problem]) -> tuple[OrderBy, ...]:
    if not text.strip():
        return ()
    try:
        return parse_orderby(text)
    except InvalidFilter as error:
        problems.append(_unreadable("orderby", error))
        return ()


def _unreadable(option: str, error: InvalidFilter) -> Problem:
    allowed = f"; allowed: {', '.join(error.allowed)}" if error.allowed else ""
    message = f"at position {error.position}, {error.token[:100]!r}: {error.message}{allowed}"
    return Problem("invalid-filter", message, f"${option}", error.token[:200], error.allowed)


def _number(given: Mapping[str, str], option: str, default: int, most: int, problems: list[Problem]) -> int:
    text = given.get(option, "").strip()
    if not text:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) <= _DIGITS) or int(text) > most:
        problems.append(_problem(option, f"is {text[:50]!r}; wanted is a number from 0 to {most}", text))
        return default
    return int(text)


def _flag(text: str, problems: list[Problem]) -> bool:
    lowered = text.strip().lower()
    if lowered not in ("", "true", "false"):
        problems.append(_problem("count", f"is {text[:50]!r}; wanted is true or false", text))
    return lowered == "true"


def _problem(option: str, message: str, value: str) -> Problem:
    return Problem("invalid-filter", f"${option} {message}", f"${option}", value[:200])
