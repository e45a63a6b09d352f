"""All that is kept of a patient, as files that anyone can open."""

import json
import shutil
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection

from lumbago.errors import NotInRecords, UsageError
from lumbago.records.audit import Actor, AuditQuery, Deed, Event, append_line, audit_lines
from lumbago.records.blobs import Blobs
from lumbago.records.files import KeptFile, files_of_study
from lumbago.records.findings import findings_of_study
from lumbago.records.jobs import jobs_of_study
from lumbago.records.patients import Patient, patients_named
from lumbago.records.reviews import reviews_of_study
from lumbago.records.store import Store
from lumbago.records.studies import Study, series_of, studies_of_patient
from lumbago.records.users import all_users

SCHEMA: Final = "lumbago/patient/1"
_SUFFIXES: Final = frozenset({".zip", ".dcm", ".pdf", ".png", ".json", ".gz", ".nii"})
_ALL: Final = 10**9


def patient_meant(db: Connection, name: str) -> Patient:
    """The one patient of this PatientID, or of this id of ours.

    Raises:
        NotInRecords: there is none.
        UsageError: several patients have this PatientID.
    """
    found = patients_named(db, name)
    if not found:
        raise NotInRecords("no such patient is kept", "a PatientID", "see the worklist")
    if len(found) > 1:
        raise UsageError(
            f"{len(found)} patients have this PatientID", f"one of the ids {', '.join(row.id for row in found)}"
        )
    return found[0]


def export_patient(store: Store, name: str, out: Path, actor: Actor) -> Patient:
    """Writes `out/patient.json`, `out/audit.json` and a folder for each study: `study.json` (series, every version of
    the findings, reviews, jobs) and its files. The audit trail tells of it.

    Raises:
        NotInRecords, UsageError: see `patient_meant`; or the folder is not empty.
        RecordsDamaged: a file is not what was kept.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} is there already", "a new or an empty folder")
    with store.write() as db:
        patient = patient_meant(db, name)
        append_line(db, actor, Deed(Event.EXPORT, "export patient", patient_id=patient.id))
    out.mkdir(mode=0o700, parents=True, exist_ok=True)
    with store.read() as db:
        studies = studies_of_patient(db, patient.id)
        contents = [_study_content(db, study) for study in studies]
        files = [files_of_study(db, study.id) for study in studies]
        trail = [asdict(line) for line in audit_lines(db, AuditQuery(patient_id=patient.id, limit=_ALL))]
    _write(out / "patient.json", {"schema": SCHEMA, **asdict(patient), "studies": [row["id"] for row in contents]})
    _write(out / "audit.json", trail)
    for content, kept in zip(contents, files, strict=True):
        _write_study(store.blobs, out / str(content["id"]), content, kept)
    return patient


def _study_content(db: Connection, study: Study) -> dict[str, Any]:
    names = {user.id: user.name for user in all_users(db)}
    return {
        **asdict(study),
        "series": [asdict(row) for row in series_of(db, study.id)],
        "findings": [asdict(row) for row in findings_of_study(db, study.id)],
        "reviews": [asdict(row) | {"user_name": names[row.user_id]} for row in reviews_of_study(db, study.id)],
        "jobs": [asdict(row) for row in jobs_of_study(db, study.id)],
    }


def _write_study(blobs: Blobs, folder: Path, content: dict[str, Any], files: Iterable[KeptFile]) -> None:
    folder.mkdir(mode=0o700)
    rows = []
    for number, file in enumerate(files, 1):
        suffix = Path(file.name).suffix.lower()
        written = f"{number:03}-{file.kind}{suffix if suffix in _SUFFIXES else ''}"  # no path is made of a name given
        shutil.copyfile(blobs.checked(file.sha256), folder / written)
        rows.append(asdict(file) | {"written": written})
    _write(folder / "study.json", content | {"files": rows})


def _write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False, default=str) + "\n", encoding="utf8")
