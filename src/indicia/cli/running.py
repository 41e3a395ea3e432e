"""One run of the command line: every way in which it can end is a sentence and an exit code, never a trace."""

from __future__ import annotations

import errno
import hashlib
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import click

from indicia.cli.commands import Invocation, ReaderGone
from indicia.cli.output import (
    EXIT_CODES,
    FAILED,
    INTERRUPTED,
    OK,
    READER_GONE,
    USAGE,
    clean,
    say,
    say_error,
    say_outcome,
)
from indicia.cli.root import root
from indicia.domain.errors import IndiciaError


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    invocation = Invocation()
    sys.excepthook = lambda kind, error, trace: _last_resort(invocation, kind, error, trace)
    try:
        code = _run(arguments, invocation)
    except click.exceptions.Exit as done:
        code = done.exit_code
    except click.UsageError as error:
        code = _usage(error)
    except click.ClickException as error:
        say_error(clean(error.format_message()))
        code = FAILED
    except (click.Abort, KeyboardInterrupt):
        say("interrupted: a change that was not finished is not kept")
        code = INTERRUPTED
    except IndiciaError as error:
        say_outcome(error)
        code = EXIT_CODES[type(error)]
    except (ReaderGone, BrokenPipeError):
        _forget_output()
        code = READER_GONE
    except OSError as error:
        say_error(sentence(error))
        code = FAILED
    except MemoryError:
        say_error("there is not enough memory")
        code = FAILED
    return code


def _run(arguments: Sequence[str] | None, invocation: Invocation) -> int:
    given = list(sys.argv[1:] if arguments is None else arguments)
    code: object = OK
    try:
        code = root.main(given, prog_name="indicia", standalone_mode=False, obj=invocation)
    finally:
        if sys.exc_info()[0] is None:
            sys.stdout.flush()
    return code if isinstance(code, int) else OK


def _usage(error: click.UsageError) -> int:
    say_error(_told(error))
    if error.ctx is not None:
        say(f"`{error.ctx.command_path} --help` shows what there is")
    return USAGE


def _told(error: click.UsageError) -> str:
    if not isinstance(error, click.NoSuchOption):
        return error.format_message()
    import difflib

    near = difflib.get_close_matches(error.option_name, error.possibilities or (), n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return clean(f"there is no option {error.option_name[:100]}{hint}")


def sentence(error: OSError) -> str:
    """Return what the system could not do, as a sentence with the file that it is about."""
    reasons = {
        errno.ENOENT: "there is no such file",
        errno.EISDIR: "it is a folder, not a file",
        errno.ENOTDIR: "a part of the path is not a folder",
        errno.EACCES: "you may not open it",
        errno.EPERM: "you may not do that",
        errno.ENOSPC: "the disk is full",
        errno.EDQUOT: "your share of the disk is full",
        errno.EROFS: "the disk can only be read",
        errno.EMFILE: "too many files are open",
        errno.EADDRINUSE: "the address is in use by another program",
    }
    reason = reasons.get(error.errno or 0) or (error.strerror or str(error) or type(error).__name__).lower()
    return clean(f"{os.fsdecode(error.filename)}: {reason}" if error.filename is not None else reason)


def _forget_output() -> None:
    """Send what is still buffered nowhere, so that the interpreter does not complain while it ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def _last_resort(
    invocation: Invocation, kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Say that there is a fault in the program, with a short reference that is the same each time it happens."""
    if issubclass(kind, KeyboardInterrupt):
        say("interrupted")
        return
    frames = traceback.extract_tb(trace)
    place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "unknown"
    reference = hashlib.sha256(f"{kind.__name__} {place}".encode()).hexdigest()[:8]
    say_error(f"internal error, please report it with this reference: {reference} ({kind.__name__} at {place})")
    if invocation.debug:
        traceback.print_exception(kind, error, trace)
    else:
        say("the same command with --debug shows where it happened")
