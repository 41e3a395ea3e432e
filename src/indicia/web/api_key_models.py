"""The shapes of keys and of API clients in our own API, as its description tells them."""

from __future__ import annotations

from pydantic import Field

from indicia.web.api_models import Model


class ApiKey(Model):
    """A key of somebody's own program."""

    id: str = Field(description="the part of the key after `ind_`, which is no secret")
    name: str
    permissions: list[str] | None = Field(description="null: all that its person has")
    groups: list[str] | None = Field(description="the device groups that it is limited to; null: those of its person")
    created_at: str
    rotated_at: str | None
    expires_at: str | None
    revoked_at: str | None
    last_used_at: str | None = Field(description="to the minute")
    previous_until: str | None = Field(description="until when the secret before is good")


class KeyList(Model):
    """Your keys, the oldest first."""

    items: list[ApiKey]


class NewKey(ApiKey):
    """A key with its text, which is told this once and kept nowhere."""

    key: str = Field(examples=["ind_k3jq0v9x2m1a_…"])


class Client(Model):
    """An API client."""

    client_id: str
    name: str
    permissions: list[str]
    groups: list[str] | None = Field(description="the device groups that it is limited to; null: no limit")
    created_at: str
    created_by: str
    rotated_at: str | None
    expires_at: str | None
    revoked_at: str | None
    last_used_at: str | None = Field(description="to the minute")
    previous_until: str | None = Field(description="until when the secret before is good")


class ClientList(Model):
    """Every API client, the oldest first."""

    items: list[Client]


class NewClient(Model):
    """What an API client needs to know; its secret is told this once and kept nowhere."""

    tenant_id: str
    client_id: str
    client_secret: str
