"""Checking values for a person: the same verdict as everywhere, for each group, and what would change it."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from indicia.domain.errors import InvalidInput, NotFound
from indicia.domain.indicator import Action
from indicia.domain.observable import Observable, ObservableType
from indicia.domain.verdict import NetworkPrecedence
from indicia.services import indicators
from indicia.services.checking import Answer, Question, check_many, check_one, refuse_too_many, tried, values_in
from indicia.services.groups import add_group
from indicia.services.verdicts import explain
from indicia.store.database import Database
from tests.integration.stores import ADMIN, BLOCK, NOW, guard, submit

DAY = timedelta(days=1)
ALLOW = BLOCK._replace(action="Allowed", title="ours")
URL = BLOCK._replace(type="Url", value="https://evil.example.org/a", title="a page")


def ask(database: Database, value: str, group: str | None = None, at: datetime | int | None = None) -> Answer:
    return check_one(
        database,
        value,
        Question(group, at),
        actor=ADMIN,
        now=NOW,
        guard=guard(),
        precedence=NetworkPrecedence.ACTION,
        engine=None,
    )


@pytest.mark.parametrize(
    "text, values",
    [
        ("evil.example", ["evil.example"]),
        ("  evil.example\r\n\r\n 203.0.113.7 \n", ["evil.example", "203.0.113.7"]),
        ("evil[.]example, 203.0.113.7; 'other.example'", ["evil[.]example", "203.0.113.7", "other.example"]),
        ("https://evil.example/a b", ["https://evil.example/a b"]),
        ("https://evil.example/a https://evil.example/b", ["https://evil.example/a", "https://evil.example/b"]),
        ("no value at all", ["no", "value", "at", "all"]),
        ("", []),
        (" \n\t\n", []),
    ],
)
def test_what_was_pasted_is_taken_apart(text: str, values: list[str]) -> None:
    assert values_in(text, 10) == values


def test_no_more_is_taken_apart_than_is_needed_to_refuse_it() -> None:
    assert len(values_in("a.example\n" * 1_000_000, 5)) == 6
    with pytest.raises(InvalidInput):
        refuse_too_many(["a"] * 6, 5)
    with pytest.raises(InvalidInput):
        refuse_too_many([], 5)
    refuse_too_many(["a"] * 5, 5)


def test_each_group_has_the_verdict_that_explain_gives_it(database: Database) -> None:
    for name in ("Servers", "Kiosks", "Others"):
        add_group(database, name, None, actor=ADMIN, now=NOW)
    submit(database, BLOCK, ALLOW._replace(rbac_group_names=["Servers"]), URL._replace(rbac_group_names=["Kiosks"]))
    answer = ask(database, "https://evil.example.org/a/b")
    assert [each.group for each in answer.groups] == [None, "Servers", "Kiosks", "Others"]
    for group, verdict in answer.groups:
        asked = explain(
            database, ["https://evil.example.org/a/b"], actor=ADMIN, now=NOW, guard=guard(), group=group
        ).verdicts[0]
        assert verdict == asked.verdict
    assert {each.group: each.verdict.action for each in answer.groups} == {
        None: Action.BLOCK,
        "Servers": Action.ALLOWED,
        "Kiosks": Action.BLOCK,
        "Others": Action.BLOCK,
    }


def test_without_groups_there_is_one_verdict(database: Database) -> None:
    submit(database, BLOCK)
    assert ask(database, "evil.example.org").groups == ()


def test_what_would_be_without_the_winner_is_what_is_when_it_is_gone(database: Database) -> None:
    submit(database, ALLOW, BLOCK)
    answer = ask(database, "www.evil.example.org")
    assert answer.otherwise is not None
    indicators.delete(database, [1], actor=ADMIN, now=NOW)
    assert answer.otherwise.without == ask(database, "www.evil.example.org").explained.verdict
    assert answer.otherwise.without.action is Action.BLOCK
    assert answer.otherwise.from_expiry is None


def test_what_would_be_when_the_winner_expires_counts_what_expires_before_it_too(database: Database) -> None:
    submit(
        database,
        ALLOW._replace(expires=NOW + 2 * DAY),
        BLOCK._replace(action="Warn", expires=NOW + DAY),
        BLOCK,
    )
    answer = ask(database, "evil.example.org")
    assert answer.otherwise is not None
    assert answer.otherwise.from_expiry is not None
    assert answer.otherwise.without.action is Action.WARN
    assert answer.otherwise.from_expiry.action is Action.BLOCK


def test_nothing_decides_and_so_nothing_would_change_it(database: Database) -> None:
    answer = ask(database, "nowhere.example")
    assert (answer.explained.verdict.winner, answer.otherwise) == (None, None)


def test_the_past_is_answered_as_of_then(database: Database) -> None:
    submit(database, BLOCK, now=NOW - 2 * DAY)
    indicators.delete(database, [1], actor=ADMIN, now=NOW - DAY)
    assert ask(database, "evil.example.org").explained.verdict.action is None
    for at in (1, NOW - 2 * DAY, NOW - DAY - timedelta(seconds=1)):
        answer = ask(database, "evil.example.org", at=at)
        assert (answer.explained.verdict.action, answer.snapshot) == (Action.BLOCK, 1)
        assert answer.moment == (NOW - 2 * DAY if at == 1 else at)
    with pytest.raises(NotFound):
        ask(database, "evil.example.org", at=99)


def test_many_values_have_the_verdicts_of_each_in_their_order(database: Database) -> None:
    submit(database, BLOCK, URL)
    values = ["evil.example.org", "junk", "hxxps://evil[.]example[.]org/a/b", "good.example"]
    found = check_many(
        database,
        values,
        Question(),
        actor=ADMIN,
        now=NOW,
        guard=guard(),
        precedence=NetworkPrecedence.ACTION,
        engine=None,
    )
    assert [each.value for each in found.verdicts] == values
    assert [each.verdict for each in found.verdicts] == [ask(database, value).explained.verdict for value in values]


def test_what_was_looked_up_is_told_and_long_lists_are_cut() -> None:
    url, host = tried(Observable(ObservableType.URL, "https://a.evil.example/x"))
    assert (url.type, url.value) == (ObservableType.URL, "https://a.evil.example/x")
    assert (host.type, host.value, host.above, host.more) == (
        ObservableType.DOMAIN_NAME,
        "a.evil.example",
        ("evil.example", "example"),
        0,
    )
    [address] = tried(Observable(ObservableType.IP_ADDRESS, "203.0.113.7"))
    assert (address.above[0], len(address.above), address.more) == ("203.0.113.7/32", 6, 27)
    kinds = [each.type for each in tried(Observable(ObservableType.FILE_SHA1, "0" * 40))]
    assert kinds == [ObservableType.FILE_SHA1, ObservableType.CERTIFICATE_THUMBPRINT]
