"""What a literal means for a field: the typed questions of which a filter is made."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from typing import Final, Literal, NamedTuple

from indicia.domain.indicator import Action, Category, Severity, Status
from indicia.domain.networks import beginning
from indicia.domain.observable import ObservableType, Unspellable, canonical
from indicia.domain.query import (
    CATEGORY_NUMBERS,
    KINDS,
    NAMES,
    NO_CATEGORY,
    About,
    And,
    Compare,
    Constant,
    Field,
    Fold,
    Has,
    In,
    InvalidFilter,
    Kind,
    Order,
    Query,
    Scalar,
    Text,
    some,
)

_SMALLEST, _LARGEST = -(2**63), 2**63 - 1
_SHOWN_CHARACTERS = 60
_INTEGER = re.compile(r"-?[0-9]+")
#: The zone may follow a space: a ``+`` that a client forgot to encode is decoded to one.
TIME_PATTERN: Final = (
    r"(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,12}))?)?)?(?:[Zz]|([-+ ])(\d\d):(\d\d))?"
)
_TIME = re.compile(TIME_PATTERN, re.ASCII)
_MICROSECOND_DIGITS = 6

_CHOICES: Mapping[Field, Mapping[str, StrEnum | None]] = {
    Field.INDICATOR_TYPE: {name.lower(): name for name in ObservableType},
    Field.ACTION: {name.lower(): name for name in Action},
    Field.SEVERITY: {name.lower(): name for name in Severity},
    Field.CATEGORY: {name.lower(): name for name in Category}
    | {str(number): name for name, number in CATEGORY_NUMBERS.items()}
    | {"none": None, str(NO_CATEGORY): None},
    Field.STATUS: {name.lower(): name for name in Status},
}
#: SPEC 9.3: what older clients call an action that also raises an alert.
_LEGACY_ACTIONS: Mapping[str, Action] = {"alert": Action.AUDIT, "alertandblock": Action.BLOCK_AND_REMEDIATE}


class Token(NamedTuple):
    """A piece of a filter as it was written, and where."""

    kind: str
    text: str
    position: int


class Moment(NamedTuple):
    """A time as finely as we keep times; *exact* is false where the literal was finer."""

    at: datetime
    exact: bool


class Given(NamedTuple):
    """A literal, before the field is known that tells what it means."""

    value: str | int | bool | Moment | None
    token: Token


def refusal(message: str, token: Token, allowed: Sequence[str] = ()) -> InvalidFilter:
    """Return the error that points at *token*; ``{}`` in *message* stands for it."""
    text = token.text if len(token.text) <= _SHOWN_CHARACTERS else token.text[:_SHOWN_CHARACTERS] + "…"
    return InvalidFilter(message.replace("{}", text or "the end", 1), token.position, text, tuple(allowed))


def integer(digits: str, token: Token) -> int:
    """Return the integer that *digits* are; raises `InvalidFilter` where it needs more than 64 bits."""
    # The length is looked at first: of thousands of digits `int` makes an error of its own.
    number = int(digits) if len(digits) <= _SHOWN_CHARACTERS else _LARGEST + 1
    if not _SMALLEST <= number <= _LARGEST:
        raise refusal("{} is more than 64 bits can hold", token)
    return number


def moment(text: str) -> Moment | None:
    """Return the time that *text* spells, in UTC where it names no zone; None where it spells none.

    >>> moment("2018-08-01T02:00:00.1234567+02:00").at.isoformat()
    '2018-08-01T02:00:00.123456+02:00'
    >>> moment("2018-13-01Z") is None
    True
    """
    found = _TIME.fullmatch(text)
    if found is None:
        return None
    *numbers, fraction, sign, zone_hours, zone_minutes = found.groups()
    year, month, day, hour, minute, second = (int(number or 0) for number in numbers)
    fraction = fraction or ""
    zone = UTC
    try:
        if sign is not None:
            away = timedelta(hours=int(zone_hours), minutes=int(zone_minutes))
            zone = timezone(-away if sign == "-" else away)
        microsecond = int(fraction[:_MICROSECOND_DIGITS].ljust(_MICROSECOND_DIGITS, "0"))
        at = datetime(year, month, day, hour, minute, second, microsecond, zone)
    except ValueError:
        return None
    return Moment(at, exact=not fraction[_MICROSECOND_DIGITS:].strip("0"))


def equal(field: Field, literals: Sequence[Given], fold: Fold | None = None) -> Query:
    """Return the question whether *field* is one of *literals*; raises `InvalidFilter` where one makes no sense."""
    kind = KINDS[field]
    if kind is Kind.VALUE and fold is None:
        return _about([_text(field, literal) for literal in literals])
    if kind is Kind.LIST:
        return some(tuple(dict.fromkeys(_has(field, literal) for literal in literals)))
    parts: dict[Query, None] = {}
    scalars: dict[Scalar, None] = {}
    for literal in literals:
        value = literal.value
        if field is Field.ACTION and isinstance(value, str) and value.lower() in _LEGACY_ACTIONS:
            action = _LEGACY_ACTIONS[value.lower()]
            parts[And((Compare(field, "eq", action), Compare(Field.GENERATE_ALERT, "eq", literal=True)))] = None
        elif kind is Kind.TIME and value is not None:
            at, exact = _time(field, literal)
            if exact:  # a time that is finer than any that we keep equals none of them
                scalars[at] = None
        else:
            scalars[_scalar(field, kind, literal)] = None
    if len(scalars) == 1:
        parts[Compare(field, "eq", next(iter(scalars)), fold)] = None
    elif scalars:
        parts[In(field, tuple(scalars), fold)] = None
    return some(tuple(parts))


def ordered(field: Field, operator: Order, literal: Given, at: Token, fold: Fold | None = None) -> Query:
    """Return the question how *field* compares to *literal*; *at* is where the operator stands."""
    kind = KINDS[field]
    if kind in (Kind.CHOICE, Kind.FLAG, Kind.LIST):
        raise refusal(f"{field} is {kind.value}: it has no order for {{}}", at, ("eq", "ne", "in"))
    if literal.value is None:
        return Constant(value=False)
    if kind is not Kind.TIME:
        return Compare(field, operator, _scalar(field, kind, literal), fold)
    limit, exact = _time(field, literal)
    if not exact:  # *limit* was cut to what we keep: nothing that we keep lies between the two
        operator = "gt" if operator in ("gt", "ge") else "le"
    return Compare(field, operator, limit)


def part(
    function: Literal["contains", "startswith", "endswith"],
    field: Field,
    literal: Given,
    at: Token,
    fold: Fold | None = None,
) -> Query:
    """Return the question whether *field* has *literal* as a part; *at* is where the field stands."""
    kind = KINDS[field]
    if kind is Kind.LIST and function == "contains":
        return _has(field, literal)
    if kind not in (Kind.TEXT, Kind.VALUE):
        raise refusal(f"{function} needs a text, and {{}} is {kind.value}", at)
    if not isinstance(literal.value, str):
        raise refusal(f"{{}} is not a text in quotes, as {function} needs it", literal.token)
    return Text(function, field, literal.value, fold)


def _about(texts: Sequence[str | None]) -> Query:
    values: set[tuple[ObservableType, str]] = set()
    written: set[str] = set()
    for text in texts:
        if text is not None:
            spelled = spellings(text)
            values.update(spelled)
            if not spelled:
                written.add(text)
    return About(frozenset(values), frozenset(written))


def spellings(text: str) -> list[tuple[ObservableType, str]]:
    """Return every type that *text* spells a value of, with the canonical spelling."""
    spelled = []
    for kind in ObservableType:
        try:
            spelled.append((kind, canonical(kind, text)))
        except Unspellable:
            continue
    return spelled


def _has(field: Field, literal: Given) -> Query:
    value = literal.value
    if value is None:
        return Compare(field, "eq", None)
    if field is Field.RBAC_GROUP_IDS and isinstance(value, int) and not isinstance(value, bool):
        return Has(field, str(value))
    if not isinstance(value, str):
        raise refusal(f"{{}} is not a text in quotes, and {field} is {Kind.LIST.value}", literal.token)
    return Has(field, value)


def _scalar(field: Field, kind: Kind, literal: Given) -> Scalar:
    if literal.value is None:
        return None
    if kind in (Kind.CHOICE, Kind.RANK):
        return _choice(field, literal)
    if kind is Kind.NUMBER:
        return _number(field, literal)
    if kind is Kind.FLAG:
        return _flag(field, literal)
    return _text(field, literal)


def _choice(field: Field, literal: Given) -> StrEnum | None:
    value, choices = literal.value, _CHOICES[field]
    name = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(name, str) or name.lower() not in choices:
        raise refusal(f"{{}} is not one that {field} can be", literal.token, NAMES[field])
    return choices[name.lower()]


def _number(field: Field, literal: Given) -> int:
    value = literal.value
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        return integer(value, literal.token)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise refusal(f"{{}} is not an integer, and {field} is one", literal.token)


def _flag(field: Field, literal: Given) -> bool:
    value = literal.value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if isinstance(value, bool):
        return value
    raise refusal(f"{{}} is not what {field} can be", literal.token, ("true", "false"))


def _time(field: Field, literal: Given) -> Moment:
    value = literal.value
    found = moment(value) if isinstance(value, str) else value
    if isinstance(found, Moment):
        return found
    raise refusal(
        f"{{}} is not a time, and {field} is one", literal.token, ("2018-08-01Z", "2018-08-01T12:30:00Z", "null")
    )


def _text(field: Field, literal: Given) -> str | None:
    value = literal.value
    if value is None or isinstance(value, str):
        return value
    raise refusal(f"{{}} is not a text in quotes, and {field} is a text", literal.token)


def network(literal: Given) -> str:
    """Return the canonical network that *literal* names, one whose addresses can be told by how they begin."""
    text = literal.value
    try:
        found = canonical(ObservableType.IP_RANGE, text) if isinstance(text, str) else ""
    except Unspellable:
        found = ""
    if not found or beginning(found) is None:
        message = "{} is not a network in quotes whose addresses all begin alike, and no others do"
        raise refusal(message, literal.token, ("'10.0.0.0/8'", "'192.0.2.0/25'", "'2001:db8::/32'"))
    return found
