"""The table of who may what in the docs is the one that holds."""

from __future__ import annotations

from pathlib import Path

from indicia.domain.access import Role
from tools.roles import table

PAGE = Path(__file__).resolve().parents[3] / "docs" / "explanation" / "who-may-what.md"


def test_the_page_has_the_table_that_holds() -> None:
    assert table() in PAGE.read_text(), "print it anew: python -m tools.roles"


def test_the_page_says_of_each_role_what_the_forms_say() -> None:
    page = " ".join(PAGE.read_text().split())
    for role in Role:
        assert f"- **{role}**: {role.sentence[0].lower()}{role.sentence[1:]}" in page
