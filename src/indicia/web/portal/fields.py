"""Faults of a form, each with the field that it stands beside."""

from __future__ import annotations

from collections.abc import Mapping

from indicia.domain.errors import Conflict, InvalidInput, Problem

#: What is wrong with each field; under "" what is wrong with the form as a whole.
Faults = Mapping[str, tuple[Problem, ...]]


def by_field(error: InvalidInput | Conflict) -> Faults:
    """Return the problems of *error* by the field that each is about."""
    found: dict[str, tuple[Problem, ...]] = {}
    for problem in error.problems:
        found[problem.column or ""] = (*found.get(problem.column or "", ()), problem)
    return found or {"": (Problem(error.code, str(error)),)}
