"""Who looks at the worklist goes on hearing of jobs when the records were away for a moment."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from lumbago.records.jobs import Job
from lumbago.records.tables import now
from lumbago.web import live
from lumbago.web.live import Live

JOB = Job("1", "analyze", None, {}, "running", 0.5, "", "", 1, 0, now(), None, None, None, "")


def test_a_watcher_that_failed_is_followed_by_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "_KEEP_ALIVE_SECONDS", 0.05)
    failures = [OSError("the database is away")]

    def look() -> Sequence[Job]:
        if failures:
            raise failures.pop()
        return [JOB]

    async def heard() -> dict[str, Any]:
        async with asyncio.timeout(5.0):
            async for view in Live().jobs(look):
                if view:
                    return view
        return {}

    assert asyncio.run(heard())["id"] == "1"
