"""The words, literals and signs of OData texts, read once from left to right."""

from __future__ import annotations

import re
from typing import Final

from indicia.domain.query import InvalidFilter
from indicia.domain.query_literals import TIME_PATTERN, Token, refusal

MAX_BYTES: Final = 8 * 1024
MAX_TOKENS: Final = 2_000

# One token from where the last one ended. Nothing in it can be matched in two ways and no repetition gives back
# what it took, so that the whole text is read once, and a text that never closes a quote is refused there.
_TOKEN = re.compile(
    rf"""\s*+(?:
        (?P<text>'[^']*+(?:''[^']*+)*+')
      | (?P<time>{TIME_PATTERN}(?!\w))
      | (?P<legacy>datetime(?:offset)?'[^']*+')
      | (?P<word>[a-z_]\w*+)
      | (?P<number>-?[0-9]++(?![\w.:-]))
      | (?P<mark>[(),\[\]/:])
      | (?P<wrong>\S\S*+)
    )""",
    re.ASCII | re.IGNORECASE | re.VERBOSE,
)
# Neither engine can hold them, and no property can: refused here, with their place.
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def tokens(text: str) -> list[Token]:
    """Return the tokens of *text* and one for its end."""
    found = _UNSTORABLE.search(text)
    if found is not None:
        raise InvalidFilter("here is a character that no value can have", found.start(), ascii(found[0])[1:-1])
    if len(text) > MAX_BYTES or len(text.encode()) > MAX_BYTES:
        raise InvalidFilter(
            f"the text is longer than {MAX_BYTES} bytes", len(text.encode()[:MAX_BYTES].decode(errors="ignore"))
        )
    length = len(text.rstrip(" \t\r\n\f\v"))
    found_tokens: list[Token] = []
    position = 0
    while position < length:
        found = _TOKEN.match(text, position, length)
        assert found is not None, "the last alternative takes any character"
        kind = str(found.lastgroup)
        token = Token(kind, found[kind], found.start(kind))
        if kind == "wrong":
            raise refusal("a quote is opened and not closed" if token.text[0] == "'" else "{} is not understood", token)
        found_tokens.append(token)
        if len(found_tokens) > MAX_TOKENS:
            raise refusal(f"there are more than {MAX_TOKENS} words and signs", token)
        position = found.end()
    found_tokens.append(Token("end", "", length))
    return found_tokens
