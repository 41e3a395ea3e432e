"""The small numbers that stand for enumerations in the tables; never renumbered, only added to."""

from __future__ import annotations

from indicia.domain.indicator import Action, Category, Severity, Status
from indicia.domain.observable import ObservableType

TYPES: dict[ObservableType, int] = {
    ObservableType.FILE_SHA256: 1,
    ObservableType.FILE_SHA1: 2,
    ObservableType.FILE_MD5: 3,
    ObservableType.CERTIFICATE_THUMBPRINT: 4,
    ObservableType.IP_ADDRESS: 5,
    ObservableType.IP_RANGE: 6,
    ObservableType.DOMAIN_NAME: 7,
    ObservableType.URL: 8,
}
ACTIONS: dict[Action, int] = {
    Action.ALLOWED: 1,
    Action.AUDIT: 2,
    Action.WARN: 3,
    Action.BLOCK: 4,
    Action.BLOCK_AND_REMEDIATE: 5,
}
SEVERITIES: dict[Severity, int] = {
    Severity.INFORMATIONAL: 1,
    Severity.LOW: 2,
    Severity.MEDIUM: 3,
    Severity.HIGH: 4,
}
# Also the integers that the compat API shows: 1 is Defender's "not chosen" (SPEC 9.22) and never stored.
CATEGORIES: dict[Category, int] = {category: number for number, category in enumerate(Category, start=2)}
STATUSES: dict[Status, int] = {Status.ACTIVE: 1, Status.HELD: 2}
