"""What a matcher answers, said in plain Python: the specification of the kernel, and its place where there is none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from indicia.domain.matching import keys_of, parts_of
from indicia.domain.observable import Observable, detect
from indicia.domain.verdict import Match, Rule
from indicia.matcher.rules import TYPES, Entry, Rulings


class Reference:
    """Rules by the type and the canonical value that they are about; immutable once it is built."""

    def __init__(self, entries: Iterable[Entry], rulings: Rulings) -> None:
        self._rulings = rulings
        self._entries: dict[tuple[int, str], list[Entry]] = {}
        self._size = 0
        for entry in entries:
            self._entries.setdefault(entry[:2], []).append(entry)
            self._size += 1

    @classmethod
    def of_rows(
        cls, pieces: Iterable[Iterable[Sequence[Any]]], rulings: Rulings, decisions: Mapping[int, tuple[int, int]]
    ) -> Reference:
        """Return the matcher of rows of (number of the decision, canonical value, id, expiry in µs or None).

        Raises `ValueError` where a row refers to no decision.
        """
        return cls((_entry(row, decisions) for piece in pieces for row in piece), rulings)

    def __len__(self) -> int:
        return self._size

    def match(self, part: Observable) -> list[Rule]:
        """Return the rules about every value that covers *part*: those about one of `keys_of(part)`."""
        found = (self._entries.get((TYPES[key.type], key.value), ()) for key in keys_of(part))
        return [self._rulings.rule(entry) for entries in found for entry in entries]

    def check(self, text: str) -> list[Match]:
        """Return what matches a value as `detect` reads it and `parts_of` takes it apart."""
        seen = detect(text)
        return [] if seen is None else [Match(rule, part) for part in parts_of(seen) for rule in self.match(part)]

    def scanners(self) -> None:
        """Return None: there is nothing to find candidate records with, so that every record is one."""


def _entry(row: Sequence[Any], decisions: Mapping[int, tuple[int, int]]) -> Entry:
    decision, canonical, number, expires = row
    if decision not in decisions:
        raise ValueError(f"indicator {number} refers to decision {decision}, which there is not")
    kind, ruling = decisions[decision]
    return kind, canonical, number, ruling, expires
