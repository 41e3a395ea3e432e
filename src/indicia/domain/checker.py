"""The one maker of indicators: a draft in, an indicator and everything there is to say about it out."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from indicia.domain.circumstances import Circumstances
from indicia.domain.deciding import Decider, Decision
from indicia.domain.draft import COMMON_FIELDS, NOTHING_RARE, Draft
from indicia.domain.errors import Problem
from indicia.domain.fields import CONTROL, Fields, cut
from indicia.domain.indicator import NO_EXTRAS, Action, Extras, Indicator, Status
from indicia.domain.observable import ObservableType, Unspellable, canonical
from indicia.domain.refanging import refang
from indicia.domain.rules import (
    OTHER_CHARACTERS,
    RECOMMENDED_CHARACTERS,
    STRICT_URL_CHARACTERS,
    TITLE_CHARACTERS,
    Strictness,
)

_HARMLESS: Final = frozenset(action for action in Action if not action.interferes)


class Checked(NamedTuple):
    """The indicator that a draft makes, or None; and everything there is to say about the draft."""

    indicator: Indicator | None
    problems: tuple[Problem, ...]


class Checker:
    """Turns drafts into indicators, with every problem of each at once.

    One checker serves one batch: it remembers what it worked out for columns that repeat, bounded.
    """

    def __init__(self, circumstances: Circumstances) -> None:
        self._given = circumstances
        self._strict = circumstances.strictness is Strictness.STRICT
        self._guard = circumstances.guard
        self._fields = Fields(circumstances.names)
        self._decider = Decider(circumstances, self._fields)

    def check(self, draft: Draft) -> Checked:
        """Return the indicator that *draft* makes, and all its problems; never raises for bad data."""
        decision = self._decider.decide(draft)
        problems: list[Problem] = list(decision.problems) if decision.problems else []
        value, canonical_value = self._value(decision.type, draft[1], problems)
        title, description, recommended = draft[5], draft[6], draft[7]
        if not _is_plain(title):
            title = self._fields.text("title", title, TITLE_CHARACTERS, problems, required=True)
        if not _is_plain(description):
            description = self._fields.text("description", description, TITLE_CHARACTERS, problems, required=True)
        if recommended:
            recommended = self._fields.text("recommended_actions", recommended, RECOMMENDED_CHARACTERS, problems)
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
        if action not in _HARMLESS and not (extras.override_reason and self._given.may_release):
            reason = self._guard.reason(kind, canonical_value)
            if reason is not None:
                status = Status.HELD
                message = f"{reason.message}; {action} is held back until somebody releases it with a reason"
                if extras.override_reason:
                    message += ", who may: the one given here does not count, for you may not release"
                    extras = extras._replace(override_reason=None)
                problems.append(self._fields.warning(f"held-{reason.code}", "value", message, value))
            elif (popular := self._guard.note(kind, canonical_value)) is not None:
                problems.append(self._fields.warning("popular-name", "value", popular, value))
        # Made by position: by name it takes three times as long, and this is done for every row.
        indicator = tuple.__new__(
            Indicator,
            (
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
            ),
        )
        return tuple.__new__(Checked, (indicator, tuple(problems) if problems else ()))

    def _value(self, kind: ObservableType | None, given: Any, problems: list[Problem]) -> tuple[str, str | None]:
        if not isinstance(given, str):
            if given is None:
                problems.append(self._fields.missing("value"))
            else:
                problems.append(self._fields.problem("not-a-text", "value", "a text is wanted", given))
            return "", None
        # Compat clients get back exactly what they sent (SPEC 9.8); white space around a cell is nobody's intent.
        value = given if self._given.strictness is Strictness.COMPAT else given.strip()
        if not value.strip():
            problems.append(self._fields.missing("value"))
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
            problems.append(self._fields.problem(fault.code, "value", str(fault), value, suggestion=suggestion))
            return value, None
        if self._strict and kind is ObservableType.URL and len(value) > STRICT_URL_CHARACTERS:
            message = f"the URL has {len(value)} characters, Defender takes {STRICT_URL_CHARACTERS}"
            problems.append(self._fields.problem("too-long", "value", message, value))
        if not value.isprintable() and CONTROL.search(value):
            problems.append(
                self._fields.problem("control-character", "value", "control characters are not allowed", value)
            )
        return value, spelled

    def _rare(self, draft: Draft, decision: Decision, problems: list[Problem]) -> tuple[str | None, str | None, Extras]:
        def text(field: str) -> str | None:
            return self._fields.text(field, getattr(draft, field) or None, OTHER_CHARACTERS, problems)

        educate_url = text("educate_url")
        if educate_url:
            self._educate_url(educate_url, decision, problems)
        extras = Extras(
            educate_url=educate_url,
            bypass_duration_hours=self._bypass(draft.bypass_duration_hours, decision, problems),
            notification_id=text("notification_id"),
            notification_body=text("notification_body"),
            historical_detection=self._fields.boolean("historical_detection", draft.historical_detection, problems),
            look_back_period=text("look_back_period"),
            version=text("version"),
            certificate_info=text("certificate_info"),
            additional_info=text("additional_info"),
            override_reason=text("override_reason"),
        )
        return text("external_id"), text("application"), extras

    def _educate_url(self, url: str, decision: Decision, problems: list[Problem]) -> None:
        try:
            canonical(ObservableType.URL, url)
        except Unspellable as fault:
            problems.append(self._fields.problem(fault.code, "educate_url", str(fault), url))
        if decision.type is not ObservableType.URL or decision.action not in (Action.BLOCK, Action.WARN):
            message = "a support page is shown only for Url indicators with Block or Warn; this one is ignored"
            problems.append(self._fields.warning("educate-url-unused", "educate_url", message, url))

    def _bypass(self, given: Any, decision: Decision, problems: list[Problem]) -> int | None:
        if given is None or given == "":
            return None
        hours = given if isinstance(given, int) and not isinstance(given, bool) else None
        if isinstance(given, str) and given.strip().isdecimal() and len(given) < 6:
            hours = int(given)
        if isinstance(given, float) and given.is_integer():
            hours = int(given)
        if hours is None or not 0 < hours <= 8_760:
            message = f"{cut(given)} is not a number of hours from 1 to 8760"
            problems.append(
                self._fields.problem("invalid-hours", "bypass_duration_hours", message, given, allowed=["1 to 8760"])
            )
            return None
        if decision.action is not None and decision.action is not Action.WARN:
            message = "only Warn can be bypassed; the duration has no effect"
            problems.append(self._fields.warning("bypass-unused", "bypass_duration_hours", message, given))
        return hours


def _is_plain(text: Any) -> bool:
    """Return whether *text* is what nearly every title is: short, printable, not blank."""
    return isinstance(text, str) and 0 < len(text) <= TITLE_CHARACTERS and text.isprintable() and not text.isspace()
