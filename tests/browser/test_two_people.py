"""Two people and one change: one asks for it, the other looks and agrees."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Axe, Colours, OpenPage
from tools.portal import Portal, serving


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Portal]:
    rule = {"INDICIA_TWO_PERSON_ALLOW": "true", "INDICIA_TWO_PERSON_ROWS": "3"}
    with serving(tmp_path, settings=rule) as portal:
        yield portal
        portal.app.close()


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_one_asks_and_another_agrees(guarded: Portal, open_page: OpenPage, axe: Axe, colours: Colours) -> None:
    ada = open_page("/proposals", on=guarded, person="ada", colours=colours)
    expect(ada.get_by_role("heading", name="Nothing waits")).to_be_visible()
    axe(ada, "no proposals")
    ada.goto(guarded.url("/indicators/new?value=good.example&action=Allowed&title=Ours&description=Ticket+7"))
    for step in ("Action", "Scope", "Summary"):
        ada.get_by_role("button", name="Next", exact=True).click()
        expect(ada.get_by_role("heading", name=step, exact=True)).to_be_visible()
    expect(ada.get_by_text("This will wait for somebody else")).to_be_visible()
    axe(ada, "it will wait")
    ada.get_by_role("button", name="Propose", exact=True).click()
    expect(ada.get_by_role("heading", name="Proposal 1: Add good.example (Allowed)")).to_be_visible()
    expect(ada.get_by_role("button", name="Withdraw")).to_be_visible()
    expect(ada.get_by_role("button", name="Apply")).to_have_count(0)
    axe(ada, "own proposal")
    ben = open_page("/proposals", on=guarded, person="ben", colours=colours, size=(320, 800))
    ben.get_by_role("link", name="Add good.example (Allowed)").click()
    expect(ben.get_by_text("It allows 1 indicator.")).to_be_visible()
    axe(ben, "a proposal to decide")
    ben.get_by_role("button", name="Decline").click()
    expect(ben.get_by_text("say why: it is kept with the proposal")).to_be_visible()
    ben.get_by_label("Comment").fill("Checked with the owner.")
    ben.get_by_role("button", name="Apply").click()
    expect(ben.get_by_text("1 added · changeset")).to_be_visible()
    expect(ben.get_by_text("Applied", exact=True)).to_be_visible()
    axe(ben, "applied")
    ada.goto(guarded.url("/indicators"))
    expect(ada.get_by_role("link", name="good.example").first).to_be_visible()
