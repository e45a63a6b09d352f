"""A worker on another machine: a process that has the database's address and the shared folder, and nothing else."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from coarse_study import coarse_study
from lumbago.phantom import write_study as writer
from lumbago.records.jobs import Job, add_job, find_job
from lumbago.records.patients import PatientFacts
from lumbago.records.store import Store, open_store
from lumbago.records.studies import StudyFacts, add_study, find_study
from lumbago.records.tables import JOBS, now
from lumbago.web.uploads import UploadedFile, append_chunk, begin_upload
from postgres_server import new_database

pytestmark = pytest.mark.system
PATIENCE_SECONDS = 900.0


@contextmanager
def another_machine(url: str, home: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`lumbago worker` in a process group of its own."""
    environment = {**os.environ, "LUMBAGO_DATABASE": url, "LUMBAGO_HOME": str(home), "LUMBAGO_THREADS": "1"}
    command = [sys.executable, "-m", "lumbago", "worker"]
    with subprocess.Popen(command, env=environment, start_new_session=True) as process:
        try:
            yield process
        finally:
            process.kill()


def until(done: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not done():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.1)


def queued_upload(store: Store, home: Path, folder: Path) -> str:
    """The job of an upload, as the server queues it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "phantom_study", coarse_study)
        study = writer.write_study(folder, 4100)
    files = sorted((study / "dicom").rglob("*.dcm"))
    (home / "uploads").mkdir()
    listed = [UploadedFile(path.name, path.stat().st_size) for path in files]
    upload = begin_upload(home / "uploads", "anna", "phantom", listed, 1 << 30)
    append_chunk(home / "uploads", upload, 0, b"".join(path.read_bytes() for path in files))
    with store.write() as records:
        return add_job(records, "receive", None, {"upload": upload.id, "user": "anna"}, priority=1).id


def hopeless_job(store: Store) -> str:
    """One that costs nothing: the analysis of a study without images."""
    with store.write() as records:
        study = add_study(records, PatientFacts("P"), StudyFacts("2.25.1"))
        return add_job(records, "analyze", study.id).id


def cut_connections(store: Store) -> None:
    """As when the network or the database was away for a moment."""
    with store.write() as records:
        cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
        records.execute(text(f"{cut} AND pid <> pg_backend_pid()"))


def test_a_killed_worker_s_job_is_taken_up_by_another(postgres: int, tmp_path: Path) -> None:
    url, home = new_database(postgres), tmp_path / "home"
    store = open_store(url, home / "files")
    job = queued_upload(store, home, tmp_path / "phantom")

    def now_of() -> Job:
        with store.read() as records:
            return find_job(records, job)

    def ended(one: str) -> bool:
        with store.read() as records:
            return find_job(records, one).state in {"done", "failed"}

    with another_machine(url, home) as first:
        until(lambda: now_of().state == "running")
        held = now_of()
        assert held.attempts == 1 and f"-{first.pid}-" in held.worker
        assert held.lease_until is not None and held.lease_until > now()
        os.kill(first.pid, signal.SIGKILL)
    lease = now_of().lease_until
    with another_machine(url, home) as second:
        other = hopeless_job(store)
        until(lambda: ended(other))
        assert lease is not None
        assert now_of().worker == held.worker or now() > lease, "a lease that holds is nobody else's"
        with store.write() as records:  # its minute is over
            past = now() - timedelta(seconds=1)
            mine = (JOBS.c.id == job) & (JOBS.c.worker == held.worker)
            records.execute(JOBS.update().where(mine).values(lease_until=past))
        until(lambda: f"-{second.pid}-" in now_of().worker)
        cut_connections(store)
        second.send_signal(signal.SIGTERM)  # told to end, it ends what it has begun
        until(lambda: ended(job))
        done = now_of()
        assert (done.state, done.error, done.attempts) == ("done", "", 2)
        with store.read() as records:
            (study,) = (find_study(records, one) for one in done.payload["studies"])
        assert (study.state, study.received_from) == ("waiting", "anna")
        assert list((home / "uploads").iterdir()) == []
        assert second.wait(PATIENCE_SECONDS) == 0
    store.close()
