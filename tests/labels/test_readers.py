"""What each reader takes from its files, and what it leaves open."""

import csv
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from made_up_sources import (
    LEVELS,
    mha,
    truth_in,
    write_coco,
    write_csv,
    write_labelme,
    write_masks,
    write_phantoms,
    write_reviewed,
    write_spider_original,
    write_yolo,
)
from PIL import Image

from lumbago.dicom.decoder import Decoder
from lumbago.errors import UnreadableInput
from lumbago.labels.label_names import read_names
from lumbago.labels.labelled_study import LabelledStudy
from lumbago.labels.metaimage import read_meta_header, read_metaimage
from lumbago.labels.open_images import open_images, open_mask
from lumbago.labels.picture_slices import labelled_slices
from lumbago.labels.read_yolo import read_classes
from lumbago.labels.sources import read_source

Made = Callable[[str], Path]


def only(source: str, folder: Path) -> LabelledStudy:
    return next(iter(read_source(source, folder)))


# --- RSNA ------------------------------------------------------------------------------------------------------------


def test_rsna_grades_and_points_are_the_phantoms_truth(made: Made, decoder: Decoder) -> None:
    """Points found again in patient millimetres, half a pixel at most beside where they were put."""
    truths = list(truth_in(made("phantoms")).values())
    known = {"spinal_canal_stenosis", "neural_foraminal_narrowing", "subarticular_stenosis"}
    for study, truth in zip(read_source("rsna", made("rsna")), truths, strict=True):
        wanted = {(f.condition, f.level, f.side): f.grade for f in truth.findings if f.condition in known}
        assert study.grades.items() <= wanted.items() and len(study.grades) >= len(wanted) - 10
        opened = open_images(study, decoder)
        for shape in study.shapes:
            finding = truth.find(str(shape.condition), str(shape.level), shape.side)
            assert finding is not None and finding.evidence is not None and shape.grade == finding.grade
            corners = opened.to_lps_mm(shape)
            (volume, *_) = opened.volumes(shape.image)
            off = np.asarray(corners)[0] - finding.evidence.point_lps_mm
            assert np.linalg.norm(off) < 0.6 * volume.spacing_mm[0] + 0.1


def test_rsna_roles_and_patients(made: Made) -> None:
    study = only("rsna", made("rsna"))
    assert study.patient == f"rsna:{study.name}" and study.absence == {}
    assert {image.role for image in study.images} == {"sagittal_t1", "sagittal_t2", "axial_t2"}
    assert study.grade("pfirrmann", "L4/L5") is None


def test_rsna_studies_without_a_row_are_there_without_labels(made: Made, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(made("rsna"), tmp_path / "rsna"))
    (folder / "train_images" / "7" / "8").mkdir(parents=True)
    *_, last = read_source("rsna", folder)
    assert (last.name, last.truth.findings, [image.role for image in last.images]) == ("7", (), [None])


# --- SPIDER ----------------------------------------------------------------------------------------------------------


def test_spider_original_counts_from_the_sacrum(tmp_path: Path) -> None:
    seven, twelve = read_source("spider_original", write_spider_original(tmp_path))
    assert (seven.patient, twelve.patient) == ("spider:7", "spider:12"), "by number, not by letters"
    assert [image.name for image in seven.images] == ["7_t1", "7_t2"]
    assert [image.role for image in (*seven.images, *twelve.images)] == ["sagittal_t1", "sagittal_t2", "sagittal_t2"]
    assert seven.grade("pfirrmann", "L5/S1") == "1" and seven.grade("pfirrmann", "T11/T12") == "5"
    assert seven.grade("endplate_upper", "L1/L2") == "present" and seven.grade("bulging", "L1/L2") == "present"
    assert seven.grade("modic", "L4/L5") == "2" and seven.grade("narrowing", "L4/L5") == "absent"
    values = {value: (name, level) for value, name, level in seven.shapes[0].values}
    assert values[1] == ("L5", None) and values[5] == ("L1", None) and values[6] == ("T12", None)
    assert values[201] == ("disc", "L5/S1") and values[205] == ("disc", "L1/L2") and values[100] == ("canal", None)


def test_spider_volumes_of_both_axis_orders_show_the_same_place(tmp_path: Path, decoder: Decoder) -> None:
    """The mask lies on the image, and both are sagittal however the file stores them."""
    for study in read_source("spider_original", write_spider_original(tmp_path)):
        opened = open_images(study, decoder)
        for shape in study.shapes:
            (volume,), mask = opened.volumes(shape.image), open_mask(shape, decoder)
            assert volume.array.shape == mask.array.shape == (6, 40, 30)
            np.testing.assert_allclose(volume.affine, mask.affine)
            assert np.array_equal(mask.array == 201, volume.array > 100)
            assert abs(volume.affine[0, 0]) > 0.5, "slices run from side to side"


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64])
def test_metaimage_is_read_as_itk_reads_it(tmp_path: Path, kind: type, compressed: bool) -> None:
    array = np.random.default_rng(1).integers(0, 200, (4, 6, 5)).astype(kind)
    turned = np.array([[0.0, 0.6, 0.8], [1, 0, 0], [0, 0.8, -0.6]])
    path = mha(tmp_path / "a.mha", array, (0.5, 0.7, 3.0), turned)
    image = SimpleITK.ReadImage(str(path))
    SimpleITK.WriteImage(image, str(path), useCompression=compressed)
    volume, header = read_metaimage(path), read_meta_header(path)
    assert volume.array.shape == header.volume_shape == (4, 6, 5)
    np.testing.assert_array_equal(volume.array, array.astype(np.float32))
    for i, j, k in ((0, 0, 0), (3, 5, 4), (1, 2, 3)):
        expected = image.TransformIndexToPhysicalPoint((k, j, i))
        np.testing.assert_allclose(volume.to_lps_mm(np.array([i, j, k], float)), expected, atol=1e-6)


@pytest.mark.parametrize(
    "change, said",
    [
        (lambda data: data[:200], "begin with a MetaImage header|cut off"),
        (lambda data: data[:-40], "cut off|damaged"),
        (lambda data: b"nonsense", "begin with a MetaImage header"),
        (lambda data: data.replace(b"DimSize = 5 6 4", b"DimSize = 9999 9999 99"), "declares"),
        (lambda data: data.replace(b"ElementSpacing = 0.5", b"ElementSpacing = 0.0"), "cannot be understood"),
        (lambda data: data.replace(b"MET_SHORT", b"MET_BANANA"), "cannot be understood"),
        (lambda data: data.replace(b"= LOCAL", b"= a.raw"), "another file"),
        (lambda data: data.replace(b"DimSize = 5 6 4", b"DimSize = 5 6 0"), "no single volume"),
    ],
)
def test_damaged_metaimages_are_one_sentence(tmp_path: Path, change: Callable[[bytes], bytes], said: str) -> None:
    path = mha(tmp_path / "a.mha", np.ones((4, 6, 5), np.int16), (0.5, 0.7, 3.0), np.eye(3))
    changed = change(path.read_bytes())
    assert changed != path.read_bytes()
    path.write_bytes(changed)
    with pytest.raises(UnreadableInput, match=said):
        read_metaimage(path)


# --- drawn labels ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source, write", [("labelme", write_labelme), ("coco", write_coco), ("yolo", write_yolo)])
def test_drawn_labels_say_the_same_in_every_form(source: str, write: Callable[[Path], Path], tmp_path: Path) -> None:
    ann, bob = read_source(source, write(tmp_path))
    assert (ann.patient, bob.patient) == (f"{source}:ann", f"{source}:bob")
    assert [image.name for image in ann.images] == ["ann_t2_1", "ann_t2_2"]
    assert {image.role for image in ann.images} == {"sagittal_t2"}
    assert {level: ann.grade("pfirrmann", level) for level in LEVELS} == {"L5/S1": "4", "L4/L5": "3", "L3/L4": "2"}
    assert ann.grade("high_intensity_zone", "L4/L5") == "present"


def test_absence_is_negative_where_somebody_looked(tmp_path: Path) -> None:
    study = only("coco", write_coco(tmp_path))
    assert study.absence == {"high_intensity_zone": "negative"}
    assert study.grade("high_intensity_zone", "L1/L2") == "absent", "drawn wherever it is seen"
    assert study.grade("herniation", "L1/L2") is None, "nobody drew any"
    assert study.grade("pfirrmann", "L1/L2") is None, "not graded"


def test_what_is_drawn_at_no_known_level_is_absent_nowhere(tmp_path: Path) -> None:
    """Every level of a study was taken as one without a high-intensity zone, though somebody drew one."""
    folder = write_yolo(tmp_path)
    classes = folder / "data.yaml"
    classes.write_text(classes.read_text() + "  4: HIZ\n")
    path = folder / "labels" / "ann_t2_1.txt"
    path.write_text(path.read_text() + "4 0.5 0.05 0.01 0.01\n")
    ann, bob = read_source("yolo", folder)
    assert [problem.kind for problem in ann.problems] == ["incomplete"]
    assert ann.absence == {} and ann.grade("high_intensity_zone", "L4/L5") == "present"
    assert bob.absence == {"high_intensity_zone": "negative"}
    (folder / "grades.csv").write_text("study,condition,level,side,grade\nann,high_intensity_zone,L4/L5,,present\n")
    (folder / "studies.csv").write_text("study,patient,negative_when_absent\nann,ann,high_intensity_zone\n")
    ann, _ = read_source("yolo", folder)
    assert ann.grade("high_intensity_zone", "L1/L2") == "absent", "the tables say so"


@pytest.mark.parametrize("source, write", [("labelme", write_labelme), ("yolo", write_yolo)])
def test_where_nobody_looked_nothing_is_absent(source: str, write: Callable[[Path], Path], tmp_path: Path) -> None:
    """Studies that were still to be annotated were taken as ones without high-intensity zones."""
    folder = write(tmp_path)
    picture = next(folder.rglob("*.png"))
    picture.with_name("eve_t2_1.png").write_bytes(picture.read_bytes())
    studies = {study.name: study for study in read_source(source, folder)}
    assert studies["ann"].grade("high_intensity_zone", "L1/L2") == "absent"
    assert studies["eve"].images and studies["eve"].absence == {}
    assert studies["eve"].grade("high_intensity_zone", "L1/L2") is None
    if source == "yolo":
        (folder / "labels" / "eve_t2_1.txt").touch()
        studies = {study.name: study for study in read_source(source, folder)}
        assert studies["eve"].grade("high_intensity_zone", "L1/L2") == "absent", "somebody looked and drew nothing"


def test_a_place_is_as_bad_as_its_worst_slice(tmp_path: Path) -> None:
    folder = write_yolo(tmp_path)
    path = folder / "labels" / "ann_t2_2.txt"
    path.write_text(path.read_text().replace("2 ", "0 ", 1))
    classes = (folder / "data.yaml").read_text().replace("Pfirrmann 2 L3-L4", "Pfirrmann 5 L5-S1")
    (folder / "data.yaml").write_text(classes)
    assert only("yolo", folder).grade("pfirrmann", "L5/S1") == "5"


def test_own_names(tmp_path: Path) -> None:
    folder = write_yolo(tmp_path)
    text = (folder / "data.yaml").read_text().replace("hiz l4_l5", "white spot 45")
    (folder / "data.yaml").write_text(text)
    own = tmp_path / "mine.toml"
    own.write_text('[conditions]\nhigh_intensity_zone = ["white spot"]\n[levels]\n"L4/L5" = ["45"]\n')
    (study, _) = read_source("yolo", folder, read_names(own))
    assert study.grade("high_intensity_zone", "L4/L5") == "present" and study.problems == ()
    shutil.copy(own, folder / "names.toml")
    assert only("yolo", folder) == study


@pytest.mark.parametrize(
    "text",
    ["names: [a b, 'c', \"d\"]\n", "names:\n- a b\n- c\n- d\nnc: 3\n", "nc: 3\nnames:\n  0: a b\n  2: d\n  1: c\n"],
)
def test_class_names_in_yaml(tmp_path: Path, text: str) -> None:
    (tmp_path / "data.yaml").write_text(text)
    assert read_classes(tmp_path) == ("a b", "c", "d")


@pytest.mark.parametrize(
    "line", ["0 0.5 0.5 0.1", "x 0.5 0.5 0.1 0.1", "0 nan 0.5 0.1 0.1", "0 1 2 3 4 5", "0 1e999 1 1 1"]
)
def test_a_broken_line_of_yolo(tmp_path: Path, line: str) -> None:
    folder = write_yolo(tmp_path)
    (folder / "labels" / "ann_t2_1.txt").write_text(line)
    with pytest.raises(UnreadableInput, match=r"ann_t2_1\.txt has the line .*expected class"):
        list(read_source("yolo", folder))


def test_drawn_labels_train_networks_of_slices(tmp_path: Path) -> None:
    rows = [row for study in read_source("labelme", write_labelme(tmp_path)) for row in labelled_slices(study)]
    assert [row.name for row in rows][:2] == ["labelme:ann_t2_1", "labelme:ann_t2_2"]
    assert rows[0].weighting == "t2" and rows[0].spacing_mm == pytest.approx(300 / 384)
    assert [box.count for box in rows[0].boxes] == [1, 2, 3] and list(rows[0].bodies) == ["L1"]
    assert rows[0].grades["pfirrmann", "L4/L5"] == "3"


def test_outlines_of_discs_teach_a_locator_as_their_boxes_do(tmp_path: Path) -> None:
    """Discs of YOLO-seg, COCO's polygons and Labelme's were drawn for nobody."""
    rows = {}
    for form in ("box", "outline"):
        folder = write_yolo(tmp_path / form)
        (folder / "data.yaml").write_text("names: [disc L5-S1, disc L4-L5, L3-L4, HIZ]\n")
        path = folder / "labels" / "ann_t2_1.txt"
        x, y, width, height = (float(part) for part in path.read_text().split("\n")[0].split()[1:])
        left, top, right, bottom = x - width / 2, y - height / 2, x + width / 2, y + height / 2
        if form == "outline":
            path.write_text(f"0 {x} {top} {right} {y} {x} {bottom} {left} {y}\n")
        else:
            path.write_text(f"0 {x} {y} {width} {height}\n")
        rows[form], _ = labelled_slices(only("yolo", folder))
    (box,), (around,) = rows["box"].boxes, rows["outline"].boxes
    assert around.count == box.count == 1 and around.is_certain
    assert around.rows == pytest.approx(box.rows) and around.columns == pytest.approx(box.columns)


@pytest.mark.parametrize("table, first", [("", "4"), ("5", "4"), ("2", "2")])
def test_a_picture_teaches_the_grade_that_is_drawn_on_it(table: str, first: str, tmp_path: Path) -> None:
    """It had the study's, that of the worst picture. A table that says otherwise than the drawings holds."""
    folder = write_yolo(tmp_path)
    path, classes = folder / "labels" / "ann_t2_2.txt", folder / "data.yaml"
    classes.write_text(classes.read_text() + "  4: Pfirrmann 5 L5-S1\n")
    path.write_text(path.read_text().replace("0 ", "4 ", 1).partition("\n1 ")[0])
    if table:
        (folder / "grades.csv").write_text(f"study,condition,level,side,grade\nann,pfirrmann,L5/S1,,{table}\n")
    study = only("yolo", folder)
    assert study.grade("pfirrmann", "L5/S1") == (table or "5")
    assert [row.grades["pfirrmann", "L5/S1"] for row in labelled_slices(study)] == [first, table or "5"]
    if not table:
        assert [row.grades["pfirrmann", "L4/L5"] for row in labelled_slices(study)] == ["3", "3"], "drawn on one alone"


def test_absence_trains_too(tmp_path: Path) -> None:
    """A level of an annotated study at which no high-intensity zone was drawn has none."""
    (row, *_) = labelled_slices(only("coco", write_coco(tmp_path)))
    zones = {level: grade for (condition, level), grade in row.grades.items() if condition == "high_intensity_zone"}
    assert zones == {**dict.fromkeys(("L1/L2", "L2/L3", "L3/L4", "L5/S1"), "absent"), "L4/L5": "present"}
    assert sum(condition == "pfirrmann" for condition, _ in row.grades) == 3


@pytest.mark.parametrize("kept, learned", [("HIZ", "present"), ("discs", "absent"), ("nothing", None)])
def test_what_is_drawn_wherever_it_is_seen_is_absent_from_other_slices(
    kept: str, learned: str | None, tmp_path: Path
) -> None:
    """A slice without the high-intensity zone of its neighbour was taught as one with it."""
    folder = write_yolo(tmp_path)
    path = folder / "labels" / "ann_t2_2.txt"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join({"HIZ": lines, "discs": lines[:-1], "nothing": []}[kept]))
    study = only("yolo", folder)
    assert study.grade("high_intensity_zone", "L4/L5") == "present"
    first, second = labelled_slices(study)
    assert first.grades["high_intensity_zone", "L4/L5"] == "present"
    assert second.grades.get(("high_intensity_zone", "L4/L5")) == learned
    beside = replace(study.images[1], role="sagittal_t1")
    _, other = labelled_slices(replace(study, images=(study.images[0], beside)))
    assert other.grades["high_intensity_zone", "L4/L5"] == "present"
    assert second.grades["high_intensity_zone", "L1/L2"] == "absent" and second.grades["pfirrmann", "L4/L5"] == "3"


def test_pictures_of_one_name_in_folders_of_patients(tmp_path: Path) -> None:
    """The folder is the patient, and the pictures do not hide each other."""
    folder = write_labelme(tmp_path)
    for number, path in enumerate(sorted(folder.rglob("*.json"))):
        place = folder / f"patient{number // 2}" / ("a" if number % 2 else "b")
        place.mkdir(parents=True)
        content = json.loads(path.read_text())
        shutil.move(path.parent / content["imagePath"], place / "1.png")
        (place / "1.json").write_text(json.dumps(content | {"imagePath": "1.png"}))
        path.unlink()
    studies = list(read_source("labelme", folder))
    assert [(study.name, study.patient) for study in studies] == [
        (f"patient{number}-{part}", f"labelme:patient{number}") for number in (0, 1) for part in "ab"
    ]
    assert sorted(image.name for study in studies for image in study.images) == [
        "patient0-a-1", "patient0-b-1", "patient1-a-1", "patient1-b-1",
    ]  # fmt: skip
    assert sum(len(study.shapes) for study in studies) == 4 * 8


@pytest.mark.parametrize("below", ["", "set"])
def test_pictures_in_a_folder_below_the_patient_s(tmp_path: Path, below: str) -> None:
    """Pictures of one name below folders called images are of several patients: their grades were one. A folder that
    all of them lie in is nobody's."""
    for patient, grade in (("P1", "2"), ("P2", "5")):
        shape = {"label": f"L4-L5 pfirrmann {grade}", "points": [[1, 1], [4, 4]], "shape_type": "rectangle"}
        place = tmp_path / below / patient / "images"
        place.mkdir(parents=True)
        Image.new("L", (8, 8)).save(place / "1.png")
        content = {"imagePath": "1.png", "shapes": [shape]}
        (place / "1.json").write_text(json.dumps(content))
    found = [(study.patient, study.grade("pfirrmann", "L4/L5")) for study in read_source("labelme", tmp_path)]
    assert found == [("labelme:P1", "2"), ("labelme:P2", "5")]


@pytest.mark.parametrize(
    "parts", [("train", "val"), ("train", "valid"), ("Training", "Validation"), ("test", "testing")]
)
def test_folders_of_a_split_are_no_patients(tmp_path: Path, parts: tuple[str, str]) -> None:
    """A patient in two of them is one patient: else he could be learned from and scored on."""
    for part, picture in zip(parts, ("P7_1.png", "P7_2.png"), strict=True):
        content = {
            "images": [{"id": 1, "file_name": picture}],
            "categories": [{"id": 1, "name": "disc L4-L5 pfirrmann 3"}],
            "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 3, 3]}],
        }
        (tmp_path / part).mkdir()
        Image.new("L", (8, 8)).save(tmp_path / part / picture)
        (tmp_path / part / "_annotations.coco.json").write_text(json.dumps(content))
    (study,) = read_source("coco", tmp_path)
    assert study.patient == "coco:P7" and len(study.images) == len(study.shapes) == 2


def test_folders_of_a_split_are_no_patients_of_masks(tmp_path: Path) -> None:
    for name in ("train/P7_1", "valid/P7_2", "P8/P8_1"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / f"{name}_labels.nii.gz").touch()
    assert [(study.patient, len(study.images)) for study in read_source("masks", tmp_path)] == [
        ("masks:P8", 1), ("masks:P7", 2),
    ]  # fmt: skip


def test_labelme_circles_flags_and_lines(tmp_path: Path) -> None:
    folder = write_labelme(tmp_path)
    path = sorted(folder.rglob("*.json"))[0]
    content = json.loads(path.read_text())
    content["shapes"] = [
        {
            "label": "HIZ",
            "points": [[100, 50], [103, 54]],
            "shape_type": "circle",
            "flags": {"L4-L5": True, "x": False},
        },
        {"label": "L3-L4", "points": [[9, 2], [5, 2], [5, 4], [9, 4]], "shape_type": "rectangle"},
        {"label": "HIZ", "points": [[1, 2], [3, 4]], "shape_type": "line"},
    ]
    path.write_text(json.dumps(content))
    study = only("labelme", folder)
    (circle, box, *_) = study.shapes
    assert circle.points == ((45.0, 95.0), (55.0, 105.0)) and circle.level == "L4/L5"
    assert box.points == ((2.0, 5.0), (4.0, 9.0)) and box.level == "L3/L4"
    assert [(problem.weight, problem.found) for problem in study.problems] == [("suspicious", "a line of 2 points")]


def test_coco_polygons_points_and_what_is_left_out(tmp_path: Path) -> None:
    folder = write_coco(tmp_path)
    content = json.loads((folder / "annotations.json").read_text())
    about = {"image_id": 0, "category_id": 0}
    content["annotations"] = [
        about | {"segmentation": [[1, 2, 3, 4, 5, 0]]},
        about | {"keypoints": [1, 2, 2, 0, 0, 0, 5, 6, 1]},
        about | {"id": 5, "segmentation": {"counts": "x", "size": [1, 1]}},
        about | {"image_id": 77, "bbox": [1, 2, 3, 4]},
        about | {"bbox": [1, 2, 3]},
        about | {"bbox": [1, 2, 3, 4], "keypoints": [0, 0, 0], "segmentation": [[]]},
        about | {"bbox": [1, 2, 3, 4], "segmentation": [[1, 2, 3, 4]]},
        about | {"keypoints": [1, 2]},
    ]
    (folder / "annotations.json").write_text(json.dumps(content))
    study = only("coco", folder)
    assert [(shape.kind, shape.points) for shape in study.shapes] == [
        ("polygon", ((2.0, 1.0), (4.0, 3.0), (0.0, 5.0))), ("point", ((2.0, 1.0),)), ("point", ((6.0, 5.0),)),
        *2 * [("box", ((2.0, 1.0), (6.0, 4.0)))],
    ]  # fmt: skip
    assert sorted(problem.kind for problem in study.problems) == [*3 * ["incomplete"], "missing_image"]


# --- masks, phantoms, reviews, tables --------------------------------------------------------------------------------


def test_masks_are_named_by_their_table(tmp_path: Path, decoder: Decoder) -> None:
    study = only("masks", write_masks(tmp_path))
    (mask,) = study.shapes
    assert mask.values == ((1, "disc", "L4/L5"), (2, "ligamentum flavum", None)) and mask.image == "ann_t2"
    assert set(np.unique(open_mask(mask, decoder).array)) == {0, 1}


def test_masks_of_phantoms_lie_beside_their_images(made: Made, decoder: Decoder) -> None:
    first, second = read_source("masks", made("phantoms"))
    assert (first.name, second.name) == ("phantom-21-000", "phantom-21-001")
    assert {image.role for image in first.images} == {"sagittal_t1", "sagittal_t2", "axial_t2"}
    structures = {name for _, name, _ in first.shapes[0].values}
    assert {"disc", "dural sac", "foramen"} <= structures


def test_phantoms_keep_their_truth(made: Made) -> None:
    study = only("phantoms", made("phantoms"))
    assert study.truth == truth_in(made("phantoms"))["phantom-21-000"]
    assert study.patient == "phantom:21" and {shape.frame for shape in study.shapes} == {"lps_mm"}


def test_only_what_a_reader_said_is_a_label(tmp_path: Path) -> None:
    folder = write_reviewed(tmp_path)
    one, all_of_it = read_source("reviewed", folder)
    assert one.grades == {("pfirrmann", "L4/L5", None): "5"} and one.patient == "patient:PHANTOM-21"
    assert len(one.shapes) == 1, "at the place where the model looked"
    found = truth_in(tmp_path / "made")["phantom-21-001"]
    assert all_of_it.grades == {
        **{(f.condition, f.level, f.side): f.grade for f in found.findings}, ("pfirrmann", "L4/L5", None): "5",
    }  # fmt: skip


def test_a_review_may_lead_to_a_folder_of_several_series(tmp_path: Path, decoder: Decoder) -> None:
    folder = write_reviewed(tmp_path)
    (flat := tmp_path / "flat").mkdir()
    for number, path in enumerate(sorted((tmp_path / "made" / "phantom-21-000" / "dicom").rglob("*.dcm"))):
        shutil.copy(path, flat / f"{number}.dcm")
    path = sorted(folder.glob("*/review.json"))[0]
    path.write_text(json.dumps({"corrections": [], "rest_confirmed": True, "study": "../../flat"}))
    opened = open_images(only("reviewed", folder), decoder)
    assert {one.role for one in opened.series} == {"sagittal_t1", "sagittal_t2", "axial_t2"}


def test_the_latest_review_counts(tmp_path: Path) -> None:
    folder = write_reviewed(tmp_path)
    path = sorted(folder.glob("*/review.json"))[0]
    review = json.loads(path.read_text())
    place = {"condition": "herniation", "level": "L5-S1"}
    review["patient"] = "hospital:9"
    review["corrections"] += [
        {**place, "grade": "present", "date": "2026-03-01"},
        {**place, "grade": "absent", "date": "2026-02-01"},
        {"condition": "pfirrmann", "level": "L3/L4", "grade": 4, "date": "2026-03-02", "point_lps_mm": [4, 4, 4]},
        {"condition": "pfirrmann", "level": "L3/L4", "grade": 2, "date": "2026-03-01", "point_lps_mm": [2, 2, 2]},
        {"condition": "pfirrmann", "level": "L4/L5", "grade": None, "date": "2026-04-01"},
        {"condition": "pfirrmann", "level": "L4/L5", "grade": "7", "date": "2026-05-01"},
        {**place, "level": "L4/L5", "grade": "absent", "date": "2026-02-01", "reader": "a"},
        {**place, "level": "L4/L5", "grade": "present", "date": "2026-02-01", "reader": "b"},
    ]
    path.write_text(json.dumps(review))
    study = only("reviewed", folder)
    assert study.patient == "hospital:9"
    assert study.grades == {
        ("herniation", "L5/S1", None): "present", ("herniation", "L4/L5", None): "absent",
        ("pfirrmann", "L3/L4", None): "4",
    }  # fmt: skip
    drawn = [(shape.points, shape.grade) for shape in study.shapes if shape.condition == "pfirrmann"]
    assert drawn == [(((4.0, 4.0, 4.0),), "4")], "where the latest reader saw it"
    assert sorted(problem.kind for problem in study.problems) == ["contradiction", "unknown_name"]


def test_tables_say_what_absence_means(tmp_path: Path) -> None:
    ann, bob = read_source("csv", write_csv(tmp_path))
    assert (ann.patient, bob.patient) == ("p1", "p2")
    assert ann.grade("herniation", "L1/L2") == "absent" and bob.grade("herniation", "L1/L2") is None
    assert ann.grades == {("pfirrmann", "L4/L5", None): "4", ("subarticular_stenosis", "L5/S1", "left"): "moderate"}
    assert bob.grades == {("neural_foraminal_narrowing", "L1/L2", "right"): "normal_mild"}
    assert bob.shapes[0].points == ((-20.0, 3.5, 100.0),) and bob.shapes[0].frame == "lps_mm"


@pytest.mark.parametrize(
    "text, said",
    {
        b"study,condition,level,grade\n": "no column side",
        b"study;condition;level;side;grade\nx;pfirrmann;L4/L5;;2\n": "",
        b"\xef\xbb\xbfstudy,condition,level,side,grade\nx,pfirrmann,L4/L5,,2\n": "",
        b"study,condition,level,side,grade\nx,pfirrmann,L4/L5,,2\xe9\n": "not UTF-8",
        b"study,condition,level,side,grade,\nx,pfirrmann,L4/L5,,2,,\n": "",
        b"study,condition,level,side,grade\nx,modic, 1,L4/L5,,2\n": r"more cells than its head \(x, modic",
        b"": "no column",
        b'study,condition,level,side,grade\n"x,y': "no CSV table",
        b"\x00\x01": "no CSV table|no column",
    }.items(),
)  # fmt: skip
def test_tables_that_can_and_cannot_be_read(tmp_path: Path, text: bytes, said: str) -> None:
    (tmp_path / "grades.csv").write_bytes(text)
    if not said:
        assert only("csv", tmp_path).grades == {("pfirrmann", "L4/L5", None): "2"}
        return
    with pytest.raises(UnreadableInput, match=said):
        list(read_source("csv", tmp_path))


def test_numbers_that_are_none(made: Made, tmp_path: Path) -> None:
    folder = tmp_path / "rsna"
    shutil.copytree(made("rsna"), folder, ignore=shutil.ignore_patterns("*.dcm"))
    path = folder / "train_label_coordinates.csv"
    with path.open(newline="") as lines:
        rows = list(csv.reader(lines))
    for column, value in ((2, "1.5"), (5, "nan"), (6, "left")):
        changed = [row.copy() for row in rows]
        changed[1][column] = value
        path.write_text("\n".join(",".join(row) for row in changed))
        with pytest.raises(UnreadableInput, match=f"{value}.* as {rows[0][column]}; expected a (whole )?number"):
            list(read_source("rsna", folder))


def test_phantoms_of_rsna_and_of_dicom_agree(tmp_path: Path) -> None:
    made = write_phantoms(tmp_path / "made")
    assert len(list(read_source("phantoms", made))) == len(list(read_source("rsna", made / "rsna"))) == 2
