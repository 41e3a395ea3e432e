"""The form of the import page: files read in bounded memory, and how they are to be imported."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO, Final, NamedTuple

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import parse_options_header
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from indicia.domain.draft import COLUMN_NAMES, Draft
from indicia.domain.errors import InvalidInput, Problem, Unavailable
from indicia.services.import_job import Wish
from indicia.services.imports import Format
from indicia.web.portal.forms import Form
from indicia.web.problems import Refusal

MOST_FILES: Final = 100
_MOST_FIELDS: Final = 200
#: What can be pasted; longer lists are files.
PASTED_BYTES: Final = 8 << 20
REASON_CHARACTERS: Final = 1_000
_SHORT: Final = 4_096
PASTED: Final = "Pasted text"
#: What a text list lacks, and the field of the form that gives it.
DEFAULTS: Final = (
    "action",
    "title",
    "description",
    "severity",
    "expires",
    "type",
    "category",
    "recommended_actions",
    "rbac_group_names",
    "mitre_techniques",
    "generate_alert",
)
#: The field in which each column of a problem is typed.
FIELD_OF: Final[Mapping[str, str]] = {COLUMN_NAMES[name]: name for name in DEFAULTS}


@dataclass(frozen=True, slots=True)
class Entered:
    """What stands in the form."""

    on_error: str = "stop"
    strict: bool = False
    reason: str = ""
    format: str = "auto"
    pasted: str = ""
    repeat: bool = True
    defaults: Mapping[str, str] = field(default_factory=lambda: dict.fromkeys(DEFAULTS, ""))

    @classmethod
    def of(cls, form: Form) -> Entered:
        """Return what *form* says."""
        return cls(
            on_error="skip" if form.text("on_error") == "skip" else "stop",
            strict=form.flag("strict"),
            reason=form.text("reason").strip(),
            format=form.text("format", "auto"),
            pasted=form.text("pasted"),
            repeat=form.flag("repeat"),
            defaults={name: ",".join(filter(None, map(str.strip, form.texts(name)))) for name in DEFAULTS},
        )

    @classmethod
    def of_wish(cls, wish: Wish) -> Entered:
        """Return the form in which *wish* was asked for."""
        return cls(
            on_error="skip" if wish.skip_bad_rows else "stop",
            strict=wish.strict,
            reason=wish.reason or "",
            format=wish.asked.value if wish.asked else "auto",
            defaults={name: str(getattr(wish.defaults, name) or "") for name in DEFAULTS},
        )

    def wish(self) -> Wish:
        """Return what is asked for; raises `InvalidInput`."""
        problems = []
        if len(self.reason) > REASON_CHARACTERS:
            message = f"{len(self.reason):,} characters are given, at most {REASON_CHARACTERS:,} are allowed"
            problems.append(Problem("too-long", message, "reason"))
        formats = [each.value for each in Format]
        if self.format not in ("auto", *formats):
            message = f"{self.format[:50]!r} is no format"
            problems.append(Problem("invalid-format", message, "format", allowed=("auto", *formats)))
        if problems:
            raise InvalidInput(problems)
        return Wish(
            asked=None if self.format == "auto" else Format(self.format),
            strict=self.strict,
            skip_bad_rows=self.on_error == "skip",
            reason=self.reason or None,
            defaults=Draft(**{name: text or None for name, text in self.defaults.items()}),
        )


class Chosen(NamedTuple):
    """One file that was chosen, dropped or pasted."""

    name: str
    stream: BinaryIO


class Posted(NamedTuple):
    """What the form sent: its fields, and its files in their order, on disk where they are long."""

    form: Form
    files: list[Chosen]


async def read_posted(request: Request, most: int) -> Posted:
    """Return what *request* sends, of at most *most* bytes; a broken or longer one leaves nothing behind."""
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise Refusal(415, "unsupported-media-type", "files are sent as multipart/form-data")
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and len(announced) < 20 and int(announced) > most:
        raise _too_large(most)

    end = _end_of(request.headers["content-type"])

    async def pieces() -> AsyncIterator[bytes]:
        size, last = 0, b""
        async for piece in request.stream():
            size += len(piece)
            if size > most:
                raise _too_large(most)
            last = (last + piece)[-_SHORT:]
            yield piece
        if end not in last:  # the parser would take a part of a form for the whole
            raise _incomplete()

    parser = MultiPartParser(
        request.headers,
        pieces(),  # type: ignore[arg-type] # it is a generator, as they call it
        max_files=MOST_FILES,
        max_fields=_MOST_FIELDS,
        max_part_size=PASTED_BYTES,
    )
    try:
        parsed = await parser.parse()
    except ClientDisconnect:
        raise _incomplete() from None
    except MultiPartException as error:
        message = f"the form cannot be read ({error.message.rstrip('.')}); nothing was kept, send it again"
        raise Refusal(400, "bad-request", message) from None
    except (MultipartParseError, KeyError, UnicodeDecodeError):
        raise Refusal(400, "bad-request", "the form cannot be read; nothing was kept, send it again") from None
    except OSError as error:
        raise Unavailable(f"the file cannot be kept ({error.strerror}): nothing was changed") from error
    fields: dict[str, list[str]] = {}
    files = []
    for name, value in parsed.multi_items():
        if not isinstance(value, UploadFile):
            fields.setdefault(name, []).append(value.replace("\r\n", "\n"))
        elif value.filename or value.size:
            shown = (value.filename or "file").replace("\\", "/").rsplit("/", 1)[-1]
            files.append(Chosen("".join(filter(str.isprintable, shown))[:200] or "file", value.file))
    pasted = (fields.get("pasted") or [""])[-1]
    if pasted.strip():
        files.append(Chosen(PASTED, io.BytesIO(pasted.encode("utf-8", "replace"))))
    return Posted(Form(fields, {}), files)


def _end_of(content_type: str) -> bytes:
    """Return what a form that is whole ends with."""
    boundary = parse_options_header(content_type)[1].get(b"boundary", b"")
    if not boundary or len(boundary) > _SHORT // 4:
        raise Refusal(400, "bad-request", "the form names no boundary between its parts; nothing was kept")
    return b"--" + boundary + b"--"


def _incomplete() -> Refusal:
    return Refusal(400, "incomplete-body", "the connection ended before the file did; nothing was kept, send it again")


def _too_large(most: int) -> Refusal:
    shown = f"{most / (1 << 20):,.0f} MB" if most >= 1 << 20 else f"{most:,} bytes"
    return Refusal(413, "body-too-large", f"at most {shown} can be sent at once; split the file, or send fewer files")
