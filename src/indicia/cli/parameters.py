"""What an option may be: names with a hint, filters, moments, expiries, the fields of an indicator."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from indicia.cli.commands import clock
from indicia.domain.draft import Draft

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from indicia.domain.query import InvalidFilter, OrderBy, Query

#: What `--expires never` gives: the draft's word for no expiry.
NEVER: Final = ""
_WINDOW: Final = 72

T = TypeVar("T")


class Name(click.ParamType[str]):
    """One of a few names, in any case; what is near is suggested."""

    def __init__(self, name: str, choices: Iterable[str]) -> None:
        self.name = name
        self.choices = tuple(map(str, choices))

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        return "|".join(self.choices) if len(self.choices) < 5 else self.name.upper()

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        by_lower = {choice.lower(): choice for choice in self.choices}
        found = by_lower.get(str(value).strip().lower())
        if found is None:
            import difflib

            near = difflib.get_close_matches(str(value).lower()[:100], by_lower, n=1, cutoff=0.5)
            hint = f"; did you mean {by_lower[near[0]]}?" if near else ""
            self.fail(f"{str(value)[:100]!r} is not one of {', '.join(self.choices)}{hint}", param, ctx)
        return found

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        return [CompletionItem(name) for name in self.choices if name.lower().startswith(incomplete.lower())]


class Filter(click.ParamType[Any]):
    """A filter in the OData language; a bad one is shown with a mark where it goes wrong."""

    name = "odata"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Query:
        return _parsed(str(value), _parse_filter, self, param, ctx)


class Order(click.ParamType[Any]):
    """What to sort by, in the OData language."""

    name = "fields"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[OrderBy, ...]:
        return _parsed(str(value), _parse_order, self, param, ctx)


def _parse_filter(text: str) -> Query:
    from indicia.domain.query_text import parse_filter

    return parse_filter(text)


def _parse_order(text: str) -> tuple[OrderBy, ...]:
    from indicia.domain.query_text import parse_orderby

    return parse_orderby(text)


def _parsed(
    text: str,
    parse: Callable[[str], T],
    kind: click.ParamType[Any],
    param: click.Parameter | None,
    ctx: click.Context | None,
) -> T:
    from indicia.domain.query import InvalidFilter

    try:
        return parse(text)
    except InvalidFilter as fault:
        kind.fail(pointed(text, fault), param, ctx)


def pointed(text: str, fault: InvalidFilter) -> str:
    """Return what is wrong with a filter, with a mark under the place."""
    start = max(0, min(fault.position - _WINDOW // 2, len(text) - _WINDOW))
    shown = "".join(char if char.isprintable() else " " for char in text[start : start + _WINDOW])
    before, after = "…" if start else "", "…" if start + _WINDOW < len(text) else ""
    mark = " " * (len(before) + fault.position - start) + "^" * max(1, min(len(fault.token), _WINDOW))
    lines = [fault.message, f"  {before}{shown}{after}", f"  {mark}"]
    if fault.allowed:
        lines.append(f"  allowed: {', '.join(fault.allowed)}")
    return "\n".join(lines)


class Moment(click.ParamType[Any]):
    """A moment of the past: the number of a changeset, a time, or how long ago."""

    name = "time|changeset"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime | int:
        from indicia.domain.rules import parse_duration

        text = str(value).strip()
        if text.isascii() and text.isdigit() and len(text) < 16:
            return int(text)
        duration = parse_duration(text)
        found = clock() - duration if duration is not None else _time(text)
        if found is None:
            self.fail(
                f"{text[:100]!r} is neither a changeset (7), a time (2026-01-31, 2026-01-31T12:00:00Z) nor how long ago"
                " (2d)",
                param,
                ctx,
            )
        return found


class Expiry(click.ParamType[Any]):
    """When an indicator ends: after a while, at a time, or never."""

    name = "30d|time|never"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime | str:
        from indicia.domain.rules import parse_duration

        if isinstance(value, datetime):
            return value
        text = str(value).strip()
        if text.lower() == "never":
            return NEVER
        duration = parse_duration(text)
        try:
            found = clock() + duration if duration is not None else _time(text)
        except OverflowError:
            found = None
        if found is None:
            self.fail(
                f"{text[:100]!r} is neither a while (30d, 12h, 2w, 1y), a time (2030-01-31, 2030-01-31T12:00:00Z) nor"
                " never",
                param,
                ctx,
            )
        return found


def _time(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


# -- the fields of an indicator ---------------------------------------------------------------------------------------


def field_options(*, required: bool = False, more: bool = False) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator that adds an option for each field of an indicator; `fields_of` makes fields of them."""
    from indicia.domain.indicator import Action, Category, Severity
    from indicia.domain.observable import ObservableType

    category = Name("category", (*Category, "None"))
    options = [
        click.option(
            "--type",
            type=Name("type", ObservableType),
            help=f"What the values are; default: detected. One of {_listed(ObservableType)}.",
        ),
        click.option(
            "--action",
            type=Name("action", Action),
            required=required,
            help=f"What happens when it is seen: {_listed(Action)}.",
        ),
        click.option("--title", metavar="TEXT", required=required, help="Title of the alert."),
        click.option("--description", metavar="TEXT", required=required, help="Text of the alert."),
        click.option("--severity", type=Name("severity", Severity), help="Severity of the alert."),
        click.option("--category", type=category, help=f"Category of the alert: {_listed(category.choices)}."),
        click.option("--mitre", metavar="T1234", multiple=True, help="A MITRE technique; may be repeated."),
        click.option(
            "--group", metavar="NAME", multiple=True, help="A device group that it applies to; may be repeated."
        ),
        click.option(
            "--expires",
            type=Expiry(),
            metavar="30d|TIME|never",
            help="After a while (30d, 12h), at a time (UTC), or never.",
        ),
        click.option("--generate-alert/--no-generate-alert", default=None, help="Whether it raises an alert."),
        click.option("--recommended-actions", metavar="TEXT", help="What to do about the alert."),
    ]
    if more:
        options += [
            click.option("--external-id", metavar="TEXT", help="What it is called elsewhere."),
            click.option("--educate-url", metavar="URL", help="The page that people are shown when it is blocked."),
            click.option("--bypass-hours", type=click.IntRange(1, 8_760), help="How long Warn can be bypassed."),
            click.option("--override-reason", metavar="TEXT", help="Enforce it although the guard would hold it; why."),
        ]

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(str, names))


_FIELD_OF: Final[Mapping[str, str]] = {
    **{name: name for name in Draft._fields},
    "mitre": "mitre_techniques",
    "group": "rbac_group_names",
    "bypass_hours": "bypass_duration_hours",
}


def fields_of(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a draft that *options* give; those that were not given are left out."""
    return {
        _FIELD_OF[name]: [part for item in value for part in item.split(",")] if name == "mitre" else value
        for name, value in options.items()
        if value is not None and value != ()
    }
