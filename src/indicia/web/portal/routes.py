"""The portal: the routes of all its pages."""

from __future__ import annotations

from fastapi import APIRouter

from indicia.web.portal import (
    adding,
    assets,
    audit,
    bulk,
    changes,
    checking,
    devices,
    editing,
    home,
    importing,
    importing_events,
    importing_job,
    indicator,
    listing,
    live,
    proposals,
    settings_about,
    settings_account,
    settings_clients,
    settings_group_edit,
    settings_groups,
    settings_index,
    settings_keys,
    settings_limits,
    settings_people,
    signing_in,
    signing_in_openid,
    undoing,
)

router = APIRouter(include_in_schema=False)
for _part in (
    adding,
    assets,
    audit,
    bulk,
    changes,
    checking,
    devices,
    editing,
    home,
    importing,
    importing_events,
    importing_job,
    indicator,
    listing,
    live,
    proposals,
    settings_about,
    settings_account,
    settings_clients,
    settings_group_edit,
    settings_groups,
    settings_index,
    settings_keys,
    settings_limits,
    settings_people,
    signing_in,
    signing_in_openid,
    undoing,
):
    router.include_router(_part.router)
