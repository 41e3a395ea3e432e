"""A fresh database for every test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from indicia.store.database import Database
from tests.integration.stores import new_file, url_of


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database.open(url_of(new_file(tmp_path)), busy_timeout_s=60)
    yield opened
    opened.close()
