"""How every command behaves: the common options, examples first in its help, and what it works with."""

from __future__ import annotations

import getpass
import importlib
import inspect
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from indicia.cli.output import say

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from indicia.app import App
    from indicia.domain.access import Actor
    from indicia.settings import Settings


@dataclass(slots=True)
class Invocation:
    """What the common options said, which may stand before and after the name of a command."""

    database: str | None = None
    quiet: bool = False
    verbose: bool = False
    debug: bool = False

    def settings(self) -> Settings:
        """Return the settings of this call; raises `InvalidInput`."""
        from indicia.settings import Settings

        return Settings.from_environment(self.database)

    @contextmanager
    def app(self) -> Iterator[App]:
        """Open the database for one command; an embedded one is made, or brought up to date, where that is needed."""
        from indicia.app import App

        settings = self.settings()
        app = App.open(settings, upgrade=is_embedded(settings.database_url))
        try:
            if self.verbose:
                from indicia.store.database import shown

                say(f"database: {shown(app.database.url)}")
            yield app
        finally:
            app.close()

    def tell(self, text: str) -> None:
        """Print a message on stderr, unless asked to be quiet."""
        if not self.quiet:
            say(text)


def is_embedded(url: str) -> bool:
    """Return whether *url* is a database of our own, which nobody else looks after."""
    return url.startswith("sqlite")


def clock() -> datetime:
    """Return the time: a command reads it once and hands it on."""
    return datetime.now(UTC)


def actor() -> Actor:
    """Return who uses the command line: the user of the system, who may do everything, having the database."""
    from indicia.domain.access import Actor, Role, Source

    try:
        name = getpass.getuser()
    except (OSError, KeyError, ImportError):
        name = f"uid-{os.getuid()}" if hasattr(os, "getuid") else "unknown"
    return Actor(name, name, Source.CLI, Role.ADMINISTRATOR.permissions)


# -- options that every command has -----------------------------------------------------------------------------------


class CommonOption(click.Option):
    """An option that every command has; it may stand before and after the name of the command."""


def _remember(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    if value and parameter.name:
        setattr(context.ensure_object(Invocation), parameter.name, value)


def _common_options() -> list[click.Parameter]:
    def option(*names: str, **more: Any) -> CommonOption:
        return CommonOption(list(names), expose_value=False, callback=_remember, **more)

    return [
        option(
            "--database",
            metavar="URL",
            help="Where the indicators are kept; default: INDICIA_DATABASE_URL, or a file of your own.",
        ),
        option("-q", "--quiet", is_flag=True, help="Print data and errors only."),
        option("-v", "--verbose", is_flag=True, help="Say more."),
        option("--debug", is_flag=True, help="Show the trace of an internal error."),
    ]


class Examples:
    """The part of a command that knows its examples and puts them first in its help."""

    examples: tuple[str, ...] = ()

    def write_help(self, command: click.Command, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write usage, what it does, examples, the rest, options."""
        command.format_usage(context, formatter)
        first, _, rest = inspect.cleandoc(command.help or "").partition("\n\n")
        _paragraph(formatter, first)
        if self.examples:
            with formatter.section("Examples"):
                for example in self.examples:
                    formatter.write(f"{'':{formatter.current_indent}}{example}\n")
        _paragraph(formatter, rest)
        command.format_options(context, formatter)
        command.format_epilog(context, formatter)


def _paragraph(formatter: click.HelpFormatter, text: str) -> None:
    if text:
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(text)


def _format_options(command: click.Command, context: click.Context, formatter: click.HelpFormatter) -> None:
    own: list[tuple[str, str]] = []
    common: list[tuple[str, str]] = []
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context) if isinstance(parameter, click.Option) else None
        if record is not None:
            (common if isinstance(parameter, CommonOption) or "--help" in parameter.opts else own).append(record)
    for title, records in (("Options", own), ("Common options", common)):
        if records:
            with formatter.section(title):
                formatter.write_dl(records)


class Command(Examples, click.Command):
    """A command with examples and the common options."""

    def __init__(self, *arguments: Any, examples: tuple[str, ...] = (), **more: Any) -> None:
        more.setdefault("context_settings", {}).setdefault("help_option_names", ["-h", "--help"])
        super().__init__(*arguments, **more)
        self.examples = examples
        self.params += _common_options()

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        self.write_help(self, ctx, formatter)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        _format_options(self, ctx, formatter)


class Group(Examples, click.Group):
    """Commands about one noun."""

    command_class = Command

    def __init__(self, *arguments: Any, examples: tuple[str, ...] = (), **more: Any) -> None:
        more.setdefault("context_settings", {}).setdefault("help_option_names", ["-h", "--help"])
        more |= {"invoke_without_command": True, "callback": _help_unless_more}
        super().__init__(*arguments, **more)
        self.examples = examples
        self.params += _common_options()

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        self.write_help(self, ctx, formatter)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        self.format_commands(ctx, formatter)
        _format_options(self, ctx, formatter)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in self.list_commands(ctx):
            import difflib

            near = difflib.get_close_matches(args[0], self.list_commands(ctx), n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            ctx.fail(f"there is no command {args[0][:100]!r}{hint}")
        return super().resolve_command(ctx, args)


def _help_unless_more() -> None:
    context = click.get_current_context()
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


class ReaderGone(Exception):
    """Whoever read our output has stopped."""


class Lazy(NamedTuple):
    """A command that is not loaded yet: its section of the help, the module that holds it, its help in one line."""

    section: str
    module: str
    help: str


class LazyGroup(Group):
    """Commands that are loaded when they are called for: `--help` has to be quick, and completion too."""

    def __init__(self, *arguments: Any, lazy: Mapping[str, Lazy], **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.lazy = lazy

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.lazy:
            return None
        module = importlib.import_module(f"indicia.cli.{self.lazy[cmd_name].module}")
        found: click.Command = getattr(module, f"{cmd_name}_command")
        return found

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # click would end the process by itself, as a failure
            raise ReaderGone from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for section in dict.fromkeys(lazy.section for lazy in self.lazy.values()):
            with formatter.section(section):
                rows = [(name, lazy.help) for name, lazy in self.lazy.items() if lazy.section == section]
                formatter.write_dl(rows, col_max=12)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        names = [name for name in self.lazy if name.startswith(incomplete)] if not incomplete.startswith("-") else []
        found = [CompletionItem(name, help=self.lazy[name].help) for name in names]
        return found or super().shell_complete(ctx, incomplete)


def command(name: str, *examples: str) -> Callable[[Callable[..., Any]], Command]:
    """Return a decorator that makes a command with *examples*, which stand first in its help."""
    return click.command(name, cls=Command, examples=examples)


def pass_invocation(function: Callable[..., Any]) -> Callable[..., Any]:
    """Call *function* with what the common options said, as its first argument."""

    @wraps(function)
    def with_invocation(*arguments: Any, **options: Any) -> Any:
        context = click.get_current_context()
        return context.invoke(function, context.ensure_object(Invocation), *arguments, **options)

    return with_invocation
