"""Bad input: one sentence on stderr, its own exit code, no traceback; one bad file costs itself."""

import json
import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.uid import generate_uid
from story_tools import edit, files_of, run


def refused(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str]:
    """Exit code and the one sentence."""
    code = run(*arguments)
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1, lines
    assert "Traceback" not in lines[0] and lines[0].startswith("lumbago: ") and lines[0].endswith(".")
    return code, lines[0]


def test_empty_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in").mkdir()
    code, sentence = refused(capsys, "analyze", tmp_path / "in", "--out", tmp_path / "out")
    assert code == 3 and "empty" in sentence


def test_text_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes.txt").write_text("not an image")
    code, sentence = refused(capsys, "analyze", tmp_path / "notes.txt", "--out", tmp_path / "out")
    assert code == 3 and "text" in sentence


def test_nothing_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _ = refused(capsys, "analyze", tmp_path / "missing", "--out", tmp_path / "out")
    assert code == 3


def test_other_modality(copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in files_of(copy):
        edit(path, lambda dataset: setattr(dataset, "Modality", "CT"))
    code, sentence = refused(capsys, "analyze", copy, "--out", tmp_path / "out")
    assert code == 4 and "MR" in sentence


def test_other_body_part_by_content(copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A head of sorts (a bright ellipsoid) whose header says lumbar spine."""
    for role in ("axial_t2", "sagittal_t1"):
        for path in files_of(copy, role):
            path.unlink()
    for path in files_of(copy):
        edit(path, paint_head)
    code, sentence = refused(capsys, "analyze", copy, "--out", tmp_path / "out")
    assert code == 4 and "no lumbar spine" in sentence


def paint_head(dataset: pydicom.Dataset) -> None:
    shape = (dataset.Rows, dataset.Columns)
    rows, columns = np.linspace(-1, 1, shape[0])[:, None], np.linspace(-1, 1, shape[1])[None]
    radius = np.hypot(rows / 0.8, columns / 0.7)
    folds = 300 * np.sin(25 * columns) * np.sin(19 * rows)
    picture = np.where(radius < 1, 700 + folds * (radius < 0.85), 20)
    picture[(radius > 0.9) & (radius < 1)] = 1200
    dataset.PixelData = picture.astype(dataset.pixel_array.dtype).tobytes()
    dataset.BodyPartExamined = "LSPINE"


def test_localizers_only(copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in files_of(copy):
        edit(path, lambda dataset: setattr(dataset, "ImageType", ["ORIGINAL", "PRIMARY", "LOCALIZER"]))
    code, sentence = refused(capsys, "analyze", copy, "--out", tmp_path / "out")
    assert code == 4 and "localizer" in sentence


def test_axial_only(copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for role in ("sagittal_t1", "sagittal_t2"):
        for path in files_of(copy, role):
            path.unlink()
    code, sentence = refused(capsys, "analyze", copy, "--out", tmp_path / "out")
    assert code == 4 and "sagittal" in sentence


def test_mixed_patients(copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in files_of(copy)[::2]:
        edit(path, lambda dataset: setattr(dataset, "PatientID", "SOMEBODY-ELSE"))
    code, sentence = refused(capsys, "analyze", copy, "--out", tmp_path / "out")
    assert code == 3 and "patient" in sentence


def test_every_file_truncated(copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in files_of(copy):
        path.write_bytes(path.read_bytes()[:-5000])
    code, sentence = refused(capsys, "analyze", copy, "--out", tmp_path / "out")
    assert code == 3 and "damaged" in sentence


def test_one_bad_file_is_left_out_and_named(copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    victim = files_of(copy, "sagittal_t2")[0]
    victim.write_bytes(victim.read_bytes()[:-5000])
    code, sentence = refused(capsys, "analyze", copy, "--out", tmp_path / "out")
    assert code == 5 and victim.name in sentence
    manifest = json.loads((tmp_path / "out" / "study" / "manifest.json").read_text())
    assert [file["name"] for file in manifest["skipped"] if file["is_damage"]] == [str(victim.relative_to(copy))]
    assert manifest["status"] == "parts missing"


def test_files_without_pixels(copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in files_of(copy):
        edit(path, lambda dataset: delattr(dataset, "PixelData"))
    code, _ = refused(capsys, "analyze", copy, "--out", tmp_path / "out")
    assert code == 3


def test_two_studies_give_two_results(copy: Path, tmp_path: Path) -> None:
    """The same patient at two dates; the second result bears `-2`."""
    second = copy.parent / "both" / "second"
    shutil.copytree(copy, copy.parent / "both" / "first")
    shutil.copytree(copy, second)
    study = generate_uid()
    series: dict[str, str] = {}
    for path in files_of(second):
        edit(path, lambda dataset: redate(dataset, study, series))
    assert run("analyze", copy.parent / "both", "--out", tmp_path / "out", "--format", "json") == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["both", "both-2"]


def redate(dataset: pydicom.Dataset, study: str, series: dict[str, str]) -> None:
    dataset.StudyInstanceUID, dataset.StudyDate = study, "20300101"
    dataset.SeriesInstanceUID = series.setdefault(str(dataset.SeriesInstanceUID), generate_uid())
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset.PixelData = (dataset.pixel_array // 2).tobytes()
