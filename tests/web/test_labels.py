"""Reviewed labels out as pictures, corrected elsewhere, and in again."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

from dashboard import Dashboard, zipped
from test_uploads import work_once

from lumbago.anatomy.findings import StudyFindings
from lumbago.labels.sources import read_source

PLACE = ("pfirrmann", "L4/L5", "")


def exported(dashboard: Dashboard, form: str) -> tuple[dict[str, Any], zipfile.ZipFile]:
    client = dashboard.signed_in("reader")
    assert client.post("/api/v1/labels/export", json={"form": form}).status_code == 202
    job = work_once(dashboard)
    assert job["state"] == "done", job
    content = client.get(f"/api/v1/labels/exports/{job['file']}").content
    return job, zipfile.ZipFile(io.BytesIO(content))


def test_a_box_corrected_in_labelme_comes_back(
    dashboard: Dashboard, found: StudyFindings, phantom: Path, tmp_path: Path
) -> None:
    study = dashboard.add_study(found, zipped(phantom / "dicom"))
    client = dashboard.signed_in("reader")
    dashboard.review(client, study, "grade", PLACE, grade="2")
    _, archive = exported(dashboard, "labelme")
    place = tmp_path / "elsewhere"
    archive.extractall(place)
    (drawn,) = [path for path in place.glob("labels/*.json") if json.loads(path.read_text())["shapes"]]
    data = json.loads(drawn.read_text())
    (shape,) = data["shapes"]
    assert "2" in shape["label"] and (drawn.parent / data["imagePath"]).resolve().is_file()
    (labelled,) = read_source("labelme", place / "labels")
    assert labelled.name == study and labelled.grade("pfirrmann", "L4/L5") == "2"
    data["shapes"][0]["points"] = [[x + 8, y] for x, y in shape["points"]]
    drawn.write_text(json.dumps(data))
    for table in place.glob("labels/grades.csv"):
        table.write_text(table.read_text().replace(",2", ",5"))
    data["shapes"][0]["label"] = shape["label"].replace("2", "5") if shape["label"].endswith("2") else shape["label"]
    drawn.write_text(json.dumps(data))
    answer = client.post("/api/v1/labels/import?form=labelme", content=zipped(place))
    assert answer.status_code == 201, answer.text
    assert answer.json().get("move") == 1 and answer.json().get("grade") == 1
    (row,) = dashboard.review_file(study)["corrections"]
    assert row["grade"] == "5" and row["machine_grade"] == found.find("pfirrmann", "L4/L5").grade  # type: ignore[union-attr]


def test_what_is_no_archive_is_refused(dashboard: Dashboard) -> None:
    client = dashboard.signed_in("reader")
    answer = client.post("/api/v1/labels/import?form=coco", content=b"nothing")
    assert answer.status_code == 422 and "zip" in answer.json()["detail"]
    assert client.post("/api/v1/labels/import?form=rsna", content=b"").status_code == 422


def test_nothing_reviewed_is_told(dashboard: Dashboard) -> None:
    dashboard.signed_in("reader").post("/api/v1/labels/export", json={"form": "coco"})
    job = work_once(dashboard)
    assert job["state"] == "failed" and "reviewed" in job["error"]
