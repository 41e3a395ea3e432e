"""`indicia audit` and `verify`: the chain for an auditor, its checkpoints, and the proof that nobody rewrote it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from indicia.cli.commands import Group, Invocation, actor, command, pass_invocation
from indicia.cli.output import FAILED, OK, clean, number, plain_table, say_error, show, show_json, stdout
from indicia.cli.parameters import Moment

if TYPE_CHECKING:
    from indicia.services.signing import PublicKey
    from indicia.store.changesets import ChangeSetRecord
    from indicia.store.checkpoints import Checkpoint

_LINES_AT_ONCE: Final = 1_000
_READABLE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)
_as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")

audit_command = Group(
    "audit",
    help="""What happened, changes or not: list, export, check; and the key that signs it.

    Every change, sign-in, denial, export and setting is an entry of one chain, and `indicia verify` proves that it is
    whole.""",
    examples=(
        "indicia audit list --kind sign-in.refused --since 7d",
        "indicia audit export --format cef --since 1d > audit.cef",
        "indicia audit key > audit.pub",
    ),
)


@audit_command.command(
    "list", examples=("indicia audit list", "indicia audit list --kind access.denied --actor ada --json")
)
@click.option("--since", type=Moment(), metavar="TIME", help="Only since then: a time, or 7d ago.")
@click.option("--until", type=Moment(), metavar="TIME", help="Only before then.")
@click.option("--kind", metavar="KIND", help="Only of this kind, such as sign-in.")
@click.option("--actor", "who", metavar="ID", help="Only what this person or client did.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=30, metavar="N", help="At most so many; default: 30.")
@click.option("--before", type=click.IntRange(1), metavar="CHANGESET", help="Only older ones.")
@_as_json
@pass_invocation
def audit_list(
    invocation: Invocation,
    since: datetime | int | None,
    until: datetime | int | None,
    kind: str | None,
    who: str | None,
    limit: int,
    before: int | None,
    as_json: bool,
) -> None:
    """Show what happened, the newest first: sign-ins and denials beside changes."""
    from indicia.services import audit_export

    sought = audit_export.Sought(actor=who, kind=kind, since=_time(since, "--since"), until=_time(until, "--until"))
    with invocation.app() as app:
        records = audit_export.page(app.database, sought, actor=actor(), limit=limit, before=before)
    if as_json:
        show_json({"entries": [audit_export.entry_as_dict(record) for record in records]})
        return
    rows = [
        (record.id, f"{record.at:%Y-%m-%d %H:%M:%S}", record.actor_name, record.source, record.kind, _about(record))
        for record in records
    ]
    for line in plain_table(("ID", "AT", "BY", "FROM", "WHAT", "ABOUT"), rows, right=(0,)):
        show(line)
    if len(records) == limit and records[-1].id > 1:
        invocation.tell(f"older ones: indicia audit list --before {records[-1].id}")


def _about(record: ChangeSetRecord) -> str:
    from indicia.services.audit_told import told

    times = record.details.get("times")
    said = [f"{times} times"] if isinstance(times, int) else []
    return clean(" · ".join(filter(None, (*said, told(record), record.reason))))


@audit_command.command(
    "export",
    examples=(
        "indicia audit export > audit.jsonl                          everything, to be checked anywhere",
        "indicia audit export --format cef --since 2026-01-31 > audit.cef",
    ),
)
@click.option(
    "--format", "form", type=click.Choice(["jsonl", "cef"]), default="jsonl", help="JSON lines (default), or CEF."
)
@click.option("--since", type=Moment(), metavar="TIME", help="Only since then: a time, or 7d ago.")
@click.option("--until", type=Moment(), metavar="TIME", help="Only before then.")
@click.option("--kind", metavar="KIND", help="Only of this kind, such as sign-in.")
@click.option("--actor", "who", metavar="ID", help="Only what this person or client did.")
@pass_invocation
def audit_export_command(
    invocation: Invocation,
    form: str,
    since: datetime | int | None,
    until: datetime | int | None,
    kind: str | None,
    who: str | None,
) -> None:
    """Write every entry as a line to stdout, the oldest first.

    JSON lines hold the hashes of the chain: `indicia audit check` proves them without a database. CEF is what
    collectors of logs read. The export is an entry of the audit itself.
    """
    from indicia.services import audit_export

    sought = audit_export.Sought(actor=who, kind=kind, since=_time(since, "--since"), until=_time(until, "--until"))
    rows = 0
    with invocation.app() as app:
        records = audit_export.walk(app.database, sought, actor=actor())
        lines = audit_export.lines_of(records, audit_export.Format(form))
        out = stdout()
        try:
            while some := list(islice(lines, _LINES_AT_ONCE)):
                out.write("".join(some).encode())
                rows += len(some)
            out.flush()
        finally:
            details = {"rows": rows, "format": form, "kind": kind, "actor": who, "since": since, "until": until}
            app.audit.note("export", actor=actor(), now=app.now(), details=details, subject="audit")
    invocation.tell(f"{number(rows, 'line')} written")


@audit_command.command("check", examples=("indicia audit check audit.jsonl",))
@click.argument("file", type=_READABLE)
@click.option("--partial", is_flag=True, help="It was filtered, so that entries may be missing between others.")
@_as_json
@pass_invocation
def audit_check(invocation: Invocation, file: Path, partial: bool, as_json: bool) -> int:
    """Prove the chain of an export of JSON lines, without the database that it came from.

    Exit code 1 where an entry was altered, is missing, or stands where it did not.
    """
    from indicia.services import audit_export

    with file.open("rb") as lines:
        count, head, faults = audit_export.check_lines(_bounded(lines), partial=partial)
    for fault in faults:
        say_error(clean(fault))
    if as_json:
        show_json({"ok": not faults, "entries": count, "head": head, "faults": faults})
    elif head is not None:
        show(head)
    if not faults:
        invocation.tell(f"{number(count, 'entry', 'entries')}: all is as it was written")
    return FAILED if faults else OK


def _bounded(lines: Any) -> Iterator[bytes]:
    """Yield the lines of a file, none longer than what is refused as no entry."""
    while line := lines.readline((1 << 20) + 1):
        yield line


@audit_command.command("key", examples=("indicia audit key > audit.pub",))
@_as_json
@pass_invocation
def audit_key(invocation: Invocation, as_json: bool) -> None:
    """Print the public key that checks checkpoints; keep it where whoever runs this server cannot change it."""
    with invocation.app() as app:
        public = app.checkpoints.key.public
    if as_json:
        show_json({"keyId": public.id, "publicKey": public.text, "pem": public.pem})
    else:
        show(public.pem.rstrip())


@audit_command.command("checkpoint", examples=("indicia audit checkpoint >> checkpoints.jsonl",))
@pass_invocation
def audit_checkpoint(invocation: Invocation) -> None:
    """Sign where the chain is now, and print the newest checkpoint; `indicia serve` does so by itself."""
    from indicia.services import checkpoints

    with invocation.app() as app:
        app.checkpoints.make(app.database, app.now(), due=False)
        app.checkpoints.append(app.database)
        found = checkpoints.newest(app.database, limit=1, actor=actor())
    for each in found:
        show(checkpoints.line_of(each).decode())


def _time(moment: datetime | int | None, option: str) -> datetime | None:
    if isinstance(moment, int):
        raise click.UsageError(f"{option} takes a time, or how long ago, and not the number of a changeset")
    return moment


# -- verify -----------------------------------------------------------------------------------------------------------


@command(
    "verify",
    "indicia verify                     prints the hash of the newest changeset: write it down elsewhere",
    "indicia verify --head 9f86d081…    and that what was written down then is still part of the history",
    "indicia verify --checkpoints checkpoints.jsonl --public-key audit.pub",
)
@click.option("--head", metavar="HASH", help="A hash that this command printed earlier.")
@click.option(
    "--checkpoints",
    "files",
    type=_READABLE,
    multiple=True,
    metavar="FILE",
    help="Checkpoints that were kept elsewhere; may be repeated.",
)
@click.option(
    "--public-key",
    "key_file",
    type=_READABLE,
    metavar="FILE",
    help="Only what these keys signed counts; see audit key.",
)
@_as_json
@pass_invocation
def verify_command(
    invocation: Invocation, head: str | None, files: tuple[Path, ...], key_file: Path | None, as_json: bool
) -> int:
    """Prove that the history was not altered: every changeset is signed over the one before and over its rows.

    Who can write to the database can write a whole new history. That shows when a hash that was kept elsewhere is
    given as --head, or signed checkpoints that were. Exit code 1 where anything does not agree.
    """
    from indicia.services.checkpoints import own_keys
    from indicia.services.verification import verify_all

    with invocation.app() as app:
        own = own_keys(app.checkpoints.shipping.key_file)
        trusted, kept = _trusted(key_file), _kept(files)
        newest, faults = verify_all(app.database, actor=actor(), head=head, own=own, trusted=trusted, kept=kept)
    for fault in faults:
        say_error(clean(fault))
    if as_json:
        document = {
            "ok": not faults,
            "changeset": newest.id if newest else None,
            "head": newest.hash.hex() if newest else None,
            "faults": faults,
        }
        show_json(document)
    elif newest is not None:
        show(newest.hash.hex())
    if not faults:
        invocation.tell(f"{number(newest.id if newest else 0, 'changeset')}: all is as it was written")
    return FAILED if faults else OK


def _trusted(key_file: Path | None) -> dict[str, PublicKey] | None:
    from indicia.services.signing import MOST_KEY_BYTES, public_keys

    if key_file is None:
        return None
    with key_file.open("rb") as opened:
        return public_keys(opened.read(MOST_KEY_BYTES).decode("utf-8", "replace"))


def _kept(files: tuple[Path, ...]) -> Iterator[tuple[str, Checkpoint]]:
    from indicia.services.checkpoints import kept_in

    for file in files:
        with file.open("rb") as lines:
            yield from kept_in(_bounded(lines), str(file))
