"""Whether all that is kept is what was kept."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, select

from lumbago.errors import RecordsDamaged
from lumbago.records.audit import Head, verify_audit
from lumbago.records.files import damaged_files
from lumbago.records.findings import FindingsVersion, findings_checksum
from lumbago.records.reviews import Review, review_checksum
from lumbago.records.rows import built
from lumbago.records.snapshot import is_named, snapshot
from lumbago.records.store import Store
from lumbago.records.tables import FINDINGS, REVIEWS


@dataclass(frozen=True, slots=True)
class Verification:
    """What was found: a sentence for each damage, and the audit trail's head (None when the trail is damaged)."""

    damages: tuple[str, ...]
    head: Head | None


def verify_records(store: Store, known: Head | None = None) -> Verification:
    """Reads everything that is kept: the database's own checks, the audit trail, findings, reviews, files. The head of
    an earlier verification, written down elsewhere, shows whether the trail's end was cut off."""
    with snapshot(store) as db:
        damages, head = list(_database(db)), None
        try:
            head = verify_audit(db, known)
        except RecordsDamaged as error:
            damages.append(str(error))
        damages += _rows(db)
        damages += [
            f"file {file.id} ({file.kind} of study {file.study_id}): gone, or not what was kept"
            for file in damaged_files(db, store.blobs)
            if is_named(store, file.sha256)  # and not deleted meanwhile
        ]
    return Verification(tuple(damages), head)


def _database(db: Connection) -> Iterator[str]:
    if db.dialect.name == "sqlite":
        found = [str(row[0]) for row in db.exec_driver_sql("PRAGMA integrity_check")]
        yield from (f"database: {line}" for line in found if line != "ok")
        yield from (f"database: {row[0]} refers to nothing" for row in db.exec_driver_sql("PRAGMA foreign_key_check"))


def _rows(db: Connection) -> Iterator[str]:
    for row in db.execute(select(FINDINGS).execution_options(yield_per=100)):
        if findings_checksum(built(FindingsVersion, row)) != row.sha256:
            yield f"findings {row.id} (version {row.version} of study {row.study_id}): not what was kept"
    for row in db.execute(select(REVIEWS).execution_options(yield_per=100)):
        if review_checksum(built(Review, row)) != row.sha256:
            yield f"review {row.id} (of study {row.study_id}): not what was kept"
