"""Which action and which field go with which type, and how long a text may be (SPEC 2 and 9)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Final

from indicia.domain.indicator import Action
from indicia.domain.observable import ObservableType
from indicia.domain.precedence import NETWORK_TYPES

TITLE_CHARACTERS: Final = 4_000
RECOMMENDED_CHARACTERS: Final = 8_000
OTHER_CHARACTERS: Final = 1_000
TECHNIQUES: Final = 100
GROUPS: Final = 2_000
STRICT_URL_CHARACTERS: Final = 800

FILE_TYPES: Final = frozenset({ObservableType.FILE_SHA256, ObservableType.FILE_SHA1, ObservableType.FILE_MD5})
# SPEC 2.2 with the superset of 9.4; `--strict` takes Defender's own two for certificates.
ALLOWED_ACTIONS: Final[Mapping[ObservableType, tuple[Action, ...]]] = {
    **dict.fromkeys(FILE_TYPES, tuple(Action)),
    **dict.fromkeys(NETWORK_TYPES, (Action.ALLOWED, Action.AUDIT, Action.WARN, Action.BLOCK)),
    ObservableType.CERTIFICATE_THUMBPRINT: (Action.ALLOWED, Action.AUDIT, Action.BLOCK, Action.BLOCK_AND_REMEDIATE),
}
STRICT_CERTIFICATE_ACTIONS: Final = (Action.ALLOWED, Action.BLOCK_AND_REMEDIATE)
LEGACY_ACTIONS: Final[Mapping[str, Action]] = {"Alert": Action.AUDIT, "AlertAndBlock": Action.BLOCK_AND_REMEDIATE}
DEFENDER_TYPES: Final = (
    ObservableType.FILE_SHA1,
    ObservableType.FILE_SHA256,
    ObservableType.IP_ADDRESS,
    ObservableType.DOMAIN_NAME,
    ObservableType.URL,
)


class Strictness(StrEnum):
    """How a door treats what Defender refuses and we can mend."""

    COMPAT = "compat"
    NATIVE = "native"
    STRICT = "strict"


def parse_duration(text: str) -> timedelta | None:
    """Return the time that *text* such as ``30d``, ``12h`` or ``45m`` spells, or None."""
    match = re.fullmatch(r"(\d{1,5})\s*([mhdwy])", text.strip().lower(), re.ASCII)
    if match is None:
        return None
    units: dict[str, Callable[[int], timedelta]] = {
        "m": lambda n: timedelta(minutes=n),
        "h": lambda n: timedelta(hours=n),
        "d": lambda n: timedelta(days=n),
        "w": lambda n: timedelta(weeks=n),
        "y": lambda n: timedelta(days=365 * n),
    }
    return units[match[2]](int(match[1]))
