"""Tokens: who gets one, what is believed, and that all processes end up with one key."""

from __future__ import annotations

import base64
import json
import stat
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from indicia.domain.errors import Unavailable
from indicia.services import applications
from indicia.web.tokens import InvalidToken, Tokens, is_our_resource
from tests.wire.doors import ADMIN, ORIGIN, SCOPE, Door

NOW = datetime(2030, 1, 1, tzinfo=UTC)
RESOURCE = "https://api.securitycenter.microsoft.com"


@pytest.fixture(scope="module")
def key() -> RSAKey:
    return RSAKey.generate_key(2048, private=True)


def claims(**changes: Any) -> dict[str, Any]:
    at = int(NOW.timestamp())
    good = {"aud": RESOURCE, "tid": "tenant", "appid": "client", "iat": at, "nbf": at, "exp": at + 60}
    return {name: value for name, value in (good | changes).items() if value is not None}


def signed(key: RSAKey, header: dict[str, Any] | None = None, **changes: Any) -> str:
    return jwt.encode({"alg": "RS256", **(header or {})}, claims(**changes), key, algorithms=["RS256"])


def believed(key: RSAKey, token: str) -> str:
    return Tokens(key).client_of(token, host="indicia.example", now=NOW).client_id


def test_a_good_token_names_its_client(key: RSAKey) -> None:
    assert believed(key, signed(key)) == "client"
    assert believed(key, signed(key, aud="https://indicia.example/")) == "client"


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": int(NOW.timestamp())},
        {"exp": None},
        {"exp": "9999999999"},
        {"exp": True},
        {"nbf": int(NOW.timestamp()) + 3600},
        {"nbf": None},
        {"tid": None},
        {"tid": ""},
        {"tid": ["tenant"]},
        {"aud": "https://graph.microsoft.com"},
        {"aud": "https://evil.example"},
        {"aud": [RESOURCE]},
        {"aud": None},
    ],
)
def test_tokens_of_ours_that_are_not_good(key: RSAKey, changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidToken):
        believed(key, signed(key, **changes))


def part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def forgeries(key: RSAKey) -> dict[str, str]:
    other = RSAKey.generate_key(2048, private=True)
    good = signed(key)
    header, payload, signature = good.split(".")
    found = {
        f"alg {name}": f"{part({'alg': name, 'typ': 'JWT'})}.{part(claims())}." for name in ("none", "None", "nOnE", "")
    }
    for name, secret in {
        "public pem": key.as_pem(private=False),
        "public json": json.dumps(key.as_dict(private=False)).encode(),
        "empty": b"",
    }.items():
        head = part({"alg": "HS256", "typ": "JWT"})
        import hashlib
        import hmac

        mac = hmac.digest(secret, f"{head}.{part(claims())}".encode(), hashlib.sha256)
        found[f"HS256 with {name}"] = f"{head}.{part(claims())}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"
    oct_key = OctKey.import_key("a secret of thirty-two characters")
    found |= {
        "another key": signed(other),
        "a key of its own": signed(other, {"jwk": other.as_dict(private=False)}),
        "HS256": jwt.encode({"alg": "HS256"}, claims(), oct_key, algorithms=["HS256"]),
        "RS512": jwt.encode({"alg": "RS512"}, claims(), key, algorithms=["RS512"]),
        "PS256": jwt.encode({"alg": "PS256"}, claims(), key, algorithms=["PS256"]),
        "changed claims": f"{header}.{part(claims(appid='another'))}.{signature}",
        "no signature": f"{header}.{payload}.",
        "two parts": f"{header}.{payload}",
        "five parts": f"{good}.a.b",
        "unknown crit": f"{part({'alg': 'RS256', 'crit': ['x'], 'x': 1})}.{payload}.{signature}",
        "unencoded payload": f"{part({'alg': 'RS256', 'b64': False, 'crit': ['b64']})}.{payload}.{signature}",
        "garbage": "garbage",
        "dots": "..",
        "empty": "",
        "not ascii": "é.é.é",
        "too long": "a" * 1_000_000,
        "claims that are a list": f"{header}.{part([1])}.{signature}",
        "deep claims": f"{header}.{base64.urlsafe_b64encode(b'[' * 5000).decode()}.{signature}",
    }
    return found


def test_forgeries_are_refused(key: RSAKey) -> None:
    for name, token in forgeries(key).items():
        with pytest.raises(InvalidToken):
            print(f"{name}: {believed(key, token)}")


def test_a_forgery_gets_401_and_no_reason_to_try_again(door: Door, key: RSAKey) -> None:
    for name, token in forgeries(key).items():
        if not token.isascii() or len(token) > 8_000:
            continue
        reply = door.get("/api/indicators", headers={"Authorization": f"Bearer {token}"})
        assert reply.status_code == 401, name
    for header in ("Bearer", "Basic abc", "bearer ", "Token x", door.token()):
        reply = door.get("/api/indicators", headers={"Authorization": header})
        assert reply.status_code == 401
        assert reply.headers["www-authenticate"].startswith("Bearer ")


def test_a_token_is_good_until_it_expires(door: Door) -> None:
    token = {"Authorization": f"bearer {door.token()}"}
    with time_machine.travel(datetime.now(UTC) + timedelta(seconds=3590)):
        assert door.get("/api/indicators", headers=token).status_code == 200
    with time_machine.travel(datetime.now(UTC) + timedelta(seconds=3600)):
        reply = door.get("/api/indicators", headers=token)
    assert reply.status_code == 401
    assert 'error="invalid_token"' in reply.headers["www-authenticate"]


def test_revoking_a_client_stops_its_token_at_once(door: Door) -> None:
    made = door.client("Ti.ReadWrite")
    headers = {"Authorization": f"Bearer {door.token(made)}"}
    assert door.get("/api/indicators", headers=headers).status_code == 200
    applications.revoke_application(door.app.database, made.client_id, actor=ADMIN, now=datetime.now(UTC))
    assert door.get("/api/indicators", headers=headers).status_code == 401
    assert ask(door, client_id=made.client_id, client_secret=made.client_secret)[0] == 401


def ask(door: Door, version: str = "v2.0/", tenant: str | None = None, **changes: str | None) -> tuple[int, str]:
    """Return status and error of a request for a token, after a look at its shape."""
    good = {
        "grant_type": "client_credentials",
        "client_id": door.credentials.client_id,
        "client_secret": door.credentials.client_secret,
        "scope" if version else "resource": SCOPE if version else RESOURCE,
    }
    form = {name: value for name, value in (good | changes).items() if value is not None}
    reply = door.http.post(f"/{tenant or door.tenant}/oauth2/{version}token", data=form)
    body = reply.json()
    if reply.status_code == 200:
        return 200, ""
    assert isinstance(body["error_description"], str)
    assert body["error_description"].startswith("AADSTS")
    assert body["error_codes"]
    assert set(body) >= {"error", "error_description", "error_codes", "timestamp", "trace_id", "correlation_id"}
    return reply.status_code, body["error"]


@pytest.mark.parametrize(
    "changes, answer",
    [
        ({"client_secret": "wrong"}, (401, "invalid_client")),
        ({"client_secret": ""}, (401, "invalid_client")),
        ({"client_secret": None}, (401, "invalid_client")),
        ({"client_secret": "\ud800".encode("utf-8", "surrogatepass").decode("latin-1")}, (401, "invalid_client")),
        ({"client_id": "nobody"}, (401, "invalid_client")),
        ({"client_id": None}, (400, "invalid_request")),
        ({"client_id": "a\x00b"}, (400, "invalid_request")),
        ({"grant_type": "password"}, (400, "unsupported_grant_type")),
        ({"grant_type": None}, (400, "invalid_request")),
        ({"tenant": "00000000-0000-0000-0000-000000000000"}, (400, "invalid_request")),
        ({"tenant": "common"}, (400, "invalid_request")),
        ({"scope": "https://graph.microsoft.com/.default"}, (400, "invalid_resource")),
        ({"scope": "nonsense"}, (400, "invalid_resource")),
        ({"scope": "https://[bad"}, (400, "invalid_resource")),
        ({"scope": f"{ORIGIN}/.default"}, (200, "")),
        ({"scope": "https://securitycenter.onmicrosoft.com/windowsatpservice/.default"}, (200, "")),
        ({"scope": "https://api-eu.securitycenter.microsoft.com/.default offline_access"}, (200, "")),
        ({"scope": "fc780465-2017-40d4-904c-307802b7e787/.default"}, (200, "")),
        ({"something": "else"}, (200, "")),
    ],
)
def test_who_gets_a_token(door: Door, changes: dict[str, Any], answer: tuple[int, str]) -> None:
    assert ask(door, **changes) == answer


def test_a_scope_is_wanted_and_a_resource_is_not(door: Door) -> None:
    assert ask(door, scope=None) == (400, "invalid_request")
    assert ask(door, version="", resource=None) == (200, "")


def test_whatever_is_sent_to_the_token_endpoint_gets_its_shape(door: Door) -> None:
    url = f"/{door.tenant}/oauth2/v2.0/token"
    for reply in (
        door.http.put(url),
        door.http.post(url, content=b"\xff\x00%zz&&=&%ff"),
        door.http.post(url, json={"grant_type": "client_credentials"}),
        door.http.post(url, content=b"a=" + b"b" * 100_000),
        door.http.post(url, headers={"Authorization": "Basic !!!"}),
    ):
        assert reply.status_code in (400, 405, 413)
        assert {"error", "error_description"} <= set(reply.json())


@pytest.mark.parametrize(
    "resource, ours",
    [
        ("https://api.securitycenter.microsoft.com", True),
        ("https://API.SecurityCenter.Windows.com/", True),
        ("https://api-gov.securitycenter.microsoft.us", True),
        ("https://security.microsoft.com/mtp/", True),
        ("https://securitycenter.microsoft.com.evil.example", False),
        ("https://notsecurity.microsoft.com", False),
        ("https://evil.example/#.security.microsoft.com", False),
        ("ftp://api.securitycenter.microsoft.com", False),
        ("//api.securitycenter.microsoft.com", False),
        ("", False),
    ],
)
def test_which_resources_are_ours(resource: str, ours: bool) -> None:
    assert is_our_resource(resource, "127.0.0.1:8484") is ours


def test_the_key_is_kept_and_is_for_nobody_else(tmp_path: Path) -> None:
    file = tmp_path / "new" / "indicia.key"
    made = Tokens.open(file)
    assert Tokens.open(file).key_id == made.key_id
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [each.name for each in file.parent.iterdir()] == ["indicia.key"]
    assert "PRIVATE KEY" in file.read_text()


def test_processes_that_start_at_once_end_up_with_one_key(tmp_path: Path) -> None:
    file = tmp_path / "indicia.key"
    imports = "import pathlib, sys; from indicia.web.tokens import Tokens"
    program = f"{imports}; print(Tokens.open(pathlib.Path(sys.argv[1])).key_id)"
    command = [sys.executable, "-c", program, str(file)]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(4)]
    ids: list[str] = []
    threads = [threading.Thread(target=lambda: ids.append(Tokens.open(file).key_id)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ids += [each.communicate()[0].decode().strip() for each in started]
    assert len(ids) == 8
    assert set(ids) == {Tokens.open(file).key_id}


@pytest.mark.parametrize(
    "content", [b"", b"nonsense", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"]
)
def test_a_file_that_holds_no_key_says_so(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "indicia.key"
    file.write_bytes(content)
    with pytest.raises(Unavailable, match=r"indicia\.key"):
        Tokens.open(file)


def test_a_key_that_cannot_be_kept_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match="cannot be used"):
        Tokens.open(tmp_path / "file" / "indicia.key")
