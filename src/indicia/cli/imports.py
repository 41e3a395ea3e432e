"""`indicia import`: files of indicators in, as one changeset."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from indicia.cli.commands import Invocation, command, pass_invocation
from indicia.cli.parameters import Name, field_options, fields_of
from indicia.cli.waiting import propose_option

_LIST_NEEDS = ("action", "title", "description")


@command(
    "import",
    "indicia import bad.csv --dry-run                what would happen, row by row",
    "indicia import monday.csv tuesday.csv           both files, as one changeset",
    "indicia import bad.csv --on-error skip          the good rows; the others go to bad.csv.rejects.csv",
    "indicia import names.txt --action Block --title Phishing --description 'Case 12' --expires 30d",
    "curl -s https://lists.example/bad.csv | indicia import -",
)
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option(
    "--format",
    "format_",
    type=Name("format", ("auto", "csv", "text", "ndjson")),
    default="auto",
    help="What the files are; default: by their first line.",
)
@click.option("-n", "--dry-run", is_flag=True, help="Check everything, change nothing.")
@click.option("--strict", is_flag=True, help="Refuse what Defender refuses.")
@click.option(
    "--on-error",
    type=Name("choice", ("stop", "skip")),
    default="stop",
    help="What to do about bad rows: import nothing (stop, the default) or the others (skip).",
)
@click.option(
    "--rejects",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Where refused rows go, with their reasons; default with skip: FILE.rejects.csv.",
)
@click.option(
    "--plan",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write what becomes of every row, one JSON object a line.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, with every problem.")
@click.option("--reason", metavar="TEXT", help="Why; kept with the changeset.")
@propose_option
@click.option("-y", "--yes", is_flag=True, expose_value=False, help="Answer yes to every question; import asks none.")
@field_options()
@pass_invocation
def import_command(
    invocation: Invocation,
    files: tuple[str, ...],
    format_: str,
    dry_run: bool,
    strict: bool,
    on_error: str,
    rejects: Path | None,
    plan: Path | None,
    as_json: bool,
    reason: str | None,
    propose: bool,
    **fields: Any,
) -> int:
    """Import files of indicators: Defender's CSV, text lists, or JSON lines; - is stdin.

    All files of one call are one changeset, which `indicia undo` takes back. Every problem of every row is reported.
    Where a row is bad nothing is imported, unless with --on-error skip.

    A text list has one value a line; what it lacks is given by the options from --type on, of which --action, --title
    and --description are needed.
    """
    from indicia.cli import importing
    from indicia.domain.draft import NOTHING_GIVEN

    given = fields_of(fields)
    with importing.opened(files) as inputs:
        request = importing.Request(
            inputs=inputs,
            format=importing.format_of(inputs, format_, "text" if given else "csv"),
            dry_run=dry_run,
            strict=strict,
            skip=on_error == "skip",
            rejects=rejects,
            plan=plan,
            as_json=as_json,
            reason=reason,
            defaults=NOTHING_GIVEN._replace(**given),
            propose=propose,
        )
        _check_fields(request.format, given)
        return importing.run(invocation, request)


def _check_fields(format_: str | None, given: dict[str, Any]) -> None:
    if format_ == "text":
        missing = [f"--{name}" for name in _LIST_NEEDS if not given.get(name)]
        if missing:
            raise click.UsageError(
                f"a text list says nothing but values: {' and '.join(missing)} must be given",
                click.get_current_context(),
            )
    elif given and format_ is not None:
        option = next(iter(given)).replace("_", "-")
        raise click.UsageError(
            f"--{option} gives what a text list lacks, but this is {format_.upper()}, which says it in every row",
            click.get_current_context(),
        )
