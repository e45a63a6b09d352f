"""An upload becomes studies of the records, each with its analysis queued."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from lumbago.batch.run_child import run_child
from lumbago.batch.workshop import Workshop
from lumbago.errors import InputError, LumbagoError
from lumbago.records.blobs import file_chunks
from lumbago.records.files import add_file, files_of_study
from lumbago.records.jobs import Job, add_job
from lumbago.records.patients import PatientFacts
from lumbago.records.studies import SeriesFacts, Study, StudyFacts, add_study, put_series, set_state
from lumbago.records.tidy import refuse_when_full
from lumbago.report.visible_text import iso_date

RECEIVED: Final = "received"
TRUTH: Final = "truth"


def receive_upload_job(job: Job, shop: Workshop) -> Mapping[str, Any]:
    """Reads an upload, keeps its studies, queues their analyses, lets the upload go; gives the studies' ids. One in
    which nothing can be used goes as well.

    Raises:
        ChildFailed: the reading crashed; LumbagoError: nothing in the upload can be used.
        RecordsFull: the studies do not fit the quota; none is kept.
    """
    upload = shop.settings.home_folder / "uploads" / str(job.payload["upload"])
    request = {"upload": str(upload), "out": str(shop.folder)}
    try:
        found = run_child("receive", request, shop.settings.job_seconds, shop.progress)["studies"]
    except LumbagoError as error:
        if error.exit_code == InputError.exit_code:
            shutil.rmtree(upload, ignore_errors=True)
        raise
    refuse_when_full(shop.store, shop.settings, sum(Path(row["path"]).stat().st_size for row in found))
    kept = [_keep(row, job, shop) for row in found]
    shutil.rmtree(upload, ignore_errors=True)
    return {"studies": [study.id for study in kept], "skipped": _skipped(found)}


def _skipped(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [skip for row in found for skip in row["skipped"]][:200]


def _keep(row: dict[str, Any], job: Job, shop: Workshop) -> Study:
    """Keeps one study; images that came before stay, and are joined by the new ones."""
    with shop.store.write() as records:
        study = add_study(records, _patient(row), _facts(row, job))
    while not _keep_beside(row, study, job, shop):
        pass
    return study


def _keep_beside(row: dict[str, Any], study: Study, job: Job, shop: Workshop) -> bool:
    """Keeps the images of a study with those that are there; says no when another worker brought some meanwhile."""
    with shop.store.read() as records:
        before = files_of_study(records, study.id, (RECEIVED,))
    path, words = Path(row["path"]), row.get("truth", "")
    blob = shop.store.blobs.keep(file_chunks(path))
    if before and blob.sha256 != before[-1].sha256:
        joined = {"sources": [str(shop.store.blobs.place(before[-1].sha256)), str(path)], "out": str(shop.folder),
                  "study_instance_uid": study.study_instance_uid}  # fmt: skip
        row = run_child("join", joined, shop.settings.job_seconds, shop.progress)
        refuse_when_full(shop.store, shop.settings, Path(row["path"]).stat().st_size)
        blob = shop.store.blobs.keep(file_chunks(Path(row["path"])))
    is_new = all(file.sha256 != blob.sha256 for file in before)
    truth = shop.store.blobs.keep([words.encode()]) if words else None
    with shop.store.write() as records:
        if files_of_study(records, study.id, (RECEIVED,)) != before:
            return False
        if is_new:
            add_file(records, blob, RECEIVED, "images.zip", study.id)
            put_series(records, study.id, (SeriesFacts(**series) for series in row["series"]))
            add_job(records, "analyze", study.id, priority=job.priority)
            set_state(records, study.id, "waiting")
        if truth is not None:
            add_file(records, truth, TRUTH, "truth.json", study.id)
    return True


def _patient(row: Mapping[str, Any]) -> PatientFacts:
    born = iso_date(row["patient_birth_date"])
    issuer = row.get("issuer_of_patient_id", "")
    return PatientFacts(row["patient_id"], issuer, row["patient_name"], row["patient_sex"], born)


def _facts(row: Mapping[str, Any], job: Job) -> StudyFacts:
    date = iso_date(row["study_date"])[:10]
    return StudyFacts(
        row["study_instance_uid"], date, row["study_description"], received_from=str(job.payload.get("user", ""))
    )
