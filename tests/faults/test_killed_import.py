"""A server that is killed while it imports in the background: nothing of it counts, and its page says so."""

from __future__ import annotations

import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from indicia.app import App
from indicia.services.import_job import State
from indicia.settings import Settings
from tests.integration.stores import ADMIN, contents, csv_of, domains, faults

# Says how far it is, and waits there a while: long enough to be killed in the middle.
PROGRAM = """
import io, sys, time
from indicia.app import App
from indicia.services import import_jobs
from indicia.services.import_job import Wish
from indicia.settings import Settings
from tests.integration.stores import ADMIN

url, file, killed_at = sys.argv[1:]
heard = import_jobs.Ear.progress

def progress(self, name, position, rows):
    heard(self, name, position, rows)
    print(self._run.progress.phase, rows, flush=True)
    if rows and self._run.progress.phase == killed_at:
        time.sleep(60)

import_jobs.Ear.progress = progress
app = App.open(Settings(database_url=url), upgrade=True)
job = app.imports.start("list.csv", open(file, "rb"), Wish(), actor=ADMIN)
app.imports.wait(job.id, 60)
job = app.imports.get(job.id, actor=ADMIN)
app.imports.apply(job.id, plan=job.plan, skip_bad_rows=False, reason=None, actor=ADMIN)
app.imports.wait(job.id, 60)
"""


@pytest.mark.parametrize("phase", ["planning", "applying"])
def test_killed_in_the_middle(tmp_path: Path, phase: str) -> None:
    file = tmp_path / "list.csv"
    file.write_bytes(csv_of(domains(range(12_000))))
    url = f"sqlite:///{tmp_path / 'indicia.db'}"
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, url, str(file), phase], stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        for line in server.stdout:
            said, rows = line.split()
            if said == phase and int(rows):
                break
        server.send_signal(signal.SIGKILL)
    app = App.open(Settings(database_url=url), upgrade=True)
    try:
        [job] = app.imports.newest(actor=ADMIN)
        assert (job.state, contents(app.database), faults(app.database)) == (State.INTERRUPTED, {}, [])
        app.imports.plan_again(job.id, actor=ADMIN)
        assert app.imports.wait(job.id, 60)
        again = app.imports.get(job.id, actor=ADMIN)
        assert again.counts["created"] == 12_000
        app.imports.apply(job.id, plan=again.plan, skip_bad_rows=False, reason=None, actor=ADMIN)
        assert app.imports.wait(job.id, 60)
        assert app.imports.get(job.id, actor=ADMIN).state is State.APPLIED
        assert len(contents(app.database, now=datetime.now(UTC))) == 12_000
        assert faults(app.database) == []
    finally:
        app.close()
