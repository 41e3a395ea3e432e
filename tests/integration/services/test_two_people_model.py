"""With the rule on, nothing is let through, and not many rows are changed at once, unless two people agreed to it."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from indicia.domain.access import Actor
from indicia.domain.draft import Draft
from indicia.domain.errors import IndiciaError
from indicia.domain.indicator import Action, Indicator, Status
from indicia.domain.query_text import parse_filter
from indicia.services import bulk, changesets, deciding, imports, indicators, planned_imports, proposals
from indicia.services.bulk_change import BulkChange
from indicia.services.groups import add_group
from indicia.services.indicators import Wanted
from indicia.services.policy import Policy
from indicia.services.requests import Bulk, Delete, DeleteMatching, Release, Request, Submit, Undo, edit_of, import_of
from indicia.store.database import Database
from tests.databases import new_file, url_of
from tests.integration.services.proposing import ADA, BEN, POLICY, parts, shown
from tests.integration.stores import ADMIN, BLOCK, NOW, change_fields, contents, csv_of, faults, guard

ROWS = 5
_VALUES = ["a.example.org", "b.example.org", "com", "10.0.0.1"]  # the last two are held where they are blocked
_DRAFTS = st.builds(
    lambda value, action, groups, days, override: BLOCK._replace(
        type="IpAddress" if value[0].isdigit() else "DomainName",
        value=value,
        action=action,
        rbac_group_names=groups,
        expires=None if days is None else NOW + timedelta(days=days),
        override_reason=override,
    ),
    st.sampled_from(_VALUES),
    st.sampled_from(["Block", "Allowed", "Audit"]),
    st.sampled_from([None, ["Servers"]]),
    st.sampled_from([None, 3]),
    st.sampled_from([None, None, "it is ours"]),
)
_FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "action": st.sampled_from(["Block", "Allowed", "Audit"]),
        "title": st.sampled_from(["one", "two"]),
        "value": st.sampled_from(["a.example.org", "b.example.org", "com"]),
        "override_reason": st.sampled_from([None, "it is ours"]),
        "rbac_group_names": st.sampled_from([None, ["Servers"]]),
        "expires": st.sampled_from([None, NOW + timedelta(days=9)]),
    },
)
_NUMBERS = st.integers(1, 12)


def lets_through(each: Indicator) -> bool:
    released = each.extras.override_reason is not None and each.action.interferes
    return each.action is Action.ALLOWED or (each.status is Status.ACTIVE and released)


class TwoPeople(RuleBasedStateMachine):
    """Ada does whatever she likes, by every road; Ben only now and then applies what she proposed."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.database = Database.open(url_of(new_file(Path(self.folder.name))))
        self.now = NOW
        self.agreed: set[tuple[str, str, bool, datetime | None]] = set()
        self.ids = itertools.count()
        add_group(self.database, "Servers", None, actor=ADMIN, now=NOW)

    def teardown(self) -> None:
        assert faults(self.database) == []
        self.database.close()
        self.folder.cleanup()

    def attempt(self, do: Callable[[Database], Any], request: Callable[[Database], Request], *, ask: bool) -> None:
        with suppress(IndiciaError):
            proposals.or_propose(self.database, do, request, actor=ADA, now=self.now, parts=parts(), ask=ask)

    def who(self, policy: Policy = POLICY) -> dict[str, Any]:
        return {"actor": ADA, "now": self.now, "policy": policy}

    @rule(drafts=st.lists(_DRAFTS, min_size=1, max_size=7), ask=st.booleans())
    def submit(self, drafts: list[Draft], ask: bool) -> None:
        self.attempt(
            lambda base: indicators.submit(base, drafts, guard=guard(), **self.who()),
            lambda _base: Submit(tuple(drafts)),
            ask=ask,
        )

    @rule(number=_NUMBERS, fields=_FIELDS, ask=st.booleans())
    def edit(self, number: int, fields: dict[str, Any], ask: bool) -> None:
        change = change_fields(**fields)
        self.attempt(
            lambda base: indicators.edit(base, number, change, guard=guard(), **self.who()),
            lambda base: edit_of(base, number, change, actor=ADA, now=self.now),
            ask=ask,
        )

    @rule(number=_NUMBERS)
    def release(self, number: int) -> None:
        self.attempt(
            lambda base: indicators.release(base, [number], reason="ours", **self.who()),
            lambda _base: Release((number,), "ours"),
            ask=False,
        )

    @rule(numbers=st.lists(_NUMBERS, min_size=1, max_size=8, unique=True))
    def delete(self, numbers: list[int]) -> None:
        self.attempt(
            lambda base: indicators.delete(base, numbers, **self.who()),
            lambda _base: Delete(tuple(numbers)),
            ask=False,
        )

    @rule(filter=st.sampled_from([None, "action eq 'Block'", "action eq 'Allowed'"]))
    def delete_matching(self, filter: str | None) -> None:
        wanted = Wanted(parse_filter(filter) if filter else None)
        self.attempt(
            lambda base: indicators.delete_matching(base, wanted, **self.who()),
            lambda _base: DeleteMatching(wanted),
            ask=False,
        )

    @rule(
        change=st.sampled_from(
            [
                BulkChange({"action": "Allowed"}),
                BulkChange(release="ours"),
                BulkChange({"rbac_group_names": ()}),
                BulkChange({"expires": None}),
                BulkChange(delete=True),
            ]
        ),
        numbers=st.lists(_NUMBERS, min_size=1, max_size=8, unique=True),
    )
    def change_many(self, change: BulkChange, numbers: list[int]) -> None:
        self.attempt(
            lambda base: bulk.apply_bulk(base, numbers, change, guard=guard(), expected=None, **self.who()),
            lambda _base: Bulk(tuple(numbers), change),
            ask=False,
        )

    @rule(drafts=st.lists(_DRAFTS, min_size=1, max_size=7), planned=st.booleans())
    def import_file(self, drafts: list[Draft], planned: bool) -> None:
        import_id = f"import-{next(self.ids)}"
        options = imports.Options()

        def source() -> imports.Source:
            return imports.Source("a.csv", io.BytesIO(csv_of(drafts)))

        def plan(base: Database) -> None:
            planned_imports.plan_import(base, source(), options, import_id=import_id, guard=guard(), **self.who())

        def do(base: Database) -> None:
            if planned:
                plan(base)
                planned_imports.apply_import(base, import_id, guard=guard(), **self.who())
            else:
                imports.import_indicators(base, [source()], options, guard=guard(), **self.who())

        def request(base: Database) -> Request:
            if not planned:
                plan(base)
            return import_of(planned_imports.planned_import(base, import_id, actor=ADA))

        self.attempt(do, request, ask=False)

    @rule(back=st.integers(0, 4), keep=st.booleans())
    def undo(self, back: int, keep: bool) -> None:
        records = [each for each in self.records() if each.created or each.updated or each.deleted]
        if back < len(records):
            number = records[back].id
            self.attempt(
                lambda base: changesets.undo(base, number, keep_later=keep, **self.who()),
                lambda _base: Undo(number, keep),
                ask=False,
            )

    @rule(by=st.sampled_from([ADA, BEN]), digest=st.booleans())
    @precondition(lambda self: proposals.count_open(self.database, actor=ADA, now=self.now) > 0)
    def apply(self, by: Actor, digest: bool) -> None:
        [newest] = proposals.find(self.database, proposals.State.OPEN, actor=ADA, now=self.now, limit=1).items
        seen = shown(self.database, newest.id, now=self.now)
        before = contents(self.database, now=self.now)
        plan = seen.plan.digest if digest else newest.digest
        try:
            deciding.apply(self.database, newest.id, plan=plan, actor=by, now=self.now, parts=parts())
        except IndiciaError:
            assert contents(self.database, now=self.now) == before
            return
        assert by == BEN
        after = contents(self.database, now=self.now)
        assert sum(before.get(key) != after.get(key) for key in before | after) <= seen.plan.counts["rows"]
        self.agreed |= {self.how_far(each) for each in after.values() if lets_through(each)}

    @rule()
    def wait(self) -> None:
        self.now += timedelta(days=1)
        deciding.expire(self.database, now=self.now)

    def records(self) -> list[Any]:
        return changesets.list_changesets(self.database, actor=ADMIN, limit=1_000)

    @staticmethod
    def how_far(each: Indicator) -> tuple[str, str, bool, datetime | None]:
        return each.canonical, each.action, bool(each.rbac_group_names), each.expires_at

    @invariant()
    def nothing_is_let_through_that_nobody_else_agreed_to(self) -> None:
        for each in contents(self.database, now=self.now).values():
            if lets_through(each):
                value, action, narrow, until = self.how_far(each)
                assert any(
                    (value, action) == (other, same)
                    and (narrow or not narrowed)
                    and (expires is None or (until is not None and until <= expires))
                    for other, same, narrowed, expires in self.agreed
                ), (each, self.agreed)

    @invariant()
    def no_large_change_is_of_one_person(self) -> None:
        for record in self.records():
            if record.created + record.updated + record.deleted > ROWS and record.source != "System":
                assert record.details["proposal"]["by"] == ADA.id
                assert record.actor == BEN.id


TestTwoPeople = TwoPeople.TestCase
TestTwoPeople.settings = settings(
    max_examples=15,
    stateful_step_count=25,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
