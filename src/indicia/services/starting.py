"""What is recorded when a server starts: that it did, and which settings differ from those of the last start."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from indicia.domain.access import system_actor
from indicia.services.writing import record_event
from indicia.store.changesets import Header, Sought
from indicia.store.database import Database, Transaction

SETTINGS_KIND: Final = "settings.changed"
STARTED_KIND: Final = "node.started"
_SECRET_WORDS: Final = ("secret", "password", "token_key")
_LONGEST: Final = 300
_SERVER: Final = system_actor("server")


def record_start(
    database: Database, settings: Mapping[str, object], *, now: datetime, release: str, key: bytes
) -> list[str]:
    """Record that a server started, and how its *settings* differ from those that were recorded last.

    Return the names of those that do. What is secret is kept as a digest under *key* only, which tells that it
    changed and nothing else. Who changed a setting is not known to the program: it tells that, and since when.
    """
    shown = shown_settings(settings, key)
    with database.transaction() as tx:
        before = _last(tx)
        names = sorted(name for name in {*shown, *before} if shown.get(name) != before.get(name))
        record_event(tx, Header(_SERVER, STARTED_KIND, now), {"release": release})
        if names:
            changed = {name: [before.get(name), shown.get(name)] for name in names} if before else {}
            record_event(tx, Header(_SERVER, SETTINGS_KIND, now), {"changed": changed, "settings": shown})
    return names if before else []


def shown_settings(settings: Mapping[str, object], key: bytes) -> dict[str, Any]:
    """Return *settings* fit to be kept for good: no secret, no password in a URL, no long text."""
    return {name: _shown(name, value, key) for name, value in sorted(settings.items())}


def _shown(name: str, value: object, key: bytes) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    text = str(getattr(value, "get_secret_value", lambda: value)())
    if not text:
        return ""
    if any(word in name for word in _SECRET_WORDS) and not name.endswith("_file"):
        return f"secret {_digest(text, key)}"
    if "://" in text:
        return _url(text, key)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({_digest(text, key)})"


def _url(text: str, key: bytes) -> str:
    """Return a URL by its scheme and host: the rest, which may be secret, as a digest."""
    try:
        parts = urlsplit(text)
        hosts = parts.netloc.rpartition("@")[2]
    except ValueError:
        return f"a URL {_digest(text, key)}"
    if parts.scheme.startswith("sqlite"):
        return text[:_LONGEST]
    return f"{urlunsplit((parts.scheme, hosts, '', '', ''))} {_digest(text, key)}"


def _digest(text: str, key: bytes) -> str:
    return hmac.digest(key, text.encode(), "sha256").hex()[:16]


def _last(tx: Transaction) -> dict[str, Any]:
    found = tx.changesets.find(Sought(kind=SETTINGS_KIND), limit=1)
    last = found[0].details.get("settings") if found else None
    return dict(last) if isinstance(last, dict) else {}
