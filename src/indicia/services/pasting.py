"""Values that somebody pasted or typed: one or many, each with its type, its canonical spelling and what is wrong."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from dataclasses import replace
from typing import Final, NamedTuple

from indicia.domain.draft import NOTHING_GIVEN, PROPERTY_NAMES
from indicia.domain.errors import Problem
from indicia.domain.observable import ObservableType, Unspellable, canonical, host_of, is_address, split_url
from indicia.domain.refanging import refang
from indicia.importers.bare_values import SAY_TYPE, draft_of_value

#: Values of one form; more of them are a file to import.
MOST_VALUES: Final = 5_000
#: Values that came before; a text of more is not read on.
_MOST_REPEATED: Final = 10_000
_LONGEST: Final = 10_000
_VALUE: Final = PROPERTY_NAMES["value"]
_MARKS: Final = ("#", "//")
_COMMENT: Final = re.compile(r"\s+(?:#|//)\s.*$")
_BETWEEN: Final = re.compile(r"\t+|[,;]\s+")
_WRAPPING: Final = " \t,;\"'`<>\u200b\u200e\u200f\ufeff"


class Pasted(NamedTuple):
    """One value: the line it stands on, as it was written, mended and canonical; ``kind`` is None where it has none.

    ``value`` is what is stored as written: the text without its defanging. A problem that is no warning refuses it.
    """

    line: int
    written: str
    value: str
    kind: ObservableType | None
    canonical: str | None
    problems: tuple[Problem, ...]

    @property
    def is_good(self) -> bool:
        """Whether this can become an indicator."""
        return self.canonical is not None


class Reading(NamedTuple):
    """The values of a text in their order, and how often one came again and was left out; ``over``: there are more."""

    values: tuple[Pasted, ...]
    repeated: int
    over: bool

    @property
    def good(self) -> tuple[Pasted, ...]:
        """Those that can become indicators."""
        return tuple(each for each in self.values if each.is_good)

    @property
    def bad(self) -> tuple[Pasted, ...]:
        """Those that cannot."""
        return tuple(each for each in self.values if not each.is_good)

    @property
    def kinds(self) -> tuple[ObservableType, ...]:
        """The types of the good ones, each once, in the order of the types."""
        found = {each.kind for each in self.values if each.is_good}
        return tuple(kind for kind in ObservableType if kind in found)


def read_values(
    text: str,
    kind: ObservableType | None = None,
    *,
    thumbprints: Container[str] = (),
    most: int = MOST_VALUES,
) -> Reading:
    """Return the values in *text*: one a line, or several with tabs, or commas and blanks between them.

    Types are detected unless *kind* is given; forty digits are a file, or a certificate where they are among
    *thumbprints*. Blank lines and comments are passed over, of equal values the first is
    kept.

    >>> [(each.kind, each.canonical) for each in read_values("hxxp://Evil[.]example/a, 192.0.2.7").values]
    [(<ObservableType.URL: 'Url'>, 'http://evil.example/a'), (<ObservableType.IP_ADDRESS: 'IpAddress'>, '192.0.2.7')]
    """
    found: dict[object, Pasted] = {}
    repeated = 0
    for line, written in _pieces(text):
        of = ObservableType.CERTIFICATE_THUMBPRINT if kind is None and written.lower() in thumbprints else kind
        pasted = _read(line, written, of)
        key = (pasted.kind, pasted.canonical) if pasted.is_good else (line, written)
        if key in found and repeated < _MOST_REPEATED:
            repeated += 1
        elif key in found or len(found) >= most:
            return Reading(tuple(found.values()), repeated, over=True)
        else:
            found[key] = pasted
    return Reading(tuple(found.values()), repeated, over=False)


def _pieces(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.split("\n"), 1):
        line = line.strip(_WRAPPING)
        if not line or line.startswith(_MARKS):
            continue
        for piece in _BETWEEN.split(_COMMENT.sub("", line)):
            words = piece.split()
            # A URL may hold blanks, and so does a range: several values are only what is a value word by word.
            several = len(words) > 1 and all(_is_value(word.strip(_WRAPPING)) for word in words)
            for word in words if several else [piece]:
                if value := word.strip(_WRAPPING):
                    yield number, value


def _is_value(word: str) -> bool:
    return len(word) <= _LONGEST and draft_of_value(NOTHING_GIVEN, word)[0].type is not None


def _read(line: int, written: str, kind: ObservableType | None) -> Pasted:
    if len(written) > _LONGEST:
        message = f"this has {len(written):,} characters, and no value has more than {_LONGEST:,}"
        return Pasted(line, written[:200], "", None, None, (Problem("too-long", message, _VALUE, line=line),))
    draft, found = draft_of_value(NOTHING_GIVEN._replace(type=kind), written)
    notes = [
        replace(note, line=line, column=_VALUE, message=note.message.replace(SAY_TYPE, "; mend it, or choose its type"))
        for note in found
    ]
    value = str(draft.value)
    if draft.type is None:
        return Pasted(line, written, value, None, None, tuple(notes))
    of = ObservableType(draft.type)
    try:
        spelled = canonical(of, value)
    except Unspellable as fault:
        problem = Problem(fault.code, str(fault), _VALUE, written[:200], suggestion=fault.suggestion, line=line)
        return Pasted(line, written, value, of, None, (problem, *notes))
    if value.startswith("http://") and not refang(written).text.lower().startswith("http://") and kind is None:
        message = "read as a URL; with http or https makes no difference, matching ignores the scheme"
        notes.append(Problem("scheme-assumed", message, _VALUE, line=line, warning=True))
    if of is ObservableType.URL and (hint := _only_this_host(spelled)) is not None:
        notes.append(Problem("only-this-host", hint, _VALUE, line=line, warning=True))
    return Pasted(line, written, value, of, spelled, tuple(notes))


def _only_this_host(url: str) -> str | None:
    """Return what to know about a URL without a path (SPEC 9.13), None for any other."""
    parts, host = split_url(url), host_of(url)
    if parts.path != "/" or parts.query is not None or is_address(host):
        return None
    return f"a URL without a path is this exact host; the domain {host} would cover its sub-domains too"
