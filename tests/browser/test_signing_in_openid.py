"""Signing in by a provider, and keys, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from indicia.domain.access import Role
from tests.browser.conftest import OpenPage
from tests.browser.watching import Watch
from tests.oidc_provider import OpenIdProvider, provider
from tools.portal import Portal, serving

MILLISECONDS = 20_000


@pytest.fixture
def op() -> Iterator[OpenIdProvider]:
    with provider() as found:
        yield found


@pytest.fixture
def registered(browser: Browser, op: OpenIdProvider, tmp_path: Path) -> Iterator[Portal]:
    """Give a portal that knows the provider."""
    settings = {f"INDICIA_{name.upper()}": str(value) for name, value in op.settings(tmp_path / "secret").items()}
    with serving(tmp_path, settings=settings) as found:
        yield found


@pytest.fixture
def stranger(browser: Browser, registered: Portal) -> Iterator[Page]:
    """Give a page of a browser in which nobody is signed in; it may go to the provider, which is another site."""
    context = browser.new_context(base_url=registered.address.replace("127.0.0.1", "localhost"), locale="en-GB")
    context.set_default_timeout(MILLISECONDS)
    yield context.new_page()
    context.close()


def test_somebody_signs_in_by_the_provider(
    stranger: Page, registered: Portal, op: OpenIdProvider, axe: Callable[..., None]
) -> None:
    op.set(interactive=True)
    stranger.goto("/check")
    button = stranger.get_by_role("link", name="Sign in with Example ID")
    expect(button).to_be_visible()
    axe(stranger, "sign in by a provider")
    button.click()
    expect(stranger.get_by_role("heading", name="Provider")).to_be_visible()
    assert stranger.url.startswith(op.issuer)
    stranger.get_by_role("button", name="Sign in as Grace").click()
    expect(stranger).to_have_url(re.compile(r"/check$"))
    stranger.goto("/settings/account")
    expect(stranger.get_by_text("grace@example.org").first).to_be_visible()
    with registered.app.database.snapshot() as tx:
        (person,) = tx.people.all()
    assert person.role is Role.ANALYST
    assert not [each for each in stranger.context.cookies() if "openid" in each["name"]]


def test_who_is_refused_is_told_why(stranger: Page, op: OpenIdProvider, axe: Callable[..., None]) -> None:
    op.set(claims={"groups": ["Visitors"]})
    stranger.goto("/sign-in")
    stranger.get_by_role("link", name="Sign in with Example ID").click()
    expect(stranger.get_by_text("none of your groups has a role in Indicia")).to_be_visible()
    axe(stranger, "refused by a provider")


def test_a_key_is_made_rotated_and_revoked(open_page: OpenPage, own_portal: Portal, axe: Callable[..., None]) -> None:
    page = open_page("/settings/keys", on=own_portal)
    page.get_by_label("Name").fill("dashboard")
    page.get_by_label("It lasts for").select_option("30")
    page.get_by_label("Only what is ticked here").check()
    page.get_by_label("See indicators, check values, export").check()
    page.get_by_role("button", name="Make key").click()
    expect(page.get_by_text("The key is shown this once.")).to_be_visible()
    axe(page, "key made")
    key = page.locator("dd code").first.inner_text()
    assert re.fullmatch(r"ind_[a-z0-9]{12}_[A-Za-z0-9]{43}", key)
    page.get_by_role("link", name="I have copied the key").click()
    row = page.get_by_role("row").filter(has_text="dashboard")
    expect(row.get_by_role("cell", name="See indicators, check values, export")).to_be_visible()
    page.get_by_role("link", name="Rotate dashboard").click()
    axe(page, "key rotate")
    page.get_by_label("no longer").check()
    page.get_by_role("button", name="Rotate it").click()
    expect(page.get_by_text("does not work any more")).to_be_visible()
    assert page.locator("dd code").first.inner_text() != key
    page.get_by_role("link", name="I have copied the key").click()
    page.get_by_role("link", name="Revoke dashboard").click()
    axe(page, "key revoke")
    page.get_by_role("button", name="Revoke it").click()
    expect(page.get_by_text("The key is revoked")).to_be_visible()
    expect(page.get_by_text("Revoked or ended: 1")).to_be_visible()


def test_a_client_is_made_and_rotated(
    open_page: OpenPage, own_portal: Portal, watch: Callable[[], Watch], axe: Callable[..., None]
) -> None:
    page = open_page("/settings/clients", on=own_portal)
    watch().allow("status 422")
    page.get_by_label("Name").fill("soar")
    page.get_by_label("Only for these device groups").fill("No such group")
    page.get_by_role("button", name="Make client").click()
    expect(page.get_by_text("there is no device group")).to_be_visible()
    page.get_by_label("Only for these device groups").fill("")
    page.get_by_role("button", name="Make client").click()
    page.get_by_role("link", name="I have copied the secret").click()
    page.get_by_role("link", name="Rotate soar").click()
    axe(page, "client rotate")
    page.get_by_role("button", name="Rotate it").click()
    expect(page.get_by_text("The secret before")).to_be_visible()
    axe(page, "client rotated")
