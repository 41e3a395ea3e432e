"""Any order of writes against a model of a few lines: what is listed, what was listed, and the chain over it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from indicia.domain.access import Actor
from indicia.domain.changes import Outcome
from indicia.domain.checker import Checker
from indicia.domain.circumstances import Circumstances
from indicia.domain.draft import Draft
from indicia.domain.errors import Conflict, NotFound
from indicia.domain.indicator import Indicator, Status
from indicia.services import changesets, expiry, indicators
from indicia.store.database import Database
from tests.integration.stores import (
    ADMIN,
    BLOCK,
    CLIENT,
    NOW,
    contents,
    counts,
    edit,
    guard,
    new_file,
    run_import,
    submit,
    url_of,
)

SECOND = timedelta(seconds=1)


@dataclass(frozen=True, eq=False)
class Version:
    """One version of an indicator in the model."""

    indicator: Indicator
    owner: Actor
    began: int

    def is_live(self, now: datetime) -> bool:
        return not self.indicator.is_expired(now)


Rows = dict[int, Version]


@dataclass
class Step:
    """A changeset in the making: the rows that it leaves, and which numbers it gives out."""

    rows: Rows
    next_id: int
    number: int

    def put(self, new: Indicator, actor: Actor, now: datetime) -> Outcome:
        """Create or update as SPEC 9.2 has it."""
        same = next((key for key, row in self.rows.items() if row.indicator.identity == new.identity), None)
        if same is not None and not self.rows[same].is_live(now):
            del self.rows[same]
            same = None
        if same is None:
            self.rows[self.next_id] = Version(new, actor, self.number)
            self.next_id += 1
            return Outcome.HELD if new.status is Status.HELD else Outcome.CREATED
        old = self.rows[same]
        release = old.indicator.extras.override_reason
        if new.status is Status.HELD and old.indicator.status is Status.ACTIVE and release:
            new = new._replace(status=Status.ACTIVE, extras=new.extras._replace(override_reason=release))
        if old.indicator == new:
            return Outcome.UNCHANGED
        if actor.sees_only_own and old.owner is not actor:
            return Outcome.REFUSED
        self.rows[same] = Version(new, old.owner, self.number)
        return Outcome.HELD if new.status is Status.HELD else Outcome.UPDATED


_drafts = st.builds(
    lambda value, action, title, expires: BLOCK._replace(value=value, action=action, title=title, expires=expires),
    st.sampled_from(["a.example.org", "b.example.org", "co.uk"]),
    st.sampled_from(["Block", "Allowed"]),
    st.sampled_from(["t", "u"]),
    st.sampled_from([None, None, 1, 3]),  # seconds from now
)
_batches = st.lists(_drafts, min_size=1, max_size=4)
_actors = st.sampled_from([ADMIN, ADMIN, CLIENT])


class Writes(RuleBasedStateMachine):
    """Every way to write, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.database = Database.open(url_of(new_file(Path(self.folder.name))))
        self.now = NOW
        self.past: list[Rows] = [{}]
        self.times: list[datetime] = [NOW]
        self.next_id = 1

    @initialize(batch=_batches)
    def begin(self, batch: list[Draft]) -> None:
        self.import_batch(batch, ADMIN, skip=True)

    def teardown(self) -> None:
        for number, rows in enumerate(self.past[1:], 1):
            at = self.times[number]
            then = {key: row.indicator for key, row in rows.items() if row.is_live(at)}
            assert contents(self.database, now=self.now, at=number) == then
        self.database.close()
        self.folder.cleanup()

    # -- the model ------------------------------------------------------------------------------------------------

    @property
    def rows(self) -> Rows:
        return self.past[-1]

    def live(self, actor: Actor = ADMIN) -> list[int]:
        return [
            key
            for key, row in self.rows.items()
            if row.is_live(self.now) and (row.owner is actor or not actor.sees_only_own)
        ]

    def step(self) -> Step:
        return Step(dict(self.rows), self.next_id, len(self.past))

    def keep(self, step: Step) -> bool:
        """Take *step* for done where it changed anything; return whether it did."""
        if step.rows == self.rows:
            return False
        self.past.append(step.rows)
        self.times.append(self.now)
        self.next_id = step.next_id
        return True

    def timed(self, batch: Sequence[Draft]) -> list[Draft]:
        base = self.now.replace(microsecond=0)
        return [each._replace(expires=each.expires and base + SECOND * each.expires) for each in batch]

    def made(self, draft: Draft) -> Indicator:
        found = Checker(Circumstances(self.now, guard())).check(draft).indicator
        assert found is not None
        return found

    # -- the rules ------------------------------------------------------------------------------------------------

    @rule(batch=_batches, actor=_actors, skip=st.booleans())
    def import_batch(self, batch: list[Draft], actor: Actor, skip: bool) -> None:
        drafts = self.timed(batch)
        step, outcomes, first = self.step(), [], {}
        for draft in drafts:
            new = self.made(draft)
            twin = first.setdefault(new.identity, new)
            if twin is not new:
                outcomes.append(Outcome.UNCHANGED if twin == new._replace(value=twin.value) else Outcome.REFUSED)
            else:
                outcomes.append(step.put(new, actor, self.now))
        asked = {"actor": actor, "now": self.now, "skip_bad_rows": skip}
        plan = run_import(self.database, drafts, dry_run=True, **asked)
        assert contents(self.database, now=self.now) == {key: self.rows[key].indicator for key in self.live()}
        done = run_import(self.database, drafts, expected_plan=plan.plan_digest, **asked)
        assert counts(plan) == counts(done)
        assert plan.plan_digest == done.plan_digest
        assert {name: done.total(name) for name in Outcome} == {name: outcomes.count(name) for name in Outcome}
        if skip or Outcome.REFUSED not in outcomes:
            assert done.applied
            number = step.number if self.keep(step) else None
            assert done.changeset == number
            assert set(counts(run_import(self.database, drafts, **asked))) <= {"unchanged", "refused", "conflicts"}
        else:
            assert not done.applied
            assert done.changeset is None

    @rule(batch=_batches, actor=_actors)
    def submit_batch(self, batch: list[Draft], actor: Actor) -> None:
        drafts = self.timed(batch)
        last = {self.made(draft).identity: draft for draft in drafts}
        order = sorted(last.values(), key=lambda draft: max(n for n, each in enumerate(drafts) if each is draft))
        step = self.step()
        expected = {self.made(draft).identity: step.put(self.made(draft), actor, self.now) for draft in order}
        written = submit(self.database, *drafts, actor=actor, now=self.now)
        assert [each.outcome for each in written] == [expected[self.made(draft).identity] for draft in drafts]
        self.keep(step)

    @precondition(lambda self: self.live())
    @rule(
        data=st.data(),
        changed=st.sampled_from([{"title": "v"}, {"action": "Allowed"}, {"action": "Block"}, {"expires": None}]),
    )
    def edit_one(self, data: st.DataObject, changed: dict[str, str | None]) -> None:
        key = data.draw(st.sampled_from(self.live()))
        old, step = self.rows[key], self.step()
        draft = indicators.draft_from(old.indicator)._replace(**changed)
        if draft.action != old.indicator.action.value:
            draft = draft._replace(override_reason=None)
        new = self.made(draft)
        others = [each for each, row in step.rows.items() if each != key and row.indicator.identity == new.identity]
        if new != old.indicator and any(step.rows[each].is_live(self.now) for each in others):
            with pytest.raises(Conflict):
                edit(self.database, key, now=self.now, **changed)
            return
        if new != old.indicator:
            for each in others:
                del step.rows[each]
            step.rows[key] = Version(new, old.owner, step.number)
        edit(self.database, key, now=self.now, **changed)
        self.keep(step)

    @precondition(lambda self: self.rows)
    @rule(data=st.data(), actor=_actors)
    def delete_some(self, data: st.DataObject, actor: Actor) -> None:
        keys = data.draw(st.lists(st.sampled_from(sorted(self.rows)), min_size=1, max_size=2, unique=True))
        if not set(keys) <= set(self.live(actor)):
            with pytest.raises(NotFound):
                indicators.delete(self.database, keys, actor=actor, now=self.now)
            return
        step = self.step()
        for key in keys:
            del step.rows[key]
        gone = indicators.delete(self.database, keys, actor=actor, now=self.now)
        assert [each.indicator for each in gone] == [self.rows[key].indicator for key in keys]
        self.keep(step)

    @precondition(lambda self: any(self.rows[key].indicator.status is Status.HELD for key in self.live()))
    @rule(data=st.data())
    def release_one(self, data: st.DataObject) -> None:
        held = [key for key in self.live() if self.rows[key].indicator.status is Status.HELD]
        key = data.draw(st.sampled_from(held))
        old, step = self.rows[key], self.step()
        extras = old.indicator.extras._replace(override_reason="it is ours")
        freed = old.indicator._replace(status=Status.ACTIVE, extras=extras)
        step.rows[key] = replace(old, indicator=freed, began=step.number)
        indicators.release(self.database, [key], actor=ADMIN, now=self.now, reason=" it is ours ")
        self.keep(step)

    @precondition(lambda self: len(self.past) > 1)
    @rule(data=st.data(), keep_later=st.booleans())
    def undo(self, data: st.DataObject, keep_later: bool) -> None:
        undone = data.draw(st.integers(1, len(self.past) - 1))
        before, after = self.past[undone - 1], self.past[undone]
        touched = {key for key in before.keys() | after.keys() if before.get(key) is not after.get(key)}
        later = list(zip(self.past[undone:], self.past[undone + 1 :], strict=False))
        kept = {key for key in touched if any(one.get(key) is not two.get(key) for one, two in later)}
        for key in touched & before.keys():
            identity = before[key].indicator.identity
            for other, row in self.rows.items():
                if other != key and row.indicator.identity == identity and row.began > undone:
                    kept.add(key)
        if kept and not keep_later:
            with pytest.raises(Conflict) as refused:
                changesets.undo(self.database, undone, actor=ADMIN, now=self.now)
            assert {int(each.value or 0) for each in refused.value.problems} == kept
            return
        step = self.step()
        for key in touched - kept:
            step.rows.pop(key, None)
        for key in (touched & before.keys()) - kept:
            step.rows[key] = replace(before[key], began=step.number)
        asked = {"actor": ADMIN, "now": self.now, "keep_later": keep_later}
        plan = changesets.undo(self.database, undone, dry_run=True, **asked)
        done = changesets.undo(self.database, undone, **asked)
        assert set(done.kept) == kept
        assert (plan.created, plan.updated, plan.deleted) == (done.created, done.updated, done.deleted)
        assert (done.changeset is not None) is self.keep(step)
        if done.changeset is not None and not kept:
            again = changesets.undo(self.database, done.changeset.id, actor=ADMIN, now=self.now)
            back = self.step()
            for key in touched:
                back.rows.pop(key, None)
                if key in after:
                    back.rows[key] = replace(after[key], began=back.number)
            assert again.changeset is not None
            assert self.keep(back)

    @rule()
    def sweep(self) -> None:
        step = self.step()
        expired = [key for key, row in step.rows.items() if not row.is_live(self.now)]
        for key in expired:
            del step.rows[key]
        assert expiry.remove_expired(self.database, now=self.now) == len(expired)
        self.keep(step)

    @rule(seconds=st.sampled_from([0.25, 1, 2]))
    def time_passes(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    # -- what always holds ----------------------------------------------------------------------------------------

    @invariant()
    def the_list_is_the_model(self) -> None:
        for actor in (ADMIN, CLIENT):
            expected = {key: self.rows[key].indicator for key in self.live(actor)}
            assert contents(self.database, actor=actor, now=self.now) == expected

    @invariant()
    def the_chain_verifies(self) -> None:
        head, found = changesets.verify_chain(self.database)
        assert found == []
        assert (head.id if head else 0) == len(self.past) - 1


TestWrites = Writes.TestCase
TestWrites.settings = settings(
    max_examples=25,
    stateful_step_count=15,
    # Shrinking writes thousands of databases; the story of a failure is short enough as it is.
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
