"""Rules as entries and back: what a snapshot says of its rulings, and the codes that it has for types."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple, Self

from indicia.domain.indicator import Action, Status
from indicia.domain.observable import ObservableType
from indicia.domain.verdict import Rule

#: The number of each type in a snapshot, the same as in the tables; never renumbered.
TYPES: Final[Mapping[ObservableType, int]] = {
    ObservableType.FILE_SHA256: 1,
    ObservableType.FILE_SHA1: 2,
    ObservableType.FILE_MD5: 3,
    ObservableType.CERTIFICATE_THUMBPRINT: 4,
    ObservableType.IP_ADDRESS: 5,
    ObservableType.IP_RANGE: 6,
    ObservableType.DOMAIN_NAME: 7,
    ObservableType.URL: 8,
}
TYPE_OF: Final[Mapping[int, ObservableType]] = {code: kind for kind, code in TYPES.items()}
#: More than this says no snapshot of its rulings.
MOST_BYTES: Final = 64 << 20
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FORM: Final = 1

#: What is stored about one indicator: code of its type, canonical value, number, ruling, expiry (µs since 1970).
Entry = tuple[int, str, int, int, int | None]


class DamagedSnapshot(ValueError):
    """A snapshot says what none of ours can say; the text tells what."""


class Ruling(NamedTuple):
    """What many indicators have in common of what decides."""

    action: Action
    status: Status
    generate_alert: bool
    groups: tuple[str, ...]


class Decision(NamedTuple):
    """A decision as indicators refer to it: its number, the type that it is about, and the ruling."""

    number: int
    type: ObservableType
    ruling: Ruling


class Rulings:
    """The rulings of one snapshot, which its entries name by their position."""

    def __init__(self, rulings: Sequence[Ruling]) -> None:
        self._rulings = tuple(rulings)

    @classmethod
    def of(cls, decisions: Iterable[Decision]) -> tuple[Self, dict[int, tuple[int, int]]]:
        """Return the distinct rulings of *decisions*, and for each number the code of its type and its ruling."""
        positions: dict[Ruling, int] = {}
        numbers = {
            decision.number: (TYPES[decision.type], positions.setdefault(decision.ruling, len(positions)))
            for decision in decisions
        }
        return cls(list(positions)), numbers

    def __len__(self) -> int:
        return len(self._rulings)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Rulings) and self._rulings == other._rulings

    def __hash__(self) -> int:
        return hash(self._rulings)

    def rule(self, entry: Sequence[Any]) -> Rule:
        """Return the rule that *entry* stands for; raises `DamagedSnapshot`."""
        code, canonical, number, ruling, expires = entry
        try:
            if ruling < 0:
                raise IndexError(ruling)
            action, status, generate_alert, groups = self._rulings[ruling]
            at = None if expires is None else _EPOCH + timedelta(microseconds=expires)
            return Rule(number, TYPE_OF[code], canonical, action, groups, status, at, generate_alert)
        except (KeyError, IndexError, OverflowError, TypeError) as error:
            raise DamagedSnapshot(f"the snapshot is damaged: {entry!r:.200} is no entry of it") from error

    def to_bytes(self) -> bytes:
        """Return what `from_bytes` reads."""
        said = [[each.action, each.status, each.generate_alert, *each.groups] for each in self._rulings]
        return json.dumps({"form": _FORM, "rulings": said}, ensure_ascii=False, separators=(",", ":")).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Return the rulings that `to_bytes` wrote; raises `DamagedSnapshot` for anything else."""
        if len(data) > MOST_BYTES:
            raise DamagedSnapshot(f"the snapshot is damaged: {len(data):,} bytes about its rulings are too many")
        try:
            said = json.loads(data)
            if not isinstance(said, dict) or set(said) != {"form", "rulings"} or said["form"] != _FORM:
                raise ValueError("not of this form")
            return cls([_ruling(*each) for each in said["rulings"]])
        except (ValueError, TypeError, RecursionError) as error:  # no text and no JSON are ValueErrors too
            raise DamagedSnapshot(f"the snapshot is damaged: its rulings cannot be read ({error!s:.200})") from error


def _ruling(action: str, status: str, generate_alert: object, *groups: object) -> Ruling:
    if not isinstance(generate_alert, bool):
        raise TypeError("an alert is true or false")
    names = tuple(name for name in groups if isinstance(name, str) and name)
    if len(names) != len(groups):
        raise TypeError("the name of a group is a text")
    return Ruling(Action(action), Status(status), generate_alert, names)
