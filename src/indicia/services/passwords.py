"""Passwords as argon2id keeps them, and how many are computed at a time."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from threading import BoundedSemaphore
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from indicia.domain.errors import Unavailable
from indicia.domain.passwords import MOST_CHARACTERS, normal

#: The second recommended choice of RFC 9106: three passes over 64 MiB in four lanes.
PASSES: Final = 3
KIBIBYTES: Final = 64 * 1024
LANES: Final = 4
#: What is computed at a time takes this many times the memory: whoever tries passwords shall not take all of it.
AT_ONCE: Final = 4
#: Who comes when so many wait already is told to try again: whoever floods sign-in shall not stop the other pages.
WAITING: Final = 12
PATIENCE_SECONDS: Final = 20.0
#: Longer than any password is before it is normalised; what is longer is wrong, and costs no more than others.
_LONGEST: Final = 20 * MOST_CHARACTERS


class Passwords:
    """Makes and checks what is kept of passwords; one for a process, for its bound on memory to mean anything."""

    def __init__(self, *, passes: int = PASSES, kibibytes: int = KIBIBYTES, lanes: int = LANES) -> None:
        self._hasher = PasswordHasher(time_cost=passes, memory_cost=kibibytes, parallelism=lanes)
        self._turn = BoundedSemaphore(AT_ONCE)
        self._queue = BoundedSemaphore(AT_ONCE + WAITING)

    @cached_property
    def _nobody(self) -> str:
        """Checked in place of the password of somebody who is not there, so that both take the same time."""
        return self._hasher.hash(secrets.token_urlsafe())

    def made_of(self, password: str) -> str:
        """Return what is kept of *password*."""
        with self._computing():
            return self._hasher.hash(_bytes(password))

    def is_made_of(self, stored: str | None, password: str) -> bool:
        """Return whether *stored* was made of *password*; takes as long where nothing is stored."""
        too_long = len(password) > _LONGEST
        with self._computing():
            nobody = self._nobody  # made with the first check, whoever it is of
            try:
                self._hasher.verify(stored or nobody, _bytes(password[:1] if too_long else password))
            except (VerificationError, InvalidHashError):
                return False
            return bool(stored) and not too_long

    def are_stronger_than(self, stored: str) -> bool:
        """Return whether *stored* was made with other parameters than these."""
        return self._hasher.check_needs_rehash(stored)

    @contextmanager
    def _computing(self) -> Iterator[None]:
        if not self._queue.acquire(blocking=False):
            raise _too_many()
        try:
            if not self._turn.acquire(timeout=PATIENCE_SECONDS):
                raise _too_many()
            try:
                yield
            finally:
                self._turn.release()
        finally:
            self._queue.release()


def _too_many() -> Unavailable:
    return Unavailable("too many people sign in at this moment; try again in a minute")


def _bytes(password: str) -> bytes:
    return normal(password).encode("utf-8", "surrogatepass")
