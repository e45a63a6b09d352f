"""Reviewed labels out as pictures, corrected elsewhere, and in again."""

import csv
import io
import json
import random
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest
from dashboard import Dashboard, zipped
from test_uploads import work_once

from lumbago.anatomy.findings import StudyFindings
from lumbago.batch.label_pictures import export_pictures
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


def shift_labelme(labels: Path) -> None:
    for path in labels.glob("*.json"):
        data = json.loads(path.read_text())
        for shape in data["shapes"]:
            shape["points"] = [[x + MOVED_PX, y] for x, y in shape["points"]]
            shape["label"] = shape["label"].replace(" 2", " 5")
        path.write_text(json.dumps(data))


def shift_coco(labels: Path) -> None:
    path = labels / "annotations.json"
    data = json.loads(path.read_text())
    for row in data["annotations"]:
        row["bbox"][0] += MOVED_PX
        row["keypoints"][0] += MOVED_PX
    for row in data["categories"]:
        row["name"] = row["name"].replace(" 2", " 5")
    path.write_text(json.dumps(data))


def shift_yolo(labels: Path) -> None:
    size = next(row for row in (labels / "images.csv").read_text().splitlines()[1:] if row)
    columns = int(size.rsplit(",", 1)[1])
    for path in labels.glob("labels/*.txt"):
        number, x, *rest = path.read_text().split()
        path.write_text(" ".join([number, str(float(x) + MOVED_PX / columns), *rest]))
    classes = labels / "classes.txt"
    classes.write_text(classes.read_text().replace(" 2", " 5"))


def shift_csv(labels: Path) -> None:
    path = labels / "shapes.csv"
    with path.open(newline="") as table:
        head, *rows = csv.reader(table)
    for row in rows:
        down, right = row[head.index("points")].split()
        row[head.index("points")] = f"{down} {float(right) + MOVED_PX}"
        row[head.index("class")] = row[head.index("class")].replace(" 2", " 5")
    with path.open("w", newline="") as table:
        csv.writer(table).writerows([head, *rows])


SHIFTS = {"labelme": shift_labelme, "coco": shift_coco, "yolo": shift_yolo, "csv": shift_csv}
MOVED_PX = 8


def made(dashboard: Dashboard, form: str, place: Path) -> Path:
    """What an export job packs."""
    place.mkdir()
    export_pictures(dashboard.settings.home_folder, place, form)
    return place


def brought_in(dashboard: Dashboard, form: str, folder: Path) -> dict[str, int]:
    answer = dashboard.signed_in("reader").post(f"/api/v1/labels/import?form={form}", content=zipped(folder))
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


@pytest.fixture
def reviewed(dashboard: Dashboard, found: StudyFindings, phantom: Path) -> str:
    study = dashboard.add_study(found, zipped(phantom / "dicom"))
    dashboard.review(dashboard.signed_in("reader"), study, "grade", PLACE, grade="2")
    return study


def of_others(form: str, ours: Path, place: Path) -> Path:
    """The same labels as other programs write them: no table of ours, no frames, their own folders."""
    labels, files = ours / "labels", place / "a set"
    files.mkdir(parents=True)
    if form == "labelme":
        for path in labels.glob("*.json"):
            data = json.loads(path.read_text())
            name = Path(data["imagePath"]).name
            (files / f"{Path(name).stem}.json").write_text(json.dumps(data | {"imagePath": name}))
    elif form == "coco":
        data = json.loads((labels / "annotations.json").read_text())
        for row in data["images"]:
            row["file_name"] = f"train/{Path(row['file_name']).stem}_png.rf.{'0' * 32}.jpg"
        (files / "annotations").mkdir()
        (files / "annotations" / "instances_default.json").write_text(json.dumps(data))
    else:
        (files / "obj_train_data").mkdir()
        for path in labels.glob("labels/*.txt"):
            shutil.copy(path, files / "obj_train_data" / path.name)
        shutil.copy(labels / "classes.txt", files / "obj.names")
        (files / "train.txt").write_text("data/obj_train_data/x.png")
    (place / "__MACOSX").mkdir()
    (place / "__MACOSX" / "._x.json").write_bytes(b"\0")
    return place


@pytest.mark.parametrize("form", SHIFTS)
def test_every_form_comes_back_as_it_went(dashboard: Dashboard, reviewed: str, tmp_path: Path, form: str) -> None:
    out = made(dashboard, form, tmp_path / "out")
    assert brought_in(dashboard, form, out) == {}
    SHIFTS[form](out / "labels")
    assert brought_in(dashboard, form, out) == {"grade": 1, "move": 1}
    (row,) = dashboard.review_file(reviewed)["corrections"]
    assert row["grade"] == "5" and row["point_lps_mm"] is not None
    assert brought_in(dashboard, form, out) == {}


@pytest.mark.parametrize("form", SHIFTS)
def test_labels_that_went_out_before_a_renumbering_say_nothing_of_the_disc_beside(
    dashboard: Dashboard, reviewed: str, tmp_path: Path, form: str
) -> None:
    out, reader = made(dashboard, form, tmp_path / "out"), dashboard.signed_in("reader")
    dashboard.review(reader, reviewed, "numbering", shift=1)
    before = dashboard.review_file(reviewed)
    assert brought_in(dashboard, form, out) == {"studies that were renumbered since": 1}
    SHIFTS[form](out / "labels")
    assert brought_in(dashboard, form, out) == {"studies that were renumbered since": 1}
    assert dashboard.review_file(reviewed) == before
    dashboard.review(reader, reviewed, "numbering", shift=0)
    assert brought_in(dashboard, form, out) == {"grade": 1, "move": 1}


def test_archives_of_other_programs_are_known_by_the_names_of_our_pictures(
    dashboard: Dashboard, reviewed: str, tmp_path: Path
) -> None:
    exported(dashboard, "csv")  # keeps where the pictures lie
    for form in ("labelme", "coco", "yolo"):
        out = made(dashboard, form, tmp_path / form)
        assert brought_in(dashboard, form, of_others(form, out, tmp_path / f"same-{form}")) == {}
    SHIFTS["yolo"](out / "labels")
    assert brought_in(dashboard, "yolo", of_others("yolo", out, tmp_path / "others")) == {"grade": 1, "move": 1}
    (row,) = dashboard.review_file(reviewed)["corrections"]
    assert row["grade"] == "5"


def test_pictures_of_others_are_told_and_a_large_archive_comes_in_pieces(
    dashboard: Dashboard, reviewed: str, tmp_path: Path
) -> None:
    client = dashboard.signed_in("reader")
    out = made(dashboard, "coco", tmp_path / "out")
    path = out / "labels" / "annotations.json"
    path.write_text(path.read_text().replace(reviewed, "0" * 32))
    for table in (out / "labels").glob("*.csv"):
        table.unlink()
    (out / "images" / "large.png").write_bytes(random.Random(1).randbytes(3 << 20))
    content = zipped(out)
    whole = client.post("/api/v1/labels/import?form=coco", content=content)
    assert whole.status_code == 413 and "as an upload" in whole.json()["detail"]
    begun = client.post("/api/v1/uploads", json={"name": "l.zip", "files": [{"name": "l.zip", "bytes": len(content)}]})
    upload = begun.json()["id"]
    early = client.post(f"/api/v1/labels/import?form=coco&upload={upload}")
    assert early.status_code == 400 and "send the rest" in early.json()["detail"]
    assert client.put(f"/api/v1/uploads/{upload}", params={"offset": 0}, content=content).status_code == 200
    other = dashboard.signed_in("reader", "other")
    assert other.post(f"/api/v1/labels/import?form=coco&upload={upload}").status_code == 404
    answer = client.post(f"/api/v1/labels/import?form=coco&upload={upload}")
    assert (answer.status_code, answer.json()) == (201, {"studies that are not kept here": 1})
    assert list(dashboard.site.uploads.iterdir()) == []


@pytest.mark.parametrize("frames", ["[1]", '{"a": 1}', '{"a": {"origin": [0, 0, 0], "down": [0, 0, 0]}}', "{"])
def test_frames_that_are_none_are_refused(dashboard: Dashboard, tmp_path: Path, frames: str) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "frames.json").write_text(frames)
    archive = zipped(tmp_path / "set")
    answer = dashboard.signed_in("reader").post("/api/v1/labels/import?form=labelme", content=archive)
    assert answer.status_code == 422 and "frames.json" in answer.json()["detail"]


def test_a_damaged_archive_is_refused(dashboard: Dashboard, tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "labels.json").write_text(json.dumps(list(range(5000))))
    archive = bytearray(zipped(tmp_path / "set"))
    middle = len(archive) // 2
    archive[middle : middle + 400] = b"\xff" * 400
    answer = dashboard.signed_in("reader").post("/api/v1/labels/import?form=labelme", content=bytes(archive))
    assert answer.status_code == 422 and "zip" in answer.json()["detail"]


def test_what_is_no_archive_is_refused(dashboard: Dashboard) -> None:
    client = dashboard.signed_in("reader")
    answer = client.post("/api/v1/labels/import?form=coco", content=b"nothing")
    assert answer.status_code == 422 and "zip" in answer.json()["detail"]
    assert client.post("/api/v1/labels/import?form=rsna", content=b"").status_code == 422


def test_nothing_reviewed_is_told(dashboard: Dashboard) -> None:
    dashboard.signed_in("reader").post("/api/v1/labels/export", json={"form": "coco"})
    job = work_once(dashboard)
    assert job["state"] == "failed" and "reviewed" in job["error"]
