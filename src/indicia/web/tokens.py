"""Access tokens: JWT signed with a key that is kept beside the database, and checked with it again."""

from __future__ import annotations

import hmac
import os
import secrets
import tempfile
import uuid
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from indicia.domain.errors import Unavailable
from indicia.store.applications import Application

ALGORITHM: Final = "RS256"
KEY_BITS: Final = 2048
MAX_TOKEN_CHARACTERS: Final = 8_192
DEFENDER_RESOURCE: Final = "https://api.securitycenter.microsoft.com"

# What Defender's own API, in all its regions and clouds, and its application are called (SPEC 5.1, 5.2).
_DEFENDER_HOSTS: Final = (
    "security.microsoft.com",
    "securitycenter.microsoft.com",
    "securitycenter.windows.com",
    "securitycenter.microsoft.us",
    "security.microsoft.us",
    "securitycenter.onmicrosoft.com",
    "windowsatpservice.microsoft.com",
)
_DEFENDER_APPLICATION: Final = "fc780465-2017-40d4-904c-307802b7e787"
_DEFAULT_SCOPE: Final = "/.default"
_WHICH: Final = "indicia_secret"


class InvalidToken(Exception):
    """A token that is not ours, or not good any more; the text is fit for the client."""


class Issued(NamedTuple):
    """To whom a token was issued, and for which of its secrets; None where the token does not say.

    Whether ``tenant`` is this installation is for whoever looks the client up.
    """

    tenant: str
    client_id: str
    secret_id: str | None


class Tokens:
    """Issues and checks the tokens of one installation."""

    def __init__(self, key: RSAKey) -> None:
        self._key = key
        self._root: Final = key.as_pem(private=True)
        self.key_id = key.thumbprint()

    @classmethod
    def open(cls, key_file: Path) -> Tokens:
        """Return the tokens signed with the key in *key_file*, which is made where there is none.

        However many processes start at once, they end up with one key. Raises `Unavailable` where the file
        cannot be used.
        """
        try:
            pem = key_file.read_bytes() if key_file.exists() else _make_key(key_file)
            return cls(RSAKey.import_key(pem))
        except OSError as error:
            raise Unavailable(f"the key that signs tokens, {key_file}, cannot be used: {error.strerror}") from error
        except (ValueError, TypeError, JoseError) as error:
            raise Unavailable(
                f"{key_file} holds no RSA key; restore it, or delete it (clients then ask for new tokens)"
            ) from error

    @classmethod
    def of(cls, pem: bytes) -> Tokens:
        """Return the tokens signed with the key *pem* that all nodes share; raises `Unavailable` where it is none."""
        try:
            return cls(RSAKey.import_key(pem))
        except (ValueError, TypeError, JoseError) as error:
            raise Unavailable("the key for tokens in the database is no RSA key; restore a backup") from error

    def public_keys(self) -> dict[str, Any]:
        """Return the key set that clients check signatures with; nothing of it is secret."""
        public = {name: value for name, value in self._key.as_dict(private=False).items() if name in ("kty", "n", "e")}
        return {"keys": [{**public, "kid": self.key_id, "use": "sig", "alg": ALGORITHM}]}

    def secret(self, purpose: str) -> bytes:
        """Return a secret of this installation for *purpose*, which tells nothing of the key or of other secrets."""
        return hmac.digest(self._root, purpose.encode(), "sha256")

    def issue(
        self,
        application: Application,
        *,
        tenant: str,
        audience: str,
        issuer: str,
        version: str,
        now: datetime,
        seconds: int,
        secret_id: str | None = None,
    ) -> str:
        """Return a token for *application*, which gave the secret of *secret_id*; it is good for *seconds*."""
        at = int(now.timestamp())
        claims: dict[str, Any] = {
            "aud": audience,
            "iss": issuer,
            "iat": at,
            "nbf": at,
            "exp": at + seconds,
            "appid": application.client_id,
            "azp": application.client_id,
            "app_displayname": application.name,
            "idtyp": "app",
            "oid": application.client_id,
            "sub": application.client_id,
            "roles": sorted(application.grants),
            "tid": tenant,
            "uti": secrets.token_urlsafe(16),
            "ver": version,
        }
        if secret_id is not None:
            claims[_WHICH] = secret_id
        return jwt.encode({"alg": ALGORITHM, "kid": self.key_id}, claims, self._key, algorithms=[ALGORITHM])

    def client_of(self, token: str, *, host: str, now: datetime) -> Issued:
        """Return to which client *token* was issued; raises `InvalidToken`.

        Only our key and our one algorithm count, whatever the token says of itself. *host* is the name under which
        the client reached us: a token may be for Defender's API or for us, and for nobody else.
        """
        if len(token) > MAX_TOKEN_CHARACTERS:
            raise InvalidToken("the token is too long to be one of ours")
        try:
            claims = jwt.decode(token, self._key, algorithms=[ALGORITHM]).claims
        except (JoseError, ValueError, TypeError, RecursionError):
            raise InvalidToken("the token is not one that this server signed") from None
        moment = now.timestamp()
        if not _number(claims, "exp") > moment:
            raise InvalidToken("the token has expired")
        if not _number(claims, "nbf") <= moment + 60:
            raise InvalidToken("the token is not good yet")
        tenant = claims.get("tid")
        if not isinstance(tenant, str) or not tenant:
            raise InvalidToken("the token does not say for which tenant it is")
        if not is_our_resource(str(claims.get("aud", "")), host):
            raise InvalidToken("the token is for another audience")
        secret_id = claims.get(_WHICH)
        return Issued(tenant, str(claims.get("appid", "")), secret_id if isinstance(secret_id, str) else None)


def is_our_resource(resource: str, host: str) -> bool:
    """Return whether a token for *resource* is for us: one of the names of Defender's API, or our own *host*.

    >>> is_our_resource("https://api-eu.securitycenter.microsoft.com", "127.0.0.1:8484")
    True
    >>> is_our_resource("http://127.0.0.1:8484/", "127.0.0.1:8484")
    True
    >>> is_our_resource("https://graph.microsoft.com.evil.example", "127.0.0.1:8484")
    False
    """
    if resource.lower().removeprefix("api://") == _DEFENDER_APPLICATION:
        return True
    try:
        parts = urlsplit(resource)
        name = (parts.hostname or "").lower()
    except ValueError:
        return False
    if parts.scheme.lower() not in ("http", "https") or not name:
        return False
    if parts.netloc.lower() == host.lower():
        return True
    return any(name == known or name.endswith(f".{known}") for known in _DEFENDER_HOSTS)


def resource_of(scope: str) -> str:
    """Return the resource of an OAuth scope.

    >>> resource_of("https://api.securitycenter.microsoft.com/.default")
    'https://api.securitycenter.microsoft.com'
    """
    return scope[: -len(_DEFAULT_SCOPE)] if scope.lower().endswith(_DEFAULT_SCOPE) else scope


def _number(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidToken(f"the token has no {name}")
    return float(value)


def new_key() -> bytes:
    """Return a new key that can sign tokens."""
    return RSAKey.generate_key(KEY_BITS, private=True).as_pem(private=True)


def _make_key(key_file: Path) -> bytes:
    """Return the key in *key_file*: ours, or that of another process which was faster."""
    key_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    pem = new_key()
    handle, name = tempfile.mkstemp(dir=key_file.parent, prefix=f".{key_file.name}-{uuid.uuid4().hex}")  # 0600
    made = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        try:
            # Unlike a rename, a link never replaces what is there: the first process wins, and its file is whole.
            key_file.hardlink_to(made)
        except FileExistsError:
            return key_file.read_bytes()
        return pem
    finally:
        made.unlink(missing_ok=True)
