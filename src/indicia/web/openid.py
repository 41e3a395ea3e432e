"""The OpenID provider that the settings name, and the address to which it sends people back."""

from __future__ import annotations

from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from indicia.domain.errors import InvalidInput, Problem
from indicia.remotes.http import Unreachable, is_this_machine
from indicia.remotes.openid import Provider, Registration
from indicia.services.oidc import STATE_LASTS, OpenId
from indicia.services.oidc_rules import rules_of
from indicia.settings import Settings
from indicia.web.origin import origin_of
from indicia.web.session import is_secure

CALLBACK: Final = "/sign-in/openid/callback"
#: What a browser keeps while somebody is at the provider.
COOKIE: Final = "__Host-indicia-openid"
_LONGEST_SECRET: Final = 4_096


def openid_of(settings: Settings, key: bytes) -> OpenId | None:
    """Return what signs people in by the provider of the settings, None where they name none.

    *key* seals what browsers keep, and has 32 bytes. Nothing is asked of the provider yet: it may be down. Raises
    `InvalidInput` naming the settings that are wrong.
    """
    if not settings.oidc_issuer:
        return None
    problems = list(_problems(settings))
    secret = None
    if settings.oidc_client_secret_file is not None:
        secret = _secret(settings.oidc_client_secret_file, problems)
    if problems:
        raise InvalidInput([Problem("invalid-setting", each) for each in problems])
    rules = rules_of(
        roles=settings.oidc_roles,
        device_groups=settings.oidc_device_groups,
        default_role=settings.oidc_default_role,
        groups_claim=settings.oidc_groups_claim,
        name_claim=settings.oidc_name_claim,
    )
    hosts = frozenset(each.strip().lower() for each in settings.oidc_hosts.split(",") if each.strip())
    registration = Registration(
        settings.oidc_issuer, settings.oidc_client_id, secret, hosts, settings.oidc_ca_file
    )  # fmt: skip
    try:
        provider = Provider(registration)
    except Unreachable as error:
        raise InvalidInput([Problem("invalid-setting", f"INDICIA_OIDC_CA_FILE: {error}")]) from None
    return OpenId(provider, rules, settings.oidc_label, settings.oidc_scopes, key)


def redirect_uri(request: Request, settings: Settings) -> str:
    """Return the address to which the provider sends people back, as they reached us."""
    if settings.oidc_redirect_url:
        return settings.oidc_redirect_url
    origin = origin_of(request)
    scheme, _, host = origin.partition("://")
    if scheme == "http" and is_secure(request) and not is_this_machine(urlsplit(origin).hostname or ""):
        scheme = "https"  # a proxy speaks TLS for us
    return f"{scheme}://{host}{CALLBACK}"


def keep_state(response: Response, sealed: str) -> None:
    """Let the browser keep what is needed when it comes back from the provider."""
    seconds = int(STATE_LASTS.total_seconds())
    response.set_cookie(COOKIE, sealed, max_age=seconds, path="/", secure=True, httponly=True, samesite="lax")


def drop_state(response: Response) -> None:
    """Let the browser forget it: it counts once."""
    response.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="lax")


def _problems(settings: Settings) -> list[str]:
    found = []
    if not _is_url(settings.oidc_issuer):
        found.append(
            f"INDICIA_OIDC_ISSUER: {settings.oidc_issuer[:200]!r} is no issuer; it begins with https:// "
            "(http:// only on this machine) and has neither query nor fragment"
        )
    if not settings.oidc_client_id:
        found.append(
            "INDICIA_OIDC_CLIENT_ID: it is missing; the provider shows it where this application is registered"
        )
    if "openid" not in settings.oidc_scopes.split():
        found.append(f"INDICIA_OIDC_SCOPES: {settings.oidc_scopes[:200]!r} has not the scope openid")
    url = settings.oidc_redirect_url
    if url and (not _is_url(url) or urlsplit(url).path != CALLBACK):
        found.append(f"INDICIA_OIDC_REDIRECT_URL: {url[:200]!r} is not https://YOUR-HOST{CALLBACK}")
    return found


def _is_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    safe = parts.scheme == "https" or (parts.scheme == "http" and is_this_machine(host))
    return safe and bool(host) and not parts.query and not parts.fragment and "@" not in parts.netloc


def _secret(file: Path, problems: list[str]) -> str | None:
    try:
        with file.open("rb") as opened:
            text = opened.read(_LONGEST_SECRET + 1).decode("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        problems.append(f"INDICIA_OIDC_CLIENT_SECRET_FILE: {file} cannot be read: {why}")
        return None
    if not text or len(text) > _LONGEST_SECRET:
        problems.append(f"INDICIA_OIDC_CLIENT_SECRET_FILE: {file} is empty, or too long for a secret")
    return text
