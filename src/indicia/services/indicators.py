"""Listing, showing, adding, changing, releasing and deleting indicators one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from indicia.domain.access import Actor, Permission, require
from indicia.domain.changes import Outcome
from indicia.domain.checker import Checked
from indicia.domain.draft import Draft
from indicia.domain.errors import Conflict, Forbidden, InvalidInput, NotFound, Problem
from indicia.domain.guard import Guard
from indicia.domain.indicator import Indicator, Status, StoredIndicator
from indicia.domain.query import OrderBy, Query
from indicia.domain.rules import Strictness
from indicia.domain.sight import exists_for, in_sight_of, outside, owner_for, require_reach
from indicia.services.conflicts import resolved
from indicia.services.drafting import checked_edit, checker_for
from indicia.services.policy import NO_POLICY, Policy
from indicia.services.writing import Placed, Writing
from indicia.store.changesets import Header
from indicia.store.database import Database, Transaction
from indicia.store.selection import Selection

#: The code of the problem in a `Conflict` about a version that is not the current one any more.
STALE = "stale-version"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which indicators somebody asks for; ``at`` is a moment or the number of a changeset of the past."""

    query: Query | None = None
    order_by: tuple[OrderBy, ...] = ()
    at: datetime | int | None = None
    include_expired: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """Some indicators, the numbers of the device groups that they may name, and whether more remain."""

    items: list[StoredIndicator]
    group_ids: dict[str, str]
    more: bool


@dataclass(frozen=True, slots=True)
class Written:
    """What became of one submitted indicator: ``stored`` is None where it was refused, or only planned."""

    outcome: Outcome
    stored: StoredIndicator | None
    problems: tuple[Problem, ...]
    changeset: int | None = None


# -- reading ----------------------------------------------------------------------------------------------------------


def list_indicators(
    database: Database,
    wanted: Wanted,
    *,
    actor: Actor,
    now: datetime,
    limit: int,
    offset: int = 0,
    after: int | None = None,
    before: int | None = None,
) -> Page:
    """Return a page of the indicators that *actor* may see, live at *now* (SPEC 9.19)."""
    require(actor, Permission.INDICATORS_READ)
    with database.snapshot() as tx:
        selection = selection_of(tx, wanted, actor, now)
        items = tx.indicators.select(selection, limit=limit + 1, offset=offset, after=after, before=before)
        return Page(items[:limit], dict(selection.group_ids), len(items) > limit)


def count_indicators(
    database: Database, wanted: Wanted, *, actor: Actor, now: datetime, most: int | None = None
) -> int:
    """Return how many indicators match, counting no further than *most*."""
    require(actor, Permission.INDICATORS_READ)
    with database.snapshot() as tx:
        return tx.indicators.count(selection_of(tx, wanted, actor, now), most=most)


@contextmanager
def stream_indicators(
    database: Database, wanted: Wanted, *, actor: Actor, now: datetime
) -> Iterator[tuple[Iterator[StoredIndicator], dict[str, str]]]:
    """Give all indicators that match, as of one moment and in bounded memory, and the numbers of device groups."""
    require(actor, Permission.INDICATORS_READ)
    with database.snapshot() as tx:
        selection = selection_of(tx, wanted, actor, now)
        yield tx.indicators.stream(selection), dict(selection.group_ids)


def show_indicator(
    database: Database, number: int, *, actor: Actor, now: datetime
) -> tuple[StoredIndicator, dict[str, str]]:
    """Return indicator *number* and the numbers of device groups; `NotFound` where it is none, expired or not seen."""
    require(actor, Permission.INDICATORS_READ)
    with database.snapshot() as tx:
        return _visible(tx, number, actor, now), group_ids_in(tx)


def selection_of(tx: Transaction, wanted: Wanted, actor: Actor, now: datetime) -> Selection:
    """Return what *wanted* means in *tx* for *actor*."""
    changeset, moment = as_of(tx, wanted.at, now)
    return Selection(
        now=moment,
        query=in_sight_of(actor, resolved(tx, wanted.query, moment, groups=actor.groups, past=changeset is not None)),
        owner=owner_for(actor),
        changeset=changeset,
        include_expired=wanted.include_expired,
        order_by=wanted.order_by,
        group_ids=group_ids_in(tx),
    )


def as_of(tx: Transaction, at: datetime | int | None, now: datetime) -> tuple[int | None, datetime]:
    """Return the changeset and the moment that *at* means, None and *now* where it is not given; raises `NotFound`."""
    if at is None:
        return None, now
    if isinstance(at, datetime):
        return tx.changesets.at(at), at
    record = tx.changesets.get(at)
    if record is None:
        raise NotFound(f"there is no changeset {at}")
    return at, record.at


def group_ids_in(tx: Transaction) -> dict[str, str]:
    """Return the number of each device group by name."""
    return {group.name: str(group.id) for group in tx.groups.all()}


def _visible(tx: Transaction, number: int, actor: Actor, now: datetime) -> StoredIndicator:
    stored = tx.indicators.get([number]).get(number)
    if stored is None or not _is_visible(stored, actor, now):
        raise NotFound(f"there is no indicator {number}")
    return stored


def _is_visible(stored: StoredIndicator, actor: Actor, now: datetime) -> bool:
    return exists_for(actor, stored) and not stored.indicator.is_expired(now)


def stale(stored: StoredIndicator) -> Conflict:
    """Return the outcome where *stored* is not in the version any more that somebody read."""
    message = f"indicator {stored.id} was changed by changeset {stored.began} since you read it; read it again"
    return Conflict(message, [Problem(STALE, message, value=str(stored.id))])


# -- writing ----------------------------------------------------------------------------------------------------------


def submit(
    database: Database,
    drafts: Sequence[Draft],
    *,
    actor: Actor,
    now: datetime,
    guard: Guard,
    strictness: Strictness = Strictness.NATIVE,
    create_only: bool = False,
    dry_run: bool = False,
    reason: str | None = None,
    known_problems: Sequence[tuple[Problem, ...]] = (),
    policy: Policy = NO_POLICY,
) -> list[Written]:
    """Create or update an indicator of each draft (SPEC 9.2); a bad one is refused and stops no other.

    Where several drafts have one identity the last one counts. With *create_only*, an identity that is taken
    already is refused. All that is written is one changeset; where more indicators would be active after it than
    *policy* allows, nothing is written: `InvalidInput`.
    """
    require(actor, Permission.INDICATORS_WRITE)
    with database.snapshot() if dry_run else database.transaction() as tx:
        checker = checker_for(tx, actor, guard, now, strictness)
        checked = [checker.check(draft) for draft in drafts]
        for position, problems in enumerate(known_problems):
            if problems:
                checked[position] = Checked(None, (*problems, *checked[position].problems))
        last = {each.indicator.identity: position for position, each in enumerate(checked) if each.indicator}
        chosen = sorted(last.values())
        writing = Writing(tx, actor, now, policy=policy)
        placed = [Placed(position + 1, found) for position in chosen if (found := checked[position].indicator)]
        changes = writing.plan(placed)
        if create_only:
            changes = changes.creating_only(now)
        numbers = writing.apply(changes)
        if (excess := writing.over()) is not None:
            raise InvalidInput([excess])
        record = writing.finish(Header(actor, "submit" if not create_only else "create", now, reason))
        written = dict(zip(chosen, zip(changes.steps, numbers, strict=True), strict=True))
        stored = tx.indicators.get([number for number in numbers if number is not None])
        results = []
        for each in checked:
            if each.indicator is None:
                results.append(Written(Outcome.REFUSED, None, each.problems))
                continue
            step, number = written[last[each.indicator.identity]]
            refused = step.outcome is Outcome.REFUSED
            kept = None if refused or number is None else stored.get(number)
            changeset = record.id if record else None
            results.append(Written(step.outcome, kept, (*each.problems, *step.notes), changeset))
        return results


def edit(
    database: Database,
    number: int,
    change: Callable[[StoredIndicator], tuple[Draft, Sequence[Problem]]],
    *,
    actor: Actor,
    now: datetime,
    guard: Guard,
    version: int | None = None,
    reason: str | None = None,
    dry_run: bool = False,
    policy: Policy = NO_POLICY,
) -> Written:
    """Give indicator *number* what *change* makes of it, its action and value included (SPEC 9.1).

    ``version`` is the changeset that the caller saw it begin with: `Conflict` where it has changed since.
    """
    require(actor, Permission.INDICATORS_WRITE)
    with database.snapshot() if dry_run else database.transaction() as tx:
        stored = _visible(tx, number, actor, now)
        if version is not None and version != stored.began:
            raise stale(stored)
        require_reach(actor, stored)
        draft, faults = change(stored)
        checked = checked_edit(tx, stored, _without_old_release(stored, draft), actor, guard, now)
        problems = (*faults, *checked.problems)
        if checked.indicator is None or any(not problem.warning for problem in faults):
            raise InvalidInput([problem for problem in problems if not problem.warning])
        indicator = checked.indicator
        if (problem := outside(actor, indicator.rbac_group_names)) is not None:
            raise Forbidden(problem.message, [problem])
        writing = Writing(tx, actor, now, policy=policy)
        if not writing.replace(stored, indicator):
            return Written(Outcome.UNCHANGED, stored, tuple(problems))
        record = writing.finish(Header(actor, "edit", now, reason))
        outcome = Outcome.HELD if indicator.status is Status.HELD else Outcome.UPDATED
        kept = stored._replace(indicator=indicator) if dry_run else tx.indicators.get([number])[number]
        return Written(outcome, kept, tuple(problems), record.id if record else None)


def release(
    database: Database,
    numbers: Sequence[int],
    *,
    actor: Actor,
    now: datetime,
    reason: str,
    dry_run: bool = False,
    policy: Policy = NO_POLICY,
) -> list[StoredIndicator]:
    """Enforce indicators that the guard holds, for a recorded *reason* (SPEC 9.21); all or none."""
    require(actor, Permission.INDICATORS_RELEASE)
    if not reason.strip():
        raise InvalidInput([Problem("missing", "a release needs a reason: it is kept with the indicator", "reason")])
    with database.snapshot() if dry_run else database.transaction() as tx:
        writing = Writing(tx, actor, now, policy=policy)
        for number in dict.fromkeys(numbers):
            stored = _visible(tx, number, actor, now)
            require_reach(actor, stored)
            indicator = stored.indicator
            if indicator.status is not Status.HELD:
                raise Conflict(f"indicator {number} is not held")
            freed = indicator._replace(
                status=Status.ACTIVE, extras=indicator.extras._replace(override_reason=reason.strip())
            )
            writing.replace(stored, freed)
        writing.finish(Header(actor, "release", now, reason.strip()))
        found = tx.indicators.get(numbers)
        return [found[number] for number in numbers]


def delete(
    database: Database,
    numbers: Sequence[int],
    *,
    actor: Actor,
    now: datetime,
    reason: str | None = None,
    version: int | None = None,
    dry_run: bool = False,
    name_others: bool = False,
    policy: Policy = NO_POLICY,
) -> list[StoredIndicator]:
    """Delete indicators, all or none (SPEC 9.25); return what they were. `NotFound` names every unknown one.

    Those that the actor may not see are unknown too, or with *name_others* `Forbidden` says so of what another client
    created (SPEC 5.3). `Forbidden` too where one that it sees reaches past its device groups.
    """
    require(actor, Permission.INDICATORS_WRITE)
    wanted = list(dict.fromkeys(numbers))
    with database.snapshot() if dry_run else database.transaction() as tx:
        there = {
            number: each for number, each in tx.indicators.get(wanted).items() if not each.indicator.is_expired(now)
        }
        found = {number: each for number, each in there.items() if _is_visible(each, actor, now)}
        others = [number for number, each in there.items() if number not in found and _is_others(each, actor)]
        if name_others and others and len(there) == len(wanted):
            raise Forbidden(f"another client created indicator {', '.join(map(str, others[:50]))}")
        unknown = [number for number in wanted if number not in found]
        if unknown:
            raise NotFound(f"there is no indicator {', '.join(map(str, unknown[:50]))}; nothing was deleted")
        require_reach(actor, *found.values())
        for each in found.values():
            if version is not None and version != each.began:
                raise stale(each)
        writing = Writing(tx, actor, now, policy=policy)
        writing.delete([found[number] for number in wanted])
        writing.finish(Header(actor, "delete", now, reason))
        return [found[number] for number in wanted]


def delete_matching(
    database: Database,
    wanted: Wanted,
    *,
    actor: Actor,
    now: datetime,
    reason: str | None = None,
    dry_run: bool = False,
    policy: Policy = NO_POLICY,
) -> int:
    """Delete every indicator that matches, as one changeset; return how many."""
    require(actor, Permission.INDICATORS_WRITE)
    with database.snapshot() if dry_run else database.transaction() as tx:
        writing = Writing(tx, actor, now, policy=policy)
        selection = selection_of(tx, wanted, actor, now)
        if dry_run and actor.groups is None and policy.review is None:
            return tx.indicators.count(selection)
        after, there = 0, 0
        while found := tx.indicators.select(selection, limit=5_000, after=after):
            require_reach(actor, *found)
            after, there = found[-1].id, there + len(found)
            if not dry_run or policy.review is not None:
                writing.delete(found)
        if dry_run:
            return there
        writing.finish(Header(actor, "delete", now, reason))
        return writing.deleted


def draft_from(stored: Indicator) -> Draft:
    """Return the fields of *stored*, as the starting point of an edit."""
    return Draft(
        stored.type.value,
        stored.value,
        stored.expires_at,
        stored.action.value,
        stored.severity.value,
        stored.title,
        stored.description,
        stored.recommended_actions,
        stored.rbac_group_names,
        stored.category.value if stored.category else None,
        stored.mitre_techniques,
        stored.generate_alert,
        stored.external_id,
        stored.application,
        *stored.extras,
    )


def _is_others(stored: StoredIndicator, actor: Actor) -> bool:
    """Return whether *stored* would exist for *actor* had it created it."""
    return actor.sees_only_own and stored.created_by != actor.id and actor.sees(stored.indicator.rbac_group_names)


def _without_old_release(stored: StoredIndicator, draft: Draft) -> Draft:
    """Drop the release of an indicator whose value or action becomes another: it was given for the old one."""
    before = draft_from(stored.indicator)
    same = (draft.type, draft.value, draft.action) == (before.type, before.value, before.action)
    if same or draft.override_reason != before.override_reason:
        return draft
    return draft._replace(override_reason=None)
