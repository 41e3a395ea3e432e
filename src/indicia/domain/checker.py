"""The one maker of indicators: a draft in, an indicator and everything there is to say about it out."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple, TypeVar

from indicia.domain.draft import COMMON_FIELDS, NOTHING_RARE, PROPERTY_NAMES, Draft
from indicia.domain.errors import Problem
from indicia.domain.guard import Guard
from indicia.domain.indicator import NO_EXTRAS, Action, Category, Extras, Indicator, Severity, Status
from indicia.domain.observable import ObservableType, Unspellable, canonical, refang
from indicia.domain.rules import (
    ALLOWED_ACTIONS,
    DEFENDER_TYPES,
    GROUPS,
    LEGACY_ACTIONS,
    OTHER_CHARACTERS,
    RECOMMENDED_CHARACTERS,
    STRICT_CERTIFICATE_ACTIONS,
    STRICT_URL_CHARACTERS,
    TECHNIQUES,
    TITLE_CHARACTERS,
    Strictness,
)

_TYPES: Final = {kind.value: kind for kind in ObservableType}
_ACTIONS: Final = {action.value: action for action in Action}
_SEVERITIES: Final = {severity.value: severity for severity in Severity}
_CATEGORIES: Final = {category.value: category for category in Category}
_TECHNIQUE: Final = re.compile(r"T\d{4}(\.\d{3})?", re.ASCII)
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_TIME: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d:\d\d(?::\d\d)?)(?:\.\d{1,9})?)?\s?(Z|z|[+-]\d\d:?\d\d)?", re.ASCII
)
_TRUE: Final = frozenset({"true", "1", "yes"})
_FALSE: Final = frozenset({"false", "0", "no", ""})
_MEMO_ENTRIES: Final = 20_000
_HARMLESS: Final = frozenset(action for action in Action if not action.interferes)

T = TypeVar("T")


class Checked(NamedTuple):
    """The indicator that a draft makes, or None; and everything there is to say about the draft."""

    indicator: Indicator | None
    problems: tuple[Problem, ...]


class _Decision(NamedTuple):
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


@dataclass(frozen=True)
class Circumstances:
    """What a check needs to know besides the draft itself."""

    now: datetime
    guard: Guard
    groups: frozenset[str] = frozenset()
    strictness: Strictness = Strictness.NATIVE
    names: Mapping[str, str] = field(default_factory=lambda: PROPERTY_NAMES)


class Checker:
    """Turns drafts into indicators, with every problem of each at once.

    One checker serves one batch: it remembers what it worked out for columns that repeat, bounded.
    """

    def __init__(self, circumstances: Circumstances) -> None:
        self._given = circumstances
        self._names = circumstances.names
        self._strict = circumstances.strictness is Strictness.STRICT
        self._decisions: dict[tuple[Any, ...], _Decision] = {}
        self._guard = circumstances.guard

    def check(self, draft: Draft) -> Checked:
        """Return the indicator that *draft* makes, and all its problems; never raises for bad data."""
        decision = self._decide(draft)
        problems: list[Problem] = list(decision.problems) if decision.problems else []
        value, canonical_value = self._value(decision.type, draft[1], problems)
        title, description, recommended = draft[5], draft[6], draft[7]
        if not _is_plain(title):
            title = self._text("title", title, TITLE_CHARACTERS, problems, required=True)
        if not _is_plain(description):
            description = self._text("description", description, TITLE_CHARACTERS, problems, required=True)
        if recommended:
            recommended = self._text("recommended_actions", recommended, RECOMMENDED_CHARACTERS, problems)
        if draft[COMMON_FIELDS:] != NOTHING_RARE:
            external_id, application, extras = self._rare(draft, decision, problems)
        else:
            external_id = application = None
            extras = NO_EXTRAS
        if decision.failed or (problems and any(not problem.warning for problem in problems)):
            return Checked(None, tuple(problems))
        kind, action = decision.type, decision.action
        if kind is None or action is None or canonical_value is None:  # pragma: no cover - a problem was recorded above
            raise AssertionError("a draft without problems has a type, an action and a value")
        status = Status.ACTIVE
        if action not in _HARMLESS and not extras.override_reason:
            reason = self._guard.reason(kind, canonical_value)
            if reason is not None:
                status = Status.HELD
                problems.append(self._held(reason.code, reason.message, action, value))
        # Made by position: by name it takes three times as long, and this is done for every row.
        fields = (
            kind,
            canonical_value,
            value,
            action,
            title,
            description,
            decision.severity,
            decision.category,
            decision.techniques,
            recommended or None,
            decision.groups,
            decision.expires_at,
            decision.generate_alert,
            external_id,
            application,
            status,
            extras,
        )
        indicator = tuple.__new__(Indicator, fields)
        return tuple.__new__(Checked, (indicator, tuple(problems) if problems else ()))

    # -- the shared part ------------------------------------------------------------------------------------------

    def _decide(self, draft: Draft) -> _Decision:
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

    def _work_out(self, draft: Draft) -> _Decision:
        problems: list[Problem] = []
        kind = self._type(draft.type, problems)
        action, legacy = self._action(draft.action, problems)
        severity = self._choice("severity", draft.severity, _SEVERITIES, problems) or Severity.INFORMATIONAL
        category = self._category(draft.category, problems)
        techniques = self._techniques(draft.mitre_techniques, problems)
        groups = self._groups(draft.rbac_group_names, problems)
        expires_at = self._expiry(draft.expires, problems)
        alert = self._boolean("generate_alert", draft.generate_alert, problems)
        if kind and action:
            self._fits(kind, action, problems)
        if legacy:
            alert = True
        if action is Action.AUDIT and not alert:
            alert = self._audit_alert(problems)
        if techniques and category is None:
            problems.append(
                self._warning(
                    "technique-without-category", "mitre_techniques", "techniques are given without a category"
                )
            )
        failed = any(not problem.warning for problem in problems)
        return _Decision(
            kind, action, severity, category, techniques, groups, expires_at, bool(alert), tuple(problems), failed
        )

    def _type(self, given: Any, problems: list[Problem]) -> ObservableType | None:
        kind = self._choice("type", given, _TYPES, problems, required=True)
        if kind is not None and self._strict and kind not in DEFENDER_TYPES:
            problems.append(
                self._problem(
                    "type-not-in-defender",
                    "type",
                    f"Defender's CSV import does not take {kind}",
                    kind,
                    allowed=DEFENDER_TYPES,
                )
            )
        if kind is ObservableType.IP_RANGE and self._given.strictness is Strictness.COMPAT:
            problems.append(
                self._problem(
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
            return self._choice("action", given, _ACTIONS, problems, required=True), False
        if self._given.strictness is not Strictness.COMPAT:
            message = f"{given} is a name of the past: read as {legacy} with an alert"
            problems.append(self._warning("legacy-action", "action", message, given))
        return legacy, True

    def _fits(self, kind: ObservableType, action: Action, problems: list[Problem]) -> None:
        allowed = ALLOWED_ACTIONS[kind]
        if self._strict and kind is ObservableType.CERTIFICATE_THUMBPRINT:
            allowed = STRICT_CERTIFICATE_ACTIONS
        if action not in allowed:
            nearest = Action.BLOCK if Action.BLOCK in allowed else allowed[-1]
            problems.append(
                self._problem(
                    "action-not-for-type",
                    "action",
                    f"{action} does not go with {kind}",
                    action,
                    allowed=allowed,
                    suggestion=nearest,
                )
            )

    def _audit_alert(self, problems: list[Problem]) -> bool:
        """SPEC 9.5: the compat POST refuses, every other door sets it and says so."""
        if self._given.strictness is Strictness.COMPAT:
            problems.append(
                self._problem(
                    "audit-needs-alert",
                    "generate_alert",
                    "Audit needs generateAlert to be true",
                    "false",
                    allowed=["true"],
                )
            )
            return False
        message = "Audit always raises an alert: read as true"
        problems.append(self._warning("audit-needs-alert", "generate_alert", message))
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
        return self._choice("category", given, _CATEGORIES, problems)

    def _techniques(self, given: Any, problems: list[Problem]) -> tuple[str, ...]:
        if not given:
            return ()
        items = self._items("mitre_techniques", given, TECHNIQUES, problems)
        for item in items:
            if not _TECHNIQUE.fullmatch(item):
                problems.append(
                    self._problem(
                        "invalid-technique",
                        "mitre_techniques",
                        f"{_cut(item)} is not a technique number",
                        item,
                        allowed=["T1234", "T1234.001"],
                        suggestion=item.upper() if _TECHNIQUE.fullmatch(item.upper()) else None,
                    )
                )
        return items

    def _groups(self, given: Any, problems: list[Problem]) -> tuple[str, ...]:
        if not given:
            return ()
        items = self._items("rbac_group_names", given, GROUPS, problems)
        for item in items:
            if item not in self._given.groups:
                problems.append(
                    self._problem(
                        "unknown-group",
                        "rbac_group_names",
                        f"there is no device group named {_cut(item)}; `indicia group add` makes one",
                        item,
                        allowed=sorted(self._given.groups)[:50],
                        suggestion=_nearest(item, self._given.groups),
                    )
                )
        return items

    def _items(self, field: str, given: Any, most: int, problems: list[Problem]) -> tuple[str, ...]:
        if isinstance(given, str):
            given = given.split(",")
        if not isinstance(given, list | tuple) or not all(isinstance(item, str) for item in given):
            problems.append(
                self._problem("not-a-list", field, "a list of names is wanted, or names with commas between")
            )
            return ()
        items = tuple(dict.fromkeys(item.strip() for item in given if item.strip()))
        if len(items) > most:
            problems.append(
                self._problem("too-many", field, f"{len(items)} items are given, at most {most} are allowed")
            )
            return ()
        for item in items:
            if _CONTROL.search(item) or "\n" in item or "\t" in item or "\r" in item:
                problems.append(self._problem("control-character", field, "control characters are not allowed", item))
                return ()
        return items

    def _expiry(self, given: Any, problems: list[Problem]) -> datetime | None:
        if given is None or given == "":
            return None
        expires_at = given if isinstance(given, datetime) else None
        if isinstance(given, str):
            match = _TIME.fullmatch(given.strip())
            expires_at = _as_time(match) if match else None
            if match and expires_at and match[3] is None:
                problems.append(self._warning("no-time-zone", "expires", "no time zone is given: read as UTC", given))
        if expires_at is None:
            problems.append(
                self._problem(
                    "invalid-time",
                    "expires",
                    f"{_cut(given)} is not a time",
                    given,
                    allowed=["YYYY-MM-DDTHH:MM:SS.0Z", "empty for never"],
                )
            )
            return None
        expires_at = expires_at.astimezone(UTC).replace(microsecond=0)
        if expires_at <= self._given.now:
            message = (
                f"{_cut(given)} has passed; give a time after {self._given.now:%Y-%m-%dT%H:%M:%SZ}, or none for never"
            )
            problems.append(self._problem("expiry-in-the-past", "expires", message, given))
        return expires_at

    def _boolean(self, field: str, given: Any, problems: list[Problem]) -> bool:
        if given is None or given in (True, False):  # the numbers 1 and 0 of JSON too, which equal them
            return bool(given)
        text = given.strip().lower() if isinstance(given, str) else None
        if text in _TRUE:
            return True
        if text not in _FALSE:
            problems.append(
                self._problem(
                    "not-a-boolean", field, f"{_cut(given)} is neither true nor false", given, allowed=["True", "False"]
                )
            )
        return False

    def _choice(
        self,
        field: str,
        given: Any,
        choices: Mapping[str, T],
        problems: list[Problem],
        *,
        required: bool = False,
    ) -> T | None:
        if given is None or (isinstance(given, str) and not given.strip()):
            if required:
                problems.append(self._missing(field, allowed=list(choices)))
            return None
        text = given.strip() if isinstance(given, str) else None
        if text is not None:
            chosen = choices.get(text)
            if chosen is None and field != "category":  # SPEC 9.22: a category in another case is refused
                chosen = next((choice for name, choice in choices.items() if name.lower() == text.lower()), None)
            if chosen is not None:
                return chosen
        suggestion = _nearest(_cut(given, quoted=False), choices)
        hint = f"; did you mean {suggestion}?" if suggestion else ""
        problems.append(
            self._problem(
                f"invalid-{field.replace('_', '-')}",
                field,
                f"{_cut(given)} is not one of {', '.join(choices)}{hint}",
                given,
                allowed=list(choices),
                suggestion=suggestion,
            )
        )
        return None

    # -- the part of each row -------------------------------------------------------------------------------------

    def _value(self, kind: ObservableType | None, given: Any, problems: list[Problem]) -> tuple[str, str | None]:
        if not isinstance(given, str):
            if given is None:
                problems.append(self._missing("value"))
            else:
                problems.append(self._problem("not-a-text", "value", "a text is wanted", given))
            return "", None
        # Compat clients get back exactly what they sent (SPEC 9.8); white space around a cell is nobody's intent.
        value = given if self._given.strictness is Strictness.COMPAT else given.strip()
        if not value.strip():
            problems.append(self._missing("value"))
            return "", None
        if kind is None:
            return value, None
        try:
            spelled = canonical(kind, value)
        except Unspellable as fault:
            suggestion = fault.suggestion
            if suggestion is None:
                refanged = refang(value)
                suggestion = refanged.text if refanged.changes else None
            problems.append(self._problem(fault.code, "value", str(fault), value, suggestion=suggestion))
            return value, None
        if self._strict and kind is ObservableType.URL and len(value) > STRICT_URL_CHARACTERS:
            message = f"the URL has {len(value)} characters, Defender takes {STRICT_URL_CHARACTERS}"
            problems.append(self._problem("too-long", "value", message, value))
        if not value.isprintable() and _CONTROL.search(value):
            problems.append(self._problem("control-character", "value", "control characters are not allowed", value))
        return value, spelled

    def _text(
        self, field: str, given: Any, most: int, problems: list[Problem], *, required: bool = False
    ) -> str | None:
        if isinstance(given, str):
            if given.isprintable() and given and len(given) <= most and not given.isspace():
                return given
        elif given is not None:
            problems.append(self._problem("not-a-text", field, "a text is wanted", given))
            return None
        if given is None or not given.strip():
            if required:
                problems.append(self._missing(field))
            return None
        if len(given) > most:
            message = f"the text has {len(given)} characters, at most {most} are allowed"
            problems.append(self._problem("too-long", field, message, given))
        found = _CONTROL.search(given)
        if found:
            message = f"the control character U+{ord(found[0]):04X} is not allowed; tab and line breaks are"
            problems.append(self._problem("control-character", field, message, given))
        return str(given)

    def _rare(
        self, draft: Draft, decision: _Decision, problems: list[Problem]
    ) -> tuple[str | None, str | None, Extras]:
        def text(field: str) -> str | None:
            return self._text(field, getattr(draft, field) or None, OTHER_CHARACTERS, problems)

        educate_url = text("educate_url")
        if educate_url:
            self._educate_url(educate_url, decision, problems)
        extras = Extras(
            educate_url=educate_url,
            bypass_duration_hours=self._bypass(draft.bypass_duration_hours, decision, problems),
            notification_id=text("notification_id"),
            notification_body=text("notification_body"),
            historical_detection=self._boolean("historical_detection", draft.historical_detection, problems),
            look_back_period=text("look_back_period"),
            version=text("version"),
            certificate_info=text("certificate_info"),
            additional_info=text("additional_info"),
            override_reason=text("override_reason"),
        )
        return text("external_id"), text("application"), extras

    def _educate_url(self, url: str, decision: _Decision, problems: list[Problem]) -> None:
        try:
            canonical(ObservableType.URL, url)
        except Unspellable as fault:
            problems.append(self._problem(fault.code, "educate_url", str(fault), url))
        if decision.type is not ObservableType.URL or decision.action not in (Action.BLOCK, Action.WARN):
            message = "a support page is shown only for Url indicators with Block or Warn; this one is ignored"
            problems.append(self._warning("educate-url-unused", "educate_url", message, url))

    def _bypass(self, given: Any, decision: _Decision, problems: list[Problem]) -> int | None:
        if given is None or given == "":
            return None
        hours = given if isinstance(given, int) and not isinstance(given, bool) else None
        if isinstance(given, str) and given.strip().isdecimal() and len(given) < 6:
            hours = int(given)
        if isinstance(given, float) and given.is_integer():
            hours = int(given)
        if hours is None or not 0 < hours <= 8_760:
            message = f"{_cut(given)} is not a number of hours from 1 to 8760"
            problems.append(
                self._problem("invalid-hours", "bypass_duration_hours", message, given, allowed=["1 to 8760"])
            )
            return None
        if decision.action is not None and decision.action is not Action.WARN:
            message = "only Warn can be bypassed; the duration has no effect"
            problems.append(self._warning("bypass-unused", "bypass_duration_hours", message, given))
        return hours

    # -- words ----------------------------------------------------------------------------------------------------

    def _problem(
        self,
        code: str,
        field: str,
        message: str,
        value: Any = None,
        *,
        allowed: Iterable[str] = (),
        suggestion: str | None = None,
    ) -> Problem:
        shown = None if value is None else _cut(value, quoted=False)
        return Problem(code, message, self._names[field], shown, tuple(map(str, allowed)), suggestion)

    def _warning(self, code: str, field: str, message: str, value: Any = None) -> Problem:
        shown = None if value is None else _cut(value, quoted=False)
        return Problem(code, message, self._names[field], shown, warning=True)

    def _missing(self, field: str, allowed: Sequence[str] = ()) -> Problem:
        name = self._names[field]
        return Problem("missing", f"{name} is required and is empty", name, "", tuple(allowed))

    def _held(self, code: str, message: str, action: Action, value: str) -> Problem:
        return Problem(
            f"held-{code}",
            f"{message}; {action} is held back until somebody releases it with a reason",
            self._names["value"],
            _cut(value, quoted=False),
            warning=True,
        )


def _is_plain(text: Any) -> bool:
    """Return whether *text* is what nearly every title is: short, printable, not blank."""
    return isinstance(text, str) and 0 < len(text) <= TITLE_CHARACTERS and text.isprintable() and not text.isspace()


def _as_time(match: re.Match[str]) -> datetime | None:
    clock = match[2] or "00:00:00"
    zone = "+00:00" if match[3] in (None, "Z", "z") else match[3]
    try:
        return datetime.fromisoformat(f"{match[1]}T{clock}{zone}").astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _nearest(given: str, choices: Iterable[str]) -> str | None:
    wanted = re.sub(r"[\s_-]", "", given[:100]).lower()
    by_lower = {choice.lower(): choice for choice in choices}
    near = difflib.get_close_matches(wanted, by_lower, n=1, cutoff=0.6)
    return by_lower[near[0]] if near else None


def _cut(value: Any, *, quoted: bool = True, most: int = 200) -> str:
    text = value if isinstance(value, str) else _spelled(value)
    text = text if len(text) <= most else text[:most] + "…"
    return repr(text) if quoted else text


def _spelled(value: Any) -> str:
    """Return a JSON value as text; Python refuses that for integers of thousands of digits and for deep lists."""
    try:
        return str(value)
    except (ValueError, RecursionError):
        return f"({type(value).__name__} that is too large to be shown)"
