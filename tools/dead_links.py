"""Finds links in Markdown files that lead to no file, or to no heading of it."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

# Folders that hold no documentation of ours, beside all that begin with a dot.
NOT_OURS = frozenset({"build", "dist", "node_modules", "var"})

_FENCE = re.compile(r"^\s*(```+|~~~+)")
_CODE = re.compile(r"(`+)(?:.|(?<!`)\n)*?\1")
_HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$")
_ANCHOR = re.compile(r"<[^>]+\b(?:id|name)=[\"']([^\"']+)[\"']")
_LINKS = (
    re.compile(r"\]\(\s*<?([^)\s>]+)>?(?:\s+[\"'][^)]*)?\)"),
    re.compile(r"^\s*\[[^\]]+\]:\s*<?([^\s>]+)>?"),
    re.compile(r"<[^>]+\b(?:href|src)=[\"']([^\"']+)[\"']"),
)
_ELSEWHERE = re.compile(r"^[a-z][a-z0-9+.-]*:|^//", re.IGNORECASE)


class DeadLink(NamedTuple):
    """A link that leads nowhere, and why."""

    file: Path
    line: int
    target: str
    fault: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.target}: {self.fault}"


def slug(heading: str) -> str:
    """Return the anchor that a heading gets on the usual forges.

    >>> slug("What `make test` does, and why")
    'what-make-test-does-and-why'
    >>> slug("See [the *list*](list.md)")
    'see-the-list'
    """
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    text = re.sub(r"<[^>]+>|[`*]", "", text).strip().lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def prose(text: str) -> Iterator[tuple[int, str]]:
    r"""Yield the numbered lines of *text* outside fenced code.

    >>> list(prose("a\n```\n[x](y)\n```\nb"))
    [(1, 'a'), (5, 'b')]
    """
    fence = ""
    for number, line in enumerate(text.splitlines(), start=1):
        opening = _FENCE.match(line)
        if fence:
            if opening and opening[1].startswith(fence):
                fence = ""
        elif opening:
            fence = opening[1]
        else:
            yield number, line


@cache
def anchors(file: Path) -> frozenset[str]:
    """Return what can follow ``#`` in a link to *file*."""
    found: set[str] = set()
    seen: dict[str, int] = {}
    for _, line in prose(file.read_text(encoding="utf-8")):
        found.update(_ANCHOR.findall(line))
        heading = _HEADING.match(line)
        if heading:
            name = slug(heading[1])
            number = seen.get(name, 0)
            seen[name] = number + 1
            found.add(f"{name}-{number}" if number else name)
    return frozenset(found)


def links(text: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the target of every link in *text* that stays inside the repository.

    >>> list(links("[a](b.md#c) and `[no](no)` and [d](https://example.org) ![e](f.png 'g')"))
    [(1, 'b.md#c'), (1, 'f.png')]
    """
    for number, line in prose(text):
        plain = _CODE.sub("", line)
        for pattern in _LINKS:
            yield from ((number, target) for target in pattern.findall(plain) if not _ELSEWHERE.match(target))


def fault(root: Path, file: Path, target: str) -> str | None:
    """Return why *target*, written in *file*, leads nowhere under *root*; none where it leads somewhere."""
    path, _, anchor = target.partition("#")
    start = root if path.startswith("/") else file.parent
    wanted = (start / unquote(path).lstrip("/")).resolve() if path else file.resolve()
    if not wanted.is_relative_to(root.resolve()):
        return "leads out of the repository"
    if not wanted.exists():
        return "no such file"
    if anchor and wanted.suffix == ".md" and unquote(anchor) not in anchors(wanted):
        return "no such heading"
    return None


def documents(root: Path) -> list[Path]:
    """Return the Markdown files under *root* that are ours."""
    found = root.rglob("*.md")
    return sorted(file for file in found if not _hidden(file.relative_to(root).parts[:-1]))


def _hidden(folders: tuple[str, ...]) -> bool:
    return any(folder.startswith(".") or folder in NOT_OURS for folder in folders)


def dead_links(root: Path) -> Iterator[DeadLink]:
    """Yield every link under *root* that leads nowhere."""
    for file in documents(root):
        for line, target in links(file.read_text(encoding="utf-8")):
            why = fault(root, file, target)
            if why:
                yield DeadLink(file, line, target, why)


def main(arguments: list[str]) -> int:
    """Print the dead links under ``arguments[0]``; return 1 where there are any."""
    root = Path(arguments[0])
    found = list(dead_links(root))
    for link in found:
        print(link, file=sys.stderr)
    print(f"{len(documents(root))} documents, {len(found)} dead links")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
