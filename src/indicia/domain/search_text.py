"""The portal's search language, read into the same tree as OData's: words, values, qualifiers, not, or, parentheses.

Any text gives a `Search` or an `InvalidFilter`, which names the place, what is allowed and what may have been meant.
Bounds: `search_terms.MAX_BYTES`, `search_terms.MAX_TERMS`, and `MAX_CONDITIONS`, `MAX_DEPTH` of `query_text`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from indicia.domain import search_qualifiers as qualifiers
from indicia.domain.observable import ObservableType, Unspellable, canonical, detect
from indicia.domain.query import (
    Field,
    In,
    InvalidFilter,
    OrderBy,
    Query,
    Within,
    every,
    leaves,
    negated,
    some,
)
from indicia.domain.query_literals import Given, Token, equal
from indicia.domain.query_odata import to_odata
from indicia.domain.query_text import MAX_CONDITIONS, MAX_DEPTH
from indicia.domain.refanging import refang
from indicia.domain.search_qualifiers import Circle
from indicia.domain.search_terms import Term, quoted, refusal, terms

__all__ = ["InvalidFilter", "Search", "parse_search", "to_odata", "values_of", "with_qualifier"]

_WORD_FIELDS = (Field.INDICATOR_VALUE, Field.TITLE, Field.DESCRIPTION)
_AND, _OR, _NOT = "and", "or", "not"


class Search(NamedTuple):
    """What a text asks for: ``query`` is None for everything.

    ``exact`` is the type and the canonical value where the one free text is an indicator value; ``words`` are the
    texts that are looked for, as they were typed.
    """

    query: Query | None
    order_by: tuple[OrderBy, ...] = ()
    exact: tuple[ObservableType, str] | None = None
    words: tuple[str, ...] = ()


def parse_search(text: str, *, now: datetime, groups: Collection[str], exactly: bool = True) -> Search:
    """Return what *text* asks for at *now* where there are device *groups*; raises `InvalidFilter` and nothing else.

    A free text that is an indicator value finds the indicators about it, and not *exactly* what has it as a part.

    >>> from datetime import UTC
    >>> search = parse_search("-type:url hxxp://evil[.]example", now=datetime(2030, 1, 1, tzinfo=UTC), groups=())
    >>> search.exact
    (<ObservableType.URL: 'Url'>, 'http://evil.example/')
    """
    parser = _Parser(text, Circle(now, tuple(sorted(groups))), exactly=exactly)
    query = parser.alternatives(0)
    if parser.term.kind != "end":
        raise refusal("{} closes no parenthesis", parser.term)
    exact = parser.exact[0] if len(parser.exact) == 1 and not parser.words else None
    return Search(query, tuple(parser.order), exact, tuple(parser.words))


class _Parser:
    """Reads one text from left to right; ``term`` is the one that comes next."""

    def __init__(self, text: str, circle: Circle, *, exactly: bool) -> None:
        self._terms = terms(text)
        self._circle = circle
        self._exactly = exactly
        self._next = 0
        self._conditions = 0
        self.term = self._terms[0]
        self.order: list[OrderBy] = []
        self.exact: list[tuple[ObservableType, str]] = []
        self.words: list[str] = []

    def advance(self) -> Term:
        """Take the term that comes next."""
        taken = self.term
        self._next = min(self._next + 1, len(self._terms) - 1)
        self.term = self._terms[self._next]
        return taken

    def is_word(self, word: str) -> bool:
        """Return whether *word*, without quotes, comes next."""
        return self.term.kind == "word" and self.term.text.lower() == word

    def alternatives(self, depth: int) -> Query | None:
        """Read terms joined by ``or``; each side has something to look for."""
        first = self.together(depth)
        operands = [first]
        while self.is_word(_OR):
            at = self.advance()
            if first is None:
                raise refusal("{} needs something to look for before it", at)
            operands.append(self.together(depth))
            if operands[-1] is None:
                raise refusal("{} needs something to look for after it", at)
        return some(tuple(each for each in operands if each is not None)) if first is not None else None

    def together(self, depth: int) -> Query | None:
        """Read terms that all have to hold, up to an ``or``, the closing parenthesis or the end."""
        operands: list[Query] = []
        while self.term.kind not in ("close", "end") and not self.is_word(_OR):
            if self.is_word(_AND):
                self.advance()
                continue
            found = self.one(depth)
            if found is not None:
                operands.append(found)
        return every(tuple(operands)) if operands else None

    def one(self, depth: int) -> Query | None:
        """Read one term, or what stands in parentheses."""
        if self.is_word(_NOT):
            at = self.advance()
            if self.term.kind in ("close", "end") or self.is_word(_OR) or self.is_word(_AND):
                raise refusal("{} needs something after it", at)
            inner = self.one(self.deeper(depth, at))
            if inner is None:
                raise refusal("{} needs something to look for after it", at)
            return negated(inner)
        term = self.advance()
        if term.kind == "open":
            found = self.alternatives(self.deeper(depth, term))
            if self.term.kind != "close":
                raise refusal("a parenthesis is opened and not closed", term, (")",))
            self.advance()
            if found is None:
                raise refusal("nothing to look for stands in the parentheses", term)
        else:
            found = self.word(term)
        return negated(found) if found is not None and term.negated else found

    def word(self, term: Term) -> Query | None:
        """Return what one word asks for, apart from its minus."""
        known = term.name and (term.name in qualifiers.QUALIFIERS or term.name in qualifiers.ALIASES)
        if term.name == qualifiers.SORT:
            if self.order:
                raise refusal("a search is sorted by one thing", term)
            self.order.append(qualifiers.order(term))
            return None
        found = None if known else self.free(term)
        if found is None:
            found = qualifiers.question(term, self._circle)
        self.count(found, term)
        return found

    def free(self, term: Term) -> Query | None:
        """Return what a word without a qualifier asks for; None where it has a name before a colon and is no value."""
        whole = term.whole()
        text = whole.text if whole.quoted else refang(whole.text).text
        value = None if whole.quoted else _value(text)
        if value is None:
            if term.name and not term.text.lstrip("-").startswith('"'):
                return None
            if not text.strip():
                raise refusal("there is nothing between the quotes", term)
            if not term.negated:
                self.words.append(text)
            return qualifiers.contained(text, *_WORD_FIELDS)
        if not self._exactly:
            if not term.negated:
                self.words.append(text)
            return qualifiers.contained(text, *_WORD_FIELDS)
        if not term.negated:
            self.exact.append(value)
        return equal(Field.INDICATOR_VALUE, [Given(text, Token("text", text, whole.position))])

    def deeper(self, depth: int, term: Term) -> int:
        """Return the depth below *depth*."""
        if depth == MAX_DEPTH:
            raise refusal(f"the terms are nested more than {MAX_DEPTH} deep", term)
        return depth + 1

    def count(self, query: Query, term: Term) -> None:
        """Take note of the conditions in *query*, which *term* asks for."""
        self._conditions += sum(map(_weight, leaves(query)))
        if self._conditions > MAX_CONDITIONS:
            raise refusal(f"a search has at most {MAX_CONDITIONS} conditions", term)


def _value(text: str) -> tuple[ObservableType, str] | None:
    """Return the type and the canonical spelling of a text that is an indicator value."""
    found = detect(text)
    if found is not None:
        return found.type, found.value
    try:
        return ObservableType.CERTIFICATE_THUMBPRINT, canonical(ObservableType.CERTIFICATE_THUMBPRINT, text)
    except Unspellable:
        return None


def _weight(query: Query) -> int:
    match query:
        case Within(network):
            return 1 + int(network.rpartition("/")[2])
        case In(_, literals):
            return 1 + len(literals) // 10
        case _:
            return 1


# -- writing ----------------------------------------------------------------------------------------------------------


def values_of(text: str, name: str) -> tuple[str, ...]:
    """Return the values that the terms of *text* give the qualifier *name*, outside parentheses and without a minus.

    Never raises: what cannot be read has none.

    >>> values_of("type:ip,domain -type:url evil", "type")
    ('ip', 'domain')
    """
    return tuple(value.text for term in _given(text, name) for value in term.values())


def with_qualifier(text: str, name: str, values: Sequence[str]) -> str:
    """Return *text* with *values* for the qualifier *name* in place of those it gives; with none, without it.

    A value that begins with a sign keeps it: ``>=high``. A text that cannot be read is kept as it is, before the term.

    >>> with_qualifier("type:ip evil", "type", ["domain", "url"])
    'evil type:domain,url'
    >>> with_qualifier("a or b", "title", ["two words"])
    '(a or b) title:"two words"'
    """
    for term in reversed(_given(text, name)):
        text = text[: term.position].rstrip() + " " + text[term.position + len(term.text) :].lstrip()
    text = text.strip()
    if not values:
        return text
    added = f"{name}:{','.join(map(_written, values))}"
    if name != qualifiers.SORT and _has_alternatives(text):
        text = f"({text})"
    return f"{text} {added}".strip()


def _written(value: str) -> str:
    sign = value[: len(value) - len(value.lstrip("<>="))] or value[: int(value[:1] == "-")]
    return value if value[len(sign) :] and quoted(value[len(sign) :]) == value[len(sign) :] else quoted(value)


def _readable(text: str) -> list[Term]:
    try:
        return terms(text)
    except InvalidFilter:
        return []


def _outside(text: str) -> list[Term]:
    """Return the terms of *text* that stand in no parentheses."""
    found, depth = [], 0
    for term in _readable(text):
        if term.kind == "close":
            depth -= 1
        elif term.kind == "open":
            depth += 1
        elif depth == 0:
            found.append(term)
    return found


def _given(text: str, name: str) -> list[Term]:
    """Return the terms that everything found has to meet; none where they are one of several ways to match."""
    before = ""
    found: list[Term] = []
    if name != qualifiers.SORT and _has_alternatives(text):
        return found
    for term in _outside(text):
        if qualifiers.ALIASES.get(term.name, term.name) == name and not term.negated and before != _NOT:
            found.append(term)
        before = term.text.lower()
    return found


def _has_alternatives(text: str) -> bool:
    return any(term.kind == "word" and term.text.lower() == _OR for term in _outside(text))
