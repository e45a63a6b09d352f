"""Work that waits: a queue in the records. A worker takes a job under a lease and renews it; a lease that runs out
gives the job to the next one. After three attempts a job is parked as failed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, select

from lumbago.errors import NotInRecords
from lumbago.records.rows import built, row_of
from lumbago.records.standing import set_failed
from lumbago.records.tables import JOBS, new_id, now

ATTEMPTS: Final = 3
_C: Final = JOBS.c


@dataclass(frozen=True, slots=True)
class Job:
    """A job: `state` is `waiting`, `running`, `done` or `failed`; `progress` goes from 0 to 1."""

    id: str
    kind: str
    study_id: str | None
    payload: Mapping[str, Any]
    state: str
    progress: float
    message: str
    error: str
    attempts: int
    priority: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    lease_until: datetime | None
    worker: str


def add_job(
    db: Connection, kind: str, study: str | None = None, payload: Mapping[str, Any] | None = None, priority: int = 0
) -> Job:
    """Puts a job into the queue; a higher priority goes first, then the older one."""
    job = Job(
        new_id(), kind, study, dict(payload or {}), "waiting", 0.0, "", "", 0, priority, now(), None, None, None, ""
    )
    db.execute(JOBS.insert().values(**{name: getattr(job, name) for name in Job.__slots__}))
    return job


def take_job(db: Connection, worker: str, seconds: float) -> Job | None:
    """The next job, leased to a worker for so long; None when none waits. What a worker has let run out is given again,
    or parked after ATTEMPTS."""
    moment = now()
    expired = (_C.state == "running") & (_C.lease_until < moment)
    _park(db, expired & (_C.attempts >= ATTEMPTS))
    free = (_C.state == "waiting") | (expired & (_C.attempts < ATTEMPTS))
    row = db.execute(select(JOBS).where(free).order_by(_C.priority.desc(), _C.created_at, _C.id).limit(1)).first()
    if row is None:
        return None
    lease = {"lease_until": moment + timedelta(seconds=seconds), "started_at": moment, "worker": worker}
    begun = {"state": "running", "attempts": row.attempts + 1, "progress": 0.0, "message": "", "error": ""}
    db.execute(JOBS.update().where(_C.id == row.id).values(**lease, **begun))
    return find_job(db, row.id)


def _park(db: Connection, lost: ColumnElement[bool]) -> None:
    """Gives up on jobs whose workers died each time, and says so at their studies."""
    error = f"given up after {ATTEMPTS} attempts, each of which ended its worker"
    studies = list(db.execute(select(_C.study_id).where(lost & (_C.kind == "analyze"))).scalars())
    db.execute(JOBS.update().where(lost).values(state="failed", error=error, finished_at=now()))
    for study in studies:
        set_failed(db, study, "failed", error)


def renew_job(db: Connection, job: Job, seconds: float, progress: float, message: str = "") -> None:
    """Says how far a job is, and goes on holding it.

    Raises:
        NotInRecords: another worker has it by now, or it is deleted: leave off.
    """
    values = {"lease_until": now() + timedelta(seconds=seconds), "progress": progress, "message": message}
    _held(db, job, values)


def finish_job(db: Connection, job: Job, result: Mapping[str, Any] | None = None) -> None:
    """Marks a job as done; what came of it joins its payload.

    Raises:
        NotInRecords: another worker has it by now, or it is deleted: forget what was made.
    """
    _held(db, job, {"state": "done", "progress": 1.0, "finished_at": now(), "lease_until": None,
                    "payload": {**job.payload, **(result or {})}})  # fmt: skip


def fail_job(db: Connection, job: Job, error: str, *, retry: bool) -> None:
    """Puts a job back into the queue, or parks it as failed when it is not to be retried or was tried ATTEMPTS times.

    Raises:
        NotInRecords: another worker has it by now, or it is deleted.
    """
    again = retry and job.attempts < ATTEMPTS
    state = {"state": "waiting"} if again else {"state": "failed", "finished_at": now()}
    _held(db, job, {**state, "error": error, "lease_until": None})


def _held(db: Connection, job: Job, values: Mapping[str, Any]) -> None:
    ours = (_C.id == job.id) & (_C.state == "running") & (_C.worker == job.worker) & (_C.attempts == job.attempts)
    if db.execute(JOBS.update().where(ours).values(**values)).rowcount != 1:
        raise NotInRecords(f"the job {job.id} is no longer this worker's")


def find_job(db: Connection, job: str) -> Job:
    """The job of an id.

    Raises:
        NotInRecords: there is none.
    """
    return built(Job, row_of(db, JOBS, job, "job"))


def jobs_of_study(db: Connection, study: str) -> Sequence[Job]:
    """A study's jobs, the newest first."""
    query = select(JOBS).where(_C.study_id == study).order_by(_C.created_at.desc(), _C.id)
    return [built(Job, row) for row in db.execute(query)]


def open_jobs(db: Connection) -> Sequence[Job]:
    """What waits or runs, in the order of the queue."""
    query = select(JOBS).where(_C.state.in_(("waiting", "running")))
    return [built(Job, row) for row in db.execute(query.order_by(_C.priority.desc(), _C.created_at, _C.id))]


def recent_jobs(db: Connection, seconds: float) -> Sequence[Job]:
    """What waits or runs, and what ended less than so many seconds ago."""
    lately = _C.finished_at > now() - timedelta(seconds=seconds)
    query = select(JOBS).where(_C.state.in_(("waiting", "running")) | lately)
    return [built(Job, row) for row in db.execute(query.order_by(_C.created_at, _C.id))]
