"""An upgrade that a server ends because of a deadlock with who reads is begun again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from indicia.domain.errors import Unavailable
from indicia.store import schema_floor
from indicia.store.database import Database


class Deadlock(Exception):
    """What the driver raises."""

    sqlstate = "40P01"


@pytest.mark.parametrize("times", [0, 1, 3, 1_000])
def test_it_is_begun_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    done, settle = 0, schema_floor.settle_oldest_program

    def settled(connection: Any) -> None:
        nonlocal done
        done += 1
        if done <= times:
            raise OperationalError("ALTER TABLE", {}, Deadlock())
        settle(connection)

    monkeypatch.setattr(schema_floor, "settle_oldest_program", settled)
    database = Database.open(f"sqlite:///{tmp_path / 'x.db'}")
    if times < 1_000:
        assert database.upgrade()
        assert (done, database.schema_is_current()) == (times + 1, True)
    else:
        with pytest.raises(Unavailable):
            database.upgrade()
        assert done == 6
        assert database.schema() is None, "nothing of it was done"
    database.close()
