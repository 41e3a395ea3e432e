"""Commands without the second that Python takes to start: each a fork of one warm process, killed when asked to be."""

from __future__ import annotations

import importlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Self

from indicia.cli import main
from indicia.store import engines

ROOT = Path(__file__).resolve().parent.parent.parent
KILLED = -signal.SIGKILL
_LATE = ("indicia.app", "indicia.cli.importing", "indicia.services.changesets", "sqlite3", "sqlalchemy.dialects.sqlite")
_PAUSE = 0.000_2


class Moment(NamedTuple):
    """When to kill: *seconds* after the start, or after *file* had *size* bytes; or when it has ended by itself."""

    seconds: float = 0.0
    file: str | None = None
    size: int = 0


class Run(NamedTuple):
    """How a command ended: its exit code, or `KILLED`; what it had printed; how long it ran."""

    code: int
    out: str
    err: str
    seconds: float


class Warm:
    """A process that has imported everything and forks itself for each command."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        script = "from tests.faults.warm import serve; serve()"
        self._process = subprocess.Popen(
            [sys.executable, "-c", script], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(
        self,
        *arguments: str | Path,
        moment: Moment | None = None,
        cache_kib: int | None = None,
        most_bytes: int | None = None,
    ) -> Run:
        """Run a command, and kill it at *moment*; no file may become larger than *most_bytes*.

        *cache_kib* is how much of the database is kept in memory: little makes a small import write as a large one
        does, which goes to the log long before it is committed.
        """
        out, err = self._folder / "out", self._folder / "err"
        out.write_text("")
        asked = {
            "arguments": list(map(str, arguments)),
            "out": str(out),
            "err": str(err),
            "moment": moment,
            "cache_kib": cache_kib,
            "most_bytes": most_bytes,
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        told = json.loads(self._process.stdout.readline())
        return Run(told["code"], out.read_text(), err.read_text(), told["seconds"])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()
        assert self._process.returncode == 0


# -- in the warm process ----------------------------------------------------------------------------------------------


def serve() -> None:
    """Answer each line on stdin, which asks for one command, with a line on how it ended."""
    for name in _LATE:
        importlib.import_module(name)
    for line in sys.stdin:
        asked = json.loads(line)
        began = time.monotonic()
        child = os.fork()
        if child == 0:
            os._exit(_run(**asked))
        if asked["moment"] is not None:
            _wait_until(child, Moment(*asked["moment"]), began)
            os.kill(child, signal.SIGKILL)  # it is not waited for yet, so the number is still its own
        _, status = os.waitpid(child, 0)
        seconds = time.monotonic() - began
        print(json.dumps({"code": os.waitstatus_to_exitcode(status), "seconds": seconds}), flush=True)


def _run(
    arguments: Sequence[str], out: str, err: str, cache_kib: int | None, most_bytes: int | None, moment: object
) -> int:
    for number, name in ((1, out), (2, err)):
        file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, number)
    if cache_kib is not None:
        engines._CACHE_KIB = cache_kib  # type: ignore[misc] # it is not final here
    if most_bytes is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))
    code = main(arguments)
    sys.stdout.flush()
    return code


def _wait_until(child: int, moment: Moment, began: float) -> None:
    while os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        if moment.file is not None:
            if size_of(moment.file) >= moment.size:
                moment, began = Moment(moment.seconds), time.monotonic()
                continue
        elif time.monotonic() - began >= moment.seconds:
            return
        time.sleep(_PAUSE)


def size_of(file: str | Path) -> int:
    """Return the size of *file*, 0 where there is none."""
    try:
        return Path(file).stat().st_size
    except FileNotFoundError:
        return 0
