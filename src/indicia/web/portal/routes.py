"""The portal: the routes of all its pages."""

from __future__ import annotations

from fastapi import APIRouter

from indicia.web.portal import (
    adding,
    assets,
    bulk,
    changes,
    checking,
    editing,
    home,
    importing,
    importing_events,
    importing_job,
    indicator,
    listing,
    live,
    settings_about,
    settings_account,
    settings_clients,
    settings_groups,
    settings_index,
    settings_limits,
    settings_people,
    signing_in,
    undoing,
)

router = APIRouter(include_in_schema=False)
for _part in (
    adding,
    assets,
    bulk,
    changes,
    checking,
    editing,
    home,
    importing,
    importing_events,
    importing_job,
    indicator,
    listing,
    live,
    settings_about,
    settings_account,
    settings_clients,
    settings_groups,
    settings_index,
    settings_limits,
    settings_people,
    signing_in,
    undoing,
):
    router.include_router(_part.router)
