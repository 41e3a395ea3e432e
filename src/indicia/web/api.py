"""Our own API under `/v1`: the routes of all its parts."""

from __future__ import annotations

from fastapi import APIRouter

from indicia.web import api_changesets, api_groups, api_imports, api_indicators, api_verdicts

router = APIRouter()
for _part in (api_indicators, api_verdicts, api_imports, api_changesets, api_groups):
    router.include_router(_part.router)
