"""What has to be done now and then, and before more is taken in."""

from contextlib import suppress
from datetime import timedelta
from typing import Final

from lumbago.errors import RecordsFull
from lumbago.records.files import make_room, sweep
from lumbago.records.store import Store
from lumbago.records.users import end_old_sessions
from lumbago.settings import Settings

_GB: Final = 10**9


def tidy(store: Store, settings: Settings) -> None:
    """Forgets sessions that are over, files over the quota that can be made again, files that nothing names. Call it at
    the start and every hour."""
    with store.write() as db:
        end_old_sessions(db, timedelta(minutes=settings.idle_minutes), timedelta(hours=settings.session_hours))
        with suppress(RecordsFull):  # said to those who bring more
            make_room(db, settings.quota_gb * _GB)
        sweep(db, store.blobs)


def refuse_when_full(store: Store, settings: Settings, coming_bytes: int) -> None:
    """Makes room for a file that is to come, at the cost of what can be made again. Call it before it is kept.

    Raises:
        RecordsFull: it does not fit the quota.
    """
    with store.write() as db:
        make_room(db, settings.quota_gb * _GB, coming_bytes)
