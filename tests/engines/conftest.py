"""The archives of public lists, unpacked once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.engines.converters import Feed, unpack


@pytest.fixture(scope="session")
def unpacked(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Feed], Path]:
    """Return a function from a feed to the folder of its files; skips where the archive is not here."""
    folder = tmp_path_factory.mktemp("lists")

    def folder_of(feed: Feed) -> Path:
        archive = shared_data / "indicators" / f"{feed.archive}.tar.xz"
        if not archive.is_file():
            pytest.skip(f"no real data: {archive} is not there")
        return unpack(archive, folder)

    return folder_of
