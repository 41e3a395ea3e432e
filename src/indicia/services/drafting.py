"""What checks the drafts of an actor: with the device groups that it may name, and whether it may release."""

from __future__ import annotations

from datetime import datetime

from indicia.domain.access import Actor, Permission, require
from indicia.domain.checker import Checked, Checker
from indicia.domain.circumstances import Circumstances
from indicia.domain.draft import PROPERTY_NAMES, Draft
from indicia.domain.guard import Guard
from indicia.domain.indicator import StoredIndicator
from indicia.domain.rules import Strictness
from indicia.domain.sight import own_groups
from indicia.store.database import Transaction


def checker_for(
    tx: Transaction,
    actor: Actor,
    guard: Guard,
    now: datetime,
    strictness: Strictness = Strictness.NATIVE,
    *,
    released: bool = False,
) -> Checker:
    """Return the checker of drafts of *actor* that come with the property names of the API.

    *released* says that a reason to override the guard, where a draft has one, was given by somebody who may.
    """
    may = released or actor.may(Permission.INDICATORS_RELEASE)
    return Checker(Circumstances(now, guard, nameable(tx, actor), strictness, PROPERTY_NAMES, may_release=may))


def nameable(tx: Transaction, actor: Actor) -> frozenset[str]:
    """Return the device groups that *actor* may name in a scope; others are unknown to it, whether there or not."""
    return own_groups(actor, [group.name for group in tx.groups.all()])


def checked_edit(
    tx: Transaction, stored: StoredIndicator, draft: Draft, actor: Actor, guard: Guard, now: datetime
) -> Checked:
    """Return what the checker says of an edit; a release that was there already stays, whoever edits.

    Raises `Forbidden` for a release that is new, where *actor* may not release.
    """
    release = draft.override_reason
    as_before = release == stored.indicator.extras.override_reason
    if release and not as_before:
        require(actor, Permission.INDICATORS_RELEASE)
    return checker_for(tx, actor, guard, now, released=as_before).check(draft)
