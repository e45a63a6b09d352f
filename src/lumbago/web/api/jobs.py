"""Jobs and how far they are, once or as server-sent events."""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from fastapi import APIRouter
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from lumbago.records.jobs import Job, find_job, recent_jobs
from lumbago.web.live import as_event, job_view
from lumbago.web.site import Site
from lumbago.web.visitors import Here, Viewer

router = APIRouter(prefix="/api/v1", tags=["jobs"])
_LATELY_SECONDS = 60.0
_ENDED = frozenset({"done", "failed"})
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


def _looker(site: Site) -> Callable[[], Sequence[Job]]:
    def look() -> Sequence[Job]:
        with site.store.read() as records:
            return recent_jobs(records, _LATELY_SECONDS)

    return look


def _view(site: Site, job_id: str) -> dict[str, Any]:
    with site.store.read() as records:
        return job_view(find_job(records, job_id))


@router.get("/jobs")
def jobs(visitor: Viewer, site: Here) -> list[dict[str, Any]]:
    """What waits, runs, or ended within the last minute."""
    return [job_view(job) for job in _looker(site)()]


@router.get("/jobs/{job_id}")
def job(job_id: str, visitor: Viewer, site: Here) -> dict[str, Any]:
    """One job."""
    return _view(site, job_id)


@router.get("/events", response_class=StreamingResponse)
async def events(visitor: Viewer, site: Here) -> StreamingResponse:
    """Every change of every job, as server-sent events named `job`."""

    async def told() -> AsyncIterator[bytes]:
        async for view in site.live.jobs(_looker(site)):
            yield as_event(view)

    return StreamingResponse(told(), media_type="text/event-stream", headers=_HEADERS)


@router.get("/jobs/{job_id}/events", response_class=StreamingResponse)
async def job_events(job_id: str, visitor: Viewer, site: Here) -> StreamingResponse:
    """The changes of one job, until it has ended."""
    first = await run_in_threadpool(_view, site, job_id)

    async def told() -> AsyncIterator[bytes]:
        yield as_event(first)
        if first["state"] in _ENDED:
            return
        async for view in site.live.jobs(_looker(site)):
            now = view if view.get("id") == job_id else {}
            if not view:  # nothing was heard for a while: the watcher may have begun after the end
                now = await run_in_threadpool(_view, site, job_id)
            if view and not now:
                continue
            yield as_event(now)
            if now.get("state") in _ENDED:
                return

    return StreamingResponse(told(), media_type="text/event-stream", headers=_HEADERS)
