"""Signing in by an OpenID provider that runs: the happy way, and every mix-up, of which none makes a session."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import httpx
import pytest
import time_machine
from starlette.testclient import TestClient

from indicia.app import App
from indicia.domain.access import Role
from indicia.domain.errors import InvalidInput
from indicia.remotes.openid import Provider
from indicia.services import api_keys, identities, people
from indicia.services.throttling import Throttle
from indicia.settings import Settings
from indicia.store.changesets import ChangeSetRecord
from indicia.store.people import Person
from indicia.web.logs import open_log
from indicia.web.openid import COOKIE as STATE
from indicia.web.openid import openid_of
from indicia.web.portal.signing_in import Desk
from indicia.web.server import create_app
from tests.integration.weak_passwords import GOOD, weak
from tests.integration.web.portal.conftest import COOKIE, ORIGIN, text_of
from tests.oidc_provider import CLIENT_SECRET, OpenIdProvider, provider
from tests.wire.doors import ADMIN

CALLBACK = "/sign-in/openid/callback"


@pytest.fixture(scope="module")
def running() -> Iterator[OpenIdProvider]:
    with provider() as found:
        yield found


@pytest.fixture
def op(running: OpenIdProvider) -> OpenIdProvider:
    running.set()
    return running


class Site:
    """An installation that knows the provider, and one browser of it."""

    def __init__(self, app: App, http: TestClient, log: io.StringIO, op: OpenIdProvider) -> None:
        self.app, self.http, self.log, self.op = app, http, log, op

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.http.get(path, follow_redirects=False, **options)

    def begin(self, way: str = "/") -> str:
        """Press the button, and return where the provider is."""
        reply = self.get(f"/sign-in/openid?{urlencode({'next': way})}")
        assert reply.status_code == 303, text_of(reply)
        return reply.headers["location"]

    def back(self, url: str) -> httpx.Response:
        """Come back by the address to which the provider sent the browser."""
        assert url.startswith(ORIGIN), url
        return self.get(url.removeprefix(ORIGIN))

    def sign_in(self, change: Callable[[dict[str, str]], dict[str, str]] | None = None) -> httpx.Response:
        """Go the whole way; *change* is what somebody does to the answer of the provider."""
        url = self.op.approve(self.begin())
        if change is not None:
            answer = change(dict(parse_qsl(urlsplit(url).query)))
            url = f"{ORIGIN}{CALLBACK}?{urlencode(answer)}"
        return self.back(url)

    @property
    def is_signed_in(self) -> bool:
        return self.get("/settings/account").status_code == 200

    def person(self, name: str = "grace@example.org") -> Person | None:
        with self.app.database.snapshot() as tx:
            return tx.people.named(people.name_key(name))

    def sessions(self) -> int:
        with self.app.database.snapshot() as tx:
            return sum(len(tx.sessions.of(each.id)) for each in tx.people.all())

    def entries(self, kind: str) -> list[ChangeSetRecord]:
        self.app.audit.flush()
        with self.app.database.snapshot() as tx:
            head = tx.changesets.head()
            numbers = range(1, 1 + (head.id if head else 0))
            found = [tx.changesets.get(number) for number in numbers]
        return [each for each in found if each is not None and each.kind == kind]


@contextmanager
def site(folder: Path, op: OpenIdProvider, **more: Any) -> Iterator[Site]:
    settings = Settings(database_url=f"sqlite:///{folder / 'indicia.db'}", **op.settings(folder / "secret", **more))
    app = App.open(settings, upgrade=True)
    try:
        log = io.StringIO()
        server = create_app(app, log=open_log(log))
        desk: Desk = server.state.desk
        server.state.desk = Desk(weak(), Throttle(app.database), desk.log, desk.openid, desk.local)
        with TestClient(server, base_url=ORIGIN) as http:
            yield Site(app, http, log, op)
    finally:
        app.close()


@pytest.fixture
def here(folder: Path, op: OpenIdProvider) -> Iterator[Site]:
    with site(folder, op) as found:
        yield found


def refused(here: Site, reply: httpx.Response, *words: str, code: str | None = None) -> None:
    """Assert that nobody is signed in, that the page says why, and that the audit has a line."""
    assert reply.status_code == 403, (reply.status_code, text_of(reply))
    told = text_of(reply)
    assert all(word in told for word in words), told
    assert COOKIE not in reply.cookies
    assert here.sessions() == 0
    assert not here.is_signed_in
    lines = [entry.details for entry in here.entries("sign-in.refused")]
    assert lines, "no line in the audit"
    if code is not None:
        assert code in json.dumps([dict(line or {}) for line in lines])
    assert here.person() is None


# -- the happy way ----------------------------------------------------------------------------------------------------


def test_the_button_leads_in_and_to_where_somebody_wanted_to_be(here: Site) -> None:
    page = here.get("/sign-in?next=/check")
    assert "Sign in with Example ID" in text_of(page)
    url = here.begin("/check")
    asked = parse_qs(urlsplit(url).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["redirect_uri"] == [ORIGIN + CALLBACK]
    assert set(asked["scope"][0].split()) == {"openid", "profile", "email"}
    reply = here.back(here.op.approve(url))
    assert (reply.status_code, reply.headers["location"]) == (303, "/sign-in/kept?next=%2Fcheck")
    assert here.is_signed_in
    assert STATE not in here.http.cookies
    found = here.person()
    assert found is not None
    assert (found.role, found.groups, found.created_by) == (Role.ANALYST, None, here.op.issuer)
    (line,) = here.entries("sign-in")
    assert line.actor == found.id


def test_who_comes_again_is_the_same_person_with_the_role_of_today(here: Site) -> None:
    here.sign_in()
    first = here.person()
    here.op.set(claims={"groups": ["Leads", "SOC"], "preferred_username": "grace.hopper@example.org"})
    here.http.cookies.clear()
    assert here.sign_in().status_code == 303
    second = here.person()
    assert first is not None
    assert second is not None
    assert (second.id, second.name, second.role) == (first.id, first.name, Role.RESPONDER)
    assert [entry.details["role"] for entry in here.entries("user.change") if entry.details] == ["responder"]


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "EdDSA"])
def test_each_algorithm_that_is_allowed(folder: Path, op: OpenIdProvider, algorithm: str) -> None:
    op.set(algorithm=algorithm, new_key=algorithm)
    try:
        with site(folder, op) as here:
            reply = here.sign_in()
            assert reply.status_code == 303, text_of(reply)
    finally:
        op.set(new_key="RS256")


def test_device_groups_come_from_the_groups(folder: Path, op: OpenIdProvider) -> None:
    with site(folder, op, oidc_device_groups='{"SOC": ["Paris", "Rome"], "Leads": ["*"]}') as here:
        here.sign_in()
        found = here.person()
        assert found is not None
        assert found.groups == frozenset({"Paris", "Rome"})
        op.set(claims={"groups": ["SOC", "Leads"]})
        here.http.cookies.clear()
        here.sign_in()
        again = here.person()
        assert again is not None
        assert (again.role, again.groups) == (Role.RESPONDER, None)
        op.set(claims={"groups": ["Admins"]})
        here.http.cookies.clear()
        assert "no device groups" in text_of(here.sign_in())


def test_groups_may_come_by_user_info_alone(here: Site) -> None:
    here.op.set(claims={"groups": None}, userinfo={"groups": ["Leads"]})
    assert here.sign_in().status_code == 303
    found = here.person()
    assert found is not None
    assert found.role is Role.RESPONDER


def test_a_provider_that_changes_its_key_is_asked_for_it_again(here: Site) -> None:
    with time_machine.travel(datetime.now(UTC), tick=True) as clock:
        assert here.sign_in().status_code == 303
        here.op.set(new_key="RS256")
        clock.shift(timedelta(seconds=20))
        here.op.set(times={"iat": 20, "exp": 320})
        here.http.cookies.clear()
        assert here.sign_in().status_code == 303


# -- who is nobody here -----------------------------------------------------------------------------------------------


def test_who_has_no_role_is_refused_and_what_they_had_ends(here: Site) -> None:
    here.sign_in()
    found = here.person()
    assert found is not None
    now = datetime.now(UTC)
    key = api_keys.add_key(here.app.database, "script", actor=people.actor_of(found), now=now)
    bearer = {"Authorization": f"Bearer {key.text}"}
    assert here.get("/v1/me", headers=bearer).status_code == 200
    here.op.set(claims={"groups": ["Visitors"]})
    other = TestClient(here.http.app, base_url=ORIGIN)
    reply = Site(here.app, other, here.log, here.op).sign_in()
    assert reply.status_code == 403
    assert "none of your groups has a role" in text_of(reply)
    assert not here.is_signed_in, "the session of before is over"
    assert here.get("/v1/me", headers=bearer).status_code == 401, "and so are the keys"
    here.op.set()
    here.http.cookies.clear()
    assert here.sign_in().status_code == 303
    assert here.get("/v1/me", headers=bearer).status_code == 200


def test_a_name_that_somebody_else_has_is_never_taken_for_theirs(here: Site) -> None:
    now = datetime.now(UTC)
    local = people.add_person(here.app.database, "Grace@Example.org", actor=ADMIN, now=now).person
    reply = here.sign_in()
    assert reply.status_code == 403
    assert "there is an account called grace@example.org here already" in text_of(reply)
    assert "indicia user link" in text_of(reply)
    assert here.sessions() == 0
    identities.link_identity(here.app.database, local.name, here.op.issuer, "subject-1", actor=ADMIN, now=now)
    assert here.sign_in().status_code == 303
    with here.app.database.snapshot() as tx:
        assert len(tx.people.all()) == 1


def test_who_was_disabled_here_stays_out(here: Site) -> None:
    here.sign_in()
    found = here.person()
    assert found is not None
    people.disable_person(here.app.database, found.name, actor=ADMIN, now=datetime.now(UTC))
    here.http.cookies.clear()
    reply = here.sign_in()
    assert reply.status_code == 403
    assert "is disabled in Indicia" in text_of(reply)


def test_too_many_groups_are_told(here: Site) -> None:
    here.op.set(claims={"groups": None, "_claim_names": {"groups": "src1"}})
    refused(here, here.sign_in(), "you are in so many groups", code="too-many-groups")


# -- mix-ups ----------------------------------------------------------------------------------------------------------

OTHER = "https://accounts.evil.example"
TOKENS: dict[str, tuple[dict[str, Any], str]] = {
    "issuer": ({"claims": {"iss": OTHER}}, "it was issued by"),
    "issuer with a slash": ({"claims": {"iss": None}}, "it was issued by"),
    "audience": ({"claims": {"aud": "another-app"}}, "it is for another application"),
    "audience in a list": ({"claims": {"aud": ["another-app"]}}, "it is for another application"),
    "several audiences without azp": ({"claims": {"aud": ["indicia-tests", "other"]}}, "azp|another application"),
    "azp of another": (
        {"claims": {"aud": ["indicia-tests", "other"], "azp": "other"}},
        "it is for another application",
    ),
    "azp of another, one audience": ({"claims": {"azp": "other"}}, "it is for another application"),
    "audience that is no text": ({"claims": {"aud": ["indicia-tests", 7]}}, "it is for another application"),
    "nonce": ({"claims": {"nonce": "another"}}, "it is of another sign-in"),
    "no nonce": ({"claims": {"nonce": None}}, "it is of another sign-in|nonce"),
    "expired": ({"times": {"exp": -61}}, "it has expired"),
    "no expiry": ({"claims": {"exp": None}}, "its exp is no time"),
    "expiry as a text": ({"claims": {"exp": "9999999999"}}, "its exp is no time"),
    "expiry without end": ({"claims": {"exp": 1e300}}, "its exp is no time"),
    "not yet": ({"times": {"nbf": 300}}, "it is of the future"),
    "issued tomorrow": ({"times": {"iat": 300}}, "it is of the future"),
    "issued long ago": ({"times": {"iat": -90_000}}, "it was issued long ago"),
    "no subject": ({"claims": {"sub": None}}, "sub"),
    "empty subject": ({"claims": {"sub": ""}}, "names nobody|sub"),
    "subject that is a number": ({"claims": {"sub": 7}}, "names nobody|sub"),
    "another access token": ({"claims": {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}}, "it is of another access token"),
    "a stranger's key under its id": ({"sign": "stranger"}, "its signature is wrong"),
    "unknown key": ({"header": {"kid": "nobody"}}, "a key that the provider does not have"),
    "unknown key that it brings": ({"sign": "own-jwk"}, "which is never believed"),
    "key from elsewhere": ({"header": {"jku": f"{OTHER}/jwks"}}, "which is never believed"),
    "certificate from elsewhere": ({"header": {"x5u": f"{OTHER}/cert"}}, "which is never believed"),
    "critical header": ({"header": {"crit": ["b64"], "b64": True}}, "which is never believed"),
    "key id that is no text": ({"header": {"kid": None}, "more_keys": []}, ""),
    "alg none": ({"sign": "none"}, "algorithm 'none'"),
    "alg nOnE": ({"sign": "none", "algorithm": "RS256", "header": {"alg": "nOnE"}}, "algorithm"),
    "HS256 with the public key": ({"sign": "hs256"}, "algorithm 'HS256'"),
    "HS256 with the secret": ({"sign": "hs256-secret"}, "algorithm 'HS256'"),
    "another kind of token": ({"header": {"typ": "at+jwt"}}, "another kind of token"),
    "a claim twice": ({"sign": "twice"}, "it cannot be read"),
    "no keys": ({"no_keys": True}, "a key that the provider does not have"),
    "no ID token": ({"token": {"id_token": None}}, "sent no ID token"),
    "an ID token that is none": ({"token": {"id_token": "a.b.c"}}, "header cannot be read|it cannot be read"),
    "an ID token that is huge": ({"token": {"id_token": "a" * 70_000}}, "no signed token, or too long"),
    "an ID token that is a list": ({"token": {"id_token": [1]}}, "sent no ID token"),
    "another type of token": ({"token": {"token_type": "mac"}}, "sent no ID token"),
    "user info of another": ({"claims": {"groups": None}, "userinfo": {"sub": "root"}}, "tells of somebody else"),
}
del TOKENS["key id that is no text"]  # one key, so that it needs no name: the happy way below


@pytest.mark.parametrize("name", TOKENS)
def test_an_id_token_that_is_not_for_this_sign_in_makes_no_session(folder: Path, op: OpenIdProvider, name: str) -> None:
    knobs, words = TOKENS[name]
    op.set(**knobs)
    with site(folder, op) as here:
        reply = here.sign_in()
        refused(here, reply, code="token")
        assert any(word in text_of(reply) for word in words.split("|")), text_of(reply)


def test_a_token_need_not_name_the_only_key(here: Site) -> None:
    here.op.set(header={"kid": None})
    assert here.sign_in().status_code == 303


ANSWERS: dict[str, tuple[Callable[[dict[str, str]], dict[str, str]], str, str]] = {
    "no state": (lambda answer: {**answer, "state": ""}, "belongs to another sign-in", "state"),
    "another state": (lambda answer: {**answer, "state": "x" * 43}, "belongs to another sign-in", "state"),
    "a state that is no ASCII": (lambda answer: {**answer, "state": "ü"}, "belongs to another sign-in", "state"),
    "issuer": (lambda answer: {**answer, "iss": OTHER}, "this answer is not of Example ID", "issuer"),
    "no issuer": (lambda a: {k: v for k, v in a.items() if k != "iss"}, "does not say that it is of", "issuer"),
    "no code": (lambda a: {k: v for k, v in a.items() if k != "code"}, "sent no code", "code"),
    "a code of somebody else": (lambda answer: {**answer, "code": "made-up"}, "did not take its own code", "code"),
    "a code that is huge": (lambda answer: {**answer, "code": "x" * 5_000}, "sent no code", "code"),
    "denied": (
        lambda a: {"error": "access_denied", "error_description": "You <b>may</b> not.", **a},
        "did not sign you in: You <b>may</b> not.",
        "provider-refused",
    ),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_that_is_not_for_this_sign_in_makes_no_session(here: Site, name: str) -> None:
    change, words, code = ANSWERS[name]
    refused(here, here.sign_in(change), words, code=code)


def test_an_answer_counts_once(here: Site) -> None:
    url = here.op.approve(here.begin())
    kept = here.http.cookies.get(STATE)
    assert here.back(url).status_code == 303
    before = here.sessions()
    here.http.cookies.clear()
    here.http.cookies.set(STATE, str(kept), domain="indicia.example")
    reply = here.back(url)
    assert reply.status_code == 403
    assert "did not take its own code" in text_of(reply)
    assert here.sessions() == before


def test_an_answer_counts_once_also_where_the_provider_takes_its_code_twice(here: Site) -> None:
    desk: Desk = here.http.app.state.desk  # type: ignore[attr-defined] # a FastAPI
    assert desk.openid is not None
    url = here.op.approve(here.begin())
    kept = str(here.http.cookies.get(STATE))
    claimed = desk.openid.finish(dict(parse_qsl(urlsplit(url).query)), kept, datetime.now(UTC))
    from indicia.services.oidc import SignInRefused
    from indicia.services.sessions import Limits

    def once() -> None:
        identities.sign_in(
            here.app.database, claimed, desk.openid.rules, now=datetime.now(UTC), limits=Limits(), place=("", "")
        )

    once()
    with pytest.raises(SignInRefused, match="used already"):
        once()


def test_an_answer_without_the_browser_that_asked_is_refused(here: Site) -> None:
    url = here.op.approve(here.begin())
    here.http.cookies.clear()
    refused(here, here.back(url), "this browser began no sign-in", code="no-sign-in")


@pytest.mark.parametrize("sealed", ["", "x", "a.b.c.d.e", "x" * 10_000])
def test_what_a_browser_kept_is_ours_or_nothing(here: Site, sealed: str) -> None:
    url = here.op.approve(here.begin())
    here.http.cookies.clear()
    here.http.cookies.set(STATE, sealed, domain="indicia.example")
    refused(here, here.back(url), "began no sign-in", code="no-sign-in")


def test_what_another_installation_sealed_is_nothing_here(here: Site) -> None:
    desk: Desk = here.http.app.state.desk  # type: ignore[attr-defined] # a FastAPI
    assert desk.openid is not None
    other = openid_of(here.app.settings, bytes(32))
    assert other is not None
    url = here.op.approve(here.begin())
    here.http.cookies.set(
        STATE, other.start("/", ORIGIN + CALLBACK, datetime.now(UTC)).sealed, domain="indicia.example"
    )
    refused(here, here.back(url), code="no-sign-in")


def test_who_takes_too_long_begins_again(here: Site) -> None:
    with time_machine.travel(datetime.now(UTC), tick=True) as clock:
        url = here.op.approve(here.begin())
        kept = str(here.http.cookies.get(STATE))
        clock.shift(timedelta(minutes=11))
        here.http.cookies.set(STATE, kept, domain="indicia.example")
        refused(here, here.back(url), "began")


def test_an_answer_that_says_something_twice_is_refused(here: Site) -> None:
    url = here.op.approve(here.begin())
    refused(here, here.back(url + "&iss=" + OTHER), "says something twice")


def test_the_code_is_worth_nothing_without_the_verifier(here: Site) -> None:
    """A code that somebody stole from another browser: the challenge is of another verifier."""
    theirs = here.op.approve(here.begin())
    code = parse_qs(urlsplit(theirs).query)["code"][0]
    here.http.cookies.clear()
    refused(here, here.sign_in(lambda answer: {**answer, "code": code}), "the verifier does not fit")


# -- what a provider says of itself -----------------------------------------------------------------------------------

DISCOVERY: dict[str, tuple[dict[str, Any], str]] = {
    "another issuer": ({"metadata": {"issuer": OTHER}}, "is of the issuer"),
    "issuer with a slash": ({"metadata": {"issuer": "http://127.0.0.1/"}}, "is of the issuer"),
    "keys elsewhere": ({"metadata": {"jwks_uri": f"{OTHER}/jwks"}}, "not among the hosts"),
    "tokens elsewhere": ({"metadata": {"token_endpoint": f"{OTHER}/token"}}, "not among the hosts"),
    "sign-in elsewhere": ({"metadata": {"authorization_endpoint": f"{OTHER}/authorize"}}, "not among the hosts"),
    "keys of a cloud": ({"metadata": {"jwks_uri": "http://169.254.169.254/latest"}}, "not https"),
    "a file": ({"metadata": {"jwks_uri": "file:///etc/passwd"}}, "no host"),
    "no tokens": ({"metadata": {"token_endpoint": None}}, "names no token_endpoint"),
    "without PKCE": ({"metadata": {"code_challenge_methods_supported": ["plain"]}}, "PKCE with S256"),
    "no JSON": ({"faults": {"/.well-known/openid-configuration": {"body": "<html>"}}}, "no JSON object"),
    "a list": ({"faults": {"/.well-known/openid-configuration": {"body": "[]"}}}, "no JSON object"),
    "nested deeply": ({"faults": {"/.well-known/openid-configuration": {"body": "[" * 100_000}}}, "no JSON object"),
    "huge": ({"faults": {"/.well-known/openid-configuration": {"bytes": 2_000_000}}}, "sent more than"),
    "an error": ({"faults": {"/.well-known/openid-configuration": {"body": "{}", "status": 500}}}, "status 500"),
    "a redirect": (
        {"faults": {"/.well-known/openid-configuration": {"redirect": f"{OTHER}/"}}},
        "a redirect, which is not followed",
    ),
    "cut off": ({"faults": {"/.well-known/openid-configuration": {"cut": 1}}}, "cannot be reached"),
    "compressed": (
        {"faults": {"/.well-known/openid-configuration": {"body": "x", "headers": {"Content-Encoding": "gzip"}}}},
        "compressed",
    ),
}


@pytest.mark.parametrize("name", DISCOVERY)
def test_a_provider_that_is_not_right_signs_nobody_in(folder: Path, op: OpenIdProvider, name: str) -> None:
    knobs, words = DISCOVERY[name]
    op.set(**knobs)
    with site(folder, op) as here:
        reply = here.get("/sign-in/openid")
        assert reply.status_code == 503
        assert words in text_of(reply), text_of(reply)
        assert "With a password you can still sign in" in text_of(reply)
        assert here.sessions() == 0


@pytest.mark.parametrize(
    "fault, status, words",
    [
        ({"body": "{}", "status": 400}, 403, "did not take its own code: status 400"),
        ({"body": "<html>", "status": 502}, 403, "did not take its own code: status 502"),
        ({"body": "<html>"}, 503, "no JSON object"),
        ({"bytes": 2_000_000}, 503, "sent more than"),
        ({"redirect": f"{OTHER}/"}, 403, "status 302"),
        ({"cut": 1}, 503, "cannot be reached"),
    ],
)
def test_a_token_endpoint_that_is_not_right(here: Site, fault: dict[str, Any], status: int, words: str) -> None:
    here.op.set(faults={"/token": fault})
    reply = here.sign_in()
    assert reply.status_code == status
    assert words in text_of(reply), text_of(reply)
    assert here.sessions() == 0


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/token", "/jwks"])
@pytest.mark.parametrize("fault", [{"seconds": 3}, {"drip": 3}])
def test_a_provider_that_is_slow_is_not_waited_for(here: Site, path: str, fault: dict[str, float]) -> None:
    desk: Desk = here.http.app.state.desk  # type: ignore[attr-defined] # a FastAPI
    assert desk.openid is not None
    object.__setattr__(desk.openid, "provider", Provider(desk.openid.provider.registration, seconds=0.5))
    here.op.set(faults={path: fault})
    reply = here.get("/sign-in/openid")
    if reply.status_code == 303:
        reply = here.back(here.op.approve(reply.headers["location"]))
    assert reply.status_code == 503
    assert "did not answer within 0.5 seconds" in text_of(reply)


def test_a_provider_that_is_down_is_told_and_passwords_go_on(folder: Path, op: OpenIdProvider) -> None:
    with site(folder, op, oidc_issuer="http://127.0.0.1:9") as here:
        token = people.one_time_link(here.app.database, datetime.now(UTC))
        people.accept(here.app.database, str(token), "Ada", GOOD, passwords=weak(), now=datetime.now(UTC))
        assert "Example ID cannot be used at this moment" in text_of(here.get("/sign-in/openid"))
        page = {"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"}
        reply = here.http.post("/sign-in", data={"name": "Ada", "password": GOOD}, headers=page, follow_redirects=False)
        assert reply.status_code == 303


def test_what_was_read_is_kept_while_a_provider_is_down_for_a_while(here: Site) -> None:
    with time_machine.travel(datetime.now(UTC), tick=True) as clock:
        here.begin()
        asked = here.op.asked("/.well-known/openid-configuration")
        here.begin()
        assert here.op.asked("/.well-known/openid-configuration") == asked
        here.op.set(faults={"/.well-known/openid-configuration": {"body": "", "status": 503}})
        clock.shift(timedelta(hours=2))
        here.begin()


def test_unknown_keys_do_not_make_us_ask_again_and_again(here: Site) -> None:
    here.sign_in()
    here.http.cookies.clear()
    asked = here.op.asked("/jwks")
    here.op.set(header={"kid": "nobody"})
    for _ in range(5):
        assert here.sign_in().status_code == 403
    assert here.op.asked("/jwks") - asked <= 1


# -- settings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"oidc_issuer": "http://login.example"}, "INDICIA_OIDC_ISSUER"),
        ({"oidc_issuer": "https://login.example/?a=b"}, "INDICIA_OIDC_ISSUER"),
        ({"oidc_client_id": ""}, "INDICIA_OIDC_CLIENT_ID"),
        ({"oidc_client_secret_file": Path("/nowhere")}, "INDICIA_OIDC_CLIENT_SECRET_FILE"),
        ({"oidc_scopes": "profile"}, "INDICIA_OIDC_SCOPES"),
        ({"oidc_roles": "SOC=boss"}, "'boss' is no role"),
        ({"oidc_roles": "SOC"}, "is not GROUP=VALUE"),
        ({"oidc_roles": "{"}, "is no JSON"),
        ({"oidc_roles": ""}, "nobody could sign in"),
        ({"oidc_redirect_url": "https://indicia.example/elsewhere"}, "INDICIA_OIDC_REDIRECT_URL"),
        ({"oidc_ca_file": Path("/nowhere")}, "INDICIA_OIDC_CA_FILE"),
    ],
)
def test_settings_that_are_wrong_are_named_at_the_start(
    folder: Path, op: OpenIdProvider, changes: dict[str, Any], words: str
) -> None:
    settings = Settings(**op.settings(folder / "secret") | changes)
    with pytest.raises(InvalidInput) as error:
        openid_of(settings, bytes(32))
    assert words in str(error.value)
    assert CLIENT_SECRET not in str(error.value)


def test_passwords_can_be_switched_off(folder: Path, op: OpenIdProvider) -> None:
    with site(folder, op, local_sign_in=False) as here:
        link = people.one_time_link(here.app.database, datetime.now(UTC))
        assert 'type="password"' not in here.get("/sign-in").text
        page = {"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"}
        fields = {"name": "Ada", "password": GOOD}
        reply = here.http.post("/sign-in", data=fields, headers=page, follow_redirects=False)
        assert reply.status_code == 403
        assert "passwords are not used here" in text_of(reply)
        assert here.http.post(f"/welcome/{link}", data=fields, headers=page).status_code == 404
        assert here.sign_in().status_code == 303


def test_no_secret_is_in_the_log_or_in_the_chain(here: Site) -> None:
    url = here.begin()
    kept = str(here.http.cookies.get(STATE))
    answer = parse_qs(urlsplit(here.op.approve(url)).query)
    here.back(f"{ORIGIN}{CALLBACK}?{urlencode({'code': answer['code'][0], 'state': 'other'})}")
    here.sign_in()
    written = here.log.getvalue() + "".join(
        json.dumps(dict(entry.details or {})) for entry in [*here.entries("sign-in"), *here.entries("sign-in.refused")]
    )
    asked = parse_qs(urlsplit(url).query)
    for secret in (CLIENT_SECRET, kept, answer["code"][0], asked["nonce"][0], asked["state"][0]):
        assert secret not in written
    assert CLIENT_SECRET not in repr(here.http.app.state.desk)  # type: ignore[attr-defined] # a FastAPI


@pytest.mark.parametrize("way", ["//evil.example", "https://evil.example", "/\\evil.example", "/sign-out"])
def test_the_way_back_is_one_of_ours(here: Site, way: str) -> None:
    reply = here.back(here.op.approve(here.begin(way)))
    assert reply.headers["location"] == "/sign-in/kept?next=%2F"
