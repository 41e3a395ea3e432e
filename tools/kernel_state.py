"""Says in one line why Indicia was installed without its kernel; says nothing where it has one."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path

TOOLS = Path(__file__).resolve().parent
SLOWER = "Indicia works without its kernel: the answers are the same, but slower."
# What compilers, linkers, CMake and ninja say of a fault; pip puts a time of its own before each line of its log.
FAULT = re.compile(r"(?:\S*: )?(?:fatal )?error: .*|CMake Error.*|\S*ld: .*|ninja: error: .*|collect2: .*")
LONGEST = 200


def main(log: Path) -> None:
    """Import the kernel; where there is none, say so and name what is missing."""
    try:
        importlib.import_module("indicia.matcher._kernel")
    except ModuleNotFoundError:
        print(reason(log))
    except ImportError as error:
        print(f"{SLOWER} It was compiled, but cannot be loaded: {str(error)[:LONGEST]}")


def reason(log: Path) -> str:
    """Return why nothing was compiled: no compiler, or what it said first."""
    if subprocess.run([TOOLS / "find_compiler"], stdout=subprocess.DEVNULL, check=False).returncode != 0:
        return f"{SLOWER} To have it, install a C++ compiler (Debian: apt install g++), and run make again."
    text = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""
    return f"{SLOWER} Compiling it failed, see {log}: {first_fault(text)}"


def first_fault(text: str) -> str:
    r"""Return the first fault that a log names.

    >>> first_fault("10:00:00,000   [3/17] ok\n10:00:01,000   a.cpp:3:1: error: no 'x'\nninja: stopped")
    "a.cpp:3:1: error: no 'x'"
    >>> first_fault("all is well")
    'no fault is named there'
    """
    found = FAULT.search(text)
    return found[0][:LONGEST] if found else "no fault is named there"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
