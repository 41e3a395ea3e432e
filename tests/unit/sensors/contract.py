"""What the scanner of raw bytes promises to look at, in plain Python: any observable of a sensor has to be among it.

The kernel does this fast, and more of it; what it must not do is less. Here is the promise, as
`docs/reference/sensors.md` states it, so that a sensor that finds too much is caught without the kernel.
"""

from __future__ import annotations

import re

from indicia.domain.observable import Observable, ObservableType, host_of, is_address
from indicia.domain.spelling import spell_address

_TOKEN = re.compile(rb"[A-Za-z0-9._\x80-\xff-]+")
_COLON_RUN = re.compile(rb"[0-9A-Fa-f:.]+")
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"(:?)')
_HARMLESS = frozenset(b"\"'<>&=+,;(){}|!$*^`~") | frozenset(range(0x21))
_ESCAPE = re.compile(rb"\\(?:u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2}))")
_AUTHORITY = re.compile(rb""":[/\\]{2,}(?=([^/\\\s"'<>?#]*))""")
_PLAIN_AUTHORITY = re.compile(
    rb"(?:[A-Za-z0-9_-]+\.)+[A-Za-z_-][A-Za-z0-9_-]*\.?(?::[0-9]*)?|(?:0|[1-9][0-9]*)(?:\.(?:0|[1-9][0-9]*)){3}(?::[0-9]*)?"
)


class Promise:
    """What the scanner looks up of one record."""

    def __init__(self, record: bytes, *, json: bool = False) -> None:
        self.record = _STRING.sub(lambda found: b"" if found[1] else found[0], record) if json else record
        self.everything = self._is_marked()
        self.texts = {text.lower() for text in self._texts()}

    def covers(self, one: Observable) -> bool:
        """Return whether the record is a candidate where an indicator is about *one*, or about what covers it."""
        if self.everything:
            return True
        value = host_of(one.value) if one.type is ObservableType.URL else one.value
        if one.type is ObservableType.IP_ADDRESS or is_address(value):
            return value in {spell_address(text) for text in self.texts}
        return value in self.texts or f"{value}." in self.texts

    def _is_marked(self) -> bool:
        for match in _ESCAPE.finditer(self.record):
            if int(match[1] or match[2], 16) not in _HARMLESS:
                return True
        for token in _TOKEN.findall(self.record):
            if not token.isascii() and any(dot.encode() in token for dot in ".。．｡"):
                return True
        return any(not _PLAIN_AUTHORITY.fullmatch(found[1]) for found in _AUTHORITY.finditer(self.record))

    def _texts(self) -> list[str]:
        found = []
        for match in _TOKEN.finditer(self.record):
            cuts = (0, 1, 3, 5) if self.record[match.start() - 1 : match.start()] == b"\\" else (0,)
            found += [match[0][cut:].strip(b".") for cut in cuts]
        for match in _COLON_RUN.finditer(self.record):
            before = self.record[max(0, match.start() - 2) : match.start()]
            cuts = (0, 1, 2, 4) if before[-1:] == b"\\" or before in (b"\\u", b"\\x") else (0,)
            for cut in cuts:
                run = match[0][cut:].strip(b".")
                if run[:1] == b":" != run[1:2]:
                    run = run[1:]
                if run[-1:] == b":" != run[-2:-1]:
                    run = run[:-1]
                found.append(run)
                if run.count(b":") == 19:
                    found.append(run.replace(b":", b""))
        return [text.decode("utf-8", "surrogateescape") for text in found]
