"""Written studies: the same bytes for a seed, true geometry when read back, truth that points at the right pixels."""

from functools import partial
from pathlib import Path

import numpy as np
import pydicom
import pytest

from coarse_study import coarse_study
from lumbago.anatomy.conditions import CONDITIONS
from lumbago.anatomy.findings import StudyFindings, StudySummary
from lumbago.anatomy.levels import LEVELS
from lumbago.errors import UsageError
from lumbago.phantom import write_study as writer
from lumbago.phantom.landmarks import landmarks
from lumbago.phantom.phantom_study import phantom_study
from lumbago.phantom.render_spine import render
from lumbago.phantom.spine_spec import SpineSpec
from lumbago.phantom.tissues import EXITING_LEFT, EXITING_RIGHT, SAC

SEED = 21


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "phantom_study", partial(coarse_study, pixels=96))
        (written,) = writer.write_studies(tmp_path_factory.mktemp("out"), 1, SEED)
    return written


@pytest.fixture(scope="module")
def truth(folder: Path) -> StudyFindings:
    return StudyFindings.from_json((folder / "truth.json").read_text(encoding="utf8"))


@pytest.fixture(scope="module")
def images(folder: Path) -> dict[str, pydicom.Dataset]:
    """Every image by its SOPInstanceUID."""
    read = [pydicom.dcmread(path) for path in sorted(folder.glob("dicom/*/*.dcm"))]
    return {str(image.SOPInstanceUID): image for image in read}


def pixel_at(image: pydicom.Dataset, point: np.ndarray) -> tuple[float, float, float]:
    """(row, column, millimetres off the slice) of a patient point, by the equations of PS3.3 C.7.6.2.1.1."""
    along, down = np.reshape(np.array(image.ImageOrientationPatient, float), (2, 3))
    offset = point - np.array(image.ImagePositionPatient, float)
    spacing = [float(value) for value in image.PixelSpacing]
    return offset @ down / spacing[0], offset @ along / spacing[1], abs(offset @ np.cross(along, down))


def test_same_seed_same_bytes(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "phantom_study", partial(coarse_study, pixels=96))
    again = writer.write_study(tmp_path / folder.name, SEED)
    files = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(again) for path in again.rglob("*") if path.is_file())
    assert len(files) > 15
    assert all((folder / name).read_bytes() == (again / name).read_bytes() for name in files)


def test_folder_is_named_by_seed_and_number(folder: Path) -> None:
    assert folder.name == f"phantom-{SEED}-000"
    assert SpineSpec.from_json((folder / "spine.json").read_text(encoding="utf8")).seed == SEED


def test_every_file_says_that_it_is_synthetic(images: dict[str, pydicom.Dataset]) -> None:
    for image in images.values():
        assert str(image.PatientName).startswith("PHANTOM^")
        assert "ynthetic" in image.ImageComments
        assert image.Modality == "MR"
        assert all(
            pydicom.uid.UID(uid).is_valid
            for uid in (image.SOPInstanceUID, image.SeriesInstanceUID, image.StudyInstanceUID)
        )
    assert len({image.StudyInstanceUID for image in images.values()}) == 1


def test_truth_survives_json(folder: Path, truth: StudyFindings) -> None:
    text = (folder / "truth.json").read_text(encoding="utf8")
    assert truth.to_json() == text
    assert truth.study.name == folder.name
    assert [place.level for place in truth.levels] == list(LEVELS)
    assert all(place.name_is_sure for place in truth.levels)


def test_truth_covers_every_condition(truth: StudyFindings) -> None:
    sites = sum(len(condition.sides) * len(LEVELS) for condition in CONDITIONS.values())
    assert len(truth.findings) + len(truth.not_assessed) == sites
    for finding in truth.findings:
        assert finding.trained_on == "truth"
        assert finding.probabilities[str(finding.grade)] == 1.0
        assert sum(finding.probabilities.values()) == 1.0


def test_evidence_points_at_the_right_slice(truth: StudyFindings, images: dict[str, pydicom.Dataset]) -> None:
    for finding in truth.findings:
        assert finding.evidence is not None
        image = images[finding.evidence.sop_instance_uid]
        row, column, off = pixel_at(image, np.array(finding.evidence.point_lps_mm))
        assert image.SeriesInstanceUID == finding.evidence.series_instance_uid
        assert 0 <= row < image.Rows
        assert 0 <= column < image.Columns
        assert off <= 6.0


def test_landmarks_map_to_their_tissue_in_the_files(folder: Path, images: dict[str, pydicom.Dataset]) -> None:
    """From a pixel of a file back to the patient: there lies what the landmark names."""
    spec = SpineSpec.from_json((folder / "spine.json").read_text(encoding="utf8"))
    for level in LEVELS:
        place = landmarks(spec).disc(level)
        wanted = [
            (place.canal_lps_mm, SAC),
            (place.foramen_lps_mm["left"], EXITING_LEFT),
            (place.foramen_lps_mm["right"], EXITING_RIGHT),
        ]
        for point, part in wanted:
            image = min(images.values(), key=lambda image, point=point: pixel_at(image, np.array(point))[2])
            row, column, _ = pixel_at(image, np.array(point))
            along, down = np.reshape(np.array(image.ImageOrientationPatient, float), (2, 3))
            spacing = float(image.PixelSpacing[0])
            back = np.array(image.ImagePositionPatient, float) + spacing * (row * down + column * along)
            nearby = back + (np.array(point) - back) * np.array([[0.0], [1.0]])
            assert part in render(spec, nearby.astype(np.float32)).part


def test_slices_are_ordered_by_instance_number_along_their_normal(images: dict[str, pydicom.Dataset]) -> None:
    for uid in {image.SeriesInstanceUID for image in images.values()}:
        series = sorted(
            (image for image in images.values() if image.SeriesInstanceUID == uid),
            key=lambda image: int(image.InstanceNumber),
        )
        assert [image.InstanceNumber for image in series] == list(range(1, len(series) + 1))


def test_series_come_as_in_hospitals() -> None:
    plans = [writer.planned_series(phantom_study(seed)) for seed in range(22)]
    counts = [sum(scan.role == "axial_t2" for scan in plan) for plan in plans]
    assert set(counts) == {1, 2}
    assert 0.02 < np.mean(np.array(counts) == 2) < 0.4
    assert all([scan.role for scan in plan[:2]] == ["sagittal_t2", "sagittal_t1"] for plan in plans)


def test_progress_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "_write_series", lambda *_: None)
    monkeypatch.setattr(writer, "truth_findings", lambda name, made: StudyFindings(_summary(name), (), ()))
    (tmp_path / "phantom-3-000").mkdir()
    (tmp_path / "phantom-3-001").mkdir()
    told: list[tuple[int, int]] = []
    writer.write_studies(tmp_path, 2, 3, lambda done, total: told.append((done, total)))
    assert told == [(1, 2), (2, 2)]


def _summary(name: str) -> StudySummary:
    return StudySummary(name, "1.2.3")


def test_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(UsageError, match="cannot be written"):
        writer.write_study(tmp_path / "taken", SEED)
