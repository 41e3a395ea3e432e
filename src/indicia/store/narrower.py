"""The indicators about a part of what another covers: names under a name, addresses in a network, paths on a site."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, or_, select

from indicia.domain.indicator import Action
from indicia.domain.matching import keys_of, parts_of
from indicia.domain.observable import Observable, ObservableType, split_url
from indicia.domain.precedence import NETWORK_TYPES
from indicia.store.codes import ACTIONS, TYPES
from indicia.store.rows import TYPE_OF
from indicia.store.schema import decisions, indicators
from indicia.store.selection import live
from indicia.store.touching import touching

#: Rows whose text looks narrower and that are looked at closely: no page waits for more.
_LOOKED_AT: Final = 500


def narrower(
    connection: Connection,
    about: Observable,
    actions: Collection[Action],
    now: datetime,
    most: int,
    groups: frozenset[str] | None = None,
) -> list[int]:
    """Return the numbers of up to *most* indicators with one of *actions* about a part of what *about* covers.

    With *groups* only those that touch these device groups. Their text says where to look, the law of matching whether
    they are: exact, but past 500 likely rows it stops.
    """
    patterns = _patterns(about)
    if not patterns or not actions:
        return []
    decided, now_ = decisions.c, indicators.c
    deciding = select(decided.id).where(
        decided.type.in_([TYPES[kind] for kind in NETWORK_TYPES]),
        decided.action.in_([ACTIONS[action] for action in actions]),
        *touching(groups),
    )
    rows = connection.execute(
        select(now_.id, decided.type, now_.canonical)
        .join_from(indicators, decisions, decided.id == now_.decision)
        .where(now_.decision.in_(deciding), live(indicators, now))
        .where(or_(*(now_.canonical.like(pattern, escape="\\") for pattern in patterns)))
        .limit(_LOOKED_AT)
    )
    found: list[int] = []
    for number, kind, canonical in rows:
        if len(found) < most and _is_under(Observable(TYPE_OF[kind], canonical), about):
            found.append(number)
    return sorted(found)


def _is_under(seen: Observable, about: Observable) -> bool:
    return seen != about and any(about in keys_of(part) for part in parts_of(seen))


def _patterns(about: Observable) -> list[str]:
    """Return what the texts of all narrower values are like, and of some others."""
    value = about.value
    match about.type:
        case ObservableType.DOMAIN_NAME:
            name = _literal(value)
            return [f"%.{name}", *(f"%{mark}{name}{end}%" for mark in ("://", ".") for end in ("/", ":"))]
        case ObservableType.IP_ADDRESS:
            host = _literal(f"[{value}]" if ":" in value else value)
            return [f"%://{host}/%", f"%://{host}:%"]
        case ObservableType.IP_RANGE:
            start = _literal(_shared_start(value))
            return [f"{start}%", f"%://{start}%", f"%://[{start}%"]
        case ObservableType.URL:
            parts = split_url(value)
            host = f"[{parts.host}]" if ":" in parts.host else parts.host
            return [] if parts.query is not None else [f"%://{_literal(host)}%{_literal(parts.path)}%"]
        case _:
            return []


def _shared_start(network: str) -> str:
    """Return the text with which every address in *network* begins: its whole groups, or nothing."""
    found = ipaddress.ip_network(network)
    if found.version == 4:
        return "".join(f"{part}." for part in str(found.network_address).split(".")[: found.prefixlen // 8])
    # A first group of zeroes may be written as none.
    first = format(int(found.network_address) >> 112, "x")
    return f"{first}:" if found.prefixlen >= 16 and first != "0" else ""


def _literal(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
