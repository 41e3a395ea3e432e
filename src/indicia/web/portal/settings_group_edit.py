"""The page `/settings/groups/edit`: a device group, its rules a row each, and a preview of who would be in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from fastapi import APIRouter
from starlette.responses import Response

from indicia.domain.errors import Conflict, InvalidInput
from indicia.domain.grouping import MOST_ROWS, MOST_VALUES, UNGROUPED, Field, Operator, Rule
from indicia.services import groups
from indicia.services.group_preview import Preview, preview
from indicia.web.portal.fields import Faults, by_field
from indicia.web.portal.forms import Form
from indicia.web.portal.visit import PostDep, Visit, VisitDep

router = APIRouter(include_in_schema=False)

_FIELDS: Final = (("name", "Device name"), ("domain", "Domain"), ("tag", "Tag"), ("osPlatform", "OS platform"))
_OPERATORS: Final = (
    ("equals", "is"),
    ("startsWith", "starts with"),
    ("endsWith", "ends with"),
    ("contains", "contains"),
    ("in", "is one of"),
)
_EMPTY_ROWS: Final = 2
_MOST_ROWS: Final = 4 * MOST_ROWS
_VALUE_CHARACTERS: Final = 30_000


class Row(NamedTuple):
    """One condition as it is typed; one without a value counts for nothing."""

    field: str = "name"
    operator: str = "startsWith"
    value: str = ""


@dataclass(frozen=True, slots=True)
class EditGroupPage:
    """The form with what was typed; ``old`` is the name that the group has, empty for a new one."""

    section: str
    old: str
    name: str
    rank: str
    description: str
    rows: tuple[Row, ...]
    members: int = 0
    indicators: int = 0
    preview: Preview | None = None
    problems: Faults = field(default_factory=dict)
    fields: tuple[tuple[str, str], ...] = _FIELDS
    operators: tuple[tuple[str, str], ...] = _OPERATORS
    default: str = UNGROUPED
    most_values: int = MOST_VALUES

    @property
    def may_have_more(self) -> bool:
        """Whether another row may be added."""
        return len(self.rows) < _MOST_ROWS


@router.get("/settings/groups/edit")
def read_group(visit: VisitDep, name: str = "") -> Response:
    """The form: empty for a new group, filled for the one with that name."""
    groups.require_whole(visit.actor)
    if not name:
        return visit.page("settings_group_edit.html", EditGroupPage("groups", "", "", "", "", _rows_of(())))
    group, members, indicators = groups.show_group(visit.database, name, actor=visit.actor, now=visit.now)
    rows, about = _rows_of(group.rule), group.description or ""
    page = EditGroupPage("groups", name, name, str(group.rank), about, rows, members, indicators)
    return visit.page("settings_group_edit.html", page)


@router.post("/settings/groups/edit")
def edit_group(visit: PostDep) -> Response:
    """Add a row, preview, or save, as the button says that was pressed."""
    form = visit.form
    old, rows = form.text("old"), _rows_in(form)
    more = form.text("do") == "row"
    try:
        if more:
            return visit.page("settings_group_edit.html", _page(visit, old, (*rows, Row())[:_MOST_ROWS]))
        if form.text("do") == "preview":
            found = preview(visit.database, _rules(rows), actor=visit.actor, name=old or None, rank=form.number("rank"))
            return visit.page("settings_group_edit.html", _page(visit, old, rows, found))
        _save(visit, old, rows)
    except (InvalidInput, Conflict) as error:
        return visit.page("settings_group_edit.html", _page(visit, old, rows, None, _faults(error, rows)), status=422)
    return visit.go("/settings/groups", said="saved" if old else "group-added")


@router.post("/settings/groups")
def add_group(visit: PostDep) -> Response:
    """Add a group by its name and rank alone, as the form of earlier versions did."""
    form = visit.form
    try:
        _save(visit, "", ())
    except (InvalidInput, Conflict) as error:
        faults = by_field(error)
        page = EditGroupPage("groups", "", form.text("name")[:300], form.text("rank")[:20], "", _rows_of(()))
        return visit.page("settings_group_edit.html", _with(page, faults), status=422)
    return visit.go("/settings/groups", said="group-added")


def _save(visit: Visit, old: str, rows: tuple[Row, ...]) -> None:
    form = visit.form
    rules, name, rank = _rules(rows), form.text("name"), form.number("rank")
    given: dict[str, Any] = {"actor": visit.actor, "now": visit.now, "grouping": visit.app.grouping}
    description = form.text("description")
    if old:
        groups.change_group(visit.database, old, to=name, rank=rank, rules=rules, description=description, **given)
    else:
        groups.add_group(visit.database, name, rank, rules=rules, description=description, **given)


def _rules(rows: tuple[Row, ...]) -> list[dict[str, Any]]:
    """Return what services take: an empty row counts for nothing, `in` takes what is between commas."""
    found = []
    for row in rows:
        values = [part.strip() for part in row.value.split(",")] if row.operator == Operator.IN else [row.value]
        if row.value.strip():
            found.append({"field": row.field, "operator": row.operator, "values": [part for part in values if part]})
    return found


def _faults(error: InvalidInput | Conflict, rows: tuple[Row, ...]) -> Faults:
    """Return the problems by field; those of a rule by the row of the form that it is, as ``rules/2``."""
    filled = [place for place, row in enumerate(rows) if row.value.strip()]
    found: dict[str, Any] = {}
    for name, problems in by_field(error).items():
        parts = name.split("/")
        if parts[0] == "rules" and len(parts) > 1 and parts[1].isdecimal() and int(parts[1]) < len(filled):
            name = f"rules/{filled[int(parts[1])]}"
        found[name] = (*found.get(name, ()), *problems)
    return found


def _page(
    visit: Visit,
    old: str,
    rows: tuple[Row, ...],
    found: Preview | None = None,
    problems: Faults | None = None,
) -> EditGroupPage:
    form = visit.form
    members = indicators = 0
    if old:
        _group, members, indicators = groups.show_group(visit.database, old, actor=visit.actor, now=visit.now)
    texts = (form.text("name")[:300], form.text("rank")[:20], form.text("description")[:2_000])
    return EditGroupPage("groups", old, *texts, rows or (Row(),), members, indicators, found, problems or {})


def _with(page: EditGroupPage, problems: Faults) -> EditGroupPage:
    return EditGroupPage(page.section, page.old, page.name, page.rank, page.description, page.rows, problems=problems)


def _rows_of(rule: Rule) -> tuple[Row, ...]:
    filled = []
    for row in rule:
        # What has a comma in it cannot stand between commas: it gets a row of its own, which means the same.
        apart = [value for value in row.values if "," in value] if row.operator is Operator.IN else []
        together = [value for value in row.values if value not in apart]
        if together:
            filled.append(Row(row.field.value, row.operator.value, ", ".join(together)))
        filled += [Row(row.field.value, Operator.EQUALS.value, value) for value in apart]
    return (*filled, *[Row()] * _EMPTY_ROWS)[:_MOST_ROWS]


def _rows_in(form: Form) -> tuple[Row, ...]:
    """Return the rows that a form sent; what is none of ours is the first of the choices."""
    known, operators = {each.value for each in Field}, {each.value for each in Operator}
    texts = zip(form.texts("field"), form.texts("operator"), form.texts("value"), strict=False)
    return tuple(
        Row(
            name if name in known else "name",
            operator if operator in operators else "equals",
            value[:_VALUE_CHARACTERS],
        )
        for name, operator, value in list(texts)[:_MOST_ROWS]
    )
