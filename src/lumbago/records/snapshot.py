"""One moment of the records, to be read for as long as it takes: nobody who writes waits for it."""

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import Connection, select

from lumbago.records.database import SECONDS_TO_WAIT, open_engine, reading
from lumbago.records.store import Store
from lumbago.records.tables import FILES


@contextmanager
def snapshot(store: Store) -> Iterator[Connection]:
    """The database as it is now. SQLite's is copied first: a transaction that reads holds up those that write."""
    if store.engine.dialect.name != "sqlite":
        with reading(store.engine) as db:
            yield db
        return
    with tempfile.TemporaryDirectory(dir=store.blobs.folder.parent) as folder:
        copy = Path(folder) / "copy.db"
        _copy(Path(str(store.engine.url.database)), copy)
        engine = open_engine(f"sqlite:///{copy}")
        try:
            with reading(engine) as db:
                yield db
        finally:
            engine.dispose()


def _copy(original: Path, copy: Path) -> None:
    with (
        closing(sqlite3.connect(original, timeout=SECONDS_TO_WAIT)) as source,
        closing(sqlite3.connect(copy)) as target,
    ):
        source.backup(target)


def is_named(store: Store, sha256: str) -> bool:
    """Whether a file of the moment is still named by the records as they are now."""
    with store.read() as db:
        return db.execute(select(FILES.c.id).where(FILES.c.sha256 == sha256).limit(1)).first() is not None
