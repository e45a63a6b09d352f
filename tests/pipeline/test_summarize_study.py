"""What is said of a study as a whole: why a role is not played, and what becomes of the series."""

from pathlib import Path

import pytest
from painted_spine import DISCS, T1, PaintedLocator, axial_block, sagittal_volume
from painted_study import small_sagittal, write_volume

from lumbago.anatomy.findings import StudyFindings
from lumbago.dicom.decoder import Decoder
from lumbago.dicom.read_study import read_study
from lumbago.pipeline.locate_study import locate_study
from lumbago.pipeline.summarize_study import StudyReading, summarize_study

BLANK = small_sagittal((0.1,) * 9)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_volume(small_sagittal(T1), tmp_path, 1, "t1")
    return tmp_path


def summary(folder: Path, locator: PaintedLocator, decoder: Decoder) -> StudyFindings:
    study = read_study(folder, decoder=decoder)
    found = locate_study(study, locator, decoder)
    reading = StudyReading(
        study, found.choice, found.sagittal, found.axial, found.spine, found.remarks, found.skipped, (), found.unfit
    )
    return summarize_study(reading, ())


def why_no_grade(findings: StudyFindings, condition: str) -> str:
    (reason,) = {entry.reason for entry in findings.not_assessed if entry.condition == condition}
    return reason


def test_a_series_that_shows_no_lumbar_spine_is_not_denied(
    folder: Path, locator: PaintedLocator, decoder: Decoder
) -> None:
    write_volume(BLANK, folder, 2, "t2")
    findings = summary(folder, locator, decoder)
    reason = why_no_grade(findings, "pfirrmann")
    assert reason.startswith("the sagittal T2 or STIR series cannot be used: no lumbar spine is seen in it: 0 discs")
    (unused,) = [series for series in findings.study.series if series.role is None]
    assert unused.reason.startswith("no lumbar spine is seen in it")


def test_a_series_of_another_contrast_than_it_states(folder: Path, locator: PaintedLocator, decoder: Decoder) -> None:
    write_volume(small_sagittal(T1), folder, 2, "t2")
    findings = summary(folder, locator, decoder)
    assert why_no_grade(findings, "modic") == "the sagittal T2 or STIR series cannot be used: it shows T1 contrast"


def test_a_series_that_is_not_there(folder: Path, locator: PaintedLocator, decoder: Decoder) -> None:
    write_volume(BLANK, folder, 2, "unknown")
    assert why_no_grade(summary(folder, locator, decoder), "pfirrmann") == "no sagittal T2 or STIR series"


def test_every_remark_is_a_sentence_that_names_its_series(
    folder: Path, locator: PaintedLocator, decoder: Decoder
) -> None:
    write_volume(small_sagittal(), folder, 2, "t2", AcquisitionContrast="T1")
    write_volume(axial_block(DISCS[1], DISCS[1].tilt, slices=8), folder, 3, "t2")
    (folder / "IM3005").unlink()
    texts = [remark.text for remark in summary(folder, locator, decoder).quality]
    assert [text for text in texts if not text.endswith(".")] == []
    assert [text for text in texts if text.startswith("sagittal T2 or STIR: T2 by its timing") and "but T1" in text]
    assert [text for text in texts if text.startswith("axial T2: ")]


@pytest.mark.parametrize("first_x", [5.0, -9.0])
def test_discs_beside_the_middle_are_graded_with_a_caution(
    tmp_path: Path, locator: PaintedLocator, decoder: Decoder, first_x: float
) -> None:
    """The canal's middle lies at x = 3 and it is 12 mm wide; slices are 4 mm apart."""
    write_volume(sagittal_volume(first_x=first_x, slices=8), tmp_path, 1, "t2")
    texts = [remark.text for remark in summary(tmp_path, locator, decoder).quality]
    said = "the slices may miss the middle of the canal at L1/L2, L2/L3, L3/L4, L4/L5, L5/S1; discs there were graded"
    assert any(said in text for text in texts) == (first_x > 3)


@pytest.mark.parametrize("slices", [1, 3])
def test_a_canal_on_one_slice_alone_is_graded_with_a_caution(
    tmp_path: Path, locator: PaintedLocator, decoder: Decoder, slices: int
) -> None:
    write_volume(sagittal_volume(first_x=3.0 - 4.0 * (slices // 2), slices=slices), tmp_path, 1, "t2")
    texts = [remark.text for remark in summary(tmp_path, locator, decoder).quality]
    assert any("whether the only slice passes through the middle" in text for text in texts) == (slices == 1)
