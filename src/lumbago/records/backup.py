"""A backup: one zip with every row and every file, of one moment, from either database and for either.

    backup.json            schema, when, the audit trail's head, how many rows
    tables/<name>.jsonl    a row a line; sessions are left out
    files/<sha256>         the files

The records go on working meanwhile. Restoring goes into empty records, whole or not at all.
"""

import json
import os
import zipfile
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from alembic.migration import MigrationContext
from sqlalchemy import Connection, Row, Table, func, select

from lumbago.errors import RecordsDamaged, RecordsRefused, UsageError
from lumbago.records.audit import Actor, Deed, Event, append_line, verify_audit
from lumbago.records.blobs import CHUNK, Blobs
from lumbago.records.snapshot import is_named, snapshot
from lumbago.records.store import Store
from lumbago.records.tables import FILES, METADATA, PATIENTS, SESSIONS, USERS, Utc, now

SCHEMA: Final = "lumbago/backup/1"
_ROWS_AT_ONCE: Final = 500


def back_up(store: Store, file: Path, actor: Actor) -> dict[str, Any]:
    """Writes a backup to a new file, readable by its owner alone; gives what its `backup.json` says.

    Raises:
        UsageError: the file is there already.
        RecordsDamaged: something kept is not what it was; no backup is written.
    """
    if file.exists():
        raise UsageError(f"{file} is there already", "the name of a new file")
    with store.write() as db:
        append_line(db, actor, Deed(Event.EXPORT, "back up"))
    part = file.with_name(f"{file.name}.part")
    try:
        with (
            os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as target,
            zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive,
            snapshot(store) as db,
        ):
            summary = _write(store, db, archive)
        with part.open("rb") as written:
            os.fsync(written.fileno())
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)
    return summary


def _write(store: Store, db: Connection, archive: zipfile.ZipFile) -> dict[str, Any]:
    counts = {table.name: _write_table(db, table, archive) for table in _kept_tables()}
    files = set(db.execute(select(FILES.c.sha256).distinct()).scalars())
    for sha256 in sorted(files):
        _write_file(store, sha256, archive)
    head = verify_audit(db)
    revision = MigrationContext.configure(db).get_current_revision()
    summary = {
        "schema": SCHEMA, "revision": revision, "made_at": now().isoformat(), "rows": counts, "files": len(files),
        "audit": {"number": head.number, "hash": head.hash},
    }  # fmt: skip
    archive.writestr("backup.json", json.dumps(summary, indent=1))
    return summary


def _kept_tables() -> list[Table]:
    return [table for table in METADATA.sorted_tables if table is not SESSIONS]


def _write_table(db: Connection, table: Table, archive: zipfile.ZipFile) -> int:
    count = 0
    rows = db.execute(select(table).execution_options(yield_per=_ROWS_AT_ONCE))
    with closing(rows), archive.open(f"tables/{table.name}.jsonl", "w", force_zip64=True) as file:
        for row in rows:
            file.write(_line(row))
            count += 1
    return count


def _line(row: Row[Any]) -> bytes:
    values = {k: v.isoformat() if isinstance(v, datetime) else v for k, v in row._mapping.items()}
    return (json.dumps(values, ensure_ascii=True) + "\n").encode("ascii")


def _write_file(store: Store, sha256: str, archive: zipfile.ZipFile) -> None:
    """A file of the moment; one that was deleted since, with its patient, is left out."""
    try:
        archive.write(store.blobs.checked(sha256), f"files/{sha256}", zipfile.ZIP_STORED)
    except (RecordsDamaged, FileNotFoundError) as error:
        if is_named(store, sha256):
            raise RecordsDamaged(
                f"the kept file {sha256[:12]} is damaged", advice="see lumbago records verify"
            ) from error


def restore(store: Store, file: Path, actor: Actor) -> dict[str, Any]:
    """Puts a backup into empty records; gives what its `backup.json` says.

    Raises:
        UsageError: the file is not there.
        RecordsRefused: it is no backup, another version made it, or the records are not empty.
        RecordsDamaged: it is not what was written.
    """
    if not file.is_file():
        raise UsageError(f"there is no file {file}", "a backup")
    try:
        with zipfile.ZipFile(file) as archive:
            summary: dict[str, Any] = json.loads(archive.read("backup.json"))
            _refuse_other(summary)
            _restore_files(store.blobs, archive)
            with store.write() as db:
                _refuse_mixing(db, summary)
                _restore_rows(db, archive, summary)
                append_line(db, actor, Deed(Event.IMPORT, "restore", detail={"made_at": summary["made_at"]}))
    except (zipfile.BadZipFile, KeyError, ValueError, EOFError) as error:
        raise RecordsDamaged(f"{file} is not what was backed up ({error})", "a whole backup") from error
    return summary


def _refuse_other(summary: dict[str, Any]) -> None:
    if summary.get("schema") != SCHEMA:
        raise RecordsRefused("the file is no backup", SCHEMA)


def _refuse_mixing(db: Connection, summary: dict[str, Any]) -> None:
    revision = MigrationContext.configure(db).get_current_revision()
    if summary["revision"] != revision:
        raise RecordsRefused(
            f"the backup is of schema {summary['revision']}", f"schema {revision}",
            "restore it with the version of Lumbago that made it, then upgrade",
        )  # fmt: skip
    if any(db.execute(select(func.count()).select_from(table)).scalar_one() for table in (PATIENTS, USERS)):
        raise RecordsRefused("the records are not empty", "empty ones", "set LUMBAGO_HOME to a new folder")


def _restore_files(blobs: Blobs, archive: zipfile.ZipFile) -> None:
    for info in archive.infolist():
        folder, _, sha256 = info.filename.rpartition("/")
        if folder == "files":
            with archive.open(info) as source:
                kept = blobs.keep(iter(lambda: source.read(CHUNK), b""))
            if kept.sha256 != sha256:
                blobs.drop(kept.sha256)
                raise RecordsDamaged(f"the file {sha256[:12]} of the backup is not what was kept")


def _restore_rows(db: Connection, archive: zipfile.ZipFile, summary: dict[str, Any]) -> None:
    for table in reversed(_kept_tables()):
        db.execute(table.delete())  # what was written down before: the trail of the backup takes its place
    for table in _kept_tables():
        count = sum(_insert(db, table, rows) for rows in _batches(archive, table))
        if count != summary["rows"][table.name]:
            raise RecordsDamaged(f"the backup has {count} rows of {table.name}", f"{summary['rows'][table.name]}")
    head = verify_audit(db)
    if {"number": head.number, "hash": head.hash} != summary["audit"]:
        raise RecordsDamaged("the audit trail of the backup is not the one that was backed up")


def _insert(db: Connection, table: Table, rows: list[dict[str, Any]]) -> int:
    db.execute(table.insert(), rows)
    return len(rows)


def _batches(archive: zipfile.ZipFile, table: Table) -> Iterator[list[dict[str, Any]]]:
    times = {column.name for column in table.c if isinstance(column.type, Utc)}
    batch: list[dict[str, Any]] = []
    with archive.open(f"tables/{table.name}.jsonl") as file:
        for line in file:
            row = json.loads(line)
            batch.append({k: datetime.fromisoformat(v) if k in times and v else v for k, v in row.items()})
            if len(batch) == _ROWS_AT_ONCE:
                yield batch
                batch = []
    if batch:
        yield batch
