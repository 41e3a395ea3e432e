"""People and the links by which they set their passwords: good once, told to nobody, and in the chain."""

from __future__ import annotations

import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from indicia.domain.access import Role, Source
from indicia.domain.errors import Conflict, Forbidden, IndiciaError, InvalidInput, NotFound
from indicia.services import people, sessions
from indicia.services.people import LINK_LASTS, Person
from indicia.services.sessions import Limits
from indicia.store.database import Database
from tests.integration.stores import ADMIN, CLIENT, NOW, faults, rows_of
from tests.integration.weak_passwords import GOOD, OTHER_GOOD, weak

DAY = timedelta(days=1)


def first(database: Database, name: str = "Ada", now: datetime = NOW) -> Person:
    token = people.one_time_link(database, now)
    assert token is not None
    return people.accept(database, token, name, GOOD, passwords=weak(), now=now)


def added(database: Database, name: str, password: str = OTHER_GOOD) -> Person:
    link = people.add_person(database, name, actor=ADMIN, now=NOW, role=Role.ADMINISTRATOR)
    return people.accept(database, link.token, "", password, passwords=weak(), now=NOW)


def kinds(database: Database) -> list[str]:
    from indicia.services.changesets import list_changesets

    return [each.kind for each in list_changesets(database, actor=ADMIN, limit=100)][::-1]


def everything_in(database: Database) -> bytes:
    if database.file is None:
        return repr(rows_of(database)).encode()
    return b"".join(
        Path(f"{database.file}{end}").read_bytes() for end in ("", "-wal") if Path(f"{database.file}{end}").exists()
    )


# -- the first --------------------------------------------------------------------------------------------------------


def test_the_first_link_makes_an_administrator(database: Database) -> None:
    made = first(database)
    actor = people.actor_of(made)
    assert (actor.name, actor.source, actor.sees_only_own) == ("Ada", Source.PORTAL, False)
    assert people.list_people(database, actor=actor) == [made]
    assert people.check_password(database, " ADA ", GOOD, passwords=weak()) == made
    assert kinds(database) == ["user.add"]
    assert faults(database) == []


def test_there_is_no_first_link_once_there_is_somebody(database: Database) -> None:
    early = people.one_time_link(database, NOW)
    assert early is not None
    people.add_person(database, "Grace", actor=ADMIN, now=NOW, role=Role.ADMINISTRATOR)
    assert people.one_time_link(database, NOW) is None
    with pytest.raises(NotFound):
        people.accept(database, early, "Mallory", GOOD, passwords=weak(), now=NOW)
    assert [each.name for each in people.list_people(database, actor=ADMIN)] == ["Grace"]


def test_of_several_first_links_the_newest_counts(database: Database) -> None:
    old, new = (people.one_time_link(database, NOW) for _ in range(2))
    assert old is not None
    assert new is not None
    with pytest.raises(NotFound):
        people.invitation(database, old, NOW)
    assert people.invitation(database, new, NOW).person is None


@pytest.mark.parametrize(
    "after, good", [(timedelta(0), True), (LINK_LASTS - timedelta(microseconds=1), True), (LINK_LASTS, False)]
)
def test_a_link_is_good_for_a_day(database: Database, after: timedelta, good: bool) -> None:
    links = [
        people.one_time_link(database, NOW),
        people.add_person(database, "x", actor=ADMIN, now=NOW, role=Role.ADMINISTRATOR).token,
    ]
    for token in links[1:]:
        try:
            people.invitation(database, str(token), NOW + after)
        except NotFound:
            assert not good
        else:
            assert good


def test_looking_at_a_link_does_not_use_it_up(database: Database) -> None:
    token = str(people.one_time_link(database, NOW))
    for _ in range(3):
        assert people.invitation(database, token, NOW).person is None
    with pytest.raises(InvalidInput):
        people.accept(database, token, "Ada", "short", passwords=weak(), now=NOW)
    assert people.accept(database, token, "Ada", GOOD, passwords=weak(), now=NOW).name == "Ada"
    with pytest.raises(NotFound):
        people.accept(database, token, "Eve", GOOD, passwords=weak(), now=NOW)


def test_however_many_use_a_link_at_once_one_of_them_counts(database: Database) -> None:
    token = str(people.one_time_link(database, NOW))
    passwords = weak()

    def use(number: int) -> object:
        try:
            return people.accept(database, token, f"person {number}", GOOD, passwords=passwords, now=NOW).name
        except IndiciaError as error:
            return type(error)

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(use, range(8)))
    names = [each for each in found if isinstance(each, str)]
    assert len(names) == 1
    assert set(found) - set(names) == {NotFound}
    assert [each.name for each in people.list_people(database, actor=ADMIN)] == names


@pytest.mark.parametrize("token", ["", "x", "é" * 50, "a" * 1_000_000, "\ud800", "../../x", "\0"])
def test_what_is_no_link_of_ours_is_refused(database: Database, token: str) -> None:
    people.one_time_link(database, NOW)
    with pytest.raises(NotFound):
        people.invitation(database, token, NOW)


def test_no_token_and_no_password_is_in_the_database(database: Database) -> None:
    token = str(people.one_time_link(database, NOW))
    person = people.accept(database, token, "Ada", GOOD, passwords=weak(), now=NOW)
    other = people.reset_link(database, "Ada", actor=ADMIN, now=NOW).token
    session = sessions.open_session(database, person, now=NOW, limits=Limits())
    stored = everything_in(database)
    for secret in (token, other, session, GOOD):
        assert secret.encode() not in stored
    assert b"$argon2id$" in stored
    assert "argon2" not in repr(person)


# -- more people ------------------------------------------------------------------------------------------------------


def test_a_person_that_was_added_chooses_a_password_by_the_link(database: Database) -> None:
    link = people.add_person(database, "grace@example.org", actor=ADMIN, now=NOW, role=Role.ADMINISTRATOR)
    assert link.expires_at == NOW + LINK_LASTS
    assert people.invitation(database, link.token, NOW).person == link.person
    with pytest.raises(Forbidden):
        people.check_password(database, "grace@example.org", "", passwords=weak())
    people.accept(database, link.token, "somebody else", GOOD, passwords=weak(), now=NOW)
    assert people.check_password(database, "GRACE@example.ORG", GOOD, passwords=weak()).id == link.person.id
    assert kinds(database) == ["user.add", "user.password"]


@pytest.mark.parametrize("again", ["Ada", " ada ", "ADA", "Ａｄａ"])
def test_two_names_that_look_alike_are_one(database: Database, again: str) -> None:
    people.add_person(database, "Ada", actor=ADMIN, now=NOW, role=Role.ADMINISTRATOR)
    with pytest.raises(Conflict) as caught:
        people.add_person(database, again, actor=ADMIN, now=NOW, role=Role.ADMINISTRATOR)
    assert caught.value.problems[0].column == "name"


@pytest.mark.parametrize("name", ["", "   ", "a\nb", "a\0", "x" * 101, "\u202etxt", "\u200b"])
def test_a_name_that_cannot_be_shown_is_refused(database: Database, name: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        people.add_person(database, name, actor=ADMIN, now=NOW, role=Role.ADMINISTRATOR)
    assert caught.value.problems[0].column == "name"


def test_only_administrators_make_people(database: Database) -> None:
    added(database, "Ada")
    for call in (people.add_person, people.reset_link, people.disable_person, people.enable_person):
        with pytest.raises(Forbidden):
            call(database, "Ada", actor=CLIENT, now=NOW)
    with pytest.raises(Forbidden):
        people.list_people(database, actor=CLIENT)


def test_a_new_link_takes_the_place_of_the_old_and_ends_every_session(database: Database) -> None:
    ada = first(database)
    session = sessions.open_session(database, ada, now=NOW, limits=Limits())
    old = people.reset_link(database, "ada", actor=ADMIN, now=NOW)
    new = people.reset_link(database, "ada", actor=ADMIN, now=NOW)
    with pytest.raises(NotFound):
        people.invitation(database, old.token, NOW)
    assert people.check_password(database, "ada", GOOD, passwords=weak()).id == ada.id, "until the link is used"
    people.accept(database, new.token, "", OTHER_GOOD, passwords=weak(), now=NOW)
    assert sessions.find(database, session, NOW, Limits()) is None
    with pytest.raises(Forbidden):
        people.check_password(database, "ada", GOOD, passwords=weak())
    assert kinds(database) == ["user.add", "user.reset", "user.reset", "user.password"]


def test_somebody_disabled_is_out_at_once_and_in_again_when_enabled(database: Database) -> None:
    ada = first(database)
    grace = added(database, "Grace")
    session = sessions.open_session(database, grace, now=NOW, limits=Limits())
    link = people.reset_link(database, "Grace", actor=ADMIN, now=NOW)
    people.disable_person(database, "Grace", actor=people.actor_of(ada), now=NOW)
    assert sessions.find(database, session, NOW, Limits()) is None
    with pytest.raises(NotFound):
        people.invitation(database, link.token, NOW)
    with pytest.raises(Forbidden):
        people.check_password(database, "Grace", OTHER_GOOD, passwords=weak())
    with pytest.raises(Conflict):
        people.reset_link(database, "Grace", actor=ADMIN, now=NOW)
    people.enable_person(database, "Grace", actor=ADMIN, now=NOW)
    assert people.check_password(database, "Grace", OTHER_GOOD, passwords=weak()).id == grace.id
    assert kinds(database)[-2:] == ["user.disable", "user.enable"]


def test_nobody_disables_themselves(database: Database) -> None:
    ada = first(database)
    with pytest.raises(Conflict):
        people.disable_person(database, "Ada", actor=people.actor_of(ada), now=NOW)


def test_whom_nobody_knows_cannot_be_reset_or_disabled(database: Database) -> None:
    for call in (people.reset_link, people.disable_person, people.enable_person):
        with pytest.raises(NotFound):
            call(database, "nobody", actor=ADMIN, now=NOW)


# -- passwords --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "password, code",
    [
        ("", "password-too-short"),
        ("elevenchars", "password-too-short"),
        ("x" * 1001, "password-too-long"),
        ("passwordpassword", "password-too-common"),
        ("P@ssw0rd!2024", "password-too-common"),
        ("qwertyuiop123", "password-too-common"),
        ("123456789012", "password-too-common"),
        ("210987654321", "password-too-common"),
        ("aaaaaaaaaaaaaaaa", "password-too-common"),
        ("abcabcabcabc", "password-too-common"),
        ("Indicia-2026!", "password-too-common"),
        ("AdaLovelace1815", "password-too-common"),
        ("lovelace-lovelace", "password-too-common"),
    ],
)
def test_a_password_that_would_be_tried_first_is_refused(database: Database, password: str, code: str) -> None:
    token = str(people.one_time_link(database, NOW))
    with pytest.raises(InvalidInput) as caught:
        people.accept(database, token, "Ada Lovelace", password, passwords=weak(), now=NOW)
    assert [(each.code, each.column) for each in caught.value.problems] == [(code, "password")]
    assert not password or password not in str(caught.value)


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery",
        "  spaces around  ",
        "密码不应该太短但是可以是中文",
        "пять красных яблок",
        "🦊🐢🐙🦉🐝🦋🐌🐞🦀🐳🦜🦔",
        "8472 9163 0557",
        "aB3$" + "kUv9!mW" * 20,
        "tr0ub4dor&3 ate my hat",
    ],
)
def test_any_characters_make_a_password(database: Database, password: str) -> None:
    token = str(people.one_time_link(database, NOW))
    made = people.accept(database, token, "Ada", password, passwords=weak(), now=NOW)
    assert people.check_password(database, "Ada", password, passwords=weak()) == made
    with pytest.raises(Forbidden):
        people.check_password(database, "Ada", password + " ", passwords=weak())


def test_a_password_is_the_same_whichever_keyboard_types_it(database: Database) -> None:
    token = str(people.one_time_link(database, NOW))
    people.accept(database, token, "Ada", "cafe\u0301 au lait noir", passwords=weak(), now=NOW)
    people.check_password(database, "Ada", "caf\u00e9 au lait noir", passwords=weak())


def test_nothing_tells_an_unknown_name_from_a_wrong_password(database: Database) -> None:
    first(database)
    added(database, "Grace")
    people.add_person(database, "without a password", actor=ADMIN, now=NOW, role=Role.ADMINISTRATOR)
    people.disable_person(database, "Grace", actor=ADMIN, now=NOW)
    told = set()
    for name in ("Ada", "nobody", "Grace", "without a password", "", "x" * 10_000, "\ud800"):
        for password in ("wrong", OTHER_GOOD, "", "x" * 100_000, "\ud800"):
            with pytest.raises(Forbidden) as caught:
                people.check_password(database, name, password, passwords=weak())
            told.add(str(caught.value))
    assert len(told) == 1


def test_an_unknown_name_takes_as_long_as_a_wrong_password(database: Database) -> None:
    passwords = weak(kibibytes=8 * 1024)
    token = str(people.one_time_link(database, NOW))
    people.accept(database, token, "Ada", GOOD, passwords=passwords, now=NOW)
    taken: dict[str, list[float]] = {"Ada": [], "nobody": []}
    for _ in range(25):
        for name, times in taken.items():
            began = time.perf_counter()
            with pytest.raises(Forbidden):
                people.check_password(database, name, "wrong", passwords=passwords)
            times.append(time.perf_counter() - began)
    known, unknown = (statistics.median(times) for times in taken.values())
    assert 0.5 < known / unknown < 2, (known, unknown)


def test_stronger_parameters_are_taken_at_the_next_sign_in(database: Database) -> None:
    ada = first(database)
    stronger = weak(passes=2)
    with database.snapshot() as tx:
        before = tx.people.password(ada.id)
    people.check_password(database, "Ada", GOOD, passwords=stronger)
    with database.snapshot() as tx:
        after = tx.people.password(ada.id)
    assert before != after
    assert ",t=2," in str(after)
    people.check_password(database, "Ada", GOOD, passwords=stronger)
    with database.snapshot() as tx:
        assert tx.people.password(ada.id) == after, "and then stay"


def test_a_password_is_changed_by_whoever_knows_it(database: Database) -> None:
    ada = first(database)
    mine, other = (sessions.open_session(database, ada, now=NOW, limits=Limits()) for _ in range(2))
    here = sessions.find(database, mine, NOW, Limits())
    assert here is not None

    def change(current: str, new: str) -> list[tuple[str, str | None]]:
        try:
            people.set_password(database, ada, current, new, passwords=weak(), keep=here.token_sha256, now=NOW + DAY)
        except InvalidInput as error:
            return [(each.code, each.column) for each in error.problems]
        return []

    assert change("wrong", "short") == [("wrong-password", "current"), ("password-too-short", "password")]
    assert change("wrong", OTHER_GOOD) == [("wrong-password", "current")]
    assert change(GOOD, OTHER_GOOD) == []
    assert sessions.find(database, mine, NOW, Limits()) is not None
    assert sessions.find(database, other, NOW, Limits()) is None
    changed = people.check_password(database, "Ada", OTHER_GOOD, passwords=weak())
    assert changed.password_at == NOW + DAY
    assert faults(database) == []
