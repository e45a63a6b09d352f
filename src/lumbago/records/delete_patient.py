"""Deletes a patient: rows, files, everything but the audit's lines, whose bare ids mean nothing from then on."""

import json
import shutil
import time
import zipfile
from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, select

from lumbago.errors import NotInRecords
from lumbago.labels.companions import EXPORTED
from lumbago.records.audit import Actor, Deed, Event, append_line
from lumbago.records.export_patient import patient_meant
from lumbago.records.files import drop_file, files_of_kind
from lumbago.records.store import Store
from lumbago.records.tables import FILES, JOBS, PATIENTS, STUDIES

_SECONDS_TO_BE_NAMED: Final = 60.0


def delete_patient(store: Store, name: str, actor: Actor) -> int:
    """Deletes the patient of this PatientID, or of this id of ours, with all studies; gives how many there were.

    A file that came within the last minute may be on its way into another study: `files.sweep` deletes it later.

    Raises:
        NotInRecords, UsageError: see `patient_meant`.
    """
    with store.write() as db:
        patient = patient_meant(db, name)
        studies = select(STUDIES.c.id).where(STUDIES.c.patient_id == patient.id)
        gone = list(db.execute(studies).scalars())
        held = set(db.execute(select(FILES.c.sha256).where(FILES.c.study_id.in_(studies))).scalars())
        held |= _drop_mentions(store, db, gone)
        db.execute(PATIENTS.delete().where(PATIENTS.c.id == patient.id))
        detail = {"studies": len(gone), "files": len(held)}
        append_line(db, actor, Deed(Event.STUDY_DELETED, "delete patient", patient_id=patient.id, detail=detail))
    _drop_unnamed(store, held)
    _drop_labels(store, gone)
    return len(gone)


def delete_study(store: Store, study: str, actor: Actor) -> None:
    """Deletes one study; its patient stays.

    Raises:
        NotInRecords: there is none of this id.
    """
    with store.write() as db:
        owner = db.execute(select(STUDIES.c.patient_id).where(STUDIES.c.id == study)).scalar()
        if owner is None:
            raise NotInRecords("no study of that id is kept")
        held = set(db.execute(select(FILES.c.sha256).where(FILES.c.study_id == study)).scalars())
        held |= _drop_mentions(store, db, [study])
        db.execute(STUDIES.delete().where(STUDIES.c.id == study))
        append_line(db, actor, Deed(Event.STUDY_DELETED, "delete study", study_id=study, patient_id=owner))
    _drop_unnamed(store, held)
    _drop_labels(store, [study])


def _drop_mentions(store: Store, db: Connection, gone: Collection[str]) -> set[str]:
    """Forgets what belongs to no study and shows or names these all the same: uploads, by the names of their files, and
    archives of labels, whose checksums it gives."""
    received = db.execute(select(JOBS.c.id, JOBS.c.payload).where(JOBS.c.kind == "receive")).all()
    named = [row.id for row in received if not set(gone).isdisjoint(row.payload.get("studies", ()))]
    db.execute(JOBS.delete().where(JOBS.c.id.in_(named)))
    exports = [file for file in files_of_kind(db, "export") if _holds(store.blobs.place(file.sha256), gone)]
    for file in exports:
        drop_file(db, file.id)
    return {file.sha256 for file in exports}


def _holds(archive: Path, studies: Collection[str]) -> bool:
    """Whether an archive of labels has one of these studies; one that cannot be read may."""
    try:
        with zipfile.ZipFile(archive) as source:
            return not set(studies).isdisjoint(json.loads(source.read(EXPORTED)))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile):
        return True


def _drop_labels(store: Store, studies: Iterable[str]) -> None:
    """Deletes what training would read of these studies: the folders that reviews left beside the files."""
    for study in studies:
        shutil.rmtree(store.blobs.folder.parent / "reviewed" / study, ignore_errors=True)


def _drop_unnamed(store: Store, held: Iterable[str]) -> None:
    """Deletes those files that no row names any more; with the writer's transaction, so that none comes meanwhile."""
    with store.write() as db:
        named = set(db.execute(select(FILES.c.sha256).distinct()).scalars())
        for sha256 in set(held) - named:
            place = store.blobs.place(sha256)
            with suppress(FileNotFoundError):
                if place.stat().st_mtime < time.time() - _SECONDS_TO_BE_NAMED:
                    place.unlink()
