"""What the pages say of an import: its state in a word and a sentence, its progress in rows, rate and time left."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final, NamedTuple

from indicia.services.import_job import Job, Phase, Progress, State
from indicia.services.imports import Format
from indicia.web.portal.page import count, words

_FORMATS: Final[Mapping[Format, str]] = {
    Format.CSV: "CSV",
    Format.TEXT: "Text list",
    Format.NDJSON: "JSON lines",
}
_DELIMITERS: Final[Mapping[str | None, str]] = {",": "commas", ";": "semicolons", "\t": "tabs"}
_DOING: Final[Mapping[Phase, str]] = {
    Phase.WAITING: "Waiting for another import to end",
    Phase.CORRECTING: "Correcting the file",
    Phase.PLANNING: "Checking the rows; nothing is changed yet",
    Phase.APPLYING: "Importing; it counts as a whole at the end",
}


class Told(NamedTuple):
    """An import in words; ``mood`` is the kind of notice that fits, ``label`` one word for a list."""

    job: Job
    label: str
    mood: str
    sentence: str

    @property
    def href(self) -> str:
        return f"/import/{self.job.id}"


def told_of(job: Job) -> Told:
    """Return what there is to say of *job* in a list."""
    counts = job.counts
    match job.state:
        case State.PLANNING | State.APPLYING:
            return Told(job, "Checking" if job.state is State.PLANNING else "Importing", "info", progress_of(job))
        case State.PLANNED:
            parts = _outcomes(counts) or "nothing in it"
            return Told(job, "Waits for you", "warning" if counts["refused"] else "info", parts)
        case State.REFUSED:
            if job.needs_options:
                named = ", ".join(words(each["column"]).lower() for each in job.fatal)
                return Told(job, "Needs options", "warning", f"say what every value of the list gets: {named}")
            reasons = "; ".join(str(each["message"]) for each in job.fatal[:2])
            return Told(job, "Cannot be imported", "error", reasons or "the file cannot be imported as it is")
        case State.APPLIED:
            return Told(job, "Imported", "ok", _outcomes(counts, done=True))
        case State.CANCELLED:
            return Told(job, "Stopped", "info", "nothing was changed")
        case State.INTERRUPTED:
            return Told(job, "Interrupted", "warning", "the server was stopped meanwhile; nothing was changed")
        case State.FAILED:
            why = job.failure.message if job.failure else "nothing was changed"
            return Told(job, "Failed", "error", why)


def _outcomes(counts: Mapping[str, int], *, done: bool = False) -> str:
    names = (
        ("created", "added" if done else "new"),
        ("updated", "updated"),
        ("held", "held"),
        ("unchanged", "unchanged"),
        ("refused", "left out" if done else "refused"),
    )
    return ", ".join(f"{count(counts[name])} {word}" for name, word in names if counts[name])


def progress_of(job: Job) -> str:
    """Return how far *job* has got, in a sentence."""
    progress = job.progress
    if progress is None:
        return "under way"
    if progress.phase in (Phase.WAITING, Phase.CORRECTING) or not progress.rows:
        return f"{_DOING[progress.phase]}."
    expected = f" of {count(progress.rows_expected)}" if progress.rows_expected else ""
    parts = [f"{count(progress.rows)}{expected} rows", f"{size(progress.bytes)} of {size(progress.size)}"]
    if progress.rate:
        parts.append(f"{count(round(progress.rate))} rows/s")
    parts.append(_left(progress))
    return f"{_DOING[progress.phase]}. {' · '.join(parts)}"


def _left(progress: Progress) -> str:
    if progress.share >= 1:
        return "finishing"
    seconds = progress.remaining_s
    return f"about {duration(seconds)} left" if seconds is not None else "time left not known yet"


def state_of(job: Job) -> dict[str, Any]:
    """Return what a page that waits for *job* has to know."""
    told = told_of(job)
    return {
        "id": job.id,
        "state": job.state.value,
        "label": told.label,
        "mood": told.mood,
        "text": told.sentence,
        "percent": round(100 * job.progress.share) if job.progress else None,
        "done": not job.under_way,
        "href": told.href,
    }


def what_it_is(job: Job) -> str:
    """Return what the file was taken for."""
    wish = job.wish
    parts = [_FORMATS[wish.format]]
    if wish.format is Format.CSV:
        parts.append(f"separated by {_DELIMITERS.get(wish.delimiter, 'commas')}")
    return ", ".join([*parts, wish.encoding, size(job.record.size)])


def size(number: int) -> str:
    """Return a number of bytes as people say it.

    >>> size(512), size(20_480), size(73_400_320)
    ('512 bytes', '20 kB', '70 MB')
    """
    if number < 1 << 10:
        return f"{number} bytes"
    return f"{number / (1 << 10):,.0f} kB" if number < 1 << 20 else f"{number / (1 << 20):,.0f} MB"


def duration(seconds: float) -> str:
    """Return a time as people say it.

    >>> duration(0.4), duration(42), duration(150)
    ('1 s', '42 s', '2 min 30 s')
    """
    whole = timedelta(seconds=max(1, round(seconds)))
    minutes, rest = divmod(int(whole.total_seconds()), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
