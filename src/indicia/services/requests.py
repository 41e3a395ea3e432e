"""What somebody asked for, in a form that is kept: every kind of change that there is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from indicia.services.request import Parts, Request
from indicia.services.requests_many import Bulk, DeleteMatching, Import, Undo, import_of
from indicia.services.requests_named import Delete, Edit, Release, Submit, edit_of, submit_of

__all__ = [
    "Bulk",
    "Delete",
    "DeleteMatching",
    "Edit",
    "Import",
    "Parts",
    "Release",
    "Request",
    "Submit",
    "Undo",
    "edit_of",
    "import_of",
    "request_of",
    "submit_of",
]

_KINDS: Final[Mapping[str, Callable[[Mapping[str, Any]], Request]]] = {
    Submit.kind: Submit.of,
    Edit.kind: Edit.of,
    Release.kind: Release.of,
    Delete.kind: Delete.of,
    DeleteMatching.kind: DeleteMatching.of,
    Bulk.kind: Bulk.of,
    Undo.kind: Undo.of,
    Import.kind: Import.of,
}


def request_of(kind: str, kept: Mapping[str, Any]) -> Request:
    """Return the request that was kept as *kept*."""
    return _KINDS[kind](kept)
