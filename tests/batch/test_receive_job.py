"""Uploads that become studies: parts that come at once, by several workers."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from lumbago.batch import receive_job
from lumbago.batch.pack_study import describe
from lumbago.batch.workshop import Workshop
from lumbago.dicom.study import Series, SliceHeader, SourceFile, Study
from lumbago.records.blobs import file_chunks
from lumbago.records.files import add_file, files_of_study
from lumbago.records.jobs import add_job
from lumbago.records.store import open_store
from lumbago.records.studies import studies_with_uid
from lumbago.settings import Settings


def test_a_part_that_came_meanwhile_is_joined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'records.db'}", tmp_path / "files")
    facts = ("patient_id", "patient_name", "patient_sex", "patient_birth_date", "study_date", "study_description")
    ours = {"path": str(tmp_path / "ours.zip"), "study_instance_uid": "1.2", "series": [], "skipped": []}
    (tmp_path / "ours.zip").write_bytes(b"ours")
    theirs = store.blobs.keep([b"theirs"])

    def come_meanwhile(path: Path) -> Any:
        with store.write() as records:
            (study,) = studies_with_uid(records, "1.2")
            if not files_of_study(records, study.id):
                add_file(records, theirs, "received", "images.zip", study.id)
        return file_chunks(path)

    def child(task: str, request: dict[str, Any], *_: object) -> dict[str, Any]:
        row = ours | dict.fromkeys(facts, "")
        if task == "receive":
            return {"studies": [row | {"truth": "what a phantom brings along"}]}
        (tmp_path / "joined.zip").write_bytes(b"+".join(Path(path).read_bytes() for path in request["sources"]))
        return row | {"path": str(tmp_path / "joined.zip")}

    monkeypatch.setattr(receive_job, "file_chunks", come_meanwhile)
    monkeypatch.setattr(receive_job, "run_child", child)
    with store.write() as records:
        job = add_job(records, "receive", None, {"upload": "0" * 32})
    shop = Workshop(store, Settings(home=str(tmp_path)), tmp_path, lambda *_: None)
    (study,) = receive_job.receive_upload_job(job, shop)["studies"]
    with store.read() as records:
        newest = files_of_study(records, study, ("received",))[-1]
        (truth,) = files_of_study(records, study, ("truth",))
    assert store.blobs.read(newest.sha256) == b"theirs+ours"
    assert store.blobs.read(truth.sha256) == b"what a phantom brings along"
    store.close()


def one_series_study(issuer: str, uid: str) -> Study:
    """A study of one slice whose header says nothing but whose it is."""
    blank = {item.name: "" if item.type is str else None for item in fields(SliceHeader)}
    known = {"source": SourceFile("", None, "1.dcm"), "rows": 4, "columns": 4, "image_type": (), "patient_id": "1"}
    header = SliceHeader(**{**blank, **known, "issuer_of_patient_id": issuer})  # type: ignore[arg-type]
    return Study(Path(), "study", uid, (Series(f"{uid}.1", (header,)),))


def test_one_number_of_two_hospitals_is_of_two_patients(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'records.db'}", tmp_path / "files")
    issuers = {"1.1": "here", "1.2": "there\\and more", "1.3": "here"}
    rows = [describe(one_series_study(issuer, uid), tmp_path / f"{uid}.zip") for uid, issuer in issuers.items()]
    for row in rows:
        Path(row["path"]).write_bytes(row["study_instance_uid"].encode())
    monkeypatch.setattr(receive_job, "run_child", lambda *_: {"studies": rows})
    with store.write() as records:
        job = add_job(records, "receive", None, {"upload": "0" * 32})
    receive_job.receive_upload_job(job, Workshop(store, Settings(home=str(tmp_path)), tmp_path, lambda *_: None))
    with store.read() as records:
        patients = [studies_with_uid(records, uid)[0].patient for uid in issuers]
    store.close()
    assert patients[0] == patients[2] != patients[1]
    assert [patient.issuer for patient in patients] == ["here", "there", "here"]
