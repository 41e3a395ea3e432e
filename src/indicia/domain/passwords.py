"""Which passwords are good enough (NIST SP 800-63B): long ones that nobody would try first."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from importlib.resources import files
from typing import Final

from indicia.domain.errors import Problem

LEAST_CHARACTERS: Final = 12
MOST_CHARACTERS: Final = 1_000

_LOOKS_LIKE: Final = str.maketrans("013457@$!|", "oieastasii")
_ROWS: Final = (
    "1234567890",
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "abcdefghijklmnopqrstuvwxyz",
    "1q2w3e4r5t6y7u8i9o0p",
)
_FEW_LETTERS: Final = 4


def normal(password: str) -> str:
    """Return *password* as it is hashed: the same whichever keyboard typed it."""
    return unicodedata.normalize("NFKC", password)


def password_problem(password: str, *names: str) -> Problem | None:
    """Return why *password* is refused to somebody called *names*, None where it is good.

    Any characters will do, and none are asked for: rules of composition make passwords worse.

    >>> password_problem("correct horse battery") is None
    True
    >>> password_problem("short").code, password_problem("Password2024!").code
    ('password-too-short', 'password-too-common')
    """
    text = normal(password)
    if len(text) < LEAST_CHARACTERS:
        message = (
            f"a password has at least {LEAST_CHARACTERS} characters; a few words that do not belong together will do"
        )
        return Problem("password-too-short", message, "password")
    if len(text) > MOST_CHARACTERS:
        return Problem("password-too-long", f"a password has at most {MOST_CHARACTERS} characters", "password")
    if _is_common(text.casefold(), [part for name in names for part in _parts(name)]):
        message = "this is among the first that an attacker would try; take a few words that do not belong together"
        return Problem("password-too-common", message, "password")
    return None


def _is_common(text: str, names: list[str]) -> bool:
    """Return whether *text* is a few keys over and over, or words that everybody takes and little else."""
    if len(set(text)) <= _FEW_LETTERS:
        return True
    if any(text in _endless(row, len(text)) or text in _endless(row[::-1], len(text)) for row in _ROWS):
        return True
    known = sorted({*_common(), *names}, key=len, reverse=True)
    return _little_but(text, known) or _little_but(text.translate(_LOOKS_LIKE), known)


def _endless(row: str, length: int) -> str:
    return row * (length // len(row) + 2)


def _little_but(text: str, known: list[str]) -> bool:
    """Return whether *text* is made of *known* words; digits and signs around them are no help."""
    rest = text
    for word in known:
        rest = rest.replace(word, " ")
    return rest != text and len(set(re.sub(r"[\W\d_]", "", rest))) < _FEW_LETTERS


def _parts(name: str) -> list[str]:
    text = normal(name).casefold()
    return [part for part in (text, *re.split(r"[\W_]+", text)) if len(part) >= 3]


@cache
def _common() -> frozenset[str]:
    text = files("indicia.domain").joinpath("data", "common_passwords.txt").read_text(encoding="utf-8")
    return frozenset(word for line in text.splitlines() if not line.startswith("#") for word in line.split())
