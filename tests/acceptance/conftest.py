"""What every story may use."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.acceptance.command_line import Terminal


@pytest.fixture
def terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Return somebody at a command line in *tmp_path*; what a run sets in this process is put back."""
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.chdir(tmp_path)
    return Terminal(tmp_path, capsys)
