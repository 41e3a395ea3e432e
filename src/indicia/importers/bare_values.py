"""A bare value, as lists and people write them: mended where it is defanged, its type detected."""

from __future__ import annotations

from typing import Final

from indicia.domain.draft import COLUMN_NAMES, Draft
from indicia.domain.errors import Problem
from indicia.domain.observable import ObservableType, Unspellable, canonical, detect
from indicia.domain.refanging import refang

_VALUE: Final = COLUMN_NAMES["value"]
_TYPES: Final = tuple(map(str, ObservableType))
_SHOWN: Final = 200
#: How the message about a value of no type ends, where somebody can say which it is.
SAY_TYPE: Final = "; `--type` says what it is"


def draft_of_value(defaults: Draft, written: str) -> tuple[Draft, tuple[Problem, ...]]:
    """Return the draft of a value without a type, and what there is to say: how it was read, or why it cannot be.

    The type is detected unless *defaults* name one. A draft with a problem that is no warning makes no indicator.
    """
    refanged = refang(written)
    value = refanged.text
    notes: tuple[Problem, ...] = ()
    if refanged.changes:
        message = f"read as {value[:_SHOWN]} ({', '.join(refanged.changes)})"
        notes = (Problem("refanged", message, _VALUE, written[:_SHOWN], warning=True),)
    draft = defaults._replace(value=value)
    if draft.type is not None:
        return draft, notes
    found = detect(value)
    if found is None:
        return draft, (_not_detected(value, written), *notes)
    if found.type is ObservableType.URL and "://" not in value:
        value = f"http://{value}"
    return draft._replace(type=found.type.value, value=value), notes


def _not_detected(value: str, written: str) -> Problem:
    """Return why *value* is of no type: what is too much about it where that is seen, and what would be left."""
    for kind in (ObservableType.IP_ADDRESS, ObservableType.DOMAIN_NAME):
        try:
            canonical(kind, value)
        except Unspellable as fault:
            if fault.suggestion is not None and detect(fault.suggestion) is not None:
                return Problem("type-not-detected", str(fault), _VALUE, written[:_SHOWN], _TYPES, fault.suggestion)
    message = f"{written[:_SHOWN]!r} is no hash, address, network, domain or URL{SAY_TYPE}"
    return Problem("type-not-detected", message, _VALUE, written[:_SHOWN], _TYPES)
