"""What the form of a bulk change says: the change that it spells, and what is wrong beside which field."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from indicia.domain.errors import Problem
from indicia.domain.indicator import Action, Category, Severity
from indicia.services.bulk_change import MOST_DAYS, BulkChange
from indicia.web.portal.forms import Form
from indicia.web.portal.page import words

#: What can be done to a selection, and what its page is called.
DOINGS: Final = {
    "fields": "Edit fields",
    "expiry": "Extend expiry",
    "action": "Change action",
    "scope": "Set scope",
    "release": "Release",
    "delete": "Delete",
}
#: The fields of the form; everything else that it carries says which indicators.
FIELDS: Final = (
    "severity",
    "category",
    "generate_alert",
    "title",
    "description",
    "recommended_actions",
    "no_recommended_actions",
    "mitre_techniques",
    "no_mitre_techniques",
    "how",
    "days",
    "until",
    "action",
    "scope",
    "groups",
    "reason",
)
ACTIONS: Final = tuple(Action)
_NO_CATEGORY: Final = "None"
_AS_IT_IS: Final = ("", "Leave as it is")
SEVERITIES: Final = (_AS_IT_IS, *((each.value, each.value) for each in Severity))
CATEGORIES: Final = (_AS_IT_IS, (_NO_CATEGORY, "No category"), *((each.value, words(each)) for each in Category))
_COLUMNS: Final = {
    "recommendedActions": "recommended_actions",
    "mitreTechniques": "mitre_techniques",
    "rbacGroupNames": "groups",
    "generateAlert": "generate_alert",
    "expirationTime": "until",
    "extendDays": "days",
}
_DIGITS: Final = 6

Problems = dict[str, list[Problem]]


def change_of(doing: str, form: Form) -> tuple[BulkChange, Problems]:
    """Return the change that *form* spells, and what is wrong with its fields."""
    problems: Problems = {}
    if doing == "delete":
        return BulkChange(delete=True), problems
    if doing == "release":
        reason = form.text("reason").strip()
        if not reason:
            _add(problems, "reason", "missing", "a release needs a reason: it is kept with the indicators")
        return BulkChange(release=reason), problems
    if doing == "expiry":
        return _expiry(form, problems), problems
    if doing == "action":
        if form.text("action") not in ACTIONS:
            _add(problems, "action", "missing", "choose the action that all of them get")
        return BulkChange({"action": form.text("action")}), problems
    if doing == "scope":
        groups = form.texts("groups") if form.text("scope") == "groups" else ()
        if form.text("scope") == "groups" and not groups:
            _add(problems, "groups", "missing", "choose at least one device group, or all devices")
        return BulkChange({"rbac_group_names": groups}), problems
    return BulkChange(_fields(form)), problems


def by_field(problems: Iterable[Problem]) -> Problems:
    """Return *problems* by the field of the form that they are about, empty for the form as a whole."""
    found: Problems = {}
    for problem in problems:
        name = _COLUMNS.get(problem.column or "", problem.column or "")
        found.setdefault(name if name in FIELDS else "", []).append(problem)
    return found


def _fields(form: Form) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if form.text("severity"):
        values["severity"] = form.text("severity")
    if form.text("category"):
        values["category"] = None if form.text("category") == _NO_CATEGORY else form.text("category")
    if form.text("generate_alert"):
        values["generate_alert"] = form.flag("generate_alert")
    for name in ("title", "description"):
        if form.text(name).strip():
            values[name] = form.text(name)
    for name in ("recommended_actions", "mitre_techniques"):
        if form.flag(f"no_{name}"):
            values[name] = None if name == "recommended_actions" else ()
        elif form.text(name).strip():
            values[name] = form.text(name)
    return values


def _expiry(form: Form, problems: Problems) -> BulkChange:
    how = form.text("how")
    if how == "never":
        return BulkChange({"expires": None})
    if how == "set":
        text = form.text("until").strip()
        at = _moment(text)
        if at is None:
            message = "write a day, or a day and a time in UTC, such as 2027-01-31 or 2027-01-31 18:00"
            _add(problems, "until", "missing" if not text else "invalid-expiry", message, text)
        return BulkChange({"expires": at})
    days = form.text("days").strip()
    if not (days.isascii() and days.isdecimal() and len(days) <= _DIGITS and 0 < int(days) <= MOST_DAYS):
        _add(problems, "days", "invalid-days", f"write a number of days from 1 to {MOST_DAYS:,}", days)
        return BulkChange(extend=timedelta(days=1))
    return BulkChange(extend=timedelta(days=int(days)))


def _moment(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _add(problems: Problems, field: str, code: str, message: str, value: str | None = None) -> None:
    problems.setdefault(field, []).append(Problem(code, message, field, value))
