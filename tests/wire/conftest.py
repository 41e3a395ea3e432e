"""One server for each test."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.wire.doors import Door, make_template, open_door


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with an empty database and a key."""
    folder = tmp_path_factory.mktemp("template")
    make_template(folder)
    return folder


@pytest.fixture
def folder(template: Path, tmp_path: Path) -> Path:
    """Return a folder of one's own with an empty database and a key."""
    return Path(shutil.copytree(template, tmp_path / "data"))


@pytest.fixture
def door(folder: Path) -> Iterator[Door]:
    """Give a server over an empty database."""
    with open_door(folder) as opened:
        yield opened
