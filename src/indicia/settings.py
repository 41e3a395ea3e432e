"""Everything that an administrator can set; the only reader of the environment."""

from __future__ import annotations

from pathlib import Path

from platformdirs import user_data_path
from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from indicia.domain.errors import InvalidInput, Problem
from indicia.domain.verdict import NetworkPrecedence


class Settings(BaseSettings):
    """Settings of one process: from ``INDICIA_…`` variables, or given by a door."""

    model_config = SettingsConfigDict(env_prefix="INDICIA_", frozen=True, extra="ignore")

    database_url: str = Field(default="", description="where the indicators are kept; empty: a file of your own")
    key_file: Path | None = Field(default=None, description="the key that signs tokens; by default beside the database")
    snapshot_file: Path | None = Field(default=None, description="the engine's snapshot; else beside the database")
    guard_file: Path | None = Field(default=None, description="more values that are held when they are blocked")
    max_active_indicators: int | None = Field(default=None, ge=1, description="refuse to keep more than this")
    max_body_bytes: int = Field(default=16 << 20, ge=1024, description="the largest body of a request, but for imports")
    max_import_bytes: int = Field(default=2 << 30, ge=1024, description="the largest import by HTTP")
    sweep_seconds: float = Field(default=5.0, gt=0, description="how often expired indicators are removed")
    token_seconds: int = Field(default=3599, ge=60, le=86_400, description="how long a token is good")
    session_seconds: int = Field(default=43_200, ge=300, le=2_592_000, description="how long somebody stays signed in")
    session_idle_seconds: int = Field(
        default=1_800, ge=60, le=2_592_000, description="after how long without a request somebody is signed out"
    )
    network_precedence: NetworkPrecedence = Field(
        default=NetworkPrecedence.ACTION, description="which network indicator wins: action, or most-specific first"
    )
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
        url = database_url or found.database_url or f"sqlite:///{default_folder() / 'indicia.db'}"
        return found.model_copy(update={"database_url": url})


def default_folder() -> Path:
    """Return the folder of the user's own data for Indicia, as each system has it."""
    return user_data_path("indicia", appauthor=False)
