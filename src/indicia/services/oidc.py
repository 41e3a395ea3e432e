"""Signing in by an OpenID provider: code flow with PKCE, and every check that a mix-up has to fail (ASVS 10)."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import orjson
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri  # type: ignore[import-untyped]  # it brings no types
from authlib.oauth2.rfc7636 import create_s256_code_challenge  # type: ignore[import-untyped]  # it brings no types
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from indicia.domain.errors import Unavailable
from indicia.remotes.http import Unreachable
from indicia.remotes.openid import Metadata, Provider, TokenRefused, printable
from indicia.services.id_tokens import Expected, InvalidIdToken, checked_claims
from indicia.services.oidc_rules import Rules, groups_of

#: For so long somebody may take at the provider.
STATE_LASTS: Final = timedelta(minutes=10)
_LONGEST_SEALED: Final = 6_000
_LONGEST_CODE: Final = 4_000
_LONGEST_SUBJECT: Final = 255


class SignInRefused(Exception):
    """Nobody is signed in; ``code`` is for the audit, the text is for the person.

    ``claimed`` is who it would have been, where a token with a good signature says so.
    """

    def __init__(self, code: str, message: str, claimed: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.claimed = claimed


class Started(NamedTuple):
    """Where the browser goes to sign in, and what it keeps meanwhile."""

    url: str
    sealed: str


class Claimed(NamedTuple):
    """Who the provider says that somebody is; ``state_sha256`` counts once, until ``state_until``."""

    issuer: str
    subject: str
    name: str
    groups: frozenset[str]
    next: str
    state_sha256: bytes
    state_until: datetime


@dataclass(frozen=True, slots=True)
class OpenId:
    """What one process needs for signing people in by a provider; ``key`` seals what browsers keep."""

    provider: Provider
    rules: Rules
    label: str
    scopes: str
    key: bytes

    def start(self, next_path: str, redirect_uri: str, now: datetime) -> Started:
        """Begin a sign-in that shall lead to *next_path*; raises `Unavailable` where the provider cannot be reached."""
        metadata = self._metadata(now)
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        kept = {"s": state, "n": nonce, "v": verifier, "w": next_path, "r": redirect_uri, "t": int(now.timestamp())}
        kept["i"] = self.provider.registration.issuer
        url = prepare_grant_uri(
            metadata.authorization_endpoint,
            self.provider.registration.client_id,
            "code",
            redirect_uri=redirect_uri,
            scope=self.scopes,
            state=state,
            nonce=nonce,
            code_challenge=create_s256_code_challenge(verifier),
            code_challenge_method="S256",
            response_mode="query",
        )
        return Started(url, self._seal(kept))

    def finish(self, answer: Mapping[str, str], sealed: str, now: datetime) -> Claimed:
        """Return who signed in, from the *answer* that the provider sent by the browser which kept *sealed*.

        Raises `SignInRefused` for whatever does not fit, and `Unavailable` where the provider cannot be reached.
        """
        kept = self._opened(sealed, now)
        given = answer.get("state", "")
        if not given or not hmac.compare_digest(given.encode("utf-8", "surrogatepass"), kept["s"].encode()):
            raise SignInRefused("state", "this answer belongs to another sign-in, so nothing was done; sign in again")
        metadata = self._metadata(now)
        self._check_issuer(answer, kept, metadata)
        if "error" in answer:
            why = printable(answer.get("error_description") or answer["error"])
            raise SignInRefused("provider-refused", f"{self.label} did not sign you in: {why}")
        code = answer.get("code", "")
        if not code or len(code) > _LONGEST_CODE:
            raise SignInRefused("code", f"{self.label} sent no code; sign in again")
        tokens = self._exchange(code, kept, now)
        claims = self._claims(tokens, kept, now)
        groups, name = self._who(claims, tokens, now)
        state_sha256 = hashlib.sha256(kept["s"].encode()).digest()
        until = datetime.fromtimestamp(kept["t"], now.tzinfo) + STATE_LASTS
        return Claimed(metadata.issuer, claims["sub"], name, groups, kept["w"], state_sha256, until)

    def _metadata(self, now: datetime) -> Metadata:
        try:
            return self.provider.metadata(now)
        except Unreachable as error:
            raise self._down(error) from None

    def _down(self, error: Unreachable) -> Unavailable:
        return Unavailable(f"{self.label} cannot be used at this moment: {error}")

    def _check_issuer(self, answer: Mapping[str, str], kept: Mapping[str, Any], metadata: Metadata) -> None:
        """Refuse what another provider answered: the mix-up of RFC 9207."""
        named = answer.get("iss")
        if kept["i"] != metadata.issuer or (named is not None and named != metadata.issuer):
            raise SignInRefused("issuer", f"this answer is not of {self.label}, so nothing was done")
        if named is None and metadata.names_issuer:
            raise SignInRefused("issuer", f"this answer does not say that it is of {self.label}, so nothing was done")

    def _exchange(self, code: str, kept: Mapping[str, Any], now: datetime) -> dict[str, Any]:
        try:
            tokens = self.provider.exchange(code, verifier=kept["v"], redirect_uri=kept["r"], now=now)
        except TokenRefused as error:
            raise SignInRefused("code-refused", f"{self.label} did not take its own code: {error}") from None
        except Unreachable as error:
            raise self._down(error) from None
        if str(tokens.get("token_type", "")).lower() != "bearer" or not isinstance(tokens.get("id_token"), str):
            raise SignInRefused("token", f"{self.label} sent no ID token; is `openid` among the scopes?")
        return tokens

    def _claims(self, tokens: Mapping[str, Any], kept: Mapping[str, Any], now: datetime) -> dict[str, Any]:
        access_token = tokens.get("access_token")
        expected = Expected(
            self.provider.registration.issuer,
            self.provider.registration.client_id,
            kept["n"],
            access_token if isinstance(access_token, str) else None,
        )
        try:
            claims = checked_claims(
                tokens["id_token"], lambda key_id: self.provider.keys(now, key_id), expected, now=now
            )  # fmt: skip
        except InvalidIdToken as error:
            raise SignInRefused("token", f"the ID token of {self.label} is not good: {error}") from None
        except Unreachable as error:
            raise self._down(error) from None
        subject = claims["sub"]
        if not isinstance(subject, str) or not 0 < len(subject) <= _LONGEST_SUBJECT or not subject.isprintable():
            raise SignInRefused("token", f"the ID token of {self.label} is not good: it names nobody")
        return claims

    def _who(self, claims: dict[str, Any], tokens: Mapping[str, Any], now: datetime) -> tuple[frozenset[str], str]:
        """Return the groups and the name of who signed in, asking the provider for what is not in the ID token."""
        rules, access_token = self.rules, tokens.get("access_token")
        if not (rules.groups_claim in claims and rules.name_claim in claims) and isinstance(access_token, str):
            try:
                more = self.provider.user_info(access_token, now) or {}
            except Unreachable as error:
                raise self._down(error) from None
            if more and more.get("sub") != claims["sub"]:
                raise SignInRefused("token", f"{self.label} tells of somebody else than its ID token does")
            claims = more | claims
        name = next(
            (
                str(claims[each]).strip()
                for each in (rules.name_claim, "preferred_username", "email", "name", "sub")
                if isinstance(claims.get(each), str) and claims[each].strip()
            ),
            "",
        )
        found = groups_of(claims, rules.groups_claim)
        if found is None:
            message = (
                f"you are in so many groups that {self.label} does not list them; whoever looks after it can send only "
                "the groups that are assigned to this application"
            )
            raise SignInRefused("too-many-groups", message, name)
        return found, name

    def _seal(self, kept: Mapping[str, Any]) -> str:
        key = OctKey.import_key(self.key)
        header = {"alg": "dir", "enc": "A256GCM"}
        return jwe.encrypt_compact(header, orjson.dumps(kept), key, algorithms=["dir", "A256GCM"])

    def _opened(self, sealed: str, now: datetime) -> dict[str, Any]:
        """Return what the browser kept; refused where it kept nothing, or for too long."""
        if not sealed or len(sealed) > _LONGEST_SEALED:
            message = "this browser began no sign-in, or finished it already; sign in again"
            raise SignInRefused("no-sign-in", message)
        try:
            found = jwe.decrypt_compact(sealed, OctKey.import_key(self.key), algorithms=["dir", "A256GCM"])
            kept = orjson.loads(found.plaintext or b"")
        except (JoseError, ValueError, TypeError):
            raise SignInRefused("no-sign-in", "this browser began no sign-in here; sign in again") from None
        age = now.timestamp() - kept["t"]
        if not -60 <= age < STATE_LASTS.total_seconds():
            raise SignInRefused("no-sign-in", "this sign-in began too long ago; sign in again")
        opened: dict[str, Any] = kept
        return opened
