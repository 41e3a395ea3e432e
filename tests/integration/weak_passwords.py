"""Passwords that take no time to compute: for tests only."""

from __future__ import annotations

from indicia.services.passwords import Passwords

GOOD = "correct horse battery"
OTHER_GOOD = "violet engines hum softly"


def weak(*, passes: int = 1, kibibytes: int = 64) -> Passwords:
    return Passwords(passes=passes, kibibytes=kibibytes, lanes=1)
