"""Labels that once were lost on their way in or out, or were put on another picture."""

import json
from pathlib import Path

import pytest
from made_up_sources import write_masks
from PIL import Image

from lumbago.dicom.decoder import Decoder
from lumbago.errors import UnreadableInput
from lumbago.labels.export_labels import export_labels
from lumbago.labels.labelled_study import ImageRef, LabelledStudy, Shape, truth_of
from lumbago.labels.read_yolo import read_classes
from lumbago.labels.sources import read_source

GRADES = "study,condition,level,side,grade\n"


def test_grades_beside_masks_are_labels(tmp_path: Path) -> None:
    folder = write_masks(tmp_path)
    rows = "ann,pfirrmann,L4/L5,,4\nann,pfirrmann,L9/L9,,4\neve,pfirrmann,L4/L5,,2\n"
    (folder / "grades.csv").write_text(GRADES + rows)
    studies = {study.name: study for study in read_source("masks", folder)}
    assert {name: study.grade("pfirrmann", "L4/L5") for name, study in studies.items()} == {
        "ann": "4", "bob": None, "eve": "2",
    }  # fmt: skip
    assert [problem.kind for problem in studies["ann"].problems] == ["unknown_name"]


def test_a_place_of_rsna_that_there_is_not_is_no_label(tmp_path: Path) -> None:
    """A recess has a side, a canal has none."""
    columns = "study_id,subarticular_stenosis_l4_l5,left_spinal_canal_stenosis_l4_l5,spinal_canal_stenosis_l4_l5"
    (tmp_path / "train.csv").write_text(f"{columns}\n7,Severe,Severe,Moderate\n")
    points = "study_id,series_id,instance_number,condition,level,x,y\n7,1,1,Subarticular Stenosis,L4/L5,1,2\n"
    (tmp_path / "train_label_coordinates.csv").write_text(points)
    (tmp_path / "train_series_descriptions.csv").write_text("study_id,series_id,series_description\n7,1,Axial T2\n")
    (study,) = read_source("rsna", tmp_path)
    assert study.grades == {("spinal_canal_stenosis", "L4/L5", None): "moderate"} and study.shapes == ()
    assert [problem.kind for problem in study.problems] == ["unknown_name"] * 3


def test_pictures_whose_names_differ_in_a_sign_keep_their_own_boxes(tmp_path: Path) -> None:
    for part in ("images", "labels"):
        (tmp_path / part).mkdir()
    (tmp_path / "classes.txt").write_text("disc L4-L5 pfirrmann 2\ndisc L4-L5 pfirrmann 5\n")
    for number, name in enumerate(("P1_a b", "P1_a-b")):
        Image.new("L", (10, 10 * (number + 1))).save(tmp_path / "images" / f"{name}.png")
        (tmp_path / "labels" / f"{name}.txt").write_text(f"{number} 0.5 0.5 0.2 0.2\n")
    (study,) = read_source("yolo", tmp_path)
    images = {image.name: image.path.name for image in study.images}
    assert sorted(images.values()) == ["P1_a b.png", "P1_a-b.png"] and len(study.images) == 2
    assert {images[shape.image]: shape.grade for shape in study.shapes} == {"P1_a b.png": "2", "P1_a-b.png": "5"}
    assert [shape.middle for shape in study.shapes] == [(5.0, 5.0), (10.0, 5.0)]


def test_an_empty_line_among_class_names_is_a_class_without_name(tmp_path: Path) -> None:
    """Numbers count lines."""
    (tmp_path / "classes.txt").write_text("L4\n\nL5\n\n")
    assert read_classes(tmp_path) == ("L4", "", "L5")
    (tmp_path / "classes.txt").write_text("\n\n")
    with pytest.raises(UnreadableInput, match="names no class"):
        read_classes(tmp_path)


def test_pictures_of_two_kinds_and_one_name_are_two(tmp_path: Path) -> None:
    for name in ("a.png", "a.jpg"):
        (tmp_path / "P1").mkdir(exist_ok=True)
        Image.new("L", (8, 8)).save(tmp_path / "P1" / name)
        shape = {"label": "L5", "points": [[1, 1]], "shape_type": "point"}
        (tmp_path / "P1" / f"{name}.json").write_text(json.dumps({"imagePath": name, "shapes": [shape]}))
    (study,) = read_source("labelme", tmp_path)
    found = {str(image and image.path.name) for image in (study.image(shape.image) for shape in study.shapes)}
    assert found == {"a.png", "a.jpg"}


def test_a_picture_on_which_nobody_drew_takes_no_labels_and_has_a_size(tmp_path: Path, decoder: Decoder) -> None:
    """It was 0 x 0 in COCO, and its empty file took the place of that of a picture of its name in YOLO."""
    for name in ("a.png", "a.jpg", "b.png"):
        Image.new("L", (24, 16)).save(tmp_path / name)
    images = tuple(ImageRef(name, tmp_path / name, "picture") for name in ("a.png", "a.jpg", "b.png"))
    box = Shape("box", ((2.0, 4.0), (6.0, 12.0)), "a.png", structure="disc", level="L4/L5")
    study = LabelledStudy("any", "any:1", "1", images, truth_of("1", ()), shapes=(box,))
    for form in ("coco", "labelme", "yolo"):
        report = export_labels([study], tmp_path / form, form, decoder)
        assert (report.shapes, report.exit_code) == (1, 0), form
    rows = json.loads((tmp_path / "coco" / "annotations.json").read_text())["images"]
    assert [(row["height"], row["width"]) for row in rows] == [(16, 24)] * 3
    files = [json.loads(path.read_text()) for path in (tmp_path / "labelme").glob("*.json")]
    assert [(one["imageHeight"], one["imageWidth"]) for one in files] == [(16, 24)] * 3
    lines = {path.name: path.read_text() for path in (tmp_path / "yolo" / "labels").iterdir()}
    assert len(lines) == 2 and sum(map(len, lines.values())) > 0


def test_a_picture_that_cannot_be_opened_is_left_out_of_coco(tmp_path: Path, decoder: Decoder) -> None:
    """COCO states the size of every image: it was 0 x 0, and nobody was told."""
    Image.new("L", (24, 16)).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"torn")
    images = tuple(ImageRef(name, tmp_path / f"{name}.png", "picture", "sagittal_t2") for name in ("a", "b", "gone"))
    shapes = tuple(Shape("point", ((2.0, 4.0),), name, structure="disc", level="L4/L5") for name in ("a", "b"))
    study = LabelledStudy("any", "any:1", "1", images, truth_of("1", ()), shapes=shapes)
    report = export_labels([study], tmp_path / "coco", "coco", decoder)
    assert (report.shapes, report.exit_code) == (1, 5)
    assert report.left_out == {"images that cannot be opened": 2, "shapes on images that cannot be opened": 1}
    data = json.loads((tmp_path / "coco" / "annotations.json").read_text())
    assert [(row["height"], row["width"]) for row in data["images"]] == [(16, 24)]
    (back,) = read_source("coco", tmp_path / "coco")
    assert [shape.image for shape in back.shapes] == ["a"] and len(back.images) == 3, "the tables beside it name all"
