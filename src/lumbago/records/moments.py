"""When something of a study is kept: by the clock, but after all that was kept before it. Rows are put in order by
these times, and clocks are set back, or give one time twice."""

from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Column, Connection, func, select

from lumbago.records.tables import FILES, FINDINGS, REVIEWS, now

_TICK: Final = timedelta(microseconds=1)


def time_to_say(db: Connection, study: str) -> datetime:
    """The time, in UTC, after that of every version of the findings and every review of a study."""
    return _after(db, study, FINDINGS.c.made_at, REVIEWS.c.made_at)


def time_to_keep(db: Connection, study: str | None) -> datetime:
    """The time, in UTC, after that of every file of a study, or of every file of none."""
    return _after(db, study, FILES.c.created_at)


def _after(db: Connection, study: str | None, *columns: Column[Any]) -> datetime:
    """Two writers never ask at once: a transaction that writes is alone (see `database`)."""
    latest: list[datetime | None] = [
        db.execute(select(func.max(column)).where(column.table.c.study_id.is_not_distinct_from(study))).scalar()
        for column in columns
    ]
    return max([now(), *(moment + _TICK for moment in latest if moment is not None)])
