"""OData's `$filter` over machines (SPEC 5.8): read from text, and answered for one device.

`store.device_filters` has SQL say the same. Bounds: those of `query_tokens`, `MAX_DEPTH`, `MAX_CONDITIONS`, `MAX_IN`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from operator import eq as equal
from operator import ge, gt, le, lt, ne
from typing import Any, Final, Literal, NamedTuple, NoReturn, TypeAlias

from indicia.domain.device import Device
from indicia.domain.grouping import folded
from indicia.domain.query_literals import Token, integer, moment, refusal
from indicia.domain.query_tokens import tokens

MAX_DEPTH: Final = 20
MAX_IN: Final = 500
MAX_CONDITIONS: Final = 400

Kind = Literal["text", "number", "time", "list"]
#: What may be asked about, by Defender's names; what is the same for every machine of ours is in `FIXED`.
FIELDS: Final[Mapping[str, Kind]] = {
    "id": "text",
    "computerDnsName": "text",
    "osPlatform": "text",
    "version": "text",
    "healthStatus": "text",
    "rbacGroupName": "text",
    "rbacGroupId": "number",
    "firstSeen": "time",
    "lastSeen": "time",
    "machineTags": "list",
    "onboardingStatus": "text",
    "riskScore": "text",
    "exposureLevel": "text",
    "deviceValue": "text",
    "aadDeviceId": "text",
}
FIXED: Final[Mapping[str, str | None]] = {
    "onboardingStatus": "Onboarded",
    "riskScore": "None",
    "exposureLevel": "None",
    "deviceValue": "Normal",
    "aadDeviceId": None,
}
Operator = Literal["eq", "ne", "gt", "ge", "lt", "le", "contains", "startswith", "endswith"]
_WITHOUT_ORDER: Final = (*FIXED, "healthStatus", "rbacGroupName")
_BY_NAME: Final = {name.lower(): name for name in FIELDS}
_COMPARES: Final = ("eq", "ne", "gt", "ge", "lt", "le")
_PARTS: Final = ("contains", "startswith", "endswith")


class Test(NamedTuple):
    """A field and a literal; texts compare by `folded`, and null is equal to null alone, has no order."""

    field: str
    operator: Operator
    literal: str | int | datetime | None


class Every(NamedTuple):
    """The machines that all of these hold of."""

    operands: tuple[Condition, ...]


class Some(NamedTuple):
    """The machines that one of these holds of."""

    alternatives: tuple[Condition, ...]


class Opposite(NamedTuple):
    """The machines that this does not hold of."""

    of: Condition


Condition: TypeAlias = "Test | Every | Some | Opposite"
_ORDERS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {"gt": gt, "ge": ge, "lt": lt, "le": le}


def parse_machines(text: str) -> Condition:
    """Return the tree of the filter *text*; raises `InvalidFilter` and nothing else.

    >>> parse_machines("HealthStatus eq 'Active'")
    Test(field='healthStatus', operator='eq', literal='active')
    """
    parser = _Parser(text)
    found = parser.alternatives(0)
    parser.end()
    return found


def holds(condition: Condition, device: Device, group: str | None, now: datetime) -> bool:
    """Return whether *condition* holds of a device whose group is called *group*."""
    match condition:
        case Every(operands):
            return all(holds(each, device, group, now) for each in operands)
        case Some(alternatives):
            return any(holds(each, device, group, now) for each in alternatives)
        case Opposite(of):
            return not holds(of, device, group, now)
        case Test(field, operator, literal):
            if field == "machineTags":
                return literal in [_small(tag) for tag in device.tags]
            return _compare(_value(field, device, group, now), operator, literal)


def _compare(value: Any, operator: Operator, literal: Any) -> bool:
    if operator in ("eq", "ne"):
        return bool((equal if operator == "eq" else ne)(value, literal))
    if value is None or literal is None:
        return False
    match operator:
        case "contains":
            return literal in value
        case "startswith":
            return bool(value.startswith(literal))
        case "endswith":
            return bool(value.endswith(literal))
        case _:
            return _ORDERS[operator](value, literal)


def _value(field: str, device: Device, group: str | None, now: datetime) -> Any:
    match field:
        case "id":
            return device.machine_id
        case "computerDnsName":
            return device.dns_name
        case "osPlatform":
            return _small(device.os_platform)
        case "version":
            return None if device.os_version is None else _small(device.os_version)
        case "healthStatus":
            return "active" if device.is_active(now) else "inactive"
        case "rbacGroupName":
            return None if group is None else folded(group)
        case "rbacGroupId":
            return device.group or 0
        case "firstSeen":
            return device.first_seen
        case "lastSeen":
            return device.last_seen
        case _:
            fixed = FIXED[field]
            return None if fixed is None else _small(fixed)


def _small(text: str) -> str:
    """Return *text* with its ASCII letters made small: what every engine can do alike."""
    return text.translate(_SMALL)


_SMALL: Final = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}
#: How the literal of a field is spelled that is kept folded; others only lose the case of their ASCII letters.
_KEYS: Final = {"computerDnsName": folded, "rbacGroupName": folded}


class _Parser:
    """Reads one text from left to right; ``token`` is the one that comes next."""

    def __init__(self, text: str) -> None:
        self._tokens = tokens(text)
        self._next = 0
        self._conditions = 0
        self.token = self._tokens[0]

    @property
    def word(self) -> str:
        """The token that comes next, in small letters."""
        return self.token.text.lower()

    def advance(self) -> Token:
        """Take the token that comes next."""
        taken = self.token
        self._next = min(self._next + 1, len(self._tokens) - 1)
        self.token = self._tokens[self._next]
        return taken

    def accept(self, *words: str) -> Token | None:
        """Take the token that comes next if it is one of *words*."""
        return self.advance() if self.token.kind != "text" and self.word in words else None

    def expect(self, word: str) -> None:
        """Take the token that comes next, which is *word*."""
        if self.accept(word) is None:
            self.fail(word)

    def end(self) -> None:
        """Make sure that the text is at its end."""
        if self.token.kind != "end":
            self.fail("and, or or the end")

    def fail(self, wanted: str, allowed: tuple[str, ...] = ()) -> NoReturn:
        """Say that *wanted* was expected here."""
        raise refusal(f"expected {wanted}, not {{}}", self.token, allowed)

    def alternatives(self, depth: int) -> Condition:
        """Read conditions that are joined by ``or``."""
        found = [self.together(depth)]
        while self.accept("or"):
            found.append(self.together(depth))
        return found[0] if len(found) == 1 else Some(tuple(found))

    def together(self, depth: int) -> Condition:
        """Read conditions that are joined by ``and``."""
        found = [self.one(depth)]
        while self.accept("and"):
            found.append(self.one(depth))
        return found[0] if len(found) == 1 else Every(tuple(found))

    def one(self, depth: int) -> Condition:
        """Read one condition."""
        self._conditions += 1
        if depth > MAX_DEPTH or self._conditions > MAX_CONDITIONS:
            raise refusal("there are too many conditions, or they are nested too deeply", self.token)
        if self.accept("not"):
            return Opposite(self.one(depth + 1))
        if self.accept("("):
            found = self.alternatives(depth + 1)
            self.expect(")")
            return found
        if self.word in _PARTS and self.token.kind == "word":
            return self.part()
        field, token = self.field()
        if FIELDS[field] == "list":
            return self.tag(field)
        if self.accept("in"):
            return self.among(field)
        operator = self.accept(*_COMPARES)
        if operator is None:
            self.fail(f"an operator after {token.text}", (*_COMPARES, "in"))
        return _test(field, operator.text.lower(), self.literal(field), operator)

    def field(self) -> tuple[str, Token]:
        """Read the name of a property."""
        field = _BY_NAME.get(self.word)
        if field is None or self.token.kind != "word":
            raise refusal("{} is not a property that machines are found by", self.token, tuple(FIELDS))
        return field, self.advance()

    def part(self) -> Condition:
        """Read a function that looks for a part of a text."""
        function = self.advance().text.lower()
        self.expect("(")
        field, token = self.field()
        if FIELDS[field] != "text":
            raise refusal(f"{{}} is a {FIELDS[field]}: it has no parts", token)
        self.expect(",")
        literal = self.literal(field)
        self.expect(")")
        return _test(field, function, literal, token)

    def among(self, field: str) -> Condition:
        """Read a list of literals."""
        opening = self.accept("(", "[")
        if opening is None:
            self.fail("a list", ("(", "["))
        found: list[Condition] = [_test(field, "eq", self.literal(field), opening)]
        while self.accept(","):
            if len(found) == MAX_IN:
                raise refusal(f"a list has more than {MAX_IN} items", self.token)
            found.append(_test(field, "eq", self.literal(field), opening))
        self.expect(")" if opening.text == "(" else "]")
        return Some(tuple(found))

    def tag(self, field: str) -> Condition:
        """Read ``/any(tag: tag eq 'X')``."""
        for word in ("/", "any", "("):
            self.expect(word)
        if self.token.kind != "word":
            self.fail("a name for the item")
        variable = self.advance().text.lower()
        self.expect(":")
        self.expect(variable)
        self.expect("eq")
        literal = self.literal(field)
        self.expect(")")
        return Test(field, "eq", literal)

    def literal(self, field: str) -> str | int | datetime | None:
        """Read one literal that goes with *field*."""
        token, kind = self.token, FIELDS[field]
        found: str | int | datetime | None
        if token.kind == "word" and self.word == "null" and kind != "list":
            found = None
        elif kind in ("text", "list") and token.kind == "text":
            found = _KEYS.get(field, _small)(token.text[1:-1].replace("''", "'"))
        elif kind == "number" and token.kind in ("number", "text"):
            digits = token.text.strip("'")
            if not digits.lstrip("-").isdecimal() or not digits.isascii():
                raise refusal("{} is not a number", token)
            found = integer(digits, token)
        elif kind == "time" and token.kind in ("time", "legacy", "text"):
            text = token.text[token.text.index("'") + 1 : -1] if "'" in token.text else token.text
            at = moment(text)
            if at is None:
                raise refusal("{} is not a time", token)
            found = at.at
        else:
            self.fail({"text": "a text in quotes", "list": "a text in quotes"}.get(kind, f"a {kind}"))
        self.advance()
        return found


def _test(field: str, operator: str, literal: str | int | datetime | None, token: Token) -> Test:
    if operator in ("gt", "ge", "lt", "le") and field in _WITHOUT_ORDER:
        raise refusal(f"{field} has no order for {{}}", token, ("eq", "ne", "in"))
    return Test(field, operator, literal)  # type: ignore[arg-type]  # one of the operators: it was read from them
