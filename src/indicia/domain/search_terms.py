"""The portal's search box as text: terms, parentheses and quotes, read once from left to right."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from indicia.domain.query import InvalidFilter

MAX_BYTES: Final = 4 * 1024
MAX_TERMS: Final = 400
#: The longest piece of what was typed that a message repeats.
SHOWN_CHARACTERS: Final = 60

# One term or mark. A parenthesis inside a word belongs to it where it closes again: evil(.)example. Nothing that was
# taken is given back, so that the whole is read once; a quote that never closes is refused where it opens.
_LEXEME = re.compile(
    r"""\s*+(?:
        (?P<open>-?\()
      | (?P<close>\))
      | (?P<word>(?:[^\s"()]++|\([^\s"()]*+\)|"[^"]*+(?:""[^"]*+)*+")++)
      | (?P<wrong>\S)
    )""",
    re.VERBOSE,
)
_NAMED = re.compile(r"-?([A-Za-z][A-Za-z_-]*+):")
_PIECE = re.compile(r'"[^"]*+(?:""[^"]*+)*+"|[^",]++|,')
# What no value can have: neither engine can hold it.
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_NEEDS_QUOTES = re.compile(r'[\s",()]|\A-|\A[<>=]|\A\Z|\.\.')


class Value(NamedTuple):
    """One of the values of a term; what stood in quotes means only itself."""

    text: str
    position: int
    quoted: bool = False


class Term(NamedTuple):
    """A piece of what was typed: a parenthesis, or a word with the name before its colon, empty where it has none."""

    kind: Literal["open", "close", "word", "end"]
    text: str
    position: int
    name: str = ""

    @property
    def negated(self) -> bool:
        """Whether a minus stands before it; a minus alone is a word."""
        return self.text[:1] == "-" and len(self.text) > 1

    @property
    def quoted(self) -> bool:
        """Whether any of it stands in quotes."""
        return '"' in self.text

    def whole(self) -> Value:
        """Return the word without its minus and its quotes."""
        start = int(self.negated)
        text = "".join(_unquoted(piece) for piece in _PIECE.findall(self.text[start:]))
        return Value(text, self.position + start, self.quoted)

    def values(self) -> list[Value]:
        """Return what stands after the colon, taken apart at its commas; what is empty is left out."""
        start = self.text.index(":") + 1
        found: list[Value] = []
        text, at, quoted = "", start, False
        for piece in [*_PIECE.finditer(self.text, start), None]:
            if piece is None or piece[0] == ",":
                if text or quoted:
                    found.append(Value(text, self.position + at, quoted))
                text, at, quoted = "", piece.end() if piece else 0, False
            else:
                text += _unquoted(piece[0])
                quoted = quoted or piece[0][0] == '"'
        return found


def _unquoted(piece: str) -> str:
    return piece[1:-1].replace('""', '"') if piece[0] == '"' else piece


def quoted(text: str) -> str:
    """Return *text* as a term's value that means exactly it.

    >>> quoted("Servers"), quoted('the "big" ones')
    ('Servers', '"the ""big"" ones"')
    """
    return '"' + text.replace('"', '""') + '"' if _NEEDS_QUOTES.search(text) else text


def refusal(message: str, value: Value | Term, allowed: Sequence[str] = (), suggestion: str = "") -> InvalidFilter:
    """Return the error that points at *value*; ``{}`` in *message* stands for it."""
    text = value.text if len(value.text) <= SHOWN_CHARACTERS else value.text[:SHOWN_CHARACTERS] + "…"
    said = message.replace("{}", text or "the end", 1) + (f"; did you mean {suggestion}?" if suggestion else "")
    return InvalidFilter(said, value.position, text, tuple(allowed), suggestion)


def terms(text: str) -> list[Term]:
    """Return the terms of *text* and one for its end; raises `InvalidFilter` and nothing else.

    >>> [term.text for term in terms('type:ip -title:"a b" (x or y)')]
    ['type:ip', '-title:"a b"', '(', 'x', 'or', 'y', ')', '']
    """
    wrong = _UNSTORABLE.search(text)
    if wrong is not None:
        raise InvalidFilter("here is a character that no value can have", wrong.start(), ascii(wrong[0])[1:-1])
    if len(text) > MAX_BYTES or len(text.encode()) > MAX_BYTES:
        place = len(text.encode()[:MAX_BYTES].decode(errors="ignore"))
        raise InvalidFilter(f"a search has at most {MAX_BYTES:,} bytes", place)
    length = len(text.rstrip())
    found: list[Term] = []
    position = 0
    while position < length:
        lexeme = _LEXEME.match(text, position, length)
        assert lexeme is not None, "the last alternative takes any character"
        kind = str(lexeme.lastgroup)
        start = lexeme.start(kind)
        if kind == "wrong":
            raise refusal("a quote is opened and not closed", Value(lexeme[kind], start), ('"…"',))
        if len(found) == MAX_TERMS:
            raise refusal(f"a search has at most {MAX_TERMS} terms", Value(lexeme[kind], start))
        if kind == "word":
            named = _NAMED.match(lexeme[kind])
            found.append(Term("word", lexeme[kind], start, named[1].lower() if named else ""))
        else:
            found.append(Term("open" if kind == "open" else "close", lexeme[kind], start))
        position = lexeme.end()
    return [*found, Term("end", "", length)]
