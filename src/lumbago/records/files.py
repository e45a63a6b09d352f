"""Files of a study, or of none: what was received, reports, heat maps, and what can be made again. The bytes lie in
`blobs` under their checksum; a row here says whose they are. What no row names is swept away."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final, Literal

from sqlalchemy import Connection, func, select

from lumbago.errors import RecordsDamaged, RecordsFull
from lumbago.records.blobs import Blob, Blobs, sha256_of
from lumbago.records.moments import time_to_keep
from lumbago.records.rows import built, row_of
from lumbago.records.tables import FILES, new_id, now

FileKind = Literal["received", "truth", "report", "findings", "picture", "heat_map", "export", "volume", "feature"]
REMADE: Final = ("volume", "feature")
"""Kinds that can be made again, and go first when room is needed."""
GRACE_SECONDS: Final = 3600.0
"""How long a file may wait for the row that names it."""


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A file's row: `name` as it was called where it came from, never a path."""

    id: str
    sha256: str
    kind: str
    bytes: int
    study_id: str | None
    name: str
    created_at: datetime
    used_at: datetime


def add_file(db: Connection, blob: Blob, kind: FileKind, name: str, study: str | None = None) -> KeptFile:
    """Says whose a kept blob is. The same bytes said twice to be the same are one row, which is then the newest."""
    known = (FILES.c.sha256 == blob.sha256) & (FILES.c.kind == kind) & (FILES.c.name == name)
    row = db.execute(select(FILES).where(known & FILES.c.study_id.is_not_distinct_from(study))).first()
    moment = time_to_keep(db, study)
    if row is not None:
        db.execute(FILES.update().where(FILES.c.id == row.id).values(created_at=moment, used_at=now()))
        return find_file(db, row.id)
    file = KeptFile(new_id(), blob.sha256, kind, blob.bytes, study, name, moment, now())
    db.execute(FILES.insert().values(**asdict(file)))
    return file


def find_file(db: Connection, file: str) -> KeptFile:
    """The file of an id.

    Raises:
        NotInRecords: there is none.
    """
    return built(KeptFile, row_of(db, FILES, file, "file"))


def files_of_study(db: Connection, study: str, kinds: Iterable[str] = ()) -> Sequence[KeptFile]:
    """A study's files, oldest first; of these kinds, or all."""
    query = select(FILES).where(FILES.c.study_id == study).order_by(FILES.c.created_at, FILES.c.id)
    chosen = tuple(kinds)
    return [built(KeptFile, row) for row in db.execute(query.where(FILES.c.kind.in_(chosen)) if chosen else query)]


def files_of_kind(db: Connection, kind: FileKind) -> Sequence[KeptFile]:
    """All files of a kind, oldest first."""
    query = select(FILES).where(FILES.c.kind == kind).order_by(FILES.c.created_at, FILES.c.id)
    return [built(KeptFile, row) for row in db.execute(query)]


def touch_file(db: Connection, file: str) -> None:
    """Says that a file was of use, so that others of what can be made again go before it."""
    db.execute(FILES.update().where(FILES.c.id == file).values(used_at=now()))


def drop_file(db: Connection, file: str) -> None:
    """Forgets a file's row; `sweep` forgets the bytes when nothing else names them."""
    db.execute(FILES.delete().where(FILES.c.id == file))


def bytes_kept(db: Connection) -> int:
    """Bytes of all files; the same content counts once."""
    distinct = select(FILES.c.sha256, FILES.c.bytes).distinct().subquery()
    return int(db.execute(select(func.coalesce(func.sum(distinct.c.bytes), 0))).scalar_one())


def make_room(db: Connection, quota: int, coming: int = 0) -> int:
    """Forgets what can be made again, that longest unused first, until `coming` bytes more fit the quota; gives how
    many rows went.

    Raises:
        RecordsFull: they do not fit.
    """
    excess, gone = bytes_kept(db) + coming - quota, 0
    remade = select(FILES).where(FILES.c.kind.in_(REMADE)).order_by(FILES.c.used_at, FILES.c.id)
    for row in db.execute(remade).all() if excess > 0 else ():
        if excess <= 0:
            break
        drop_file(db, row.id)
        gone += 1
        if db.execute(select(FILES.c.id).where(FILES.c.sha256 == row.sha256).limit(1)).first() is None:
            excess -= row.bytes
    if excess > 0:
        raise RecordsFull(
            f"kept files would take {excess} bytes more than the quota of {quota}", advice="delete studies, or raise "
            "LUMBAGO_QUOTA_GB",
        )  # fmt: skip
    return gone


def sweep(db: Connection, blobs: Blobs, grace_seconds: float = GRACE_SECONDS) -> int:
    """Deletes files that no row names and that are older than the grace; gives how many. Call it with the writer's
    transaction, so that no row comes meanwhile."""
    named = set(db.execute(select(FILES.c.sha256).distinct()).scalars())
    oldest = time.time() - grace_seconds
    unnamed = [path for path in blobs if sha256_of(path) not in named and path.stat().st_mtime <= oldest]
    for path in unnamed:
        path.unlink(missing_ok=True)
    return len(unnamed)


def damaged_files(db: Connection, blobs: Blobs) -> Sequence[KeptFile]:
    """Reads every file; those that are gone, or not what was kept."""
    rows = [built(KeptFile, row) for row in db.execute(select(FILES).order_by(FILES.c.sha256))]
    broken = {sha256 for sha256 in {row.sha256 for row in rows} if _is_damaged(blobs, sha256)}
    return [row for row in rows if row.sha256 in broken]


def _is_damaged(blobs: Blobs, sha256: str) -> bool:
    try:
        blobs.checked(sha256)
    except RecordsDamaged:
        return True
    return False
