"""What is built carries everything that the pages need, also what git ignores."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGE = ROOT / "src" / "indicia"
# Without the kernel: what is asked here is which files are carried, and compiling takes a minute.
BUILD = """
import sys, scikit_build_core.build as builder
builder.build_wheel(sys.argv[1], {"wheel.cmake": "false", "wheel.py-api": "py3"})
builder.build_sdist(sys.argv[1])
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a wheel and an sdist of this very tree."""
    folder = tmp_path_factory.mktemp("built")
    done = subprocess.run(
        [sys.executable, "-c", BUILD, str(folder)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder


def carried() -> set[str]:
    """Return what the package is made of: its code, and the templates, styles, scripts and data beside it."""
    return {
        file.relative_to(PACKAGE.parent).as_posix()
        for file in PACKAGE.rglob("*")
        if file.is_file() and "__pycache__" not in file.parts and file.suffix not in {".so", ".pyc"}
    }


def test_the_wheel_carries_every_file_of_the_package(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as opened:
        names = set(opened.namelist())
    assert carried() <= names
    assert not [name for name in names if name.startswith(("node_modules", "tests"))]


def test_the_sdist_carries_what_the_wheel_is_built_from(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as opened:
        names = {name.partition("/")[2] for name in opened.getnames()}
    wanted = {f"src/{name}" for name in carried()}
    wanted |= {"package.json", "package-lock.json", ".npmrc", "tools/assets.py", "native/CMakeLists.txt"}
    assert wanted <= names
    assert not [name for name in names if "node_modules" in name]


def test_htmx_is_carried_where_npm_has_brought_it(built: Path) -> None:
    if not (PACKAGE / "web" / "static" / "vendor" / "htmx.min.js").is_file():
        pytest.skip("htmx is not here: make assets")
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as opened:
        assert "indicia/web/static/vendor/htmx.min.js" in opened.namelist()
