"""The documentation tells the truth: its examples run, and whatever can be typed or set has its place in it."""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from indicia.domain.draft import PROPERTY_NAMES
from indicia.domain.query import Field, Kind
from indicia.domain.search_qualifiers import QUALIFIERS, SORTS
from indicia.importers.defender_csv import COLUMNS, MORE_COLUMNS, PROBLEMS_COLUMN, RAW_COLUMN
from indicia.settings import Settings
from tests.databases import environment_of

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
SERVED = "http://127.0.0.1:8484"

CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Example(NamedTuple):
    """A command as somebody would type it, and what the page says that it prints."""

    command: str
    output: str


def examples(page: Path) -> list[Example]:
    """Return the commands of all console blocks of *page*; ``> `` goes on with a command."""
    found: list[list[str]] = []
    for block in CONSOLE.findall(page.read_text(encoding="utf-8")):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append([line[2:], ""])
            elif line.startswith("> ") and not found[-1][1]:
                found[-1][0] += "\n" + line[2:]
            else:
                found[-1][1] += line + "\n"
    return [Example(*each) for each in found]


def pattern(output: str) -> re.Pattern[str]:
    """Return what *output* stands for: ``…`` is anything, and how wide a column is does not matter."""
    lines = []
    for line in output.rstrip("\n").split("\n"):
        if line.strip() == "…":
            lines.append(r"(?:[^\n]*\n)*")
            continue
        parts = (r"\s+".join(map(re.escape, part.split())) for part in line.split("…"))
        gap = r"[ \t]*[^\n]*?[ \t]*"
        lines.append(r"[ \t]*" + gap.join(parts) + r"[ \t]*\n")
    return re.compile("".join(lines))


@contextmanager
def serving(environment: dict[str, str], folder: Path) -> Iterator[str]:
    """Run a server on a free port and give its address."""
    command = [str(Path(sys.executable).with_name("indicia")), "serve", "--port", "0"]
    log = (folder / "serve.log").open("wb")
    with log, subprocess.Popen(command, env=environment, cwd=folder, stdout=subprocess.PIPE, stderr=log) as server:
        try:
            assert server.stdout is not None
            found = re.search(rb"http://\S+", server.stdout.readline())
            assert found, (folder / "serve.log").read_text()
            yield found[0].decode().rstrip("/")
        finally:
            server.terminate()
            server.wait(30)


PAGES = [page for kind in ("tutorial", "howto") for page in sorted((DOCS / kind).glob("*.md")) if examples(page)]


@pytest.mark.sqlite_only("the pages tell of the embedded database")
@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_examples_print_what_the_page_says(page: Path, tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("INDICIA_")}
    environment |= {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        **environment_of(tmp_path),
        "XDG_DATA_HOME": str(tmp_path / "data"),
        "COLUMNS": "400",
    }
    if SERVED not in page.read_text(encoding="utf-8"):
        play(page, environment, tmp_path, SERVED)
        return
    with serving(environment, tmp_path) as address:
        play(page, environment, tmp_path, address)


def play(page: Path, environment: dict[str, str], folder: Path, address: str) -> None:
    """Type every command of *page*; one shell each, in one folder, that remembers functions and variables."""
    remembered = ""
    for example in examples(page):
        command = example.command.replace(SERVED, address)
        ran = subprocess.run(
            ["bash", "-c", remembered + command],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=120,
        )
        printed = ran.stdout.replace(address, SERVED).removesuffix("\n") + "\n"
        assert "Traceback" not in printed
        assert pattern(example.output).fullmatch(printed), f"$ {command}\n{printed}\nis not\n{example.output}"
        first = command.split("\n", 1)[0]
        if re.match(r"\w+\(\) |[A-Z]+=", first):
            remembered += first + "\n"


@pytest.mark.parametrize(
    "written, printed, good",
    [
        ("a  b\n", "a b\n", True),
        ("a b\n", "a c\n", False),
        ("a … c\n", "a b b c\n", True),
        ("…\nc\n", "a\nb\nc\n", True),
        ("c\n", "a\nc\n", False),
        ("", "\n", True),
    ],
)
def test_how_outputs_are_compared(written: str, printed: str, good: bool) -> None:
    assert bool(pattern(written).fullmatch(printed)) is good


def pages_with_python() -> list[Path]:
    return [page for page in sorted(DOCS.rglob("*.md")) if ">>> " in page.read_text(encoding="utf-8")]


@pytest.mark.parametrize("page", pages_with_python(), ids=lambda page: page.stem)
def test_python_examples_hold(page: Path) -> None:
    source = "\n".join(PYTHON.findall(page.read_text(encoding="utf-8")))
    test = doctest.DocTestParser().get_doctest(source, {}, page.stem, str(page), 0)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    assert test.examples
    assert runner.run(test).failed == 0


# -- whatever can be typed or set has its place -----------------------------------------------------------------------


def headings(page: str) -> set[str]:
    """Return the headings of a page of the reference, and what the first cells of its tables name."""
    text = (DOCS / "reference" / page).read_text(encoding="utf-8")
    found = set(re.findall(r"^#+ `?([^`\n]+)`?$", text, re.MULTILINE))
    for cell in re.findall(r"^\| *((?:`[^`|]+`[, ]*)+) *\|", text, re.MULTILINE):
        found.update(re.findall(r"`([^`]+)`", cell))
    return found


def test_every_setting_is_named() -> None:
    assert {f"INDICIA_{name.upper()}" for name in Settings.model_fields} <= headings("settings.md")


def test_every_setting_that_is_named_exists() -> None:
    named = {name for name in headings("settings.md") if name.startswith("INDICIA_")}
    assert named == {f"INDICIA_{name.upper()}" for name in Settings.model_fields}


def test_every_field_of_the_filter_is_named() -> None:
    assert set(map(str, Field)) <= headings("filter-language.md")


def test_every_qualifier_of_a_search_and_every_order_is_named() -> None:
    text = (DOCS / "reference" / "search.md").read_text(encoding="utf-8")
    assert [name for name in QUALIFIERS if f"`{name}:" not in text] == []
    assert [name for name in SORTS if f"`{name}`" not in text] == []


def test_every_kind_of_field_is_explained() -> None:
    text = (DOCS / "reference" / "filter-language.md").read_text(encoding="utf-8")
    assert all(kind.value in text for kind in Kind)


def test_every_column_is_named() -> None:
    assert {*COLUMNS, *MORE_COLUMNS, PROBLEMS_COLUMN, RAW_COLUMN} <= headings("csv.md")


def test_every_property_is_named() -> None:
    assert set(PROPERTY_NAMES.values()) | {"status"} <= headings("indicator.md")


CODE = "[a-z]+(?:-[a-z]+)*"
NAMED_CODES = (
    re.compile(rf'\b(?:Problem|Fault|Unspellable|Refusal)\(\s*(?:\d+,\s*)?"({CODE})"'),
    re.compile(rf'self\._(?:problem|warning)\(\s*"({CODE})"'),
    re.compile(rf'^    ObservableType\.\w+: "({CODE})"', re.MULTILINE),
)
GUARD_CODE = re.compile(rf'(?:GuardReason\(|_special\("[^"]+", )"({CODE})"')
MADE_CODE = re.compile(r'f"invalid-\{')
CHOICES = ("invalid-type", "invalid-action", "invalid-severity", "invalid-category")


def codes_in_the_source() -> set[str]:
    """Return every code of a problem that the source spells, or makes out of parts."""
    found: set[str] = set()
    for file in sorted((ROOT / "src" / "indicia").rglob("*.py")):
        text = file.read_text(encoding="utf-8")
        for named in NAMED_CODES:
            found.update(named.findall(text))
        found.update(f"held-{code}" for code in GUARD_CODE.findall(text))
        if MADE_CODE.search(text):
            found.update(CHOICES)
    harmless = (ROOT / "src" / "indicia" / "domain" / "data" / "files.txt").read_text(encoding="utf-8")
    found.update(f"held-{line.split()[1]}" for line in harmless.splitlines() if line and not line.startswith("#"))
    return found


def test_every_code_of_a_problem_has_a_heading() -> None:
    found = codes_in_the_source()
    assert len(found) > 80, "the patterns above find what the source says"
    assert found <= headings("problems.md")


def test_every_page_can_be_reached_from_the_index() -> None:
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    decisions = (DOCS / "decisions" / "README.md").read_text(encoding="utf-8")
    for page in sorted(DOCS.rglob("*.md")):
        name = page.relative_to(DOCS).as_posix()
        if name == "index.md":
            continue
        if page.parent.name == "decisions" and page.name != "README.md":
            assert f"({page.name})" in decisions, name
        else:
            assert f"({name}" in index, name
