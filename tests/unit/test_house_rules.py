"""The rules of the house that no linter can express; each failure says what to do."""

from __future__ import annotations

import ast
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGE = ROOT / "src" / "indicia"
SOURCES = sorted(PACKAGE.rglob("*.py"))
EVERYTHING = sorted(
    file
    for folder in ("src", "tests", "tools", "bench")
    if (ROOT / folder).is_dir()
    for file in (ROOT / folder).rglob("*.py")
)

MOST_LINES_OF_A_FILE = 400
MOST_LINES_OF_A_FUNCTION = 60

# What is longer, and why it is better so. An entry that is no longer needed fails, so that the list only shrinks.
LONG_FILES: dict[str, str] = {}
LONG_FUNCTIONS: dict[str, str] = {}

# Third parties that one room alone may name; `.importlinter` holds those that are sure to be imported.
DOMAIN_MAY_IMPORT = frozenset({"ada_url", "idna", "indicia", "publicsuffixlist"})
IMPORTED_BY: dict[str, tuple[str, ...]] = {
    "argon2": ("services", "web"),
    "authlib": ("remotes", "services"),
    "httpcore2": ("remotes",),
    "httpx": ("remotes",),
    "httpx2": ("remotes",),
    "nanobind": (),
    "numpy": (),
    "psycopg": ("store",),
    "pyarrow": ("services",),
    "pydantic_settings": ("settings",),
    "sqlite3": ("store",),
    "starlette": ("web",),
    "zstandard": ("services",),
}

IGNORE = re.compile(r"#\s*(?:noqa|type:\s*ignore)", re.IGNORECASE)
JUSTIFIED = re.compile(
    r"# noqa: [A-Z]+[0-9]+(?:, ?[A-Z]+[0-9]+)*(?: -)? +\w+.*"
    r"|# type: ignore\[[a-z-]+(?:, ?[a-z-]+)*\] +# *\w+.*"
)


def name_of(file: Path) -> str:
    """Return how the lists above name *file*."""
    return file.relative_to(PACKAGE).as_posix()


def room_of(file: Path) -> str:
    """Return the room of *file*: the folder under the package, or the module that is a room by itself."""
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def is_migration(file: Path) -> bool:
    """Return whether *file* is one migration: as long as the tables it makes, and never touched again."""
    return "migrations/versions" in file.as_posix()


def functions(tree: ast.AST, inside: str = "") -> Iterator[tuple[str, int]]:
    """Yield the dotted name and the number of lines of every function, methods and inner ones too."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield inside + node.name, (node.end_lineno or node.lineno) - node.lineno + 1
        named = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        yield from functions(node, f"{inside}{node.name}." if named else inside)


def imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield the line and the top-level package of every import."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.partition(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, (node.module or "").partition(".")[0]


def parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"), filename=str(file))


def comments(file: Path) -> Iterator[tuple[int, str]]:
    with tokenize.open(file) as opened:
        for token in tokenize.generate_tokens(opened.readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.string


def test_files_are_short() -> None:
    long = {
        name_of(file) for file in SOURCES if len(file.read_text(encoding="utf-8").splitlines()) > MOST_LINES_OF_A_FILE
    }
    assert long == set(LONG_FILES), "split the file, or give LONG_FILES a reason; drop entries that are not needed"


def test_functions_are_short() -> None:
    long = {
        f"{name_of(file)}:{name}"
        for file in SOURCES
        if not is_migration(file)
        for name, lines in functions(parsed(file))
        if lines > MOST_LINES_OF_A_FUNCTION
    }
    assert long == set(LONG_FUNCTIONS), "split it, or give LONG_FUNCTIONS a reason; drop entries that are not needed"


def test_services_alone_require_permissions() -> None:
    taken = {
        f"{name_of(file)}: {alias.name}"
        for file in SOURCES
        if room_of(file) in ("web", "cli")
        for node in ast.walk(parsed(file))
        if isinstance(node, ast.ImportFrom) and node.module == "indicia.domain.access"
        for alias in node.names
        if alias.name.startswith("require")
    }
    assert not taken, "a door asks a service, which checks: another door to it would forget"


@pytest.mark.parametrize("reasons", [LONG_FILES, LONG_FUNCTIONS], ids=["files", "functions"])
def test_every_exception_has_a_reason(reasons: dict[str, str]) -> None:
    assert all(len(reason.split()) >= 3 for reason in reasons.values()), "a reason is a sentence"


def test_modules_begin_with_one_line_that_says_what_they_are_for() -> None:
    faults = []
    for file in SOURCES:
        docstring = ast.get_docstring(parsed(file), clean=False)
        if not docstring or "\n" in docstring.split("\n\n")[0].strip():
            faults.append(name_of(file))
    assert not faults, "begin the module with a docstring whose first paragraph is one line: what it is for"


def test_ignores_name_their_code_and_their_reason() -> None:
    faults = [
        f"{file.relative_to(ROOT)}:{line}: {comment}"
        for file in EVERYTHING
        for line, comment in comments(file)
        if IGNORE.match(comment) and not JUSTIFIED.fullmatch(comment)
    ]
    assert not faults, "write `# noqa: CODE why` or `# type: ignore[code]  # why`"


@pytest.mark.parametrize(
    "comment, good",
    [
        ("# noqa", False),
        ("# noqa: S608", False),
        ("# noqa: S608 only allow-listed names get here", True),
        ("# noqa: S608, E501 - only allow-listed names get here", True),
        ("# type: ignore", False),
        ("# type: ignore[arg-type]", False),
        ("# type: ignore[arg-type]  # the stub is wrong, see the issue of the library", True),
    ],
)
def test_the_rule_of_ignores_itself(comment: str, good: bool) -> None:
    assert IGNORE.match(comment)
    assert bool(JUSTIFIED.fullmatch(comment)) is good


def test_the_domain_imports_the_standard_library_and_three_pure_ones() -> None:
    allowed = DOMAIN_MAY_IMPORT | sys.stdlib_module_names
    faults = [
        f"{name_of(file)}:{line}: {package}"
        for file in SOURCES
        if room_of(file) == "domain"
        for line, package in imports(parsed(file))
        if package not in allowed
    ]
    assert not faults, f"the domain may import the standard library and {sorted(DOMAIN_MAY_IMPORT)}"


def test_what_one_room_is_for_no_other_imports() -> None:
    faults = [
        f"{name_of(file)}:{line}: {package} belongs to {' and '.join(IMPORTED_BY[package]) or 'nobody'}"
        for file in SOURCES
        for line, package in imports(parsed(file))
        if package in IMPORTED_BY and room_of(file) not in IMPORTED_BY[package]
    ]
    assert not faults, "ask the room that knows it instead"


def test_only_the_settings_read_the_environment() -> None:
    """The linter holds this too, but entry points are free of its ban on the clock and so of this one."""
    faults = [
        f"{name_of(file)}:{line}"
        for file in SOURCES
        if room_of(file) != "settings"
        for line in environment_reads(parsed(file))
    ]
    assert not faults, "settings.py is the only reader of the environment: take the value as an argument"


def environment_reads(tree: ast.AST) -> Iterator[int]:
    """Yield the lines that read the environment: by os, or by an option of click."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "environb", "getenv"}:
            yield node.lineno
        elif isinstance(node, ast.ImportFrom) and node.module == "os":
            yield from (node.lineno for alias in node.names if alias.name in {"environ", "environb", "getenv"})
        elif isinstance(node, ast.keyword) and node.arg in {"envvar", "auto_envvar_prefix"}:
            yield node.value.lineno


def test_except_exception_stands_in_its_two_legal_places() -> None:
    """One handler in each: the worker's guard around one job, and the server's last resort."""
    legal = {"worker.py", "web/server.py"}
    found = [
        name_of(file)
        for file in SOURCES
        for node in ast.walk(parsed(file))
        if isinstance(node, ast.ExceptHandler) and catches_everything(node)
    ]
    assert set(found) <= legal, "do not catch what you cannot mend: return or raise, and log once at the door"
    assert len(found) == len(set(found)), f"one guard a file is enough: {found}"


def catches_everything(handler: ast.ExceptHandler) -> bool:
    """Return whether *handler* catches whatever there is and does not raise it again."""
    named = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    broad = any(
        name is None or (isinstance(name, ast.Name) and name.id in {"Exception", "BaseException"}) for name in named
    )
    raises = any(isinstance(node, ast.Raise) and node.exc is None for node in ast.walk(handler))
    return broad and not raises
