"""Plan, apply, changeset: the one way in for every write."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, NamedTuple

from indicia.domain.access import Actor, Source
from indicia.domain.approval import Reason
from indicia.domain.changes import Candidate, ChangeSet, Known, Outcome, disagreements
from indicia.domain.errors import Conflict, Problem
from indicia.domain.indicator import Extras, Indicator, Status, StoredIndicator
from indicia.domain.precedence import Winners
from indicia.domain.verdict import NetworkPrecedence
from indicia.services.policy import NO_POLICY, Policy, takes_two
from indicia.services.reaching import edits_within_reach, seen, touched, within_reach
from indicia.services.reviewing import Review
from indicia.store.changesets import ChangeSetRecord, Header
from indicia.store.database import Transaction
from indicia.store.rows import Encoder, Row, Version
from indicia.store.selection import Selection

# Past this many Allowed and Warn network indicators, conflicts with wider values are looked up batch by batch.
WINNERS_IN_MEMORY: Final = 200_000
# Under this many rows it is cheaper to look up the wider values of each than to read all winners.
FEW_ROWS: Final = 1_000


class Placed(NamedTuple):
    """An indicator that somebody wants, and the line on which it stands (1 where there are no lines)."""

    line: int
    indicator: Indicator


Placing = Sequence[tuple[int, Indicator]]


class Writing:
    """One changeset in the making, inside one transaction: plan a batch, apply it, add the next, finish.

    Where it is *digested*, `plan_digest` tells this plan from others.
    """

    def __init__(
        self,
        tx: Transaction,
        actor: Actor,
        now: datetime,
        *,
        column: str = "indicatorValue",
        digested: bool = False,
        policy: Policy = NO_POLICY,
    ) -> None:
        self.tx = tx
        self.now = now
        self._actor = actor
        # Whether the actor sees an indicator with a scope; None, which costs nothing, where it sees them all.
        self._sees = None if actor.groups is None else actor.sees
        self._column = column
        self._policy = policy
        head = tx.changesets.head()
        self.number = 1 if head is None else head.id + 1
        self._next_id = 1 if head is None else head.next_id
        self._encoder = Encoder()
        self._rows: list[Row] = []
        # Of the edits planned last: who created each, the expired ones in their place, all about their values.
        self._creations: list[int] = []
        self._edited: list[StoredIndicator] = []
        self._displaced: list[int] = []
        self._siblings: Mapping[bytes, Sequence[Known]] = {}
        # The stored indicators that this changeset has met and left as they are, 64 numbers a block: a twin of one that
        # comes later contradicts it, and does not change it (decision 0007).
        self._kept: dict[int, int] = {}
        self._winners: Winners | None = None
        self._winners_fit = True
        self._plan = hashlib.sha256() if digested else None
        self.created = self.updated = self.deleted = 0
        self._review = policy.review or (Review() if policy.rule.is_on else None)
        if not tx.writable:
            tx.indicators.plan_only()

    # -- plan -----------------------------------------------------------------------------------------------------

    def plan(self, batch: Placing, rows: list[Row] | None = None, *, keep_rare: bool = False) -> ChangeSet:
        """Return what *batch* would do to what is stored now and to what was applied so far.

        *rows* are the rows of the batch, where somebody has encoded them already. With *keep_rare* the
        properties that the source of the batch cannot express stay as they are stored.
        """
        if rows is None:
            rows = [self._encoder.encode(indicator) for _line, indicator in batch]
        known = self.tx.indicators.known([row[0] for row in rows], self.number)
        if known:
            if self._kept:
                self._mark(known)
            self._merge(batch := list(batch), rows, known, keep_rare=keep_rare)
            self._respell(batch, rows, known)
        self._rows = rows
        candidates = [
            tuple.__new__(Candidate, (line, indicator, row[0], row[1]))
            for (line, indicator), row in zip(batch, rows, strict=True)
        ]
        winners = self._beaters(batch) if self._hears_of_conflicts else None
        changes = ChangeSet.between(
            known, candidates, now=self.now, winners=winners, column=self._column, sees=self._sees
        )
        if not self._actor.sees_all:
            changes = self._within_reach(changes)
        if self._plan is not None:
            self._plan.update(self._content(changes))
        return changes

    def _mark(self, known: dict[bytes, list[Known]]) -> None:
        """Mark as new what this changeset left as it is."""
        kept = self._kept
        for siblings in known.values():
            for position, each in enumerate(siblings):
                if not each.new and kept.get(each.id >> 6, 0) >> (each.id & 63) & 1:
                    siblings[position] = each._replace(new=True)

    @property
    def plan_digest(self) -> bytes:
        """SHA-256 over everything planned so far: equal for two plans that would do the same."""
        return b"" if self._plan is None else self._plan.digest()

    def _merge(
        self,
        batch: list[tuple[int, Indicator]],
        rows: list[Row],
        known: Mapping[bytes, Sequence[Known]],
        *,
        keep_rare: bool,
    ) -> None:
        """Carry over from the stored version what a new version of it does not change: see `_carried_over`."""
        wanted: dict[int, int] = {}
        for position, ((_line, indicator), row) in enumerate(zip(batch, rows, strict=True)):
            for same in known.get(row[0], ()):
                if same.action is not indicator.action or same.is_expired(self.now):
                    continue
                if same.rare or (indicator.status is Status.HELD and same.status is Status.ACTIVE):
                    wanted[position] = same.id
        stored = self.tx.indicators.get(list(wanted.values()), before=self.number) if wanted else {}
        for position, number in wanted.items():
            line, indicator = batch[position]
            if number not in stored:  # an earlier row of this changeset created it: nothing to carry over
                continue
            merged = _carried_over(stored[number].indicator, indicator, keep_rare=keep_rare)
            batch[position] = (line, merged)
            rows[position] = self._encoder.encode(merged)

    def _respell(
        self, batch: list[tuple[int, Indicator]], rows: list[Row], known: Mapping[bytes, Sequence[Known]]
    ) -> None:
        """Give a row that comes again the spelling of its value that this changeset met first."""
        again = {
            position: same
            for position, ((_line, indicator), row) in enumerate(zip(batch, rows, strict=True))
            for same in known.get(row[0], ())
            if same.new and same.action is indicator.action and same.digest != row[1]
        }
        values = self.tx.indicators.values([same.id for same in again.values()]) if again else {}
        for position, same in again.items():
            line, indicator = batch[position]
            respelled = indicator._replace(value=values[same.id])
            row = self._encoder.encode(respelled)
            if row[1] == same.digest:
                batch[position], rows[position] = (line, respelled), row

    @property
    def _hears_of_conflicts(self) -> bool:
        """Whether a wider value can win (SPEC 9.15), and the actor may know of it."""
        return self._policy.precedence is NetworkPrecedence.ACTION and not self._actor.sees_only_own

    def _beaters(self, batch: Placing) -> Winners:
        if self._winners is None and len(batch) < FEW_ROWS:
            return self._over([indicator for _line, indicator in batch])
        if self._winners is None and self._winners_fit:
            found = self.tx.indicators.winners(WINNERS_IN_MEMORY, self.now)
            self._winners_fit = found is not None
            self._winners = Winners(found or (), self._sees)
        if self._winners is not None and self._winners_fit and len(self._winners) <= WINNERS_IN_MEMORY:
            return self._winners
        self._winners_fit = False
        return self._over([indicator for _line, indicator in batch])

    def _over(self, batch: Sequence[Indicator]) -> Winners:
        return self.tx.indicators.winners_over(batch, self.now, self._sees)

    def _within_reach(self, changes: ChangeSet) -> ChangeSet:
        creators: Mapping[int, str] = {}
        if self._actor.sees_only_own and (made := touched(changes)):
            creators = self.tx.changesets.actors(made)
        return within_reach(changes, self._actor, creators=creators, now=self.now, column=self._column)

    def _content(self, changes: ChangeSet) -> bytes:
        steps = changes.steps
        digests = b"".join([row[1] for row in self._rows])
        outcomes = "".join([outcome for _candidate, outcome, _known, _notes in steps])
        replaced = [(known.id, known.began) for _candidate, _outcome, known, _notes in steps if known]
        return digests + outcomes.encode() + repr(replaced).encode()

    # -- apply ----------------------------------------------------------------------------------------------------

    def apply(self, changes: ChangeSet) -> list[int | None]:
        """Write *changes*, the last thing that `plan` gave; return the number of each step's indicator."""
        if self._review is not None:
            self._review.steps(self.tx, self.number, changes.steps, self.now)
        versions: list[Version] = []
        end: list[int] = []
        numbers: list[int | None] = []
        next_id, number = self._next_id, self.number
        for (_candidate, outcome, known, _notes), row in zip(changes.steps, self._rows, strict=True):
            if outcome is Outcome.UNCHANGED or outcome is Outcome.REFUSED:
                numbers.append(known.id if known else None)
                if known is not None:
                    block = known.id >> 6
                    self._kept[block] = self._kept.get(block, 0) | 1 << (known.id & 63)
                continue
            if known is not None:
                end.append(known.id)
                if known.expires_at is None or known.expires_at > self.now:
                    versions.append((known.id, row, known.created, number))
                    numbers.append(known.id)
                    continue
            versions.append((next_id, row, number, number))
            numbers.append(next_id)
            next_id += 1
        made = next_id - self._next_id
        self.created += made
        self.updated += len(versions) - made
        self.deleted += len(end) - (len(versions) - made)
        self._next_id = next_id
        if end:
            self.tx.indicators.end(number, end)
        self.tx.indicators.add(versions)
        return numbers

    def plan_edits(self, batch: Sequence[tuple[StoredIndicator, Indicator]]) -> ChangeSet:
        """Return what giving each stored indicator another version would do, its action and value included.

        The line of each step is the number of the indicator.
        """
        self._rows = rows = [self._encoder.encode(indicator) for _stored, indicator in batch]
        known = self.tx.indicators.known([row[0] for row in rows], self.number)
        self._creations = [stored.created for stored, _indicator in batch]
        self._edited = [stored for stored, _indicator in batch]
        candidates = [
            tuple.__new__(Candidate, (stored.id, indicator, row[0], row[1]))
            for (stored, indicator), row in zip(batch, rows, strict=True)
        ]
        self._siblings = known
        changes, self._displaced = ChangeSet.of_edits(
            known, candidates, now=self.now, named=not self._actor.sees_only_own, sees=self._sees
        )
        if self._actor.groups is not None:
            changes = edits_within_reach(changes, self._actor, [stored for stored, _indicator in batch])
        return changes

    def apply_edits(self, changes: ChangeSet) -> None:
        """Write *changes*, the last thing that `plan_edits` gave."""
        if self._review is not None:
            self._review.edits(zip(self._edited, changes.steps, strict=True), self.now)
        edited = [
            (step.candidate.line, row, created, self.number)
            for step, row, created in zip(changes.steps, self._rows, self._creations, strict=True)
            if step.outcome is not Outcome.UNCHANGED and step.outcome is not Outcome.REFUSED
        ]
        if self._displaced:
            self.remove(self._displaced)
        self.tx.indicators.end(self.number, [version[0] for version in edited])
        self.tx.indicators.add(edited)
        self.updated += len(edited)

    def disagreements(self, changes: ChangeSet) -> list[list[tuple[Problem, int | None]]]:
        """Return what contradicts each step of *changes*, which was applied just now, and the numbers of those."""
        if not self._hears_of_conflicts:
            return [[] for _step in changes.steps]
        winners = self._over([step.candidate.indicator for step in changes.steps])
        siblings = seen(self._siblings, self._actor)
        return [
            disagreements(
                siblings.get(candidate.subject, ()),
                candidate.indicator,
                candidate.line,
                now=self.now,
                winners=winners,
                column=self._column,
            )
            for candidate, _outcome, _known, _notes in changes.steps
        ]

    def replace(self, stored: StoredIndicator, indicator: Indicator) -> bool:
        """Give *stored* another version, its action and value included; return whether it differs.

        Raises `Conflict` where another indicator has the new identity already.
        """
        changes = self.plan_edits([(stored, indicator)])
        [step] = changes.steps
        if step.outcome is Outcome.REFUSED:
            raise Conflict(step.notes[0].message)
        self.apply_edits(changes)
        return step.outcome is not Outcome.UNCHANGED

    def delete(self, stored: Sequence[StoredIndicator]) -> None:
        """End the current versions of *stored*."""
        if self._review is not None:
            self._review.deletions(stored)
        self._end([each.id for each in stored])

    def remove(self, ids: Sequence[int]) -> None:
        """End the current versions of *ids*, which have expired."""
        if self._review is not None:
            self._review.inert(len(ids))
        self._end(ids)

    def _end(self, ids: Sequence[int]) -> None:
        self.tx.indicators.end(self.number, ids)
        self.deleted += len(ids)

    def undo(self, undone: int, keep: Sequence[int]) -> None:
        """Take back what the changeset *undone* did, except to the indicators *keep*."""
        if self._review is not None:
            self._review.undoing(self.tx, undone, keep, self.now)
        if not self.tx.writable:
            return
        created, updated, deleted = self.tx.indicators.undo(self.number, undone, keep)
        self.created += created
        self.updated += updated
        self.deleted += deleted

    def over(self) -> Problem | None:
        """Return what is wrong where this changeset leaves more indicators alive than the policy allows (SPEC 9.26)."""
        most = self._policy.most_active
        if most is None or not self.created:
            return None
        live = self.tx.indicators.count(Selection(self.now)) + (0 if self.tx.writable else self.created)
        if live <= most:
            return None
        there = f"there would be {live}; delete some first" if self._actor.sees_all else "there would be more"
        message = f"at most {most} indicators may be active at a time, and {there}"
        return Problem("maximum-indicators-exceeded", message)

    def finish(self, header: Header, details: Mapping[str, Any] | None = None) -> ChangeSetRecord | None:
        """Add the changeset to the chain where anything changed; return it.

        Raises `Conflict` where it takes a second person (`takes_two`): every write passes here, and none gets round.
        """
        if not (self.created or self.updated or self.deleted) or not self.tx.writable:
            return None
        header, details = self._answered_for(header, details or {})
        return self.tx.changesets.add(
            header,
            details=details,
            created=self.created,
            updated=self.updated,
            deleted=self.deleted,
            next_id=self._next_id,
        )

    @property
    def takes_two(self) -> tuple[Reason, ...]:
        """Why what was planned so far takes a second person; nothing where it does not."""
        return self._policy.rule.reasons(self._review.tally) if self._review is not None else ()

    def _answered_for(self, header: Header, details: Mapping[str, Any]) -> tuple[Header, Mapping[str, Any]]:
        """Return *header* and *details* with who applies it, where two make it; raise `Conflict` where two should."""
        approval = self._policy.approval
        if approval is not None:
            named = {"number": approval.proposal, "by": approval.proposed_by, "byName": approval.proposed_by_name}
            return replace(header, actor=approval.by), {**details, "proposal": named}
        if self.takes_two and header.actor.source is not Source.SYSTEM:
            raise takes_two(self.takes_two)
        return header, details


def record_event(tx: Transaction, header: Header, details: Mapping[str, Any]) -> ChangeSetRecord:
    """Add a changeset without rows: a change of something else than indicators belongs in the same chain."""
    head = tx.changesets.head()
    return tx.changesets.add(header, details=details, next_id=1 if head is None else head.next_id)


def _carried_over(stored: Indicator, new: Indicator, *, keep_rare: bool) -> Indicator:
    """Return *new* with what a submission does not change of *stored*.

    ``application`` is set on creation only (SPEC 9.2), and a release stays in force when the same indicator comes
    again (SPEC 9.21). Where *keep_rare*, so do the properties that the source of *new* has no words for.
    """
    extras = stored.extras if keep_rare and new.extras == Extras() else new.extras
    status = new.status
    if new.status is Status.HELD and stored.status is Status.ACTIVE and stored.extras.override_reason:
        status = Status.ACTIVE
        extras = extras._replace(override_reason=stored.extras.override_reason)
    external_id = stored.external_id if keep_rare and new.external_id is None else new.external_id
    return new._replace(application=stored.application, external_id=external_id, status=status, extras=extras)
