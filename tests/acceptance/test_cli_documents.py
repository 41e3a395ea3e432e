"""The reference page, the help and the exit codes are complete: each is compared with the commands themselves."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from indicia.cli.commands import Command, Group
from indicia.cli.output import EXIT_CODES
from indicia.cli.root import COMMANDS, root, tree
from indicia.domain.errors import IndiciaError
from tests.acceptance.command_line import Terminal

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "command-line.md"
TREE = tree()
ALL = pytest.mark.parametrize("words, command", TREE, ids=[" ".join(words) for words, _ in TREE])


def section(words: tuple[str, ...]) -> str:
    """Return what the page says about a command."""
    text = PAGE.read_text(encoding="utf-8")
    found = re.search(rf"^### indicia {' '.join(words)}\n(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, f"docs/reference/command-line.md has no section 'indicia {' '.join(words)}'"
    return found[1]


def test_every_outcome_has_an_exit_code() -> None:
    assert set(IndiciaError.__subclasses__()) == set(EXIT_CODES)
    text = PAGE.read_text(encoding="utf-8")
    assert all(f"| {code} | " in text for code in (0, 1, 3, 130, 141, *EXIT_CODES.values()))


@ALL
def test_the_page_names_every_option(words: tuple[str, ...], command: click.Command) -> None:
    if isinstance(command, click.Group):
        return
    text = section(words) + PAGE.read_text(encoding="utf-8").split("## Exit codes")[0]
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            for name in (*parameter.opts, *parameter.secondary_opts):
                assert re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text), (
                    f"{name} of {words} is not on the page"
                )


def test_the_page_names_no_command_that_is_not_there() -> None:
    named = re.findall(r"^### indicia (.+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert named == [" ".join(words) for words, command in TREE if not isinstance(command, click.Group)]


@ALL
def test_every_command_has_help_with_examples_first(
    terminal: Terminal, words: tuple[str, ...], command: click.Command
) -> None:
    assert isinstance(command, Command | Group)
    done = terminal.ok(*words, "--help")
    assert done.out == terminal.ok(*words, "-h").out == terminal.ok("help", *words).out
    assert 0 < done.out.index("Examples:") < done.out.index("options:")
    assert all(
        example.removeprefix("bash:  ").startswith(("indicia", "curl", "echo", "zsh", "fish"))
        for example in command.examples
    )


def test_the_table_of_commands_says_what_the_commands_say() -> None:
    context = click.Context(root)
    for name, lazy in COMMANDS.items():
        found = root.get_command(context, name)
        assert found is not None
        assert found.name == name
        assert lazy.help.rstrip(".").split(":")[0].split(" as ")[0] in (found.help or ""), name
