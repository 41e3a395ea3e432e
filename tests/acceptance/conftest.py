"""What every story may use."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.acceptance.command_line import Terminal
from tests.databases import ON_POSTGRESQL, environment_of, new_file


@pytest.fixture
def terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Return somebody at a command line in *tmp_path*; what a run sets in this process is put back."""
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.chdir(tmp_path)
    if ON_POSTGRESQL:  # whose tables no command makes by the way
        new_file(tmp_path)
    for name, value in environment_of(tmp_path).items():
        if name != "INDICIA_DATABASE_URL":  # which a run is told of as an argument
            monkeypatch.setenv(name, value)
    return Terminal(tmp_path, capsys)
