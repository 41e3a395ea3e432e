"""What a change does, taken down while it is planned or applied: for the two-person rule, and for whoever decides."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from indicia.domain.approval import Need, Tally, need_of
from indicia.domain.changes import Effect, Outcome, Step
from indicia.domain.differences import Difference, differences
from indicia.domain.indicator import Action, Indicator, Status, StoredIndicator
from indicia.store.database import Transaction

#: Rows that are shown in full; those that take a second person come first.
MOST_SHOWN: Final = 20
_TELLING: Final = 15
_CHARACTERS: Final = 300
_PORTION: Final = 2_000


class Line(NamedTuple):
    """One indicator of a plan: its number where it has one, what becomes of it, and the fields that differ."""

    number: int | None
    effect: Effect
    need: Need | None
    type: str
    value: str
    action: str
    title: str
    changes: tuple[Difference, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the shape in which it is kept, and that the API shows."""
        return {
            "id": None if self.number is None else str(self.number),
            "effect": self.effect.value,
            "need": self.need.value if self.need else None,
            "type": self.type,
            "value": self.value,
            "action": self.action,
            "title": self.title,
            "changes": [list(each) for each in self.changes],
        }

    @classmethod
    def of(cls, kept: dict[str, Any]) -> Line:
        """Return what `as_dict` made *kept* of."""
        return cls(
            None if kept["id"] is None else int(kept["id"]),
            Effect(kept["effect"]),
            Need(kept["need"]) if kept["need"] else None,
            kept["type"],
            kept["value"],
            kept["action"],
            kept["title"],
            tuple(Difference(*each) for each in kept["changes"]),
        )


class Review:
    """The counts of one changeset in the making, and a digest of all its rows; with *told*, some of them in full.

    It is bounded, however many rows there are: nothing is kept of a row but what the digest makes of it.
    """

    def __init__(self, *, told: bool = False) -> None:
        self.tally = Tally()
        self.created = self.updated = self.deleted = self.held = 0
        self._told = told
        self._digest = hashlib.sha256()
        self._telling: list[Line] = []
        self._others: list[Line] = []

    @property
    def digest(self) -> bytes:
        """SHA-256 over everything that is changed: equal for two plans that would do the same."""
        return self._digest.digest()

    @property
    def lines(self) -> list[Line]:
        """Some of the rows, those that take a second person first."""
        return (self._telling + self._others)[:MOST_SHOWN]

    @property
    def rows(self) -> int:
        """How many indicators are touched."""
        return self.tally.rows

    # -- what `Writing` tells -------------------------------------------------------------------------------------

    def steps(self, tx: Transaction, changeset: int, steps: Sequence[Step], now: datetime) -> None:
        """Hear of *steps* that are about to be written as *changeset*."""
        signed: list[bytes] = []
        for step in steps:
            (_line, indicator, subject, digest), outcome, known, _notes = step
            if outcome is Outcome.UNCHANGED or outcome is Outcome.REFUSED:
                continue
            before = known if known is not None and not known.is_expired(now) else None
            if known is not None and before is None:
                self.inert(1)
            own = 0 if before is None or before.new else before.id
            signed.append(b"w%d %d " % (own, before.began if before is not None and own else 0) + subject + digest)
            need = None
            if _may_need(indicator) or (before is not None and before.status is Status.HELD):
                need = need_of(before, () if before is None else before.groups, indicator)
            if before is not None:
                self.tally.reach(before.groups)
                self.updated += 1
            else:
                self.created += 1
            self._count(indicator, need)
            if self._wants(need):
                stored = None if before is None else tx.indicators.get([before.id], before=changeset).get(before.id)
                self._show(stored, before.id if before else None, indicator, need)
        self._digest.update(b"".join(signed))

    def edits(self, edited: Iterable[tuple[StoredIndicator, Step]], now: datetime) -> None:
        """Hear of stored indicators that are about to get other versions."""
        for stored, ((_line, indicator, subject, digest), outcome, _known, _notes) in edited:
            if outcome is Outcome.UNCHANGED or outcome is Outcome.REFUSED:
                continue
            old = stored.indicator
            self._digest.update(b"e%d %d " % (stored.id, stored.began) + subject + digest)
            same = (old.type, old.canonical) == (indicator.type, indicator.canonical) and not old.is_expired(now)
            need = need_of(old if same else None, old.rbac_group_names, indicator)
            self.tally.reach(old.rbac_group_names)
            self.updated += 1
            self._count(indicator, need)
            if self._wants(need):
                self._show(stored, stored.id, indicator, need)

    def inert(self, count: int) -> None:
        """Hear of *count* expired indicators that make room or are removed: they count, no more."""
        self.deleted += count
        self.tally.rows += count

    def deletions(self, stored: Sequence[StoredIndicator]) -> None:
        """Hear of indicators that are about to be deleted."""
        self._digest.update(b"".join([b"d%d %d " % (each.id, each.began) for each in stored]))
        self.deleted += len(stored)
        for each in stored:
            self.tally.add(None)
            self.tally.reach(each.indicator.rbac_group_names)
            if self._wants(None):
                self._show(each, each.id, None, None)

    def undoing(self, tx: Transaction, undone: int, keep: Sequence[int], now: datetime) -> None:
        """Hear that the changeset *undone* is about to be taken back, except for the indicators *keep*."""
        kept = set(keep)
        for current, restored in _pairs(tx, undone):
            number = current.id if current is not None else restored.id if restored is not None else 0
            if number in kept:
                continue
            versions = (number, current.began if current else 0, restored.began if restored else 0)
            self._digest.update(b"u%d %d %d " % versions)
            need = None
            if restored is not None:
                new, old = restored.indicator, current.indicator if current else None
                same = old is not None and (old.type, old.canonical) == (new.type, new.canonical)
                counts = old if same and old is not None and not old.is_expired(now) else None
                need = None if new.is_expired(now) else need_of(counts, counts.rbac_group_names if counts else (), new)
                self._count(new, need)
            else:
                self.tally.add(None)
            if current is not None:
                self.tally.reach(current.indicator.rbac_group_names)
            self.created += current is None
            self.updated += current is not None and restored is not None
            self.deleted += restored is None
            if self._wants(need):
                self._show(current, number, restored.indicator if restored else None, need)

    # -- what is kept of it ---------------------------------------------------------------------------------------

    def _count(self, indicator: Indicator, need: Need | None) -> None:
        self.tally.add(need)
        self.tally.reach(indicator.rbac_group_names)
        self.held += indicator.status is Status.HELD

    def _wants(self, need: Need | None) -> bool:
        if not self._told:
            return False
        return len(self._others) < MOST_SHOWN if need is None else len(self._telling) < _TELLING

    def _show(
        self, before: StoredIndicator | None, number: int | None, after: Indicator | None, need: Need | None
    ) -> None:
        old = before.indicator if before is not None else None
        shown = after or old
        if shown is None:
            return
        effect = Effect.DELETED if after is None else Effect.CREATED if old is None else Effect.UPDATED
        line = Line(
            number,
            effect,
            need,
            shown.type.value,
            _cut(shown.value),
            shown.action.value,
            _cut(shown.title),
            tuple(Difference(field, _cut(was), _cut(new)) for field, was, new in differences(old, after)),
        )
        (self._others if need is None else self._telling).append(line)

    def as_dict(self) -> dict[str, Any]:
        """Return what a proposal keeps of it, to be shown."""
        return {
            "rows": self.rows,
            "created": self.created,
            "updated": self.updated,
            "deleted": self.deleted,
            "held": self.held,
            "released": self.tally.released,
            "allowed": self.tally.allowed,
            "lines": [line.as_dict() for line in self.lines],
        }


def _may_need(indicator: Indicator) -> bool:
    return indicator.action is Action.ALLOWED or indicator.extras.override_reason is not None


def _cut(text: Any) -> Any:
    return text if not isinstance(text, str) or len(text) <= _CHARACTERS else text[: _CHARACTERS - 1] + "…"


def _pairs(tx: Transaction, undone: int) -> Iterator[tuple[StoredIndicator | None, StoredIndicator | None]]:
    """Yield what is current, and what would be again, of each indicator that *undone* touched and nobody since."""
    after = 0
    while numbers := tx.touched.numbers(undone, None, after=after, limit=_PORTION):
        after = numbers[-1]
        current = {key: each for key, each in tx.indicators.get(numbers).items() if each.began == undone}
        ended = {key: each for key, each in tx.indicators.get(numbers, before=undone).items() if each.began < undone}
        for number in numbers:
            if number in current or number in ended:
                yield current.get(number), ended.get(number)
