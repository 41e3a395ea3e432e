"""What a page's form sends: read whole, within bounds, before anything is done with it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple
from urllib.parse import parse_qsl

from python_multipart.exceptions import MultipartParseError
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from indicia.domain.errors import InvalidInput, Problem
from indicia.web.dependencies import bounded_body
from indicia.web.problems import Refusal

MOST_FIELDS: Final = 20_000
MOST_FILES: Final = 20
_URLENCODED: Final = "application/x-www-form-urlencoded"
_MULTIPART: Final = "multipart/form-data"
_NUMBER_DIGITS: Final = 18


class Upload(NamedTuple):
    """A file that a form carried."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of one form; a field that was not sent is empty."""

    fields: Mapping[str, Sequence[str]]
    files: Mapping[str, Sequence[Upload]]

    def text(self, name: str, default: str = "") -> str:
        """Return the text of the field *name*, with line breaks as LF; the last one where it was sent twice."""
        values = self.fields.get(name)
        return values[-1] if values else default

    def texts(self, name: str) -> tuple[str, ...]:
        """Return every text of the field *name*."""
        return tuple(self.fields.get(name, ()))

    def flag(self, name: str) -> bool:
        """Return whether the check box *name* is ticked."""
        return self.text(name).lower() in ("on", "true", "1", "yes")

    def number(self, name: str) -> int | None:
        """Return the whole number of the field *name*, None where it is empty; raises `InvalidInput`."""
        return _number(name, self.text(name))

    def numbers(self, name: str) -> tuple[int, ...]:
        """Return the whole numbers of every field *name*; raises `InvalidInput`."""
        found = [_number(name, text) for text in self.texts(name)]
        return tuple(each for each in found if each is not None)

    def upload(self, name: str) -> Upload | None:
        """Return the file of the field *name*, None where none was chosen."""
        uploads = [each for each in self.files.get(name, ()) if each.name or each.content]
        return uploads[-1] if uploads else None

    def as_dict(self) -> dict[str, str]:
        """Return the text of each field but the one that proves where the form came from."""
        return {name: self.text(name) for name in self.fields if name != "csrf"}


NO_FORM: Final = Form({}, {})


async def read_form(request: Request, most: int) -> Form:
    """Return the form that *request* carries, of at most *most* bytes; refused where it is none."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = await bounded_body(request, most)
    if not body and not kind:
        return NO_FORM
    if kind == _URLENCODED:
        return Form(_url_encoded(body), {})
    if kind == _MULTIPART:
        return await _multipart(request, body)
    message = f"a form is wanted ({_URLENCODED} or {_MULTIPART}), not {kind[:100] or 'a body of no type'}"
    raise Refusal(415, "unsupported-media-type", message)


def _url_encoded(body: bytes) -> dict[str, list[str]]:
    fields: dict[str, list[str]] = {}
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict")
    except ValueError:  # UnicodeDecodeError too
        raise _unreadable() from None
    for name, value in pairs:
        fields.setdefault(name, []).append(_lines(value))
    return fields


async def _multipart(request: Request, body: bytes) -> Form:
    async def pieces() -> AsyncGenerator[bytes, None]:
        yield body
        yield b""

    parser = MultiPartParser(
        request.headers, pieces(), max_files=MOST_FILES, max_fields=MOST_FIELDS, max_part_size=len(body) + 1
    )
    try:
        parsed = await parser.parse()
    except (MultiPartException, MultipartParseError, KeyError, UnicodeDecodeError):
        raise _unreadable() from None
    fields: dict[str, list[str]] = {}
    uploads: dict[str, list[Upload]] = {}
    for name, value in parsed.multi_items():
        if isinstance(value, UploadFile):
            uploads.setdefault(name, []).append(Upload((value.filename or "")[:255], await value.read()))
        else:
            fields.setdefault(name, []).append(_lines(value))
    await parsed.close()
    return Form(fields, uploads)


def _number(name: str, text: str) -> int | None:
    text = text.strip()
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= _NUMBER_DIGITS):
        message = f"{text[:50]!r} is no whole number; write digits only"
        raise InvalidInput([Problem("not-a-number", message, name, text[:50])])
    return int(text)


def _lines(value: str) -> str:
    """Return *value* as it was typed: a browser sends line breaks as CRLF."""
    return value.replace("\r\n", "\n").replace("\r", "\n")


def _unreadable() -> Refusal:
    return Refusal(400, "bad-request", "the form cannot be read; go back, load the page anew and send it again")
