"""One server for each test."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from indicia.web.tokens import Tokens
from tests.databases import new_file
from tests.wire.doors import Door, open_door


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a key: making it anew for each test would take most of its time."""
    folder = tmp_path_factory.mktemp("template")
    Tokens.open(folder / "indicia.key")
    return folder


@pytest.fixture
def folder(template: Path, tmp_path: Path) -> Path:
    """Return a folder of one's own with an empty database and a key."""
    copied = Path(shutil.copytree(template, tmp_path / "data"))
    new_file(copied)
    return copied


@pytest.fixture
def door(folder: Path) -> Iterator[Door]:
    """Give a server over an empty database."""
    with open_door(folder) as opened:
        yield opened
