"""Uploads that become studies: parts that come at once, by several workers."""

from pathlib import Path
from typing import Any

import pytest

from lumbago.batch import receive_job
from lumbago.batch.workshop import Workshop
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
