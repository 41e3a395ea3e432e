"""`indicia completion` and `indicia help`: finding out what there is."""

from __future__ import annotations

import click

from indicia.cli.commands import command
from indicia.cli.output import show
from indicia.cli.parameters import Name

_VARIABLE = "_INDICIA_COMPLETE"


@command(
    "completion",
    "bash:  echo 'source <(indicia completion bash)' >> ~/.bashrc",
    "zsh:   indicia completion zsh > ~/.zfunc/_indicia          (with fpath+=~/.zfunc before compinit in ~/.zshrc)",
    "fish:  indicia completion fish > ~/.config/fish/completions/indicia.fish",
)
@click.argument("shell", type=Name("shell", ("bash", "zsh", "fish")), metavar="bash|zsh|fish")
def completion_command(shell: str) -> None:
    """Print a script that completes commands in your shell.

    It completes options and names too. Install it as shown above, then start a new shell.
    """
    from click.shell_completion import get_completion_class

    from indicia.cli.root import root

    found = get_completion_class(shell)
    if found is None:  # pragma: no cover - click has these three
        raise click.UsageError(f"there is no completion for {shell}")
    completer = found(root, {}, "indicia", _VARIABLE)
    show(completer.source_template % completer.source_vars())


@command("help", "indicia help import", "indicia help app add")
@click.argument("words", nargs=-1, metavar="[COMMAND...]")
@click.pass_context
def help_command(context: click.Context, words: tuple[str, ...]) -> None:
    """Show the help of a command, or of all of them."""
    here = context.find_root()
    for word in words:
        if not isinstance(here.command, click.Group):
            raise click.UsageError(f"{here.command_path!r} has no commands under it", here)
        name, found, _rest = here.command.resolve_command(here, [word])
        if found is None:  # pragma: no cover - resolve_command fails first
            continue
        here = click.Context(found, info_name=name, parent=here)
    show(here.get_help())
