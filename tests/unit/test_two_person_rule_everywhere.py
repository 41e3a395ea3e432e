"""Every door hands the administrator's policy to every service that writes: the rule of two people gets past none."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent.parent / "src" / "indicia"
DOORS = sorted(file for room in ("web", "cli") for file in (PACKAGE / room).rglob("*.py"))
# The services that write indicators; a name alone is enough, for doors have no others of these names.
WRITES = {
    "submit", "edit", "release", "delete", "delete_matching", "apply_bulk", "import_indicators", "apply_import",
    "plan_import", "undo",
}  # fmt: skip
OWNERS = {"indicators", "changesets", "planned_imports", "imports", "bulk", None}


def calls(file: Path) -> Iterator[tuple[int, str, set[str | None]]]:
    """Yield the line, the name and the keywords of every call of a service that writes."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        called = node.func
        owner = called.value.id if isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name) else None
        name = called.attr if isinstance(called, ast.Attribute) else called.id if isinstance(called, ast.Name) else ""
        foreign = isinstance(called, ast.Attribute) and owner not in OWNERS - {None}
        if (
            name in WRITES
            and not foreign
            and any(isinstance(each, ast.Call | ast.Name | ast.Attribute) for each in node.args)
        ):
            yield node.lineno, name, {keyword.arg for keyword in node.keywords}


def test_every_door_hands_on_the_policy() -> None:
    without = [
        f"{file.relative_to(PACKAGE)}:{line} {name}"
        for file in DOORS
        for line, name, keywords in calls(file)
        if "policy" not in keywords and "actor" in keywords | {"actor" if None in keywords else None}
        and "dry_run" not in keywords
    ]  # fmt: skip
    assert without == [], "give the service `policy=app.policy`: what takes two people is refused by that"


def test_it_looks_at_something() -> None:
    assert sum(1 for file in DOORS for _call in calls(file)) >= 15
