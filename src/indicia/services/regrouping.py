"""Finding the groups of devices: by rules that are compiled once, and anew for all of them when the rules change."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import NamedTuple

from indicia.domain.grouping import Facts, Grouper, Ruled
from indicia.store.database import Transaction
from indicia.store.devices import Fact
from indicia.store.groups import rule_from_text
from indicia.store.rows import split_list


class Grouping:
    """What finds the groups of devices, made once and kept until the rules are others; for any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: tuple[list[tuple[int, int, str | None]], Grouper] | None = None

    def of(self, tx: Transaction) -> Grouper:
        """Return what finds groups by the rules as *tx* has them."""
        texts = tx.groups.texts()
        with self._lock:
            made = self._made
        if made is not None and made[0] == texts:
            return made[1]
        grouper = Grouper(Ruled(number, rank, rule_from_text(rule)) for number, rank, rule in texts)
        with self._lock:
            self._made = (texts, grouper)
        return grouper


class Move(NamedTuple):
    """A device that is in another group by other rules."""

    fact: Fact
    group: int | None


def moves(tx: Transaction, grouper: Grouper) -> Iterator[Move]:
    """Yield every device that *grouper* puts into another group than it is in."""
    tags_of_text: dict[str, tuple[str, ...]] = {}
    group_of = grouper.group_of
    for part in tx.devices.facts():
        for fact in part:
            _number, name, domain, text, platform, before = fact
            tags = tags_of_text.get(text)
            if tags is None:
                tags = tags_of_text[text] = split_list(text)
            group = group_of(Facts(name, domain, tags, platform))
            if group != before:
                yield Move(fact, group)


def regroup(tx: Transaction, grouping: Grouping) -> int:
    """Put every device into the group that the rules as they are now give it; return how many moved."""
    moved: dict[int | None, list[int]] = {}
    for fact, group in moves(tx, grouping.of(tx)):
        moved.setdefault(group, []).append(fact.id)
    tx.devices.move(moved)
    return sum(map(len, moved.values()))
