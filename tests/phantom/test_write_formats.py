"""Phantoms in parallel, again after a break, as NIfTI and in the RSNA 2024 layout: the same geometry everywhere."""

import csv
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest

from coarse_study import coarse_study
from lumbago.anatomy.findings import StudyFindings
from lumbago.anatomy.levels import LEVELS
from lumbago.errors import UsageError
from lumbago.phantom import write_study as writer
from lumbago.phantom.landmarks import DiscPlace, landmarks
from lumbago.phantom.spine_spec import SpineSpec
from lumbago.phantom.tissues import EXITING_LEFT, EXITING_RIGHT
from lumbago.phantom.write_nifti import NIFTI_LABELS, nifti_labels
from lumbago.phantom.write_rsna import CONDITIONS_OF_RSNA, GRADE_COLUMNS, GRADES, study_id

SEEDS = (21, 22)
PLAN = writer.WritePlan(("dicom", "nifti", "rsna"))


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("out")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "phantom_study", coarse_study)
        writer.write_studies(folder, len(SEEDS), SEEDS[0], plan=PLAN)
    return folder


def table(out: Path, name: str) -> list[dict[str, str]]:
    with (out / "rsna" / f"{name}.csv").open(newline="") as lines:
        return list(csv.DictReader(lines))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# --- NIfTI -----------------------------------------------------------------------------------------------------------


def test_nifti_has_the_pixels_and_places_of_dicom(out: Path) -> None:
    checked = 0
    for study in out.glob("phantom-*"):
        grids = [nib.load(path) for path in study.glob("nifti/*.nii.gz") if "labels" not in path.name]
        images = [pydicom.dcmread(path) for path in study.glob("dicom/*/*.dcm")]
        for image in images:
            corner = np.array(image.ImagePositionPatient, float) * [-1, -1, 1]
            found = [
                grid.get_fdata()[:, :, index]
                for grid in grids
                for index in range(grid.shape[2])
                if np.allclose(grid.affine @ [0, 0, index, 1], [*corner, 1], atol=1e-3)
                and np.allclose(
                    grid.affine[:3, 0] / image.PixelSpacing[1] * [-1, -1, 1],
                    image.ImageOrientationPatient[:3],
                    atol=1e-5,
                )
            ]
            assert any(np.array_equal(slice_, image.pixel_array.T) for slice_ in found)
            checked += 1
    assert checked > 40


def test_nifti_labels_lie_where_the_spine_has_its_discs(out: Path) -> None:
    seen = set()
    for study in out.glob("phantom-*"):
        spine = SpineSpec.from_json((study / "spine.json").read_text(encoding="utf8"))
        names = json.loads((study / "nifti" / "labels.json").read_text(encoding="utf8"))
        for path in study.glob("nifti/sagittal*_labels.nii.gz"):
            grid = nib.load(path)
            labels, to_index = np.asarray(grid.dataobj), np.linalg.inv(grid.affine)
            for level in LEVELS:
                point = np.array(landmarks(spine).disc(level).center_lps_mm) * [-1, -1, 1]
                i, j, k = np.rint((to_index @ [*point, 1])[:3]).astype(int)
                around = labels[i - 1 : i + 2, j - 1 : j + 2, max(k, 0)]
                seen.add(level in {names[str(value)] for value in around.ravel()})
    assert seen == {True}


def test_sides_of_labels_change_places_in_a_mirror_image() -> None:
    codes = np.array([EXITING_LEFT, EXITING_RIGHT], np.uint8)
    names = [[NIFTI_LABELS[value] for value in nifti_labels(codes, hand)] for hand in (1, -1)]
    assert names == [["exiting root left", "exiting root right"], ["exiting root right", "exiting root left"]]


# --- RSNA 2024 -------------------------------------------------------------------------------------------------------


def test_rsna_tables_have_the_columns_of_the_challenge(out: Path) -> None:
    train = table(out, "train")
    assert list(train[0])[:2] == ["study_id", "spinal_canal_stenosis_l1_l2"]
    assert list(train[0])[-1] == "right_subarticular_stenosis_l5_s1"
    assert len(train[0]) == 26
    assert {row[column] for row in train for column in GRADE_COLUMNS} <= {*GRADES.values(), ""}
    assert list(table(out, "train_label_coordinates")[0]) == [
        "study_id", "series_id", "instance_number", "condition", "level", "x", "y",
    ]  # fmt: skip
    described = table(out, "train_series_descriptions")
    assert list(described[0]) == ["study_id", "series_id", "series_description"]
    assert {row["series_description"] for row in described} == {"Sagittal T1", "Sagittal T2/STIR", "Axial T2"}


def test_rsna_images_are_those_of_the_tables(out: Path) -> None:
    images = {path.relative_to(out / "rsna" / "train_images") for path in out.glob("rsna/train_images/*/*/*.dcm")}
    series = {(row["study_id"], row["series_id"]) for row in table(out, "train_series_descriptions")}
    assert {path.parts[:2] for path in images} == series
    for row in table(out, "train_label_coordinates"):
        assert Path(row["study_id"], row["series_id"], f"{row['instance_number']}.dcm") in images
    for path in images:
        read = pydicom.dcmread(out / "rsna" / "train_images" / path, stop_before_pixels=True)
        assert str(read.InstanceNumber) == path.stem


def test_rsna_points_lead_back_to_the_landmarks(out: Path) -> None:
    rows = table(out, "train_label_coordinates")
    for row in rows:
        seed = int(row["study_id"]) - study_id(0)
        study = out / f"phantom-{SEEDS[0]}-{seed - SEEDS[0]:03d}"
        spine = SpineSpec.from_json((study / "spine.json").read_text(encoding="utf8"))
        folder = out / "rsna" / "train_images" / row["study_id"] / row["series_id"]
        image = pydicom.dcmread(folder / f"{row['instance_number']}.dcm", stop_before_pixels=True)
        along, down = np.reshape(np.array(image.ImageOrientationPatient, float), (2, 3))
        spacing = np.array(image.PixelSpacing, float)
        point = np.array(image.ImagePositionPatient, float)
        point = point + float(row["x"]) * spacing[1] * along + float(row["y"]) * spacing[0] * down
        offset = point - wanted(landmarks(spine).disc(row["level"]), row["condition"])
        normal = np.cross(along, down)
        assert np.linalg.norm(offset - (offset @ normal) * normal) < 0.01
        assert abs(offset @ normal) < 6
    assert len(rows) > 40


def wanted(place: DiscPlace, condition: str) -> np.ndarray:
    side = "left" if condition.startswith("Left") else "right"
    if "Canal" in condition:
        return np.array(place.canal_lps_mm)
    return np.array(place.foramen_lps_mm[side] if "Foraminal" in condition else place.recess_lps_mm[side])


def test_rsna_grades_are_the_truth(out: Path) -> None:
    for row, study in zip(table(out, "train"), sorted(out.glob("phantom-*")), strict=True):
        truth = StudyFindings.from_json((study / "truth.json").read_text(encoding="utf8"))
        grades = {(f.condition, f.side, f.level): f.grade for f in truth.findings}
        for (condition, side), name in CONDITIONS_OF_RSNA.items():
            for level in LEVELS:
                text = row[f"{name} {level}".lower().replace(" ", "_").replace("/", "_")]
                if text:
                    assert text == GRADES[str(grades[condition, side, level])]


# --- again, and in parallel ------------------------------------------------------------------------------------------


def test_repeated_call_goes_on_where_it_stopped(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    monkeypatch.setattr(writer, "phantom_study", lambda seed, **how: made.append(seed) or coarse_study(seed, **how))
    (out / f"phantom-{SEEDS[0]}-001" / "phantom.json").unlink()
    before = contents(out)
    writer.write_studies(out, len(SEEDS), SEEDS[0], plan=PLAN)
    assert made == [SEEDS[1]]
    assert {name: data for name, data in contents(out).items() if name in before} == before
    assert len(contents(out)) == len(before) + 1


def test_interruption_leaves_whole_studies_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(writer, "phantom_study", coarse_study)
    monkeypatch.setattr(writer, "_write_series", interrupted)
    with pytest.raises(KeyboardInterrupt):
        writer.write_studies(tmp_path, 1, SEEDS[0])
    assert list(tmp_path.iterdir()) == []


def test_folder_of_others_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "phantom-1-000").mkdir()
    (tmp_path / "phantom-1-000" / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="no phantom"):
        writer.write_studies(tmp_path, 1, 1)
    assert (tmp_path / "phantom-1-000" / "mine.txt").read_text() == "mine"


def test_unknown_format(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no format png"):
        writer.write_study(tmp_path / "a", 1, writer.WritePlan(("png",)))


@pytest.mark.slow
def test_workers_change_no_byte(tmp_path: Path) -> None:
    for workers in (1, 2):
        writer.write_studies(tmp_path / str(workers), 2, 40, plan=writer.WritePlan(PLAN.formats, workers))
    assert contents(tmp_path / "1") == contents(tmp_path / "2")
