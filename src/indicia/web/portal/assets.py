"""The styles, scripts and pictures of the portal: read once, served from memory under the hash of what they are."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final, Self

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from indicia.web.problems import Refusal

HTMX: Final = "vendor/htmx.min.js"
_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
_HASH_CHARACTERS: Final = 16
# What a page refers to never changes under its path: the path has the hash of all assets in it.
_FOR_EVER: Final = "public, max-age=31536000, immutable"

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Asset:
    """One file: as it is, and compressed."""

    content: bytes
    compressed: bytes
    media_type: str


@dataclass(frozen=True, slots=True)
class Assets:
    """All files of the folder ``static``, and the hash of them all: scripts import each other by relative paths."""

    files: Mapping[str, Asset]
    version: str

    @classmethod
    def load(cls) -> Self:
        """Return the files of this installation."""
        found: dict[str, Asset] = {}
        digest = hashlib.sha256()
        for name, content in sorted(_contents(files("indicia.web").joinpath("static"))):
            suffix = name[name.rfind(".") :]
            if suffix in _TYPES:
                digest.update(f"{name}\0{len(content)}\0".encode() + content)
                found[name] = Asset(content, gzip.compress(content, 9, mtime=0), _TYPES[suffix])
        return cls(found, digest.hexdigest()[:_HASH_CHARACTERS])

    @property
    def has_htmx(self) -> bool:
        """Whether parts of pages can be swapped: without npm at the installation they cannot."""
        return HTMX in self.files

    def path(self, name: str) -> str:
        """Return where *name* is served; raises `KeyError` for what is not there, so that no page refers to it."""
        self.files[name]
        return f"/assets/{self.version}/{name}"


@router.get("/assets/{version}/{name:path}")
async def read_asset(request: Request, version: str, name: str) -> Response:
    """One file; what the name spells is looked up and never opened."""
    assets: Assets = request.app.state.assets
    asset = assets.files.get(name)
    if asset is None:
        raise Refusal(404, "not-found", "there is no such file")
    headers = {
        "Cache-Control": _FOR_EVER if version == assets.version else "no-cache",
        "Content-Type": asset.media_type,
        "Vary": "Accept-Encoding",
    }
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(asset.compressed, headers=headers | {"Content-Encoding": "gzip"})
    return Response(asset.content, headers=headers)


def _contents(folder: Traversable, inside: str = "") -> Iterator[tuple[str, bytes]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _contents(entry, f"{inside}{entry.name}/")
        else:
            yield inside + entry.name, entry.read_bytes()
