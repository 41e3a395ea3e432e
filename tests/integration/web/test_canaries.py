"""Secrets that somebody gives us by any door are found in nothing that we write, say or give out."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from indicia.services import api_keys, audit_export, people
from indicia.services.audit_export import Format
from indicia.services.starting import record_start
from indicia.settings import Settings
from tests.wire.doors import ADMIN, ORIGIN, SCOPE, Door, indicator, open_door

CANARY = "c4n4ry"
FORM = {"Content-Type": "application/x-www-form-urlencoded", "Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"}


class Journey:
    """Goes through every door with secrets that hold the canary or are kept, and keeps every answer."""

    def __init__(self, door: Door) -> None:
        self.door = door
        self.secrets = [CANARY]
        self.answers: list[str] = []
        self._own: list[str] = []

    def secret(self, name: str) -> str:
        return f"{CANARY}-{name}-Xq7Zp"

    def ask(self, method: str, path: str, *, gives: str = "", **options: object) -> None:
        """Make a request; an answer that has to give a secret, once, has it under *gives* and is not looked at."""
        reply = self.door.http.request(method, path, follow_redirects=False, **options)  # type: ignore[arg-type]  # as given
        if gives:
            self.secrets.append(str(reply.json()[gives]))
            return
        told = "\n".join(f"{name}: {value}" for name, value in reply.headers.items() if name != "set-cookie")
        self.answers.append(f"{method}\n{told}\n{reply.text}")

    def go(self) -> None:
        self._tokens()
        self._bearers()
        self._queries_and_bodies()
        self._portal()
        self._sign_in_by_openid()

    def _tokens(self) -> None:
        tenant, client = self.door.tenant, self.door.credentials.client_id
        fields = {"grant_type": "client_credentials", "client_id": client, "scope": SCOPE}
        self.secrets.append(self.door.credentials.client_secret)
        for version in ("oauth2/token", "oauth2/v2.0/token"):
            path = f"/{tenant}/{version}"
            self.ask("POST", path, data={**fields, "client_secret": self.secret("client-secret")})
            self.ask("POST", path, data={**fields, "client_id": self.secret("swapped-id"), "client_secret": "x"})
            self.ask("POST", path, data={**fields, "grant_type": "password", "password": self.secret("password")})
            self.ask("POST", path, data=fields, auth=(client, self.secret("basic-secret")))
            self.ask("GET", f"{path}?client_secret={self.secret('query-secret')}&client_id={client}")
            good = {**fields, "client_secret": self.door.credentials.client_secret}
            self.ask("POST", path, gives="access_token", data=good)

    def _bearers(self) -> None:
        key = _key(self.door)
        self.secrets.append(key)
        given = [self.secret("token"), f"ind_{'a' * 12}_{self.secret('key')}", key + CANARY, key]
        given += [f"eyJhbGciOiJub25lIn0.{self.secret('claims')}.{self.secret('signature')}"]
        for path in ("/api/indicators", "/v1/indicators", "/v1/audit", "/v1/changesets/999999"):
            for each in given:
                self.ask("GET", path, headers={"Authorization": f"Bearer {each}"})
                self.ask("GET", path, headers={"Authorization": f"Basic {each}", "Cookie": f"session={each}"})
            self.ask("GET", f"{path}?access_token={self.secret('access-token')}", headers=self.door.headers)

    def _queries_and_bodies(self) -> None:
        headers = {**self.door.headers, "Idempotency-Key": "a-key"}
        self.ask("POST", "/api/indicators", json=indicator(), headers=headers)
        self.ask("POST", "/v1/indicators", json=indicator() | {"value": "x"}, headers=headers)
        for path in ("/healthz", "/readyz", "/metrics", "/openapi.json", "/v1/changesets", "/api/indicators/1"):
            self.ask(
                "GET", f"{path}?token={self.secret('query-token')}" if path == "/healthz" else path, headers=headers
            )
        self.ask("POST", "/v1/indicators", content=b"{not json", headers=headers)

    def _portal(self) -> None:
        database, now = self.door.app.database, datetime.now(UTC)
        name = _person(self.door)
        link = people.reset_link(database, name, actor=ADMIN, now=now)
        self.secrets.append(link.token)
        self.ask("GET", f"/welcome/{link.token}?next=x", headers={"Accept": "text/html"})
        for given in (self.secret("password"), self.secret("password") * 20):
            self.ask("POST", "/sign-in", data={"name": name, "password": given}, headers=FORM)
        self.ask("POST", "/sign-in", data={"name": self.secret("password"), "password": "x"}, headers=FORM)
        self.ask("GET", f"/welcome/{self.secret('link')}")
        self.ask("POST", f"/welcome/{self.secret('link')}", data={"password": self.secret("new")}, headers=FORM)
        self.ask("GET", "/", headers={"Cookie": f"__Host-indicia={self.secret('cookie')}"})
        self.ask("POST", "/sign-out", data={"csrf": self.secret("csrf")}, headers=FORM)
        self.ask("GET", f"/sign-in?next=/indicators%3Ftoken%3D{'x'}&said={self.secret('said')}")
        self.ask(
            "POST", "/indicators/delete", data={"csrf": self.secret("csrf")}, headers={"Origin": "https://evil.example"}
        )

    def _sign_in_by_openid(self) -> None:
        query = f"code={self.secret('code')}&state={self.secret('state')}&error_description={self.secret('error')}"
        for path in ("/sign-in/openid", "/sign-in/openid/callback"):
            self.ask("GET", f"{path}?{query}")


def _person(door: Door) -> str:
    with suppress(Exception):
        people.add_person(door.app.database, "ada", actor=ADMIN, now=datetime.now(UTC))
    return "ada"


def _key(door: Door) -> str:
    """Return a good API key of a person."""
    name = _person(door)
    with door.app.database.snapshot() as tx:
        person = next(each for each in tx.people.all() if each.name == name)
    owner = people.actor_of(person)
    return api_keys.add_key(door.app.database, "laptop", actor=owner, now=datetime.now(UTC)).text


@pytest.fixture(scope="module")
def journey(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Journey]:
    with open_door(Path(shutil.copytree(template, tmp_path_factory.mktemp("canaries") / "data"))) as door:
        going = Journey(door)
        going.go()
        yield going


def found(secrets: list[str], text: str) -> list[str]:
    """Return where *text* holds one of *secrets*, with what is around it."""
    return [
        text[max(0, match.start() - 60) : match.end() + 20].replace(secret, "<SECRET>")
        for secret in secrets
        for match in re.finditer(re.escape(secret), text)
    ]


def test_the_log_of_the_server_has_no_secret(journey: Journey) -> None:
    log = journey.door.log.getvalue()
    assert log.count("\n") > 40
    assert found(journey.secrets, log) == []


def test_the_audit_has_no_secret(journey: Journey) -> None:
    journey.door.app.audit.flush()
    for form in Format:
        records = list(audit_export.walk(journey.door.app.database, audit_export.Sought(), actor=ADMIN))
        text = "".join(audit_export.lines_of(records, form))
        assert {"sign-in.refused", "access.denied"} <= {record.kind for record in records}
        assert found(journey.secrets, text) == []
    reply = journey.door.get("/v1/audit?limit=1000", headers=journey.door.as_client("Audit.Read.All"))
    assert reply.status_code == 200
    assert found(journey.secrets, reply.text) == []


def test_no_answer_gives_a_secret_back(journey: Journey) -> None:
    """What somebody typed into a field that is no secret, such as a name, may be shown to them again."""
    allowed = re.compile(rf"{CANARY}-(?:password|swapped-id|said)")
    hits = [hit for answer in journey.answers for hit in found(journey.secrets, allowed.sub("", answer))]
    assert hits == []


def test_the_database_keeps_no_secret_in_the_clear(journey: Journey) -> None:
    """Neither do backups of it then: what checks a secret is a digest."""
    database = journey.door.app.database
    if database.file is None:
        pytest.skip("a file is looked through")
    journey.door.app.audit.flush()
    stored = b"".join(each.read_bytes() for each in database.file.parent.glob(f"{database.file.name}*"))
    assert [secret for secret in journey.secrets if secret.encode() in stored] == []


def test_settings_are_recorded_without_their_secrets(door: Door) -> None:
    secret = f"{CANARY}-database-password"
    settings = Settings(
        database_url=f"postgresql://indicia:{secret}@db.example/indicia?password={secret}",
        checkpoint_url=f"https://{secret}@hooks.example/{secret}?key={secret}",
    ).model_dump() | {"oidc_client_secret": secret}
    record_start(door.app.database, settings, now=datetime.now(UTC), release="1", key=b"key")
    changed = settings | {"oidc_client_secret": secret + "!", "token_seconds": 600}
    names = record_start(door.app.database, changed, now=datetime.now(UTC), release="1", key=b"key")
    assert names == ["oidc_client_secret", "token_seconds"]
    assert record_start(door.app.database, changed, now=datetime.now(UTC), release="1", key=b"key") == []
    records = list(audit_export.walk(door.app.database, audit_export.Sought(), actor=ADMIN))
    text = "".join(audit_export.lines_of(records, Format.JSONL))
    assert found([CANARY], text) == []
    kept = [json.loads(line) for line in text.splitlines() if '"settings.changed"' in line]
    assert len(kept) == 2
    assert kept[1]["details"]["changed"]["token_seconds"] == [3599, 600]
    assert "postgresql://db.example" in kept[0]["details"]["settings"]["database_url"]


def test_a_password_is_no_name_of_a_person_that_is_kept(door: Door) -> None:
    """People type their password where their name belongs: what nobody is called is kept nowhere."""
    _person(door)
    for name in ("ada", f"{CANARY}-typed-into-the-wrong-field"):
        door.http.post("/sign-in", data={"name": name, "password": "wrong"}, headers=FORM)
    door.app.audit.flush()
    records = list(audit_export.walk(door.app.database, audit_export.Sought(kind="sign-in.refused"), actor=ADMIN))
    assert {record.details.get("claimed") for record in records} == {"ada", None}
    assert found([CANARY], door.log.getvalue()) == []
