"""The one filter tree: which indicators somebody asks for, whatever language the question came in.

`query_text` reads OData into it, `query_memory` answers it for one row, `store.filters` turns it into SQL; the last
two agree on every row. The logic has two values: a comparison with a property that is null is true or false, and
``not`` turns it round. Text compares by code point; folding knows ASCII only, because that is what every engine
can do alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, StrEnum
from typing import Final, Literal, TypeAlias

from indicia.domain.indicator import Action, Category, Severity, Status
from indicia.domain.observable import ObservableType


class Field(StrEnum):
    """What may be asked about, by the names of SPEC 1.1; nothing else can be reached."""

    ID = "id"
    INDICATOR_VALUE = "indicatorValue"
    INDICATOR_TYPE = "indicatorType"
    ACTION = "action"
    SEVERITY = "severity"
    CATEGORY = "category"
    STATUS = "status"
    TITLE = "title"
    DESCRIPTION = "description"
    RECOMMENDED_ACTIONS = "recommendedActions"
    MITRE_TECHNIQUES = "mitreTechniques"
    RBAC_GROUP_NAMES = "rbacGroupNames"
    RBAC_GROUP_IDS = "rbacGroupIds"
    EXPIRATION_TIME = "expirationTime"
    GENERATE_ALERT = "generateAlert"
    APPLICATION = "application"
    EXTERNAL_ID = "externalId"
    CREATED_BY = "createdBy"
    CREATED_BY_DISPLAY_NAME = "createdByDisplayName"
    CREATED_BY_SOURCE = "createdBySource"
    CREATION_TIME = "creationTimeDateTimeUtc"
    LAST_UPDATE_TIME = "lastUpdateTime"
    LAST_UPDATED_BY = "lastUpdatedBy"


class Kind(Enum):
    """What a field holds, and so which questions make sense."""

    NUMBER = "an integer"
    TEXT = "a text"
    VALUE = "a value that has many spellings"
    CHOICE = "one of a few names"
    RANK = "one of a few names that have an order"
    FLAG = "true or false"
    TIME = "a time"
    LIST = "a list of names"


KINDS: Final[Mapping[Field, Kind]] = {
    Field.ID: Kind.NUMBER,
    Field.INDICATOR_VALUE: Kind.VALUE,
    Field.INDICATOR_TYPE: Kind.CHOICE,
    Field.ACTION: Kind.CHOICE,
    Field.SEVERITY: Kind.RANK,
    Field.CATEGORY: Kind.CHOICE,
    Field.STATUS: Kind.CHOICE,
    Field.TITLE: Kind.TEXT,
    Field.DESCRIPTION: Kind.TEXT,
    Field.RECOMMENDED_ACTIONS: Kind.TEXT,
    Field.MITRE_TECHNIQUES: Kind.LIST,
    Field.RBAC_GROUP_NAMES: Kind.LIST,
    Field.RBAC_GROUP_IDS: Kind.LIST,
    Field.EXPIRATION_TIME: Kind.TIME,
    Field.GENERATE_ALERT: Kind.FLAG,
    Field.APPLICATION: Kind.TEXT,
    Field.EXTERNAL_ID: Kind.TEXT,
    Field.CREATED_BY: Kind.TEXT,
    Field.CREATED_BY_DISPLAY_NAME: Kind.TEXT,
    Field.CREATED_BY_SOURCE: Kind.TEXT,
    Field.CREATION_TIME: Kind.TIME,
    Field.LAST_UPDATE_TIME: Kind.TIME,
    Field.LAST_UPDATED_BY: Kind.TEXT,
}

#: What the compat API shows for a category that was not chosen (SPEC 9.22); never stored.
NO_CATEGORY: Final = 1
#: The integers of the compat API; the same as the codes that the tables hold.
CATEGORY_NUMBERS: Final[Mapping[Category, int]] = {
    category: number for number, category in enumerate(Category, start=NO_CATEGORY + 1)
}

#: The names that a field with a few of them may have.
NAMES: Final[Mapping[Field, tuple[str, ...]]] = {
    Field.INDICATOR_TYPE: tuple(ObservableType),
    Field.ACTION: tuple(Action),
    Field.SEVERITY: tuple(Severity),
    Field.CATEGORY: (*Category, "None"),
    Field.STATUS: tuple(Status),
}

#: What OData calls `Contested` and `Within`: words of our own, because it has none.
CONTESTED: Final = "hasConflict"
WITHIN: Final = "within"

Order: TypeAlias = Literal["gt", "ge", "lt", "le"]
Operator: TypeAlias = Literal["eq"] | Order
Fold: TypeAlias = Literal["lower", "upper"]
Scalar: TypeAlias = str | int | bool | datetime | None


@dataclass(frozen=True, slots=True)
class Constant:
    """Every indicator, or none."""

    value: bool


@dataclass(frozen=True, slots=True)
class Not:
    """The indicators that *operand* leaves out."""

    operand: Query


@dataclass(frozen=True, slots=True)
class And:
    """The indicators that all *operands* hold of."""

    operands: tuple[Query, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """The indicators that one of the *operands* holds of."""

    operands: tuple[Query, ...]


@dataclass(frozen=True, slots=True)
class Compare:
    """A field and a value: ``eq``, where null equals null and a list equals null when it is empty, or an order.

    An order never holds of null. Names of `NAMES` are members of their enumeration; `Severity` alone has an order.
    *fold* is applied to the field before it is compared, and to text only.
    """

    field: Field
    operator: Operator
    literal: Scalar
    fold: Fold | None = None


@dataclass(frozen=True, slots=True)
class In:
    """A field and the values of which it may have any: what an `Or` of ``eq`` would say."""

    field: Field
    literals: tuple[Scalar, ...]
    fold: Fold | None = None


@dataclass(frozen=True, slots=True)
class Text:
    """A part that a text has, case-sensitively; never holds of null."""

    function: Literal["contains", "startswith", "endswith"]
    field: Field
    literal: str
    fold: Fold | None = None


@dataclass(frozen=True, slots=True)
class Has:
    """A name in a list; for `Field.RBAC_GROUP_IDS` the number of a device group, as text."""

    field: Field
    literal: str


@dataclass(frozen=True, slots=True)
class Touches:
    """The indicators that reach a device of one of *groups*: their scope names one of them, or is empty (SPEC 9.18)."""

    groups: frozenset[str]


@dataclass(frozen=True, slots=True)
class About:
    """The indicators about one of these values, however they are spelled (SPEC 9.8-9.11).

    *values* are types with canonical values; *written* are texts that are no type's spelling, and are compared with
    what the user wrote.
    """

    values: frozenset[tuple[ObservableType, str]]
    written: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Within:
    """The addresses in *network*, a canonical one that has a `networks.beginning`, and the ranges wholly in it."""

    network: str


@dataclass(frozen=True, slots=True)
class Contested:
    """The indicators that contradict another one; only services know which: they put an `Among` in its place."""


@dataclass(frozen=True, slots=True)
class Among:
    """The indicators with these numbers, however many."""

    ids: frozenset[int]


Query: TypeAlias = Constant | Not | And | Or | Compare | In | Text | Has | Touches | About | Within | Contested | Among


@dataclass(frozen=True, slots=True)
class OrderBy:
    """One key to sort by; null is lowest."""

    field: Field
    descending: bool = False


class InvalidFilter(ValueError):
    """A question that cannot be understood: ``token`` at ``position``, counted from 0, is where it goes wrong."""

    def __init__(
        self, message: str, position: int, token: str = "", allowed: tuple[str, ...] = (), suggestion: str = ""
    ) -> None:
        self.message = message
        self.position = position
        self.token = token
        self.allowed = allowed
        #: What may have been meant by ``token``; empty where nothing is near.
        self.suggestion = suggestion
        super().__init__(f"at position {position}: {message}" + (f"; allowed: {', '.join(allowed)}" if allowed else ""))


def negated(query: Query) -> Query:
    """Return the opposite of *query*; twice the opposite is the query itself, so that trees do not grow."""
    match query:
        case Not(operand):
            return operand
        case Constant(value):
            return Constant(not value)
        case _:
            return Not(query)


def every(operands: tuple[Query, ...]) -> Query:
    """Return the `And` of *operands*, of which there is at least one."""
    return operands[0] if len(operands) == 1 else And(operands)


def some(operands: tuple[Query, ...]) -> Query:
    """Return the `Or` of *operands*; none of none."""
    if not operands:
        return Constant(value=False)
    return operands[0] if len(operands) == 1 else Or(operands)


def replaced(query: Query, change: Callable[[Query], Query]) -> Query:
    """Return *query* with what *change* makes of each of its leaves."""
    match query:
        case Not(operand):
            return negated(replaced(operand, change))
        case And(operands):
            return And(tuple(replaced(operand, change) for operand in operands))
        case Or(operands):
            return Or(tuple(replaced(operand, change) for operand in operands))
        case _:
            return change(query)


def leaves(query: Query) -> Iterator[Query]:
    """Yield the comparisons of *query*, from left to right."""
    match query:
        case Not(operand):
            yield from leaves(operand)
        case And(operands) | Or(operands):
            for operand in operands:
                yield from leaves(operand)
        case _:
            yield query
