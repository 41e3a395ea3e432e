"""The indicator: a rule about one value, and what an organisation decided about it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from indicia.domain.observable import ObservableType


class Action(StrEnum):
    """What happens when the value is seen (SPEC 1.3, without the legacy two)."""

    ALLOWED = "Allowed"
    AUDIT = "Audit"
    WARN = "Warn"
    BLOCK = "Block"
    BLOCK_AND_REMEDIATE = "BlockAndRemediate"

    @property
    def interferes(self) -> bool:
        """Whether this action can stop people from working, so that the guard looks at it (SPEC 9.21)."""
        return self in _INTERFERING


_INTERFERING = frozenset({Action.WARN, Action.BLOCK, Action.BLOCK_AND_REMEDIATE})


class Severity(StrEnum):
    """SPEC 1.4."""

    INFORMATIONAL = "Informational"
    LOW = "Low"
    MEDIUM = "Medium"
    HIGH = "High"


class Category(StrEnum):
    """SPEC 1.5."""

    COLLECTION = "Collection"
    COMMAND_AND_CONTROL = "CommandAndControl"
    CREDENTIAL_ACCESS = "CredentialAccess"
    DEFENSE_EVASION = "DefenseEvasion"
    DISCOVERY = "Discovery"
    EXECUTION = "Execution"
    EXFILTRATION = "Exfiltration"
    EXPLOIT = "Exploit"
    INITIAL_ACCESS = "InitialAccess"
    LATERAL_MOVEMENT = "LateralMovement"
    MALWARE = "Malware"
    PERSISTENCE = "Persistence"
    PRIVILEGE_ESCALATION = "PrivilegeEscalation"
    RANSOMWARE = "Ransomware"
    SUSPICIOUS_ACTIVITY = "SuspiciousActivity"
    UNWANTED_SOFTWARE = "UnwantedSoftware"


class Status(StrEnum):
    """Whether an indicator that has not expired is enforced, or waits for a release (SPEC 9.21)."""

    ACTIVE = "active"
    HELD = "held"


class Extras(NamedTuple):
    """The properties that few indicators have; kept as one value because they are stored as one."""

    educate_url: str | None = None
    bypass_duration_hours: int | None = None
    notification_id: str | None = None
    notification_body: str | None = None
    historical_detection: bool = False
    look_back_period: str | None = None
    version: str | None = None
    certificate_info: str | None = None
    additional_info: str | None = None
    override_reason: str | None = None


NO_EXTRAS = Extras()


class Indicator(NamedTuple):
    """A rule about one value: always valid, because `indicia.domain.rules.check` is the only maker of new ones.

    ``value`` is what the user wrote, ``canonical`` the one spelling that is stored as the key and matched.
    A named tuple rather than a data class: a million of them are built per import, and this is the
    immutable record that Python builds fastest.
    """

    type: ObservableType
    canonical: str
    value: str
    action: Action
    title: str
    description: str
    severity: Severity = Severity.INFORMATIONAL
    category: Category | None = None
    mitre_techniques: tuple[str, ...] = ()
    recommended_actions: str | None = None
    rbac_group_names: tuple[str, ...] = ()
    expires_at: datetime | None = None
    generate_alert: bool = False
    external_id: str | None = None
    application: str | None = None
    status: Status = Status.ACTIVE
    extras: Extras = NO_EXTRAS

    @property
    def identity(self) -> tuple[ObservableType, str, Action]:
        """SPEC 9.1: what makes two indicators the same one."""
        return self.type, self.canonical, self.action

    def is_expired(self, now: datetime) -> bool:
        """Return whether this is inert at *now*: from the exact second of its expiry (SPEC 9.19)."""
        return self.expires_at is not None and self.expires_at <= now


class StoredIndicator(NamedTuple):
    """An indicator as the store keeps it: with its number and where it came from.

    ``created`` and ``began`` are the changesets that created the indicator and that made this version of it.
    """

    id: int
    indicator: Indicator
    created: int
    began: int
    created_at: datetime
    created_by: str
    created_by_name: str
    created_source: str
    updated_at: datetime
    updated_by: str | None
