"""What the check of a draft depends on besides the draft."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from indicia.domain.draft import PROPERTY_NAMES
from indicia.domain.guard import Guard
from indicia.domain.rules import Strictness


@dataclass(frozen=True)
class Circumstances:
    """What a check needs to know besides the draft itself."""

    now: datetime
    guard: Guard
    groups: frozenset[str] = frozenset()
    strictness: Strictness = Strictness.NATIVE
    names: Mapping[str, str] = field(default_factory=lambda: PROPERTY_NAMES)
    #: Whether a reason to override the guard counts: whoever gives it holds `indicators.release` (SPEC 9.21).
    may_release: bool = True
