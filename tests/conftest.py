"""What every test may use: how hard hypothesis tries, and the data that is too big for the repository."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

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

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of real indicator lists and telemetry; skips where there is none."""
    named = os.environ.get("INDICIA_SHARED_DATA")
    folder = Path(named) if named else ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real data: {folder} is not a folder (INDICIA_SHARED_DATA names another)")
    return folder
