"""ID tokens: what is believed of them, and only what a key of the provider signed for us and for this sign-in."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple, NoReturn

from authlib.oidc.core import CodeIDToken  # type: ignore[import-untyped]  # it brings no types
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.util import urlsafe_b64decode

from indicia.remotes.openid import ALGORITHMS, ProviderKey, keys_for

MOST_CHARACTERS: Final = 65_536
#: How far the clocks of a provider and of ours may be apart.
LEEWAY_SECONDS: Final = 60
#: Older than that no token is that was asked for just now.
OLDEST_SECONDS: Final = 3_600
#: What lets a token bring its own key, or change what is checked.
_REFUSED_HEADERS: Final = ("jku", "jwk", "x5u", "x5c", "crit", "b64", "zip", "enc")


class InvalidIdToken(Exception):
    """An ID token that is not believed; the text says why, and is fit to be shown."""


class Expected(NamedTuple):
    """What a token has to be for."""

    issuer: str
    client_id: str
    nonce: str
    access_token: str | None


def checked_claims(
    token: str, keys: Callable[[str | None], Sequence[ProviderKey]], expected: Expected, *, now: datetime
) -> dict[str, Any]:
    """Return the claims of *token*; *keys* gives those of the provider, for an id that is named or not.

    Raises `InvalidIdToken` unless everything holds of OpenID Connect Core 3.1.3.7, and more that is usual.
    """
    header = _header(token)
    algorithm, key_id = header["alg"], header.get("kid")
    if key_id is not None and not isinstance(key_id, str):
        _refuse("its key is not named by a text")
    suitable = keys_for(keys(key_id), algorithm, key_id)
    if len(suitable) != 1:
        _refuse("it is signed by a key that the provider does not have" if not suitable else "it does not name its key")
    try:
        payload = jws.deserialize_compact(token, suitable[0].key, algorithms=[algorithm]).payload
    except (JoseError, ValueError, TypeError):
        _refuse("its signature is wrong")
    claims = _parsed(payload or b"")
    _check(claims, header, expected, now.timestamp())
    return claims


def _header(token: str) -> dict[str, Any]:
    if len(token) > MOST_CHARACTERS or token.count(".") != 2 or not token.isascii():
        _refuse("it is no signed token, or too long")
    try:
        header = _parsed(urlsafe_b64decode(token.partition(".")[0].encode()))
    except ValueError:
        _refuse("its header cannot be read")
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        allowed = ", ".join(ALGORITHMS)
        _refuse(f"it is signed by the algorithm {str(algorithm)[:20]!r}; allowed: {allowed}")
    odd = [name for name in _REFUSED_HEADERS if name in header]
    if odd:
        _refuse(f"its header has {', '.join(odd)}, which is never believed")
    if str(header.get("typ", "JWT")).lower() not in ("jwt", "id_token+jwt"):
        _refuse("it is another kind of token")
    return header


def _check(claims: dict[str, Any], header: dict[str, Any], expected: Expected, moment: float) -> None:
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    if claims.get("iss") != expected.issuer:
        _refuse(f"it was issued by {str(claims.get('iss'))[:200]!r}, not by {expected.issuer!r}")
    if expected.client_id not in audiences or not all(isinstance(each, str) for each in audiences):
        _refuse("it is for another application")
    issued, ends = _number(claims, "iat"), _number(claims, "exp")
    begins = _number(claims, "nbf") if "nbf" in claims else issued
    if moment >= ends + LEEWAY_SECONDS:
        _refuse("it has expired; are the clocks right?")
    if max(issued, begins) > moment + LEEWAY_SECONDS:
        _refuse("it is of the future; are the clocks right?")
    if issued < moment - OLDEST_SECONDS:
        _refuse("it was issued long ago; are the clocks right?")
    believed = CodeIDToken(
        claims,
        {"alg": "EdDSA" if header["alg"] == "Ed25519" else header["alg"]},  # the same by its newer name (RFC 9864)
        options={"iss": {"essential": True, "value": expected.issuer}, "sub": {"essential": True}},
        params={"nonce": expected.nonce, "client_id": expected.client_id, "access_token": expected.access_token},
    )
    try:
        # The rest of the standard: nonce, azp where there are several audiences, at_hash, amr, auth_time.
        believed.validate(now=int(moment), leeway=LEEWAY_SECONDS)
    except (JoseError, ValueError, TypeError, KeyError) as error:
        claim = getattr(error, "claim", None)
        names = {
            "nonce": "it is of another sign-in",
            "azp": "it is for another application",
            "at_hash": "it is of another access token",
        }
        _refuse(names.get(str(claim), f"{claim or 'something'} of it is wrong or missing"))


def _number(claims: dict[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e12:
        _refuse(f"its {name} is no time")
    return float(value)


def _parsed(data: bytes) -> dict[str, Any]:
    """Return the JSON object that *data* spells, in which no name stands twice."""
    try:
        found = json.loads(data, object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        _refuse("it cannot be read")
    if not isinstance(found, dict):
        _refuse("it cannot be read")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _refuse(why: str) -> NoReturn:
    raise InvalidIdToken(why)
