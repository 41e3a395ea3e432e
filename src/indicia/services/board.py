"""A board that all nodes see: what one of them does just now, or did last, for a page that any of them may show."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import orjson

from indicia.domain.errors import Unavailable
from indicia.services.nodes import Node
from indicia.store.database import Database


class Board:
    """Notes by name, each in the place of the one before; what cannot be pinned up is lost, and nothing else."""

    def __init__(self, database: Database, node: Node, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._node = node
        self._clock = clock

    def pin(self, name: str, note: Mapping[str, Any]) -> None:
        """Let all nodes see *note*: texts, numbers, times and lists of them."""
        self._node.show()
        try:
            with self._database.aside() as tx:
                tx.nodes.pin(name, self._node.id, self._clock(), orjson.dumps(note).decode())
        except Unavailable:
            return

    def read(self, name: str) -> tuple[dict[str, Any], bool] | None:
        """Return what was pinned up last and whether the node that did lives; None where it was this one, or nobody."""
        with self._database.snapshot() as tx:
            found = tx.nodes.pinned(name)
        if found is None or found.node == self._node.id:
            return None
        note: dict[str, Any] = orjson.loads(found.data)
        return note, self._node.is_alive(found.node)
