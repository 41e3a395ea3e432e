"""Two people, a rule that needs both, and short ways to propose and to decide."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from indicia.domain.access import Actor, Role, Source
from indicia.domain.approval import Rule
from indicia.domain.draft import Draft
from indicia.services import deciding, indicators, proposals
from indicia.services.policy import Policy
from indicia.services.proposals import Parts, Proposal
from indicia.services.requests import Request, Submit
from indicia.store.database import Database
from tests.integration.stores import BLOCK, NOW, guard

ADA = Actor("ada", "Ada", Source.PORTAL, Role.ADMINISTRATOR.permissions)
BEN = Actor("ben", "Ben", Source.PORTAL, Role.RESPONDER.permissions)
ANALYST = Actor("cleo", "Cleo", Source.PORTAL, Role.ANALYST.permissions)
VIEWER = Actor("dora", "Dora", Source.PORTAL, Role.VIEWER.permissions)
RULE = Rule(release=True, allow=True, rows=5)
POLICY = Policy(rule=RULE)
ALLOW = BLOCK._replace(action="Allowed", value="good.example.org")


def parts(policy: Policy = POLICY) -> Parts:
    return Parts(guard(), policy)


def submit(
    database: Database, *drafts: Draft, actor: Actor = ADA, now: datetime = NOW, policy: Policy = POLICY, **more: Any
) -> list[indicators.Written] | Proposal:
    """Submit *drafts*, or propose them where the rule says so."""

    def do(base: Database) -> list[indicators.Written]:
        return indicators.submit(base, drafts, actor=actor, now=now, guard=guard(), policy=policy)

    return proposals.or_propose(
        database, do, lambda _base: Submit(drafts), actor=actor, now=now, parts=parts(policy), **more
    )


def proposed(database: Database, request: Request, *, actor: Actor = ADA, now: datetime = NOW) -> Proposal:
    return proposals.propose(database, request, actor=actor, now=now, parts=parts())


def shown(database: Database, number: int, *, actor: Actor = BEN, now: datetime = NOW, **more: Any) -> proposals.Shown:
    return proposals.show(database, number, actor=actor, now=now, parts=parts(), **more)


def applied(
    database: Database, number: int, *, actor: Actor = BEN, now: datetime = NOW, plan: str | None = None
) -> deciding.Applied:
    """Apply what *actor* is shown."""
    digest = plan if plan is not None else shown(database, number, actor=actor, now=now).plan.digest
    return deciding.apply(database, number, plan=digest, actor=actor, now=now, parts=parts())
