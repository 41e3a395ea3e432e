"""The shapes of proposals that `--json` and the API share."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from indicia.services.proposals import Plan, Proposal, Shown


def proposal_as_dict(proposal: Proposal) -> dict[str, Any]:
    """Return the shape of a proposal in a list, and of one that was just made."""
    record = proposal.record
    return {
        "id": str(record.id),
        "state": proposal.state.value,
        "kind": record.kind,
        "title": record.title,
        "proposedBy": record.actor,
        "proposedByName": record.actor_name,
        "at": _time(record.created_at),
        "expires": _time(record.expires_at),
        "reason": record.reason,
        "reasons": [
            {"need": each.need.value, "count": each.rows, "limit": each.limit, "detail": each.message}
            for each in proposal.reasons
        ],
        "counts": _counts(record.summary),
        "plan": proposal.digest,
        "decidedAt": _time(record.decided_at),
        "decidedBy": record.decided_by,
        "decidedByName": record.decided_by_name,
        "changeset": record.changeset,
    }


def shown_as_dict(shown: Shown) -> dict[str, Any]:
    """Return the shape of one proposal as it is looked at: ``now`` is None where it would do what was proposed."""
    return proposal_as_dict(shown.proposal) | {
        "planned": plan_as_dict(shown.planned),
        "now": None if shown.now is None else plan_as_dict(shown.now),
        "lookedAgain": shown.looked_again,
        "inTheWay": shown.in_the_way,
        "mine": shown.mine,
        "comments": [
            {
                "number": each.number,
                "at": _time(each.at),
                "by": each.actor,
                "byName": each.actor_name,
                "text": each.text,
            }
            for each in shown.comments
        ],
    }


def plan_as_dict(plan: Plan) -> dict[str, Any]:
    """Return the shape of what a proposal would do: its digest, its counts, and some of the rows."""
    rows = []
    for line in plan.lines:
        changes = [{"field": field, "before": old, "after": new} for field, old, new in line.changes]
        rows.append(line.as_dict() | {"changes": changes})
    return {"plan": plan.digest, "counts": dict(plan.counts), "rows": rows, "more": plan.more}


def _counts(summary: Any) -> dict[str, int]:
    return {name: value for name, value in summary.items() if name != "lines"}


def _time(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat().replace("+00:00", "Z")
