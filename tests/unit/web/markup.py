"""Reads templates as HTML with holes in it, where jinja writes something later."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

WEB = Path(__file__).resolve().parents[3] / "src" / "indicia" / "web"
TEMPLATES = sorted((WEB / "templates").rglob("*.html"))

# What jinja writes there later stands as one character with a number: an expression is never looked into as if it were
# HTML, and what is written as HTML never hides in an expression.
EXPRESSION = re.compile(r"\{\{-?(.*?)-?\}\}", re.DOTALL)
COMMENT = re.compile(r"\{#.*?#\}", re.DOTALL)
STATEMENT = re.compile(r"\{%.*?%\}", re.DOTALL)
HOLE = re.compile("\ue000(\\d+)\ue001")
TAG = re.compile(r"<([a-zA-Z][\w-]*)((?:[^\"'<>]|\"[^\"]*\"|'[^']*')*)>")
ATTRIBUTE = re.compile(r"\s*(?:([^\s\"'<>/=]+)(?:\s*=\s*(\"[^\"]*\"|'[^']*'|[^\s\"'>]*))?|(/))", re.DOTALL)

MACRO = re.compile(r"\{%-?\s*macro (\w+)\(.*?\)\s*-?%\}(.*?)\{%-?\s*endmacro", re.DOTALL)


class Hole(NamedTuple):
    """An expression, and the line it stands on."""

    text: str
    line: int


class Tag(NamedTuple):
    """A tag of a template, and its attributes with what stands in them; None where there is no value."""

    name: str
    line: int
    attributes: list[tuple[str, str | None]]


def holes_of(text: str) -> tuple[str, list[Hole]]:
    """Return *text* without what jinja does, and its expressions."""
    holes: list[Hole] = []

    def blank(found: re.Match[str]) -> str:
        return "\n" * found[0].count("\n") or " "

    text = STATEMENT.sub(blank, COMMENT.sub(blank, text))

    def hole(found: re.Match[str]) -> str:
        holes.append(Hole(found[1].strip(), text.count("\n", 0, found.start()) + 1))
        return f"\ue000{len(holes) - 1}\ue001" + "\n" * found[0].count("\n")

    return EXPRESSION.sub(hole, text), holes


def tags_of(text: str) -> Iterator[Tag]:
    for found in TAG.finditer(text):
        attributes = [(match[1], match[2]) for match in ATTRIBUTE.finditer(found[2]) if match[1]]
        yield Tag(found[1].lower(), text.count("\n", 0, found.start()) + 1, attributes)


def macros_of_attributes() -> dict[str, str]:
    """Return the macros that write attributes and no element, and what they write."""
    written = {found[1]: found[2] for file in TEMPLATES for found in MACRO.finditer(file.read_text(encoding="utf-8"))}
    return {name: text for name, text in written.items() if "<" not in text and "=" in holes_of(text)[0]}
