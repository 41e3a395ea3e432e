"""Texts that become something else than text where a page lets them: payloads.txt, one a line, MARK is its number.

Polyglots, broken and mutated markup, SVG and MathML, event handlers, addresses of other schemes, templates of servers
and browsers, styles, encodings, comments, forms, attributes that scripts of pages act on, headers and files.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

_LINES: Final = Path(__file__).with_suffix(".txt").read_text(encoding="utf-8").splitlines()
#: In each stands a word that nothing else on a page has in it.
PAYLOADS: Final = tuple(line.replace("MARK", f"mark{number}mark") for number, line in enumerate(_LINES, start=1))
