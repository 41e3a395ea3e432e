"""Indicia keeps an organisation's indicators of compromise, decides with them, and enforces the decision."""

from __future__ import annotations

from os import PathLike, fspath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from indicia.services.scanning import Scan

__all__ = ["scan"]


def scan(
    paths: str | PathLike[str] | Iterable[str | PathLike[str]],
    *,
    database: str | None = None,
    group: str | None = None,
    format: str | None = None,
    actions: Iterable[str] | None = None,
) -> Scan:
    """Return the hits in logs: an iterator of what the indicators decide about in them, as `indicia scan` prints it.

    *paths* are names of files or patterns, *database* is where the indicators are kept (default: as for the command),
    *group* the device group of the devices, *format* the name of a log format (default: by the content of each file),
    *actions* the actions of interest (default: all).

    A hit has ``file``, ``line``, ``time``, ``device``, ``observable``, ``type``, ``action`` and ``indicator``, and
    ``as_dict()``. The ``summary`` of what is returned counts along and has the ``problems``: a file that cannot be read
    is one, and the others go on. Raises the outcomes of `indicia.domain.errors`: `InvalidInput` for what is unknown,
    `Unavailable` where the database cannot be used. The database is closed at the end; `close` ends it sooner.
    """
    # Whoever imports indicia pays for a database and its engine only by using them.
    from indicia.app import App  # noqa: PLC0415 see above
    from indicia.services import reading, scanning  # noqa: PLC0415 see above
    from indicia.services.hits import Question  # noqa: PLC0415 see above
    from indicia.settings import Settings  # noqa: PLC0415 see above

    names = [paths] if isinstance(paths, str | PathLike) else paths
    settings = Settings.from_environment(database)
    app = App.open(settings, upgrade=settings.database_url.startswith("sqlite"))
    try:
        scanning.check_group(app.database, group)
        sources, problems = reading.expand([fspath(name) for name in names])
        found = scanning.scan(
            sources,
            app.engine,
            now=app.now(),
            question=Question(group, settings.network_precedence, scanning.actions_named(actions)),
            format=format,
        )
    except BaseException:
        app.close()
        raise
    for problem in problems:
        found.summary.add(problem)
    return found.then(app.close)
