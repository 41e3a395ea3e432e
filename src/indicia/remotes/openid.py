"""An OpenID provider as it is spoken to: what it says of itself, its keys, and the exchange of a code for tokens."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import Any, Final, NamedTuple
from urllib.parse import quote, urlencode, urlsplit

import orjson
from authlib.oidc.discovery import get_well_known_url  # type: ignore[import-untyped]  # it brings no types
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from indicia.remotes.http import Answer, Remote, Unreachable, shown

#: What a provider may sign with: nothing that is symmetric, and nothing that is no signature.
ALGORITHMS: Final[Mapping[str, str]] = {
    "RS256": "RSA",
    "PS256": "RSA",
    "ES256": "P-256",
    "EdDSA": "Ed25519",
    "Ed25519": "Ed25519",
}
SCARCEST_RSA_BITS: Final = 2048
MOST_KEYS: Final = 100
#: What a provider says of itself is read again after this time, and its keys.
FRESH: Final = timedelta(hours=1)
#: Where it cannot be read again, what was read is good for this time.
STALE: Final = timedelta(hours=24)
#: A provider that did not answer is asked again after this time, and one for a key that it did not have.
PAUSE: Final = timedelta(seconds=10)

Key = RSAKey | ECKey | OKPKey


@dataclass(frozen=True, slots=True)
class Registration:
    """How an administrator registered this installation with a provider; ``hosts`` are more that it uses."""

    issuer: str
    client_id: str
    client_secret: str | None = field(default=None, repr=False)
    hosts: frozenset[str] = frozenset()
    ca_file: Path | None = None


class Metadata(NamedTuple):
    """What a provider says of itself; every URL is one that may be asked."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None
    end_session_endpoint: str | None
    takes_basic: bool
    names_issuer: bool


class ProviderKey(NamedTuple):
    """A key of a provider, and for which algorithm alone it is, where the provider says so."""

    key_id: str | None
    algorithm: str | None
    key: Key
    kind: str


class TokenRefused(Exception):
    """The provider gives no tokens for a code; the text is what it says, fit to be shown."""


class _Kept(NamedTuple):
    value: Any
    at: datetime


class Provider:
    """One provider; safe from any thread. What it says is kept for an hour."""

    def __init__(self, registration: Registration, *, seconds: float = 10.0) -> None:
        """Nothing is asked yet; raises `Unreachable` where the file of certificates is of no use."""
        self.registration = registration
        host = urlsplit(registration.issuer).netloc.lower()
        self._remote = Remote({host, *registration.hosts}, ca_file=registration.ca_file, seconds=seconds)
        self._lock = Lock()
        self._metadata: _Kept | None = None
        self._keys: _Kept | None = None
        self._failed: dict[str, tuple[datetime, str]] = {}

    def metadata(self, now: datetime) -> Metadata:
        """Return what the provider says of itself; raises `Unreachable`."""
        with self._lock:
            self._metadata = self._fresh("metadata", self._metadata, self._read_metadata, now)
            metadata: Metadata = self._metadata.value
            return metadata

    def keys(self, now: datetime, key_id: str | None) -> list[ProviderKey]:
        """Return the provider's keys; they are read again, once in a while, where none has *key_id*."""
        jwks_uri = self.metadata(now).jwks_uri
        with self._lock:
            self._keys = kept = self._fresh("keys", self._keys, lambda: self._read_keys(jwks_uri), now)
            is_known = key_id is None or any(each.key_id == key_id for each in kept.value)
            if not is_known and now - kept.at >= PAUSE:
                self._keys = kept = self._fresh("keys", None, lambda: self._read_keys(jwks_uri), now)
            keys: list[ProviderKey] = kept.value
            return keys

    def exchange(self, code: str, *, verifier: str, redirect_uri: str, now: datetime) -> dict[str, Any]:
        """Return what the token endpoint gives for *code*; raises `TokenRefused` and `Unreachable`."""
        metadata, own = self.metadata(now), self.registration
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
            "client_id": own.client_id,
        }
        headers = {"Accept": "application/json"}
        if own.client_secret is not None and metadata.takes_basic:
            pair = f"{quote(own.client_id, safe='')}:{quote(own.client_secret, safe='')}"  # RFC 6749, 2.3.1
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        elif own.client_secret is not None:
            form["client_secret"] = own.client_secret
        answer = self._remote.post(
            metadata.token_endpoint, urlencode(form).encode(), "application/x-www-form-urlencoded", headers=headers
        )
        found = _object(answer, metadata.token_endpoint, any_status=True)
        if answer.status != 200:
            why = printable(found.get("error_description") or found.get("error") or f"status {answer.status}")
            raise TokenRefused(why)
        return found

    def user_info(self, access_token: str, now: datetime) -> dict[str, Any] | None:
        """Return what the provider tells of whom *access_token* is for, None where it has no place for that."""
        url = self.metadata(now).userinfo_endpoint
        if url is None:
            return None
        headers = {"Authorization": f"Bearer {access_token}", "Accept": "application/json"}
        return _object(self._remote.get(url, headers=headers), url)

    # -- reading --------------------------------------------------------------------------------------------------

    def _fresh(self, what: str, kept: _Kept | None, read: Any, now: datetime) -> _Kept:
        """Return what was kept while it is fresh, else what *read* gives; one that fails is not asked at once again."""
        if kept is not None and timedelta(0) <= now - kept.at < FRESH:
            return kept
        failed_at, why = self._failed.get(what, (None, ""))
        if failed_at is None or not timedelta(0) <= now - failed_at < PAUSE:
            try:
                found = _Kept(read(), now)
            except Unreachable as error:
                self._failed[what], why = (now, str(error)), str(error)
            else:
                self._failed.pop(what, None)
                return found
        if kept is not None and now - kept.at < STALE:
            return kept
        raise Unreachable(why)

    def _read_metadata(self) -> Metadata:
        url = get_well_known_url(self.registration.issuer, external=True)
        found = _object(self._remote.get(url), url)
        issuer = found.get("issuer")
        if issuer != self.registration.issuer:
            told = printable(issuer)
            raise Unreachable(f"{shown(url)} is of the issuer {told!r}, not of {self.registration.issuer!r}")
        challenges = found.get("code_challenge_methods_supported")
        if isinstance(challenges, list) and "S256" not in challenges:
            raise Unreachable(f"{shown(url)} says that the provider does not do PKCE with S256")
        methods = found.get("token_endpoint_auth_methods_supported")
        return Metadata(
            issuer,
            self._endpoint(found, "authorization_endpoint", url),
            self._endpoint(found, "token_endpoint", url),
            self._endpoint(found, "jwks_uri", url),
            self._optional(found, "userinfo_endpoint"),
            self._optional(found, "end_session_endpoint"),
            not isinstance(methods, list) or "client_secret_basic" in methods,
            found.get("authorization_response_iss_parameter_supported") is True,
        )

    def _endpoint(self, found: Mapping[str, Any], name: str, url: str) -> str:
        value = found.get(name)
        if not isinstance(value, str):
            raise Unreachable(f"{shown(url)} names no {name}")
        why = self._remote.refusal_of(value)
        if why is not None:
            raise Unreachable(f"{shown(url)} names as {name} {printable(value)!r}, which is not used: {why}")
        return value

    def _optional(self, found: Mapping[str, Any], name: str) -> str | None:
        value = found.get(name)
        return value if isinstance(value, str) and self._remote.refusal_of(value) is None else None

    def _read_keys(self, url: str) -> list[ProviderKey]:
        listed = _object(self._remote.get(url), url).get("keys")
        if not isinstance(listed, list) or len(listed) > MOST_KEYS:
            raise Unreachable(f"{shown(url)} is no set of keys")
        return [key for each in listed if (key := _key(each)) is not None]


def _key(found: Any) -> ProviderKey | None:
    """Return a key that may check signatures; None for every other, which a provider may well have."""
    if not isinstance(found, dict) or found.get("use", "sig") != "sig" or "d" in found or "k" in found:
        return None
    kind = found.get("kty") if found.get("kty") == "RSA" else found.get("crv")
    importer: Any = {"RSA": RSAKey, "P-256": ECKey, "Ed25519": OKPKey}.get(str(kind))
    names = ("kty", "crv", "n", "e", "x", "y")
    if importer is None:
        return None
    try:
        key = importer.import_key({name: found[name] for name in names if name in found})
        if kind == "RSA" and key.raw_value.key_size < SCARCEST_RSA_BITS:
            return None
    except (JoseError, ValueError, TypeError, AttributeError):
        return None
    key_id, algorithm = found.get("kid"), found.get("alg")
    return ProviderKey(
        key_id if isinstance(key_id, str) else None, algorithm if isinstance(algorithm, str) else None, key, str(kind)
    )


def _object(answer: Answer, url: str, *, any_status: bool = False) -> dict[str, Any]:
    """Return the JSON object of *answer*; raises `Unreachable` where it is none."""
    if not any_status and answer.status != 200:
        more = " (a redirect, which is not followed)" if 300 <= answer.status < 400 else ""
        raise Unreachable(f"{shown(url)} answered with the status {answer.status}{more}")
    try:
        found = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        found = None
    if isinstance(found, dict):
        return found
    if any_status and answer.status != 200:
        return {}
    raise Unreachable(f"{shown(url)} answered with something that is no JSON object")


def printable(text: Any, most: int = 300) -> str:
    """Return what a provider says, as far as it can be shown.

    >>> printable("a" + chr(27) + "b"), printable(["x"])
    ('a b', "['x']")
    """
    return "".join(each if each.isprintable() else " " for each in str(text)[:most]).strip()


def keys_for(keys: Sequence[ProviderKey], algorithm: str, key_id: str | None) -> list[ProviderKey]:
    """Return which of *keys* may have signed something by *algorithm*, with *key_id* where it is named."""
    return [
        each
        for each in keys
        if each.kind == ALGORITHMS[algorithm]
        and each.algorithm in (None, algorithm)
        and (key_id is None or each.key_id == key_id)
    ]
