"""The shapes of an indicator in our own API: what comes in, and what goes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from indicia.domain.approval import Reason
from indicia.domain.changes import Outcome
from indicia.domain.draft import Draft, draft_of
from indicia.domain.errors import Conflict, InvalidInput, Problem
from indicia.domain.indicator import StoredIndicator
from indicia.domain.query import InvalidFilter, Query
from indicia.domain.query_literals import moment
from indicia.domain.query_text import parse_filter
from indicia.exporters.entity import etag, native
from indicia.importers.ndjson import READ_ONLY, unknown_properties
from indicia.services import groups
from indicia.services.idempotency import Reply
from indicia.services.indicators import Written
from indicia.store.database import Database
from indicia.web.api_call import MOST_NUMBER, object_of, reply

# Of a create that is refused, these say that what is stored is in the way, and not what was sent.
_TAKEN: Final = frozenset({"already-exists", "not-yours"})

# -- shapes -----------------------------------------------------------------------------------------------------------


def group_ids_of(database: Database) -> dict[str, str]:
    """Return the number of each device group by name."""
    return {group.name: str(group.id) for group in groups.list_groups(database)}


def shown(stored: StoredIndicator, group_ids: Mapping[str, str], problems: Sequence[Problem]) -> Reply:
    """Return the answer to a write: the indicator as it is now, and what there is to know about it."""
    body = native(stored, group_ids) | {"warnings": [problem.as_dict() for problem in problems]}
    return reply(body, headers={"ETag": etag(stored)})


def messages_of(reasons: Sequence[Reason]) -> list[str]:
    """Return why it takes a second person, as answers tell it."""
    return [reason.message for reason in reasons]


def created(
    written: Written, group_ids: Mapping[str, str], *, dry_run: bool, takes_two: Sequence[Reason] = ()
) -> Reply:
    """Return the answer to a create; raises `Conflict` or `InvalidInput` where it was refused."""
    problems = [replace(problem, line=None) for problem in written.problems]  # there is no file
    errors = [problem for problem in problems if not problem.warning]
    if written.outcome is Outcome.REFUSED:
        if any(problem.code in _TAKEN for problem in errors):
            raise Conflict(errors[0].message, errors)
        raise InvalidInput(errors)
    if dry_run or written.stored is None:
        warnings = [problem.as_dict() for problem in problems]
        planned = {"dryRun": True, "outcome": written.outcome.value, "indicator": None, "warnings": warnings}
        return reply(planned | {"takesTwo": messages_of(takes_two)})
    answer = shown(written.stored, group_ids, problems)
    return answer._replace(status=201, headers={**answer.headers, "Location": f"/v1/indicators/{written.stored.id}"})


# -- what comes in ----------------------------------------------------------------------------------------------------


def draft_from(body: Any, base: Draft | None = None) -> tuple[Draft, tuple[Problem, ...]]:
    """Return the draft that a JSON object spells, and a problem for every property that nobody may set (SPEC 9.32)."""
    draft, unknown = draft_of(object_of(body), base)
    problems = [_read_only(name) for name in unknown if name.lower() in READ_ONLY]
    return draft, (*problems, *unknown_properties(unknown))


def parsed(filter: str | None) -> Query | None:
    """Return the tree of *filter*; `InvalidInput` names the place where it cannot be understood."""
    if filter is None:
        return None
    try:
        return parse_filter(filter)
    except InvalidFilter as fault:
        raise InvalidInput([Problem("invalid-filter", str(fault), "filter", fault.token, fault.allowed)]) from None


def as_of(at: str | None) -> datetime | int | None:
    """Return the moment or the changeset that *at* names."""
    if at is None:
        return None
    if at.isascii() and at.isdecimal() and len(at) < 20 and int(at) <= MOST_NUMBER:
        return int(at)
    found = moment(at)
    if found is None:
        message = f"{at!r} is neither a time nor the number of a changeset"
        raise InvalidInput([Problem("invalid-time", message, "at", at, ("2026-01-31T12:00:00Z", "42"))])
    return found.at


def _read_only(name: str) -> Problem:
    return Problem("read-only-property", f"{name[:100]} is set by the server; leave it out", name[:100])
