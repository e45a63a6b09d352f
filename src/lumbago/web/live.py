"""What changes while people look: one watcher asks the records once a second, however many look."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from typing import Any, Final

from starlette.concurrency import run_in_threadpool

from lumbago.records.jobs import Job

_SECONDS: Final = 1.0
_KEEP_ALIVE_SECONDS: Final = 15.0


def job_view(job: Job) -> dict[str, Any]:
    """A job as pages and programs see it."""
    return {
        "id": job.id, "kind": job.kind, "study_id": job.study_id, "state": job.state, "progress": job.progress,
        "message": job.message, "error": job.error, "attempts": job.attempts,
        "studies": job.payload.get("studies", []), "skipped": job.payload.get("skipped", []),
        "left_out": job.payload.get("left_out", {}), "file": job.payload.get("file"),
    }  # fmt: skip


class Live:
    """Tells listeners of jobs that changed. The watcher runs while somebody listens; one that a database ended, which
    was away for a moment, is followed by another."""

    def __init__(self) -> None:
        self._listeners: set[asyncio.Queue[dict[str, Any]]] = set()
        self._watcher: asyncio.Task[None] | None = None

    async def jobs(self, look: Callable[[], Sequence[Job]]) -> AsyncIterator[dict[str, Any]]:
        """Every change of a job from now on; `look` gives the jobs that matter now."""
        queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue(1000)
        self._listeners.add(queue)
        try:
            while True:
                if self._watcher is None or self._watcher.done():
                    self._watcher = asyncio.create_task(self._watch(look))
                try:
                    yield await asyncio.wait_for(queue.get(), _KEEP_ALIVE_SECONDS)
                except TimeoutError:
                    yield {}
        finally:
            self._listeners.discard(queue)

    async def _watch(self, look: Callable[[], Sequence[Job]]) -> None:
        seen: dict[str, dict[str, Any]] = {}
        while self._listeners:
            now = {job.id: job_view(job) for job in await run_in_threadpool(look)}
            for job in (view for key, view in now.items() if seen.get(key) != view):
                for listener in self._listeners:
                    with suppress(asyncio.QueueFull):
                        listener.put_nowait(job)
            seen = now
            await asyncio.sleep(_SECONDS)


def as_event(view: dict[str, Any]) -> bytes:
    """A server-sent event; a comment, which keeps the line open, where there is nothing to say."""
    return f"event: job\ndata: {json.dumps(view)}\n\n".encode() if view else b": still here\n\n"
