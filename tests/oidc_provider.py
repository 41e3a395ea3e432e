"""A real OpenID provider in a process of its own, that can be told to do everything wrong that one can do."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote, urlencode, urlsplit

import httpx
from joserfc import jws, jwt
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

CLIENT_ID = "indicia-tests"
CLIENT_SECRET = "canary-oidc-secret-5f2b7c91e4"
GROUPS = ["SOC"]


# -- the process ------------------------------------------------------------------------------------------------------


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def new_key(algorithm: str = "RS256") -> Any:
    kid = secrets.token_hex(4)
    if algorithm == "ES256":
        return ECKey.generate_key("P-256", {"kid": kid, "use": "sig"}, private=True)
    if algorithm in ("EdDSA", "Ed25519"):
        return OKPKey.generate_key("Ed25519", {"kid": kid, "use": "sig"}, private=True)
    return RSAKey.generate_key(2048, {"kid": kid, "use": "sig"}, private=True)


class State:
    """What the provider knows; ``knobs`` are what it does wrong."""

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer
        self.key = new_key()
        self.stranger = new_key()
        self.codes: dict[str, dict[str, str]] = {}
        self.access: dict[str, dict[str, Any]] = {}
        self.knobs: dict[str, Any] = {}
        self.asked: Counter[str] = Counter()
        self.seen: list[str] = []

    def claims(self, nonce: str, access_token: str) -> dict[str, Any]:
        now = int(time.time())
        is_edwards = str(self.knobs.get("algorithm")).startswith("Ed")
        digest = hashlib.sha512 if is_edwards else hashlib.sha256
        half = digest(access_token.encode()).digest()[: 32 if is_edwards else 16]
        made = {
            "iss": self.issuer,
            "sub": "subject-1",
            "aud": CLIENT_ID,
            "exp": now + 300,
            "iat": now,
            "nonce": nonce,
            "at_hash": b64(half),
            "preferred_username": "grace@example.org",
            "groups": GROUPS,
        }
        made |= self.knobs.get("claims", {})
        for name, seconds in self.knobs.get("times", {}).items():
            made[name] = now + seconds
        return {name: value for name, value in made.items() if value is not None}

    def signed(self, claims: dict[str, Any]) -> str:
        algorithm = self.knobs.get("algorithm", "RS256")
        header = {"alg": algorithm, "typ": "JWT", "kid": self.key.kid, **self.knobs.get("header", {})}
        header = {name: value for name, value in header.items() if value is not None}
        how = self.knobs.get("sign", "right")
        if how == "none":
            return f"{b64(json.dumps(header | {'alg': 'none'}).encode())}.{b64(json.dumps(claims).encode())}."
        if how == "hs256":  # the public key, which everybody knows, taken for a shared secret
            head = b64(json.dumps(header | {"alg": "HS256"}).encode())
            body = f"{head}.{b64(json.dumps(claims).encode())}"
            mac = hmac.digest(self.key.as_pem(private=False), body.encode(), "sha256")
            return f"{body}.{b64(mac)}"
        if how == "hs256-secret":
            key = OctKey.import_key(CLIENT_SECRET)
            return jwt.encode(header | {"alg": "HS256"}, claims, key, algorithms=["HS256"])
        if how == "own-jwk":
            header["jwk"] = self.stranger.as_dict(private=False)
            return jwt.encode(header, claims, self.stranger, algorithms=[algorithm])
        if how == "twice":
            text = json.dumps(claims)[:-1] + ', "sub": "root"}'
            return jws.serialize_compact(header, text.encode(), self.key, algorithms=[algorithm])
        key = self.stranger if how == "stranger" else self.key
        return jwt.encode(header, claims, key, algorithms=[algorithm])


class Handler(BaseHTTPRequestHandler):
    state: State
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query))
        self.answer(parts.path, query, {})

    def do_POST(self) -> None:
        size = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(size)
        parts = urlsplit(self.path)
        if parts.path == "/knobs":
            self.state.knobs = json.loads(body)
            if "new_key" in self.state.knobs:
                self.state.key = new_key(self.state.knobs["new_key"])
            return self.send({})
        form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        return self.answer(parts.path, dict(parse_qsl(parts.query)), form)

    def answer(self, path: str, query: dict[str, str], form: dict[str, str]) -> None:
        state = self.state
        state.asked[path] += 1
        fault = state.knobs.get("faults", {}).get(path)
        if fault is not None and self.faulty(fault):
            return
        if path == "/.well-known/openid-configuration":
            self.send(self.metadata())
        elif path == "/jwks":
            keys = [state.key.as_dict(private=False), *state.knobs.get("more_keys", [])]
            self.send({"keys": keys if not state.knobs.get("no_keys") else []})
        elif path == "/authorize":
            self.authorize(query)
        elif path == "/login":
            self.authorize(query | form, asked=True)
        elif path == "/token":
            self.token(form)
        elif path == "/userinfo":
            token = self.headers.get("Authorization", "").removeprefix("Bearer ")
            found = state.access.get(token)
            self.send(
                {**found, **state.knobs.get("userinfo", {})} if found else {"error": "invalid_token"},
                200 if found else 401,
            )
        elif path == "/asked":
            self.send({"asked": dict(state.asked), "seen": state.seen})
        else:
            self.send({"error": "not_found"}, 404)

    def metadata(self) -> dict[str, Any]:
        issuer = self.state.issuer
        return {
            "issuer": issuer,
            "authorization_endpoint": f"{issuer}/authorize",
            "token_endpoint": f"{issuer}/token",
            "jwks_uri": f"{issuer}/jwks",
            "userinfo_endpoint": f"{issuer}/userinfo",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
            "authorization_response_iss_parameter_supported": True,
            **self.state.knobs.get("metadata", {}),
        }

    def authorize(self, query: dict[str, str], *, asked: bool = False) -> None:
        state = self.state
        if query.get("client_id") != CLIENT_ID or query.get("code_challenge_method") != "S256":
            return self.send({"error": "invalid_request"}, 400)
        if state.knobs.get("interactive") and not asked:
            fields = "".join(f'<input type="hidden" name="{name}" value="{value}">' for name, value in query.items())
            page = (
                f'<h1>Provider</h1><form method="post" action="/login">{fields}<button>Sign in as Grace</button></form>'
            )
            return self.send_raw(200, page.encode(), {"Content-Type": "text/html"})
        code = secrets.token_urlsafe(16)
        state.codes[code] = query
        answer = {"code": code, "state": query.get("state", ""), "iss": state.issuer}
        if state.knobs.get("deny"):
            answer = {"error": "access_denied", "error_description": "You may not.", **answer}
            del answer["code"]
        answer |= state.knobs.get("answer", {})
        answer = {name: value for name, value in answer.items() if value is not None}
        return self.send_raw(303, b"", {"Location": f"{query['redirect_uri']}?{urlencode(answer)}"})

    def token(self, form: dict[str, str]) -> None:
        state = self.state
        state.seen.append(self.headers.get("Authorization", "").split(" ")[0])
        pair = base64.b64decode(self.headers.get("Authorization", "Basic ").split(" ")[1]).decode().partition(":")
        given = (unquote(pair[0]), unquote(pair[2])) if pair[0] else (form.get("client_id"), form.get("client_secret"))
        if given != (CLIENT_ID, CLIENT_SECRET):
            return self.send({"error": "invalid_client", "error_description": "unknown client"}, 401)
        asked = state.codes.pop(form.get("code", ""), None)
        if asked is None:
            return self.send({"error": "invalid_grant", "error_description": "the code was used already"}, 400)
        challenge = b64(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if challenge != asked.get("code_challenge") or form.get("redirect_uri") != asked["redirect_uri"]:
            return self.send({"error": "invalid_grant", "error_description": "the verifier does not fit"}, 400)
        access_token = secrets.token_urlsafe(16)
        claims = state.claims(asked.get("nonce", ""), access_token)
        state.access[access_token] = {"sub": claims.get("sub", "")}
        reply = {
            "access_token": access_token,
            "token_type": "Bearer",
            "expires_in": 300,
            "id_token": state.signed(claims),
            **state.knobs.get("token", {}),
        }
        return self.send({name: value for name, value in reply.items() if value is not None})

    def faulty(self, fault: dict[str, Any]) -> bool:
        """Do what is wrong; return whether that was all."""
        if "seconds" in fault:
            time.sleep(fault["seconds"])
        if "drip" in fault:
            self.send_response(200)
            self.send_header("Content-Length", "100000")
            self.end_headers()
            for _ in range(int(fault["drip"] * 20)):
                try:
                    self.wfile.write(b" ")
                    self.wfile.flush()
                except OSError:
                    break
                time.sleep(0.05)
            self.close_connection = True
            return True
        if "redirect" in fault:
            self.send_raw(302, b"", {"Location": fault["redirect"]})
            return True
        if "bytes" in fault:
            self.send_raw(fault.get("status", 200), b"x" * fault["bytes"], {"Content-Type": "application/json"})
            return True
        if "body" in fault:
            self.send_raw(fault.get("status", 200), fault["body"].encode(), fault.get("headers", {}))
            return True
        if "cut" in fault:
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{")
            self.close_connection = True
            return True
        return False

    def send(self, body: Any, status: int = 200) -> None:
        self.send_raw(status, json.dumps(body).encode(), {"Content-Type": "application/json"})

    def send_raw(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        try:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            self.close_connection = True


def main() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    Handler.state = State(f"http://127.0.0.1:{server.server_port}")
    sys.stdout.write(f"{Handler.state.issuer}\n")
    sys.stdout.flush()
    server.serve_forever()


# -- for tests --------------------------------------------------------------------------------------------------------


@dataclass
class OpenIdProvider:
    """A provider that runs, and how it is told what to do."""

    issuer: str
    process: subprocess.Popen[str]

    def set(self, **knobs: Any) -> None:
        """Let it do this and nothing else wrong."""
        httpx.post(f"{self.issuer}/knobs", json=knobs, trust_env=False).raise_for_status()

    def asked(self, path: str) -> int:
        """Return how often *path* was asked for."""
        return int(httpx.get(f"{self.issuer}/asked", trust_env=False).json()["asked"].get(path, 0))

    def approve(self, url: str) -> str:
        """Return where the provider sends a browser that was sent to *url*."""
        reply = httpx.get(url, follow_redirects=False, trust_env=False)
        assert reply.status_code == 303, reply.text
        return reply.headers["location"]

    def settings(self, secret_file: Any, **more: Any) -> dict[str, Any]:
        """Return the settings of an installation that is registered here."""
        secret_file.write_text(CLIENT_SECRET + "\n")
        return {
            "oidc_issuer": self.issuer,
            "oidc_client_id": CLIENT_ID,
            "oidc_client_secret_file": secret_file,
            "oidc_roles": "SOC=analyst,Leads=responder,Admins=administrator",
            "oidc_label": "Example ID",
            **more,
        }


@contextmanager
def provider() -> Iterator[OpenIdProvider]:
    """Give a provider in a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.oidc_provider"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert process.stdout is not None
        issuer = process.stdout.readline().strip()
        assert issuer.startswith("http://127.0.0.1:"), issuer
        yield OpenIdProvider(issuer, process)
    finally:
        process.kill()
        process.communicate()


if __name__ == "__main__":
    main()
