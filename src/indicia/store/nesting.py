"""The order in which conditions are written, so that SQLite's parser has room for them."""

from __future__ import annotations

from collections.abc import Sequence

from indicia.domain.query import And, Not, Or, Query


def deepest_first(operands: Sequence[Query]) -> list[Query]:
    """Return *operands* in the order that costs a parser least: the one that nests most stands first.

    SQLite before 3.46 refuses a statement that takes more than 100 places on its parser's stack, and
    ``a OR b AND (...)`` takes five for each level, ``(...) AND b OR a`` one. Which comes first changes no answer.
    """
    return sorted(operands, key=_stack, reverse=True)


def _stack(query: Query) -> int:
    """Return about how many places *query* takes on a parser's stack."""
    match query:
        case Not(operand):
            return _stack(operand) + 2
        case And(operands) | Or(operands):
            first, *others = sorted(map(_stack, operands), reverse=True)
            return max(first + 1, others[0] + 3 if others else 0)
        case _:
            return 1
