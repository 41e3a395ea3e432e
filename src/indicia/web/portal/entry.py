"""The form of an indicator: what stands in it, the draft that it means, and where each problem belongs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self

from indicia.domain.draft import NOTHING_GIVEN, PROPERTY_NAMES, Draft
from indicia.domain.errors import Problem
from indicia.domain.indicator import Action, Severity, StoredIndicator
from indicia.domain.observable import ObservableType
from indicia.domain.rules import ALLOWED_ACTIONS
from indicia.services.pasting import Pasted, Reading, read_values
from indicia.web.portal.forms import Form

#: How long an indicator lives, as the form offers it; ``at`` is a date and time.
PRESETS: Final[Mapping[str, timedelta]] = {
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
    "90d": timedelta(days=90),
}
NEVER: Final = "never"
AT: Final = "at"
EVERYWHERE: Final = "all"
SOME_GROUPS: Final = "groups"
STEPS: Final = ("indicator", "action", "scope", "summary")
#: The field of the form in which each property is typed.
FIELDS: Final[Mapping[str, str]] = {
    "indicatorValue": "values",
    "indicatorType": "type",
    "expirationTime": "expires_at",
    "action": "action",
    "title": "title",
    "description": "description",
    "generateAlert": "generate_alert",
    "severity": "severity",
    "category": "category",
    "mitreTechniques": "mitre_techniques",
    "recommendedActions": "recommended_actions",
    "application": "application",
    "educateUrl": "educate_url",
    "bypassDurationHours": "bypass_duration_hours",
    "externalId": "external_id",
    "rbacGroupNames": "groups",
    "overrideReason": "override_reason",
    "certificate": "certificate",
    "reason": "reason",
}
_STEP_OF: Final[Mapping[str, str]] = {
    **dict.fromkeys(("values", "type", "expires_at", "certificate"), "indicator"),
    **dict.fromkeys(("groups", "scope"), "scope"),
    **dict.fromkeys(("override_reason", "reason"), "summary"),
}
_HAS_ZONE: Final = re.compile(r"(?:Z|z|[+-]\d\d:?\d\d)$")
_LONGEST_REASON: Final = 1_000
_MOST_CERTIFICATES: Final = 100
_IS_THUMBPRINT: Final = re.compile("[0-9a-f]{40}", re.ASCII)
#: What to do where a field is empty that may not be.
_MISSING: Final[Mapping[str, str]] = {
    "action": "choose what happens when the indicator is seen",
    "title": "give a title: it is what an alert is called",
    "description": "give a description: say what this is and where you have it from",
    "values": "type or paste at least one value, or drop a file",
    "type": "choose a type",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """The fields of the form, each the text that stands in it."""

    values: str = ""
    type: str = ""
    expiry: str = NEVER
    expires_at: str = ""
    action: str = ""
    title: str = ""
    description: str = ""
    generate_alert: bool = False
    severity: str = Severity.INFORMATIONAL.value
    category: str = ""
    mitre_techniques: str = ""
    recommended_actions: str = ""
    application: str = ""
    educate_url: str = ""
    bypass_duration_hours: str = ""
    external_id: str = ""
    scope: str = EVERYWHERE
    groups: tuple[str, ...] = ()
    override_reason: str = ""
    reason: str = ""
    leave_out: bool = False
    certificates: tuple[str, ...] = ()

    @classmethod
    def of_form(cls, form: Form) -> Self:
        """Return what *form* holds; nothing is refused here."""
        found: dict[str, Any] = {}
        for name, default in _DEFAULTS.items():
            if isinstance(default, tuple):
                found[name] = tuple(dict.fromkeys(form.texts(name)))
            elif isinstance(default, bool):
                found[name] = form.flag(name)
            else:
                found[name] = form.text(name, default)
        return cls(**found)

    @classmethod
    def of_query(cls, query: Mapping[str, str]) -> Self:
        """Return what a link fills in: the fields that it names, and ``value`` for one value."""
        asked: dict[str, Any] = {
            name: query[name][:10_000]
            for name, default in _DEFAULTS.items()
            if isinstance(default, str) and name in query and name not in _NOT_BY_LINK
        }
        if "value" in query:
            asked["values"] = query["value"][:10_000]
        return cls(**asked)

    @classmethod
    def of_stored(cls, stored: StoredIndicator) -> Self:
        """Return the form as it stands before anybody changes anything in it."""
        rule, extras = stored.indicator, stored.indicator.extras
        return cls(
            values=_on_a_line(rule.value),
            type=rule.type.value,
            expiry=NEVER if rule.expires_at is None else AT,
            expires_at="" if rule.expires_at is None else rule.expires_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S"),
            action=rule.action.value,
            title=_on_a_line(rule.title),
            description=_on_lines(rule.description),
            generate_alert=rule.generate_alert,
            severity=rule.severity.value,
            category=rule.category.value if rule.category else "",
            mitre_techniques=", ".join(rule.mitre_techniques),
            recommended_actions=_on_lines(rule.recommended_actions or ""),
            application=_on_a_line(rule.application or ""),
            educate_url=_on_a_line(extras.educate_url or ""),
            bypass_duration_hours="" if extras.bypass_duration_hours is None else str(extras.bypass_duration_hours),
            external_id=_on_a_line(rule.external_id or ""),
            scope=SOME_GROUPS if rule.rbac_group_names else EVERYWHERE,
            groups=rule.rbac_group_names,
            override_reason=_on_a_line(extras.override_reason or ""),
        )

    @property
    def kind(self) -> ObservableType | None:
        """The type that was chosen, None where it is to be detected."""
        return ObservableType(self.type) if self.type in _TYPES else None

    @property
    def thumbprints(self) -> dict[str, str]:
        """What the certificates that were chosen say, by thumbprint."""
        found = {}
        for each in self.certificates[:_MOST_CERTIFICATES]:
            thumbprint, _, text = each.partition(" ")
            if _IS_THUMBPRINT.fullmatch(thumbprint):
                found[thumbprint] = text[:1_000]
        return found

    def reading(self) -> Reading:
        """Return the values in the form, each with its type."""
        return read_values(self.values, self.kind, thumbprints=self.thumbprints)

    def expires(self, now: datetime) -> str | datetime | None:
        """Return when it ends: a time, the text that was typed for one, or None for never."""
        if self.expiry in PRESETS:
            return (now + PRESETS[self.expiry]).replace(microsecond=0)
        if self.expiry != AT:
            return None
        text = self.expires_at.strip()
        return text if not text or _HAS_ZONE.search(text) else f"{text}Z"

    def draft(self, now: datetime) -> Draft:
        """Return what the form decides about any value; fields that do not apply to the action are left out."""
        allowed = self.action == Action.ALLOWED
        return self._whole(now)._replace(
            generate_alert=self.action == Action.AUDIT or (self.generate_alert and not allowed),
            educate_url=self.educate_url.strip() or None if self.action in (Action.BLOCK, Action.WARN) else None,
            bypass_duration_hours=self.bypass_duration_hours.strip() or None if self.action == Action.WARN else None,
        )

    def draft_for(self, value: Pasted, now: datetime) -> Draft:
        """Return the draft of one of the values."""
        draft = self.draft(now)._replace(type=value.kind and value.kind.value, value=value.value)
        if value.kind is not ObservableType.URL:
            draft = draft._replace(educate_url=None)
        if value.kind is ObservableType.CERTIFICATE_THUMBPRINT and value.canonical in self.thumbprints:
            draft = draft._replace(certificate_info=self.thumbprints[value.canonical])
        return draft

    def edited(self, base: Draft, initial: Entry, now: datetime) -> Draft:
        """Return what the form makes of *base*, which it showed as *initial*: what nobody changed stays as it is."""
        whole = self._whole(now, base)
        kept = {
            name: getattr(base, field)
            for field, name in _FIELD_OF_DRAFT.items()
            if getattr(self, name) == getattr(initial, name)
        }
        if self.expiry == initial.expiry and self.expires_at == initial.expires_at:
            whole = whole._replace(expires=base.expires)
        if (self.scope, self.groups) == (initial.scope, initial.groups):
            whole = whole._replace(rbac_group_names=base.rbac_group_names)
        whole = whole._replace(**{field: kept[name] for field, name in _FIELD_OF_DRAFT.items() if name in kept})
        if (self.values, self.type) == (initial.values, initial.type):
            return whole
        [value] = self.reading().values[:1] or [None]
        if value is None:
            return whole._replace(value=None)
        return whole._replace(type=value.kind.value if value.kind else None, value=value.value)

    def _whole(self, now: datetime, base: Draft = NOTHING_GIVEN) -> Draft:
        return base._replace(
            expires=self.expires(now),
            action=self.action or None,
            severity=self.severity or None,
            title=self.title.strip() or None,
            description=self.description.strip() or None,
            recommended_actions=self.recommended_actions.strip() or None,
            rbac_group_names=self.groups if self.scope == SOME_GROUPS else None,
            category=self.category or None,
            mitre_techniques=_items(self.mitre_techniques),
            generate_alert=self.generate_alert,
            external_id=self.external_id.strip() or None,
            application=self.application.strip() or None,
            educate_url=self.educate_url.strip() or None,
            bypass_duration_hours=self.bypass_duration_hours.strip() or None,
            override_reason=self.override_reason.strip() or None,
        )

    def problems(self) -> list[Problem]:
        """Return what is wrong about the form itself, apart from what the check of a draft finds."""
        found = []
        if self.expiry == AT and not self.expires_at.strip():
            message = "give the date and time at which it ends, or choose another expiry"
            found.append(Problem("missing", message, "expirationTime"))
        if self.scope == SOME_GROUPS and not self.groups:
            message = "choose at least one device group, or all devices"
            found.append(Problem("missing", message, "rbacGroupNames"))
        if len(self.reason) > _LONGEST_REASON:
            message = f"the reason has {len(self.reason):,} characters; at most {_LONGEST_REASON:,} are kept"
            found.append(Problem("too-long", message, "reason"))
        return found


#: The text of the form that each field of a draft is made of, where that is one.
_FIELD_OF_DRAFT: Final[Mapping[str, str]] = {
    field: FIELDS[PROPERTY_NAMES[field]]
    for field in Draft._fields
    if PROPERTY_NAMES[field] in FIELDS and field not in ("type", "value", "expires", "rbac_group_names")
}
_DEFAULTS: Final[Mapping[str, Any]] = {name: getattr(Entry(), name) for name in Entry.__dataclass_fields__}
_NOT_BY_LINK: Final = frozenset({"override_reason"})
_TYPES: Final = frozenset(kind.value for kind in ObservableType)


@dataclass(frozen=True, slots=True)
class Faults:
    """What is wrong, and what there is to know, by the field that it is about."""

    by_field: Mapping[str, tuple[Problem, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, problems: Iterable[Problem]) -> Self:
        """Sort *problems* by field; the same one about many values is told once."""
        found: dict[str, dict[tuple[str, str], Problem]] = {}
        for problem in problems:
            name = FIELDS.get(problem.column or "", problem.column or "")
            place = found.setdefault(name, {})
            message = _MISSING.get(name, problem.message) if problem.code == "missing" else problem.message
            place.setdefault((problem.code, message), replace(problem, line=None, message=message))
        return cls({name: tuple(each.values()) for name, each in found.items()})

    def at(self, name: str) -> tuple[Problem, ...]:
        """Return what is wrong with the field *name*."""
        return tuple(each for each in self.by_field.get(name, ()) if not each.warning)

    def notes(self, name: str) -> tuple[Problem, ...]:
        """Return what there is to know about the field *name*."""
        return tuple(each for each in self.by_field.get(name, ()) if each.warning)

    @property
    def errors(self) -> tuple[Problem, ...]:
        """All that is wrong."""
        return tuple(each for found in self.by_field.values() for each in found if not each.warning)

    @property
    def first_step(self) -> str | None:
        """The first step with something wrong in it."""
        wrong = {step_of(name) for name, found in self.by_field.items() if any(not each.warning for each in found)}
        return next((step for step in STEPS if step in wrong), None)

    def up_to(self, step: str) -> Self:
        """Return those of the steps before *step*, which whoever goes there has been through."""
        passed = STEPS[: STEPS.index(step)] if step in STEPS else STEPS
        kept = {name: found for name, found in self.by_field.items() if step_of(name) in passed}
        return type(self)(kept)


def step_of(name: str) -> str:
    """Return the step that the field *name* is on."""
    return _STEP_OF.get(name, "action")


def actions_for(kinds: Sequence[ObservableType]) -> tuple[Action, ...]:
    """Return the actions that go with every one of *kinds* (SPEC 2.2); all of them where there are none."""
    return tuple(action for action in Action if all(action in ALLOWED_ACTIONS[kind] for kind in kinds))


def _on_a_line(text: str) -> str:
    """Return what a browser sends back of *text* from a field of one line."""
    return text.replace("\r", "").replace("\n", "")


def _on_lines(text: str) -> str:
    """Return what a browser sends back of *text* from a field of several lines, as `forms` reads it."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _items(text: str) -> tuple[str, ...] | None:
    return tuple(each for each in re.split(r"[,;\s]+", text) if each) or None
