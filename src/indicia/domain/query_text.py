"""OData's `$filter` and `$orderby` as text: a parser whose work is bounded by the length of what it reads.

Any text gives a tree or an `InvalidFilter`, which names the place. Names and keywords match in any case, because
clients vary. Bounds: `MAX_BYTES`, `MAX_TOKENS`, `MAX_CONDITIONS`, `MAX_DEPTH`, `MAX_IN`, `MAX_ORDER`.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple, NoReturn

from indicia.domain.query import (
    CONTESTED,
    KINDS,
    WITHIN,
    Compare,
    Constant,
    Contested,
    Field,
    Fold,
    Kind,
    OrderBy,
    Query,
    Within,
    every,
    negated,
    some,
)
from indicia.domain.query_literals import (
    Given,
    Token,
    equal,
    integer,
    moment,
    network,
    ordered,
    part,
    refusal,
)
from indicia.domain.query_tokens import MAX_BYTES, MAX_TOKENS, tokens

__all__ = [
    "MAX_BYTES",
    "MAX_CONDITIONS",
    "MAX_DEPTH",
    "MAX_IN",
    "MAX_ORDER",
    "MAX_TOKENS",
    "parse_filter",
    "parse_orderby",
]

MAX_DEPTH: Final = 20
MAX_IN: Final = 500
#: SQLite refuses expressions that are 1,000 deep, and a chain of ``or`` is as deep as it is long.
MAX_CONDITIONS: Final = 400
MAX_ORDER: Final = 5

_FIELDS: dict[str, Field] = {field.lower(): field for field in Field}
_SORTABLE = tuple(field for field in Field if KINDS[field] is not Kind.LIST)
_FUNCTIONS: dict[str, Literal["contains", "startswith", "endswith"]] = {
    "contains": "contains",
    "startswith": "startswith",
    "endswith": "endswith",
}
_FOLDS: dict[str, Fold] = {"tolower": "lower", "toupper": "upper"}
_FOLDABLE = (Kind.TEXT, Kind.VALUE)
_OPERATORS = ("eq", "ne", "gt", "ge", "lt", "le")
_MIRRORED = {"gt": "lt", "ge": "le", "lt": "gt", "le": "ge"}
_CONSTANTS: dict[str, bool | None] = {"true": True, "false": False, "null": None}
_LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}
_UPPER = {code + 32: code for code in _LOWER}
_CONTESTED = CONTESTED.lower()
_CLOSING = {"(": ")", "[": "]"}


def parse_filter(text: str) -> Query:
    """Return the tree of the OData filter *text*; raises `InvalidFilter` and nothing else.

    >>> parse_filter("Severity ge 'medium' and not contains(title, 'it''s')").operands[0]
    Compare(field=<Field.SEVERITY: 'severity'>, operator='ge', literal=<Severity.MEDIUM: 'Medium'>, fold=None)
    """
    parser = _Parser(text)
    query = parser.condition(0)
    parser.end("and, or or the end")
    return query


def parse_orderby(text: str) -> tuple[OrderBy, ...]:
    """Return the keys of the OData order *text*, most significant first; raises `InvalidFilter` and nothing else.

    >>> parse_orderby("severity desc, title")[0].descending
    True
    """
    parser = _Parser(text)
    keys = [parser.order()]
    while parser.accept(","):
        if len(keys) == MAX_ORDER:
            raise refusal(f"there are more than {MAX_ORDER} keys", parser.token)
        keys.append(parser.order())
    parser.end("a comma or the end")
    return tuple(keys)


class _Named(NamedTuple):
    """A field, as it stands in a comparison."""

    field: Field
    fold: Fold | None
    token: Token


_Operand = _Named | Given | Query


class _Parser:
    """Reads one text from left to right; ``token`` is the one that comes next."""

    def __init__(self, text: str) -> None:
        self._tokens = tokens(text)
        self._next = 0
        self._conditions = 0
        self.token = self._tokens[0]
        self.word = self.token.text.lower()

    def advance(self) -> Token:
        """Take the token that comes next."""
        taken = self.token
        self._next = min(self._next + 1, len(self._tokens) - 1)
        self.token = self._tokens[self._next]
        self.word = self.token.text.lower()
        return taken

    def accept(self, *words: str) -> Token | None:
        """Take the token that comes next if it is one of *words*."""
        return self.advance() if self.word in words else None

    def expect(self, word: str) -> Token:
        """Take the token that comes next, which is *word*."""
        return self.accept(word) or self.fail(word)

    def end(self, wanted: str) -> None:
        """Make sure that the text is at its end."""
        if self.token.kind != "end":
            self.fail(wanted)

    def fail(self, wanted: str, allowed: tuple[str, ...] = ()) -> NoReturn:
        """Say that *wanted* was expected here."""
        raise refusal(f"expected {wanted}, not {{}}", self.token, allowed)

    def order(self) -> OrderBy:
        """Read one key of an order."""
        token = self.token
        field = self.field(_SORTABLE)
        if field not in _SORTABLE:
            raise refusal("{} is a list: it has no order", token, _SORTABLE)
        direction = self.accept("asc", "desc")
        return OrderBy(field, descending=direction is not None and direction.text.lower() == "desc")

    def field(self, allowed: tuple[str, ...] = tuple(Field)) -> Field:
        """Read the name of a field."""
        field = _FIELDS.get(self.word)
        if field is None:
            raise refusal("{} is not a property that can be used here", self.token, allowed)
        self.advance()
        return field

    def condition(self, depth: int) -> Query:
        """Read conditions that are joined by ``or``."""
        operands = [self.conjunction(depth)]
        while self.accept("or"):
            operands.append(self.conjunction(depth))
        return some(tuple(operands))

    def conjunction(self, depth: int) -> Query:
        """Read conditions that are joined by ``and``."""
        operands = [self.negation(depth)]
        while self.accept("and"):
            operands.append(self.negation(depth))
        return every(tuple(operands))

    def negation(self, depth: int) -> Query:
        """Read one condition, with any ``not`` before it.

        ``not`` takes the comparison that follows it, as every client means it and no grammar of OData says.
        """
        token = self.accept("not")
        return self.comparison(depth) if token is None else negated(self.negation(self.deeper(depth, token)))

    def comparison(self, depth: int) -> Query:
        """Read one comparison, or one operand that is a condition by itself."""
        start = self.token
        self.count(1, start)
        left = self.operand(depth)
        operator = self.accept(*_OPERATORS)
        if operator is not None:
            return _compared(left, operator, self.operand(depth))
        if isinstance(left, _Named):
            if self.accept("in"):
                literals = self.literals()
                self.count(len(literals) - 1 if KINDS[left.field] is Kind.LIST else 0, start)
                return equal(left.field, literals, left.fold)
            if KINDS[left.field] is Kind.FLAG:
                return Compare(left.field, "eq", literal=True)
            self.fail(f"an operator after {left.token.text}", (*_OPERATORS, "in"))
        if isinstance(left, Given):
            if isinstance(left.value, bool):
                return Constant(left.value)
            raise refusal("{} alone is no condition", start)
        return left

    def operand(self, depth: int) -> _Operand:
        """Read a field, a literal, a function or a condition in parentheses."""
        token = self.token
        if token.kind == "mark" and self.accept("("):
            inner = self.condition(self.deeper(depth, token))
            self.expect(")")
            return inner
        if token.kind != "word" or self.word in _CONSTANTS:
            return self.literal()
        if self.word in _FUNCTIONS:
            return self.function()
        if self.word in _FOLDS:
            return self.folded()
        if self.word == _CONTESTED:
            self.advance()
            return Contested()
        if self.word == WITHIN:
            return self.within()
        field = self.field((*Field, *_FUNCTIONS, *_FOLDS, WITHIN, CONTESTED))
        if self.word == "/":
            return self.lambda_(field)
        return _Named(field, None, token)

    def deeper(self, depth: int, token: Token) -> int:
        """Return the depth below *depth*."""
        if depth == MAX_DEPTH:
            raise refusal(f"the conditions are nested more than {MAX_DEPTH} deep", token)
        return depth + 1

    def count(self, conditions: int, token: Token) -> None:
        """Take note of *conditions* that begin at *token*."""
        self._conditions += conditions
        if self._conditions > MAX_CONDITIONS:
            raise refusal(f"there are more than {MAX_CONDITIONS} conditions", token)

    def function(self) -> Query:
        """Read a function that looks for a part of a text."""
        function = _FUNCTIONS[self.advance().text.lower()]
        self.expect("(")
        token = self.token
        named = self.folded() if self.word in _FOLDS else _Named(self.field(), None, token)
        if not isinstance(named, _Named):
            raise refusal(f"{function} looks into a property, and {{}} is none", token, tuple(Field))
        self.expect(",")
        literal = self.folded() if self.word in _FOLDS else self.literal()
        if not isinstance(literal, Given):
            raise refusal(f"{function} looks for a literal", literal.token)
        self.expect(")")
        return part(function, named.field, literal, named.token, named.fold)

    def within(self) -> Query:
        """Read the question whether the value is an address or a range in a network."""
        self.advance()
        self.expect("(")
        self.expect(Field.INDICATOR_VALUE.lower())
        self.expect(",")
        start, literal = self.token, self.literal()
        self.expect(")")
        found = network(literal)
        self.count(int(found.rpartition("/")[2]), start)
        return Within(found)

    def folded(self) -> _Named | Given:
        """Read `tolower` or `toupper` around a field or a text."""
        fold = _FOLDS[self.advance().text.lower()]
        self.expect("(")
        token = self.token
        folded: _Named | Given
        if token.kind == "word" and self.word not in _CONSTANTS:
            folded = _Named(self.field(), fold, token)
            kind = KINDS[folded.field]
            if kind in (Kind.CHOICE, Kind.RANK):  # their names match in any case
                folded = folded._replace(fold=None)
            elif kind not in _FOLDABLE:
                raise refusal(f"{{}} is {kind.value}: it has no case", token)
        else:
            literal = self.literal()
            if not isinstance(literal.value, str):
                raise refusal("{} is not a text in quotes", token)
            folded = Given(literal.value.translate(_LOWER if fold == "lower" else _UPPER), token)
        self.expect(")")
        return folded

    def literal(self) -> Given:
        """Read one literal."""
        token = self.token
        if token.kind == "text":
            given = Given(token.text[1:-1].replace("''", "'"), token)
        elif token.kind == "word" and self.word in _CONSTANTS:
            given = Given(_CONSTANTS[self.word], token)
        elif token.kind == "number":
            given = Given(integer(token.text, token), token)
        elif token.kind in ("time", "legacy"):
            at = moment(token.text[token.text.index("'") + 1 : -1] if token.kind == "legacy" else token.text)
            if at is None:
                raise refusal("{} is not a time", token)
            given = Given(at, token)
        else:
            self.fail("a property or a literal")
        self.advance()
        return given

    def literals(self) -> list[Given]:
        """Read a list of literals in parentheses or brackets."""
        opening = self.accept("(", "[") or self.fail("a list", ("(", "["))
        literals = [self.literal()]
        while self.accept(","):
            if len(literals) == MAX_IN:
                raise refusal(f"a list has more than {MAX_IN} items", self.token)
            literals.append(self.literal())
        self.expect(_CLOSING[opening.text])
        return literals

    def lambda_(self, field: Field) -> Query:
        """Read what follows the name of a list: ``/any(g: g eq 'X' or g in ('Y', 'Z'))``, or ``/any()``."""
        if KINDS[field] is not Kind.LIST:
            raise refusal(f"{field} is {KINDS[field].value}, not {Kind.LIST.value}", self.token)
        self.expect("/")
        self.expect("any")
        self.expect("(")
        if self.accept(")"):
            return negated(Compare(field, "eq", None))
        if self.token.kind != "word":
            self.fail("a name for the item")
        variable = self.advance().text.lower()
        self.expect(":")
        terms = [self.term(field, variable)]
        while self.accept("or"):
            terms.append(self.term(field, variable))
        self.expect(")")
        return some(tuple(terms))

    def term(self, field: Field, variable: str) -> Query:
        """Read what one item of a list may be."""
        if self.token.kind != "word":
            literals = [self.literal()]
            self.expect("eq")
            self.expect(variable)
        else:
            self.expect(variable)
            literals = [self.literal()] if self.accept("eq") else self.literals() if self.accept("in") else []
        if not literals:
            self.fail("eq or in", ("eq", "in"))
        self.count(len(literals), self.token)
        return equal(field, literals)


def _compared(left: _Operand, operator: Token, right: _Operand) -> Query:
    """Return what *operator* says of its two sides, whichever of them is the literal."""
    name = operator.text.lower()
    if isinstance(left, Given):
        left, right, name = right, left, _MIRRORED.get(name, name)
    if isinstance(left, Given) or not isinstance(right, Given):
        raise refusal("{} compares a property with a literal", operator)
    if isinstance(left, _Named):
        query = _compared_field(left, name, operator, right)
    elif name not in ("eq", "ne") or not isinstance(right.value, bool):
        raise refusal("a condition can only be compared with true or false", operator, ("eq true", "eq false"))
    else:
        query = left if right.value else negated(left)
    return negated(query) if name == "ne" else query


def _compared_field(named: _Named, name: str, operator: Token, literal: Given) -> Query:
    match name:
        case "gt" | "ge" | "lt" | "le":
            return ordered(named.field, name, literal, operator, named.fold)
        case _:
            return equal(named.field, [literal], named.fold)
