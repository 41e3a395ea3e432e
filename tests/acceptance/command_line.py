"""The command line for stories: the real console script in a process of its own, or the same call in this one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from indicia.cli import main
from tests.databases import environment_of, url_of

SCRIPT = Path(sys.executable).with_name("indicia")
HEADER = (
    "IndicatorType,IndicatorValue,ExpirationTime,Action,Severity,Title,Description,RecommendedActions,RbacGroups,"
    "Category,MitreTechniques,GenerateAlert\n"
)
LIST = ("--action", "Block", "--title", "T", "--description", "D")


@dataclass(frozen=True)
class Finished:
    """What a call left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Terminal:
    """Somebody at a command line: a folder to work in and a database of their own."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.url = url_of(folder / "indicia.db")
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("INDICIA_")},
            **environment_of(folder),
            "XDG_DATA_HOME": str(folder / "data"),
        }
        self._capsys = capsys

    def write(self, name: str, *rows: str, header: str = HEADER) -> Path:
        """Write a file of rows."""
        path = self.folder / name
        path.write_text(header + "".join(f"{row}\n" for row in rows), encoding="utf-8")
        return path

    def call(self, *arguments: str | Path) -> Finished:
        """Run a command in this process."""
        self._capsys.readouterr()
        code = main(["--database", self.url, *map(str, arguments)])
        out, err = self._capsys.readouterr()
        return Finished(code, out, err)

    def ok(self, *arguments: str | Path) -> Finished:
        """Run a command that has to succeed."""
        done = self.call(*arguments)
        assert done.code == 0, done.err
        return done

    def start(self, *arguments: str | Path, **more: Any) -> subprocess.Popen[str]:
        """Start the console script."""
        return subprocess.Popen(
            [str(SCRIPT), *map(str, arguments)],
            cwd=self.folder,
            env=self.environment,
            text=True,
            encoding="utf-8",
            **{"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more},
        )

    def run(self, *arguments: str | Path, given: str | None = None, **more: Any) -> Finished:
        """Run the console script to its end."""
        stdin = {} if given is None else {"stdin": subprocess.PIPE}
        with self.start(*arguments, **stdin, **more) as process:
            out, err = process.communicate(given, timeout=120)
        assert "Traceback" not in (err or "")
        return Finished(process.returncode, out or "", err or "")
