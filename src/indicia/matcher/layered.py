"""A small matcher over a big one: what has changed since the big one was built."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from indicia.domain.observable import Observable
from indicia.domain.verdict import Match, Rule

if TYPE_CHECKING:
    from indicia.matcher import _kernel
    from indicia.matcher.lookup import Matcher


class Layered:
    """What *base* answers without the indicators that are *dead*, and what *overlay* answers; immutable."""

    def __init__(self, base: Matcher, overlay: Matcher, dead: Collection[int]) -> None:
        self._base = base
        self._overlay = overlay
        self._dead = frozenset(dead)

    def __len__(self) -> int:
        return len(self._base) - len(self._dead) + len(self._overlay)

    def match(self, part: Observable) -> list[Rule]:
        """Return the rules about every value that covers *part*."""
        dead = self._dead
        return [rule for rule in self._base.match(part) if rule.id not in dead] + self._overlay.match(part)

    def check(self, text: str) -> list[Match]:
        """Return what matches a value as `domain.observable.detect` reads it."""
        dead = self._dead
        return [match for match in self._base.check(text) if match.rule.id not in dead] + self._overlay.check(text)

    def scanners(self) -> list[_kernel.Snapshot] | None:
        """Return the snapshots to find candidate records with, None where there are none for a part of it.

        A candidate may be one by an indicator that is dead: `match` decides.
        """
        base, overlay = self._base.scanners(), self._overlay.scanners()
        return None if base is None or overlay is None else [*base, *overlay]
