"""Refanging: live spelling back for texts that were made harmless to click."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Refanged:
    """A text with its live spelling back, and each kind of change that was made, in order of appearance."""

    text: str
    changes: tuple[str, ...]


_DEFANGED = re.compile(
    r"(?<![A-Za-z0-9])hxxps?(?=[\[({]?:)|\[\.\]|\(\.\)|\{\.\}|\[dot\]|\(dot\)|\[:\]|\[://\]|\[at\]|\[@\]|\[/\]|\\\.",
    re.IGNORECASE | re.ASCII,  # without ASCII, a long s would pass for an s
)
_REFANGED = {
    "hxxp": "http",
    "hxxps": "https",
    "[dot]": ".",
    "(dot)": ".",
    "[at]": "@",
    "[.]": ".",
    "(.)": ".",
    "{.}": ".",
    "[:]": ":",
    "[://]": "://",
    "[@]": "@",
    "[/]": "/",
    "\\.": ".",
}


def refang(text: str) -> Refanged:
    """Return *text* with the usual defanging undone, once and from left to right, and what was changed.

    An explicit step: nothing else here does it silently. Linear in the length of the text.

    >>> refang("hxxps://evil[.]example/a")
    Refanged(text='https://evil.example/a', changes=('hxxps -> https', '[.] -> .'))
    """
    changes: dict[str, None] = {}

    def live(found: re.Match[str]) -> str:
        fanged = found[0].lower()
        changes[f"{fanged} -> {_REFANGED[fanged]}"] = None
        return _REFANGED[fanged]

    text = _DEFANGED.sub(live, text)
    return Refanged(text, tuple(changes))
