"""Everything that an administrator can set; the only reader of the environment."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from platformdirs import user_data_path
from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from indicia.domain.access import Role
from indicia.domain.errors import InvalidInput, Problem
from indicia.domain.verdict import NetworkPrecedence

_LONGEST_URL: Final = 10_000


class Settings(BaseSettings):
    """Settings of one process: from ``INDICIA_…`` variables, or given by a door."""

    model_config = SettingsConfigDict(env_prefix="INDICIA_", frozen=True, extra="ignore")

    database_url: str = Field(default="", description="where the indicators are kept; empty: a file of your own")
    database_url_file: Path | None = Field(default=None, description="a file that holds the URL, with its password")
    key_file: Path | None = Field(default=None, description="the key that signs tokens; by default beside the database")
    snapshot_file: Path | None = Field(default=None, description="the engine's snapshot; else beside the database")
    guard_file: Path | None = Field(default=None, description="more values that are held when they are blocked")
    max_active_indicators: int | None = Field(default=None, ge=1, description="refuse to keep more than this")
    max_body_bytes: int = Field(default=16 << 20, ge=1024, description="the largest body of a request, but for imports")
    max_import_bytes: int = Field(default=2 << 30, ge=1024, description="the largest import by HTTP")
    sweep_seconds: float = Field(default=5.0, gt=0, description="how often expired indicators are removed")
    drain_seconds: float | None = Field(
        default=None, ge=0, le=600, description="on SIGTERM, how long `/readyz` says so; 3 with PostgreSQL, else 0"
    )
    token_seconds: int = Field(default=3599, ge=60, le=86_400, description="how long a token is good")
    session_seconds: int = Field(default=43_200, ge=300, le=2_592_000, description="how long somebody stays signed in")
    session_idle_seconds: int = Field(
        default=1_800, ge=60, le=2_592_000, description="after how long without a request somebody is signed out"
    )
    network_precedence: NetworkPrecedence = Field(
        default=NetworkPrecedence.ACTION, description="which network indicator wins: action, or most-specific first"
    )
    two_person_release: bool = Field(default=False, description="enforcing a held indicator takes two people")
    two_person_allow: bool = Field(default=False, description="allowing a value takes two people")
    two_person_rows: int | None = Field(
        default=None, ge=1, description="a change of more indicators than this takes two people"
    )
    proposal_hours: int = Field(default=72, ge=1, le=8_760, description="how long a proposal waits for somebody else")
    audit_key_file: Path | None = Field(
        default=None, description="the key that signs checkpoints of the audit; by default beside the database"
    )
    checkpoint_file: Path | None = Field(default=None, description="a file that checkpoints are appended to")
    checkpoint_url: str = Field(default="", description="where checkpoints are sent to, by https")
    checkpoint_entries: int = Field(default=1_000, ge=1, description="after how many entries there is a checkpoint")
    checkpoint_seconds: int = Field(default=300, ge=1, description="after how long there is one, if anything happened")
    trusted_proxies: str = Field(
        default="127.0.0.1,::1", description="addresses or networks of the servers in front that say who a client is"
    )
    oidc_issuer: str = Field(default="", description="the OpenID provider by which people sign in: its issuer, a URL")
    oidc_client_id: str = Field(default="", description="what the provider calls this installation")
    oidc_client_secret_file: Path | None = Field(default=None, description="the file that holds the client secret")
    oidc_scopes: str = Field(default="openid profile email", description="what the provider is asked for")
    oidc_groups_claim: str = Field(default="groups", description="the claim that lists somebody's groups")
    oidc_name_claim: str = Field(default="preferred_username", description="the claim that is somebody's name here")
    oidc_roles: str = Field(default="", description="which group has which role: SOC=analyst,Leads=responder, or JSON")
    oidc_default_role: Role | None = Field(default=None, description="the role of whose groups have none; else refused")
    oidc_device_groups: str = Field(
        default="", description="which group is limited to which device groups: Paris=Servers|Clerks, * for no limit"
    )
    oidc_label: str = Field(default="single sign-on", max_length=60, description="what the provider is called")
    oidc_hosts: str = Field(default="", description="more hosts that the provider uses, with commas between")
    oidc_ca_file: Path | None = Field(default=None, description="certificates that vouch for the provider; else system")
    oidc_redirect_url: str = Field(
        default="", description="where the provider sends people back, where a proxy hides what this server is called"
    )
    local_sign_in: bool = Field(default=True, description="whether people may sign in with passwords kept here")
    own_names: str = Field(default="", description="names of this server, with commas between: never to be blocked")

    @classmethod
    def from_environment(cls, database_url: str | None = None) -> Settings:
        """Return the settings of the environment, with the database that a door was told of; raises `InvalidInput`."""
        try:
            found = cls()
        except ValidationError as error:
            raise InvalidInput(
                [
                    Problem(
                        "invalid-setting",
                        f"INDICIA_{'_'.join(map(str, fault['loc'])).upper()}: {fault['msg']}",
                        value=str(fault.get("input"))[:200],
                    )
                    for fault in error.errors()
                ]
            ) from None
        url = database_url or found.database_url or _in_file(found.database_url_file) or _own_file()
        return found.model_copy(update={"database_url": url})


def _own_file() -> str:
    return f"sqlite:///{default_folder() / 'indicia.db'}"


def _in_file(file: Path | None) -> str | None:
    """Return what *file* holds: a URL with a password does not belong in the environment, where others may see it."""
    if file is None:
        return None
    try:
        with file.open(encoding="utf-8") as opened:
            url = opened.read(_LONGEST_URL).strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise InvalidInput([Problem("invalid-setting", f"INDICIA_DATABASE_URL_FILE: {file}: {why}")]) from None
    if not url:
        raise InvalidInput([Problem("invalid-setting", f"INDICIA_DATABASE_URL_FILE: {file} is empty")])
    return url


def default_folder() -> Path:
    """Return the folder of the user's own data for Indicia, as each system has it."""
    return user_data_path("indicia", appauthor=False)
