"""The part of a draft that many rows share - type, action, scope, expiry - worked out once for all of them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from indicia.domain.circumstances import Circumstances
from indicia.domain.draft import Draft
from indicia.domain.errors import Problem
from indicia.domain.fields import Fields, cut, nearest
from indicia.domain.indicator import Action, Category, Severity
from indicia.domain.observable import ObservableType
from indicia.domain.rules import (
    ALLOWED_ACTIONS,
    DEFENDER_TYPES,
    GROUPS,
    LEGACY_ACTIONS,
    STRICT_CERTIFICATE_ACTIONS,
    TECHNIQUES,
    Strictness,
)

_TYPES: Final = {kind.value: kind for kind in ObservableType}
_ACTIONS: Final = {action.value: action for action in Action}
_SEVERITIES: Final = {severity.value: severity for severity in Severity}
_CATEGORIES: Final = {category.value: category for category in Category}
_TECHNIQUE: Final = re.compile(r"T\d{4}(\.\d{3})?", re.ASCII)
_TIME: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d:\d\d(?::\d\d)?)(?:\.\d{1,9})?)?\s?(Z|z|[+-]\d\d:?\d\d)?", re.ASCII
)
_MEMO_ENTRIES: Final = 20_000


class Decision(NamedTuple):
    """The parts of a draft that many rows share, worked out once per distinct spelling."""

    type: ObservableType | None
    action: Action | None
    severity: Severity
    category: Category | None
    techniques: tuple[str, ...]
    groups: tuple[str, ...]
    expires_at: datetime | None
    generate_alert: bool
    problems: tuple[Problem, ...]
    failed: bool


class Decider:
    """Works out decisions, and remembers those of columns that repeat; bounded."""

    def __init__(self, circumstances: Circumstances, fields: Fields) -> None:
        self._given = circumstances
        self._fields = fields
        self._strict = circumstances.strictness is Strictness.STRICT
        self._decisions: dict[tuple[Any, ...], Decision] = {}

    def decide(self, draft: Draft) -> Decision:
        """Return what *draft* decides besides its value, its texts and its rare fields; never raises for bad data."""
        key = (draft[0], draft[2], draft[3], draft[4], draft[8], draft[9], draft[10], draft[11])
        try:
            known = self._decisions.get(key)
        except TypeError:  # an unhashable JSON value (list, object)
            return self._work_out(draft)
        if known is None:
            if len(self._decisions) >= _MEMO_ENTRIES:
                self._decisions.clear()
            known = self._decisions[key] = self._work_out(draft)
        return known

    def _work_out(self, draft: Draft) -> Decision:
        problems: list[Problem] = []
        kind = self._type(draft.type, problems)
        action, legacy = self._action(draft.action, problems)
        severity = self._fields.choice("severity", draft.severity, _SEVERITIES, problems) or Severity.INFORMATIONAL
        category = self._category(draft.category, problems)
        techniques = self._techniques(draft.mitre_techniques, problems)
        groups = self._groups(draft.rbac_group_names, problems)
        expires_at = self._expiry(draft.expires, problems)
        alert = self._fields.boolean("generate_alert", draft.generate_alert, problems)
        if kind and action:
            self._fits(kind, action, problems)
        if legacy:
            alert = True
        if action is Action.AUDIT and not alert:
            alert = self._audit_alert(problems)
        if techniques and category is None:
            problems.append(
                self._fields.warning(
                    "technique-without-category", "mitre_techniques", "techniques are given without a category"
                )
            )
        failed = any(not problem.warning for problem in problems)
        return Decision(
            kind, action, severity, category, techniques, groups, expires_at, bool(alert), tuple(problems), failed
        )

    def _type(self, given: Any, problems: list[Problem]) -> ObservableType | None:
        kind = self._fields.choice("type", given, _TYPES, problems, required=True)
        if kind is not None and self._strict and kind not in DEFENDER_TYPES:
            problems.append(
                self._fields.problem(
                    "type-not-in-defender",
                    "type",
                    f"Defender's CSV import does not take {kind}",
                    kind,
                    allowed=DEFENDER_TYPES,
                )
            )
        if kind is ObservableType.IP_RANGE and self._given.strictness is Strictness.COMPAT:
            problems.append(
                self._fields.problem(
                    "type-not-in-defender",
                    "type",
                    "IpRange exists only in the native API; CIDR notation is not supported here",
                    kind,
                    allowed=[each for each in ObservableType if each is not kind],
                )
            )
        return kind

    def _action(self, given: Any, problems: list[Problem]) -> tuple[Action | None, bool]:
        legacy = LEGACY_ACTIONS.get(given.strip()) if isinstance(given, str) else None
        if legacy is None or self._strict:
            return self._fields.choice("action", given, _ACTIONS, problems, required=True), False
        if self._given.strictness is not Strictness.COMPAT:
            message = f"{given} is a name of the past: read as {legacy} with an alert"
            problems.append(self._fields.warning("legacy-action", "action", message, given))
        return legacy, True

    def _fits(self, kind: ObservableType, action: Action, problems: list[Problem]) -> None:
        allowed = ALLOWED_ACTIONS[kind]
        if self._strict and kind is ObservableType.CERTIFICATE_THUMBPRINT:
            allowed = STRICT_CERTIFICATE_ACTIONS
        if action not in allowed:
            instead = Action.BLOCK if Action.BLOCK in allowed else allowed[-1]
            problems.append(
                self._fields.problem(
                    "action-not-for-type",
                    "action",
                    f"{action} does not go with {kind}",
                    action,
                    allowed=allowed,
                    suggestion=instead,
                )
            )

    def _audit_alert(self, problems: list[Problem]) -> bool:
        """SPEC 9.5: the compat POST refuses, every other door sets it and says so."""
        if self._given.strictness is Strictness.COMPAT:
            problems.append(
                self._fields.problem(
                    "audit-needs-alert",
                    "generate_alert",
                    "Audit needs generateAlert to be true",
                    "false",
                    allowed=["true"],
                )
            )
            return False
        message = "Audit always raises an alert: read as true"
        problems.append(self._fields.warning("audit-needs-alert", "generate_alert", message))
        return True

    def _category(self, given: Any, problems: list[Problem]) -> Category | None:
        if given is None or given in ("", "None", 1, "1"):
            return None
        if isinstance(given, int | float) and 2 <= given < 1000 and given == int(given):
            given = str(int(given))
        if isinstance(given, str) and given.strip().isdecimal() and len(given) < 4:
            number = int(given) - 2
            if 0 <= number < len(Category):
                return tuple(Category)[number]
        return self._fields.choice("category", given, _CATEGORIES, problems)

    def _techniques(self, given: Any, problems: list[Problem]) -> tuple[str, ...]:
        if not given:
            return ()
        items = self._fields.items("mitre_techniques", given, TECHNIQUES, problems)
        for item in items:
            if not _TECHNIQUE.fullmatch(item):
                problems.append(
                    self._fields.problem(
                        "invalid-technique",
                        "mitre_techniques",
                        f"{cut(item)} is not a technique number",
                        item,
                        allowed=["T1234", "T1234.001"],
                        suggestion=item.upper() if _TECHNIQUE.fullmatch(item.upper()) else None,
                    )
                )
        return items

    def _groups(self, given: Any, problems: list[Problem]) -> tuple[str, ...]:
        if not given:
            return ()
        items = self._fields.items("rbac_group_names", given, GROUPS, problems)
        for item in items:
            if item not in self._given.groups:
                problems.append(
                    self._fields.problem(
                        "unknown-group",
                        "rbac_group_names",
                        f"there is no device group named {cut(item)}; `indicia group add` makes one",
                        item,
                        allowed=sorted(self._given.groups)[:50],
                        suggestion=nearest(item, self._given.groups),
                    )
                )
        return items

    def _expiry(self, given: Any, problems: list[Problem]) -> datetime | None:
        if given is None or given == "":
            return None
        expires_at = given if isinstance(given, datetime) else None
        if isinstance(given, str):
            match = _TIME.fullmatch(given.strip())
            expires_at = _as_time(match) if match else None
            if match and expires_at and match[3] is None:
                problems.append(
                    self._fields.warning("no-time-zone", "expires", "no time zone is given: read as UTC", given)
                )
        if expires_at is None:
            problems.append(
                self._fields.problem(
                    "invalid-time",
                    "expires",
                    f"{cut(given)} is not a time",
                    given,
                    allowed=["YYYY-MM-DDTHH:MM:SS.0Z", "empty for never"],
                )
            )
            return None
        expires_at = expires_at.astimezone(UTC).replace(microsecond=0)
        if expires_at <= self._given.now:
            message = (
                f"{cut(given)} has passed; give a time after {self._given.now:%Y-%m-%dT%H:%M:%SZ}, or none for never"
            )
            problems.append(self._fields.problem("expiry-in-the-past", "expires", message, given))
        return expires_at


def _as_time(match: re.Match[str]) -> datetime | None:
    clock = match[2] or "00:00:00"
    zone = "+00:00" if match[3] in (None, "Z", "z") else match[3]
    try:
        return datetime.fromisoformat(f"{match[1]}T{clock}{zone}").astimezone(UTC)
    except (ValueError, OverflowError):
        return None
