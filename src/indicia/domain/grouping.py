"""Which device group a device is in (SPEC 3.4): the first in rank whose rule matches, and why.

A rule is a set of conditions: those on one field are alternatives, and every field that has any has to be met. How
large or small letters are, and how a character is spelled in Unicode, makes no difference.
"""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final, NamedTuple, TypeVar

from indicia.domain.errors import Problem
from indicia.domain.substrings import Substrings

#: What a device is called to be in that has no group.
UNGROUPED: Final = "Ungrouped devices (default)"
#: Rows of one field in one rule (SPEC 3.4 has it for names, domains and tags).
MOST_ROWS: Final = 10
#: Values of one row, with the operator ``in``.
MOST_VALUES: Final = 100
#: Values in the rules of all groups together, so that a regroup takes seconds at worst.
MOST_VALUES_IN_ALL: Final = 100_000
VALUE_CHARACTERS: Final = 256
_BEGIN, _END = "\x02", "\x03"


class Field(StrEnum):
    """What of a device a condition looks at."""

    NAME = "name"
    DOMAIN = "domain"
    TAG = "tag"
    OS_PLATFORM = "osPlatform"


class Operator(StrEnum):
    """How a condition compares."""

    EQUALS = "equals"
    STARTS_WITH = "startsWith"
    ENDS_WITH = "endsWith"
    CONTAINS = "contains"
    IN = "in"


class Condition(NamedTuple):
    """One row of a rule; ``values`` has one item, unless the operator is ``in``."""

    field: Field
    operator: Operator
    values: tuple[str, ...]

    def __str__(self) -> str:
        words = {"startsWith": "starts with", "endsWith": "ends with", "in": "is one of", "equals": "is"}
        field = {"osPlatform": "OS platform"}.get(self.field, self.field.value)
        return f"{field} {words.get(self.operator, self.operator.value)} {', '.join(self.values)}"


Rule = tuple[Condition, ...]


class Facts(NamedTuple):
    """What rules look at of a device."""

    name: str
    domain: str
    tags: tuple[str, ...]
    os_platform: str


class Ruled(NamedTuple):
    """A device group, for finding its members: rank 1 is the highest; an empty rule matches no device."""

    id: int
    rank: int
    rule: Rule


def folded(text: str) -> str:
    """Return *text* as rules compare it.

    >>> folded("SRV-Ⅷ"), folded("Straße") == folded("STRASSE")
    ('srv-viii', True)
    """
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


# -- what it means ----------------------------------------------------------------------------------------------------


def meets(condition: Condition, facts: Facts) -> bool:
    """Return whether a device meets one condition: by any of its tags, where it is about tags."""
    match condition.field:
        case Field.TAG:
            texts: Sequence[str] = facts.tags
        case Field.NAME:
            texts = (facts.name,)
        case Field.DOMAIN:
            texts = (facts.domain,)
        case _:
            texts = (facts.os_platform,)
    wanted = [folded(value) for value in condition.values]
    return any(_compare(condition.operator, folded(text), wanted) for text in texts)


def _compare(operator: Operator, text: str, wanted: Sequence[str]) -> bool:
    match operator:
        case Operator.STARTS_WITH:
            return text.startswith(wanted[0])
        case Operator.ENDS_WITH:
            return text.endswith(wanted[0])
        case Operator.CONTAINS:
            return wanted[0] in text
        case _:
            return text in wanted


def unmet(rule: Rule, facts: Facts) -> Field | None:
    """Return the first field whose conditions a device meets none of, None where the rule matches; it is not empty."""
    for field in Field:
        rows = [row for row in rule if row.field is field]
        if rows and not any(meets(row, facts) for row in rows):
            return field
    return None


def matches(rule: Rule, facts: Facts) -> bool:
    """Return whether a device is what *rule* describes; an empty rule describes none."""
    return bool(rule) and unmet(rule, facts) is None


def group_by_definition(groups: Iterable[Ruled], facts: Facts) -> int | None:
    """Return the group of one device as SPEC 3.4 says it; `Grouper` gives the same, and is made for many."""
    ranked = sorted(groups, key=lambda group: (group.rank, group.id))
    return next((group.id for group in ranked if matches(group.rule, facts)), None)


# -- for many devices -------------------------------------------------------------------------------------------------


class Grouper:
    """All rules at once: finds the group of each of very many devices.

    Every group has a bit, the highest ranked the lowest one. What a device says in a field gives the set of groups
    that have nothing against it there; what is in all four sets matches, and its lowest bit is the group.
    """

    def __init__(self, groups: Iterable[Ruled]) -> None:
        ranked = sorted(groups, key=lambda group: (group.rank, group.id))
        self._ids = [group.id for group in ranked]
        rules = [group.rule for group in ranked]
        self._name = _Field(Field.NAME, rules)
        self._domain = _Field(Field.DOMAIN, rules)
        self._tag = _Field(Field.TAG, rules)
        self._platform = _Field(Field.OS_PLATFORM, rules)
        self._with_rule = sum(1 << place for place, rule in enumerate(rules) if rule)
        # Many devices share everything but their names.
        self._rest: dict[tuple[str, str, tuple[str, ...]], int] = {}

    @classmethod
    def of(cls, groups: Iterable[Ruled]) -> Grouper:
        """Return what finds the members of *groups*."""
        return cls(groups)

    def group_of(self, facts: Facts) -> int | None:
        """Return the number of the group that a device is in, None for none."""
        name, domain, tags, platform = facts
        rest = self._rest.get((domain, platform, tags))
        if rest is None:
            rest = self._apart_from_name(domain, platform, tags)
        found = rest and rest & self._name.allowed(folded(name))
        return self._ids[(found & -found).bit_length() - 1] if found else None

    def _apart_from_name(self, domain: str, platform: str, tags: tuple[str, ...]) -> int:
        found = self._with_rule & self._domain.allowed(folded(domain)) & self._platform.allowed(folded(platform))
        by_tags = self._tag.silent
        for tag in tags:
            by_tags |= self._tag.allowed(folded(tag))
        found &= by_tags
        if len(self._rest) < _MEMO_ENTRIES:
            self._rest[(domain, platform, tags)] = found
        return found


_MEMO_ENTRIES: Final = 100_000


class _Field:
    """The conditions of all groups on one field; ``silent`` are the groups that have none there."""

    def __init__(self, field: Field, rules: Sequence[Rule]) -> None:
        self.silent = 0
        self._whole: dict[str, int] = {}
        parts: dict[str, int] = {}
        for place, rule in enumerate(rules):
            bit = 1 << place
            rows = [row for row in rule if row.field is field]
            if not rows:
                self.silent |= bit
            for _field, operator, values in rows:
                for value in map(folded, values):
                    if operator is Operator.EQUALS or operator is Operator.IN:
                        self._whole[value] = self._whole.get(value, 0) | bit
                        continue
                    before = _BEGIN if operator is Operator.STARTS_WITH else ""
                    after = _END if operator is Operator.ENDS_WITH else ""
                    part = f"{before}{value}{after}"
                    parts[part] = parts.get(part, 0) | bit
        self._parts = Substrings(parts) if parts else None

    def allowed(self, text: str) -> int:
        """Return the groups that have nothing against the folded *text*."""
        found = self.silent | self._whole.get(text, 0)
        return found if self._parts is None else found | self._parts.within(f"{_BEGIN}{text}{_END}")


# -- from and to plain values -----------------------------------------------------------------------------------------


def rule_as_list(rule: Rule) -> list[dict[str, Any]]:
    """Return *rule* as plain values, as the API shows it and the store keeps it."""
    return [{"field": row.field.value, "operator": row.operator.value, "values": list(row.values)} for row in rule]


def rule_of(rows: Any, problems: list[Problem]) -> Rule:
    """Return the rule that plain values spell, without rows that come twice; *problems* gets every fault of them."""
    if not isinstance(rows, list):
        problems.append(Problem("not-a-list", "a list of conditions is wanted", "rules"))
        return ()
    found = [_condition(row, f"rules/{place}", problems) for place, row in enumerate(rows[: 4 * MOST_ROWS + 1])]
    rule = tuple(dict.fromkeys(row for row in found if row is not None))
    for field in Field:
        rows_of_field = sum(row.field is field for row in rule)
        if rows_of_field > MOST_ROWS:
            message = f"{rows_of_field} conditions on {field} are given, at most {MOST_ROWS} are allowed"
            problems.append(Problem("too-many-conditions", f"{message}; `in` takes many values in one", "rules"))
    if len(rows) > 4 * MOST_ROWS and not problems:
        message = f"{len(rows)} conditions are given, at most {4 * MOST_ROWS} are allowed"
        problems.append(Problem("too-many-conditions", message, "rules"))
    return rule


def _condition(row: Any, place: str, problems: list[Problem]) -> Condition | None:
    if not isinstance(row, Mapping):
        message = "a condition is an object with field, operator and values"
        problems.append(Problem("not-an-object", message, place))
        return None
    before = len(problems)
    unknown = [str(name)[:100] for name in row if name not in ("field", "operator", "value", "values")]
    problems += [
        Problem("unknown-property", f"a condition has no member {name!r}", place, name, ("field", "operator", "values"))
        for name in unknown
    ]
    field = _named(Field, row.get("field"), f"{place}/field", problems)
    operator = _named(Operator, row.get("operator"), f"{place}/operator", problems)
    given = row["value"] if "value" in row and "values" not in row else row.get("values")
    values = [given] if isinstance(given, str) else given
    texts = _texts(values, f"{place}/values", problems)
    if operator is not None and operator is not Operator.IN and len(texts) > 1:
        message = f"{operator} takes one value; add a condition for each other one, or use `in`"
        problems.append(Problem("too-many-values", message, f"{place}/values"))
    if field is None or operator is None or len(problems) > before:
        return None
    return Condition(field, operator, texts)


def _texts(values: Any, place: str, problems: list[Problem]) -> tuple[str, ...]:
    if not isinstance(values, list) or not values or not all(isinstance(value, str) for value in values):
        problems.append(Problem("no-value", "what to compare with is missing: a list of texts is wanted", place))
        return ()
    if len(values) > MOST_VALUES:
        message = f"{len(values)} values are given, at most {MOST_VALUES} are allowed in one condition"
        problems.append(Problem("too-many-values", message, place))
        return ()
    texts = tuple(dict.fromkeys(value.strip() for value in values))
    for text in texts:
        if not 0 < len(text) <= VALUE_CHARACTERS or not text.isprintable():
            message = f"a value has 1 to {VALUE_CHARACTERS} characters that can be printed"
            problems.append(Problem("invalid-value", message, place, text[:200]))
    return texts


_Choice = TypeVar("_Choice", bound=StrEnum)


def _named(kind: type[_Choice], given: Any, place: str, problems: list[Problem]) -> _Choice | None:
    key = str(given).replace(" ", "").replace("_", "").lower() if isinstance(given, str) else ""
    by_key = {each.value.lower(): each for each in kind}
    if key in by_key:
        return by_key[key]
    allowed = tuple(each.value for each in kind)
    near = next(iter(difflib.get_close_matches(key[:100], by_key, n=1)), None)
    what = place.rpartition("/")[2]
    message = f"{str(given)[:100]!r} is not one of {', '.join(allowed)}" if given is not None else f"{what} is missing"
    problems.append(Problem(f"invalid-{what}", message, place, str(given)[:100], allowed, near and by_key[near].value))
    return None
