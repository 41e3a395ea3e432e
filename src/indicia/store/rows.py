"""Indicators as rows and back: the encoding that the tables hold and the chain of changesets signs."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import orjson

from indicia.domain.identity import subject
from indicia.domain.indicator import NO_EXTRAS, Extras, Indicator
from indicia.store.codes import ACTIONS, CATEGORIES, SEVERITIES, STATUSES, TYPES
from indicia.store.schema import from_microseconds, to_microseconds

#: The columns of one version of an indicator that `Encoder.encode` gives, but for the last: see there.
OWN_COLUMNS: Final = (
    "subject",
    "digest",
    "action",
    "canonical",
    "value",
    "title",
    "description",
    "expires_at",
    "external_id",
    "decision",
)
#: The columns of a decision, in the order of `DecisionRow.values`.
DECISION_COLUMNS: Final = (
    "type",
    "action",
    "severity",
    "category",
    "status",
    "generate_alert",
    "recommended_actions",
    "mitre_techniques",
    "rbac_group_names",
    "application",
    "extras",
)
_SEPARATOR: Final = "\x1f"
_MEMO_ENTRIES: Final = 20_000
_EXTERNAL_ID: Final = Indicator._fields.index("external_id")
TYPE_OF: Final = {code: kind for kind, code in TYPES.items()}
ACTION_OF: Final = {code: action for action, code in ACTIONS.items()}
SEVERITY_OF: Final = {code: severity for severity, code in SEVERITIES.items()}
CATEGORY_OF: Final = {code: category for category, code in CATEGORIES.items()}
STATUS_OF: Final = {code: status for status, code in STATUSES.items()}

Row = tuple[Any, ...]
#: A version to store: the number of its indicator, its row, the changesets that created the one and begin the other.
Version = tuple[int, Row, int, int]


class DecisionRow(NamedTuple):
    """A decision as a row: its key, and the values of `DECISION_COLUMNS`."""

    key: bytes
    values: Row


class Encoder:
    """Makes rows of indicators; remembers the rows of decisions that many indicators share, bounded."""

    def __init__(self) -> None:
        self._decisions: dict[tuple[Any, ...], tuple[DecisionRow, str, int | None]] = {}

    def encode(self, indicator: Indicator) -> Row:
        """Return the row of *indicator*: the values of `OWN_COLUMNS`, with the `DecisionRow` for its number."""
        kind, canonical, value, action, title, description = indicator[:6]
        external_id = indicator[_EXTERNAL_ID]
        key = (kind, action, *indicator[6:_EXTERNAL_ID], *indicator[_EXTERNAL_ID + 1 :])
        known = self._decisions.get(key)
        if known is None:
            if len(self._decisions) >= _MEMO_ENTRIES:
                self._decisions.clear()
            known = self._decisions[key] = _decide(indicator)
        decision, text, expires = known
        content = f"{canonical}\x1e{value}\x1e{title}\x1e{description}\x1e{text}"
        if external_id is not None:
            content += f"\x1e{external_id}"
        return (
            subject(kind, canonical),
            hashlib.sha256(content.encode()).digest(),
            decision.values[1],
            canonical,
            None if value == canonical else value,
            title,
            description,
            expires,
            external_id,
            decision,
        )


def decode(row: Sequence[Any], decision: Sequence[Any]) -> Indicator:
    """Return the indicator of a row of `OWN_COLUMNS` and its decision's `DECISION_COLUMNS`, as SQL gives them."""
    _subject, _digest, _action, canonical, value, title, description, expires, external_id, _number = row
    kind, action, severity, category, status, alert, recommended, techniques, groups, application, extras = decision
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


def decision_key(values: Sequence[Any]) -> bytes:
    """Return the key of the decision that has the *values* of `DECISION_COLUMNS`."""
    return hashlib.sha256(_decision_text(values).encode()).digest()


def join_list(items: Sequence[str]) -> str | None:
    """Return the stored form of a list of names: U+001F before, between and after, null where empty."""
    return f"{_SEPARATOR}{_SEPARATOR.join(items)}{_SEPARATOR}" if items else None


def split_list(stored: str | None) -> tuple[str, ...]:
    """Return the names that `join_list` stored."""
    return tuple(stored[1:-1].split(_SEPARATOR)) if stored else ()


def _decide(indicator: Indicator) -> tuple[DecisionRow, str, int | None]:
    values = (
        TYPES[indicator.type],
        ACTIONS[indicator.action],
        SEVERITIES[indicator.severity],
        None if indicator.category is None else CATEGORIES[indicator.category],
        STATUSES[indicator.status],
        indicator.generate_alert,
        indicator.recommended_actions,
        join_list(indicator.mitre_techniques),
        join_list(indicator.rbac_group_names),
        indicator.application,
        None if indicator.extras == NO_EXTRAS else _extras_text(indicator.extras),
    )
    expires = None if indicator.expires_at is None else to_microseconds(indicator.expires_at)
    text = _decision_text(values)
    return DecisionRow(hashlib.sha256(text.encode()).digest(), values), f"{text}\x1e{_text(expires)}", expires


def _decision_text(values: Sequence[Any]) -> str:
    # No text of an indicator has control characters but tab and line breaks, so U+001E cannot be part of one.
    return "\x1e".join(map(_text, values))


def _text(value: Any) -> str:
    return "\x18" if value is None else str(int(value)) if isinstance(value, bool) else str(value)


def _extras_text(extras: Extras) -> str:
    given = {name: value for name, value in extras._asdict().items() if value not in (None, False)}
    return orjson.dumps(given, option=orjson.OPT_SORT_KEYS).decode()
