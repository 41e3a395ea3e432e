"""`indicia user`: links for people, by the command line."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from indicia.app import App
from indicia.domain.errors import NotFound
from indicia.services import people
from indicia.settings import Settings
from tests.acceptance.command_line import Terminal
from tests.integration.weak_passwords import GOOD, weak


def token_in(link: str) -> str:
    return link.rpartition("/")[2]


def use(terminal: Terminal, link: str) -> str:
    app = App.open(Settings(database_url=terminal.url))
    try:
        now = datetime.now(UTC)
        return people.accept(app.database, token_in(link), "", GOOD, passwords=weak(), now=now).name
    finally:
        app.close()


def test_somebody_is_added_and_chooses_a_password(terminal: Terminal) -> None:
    done = terminal.ok("user", "add", "ada")
    lines = dict(line.split(maxsplit=1) for line in done.out.splitlines())
    assert lines["name"] == "ada"
    assert lines["link"].startswith("http://localhost:8484/welcome/")
    assert "shown this once" in done.err
    assert token_in(lines["link"]) not in terminal.ok("user", "list").out
    assert use(terminal, lines["link"]) == "ada"
    [found] = terminal.ok("user", "list", "--json").json["users"]
    assert found["name"] == "ada"
    assert found["password_at"]
    assert found["disabled_at"] is None
    assert "user.add" in terminal.ok("history").out


@pytest.mark.parametrize("command", ["add", "reset"])
def test_the_link_leads_to_the_portal_that_is_named(terminal: Terminal, command: str) -> None:
    if command == "reset":
        terminal.ok("user", "add", "ada")
    made = terminal.ok("user", command, "ada", "--url", "https://indicia.example/", "--json").json
    assert made["link"].startswith("https://indicia.example/welcome/")
    assert set(made) == {"name", "link", "expires_at"}


@pytest.mark.parametrize("url", ["", "indicia.example", "ftp://x", "https://", "https://x?y", "javascript:alert(1)"])
def test_what_is_no_address_of_a_portal_is_refused(terminal: Terminal, url: str) -> None:
    assert terminal.call("user", "add", "ada", "--url", url).code == 2
    assert terminal.ok("user", "list", "--json").json == {"users": []}


def test_who_forgot_the_password_gets_another_link(terminal: Terminal) -> None:
    first = terminal.ok("user", "add", "ada", "--json").json["link"]
    second = terminal.ok("user", "reset", "ADA", "--json").json["link"]
    with pytest.raises(NotFound):
        use(terminal, first)
    assert use(terminal, second) == "ada"


def test_somebody_is_disabled_and_enabled(terminal: Terminal) -> None:
    terminal.ok("user", "add", "ada")
    assert terminal.ok("user", "disable", "ada").out == "disabled: ada\n"
    assert terminal.call("user", "disable", "ada").code == 6
    assert terminal.call("user", "reset", "ada").code == 6
    assert terminal.ok("user", "list", "--json").json["users"][0]["disabled_at"]
    assert terminal.ok("user", "enable", "ada").out == "enabled: ada\n"
    assert terminal.call("user", "enable", "ada").code == 6


def test_somebody_gets_a_role_and_device_groups(terminal: Terminal) -> None:
    terminal.ok("user", "add", "ada", "--role", "administrator")
    terminal.ok("user", "add", "grace")
    terminal.ok("group", "add", "Servers")
    assert terminal.ok("user", "role", "Grace", "analyst", "--group", "Servers").out == "grace: analyst, Servers\n"
    found = terminal.ok("user", "role", "grace", "responder", "--json").json
    assert (found["role"], found["groups"]) == ("responder", ["Servers"]), "the groups stay as they are"
    assert terminal.ok("user", "role", "grace", "responder", "--all-groups", "--json").json["groups"] is None
    told = terminal.ok("audit", "list", "--kind", "user.change").out
    assert "grace · viewer to analyst · limited to Servers" in told
    last = terminal.call("user", "role", "ada", "viewer")
    assert (last.code, last.err) == (6, "error: ada is the last administrator; make somebody else one first\n")
    unknown = terminal.call("user", "role", "grace", "analyst", "--group", "Nope")
    assert (unknown.code, "allowed: Servers" in unknown.err) == (2, True)
    assert terminal.call("user", "role", "nobody", "viewer").code == 5
    assert terminal.call("user", "role", "grace", "king").code == 2


def test_a_key_is_shown_once_and_ends(terminal: Terminal) -> None:
    terminal.ok("user", "add", "ada")
    made = terminal.ok("key", "add", "backup-script", "--user", "ada", "--expires", "30d", "--json").json
    secret = made["key"]
    assert secret.startswith("ind_")
    assert secret not in terminal.ok("key", "list").out
    again = terminal.ok("key", "rotate", made["id"], "--json").json
    assert again["key"] != secret
    terminal.ok("key", "revoke", made["id"])
    [kept] = terminal.ok("key", "list", "--json").json["keys"]
    assert kept["revoked_at"]
    assert terminal.call("key", "rotate", made["id"]).code == 6
    assert terminal.call("key", "revoke", "nothing").code == 5
    assert terminal.call("key", "add", "x", "--user", "nobody").code == 5


def test_what_cannot_be_is_a_sentence(terminal: Terminal) -> None:
    assert "there is nobody" in terminal.ok("user", "list").err
    for command in ("reset", "disable", "enable"):
        done = terminal.call("user", command, "nobody\x1b[31m")
        assert done.code == 5
        assert "\x1b" not in done.err
    assert terminal.call("user", "add", "").code == 2
    terminal.ok("user", "add", "ada")
    done = terminal.call("user", "add", "Ada")
    assert done.code == 6
    assert "already" in done.err
