"""What npm brings: checked against its hash, and where it cannot be brought, told in one line."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools.assets import AXE, HTMX, ROOT, Asset, is_right

NEEDED = ("package.json", "package-lock.json", ".npmrc")
needs_npm = pytest.mark.skipif(shutil.which("npm") is None, reason="no npm: apt install npm")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a folder with what npm reads, as it is in a fresh clone."""
    for name in NEEDED:
        shutil.copyfile(ROOT / name, tmp_path / name)
    return tmp_path


def bring(root: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "tools" / "assets.py"), "--root", str(root), *arguments],
        env=os.environ | {"INDICIA_ASSETS_REQUIRED": ""} | environment,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


def brought(root: Path, asset: Asset) -> bool:
    return is_right(asset.place(root), asset.sha256)


def test_without_npm_one_line_says_so_and_that_is_no_failure(copy: Path) -> None:
    done = bring(copy, PATH="")
    assert done.returncode == 0
    assert done.stderr == ""
    (line,) = done.stdout.splitlines()
    assert "without partial updates" in line
    assert "npm is not here" in line


def test_where_it_must_not_be_missing_it_is_a_failure(copy: Path) -> None:
    assert bring(copy, PATH="", INDICIA_ASSETS_REQUIRED="1").returncode == 1


@needs_npm
@pytest.mark.slow
def test_a_registry_that_does_not_answer_is_told_in_one_line(copy: Path) -> None:
    done = bring(copy, npm_config_registry="http://127.0.0.1:9/", npm_config_cache=str(copy / "cache"))
    assert done.returncode == 0
    assert done.stderr == ""
    (line,) = done.stdout.splitlines()
    assert "npm failed, see build/npm.log: " in line
    assert (copy / "build" / "npm.log").is_file()


def test_what_is_here_already_needs_no_npm(copy: Path) -> None:
    if not brought(ROOT, HTMX):
        pytest.skip("htmx is not here: make assets")
    HTMX.place(copy).parent.mkdir(parents=True)
    shutil.copyfile(HTMX.place(ROOT), HTMX.place(copy))
    done = bring(copy, PATH="")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_file_with_other_bytes_is_not_left_to_be_served(copy: Path) -> None:
    HTMX.place(copy).parent.mkdir(parents=True)
    HTMX.place(copy).write_text("alert(1)", encoding="utf-8")
    assert "without partial updates" in bring(copy, PATH="").stdout
    assert not HTMX.place(copy).exists()


@needs_npm
@pytest.mark.slow
def test_npm_brings_what_the_hashes_say(copy: Path) -> None:
    done = bring(copy, "--tests")
    if "npm failed" in done.stdout:
        pytest.skip(f"no registry: {done.stdout.strip()}")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert brought(copy, HTMX)
    assert brought(copy, AXE)


def test_the_lock_names_hashes_and_no_registry() -> None:
    text = (ROOT / "package-lock.json").read_text(encoding="utf-8")
    assert text.count('"integrity": "sha512-') == text.count('"node_modules/') > 0
    assert "resolved" not in text
    assert "http" not in text
