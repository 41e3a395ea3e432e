"""Indicators as JSON, one object a line, with the property names of the API."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any, BinaryIO, Final

import orjson

from indicia.domain.checker import Checker
from indicia.domain.draft import PROPERTY_NAMES, Draft, draft_of
from indicia.domain.errors import Problem
from indicia.importers.lines import TOO_LONG, blocks
from indicia.importers.parsed import BATCH_RECORDS, Parsed, Read, Refusal

# What the list of the API and our files of refused rows give besides: passed over, so that both can be imported again.
READ_ONLY: Final = frozenset(
    name.lower()
    for name in [
        "id",
        "createdBy",
        "createdByDisplayName",
        "createdBySource",
        "creationTimeDateTimeUtc",
        "lastUpdateTime",
        "lastUpdatedBy",
        "rbacGroupIds",
        "source",
        "sourceType",
        "status",
        "etag",
        "changeset",
        "warnings",
        "_error",
    ]
)


class NdJson:
    """Reads indicators as lines of JSON; stateless."""

    def read(self, source: BinaryIO, checker: Checker, *, strict: bool = False) -> Iterator[Parsed]:
        """Yield the objects of *source* in batches, in order. Never raises for bad data."""
        for block in blocks(source):
            for start in range(0, len(block.lines), BATCH_RECORDS):
                parsed = Parsed(position=block.position)
                for line, text in enumerate(block.lines[start : start + BATCH_RECORDS], block.first + start):
                    if text.strip():
                        _one(parsed, checker, line, text)
                yield parsed


def _one(parsed: Parsed, checker: Checker, line: int, text: str) -> None:
    found = _object(text)
    if isinstance(found, Problem):
        parsed.refused.append(Refusal(line, Draft(), (found.at(line=line),), text))
        return
    draft, unknown = draft_of(found)
    problems = unknown_properties(unknown)
    indicator, more = checker.check(draft)
    placed = tuple(problem.at(line=line) for problem in (*problems, *more))
    if indicator is None or problems:
        parsed.refused.append(Refusal(line, draft, placed, text))
        return
    parsed.notes.extend(placed)
    parsed.read.append(Read(line, indicator))


def _object(text: str) -> dict[str, Any] | Problem:
    if text == TOO_LONG:
        return Problem("line-too-long", "the line has over 65,536 characters")
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        return Problem("invalid-json", f"the line is not JSON: {error.msg} at character {error.pos + 1}")
    except UnicodeEncodeError:
        return Problem("invalid-json", "the line is not UTF-8")
    if not isinstance(found, dict):
        return Problem("not-an-object", "the line is JSON but not an object {…} of properties")
    return found


def unknown_properties(names: list[str]) -> list[Problem]:
    """Return a problem for each of *names* that no indicator has; the native doors refuse them (SPEC 9.32)."""
    problems = []
    for name in names:
        if name.lower() in READ_ONLY:
            continue
        near = difflib.get_close_matches(name[:100], list(PROPERTY_NAMES.values()), n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        message = f"indicators have no property {name[:100]!r}{hint}"
        suggestion = near[0] if near else None
        allowed = tuple(PROPERTY_NAMES.values())
        problems.append(Problem("unknown-property", message, name[:100], allowed=allowed, suggestion=suggestion))
    return problems
