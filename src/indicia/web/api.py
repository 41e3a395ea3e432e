"""Our own API under `/v1`: the routes of all its parts."""

from __future__ import annotations

from fastapi import APIRouter

from indicia.web import (
    api_audit,
    api_changesets,
    api_devices,
    api_groups,
    api_imports,
    api_indicators,
    api_keys,
    api_people,
    api_proposals,
    api_verdicts,
)

router = APIRouter()
_PARTS = (
    api_indicators,
    api_verdicts,
    api_imports,
    api_changesets,
    api_proposals,
    api_devices,
    api_groups,
    api_keys,
    api_people,
    api_audit,
)
for _part in _PARTS:
    router.include_router(_part.router)
