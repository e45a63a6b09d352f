"""A worker: takes jobs from the records, one after the other, and does each in a child process.

A job is held under a lease that is renewed while its child lives; a worker that dies lets it run out, and another goes
on. A child that crashes or takes too long costs its study one more try; what the input is to blame for costs none. A
fault of our own ends its job, never the worker: the log has the traceback.
"""

import fcntl
import logging
import os
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from sqlalchemy.exc import OperationalError

from lumbago.batch.analyze_job import analyze_study_job, note_failure
from lumbago.batch.export_job import export_labels_job
from lumbago.batch.receive_job import receive_upload_job
from lumbago.batch.report_job import report_study_job
from lumbago.batch.run_child import ChildFailed
from lumbago.batch.workshop import Workshop
from lumbago.errors import LumbagoError, NotInRecords
from lumbago.records.jobs import Job, fail_job, finish_job, renew_job, take_job
from lumbago.records.store import Store
from lumbago.settings import Settings

LEASE_SECONDS: Final = 60.0
_RENEW_SECONDS: Final = 5.0
_IDLE_SECONDS: Final = 1.0
_TRIES: Final = 2
_FOLDER: Final = "lumbago-job-"
_ASK: Final = "ask the admin: the worker's log says where"
_LOG: Final = logging.getLogger(__name__)


Doing = Callable[[Job, Workshop], Mapping[str, Any] | None]
"""Does a job; gives what came of it, or None when it has finished the job itself."""
DOERS: Final[Mapping[str, Doing]] = {
    "receive": receive_upload_job, "analyze": analyze_study_job, "report": report_study_job,
    "export": export_labels_job,
}  # fmt: skip


def worker_name() -> str:
    """This worker among all: machine, process, and a random part."""
    return f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:6]}"


def work(store: Store, settings: Settings, stop: threading.Event) -> None:
    """Does jobs until told to stop; a job that is begun is finished. A database that does not answer is waited for."""
    name = worker_name()
    while not stop.is_set():
        try:
            with store.write() as records:
                job = take_job(records, name, LEASE_SECONDS)
            if job is not None:
                do_job(store, settings, job)
        except OperationalError as error:
            _LOG.warning("the database does not answer (%s); it is asked again", error.orig)
            job = None
        if job is None:
            stop.wait(_IDLE_SECONDS)


def do_job(store: Store, settings: Settings, job: Job) -> None:
    """Does one job that this worker holds, and says in the records how it ended.

    Raises:
        OperationalError: the database does not answer; the job goes to the next one when its lease runs out.
    """
    try:
        with _own_folder() as folder, _Lease(store, job) as lease:
            result = DOERS[job.kind](job, Workshop(store, settings, folder, lease.tell))
        if result is not None:
            with store.write() as records:
                finish_job(records, job, result)
    except NotInRecords as error:
        _LOG.warning("job %s: %s", job.id, error)
    except LumbagoError as error:
        _fail(store, job, error)
    except OperationalError:
        raise  # the job is taken up again when its lease has run out
    except Exception as error:  # noqa: BLE001 -- a job's border: whatever is wrong with one, the others wait
        _LOG.exception("job %s", job.id)
        _fail(store, job, LumbagoError(f"a fault of Lumbago's own ended this ({type(error).__name__})", advice=_ASK))


@contextmanager
def _own_folder() -> Iterator[Path]:
    """An empty folder that goes when the block ends; those of workers that were killed, with patients' images in them,
    go before. Who lives holds a lock on theirs."""
    for old in Path(tempfile.gettempdir()).glob(f"{_FOLDER}*"):
        with suppress(OSError), _locked(old):
            if old.stat().st_mtime < time.time() - LEASE_SECONDS:  # a younger one is about to be locked
                shutil.rmtree(old)
    folder = Path(tempfile.mkdtemp(prefix=_FOLDER))
    try:
        with _locked(folder):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Holds a folder's lock, which the system lets go of with the process.

    Raises:
        OSError: another one has it.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(handle)


def _fail(store: Store, job: Job, error: LumbagoError) -> None:
    again = isinstance(error, ChildFailed) and job.attempts < _TRIES
    _LOG.warning("job %s, try %d: %s", job.id, job.attempts, error)
    try:
        with store.write() as records:
            fail_job(records, job, str(error), retry=again)
            note_failure(records, job, error, again=again)
    except NotInRecords as gone:
        _LOG.warning("job %s: %s", job.id, gone)


class _Lease:
    """Renews the hold on a job from a thread of its own, so that a long step does not lose it."""

    def __init__(self, store: Store, job: Job) -> None:
        self._store, self._job = store, job
        self._said: tuple[float, str] = (0.0, "")
        self._ended = threading.Event()
        self._news = threading.Event()
        self._thread = threading.Thread(target=self._renew, daemon=True)

    def __enter__(self) -> "_Lease":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._news.set()
        self._thread.join()

    def tell(self, progress: float, message: str) -> None:
        """What is shown of the job from now on."""
        self._said = (progress, message)
        self._news.set()

    def _renew(self) -> None:
        while not self._ended.is_set():
            self._news.wait(_RENEW_SECONDS)
            self._news.clear()
            if self._ended.is_set():
                return
            try:
                with self._store.write() as records:
                    renew_job(records, self._job, LEASE_SECONDS, *self._said)
            except NotInRecords:
                return
            except OperationalError as error:
                _LOG.warning("job %s: its lease could not be renewed (%s)", self._job.id, error.orig)
            self._ended.wait(0.5)
