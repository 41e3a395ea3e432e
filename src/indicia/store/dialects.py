"""The expressions that SQLite and PostgreSQL spell differently: here, and nowhere else.

All of them take text by code point and know the case of ASCII letters only, as `domain.query_memory` does. On
PostgreSQL that takes the collation C: a database's own one orders and folds as its users' language does.
"""

from __future__ import annotations

from typing import Any, Literal

from sqlalchemy import ColumnElement, Integer, Text, and_, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

_FIRST_SURROGATE, _LAST_SURROGATE, _LAST_CODE_POINT = 0xD800, 0xDFFF, 0x10FFFF


def by_code_point(text: ColumnElement[Any]) -> ColumnElement[str]:
    """Return *text* as something that compares and sorts by code point."""
    return _ByCodePoint(text)


def folded(text: ColumnElement[Any], fold: Literal["lower", "upper"]) -> ColumnElement[str]:
    """Return *text* with its ASCII letters made small or large."""
    return _Lower(text) if fold == "lower" else _Upper(text)


def contains(text: ColumnElement[Any], part: str) -> ColumnElement[bool]:
    """Return the condition that *part* is in *text*; null where *text* is null."""
    return _Position(text, literal(part, Text())) > 0


def starts_with(text: ColumnElement[Any], part: str) -> ColumnElement[bool]:
    """Return the condition that *text* begins with *part*, as a range that an index can serve."""
    ordered = by_code_point(text)
    beyond = _next(part)
    if beyond is None:
        return ordered >= literal(part, Text())
    return and_(ordered >= literal(part, Text()), ordered < literal(beyond, Text()))


def ends_with(text: ColumnElement[Any], part: str) -> ColumnElement[bool]:
    """Return the condition that *text* ends with *part*, which is not empty; null where *text* is null."""
    return _Tail(text, literal(len(part), Integer())) == literal(part, Text())


def _next(prefix: str) -> str | None:
    """Return the first text after all that begin with *prefix*, None where there is none.

    UTF-8 sorts as code points do, and no text has surrogates in it.
    """
    kept = prefix.rstrip(chr(_LAST_CODE_POINT))
    if not kept:
        return None
    following = ord(kept[-1]) + 1
    return kept[:-1] + chr(_LAST_SURROGATE + 1 if following == _FIRST_SURROGATE else following)


class _ByCodePoint(FunctionElement[str]):
    type = Text()
    inherit_cache = True


class _Lower(FunctionElement[str]):
    type = Text()
    inherit_cache = True


class _Upper(FunctionElement[str]):
    type = Text()
    inherit_cache = True


class _Position(FunctionElement[int]):
    """Where the second text begins in the first, counted from 1; 0 where it does not."""

    type = Integer()
    inherit_cache = True


class _Tail(FunctionElement[str]):
    """As many of the last characters of a text as the second argument says; the whole text where it has fewer."""

    type = Text()
    inherit_cache = True


@compiles(_ByCodePoint, "sqlite")
def _by_code_point_on_sqlite(element: _ByCodePoint, compiler: SQLCompiler, **kw: Any) -> str:
    return _arguments(element, compiler, kw)


@compiles(_ByCodePoint, "postgresql")
def _by_code_point_on_postgresql(element: _ByCodePoint, compiler: SQLCompiler, **kw: Any) -> str:
    return f'({_arguments(element, compiler, kw)} COLLATE "C")'


@compiles(_Lower, "sqlite")
def _lower_on_sqlite(element: _Lower, compiler: SQLCompiler, **kw: Any) -> str:
    return f"lower({_arguments(element, compiler, kw)})"


@compiles(_Lower, "postgresql")
def _lower_on_postgresql(element: _Lower, compiler: SQLCompiler, **kw: Any) -> str:
    return f'lower({_arguments(element, compiler, kw)} COLLATE "C")'


@compiles(_Upper, "sqlite")
def _upper_on_sqlite(element: _Upper, compiler: SQLCompiler, **kw: Any) -> str:
    return f"upper({_arguments(element, compiler, kw)})"


@compiles(_Upper, "postgresql")
def _upper_on_postgresql(element: _Upper, compiler: SQLCompiler, **kw: Any) -> str:
    return f'upper({_arguments(element, compiler, kw)} COLLATE "C")'


@compiles(_Position, "sqlite")
def _position_on_sqlite(element: _Position, compiler: SQLCompiler, **kw: Any) -> str:
    return f"instr({_arguments(element, compiler, kw)})"


@compiles(_Position, "postgresql")
def _position_on_postgresql(element: _Position, compiler: SQLCompiler, **kw: Any) -> str:
    return f"strpos({_arguments(element, compiler, kw)})"


@compiles(_Tail, "sqlite")
def _tail_on_sqlite(element: _Tail, compiler: SQLCompiler, **kw: Any) -> str:
    text, length = element.clauses
    return f"substr({compiler.process(text, **kw)}, -{compiler.process(length, **kw)})"


@compiles(_Tail, "postgresql")
def _tail_on_postgresql(element: _Tail, compiler: SQLCompiler, **kw: Any) -> str:
    return f"right({_arguments(element, compiler, kw)})"


def _arguments(element: FunctionElement[Any], compiler: SQLCompiler, kw: dict[str, Any]) -> str:
    return ", ".join(compiler.process(argument, **kw) for argument in element.clauses)
