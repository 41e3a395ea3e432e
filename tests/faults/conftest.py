"""What every test of faults may use."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.acceptance.conftest import terminal
from tests.faults.left import OLD, Before, measured, opened, rows
from tests.faults.warm import Warm
from tests.integration.stores import domains, new_file, run_import

__all__ = ["importing", "terminal", "undoing", "warm"]


@pytest.fixture(scope="session")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warm]:
    """Give a process that forks itself for each command."""
    with Warm(tmp_path_factory.mktemp("warm")) as process:
        yield process


@pytest.fixture(scope="session")
def importing(warm: Warm, tmp_path_factory: pytest.TempPathFactory) -> Before:
    """Return a database of some rows, and an import that changes them and adds more."""
    folder = tmp_path_factory.mktemp("importing")
    file = new_file(folder)
    with opened(file) as database:
        assert run_import(database, domains(range(OLD), title="old")).applied
    (folder / "rows.csv").write_bytes(rows())
    return measured(warm, file, ("import", str(folder / "rows.csv")))


@pytest.fixture(scope="session")
def undoing(warm: Warm, tmp_path_factory: pytest.TempPathFactory) -> Before:
    """Return a database with an import that is to be undone."""
    file = new_file(tmp_path_factory.mktemp("undoing"))
    with opened(file) as database:
        assert run_import(database, domains(range(OLD), title="old")).applied
        assert run_import(database, rows()).applied
    return measured(warm, file, ("undo", "2"))
