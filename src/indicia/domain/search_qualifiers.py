"""The qualifiers of a search: what may stand before a colon, and what the values after it mean."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from indicia.domain.indicator import Action, Category, Severity, Status
from indicia.domain.networks import beginning
from indicia.domain.observable import ObservableType, Unspellable, canonical
from indicia.domain.query import (
    Compare,
    Contested,
    Field,
    Has,
    In,
    Order,
    OrderBy,
    Query,
    Scalar,
    Text,
    Within,
    negated,
    some,
)
from indicia.domain.search_terms import Term, Value, refusal
from indicia.domain.search_times import SOON, split_operator, time_question

_Names = Mapping[str, tuple[Any, ...]]
_ASCII_LOWER: Final = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}
_NUMBER = re.compile("[0-9]{1,18}", re.ASCII)
_IDLE = re.compile(r"[\s_-]+")
_TECHNIQUE = re.compile(r"T[0-9]{4}(?:\.[0-9]{3})?", re.ASCII)

_HASHES: Final = (ObservableType.FILE_SHA256, ObservableType.FILE_SHA1, ObservableType.FILE_MD5)
_IPS: Final = (ObservableType.IP_ADDRESS, ObservableType.IP_RANGE)
TYPE_NAMES: Final[_Names] = {
    "file": _HASHES,
    "hash": _HASHES,
    "sha256": (ObservableType.FILE_SHA256,),
    "sha1": (ObservableType.FILE_SHA1,),
    "md5": (ObservableType.FILE_MD5,),
    "ip": _IPS,
    "address": (ObservableType.IP_ADDRESS,),
    "range": (ObservableType.IP_RANGE,),
    "cidr": (ObservableType.IP_RANGE,),
    "domain": (ObservableType.DOMAIN_NAME,),
    "url": (ObservableType.URL,),
    "cert": (ObservableType.CERTIFICATE_THUMBPRINT,),
    "certificate": (ObservableType.CERTIFICATE_THUMBPRINT,),
} | {kind.lower(): (kind,) for kind in ObservableType}
_ACTION_NAMES: Final[_Names] = {
    "allow": (Action.ALLOWED,),
    "remediate": (Action.BLOCK_AND_REMEDIATE,),
} | {action.lower(): (action,) for action in Action}
_SEVERITY_NAMES: Final[_Names] = {"info": (Severity.INFORMATIONAL,)} | {each.lower(): (each,) for each in Severity}
_CATEGORY_NAMES: Final[_Names] = {"none": (None,)} | {category.lower(): (category,) for category in Category}
_SOURCE_NAMES: Final[_Names] = {
    "portal": ("Portal",),
    "api": ("PublicApi",),
    "publicapi": ("PublicApi",),
    "cli": ("Cli",),
    "feed": ("Feed",),
    "system": ("System",),
}
_ORDERS: Final[Mapping[str, Order]] = {"<": "lt", "<=": "le", ">": "gt", ">=": "ge"}
SORTS: Final[Mapping[str, Field]] = {
    "value": Field.INDICATOR_VALUE,
    "type": Field.INDICATOR_TYPE,
    "action": Field.ACTION,
    "severity": Field.SEVERITY,
    "category": Field.CATEGORY,
    "title": Field.TITLE,
    "status": Field.STATUS,
    "expires": Field.EXPIRATION_TIME,
    "created": Field.CREATION_TIME,
    "updated": Field.LAST_UPDATE_TIME,
    "by": Field.CREATED_BY_DISPLAY_NAME,
    "source": Field.CREATED_BY_SOURCE,
    "id": Field.ID,
}


class Circle(NamedTuple):
    """What a search is read in: the moment, and the names of the device groups."""

    now: datetime
    groups: tuple[str, ...]


#: What makes a question of the values of a term.
_Reader = Callable[[Term, Sequence[Value], Circle], Query]


class Qualifier(NamedTuple):
    """A name that may stand before a colon: its reader, and what a message or a menu offers after it."""

    name: str
    read: _Reader
    offers: tuple[str, ...]
    says: str


def nearest(text: str, names: Iterable[str]) -> str:
    """Return the one of *names* that *text* may have been meant to be, empty where none is near."""
    near = difflib.get_close_matches(text[:60].lower(), list(names), n=1, cutoff=0.6)
    return near[0] if near else ""


def _chosen(value: Value, names: _Names, offers: Sequence[str], what: str) -> tuple[Any, ...]:
    found = names.get(_IDLE.sub("", value.text.lower()))
    if found is None:
        raise refusal(f"{{}} is no {what}", value, offers, nearest(value.text, (*names, *map(str.lower, offers))))
    return found


def _any(field: Field, members: Iterable[Scalar]) -> Query:
    found = tuple(dict.fromkeys(members))
    return Compare(field, "eq", found[0]) if len(found) == 1 else In(field, found)


def _choice(field: Field, names: _Names, offers: tuple[str, ...], what: str) -> _Reader:
    def read(_term: Term, values: Sequence[Value], _circle: Circle) -> Query:
        return _any(field, [member for value in values for member in _chosen(value, names, offers, what)])

    return read


def _severity(_term: Term, values: Sequence[Value], _circle: Circle) -> Query:
    parts: list[Query] = []
    members: list[Scalar] = []
    for value in values:
        sign, rest = split_operator(value)
        (member,) = _chosen(rest, _SEVERITY_NAMES, _OFFERED_SEVERITIES, "severity")
        if sign:
            parts.append(Compare(Field.SEVERITY, _ORDERS[sign], member))
        else:
            members.append(member)
    return some((*parts, *([_any(Field.SEVERITY, members)] if members else ())))


def _expires(_term: Term, values: Sequence[Value], circle: Circle) -> Query:
    return some(
        tuple(
            Compare(Field.EXPIRATION_TIME, "eq", None)
            if value.text.lower() == "never"
            else time_question(Field.EXPIRATION_TIME, value, circle.now, ahead=True)
            for value in values
        )
    )


def _past(field: Field) -> _Reader:
    def read(_term: Term, values: Sequence[Value], circle: Circle) -> Query:
        return some(tuple(time_question(field, value, circle.now, ahead=False) for value in values))

    return read


def contained(text: str, *fields: Field) -> Query:
    """Return the question whether one of *fields* has *text* in it, the case of ASCII letters apart."""
    small = text.translate(_ASCII_LOWER)
    return some(tuple(Text("contains", field, small, "lower") for field in fields))


def _part(*fields: Field) -> _Reader:
    def read(term: Term, values: Sequence[Value], _circle: Circle) -> Query:
        if empty := [value for value in values if not value.text]:
            raise refusal(f"{term.name} needs a word to look for", empty[0])
        return some(tuple(contained(value.text, *fields) for value in values))

    return read


def _scope(_term: Term, values: Sequence[Value], circle: Circle) -> Query:
    return some(tuple(_scoped(value, circle.groups) for value in values))


def _scoped(value: Value, groups: Sequence[str]) -> Query:
    if value.text.lower() == "all" and not value.quoted:
        return Compare(Field.RBAC_GROUP_NAMES, "eq", None)
    if value.text in groups:
        return Has(Field.RBAC_GROUP_NAMES, value.text)
    alike = [group for group in groups if group.lower() == value.text.lower()]
    if not alike:
        near = nearest(value.text, [group.lower() for group in groups])
        named = next((group for group in groups if group.lower() == near), "")
        raise refusal("{} is no device group", value, ("all", *groups[:20]), named)
    return some(tuple(Has(Field.RBAC_GROUP_NAMES, group) for group in alike))


def _technique(_term: Term, values: Sequence[Value], _circle: Circle) -> Query:
    for value in values:
        if not _TECHNIQUE.fullmatch(value.text.upper()):
            raise refusal("{} is no technique of ATT&CK", value, ("T1566", "T1059.001"))
    return some(tuple(Has(Field.MITRE_TECHNIQUES, value.text.upper()) for value in values))


def _exactly(field: Field) -> _Reader:
    def read(_term: Term, values: Sequence[Value], _circle: Circle) -> Query:
        return _any(field, [value.text for value in values])

    return read


def _number(_term: Term, values: Sequence[Value], _circle: Circle) -> Query:
    parts: list[Query] = []
    members: list[Scalar] = []
    for value in values:
        sign, rest = split_operator(value)
        if not _NUMBER.fullmatch(rest.text):
            raise refusal("{} is not the number of an indicator", rest, ("1234", ">1234"))
        if sign:
            parts.append(Compare(Field.ID, _ORDERS[sign], int(rest.text)))
        else:
            members.append(int(rest.text))
    return some((*parts, *([_any(Field.ID, members)] if members else ())))


def _within(_term: Term, values: Sequence[Value], _circle: Circle) -> Query:
    return some(tuple(Within(_network(value)) for value in values))


def _network(value: Value) -> str:
    try:
        if "/" in value.text or "-" in value.text:
            network = canonical(ObservableType.IP_RANGE, value.text)
        else:
            address = canonical(ObservableType.IP_ADDRESS, value.text)
            network = f"{address}/{128 if ':' in address else 32}"
    except Unspellable as error:
        raise refusal(f"{{}} is no network: {error}", value, _NETWORKS) from None
    if beginning(network) is None:
        message = "{} is a network that cannot be searched: of IPv6 those that end between two groups, none of them 0"
        raise refusal(message, value, _NETWORKS)
    return network


def _is(_term: Term, values: Sequence[Value], circle: Circle) -> Query:
    return some(tuple(_one(value, _states(circle.now), "state of an indicator") for value in values))


def _has(_term: Term, values: Sequence[Value], _circle: Circle) -> Query:
    return some(tuple(_one(value, _PARTS, "part that an indicator may have") for value in values))


def _one(value: Value, known: Mapping[str, Query], what: str) -> Query:
    found = known.get(value.text.lower())
    if found is None:
        raise refusal(f"{{}} is no {what} to search for", value, tuple(known), nearest(value.text, known))
    return found


def _states(now: datetime) -> dict[str, Query]:
    return {
        "held": Compare(Field.STATUS, "eq", Status.HELD),
        "active": Compare(Field.STATUS, "eq", Status.ACTIVE),
        "expiring": Compare(Field.EXPIRATION_TIME, "le", now + SOON),
    }


_PARTS: Final[Mapping[str, Query]] = {
    "conflict": Contested(),
    "alert": Compare(Field.GENERATE_ALERT, "eq", literal=True),
    "expiry": negated(Compare(Field.EXPIRATION_TIME, "eq", None)),
    "scope": negated(Compare(Field.RBAC_GROUP_NAMES, "eq", None)),
    "technique": negated(Compare(Field.MITRE_TECHNIQUES, "eq", None)),
    "category": negated(Compare(Field.CATEGORY, "eq", None)),
    "external": negated(Compare(Field.EXTERNAL_ID, "eq", None)),
}
_NETWORKS: Final = ("10.0.0.0/8", "192.0.2.0/25", "192.0.2.7", "2001:db8::/32")
_OFFERED_TYPES: Final = ("file", "sha256", "sha1", "md5", "ip", "address", "range", "domain", "url", "cert")
_OFFERED_SEVERITIES: Final = ("informational", "low", "medium", "high", ">=high")
_OFFERED_ACTIONS: Final = tuple(Action)
_OFFERED_CATEGORIES: Final = (*Category, "none")
_OFFERED_SOURCES: Final = ("portal", "api", "cli", "feed", "system")
_TIMES_PAST: Final = ("<7d", ">30d", "today", "2026-11", ">=2026-12-05", "2026-11..2026-12")

_ALL: Final = (
    Qualifier(
        "type",
        _choice(Field.INDICATOR_TYPE, TYPE_NAMES, _OFFERED_TYPES, "type of indicator"),
        _OFFERED_TYPES,
        "the type; several with commas",
    ),
    Qualifier(
        "action", _choice(Field.ACTION, _ACTION_NAMES, _OFFERED_ACTIONS, "action"), _OFFERED_ACTIONS, "the action"
    ),
    Qualifier("severity", _severity, _OFFERED_SEVERITIES, "the severity, or with >= from it on"),
    Qualifier(
        "category",
        _choice(Field.CATEGORY, _CATEGORY_NAMES, _OFFERED_CATEGORIES, "category"),
        _OFFERED_CATEGORIES,
        "the category",
    ),
    Qualifier("is", _is, ("active", "expiring", "held"), "active, expiring within 7 days, or held for review"),
    Qualifier("has", _has, tuple(_PARTS), "what it has"),
    Qualifier("expires", _expires, ("<7d", "never", "today", "2026-12", ">=2026-12-05"), "when it expires"),
    Qualifier("created", _past(Field.CREATION_TIME), _TIMES_PAST, "when it was created"),
    Qualifier("updated", _past(Field.LAST_UPDATE_TIME), _TIMES_PAST, "when it last changed"),
    Qualifier("title", _part(Field.TITLE), ('"two words"',), "a part of the title"),
    Qualifier("description", _part(Field.DESCRIPTION), ('"two words"',), "a part of the description"),
    Qualifier("value", _part(Field.INDICATOR_VALUE), ("evil",), "a part of the value"),
    Qualifier("in", _within, _NETWORKS, "addresses and ranges within a network"),
    Qualifier("scope", _scope, ("all",), "a device group, or all devices"),
    Qualifier("technique", _technique, ("T1566", "T1059.001"), "a technique of ATT&CK"),
    Qualifier(
        "source",
        _choice(Field.CREATED_BY_SOURCE, _SOURCE_NAMES, _OFFERED_SOURCES, "source"),
        _OFFERED_SOURCES,
        "where it came from",
    ),
    Qualifier("by", _part(Field.CREATED_BY, Field.CREATED_BY_DISPLAY_NAME), ("alice",), "a part of who created it"),
    Qualifier("app", _exactly(Field.APPLICATION), ("name",), "the application, exactly"),
    Qualifier("external", _exactly(Field.EXTERNAL_ID), ("id",), "the external id, exactly"),
    Qualifier("id", _number, ("1234", ">1234"), "the number of the indicator"),
)
QUALIFIERS: Final[Mapping[str, Qualifier]] = {each.name: each for each in _ALL}
#: Other names for the same, for whoever knows them from elsewhere.
ALIASES: Final[Mapping[str, str]] = {
    "indicatortype": "type",
    "indicator": "value",
    "indicatorvalue": "value",
    "expiration": "expires",
    "expiry": "expires",
    "group": "scope",
    "mitre": "technique",
    "attack": "technique",
    "createdby": "by",
    "author": "by",
    "application": "app",
    "externalid": "external",
    "status": "is",
    "cidr": "in",
    "desc": "description",
}
SORT: Final = "sort"
MAX_VALUES: Final = 400


def names() -> Collection[str]:
    """Return every name that may stand before a colon, without the other names for the same."""
    return (*QUALIFIERS, SORT)


def named(term: Term) -> str:
    """Return the qualifier that *term* names; raises `InvalidFilter` where it names none."""
    name = ALIASES.get(term.name, term.name)
    if name in QUALIFIERS or name == SORT:
        return name
    near = nearest(name, (*names(), *ALIASES))
    at = Value(term.name, term.position + int(term.negated))
    message = "there is no qualifier {}: to search for it as a text, put it in quotes"
    raise refusal(message, at, tuple(names()), ALIASES.get(near, near))


def question(term: Term, circle: Circle) -> Query:
    """Return what *term* asks for, apart from its minus."""
    qualifier = QUALIFIERS[named(term)]
    values = term.values()
    if not values:
        raise refusal("{} needs a value after the colon", term, qualifier.offers)
    if len(values) > MAX_VALUES:
        raise refusal(f"there are more than {MAX_VALUES} values", values[MAX_VALUES])
    return qualifier.read(term, values, circle)


def order(term: Term) -> OrderBy:
    """Return the order that a term with `SORT` asks for: ``-updated``, ``updated-desc``, ``updated``."""
    values = term.values()
    if term.negated or len(values) != 1:
        raise refusal("sort takes one name, with a minus before it for the other way round", term, tuple(SORTS))
    text = values[0].text.lower()
    descending = text.startswith("-") or text.endswith("-desc")
    name = text.removeprefix("-").removesuffix("-desc").removesuffix("-asc")
    field = SORTS.get(name) or SORTS.get(ALIASES.get(name, name))
    if field is None:
        raise refusal("{} is nothing to sort by", values[0], tuple(SORTS), nearest(name, SORTS))
    return OrderBy(field, descending)
