"""Indicators as rows and back: the encoding that the tables hold and the chain of changesets signs."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Final

import orjson

from indicia.domain.identity import subject
from indicia.domain.indicator import NO_EXTRAS, Extras, Indicator
from indicia.store.codes import ACTIONS, CATEGORIES, SEVERITIES, STATUSES, TYPES
from indicia.store.schema import from_microseconds, to_microseconds

#: The columns of one version of an indicator in the order that `encode` gives and `decode` takes.
CONTENT_COLUMNS: Final = (
    "subject",
    "digest",
    "type",
    "canonical",
    "value",
    "action",
    "severity",
    "category",
    "status",
    "generate_alert",
    "title",
    "description",
    "recommended_actions",
    "mitre_techniques",
    "rbac_group_names",
    "expires_at",
    "external_id",
    "application",
    "extras",
)
_SEPARATOR: Final = "\x1f"
_MEMO_ENTRIES: Final = 20_000
TYPE_OF: Final = {code: kind for kind, code in TYPES.items()}
ACTION_OF: Final = {code: action for action, code in ACTIONS.items()}
SEVERITY_OF: Final = {code: severity for severity, code in SEVERITIES.items()}
CATEGORY_OF: Final = {code: category for category, code in CATEGORIES.items()}
STATUS_OF: Final = {code: status for status, code in STATUSES.items()}

Row = tuple[Any, ...]


class Encoder:
    """Makes rows of indicators; remembers the codes of decisions that many rows share, bounded."""

    def __init__(self) -> None:
        self._codes: dict[tuple[Any, ...], tuple[Any, ...]] = {}

    def encode(self, indicator: Indicator) -> Row:
        """Return the row of *indicator*: the values of `CONTENT_COLUMNS`."""
        (kind, canonical, value, action, title, description, *shared, external_id, application, status, extras) = (
            indicator
        )
        key = (kind, action, status, *shared)
        codes = self._codes.get(key)
        if codes is None:
            if len(self._codes) >= _MEMO_ENTRIES:
                self._codes.clear()
            codes = self._codes[key] = _codes(indicator)
        (
            kind_code,
            action_code,
            severity,
            category,
            status_code,
            alert,
            recommended,
            techniques,
            groups,
            expires,
            text,
        ) = codes
        written = None if value == canonical else value
        rare = None if extras == NO_EXTRAS else _extras_text(extras)
        content = f"{canonical}\x1e{value}\x1e{title}\x1e{description}\x1e{text}"
        if external_id is not None or application is not None or rare is not None:
            content += f"\x1e{_text(external_id)}\x1e{_text(application)}\x1e{_text(rare)}"
        return (
            subject(kind, canonical),
            hashlib.sha256(content.encode()).digest(),
            kind_code,
            canonical,
            written,
            action_code,
            severity,
            category,
            status_code,
            alert,
            title,
            description,
            recommended,
            techniques,
            groups,
            expires,
            external_id,
            application,
            rare,
        )


def decode(row: Sequence[Any]) -> Indicator:
    """Return the indicator of a *row* of `CONTENT_COLUMNS`, as the driver or as SQLAlchemy gives it."""
    (
        _subject,
        _digest,
        kind,
        canonical,
        value,
        action,
        severity,
        category,
        status,
        alert,
        title,
        description,
        recommended,
        techniques,
        groups,
        expires,
        external_id,
        application,
        extras,
    ) = row
    return Indicator(
        TYPE_OF[kind],
        canonical,
        canonical if value is None else value,
        ACTION_OF[action],
        title,
        description,
        SEVERITY_OF[severity],
        None if category is None else CATEGORY_OF[category],
        split_list(techniques),
        recommended,
        split_list(groups),
        from_microseconds(expires) if isinstance(expires, int) else expires,
        bool(alert),
        external_id,
        application,
        STATUS_OF[status],
        NO_EXTRAS if extras is None else Extras(**orjson.loads(extras)),
    )


def join_list(items: Sequence[str]) -> str | None:
    """Return the stored form of a list of names: U+001F before, between and after, null where empty."""
    return f"{_SEPARATOR}{_SEPARATOR.join(items)}{_SEPARATOR}" if items else None


def split_list(stored: str | None) -> tuple[str, ...]:
    """Return the names that `join_list` stored."""
    return tuple(stored[1:-1].split(_SEPARATOR)) if stored else ()


def _codes(indicator: Indicator) -> tuple[Any, ...]:
    category = None if indicator.category is None else CATEGORIES[indicator.category]
    techniques = join_list(indicator.mitre_techniques)
    groups = join_list(indicator.rbac_group_names)
    expires = None if indicator.expires_at is None else to_microseconds(indicator.expires_at)
    codes = (
        TYPES[indicator.type],
        ACTIONS[indicator.action],
        SEVERITIES[indicator.severity],
        category,
        STATUSES[indicator.status],
        indicator.generate_alert,
        indicator.recommended_actions,
        techniques,
        groups,
        expires,
    )
    # No text of an indicator has control characters but tab and line breaks, so U+001E cannot be part of one.
    return (*codes, "\x1e".join(map(_text, codes)))


def _text(value: Any) -> str:
    return "\x18" if value is None else str(int(value)) if isinstance(value, bool) else str(value)


def _extras_text(extras: Extras) -> str:
    given = {name: value for name, value in extras._asdict().items() if value not in (None, False)}
    return orjson.dumps(given, option=orjson.OPT_SORT_KEYS).decode()
