"""How this node is doing among the others: what is worth a warning, though it still answers, and some numbers."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from indicia.services.announcing import Follower
from indicia.services.clock import Clock
from indicia.services.engine import Engine
from indicia.services.health import Check
from indicia.services.nodes import Node

#: A clock that is further off than this is no drift: somebody should look at it, though no verdict hangs on it.
CLOCK_IS_OFF: Final = timedelta(seconds=5)


def node_checks(node: Node, follower: Follower, clock: Clock, engine: Engine) -> list[Check]:
    """Look at what a node of several depends on; raises `Unavailable` where the database does not answer."""
    checks = []
    off = clock.off_by()
    if abs(off) > CLOCK_IS_OFF:
        text = f"this machine's clock is {_signed(off)} off the database's, which is the one that counts; set it"
        checks.append(Check("Clock", "warning", text))
    if follower.needed and follower.started and not follower.hears:
        text = "announcements of changes are not heard; the database is asked every second instead"
        checks.append(Check("Announcements", "warning", text))
    if engine.trouble is not None:
        checks.append(Check("Engine", "warning", engine.trouble))
    known = node.all()
    for each in known:
        if not each.alive:
            seen = f"{each.record.seen_at:%Y-%m-%d %H:%M:%S} UTC"
            text = f"{each.record.name} was last seen at {seen}, and ended without a farewell"
            checks.append(Check("Nodes", "warning", text))
    living = [each.record.name + (" (this one)" if each.this else "") for each in known if each.alive]
    if len(living) > 1:
        checks.append(Check("Nodes", "ok", f"{len(living)} serve this database: {', '.join(living)}"))
    return checks


def numbers(node: Node, follower: Follower, clock: Clock) -> dict[str, tuple[str, float]]:
    """Return numbers for those who watch: their names, what they mean, and what they are."""
    known = node.all()
    return {
        "indicia_nodes": ("Processes that serve this database and live", sum(each.alive for each in known)),
        "indicia_nodes_lost": ("Processes that ended without a farewell lately", sum(not each.alive for each in known)),
        "indicia_clock_offset_seconds": (
            "How far this machine's clock is ahead of the one that counts",
            clock.off_by().total_seconds(),
        ),
        "indicia_listening": ("Whether announcements of changes are heard", float(follower.hears)),
        "indicia_announcements_heard": ("Announcements heard since the start", float(follower.heard)),
    }


def _signed(off: timedelta) -> str:
    seconds = off.total_seconds()
    return f"{seconds:+,.0f} seconds"
