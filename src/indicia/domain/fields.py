"""Reading one field of a draft, whatever it holds: the value that it spells, or the problem that it has."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar

from indicia.domain.errors import Problem

#: What no text may hold; tab and line breaks are no fault.
CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_TRUE: Final = frozenset({"true", "1", "yes"})
_FALSE: Final = frozenset({"false", "0", "no", ""})

T = TypeVar("T")


class Fields:
    """Reads fields, and words their problems with the names that whoever gave them knows."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names

    # -- reading: each adds to the problems, if there are any ---------------------------------------------------------

    def choice(
        self,
        field: str,
        given: Any,
        choices: Mapping[str, T],
        problems: list[Problem],
        *,
        required: bool = False,
    ) -> T | None:
        """Return the one of *choices* that is named, whatever its case; None when nothing is given or no such thing."""
        if given is None or (isinstance(given, str) and not given.strip()):
            if required:
                problems.append(self.missing(field, allowed=list(choices)))
            return None
        text = given.strip() if isinstance(given, str) else None
        if text is not None:
            chosen = choices.get(text)
            if chosen is None and field != "category":  # SPEC 9.22: a category in another case is refused
                chosen = next((choice for name, choice in choices.items() if name.lower() == text.lower()), None)
            if chosen is not None:
                return chosen
        suggestion = nearest(cut(given, quoted=False), choices)
        hint = f"; did you mean {suggestion}?" if suggestion else ""
        problems.append(
            self.problem(
                f"invalid-{field.replace('_', '-')}",
                field,
                f"{cut(given)} is not one of {', '.join(choices)}{hint}",
                given,
                allowed=list(choices),
                suggestion=suggestion,
            )
        )
        return None

    def boolean(self, field: str, given: Any, problems: list[Problem]) -> bool:
        """Return what *given* says, False when it says nothing."""
        if given is None or given in (True, False):  # the numbers 1 and 0 of JSON too, which equal them
            return bool(given)
        text = given.strip().lower() if isinstance(given, str) else None
        if text in _TRUE:
            return True
        if text not in _FALSE:
            problems.append(
                self.problem(
                    "not-a-boolean", field, f"{cut(given)} is neither true nor false", given, allowed=["True", "False"]
                )
            )
        return False

    def text(self, field: str, given: Any, most: int, problems: list[Problem], *, required: bool = False) -> str | None:
        """Return the text just as it was given, None when there is none."""
        if isinstance(given, str):
            if given.isprintable() and given and len(given) <= most and not given.isspace():
                return given
        elif given is not None:
            problems.append(self.problem("not-a-text", field, "a text is wanted", given))
            return None
        if given is None or not given.strip():
            if required:
                problems.append(self.missing(field))
            return None
        if len(given) > most:
            message = f"the text has {len(given)} characters, at most {most} are allowed"
            problems.append(self.problem("too-long", field, message, given))
        found = CONTROL.search(given)
        if found:
            message = f"the control character U+{ord(found[0]):04X} is not allowed; tab and line breaks are"
            problems.append(self.problem("control-character", field, message, given))
        return str(given)

    def items(self, field: str, given: Any, most: int, problems: list[Problem]) -> tuple[str, ...]:
        """Return the distinct items of a list, or of a text with commas between them."""
        if isinstance(given, str):
            given = given.split(",")
        if not isinstance(given, list | tuple) or not all(isinstance(item, str) for item in given):
            problems.append(
                self.problem("not-a-list", field, "a list of names is wanted, or names with commas between")
            )
            return ()
        items = tuple(dict.fromkeys(item.strip() for item in given if item.strip()))
        if len(items) > most:
            problems.append(
                self.problem("too-many", field, f"{len(items)} items are given, at most {most} are allowed")
            )
            return ()
        for item in items:
            if CONTROL.search(item) or "\n" in item or "\t" in item or "\r" in item:
                problems.append(self.problem("control-character", field, "control characters are not allowed", item))
                return ()
        return items

    # -- wording ------------------------------------------------------------------------------------------------------

    def problem(
        self,
        code: str,
        field: str,
        message: str,
        value: Any = None,
        *,
        allowed: Iterable[str] = (),
        suggestion: str | None = None,
    ) -> Problem:
        """Return what refuses the draft."""
        shown = None if value is None else cut(value, quoted=False)
        return Problem(code, message, self._names[field], shown, tuple(map(str, allowed)), suggestion)

    def warning(self, code: str, field: str, message: str, value: Any = None) -> Problem:
        """Return what is told and refuses nothing."""
        shown = None if value is None else cut(value, quoted=False)
        return Problem(code, message, self._names[field], shown, warning=True)

    def missing(self, field: str, allowed: Sequence[str] = ()) -> Problem:
        """Return the problem of a field that is required and empty."""
        name = self._names[field]
        return Problem("missing", f"{name} is required and is empty", name, "", tuple(allowed))


def cut(value: Any, *, quoted: bool = True, most: int = 200) -> str:
    """Return what a message shows of *value*: the beginning of a long one."""
    text = value if isinstance(value, str) else _spelled(value)
    text = text if len(text) <= most else text[:most] + "…"
    return repr(text) if quoted else text


def nearest(given: str, choices: Iterable[str]) -> str | None:
    """Return the choice that was probably meant, None when none comes near."""
    wanted = re.sub(r"[\s_-]", "", given[:100]).lower()
    by_lower = {choice.lower(): choice for choice in choices}
    near = difflib.get_close_matches(wanted, by_lower, n=1, cutoff=0.6)
    return by_lower[near[0]] if near else None


def _spelled(value: Any) -> str:
    """Return a JSON value as text; Python refuses that for integers of thousands of digits and for deep lists."""
    try:
        return str(value)
    except (ValueError, RecursionError):
        return f"({type(value).__name__} that is too large to be shown)"
