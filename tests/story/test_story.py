"""A phantom study becomes a report, and nothing but its images decides what the report says."""

import json
import random
import shutil
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.uid import generate_uid
from story_tools import Analyze, edit, files_of, run

from lumbago.anatomy.conditions import CONDITIONS
from lumbago.anatomy.findings import Finding, StudyFindings
from lumbago.anatomy.levels import LEVELS, SIDES
from lumbago.dicom.decoder import Decoder
from lumbago.dicom.read_study import read_studies
from lumbago.inference.weights import SHIPPED
from lumbago.pipeline.analyze_study import GRADERS, LOCATOR, TISSUES, Analysis, Models, analyze_study

RSNA = ("spinal_canal_stenosis", "neural_foraminal_narrowing", "subarticular_stenosis")


def graded(findings: StudyFindings, unsized: str = "-") -> dict[tuple[str, str, str | None], Any]:
    """What is said of each place: everything but the names of files and series, and sizes that begin with a word."""
    return {
        (f.condition, f.level, f.side): (
            f.grade, f.probabilities, f.expected_grade, f.abstained, f.reason,
            {name: size for name, size in f.measurements.items() if not name.startswith(unsized)},
            None if f.evidence is None else (f.evidence.point_lps_mm, f.evidence.box_lps_mm, f.evidence.outline),
        )
        for f in findings.findings
    }  # fmt: skip


def test_discs_are_found_and_named(whole: Analysis, truth: StudyFindings) -> None:
    true = {row.level: np.array(row.disc_center_lps_mm) for row in truth.levels}
    found = {row.level: row for row in whole.findings.levels}
    for level in LEVELS:
        assert found[level].name_is_sure
        assert np.linalg.norm(np.array(found[level].disc_center_lps_mm) - true[level]) < 6.0, level


def test_every_gradable_condition_is_graded_everywhere(whole: Analysis) -> None:
    gradable = {condition for model in whole.findings.models for condition in model.conditions}
    for name in gradable:
        condition = CONDITIONS[name]
        for level in LEVELS:
            for side in condition.sides:
                finding = whole.findings.find(name, level, side)
                assert finding is not None, (name, level, side)
                assert sum(finding.probabilities.values()) == pytest.approx(1, abs=0.002)
                assert list(finding.probabilities) == list(condition.scale.grades)
    assert whole.gaps == ()
    assert set(RSNA) <= gradable


def test_points_lie_on_the_side_they_are_named_for(whole: Analysis, truth: StudyFindings) -> None:
    for finding in whole.findings.findings:
        if finding.side is not None:
            wanted = truth.find(finding.condition, finding.level, finding.side)
            assert wanted is not None and wanted.evidence is not None and finding.evidence is not None
            distance = np.array(wanted.evidence.point_lps_mm) - np.array(finding.evidence.point_lps_mm)
            assert np.linalg.norm(distance) < 12.0, (finding.condition, finding.level, finding.side)


def test_sac_recesses_and_foramina_are_measured(whole: Analysis, truth: StudyFindings) -> None:
    """Within four standard errors of what the phantom was made with."""
    compared: Counter[str] = Counter()
    sizes = {"sac_area_mm2", "sac_depth_mm", "recess_depth_mm", "foramen_height_mm", "foramen_area_mm2"}
    for finding in whole.findings.findings:
        true = truth.find(finding.condition, finding.level, finding.side)
        for name in sizes & finding.measurements.keys():
            size = finding.measurements[name]
            assert true is not None and abs(size.value - true.measurements[name].value) < 4 * size.error, finding
            compared[name] += 1
    assert min(compared[name] for name in sizes) >= 3
    sided = {f"{side} {name}" for side in SIDES for name in ("recess", "foramen", "ganglion")}
    assert {one.structure for one in whole.findings.outlines} == {"sac", "disc", *sided}


@pytest.mark.parametrize(
    "lost", [("axial-tissues", "on axial slices", "foramen"), ("foramen-tissues", "in foramina", "sac")]
)
def test_a_damaged_model_of_tissues_costs_their_sizes_alone(
    phantom: Path, whole: Analysis, decoder: Decoder, tmp_path: Path, lost: tuple[str, str, str]
) -> None:
    name, where, keeps = lost
    broken = tmp_path / name
    shutil.copytree(SHIPPED / name, broken)
    (broken / "model.onnx").write_bytes(b"not a network")
    models = Models.load({**{one: SHIPPED / one for one in (LOCATOR, *GRADERS, *TISSUES)}, name: broken})
    (study,) = read_studies(phantom / "dicom", decoder=decoder)
    analysis = analyze_study(study, models, decoder)
    kept = {one for one in whole.findings.outlines if keeps in one.structure}
    assert kept <= set(analysis.findings.outlines) < set(whole.findings.outlines)
    assert graded(analysis.findings, "sac").keys() == graded(whole.findings).keys()
    (said,) = (row for row in analysis.findings.quality if name in row.text and row.severity == "warning")
    assert said.text.startswith(f"Nothing was measured {where}: the weights of {name}")


def test_command_line_writes_a_whole_result(phantom: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("analyze", phantom, "--out", tmp_path) == 0
    result = tmp_path / phantom.name
    for name in ("findings.json", "manifest.json", "report.pdf", "sagittal_t2.png", "axial_L4-L5.png"):
        assert (result / name).stat().st_size > 500, name
    manifest = json.loads((result / "manifest.json").read_text())
    assert manifest["status"] == "whole"
    assert set(manifest["outputs"]) == {path.name for path in result.iterdir()} - {"manifest.json"}
    assert {model["sha256"] for model in manifest["models"]} == {
        model.sha256 for model in StudyFindings.from_json((result / "findings.json").read_text()).models
    }
    printed = capsys.readouterr()
    assert "L4/L5" in printed.out and "Not a diagnosis" in printed.out
    assert printed.err == ""


def test_names_and_order_do_not_matter(copy: Path, analyze: Analyze, whole: Analysis) -> None:
    """Other UIDs, file names, descriptions, and slice numbers: the same findings, to the last digit."""
    uids: dict[str, str] = {}
    shuffle = random.Random(1)
    for series in {path.parent for path in files_of(copy)}:
        numbers = list(range(1, 1 + len(files_of(copy, series.name))))
        shuffle.shuffle(numbers)
        for path, number in zip(files_of(copy, series.name), numbers, strict=True):
            edit(path, lambda dataset, number=number: scramble(dataset, uids, number))
            path.rename(copy / f"{shuffle.randrange(10**9)}")
        series.rmdir()
    assert graded(analyze(copy).findings) == graded(whole.findings)


def scramble(dataset: pydicom.Dataset, uids: dict[str, str], number: int) -> None:
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID"):
        old = str(dataset[keyword].value)
        dataset[keyword].value = uids.setdefault(old, generate_uid())
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.InstanceNumber = number
    dataset.SeriesDescription = dataset.StudyDescription = dataset.ProtocolName = "x"
    dataset.PatientName, dataset.PatientID = "Someone^Else", "42"
    for keyword in ("ImageComments", "SequenceName", "BodyPartExamined"):
        if keyword in dataset:
            delattr(dataset, keyword)


def test_zip_is_as_good_as_a_folder(copy: Path, tmp_path: Path, analyze: Analyze, whole: Analysis) -> None:
    archive = tmp_path / "study.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as members:
        for path in files_of(copy):
            members.write(path, path.relative_to(copy))
    assert graded(analyze(archive).findings) == graded(whole.findings)


@pytest.mark.parametrize("role", ["sagittal_t1", "axial_t2"])
def test_a_missing_series_costs_its_own_conditions_alone(
    role: str, copy: Path, analyze: Analyze, whole: Analysis
) -> None:
    for path in files_of(copy, role):
        path.unlink()
    analysis = analyze(copy)
    unsized = "sac" if role == "axial_t2" else "-"
    said_before, said = graded(whole.findings, unsized), graded(analysis.findings)
    left = {place: grade for place, grade in said_before.items() if CONDITIONS[place[0]].source != role}
    assert said.keys() == left.keys()
    joined = {place for place in left if role == "sagittal_t1" and role in CONDITIONS[place[0]].also_from}
    assert {place for place in left if said[place] != left[place]} <= joined
    drawn_on = {"sagittal_t1": ("foramen", "ganglion"), "axial_t2": ("sac", "disc", "recess")}[role]
    assert set(analysis.findings.outlines) == {
        one for one in whole.findings.outlines if not one.structure.endswith(drawn_on)
    }
    lost = {entry.condition for entry in analysis.findings.not_assessed if entry.level is None}
    assert lost >= {name for name in RSNA if CONDITIONS[name].source == role}
    assert analysis.gaps


def test_without_sagittal_t2_the_others_stay(copy: Path, analyze: Analyze, whole: Analysis) -> None:
    """Axial slices then take their level from T1: the same conditions are graded, T1's to the last digit; herniations
    on axial slices alone, and on T1 what it shows of discs; for what it stands in is said."""
    for path in files_of(copy, "sagittal_t2"):
        path.unlink()
    after = analyze(copy).findings
    found, before = graded(after), graded(whole.findings)
    on_t1 = {name for name, condition in CONDITIONS.items() if "sagittal_t1" in condition.roles}
    assert {place[0] for place in found} == {"subarticular_stenosis", "herniation", *on_t1}
    assert any("read from sagittal T1 instead" in remark.text for remark in after.quality)
    foramina = {place: said for place, said in before.items() if place[0] == "neural_foraminal_narrowing"}
    assert {place: said for place, said in found.items() if place in foramina} == foramina


def test_a_blanked_disc_changes_or_loses_its_grade(copy: Path, analyze: Analyze, whole: Analysis) -> None:
    before = whole.findings.find("pfirrmann", "L3/L4")
    assert before is not None and before.evidence is not None
    center = np.array(before.evidence.point_lps_mm)
    for path in files_of(copy, "sagittal_t2"):
        edit(path, lambda dataset: blank(dataset, center))
    after = analyze(copy).findings
    found = after.find("pfirrmann", "L3/L4")
    assert found is None or found.abstained or found.grade != before.grade
    assert after.find("pfirrmann", "L5/S1").grade == whole.findings.find("pfirrmann", "L5/S1").grade  # type: ignore[union-attr]


def blank(dataset: pydicom.Dataset, center: np.ndarray) -> None:
    """Sets 22 mm about a patient point to zero, in the plane of the slice."""
    position, spacing = np.array(dataset.ImagePositionPatient, float), np.array(dataset.PixelSpacing, float)
    axes = np.array(dataset.ImageOrientationPatient, float).reshape(2, 3)
    column, row = (axes @ (center - position)) / spacing[::-1]
    pixels = dataset.pixel_array.copy()
    rows, columns = np.indices(pixels.shape)
    near = np.hypot((rows - row) * spacing[0], (columns - column) * spacing[1]) < 22
    pixels[near] = 0
    dataset.PixelData = pixels.tobytes()


def test_single_slice_gets_what_it_allows(phantom: Path, whole: Analysis, tmp_path: Path, analyze: Analyze) -> None:
    evidence = found(whole, "pfirrmann", "L3/L4").evidence
    assert evidence is not None
    (middle,) = [
        path for path in files_of(phantom / "dicom", "sagittal_t2")
        if pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID == evidence.sop_instance_uid
    ]  # fmt: skip
    shutil.copy(middle, tmp_path / "one.dcm")
    analysis = analyze(tmp_path / "one.dcm")
    assert {f.condition for f in analysis.findings.findings} >= {"pfirrmann", "spinal_canal_stenosis"}
    assert all(f.side is None for f in analysis.findings.findings)
    assert any("1 slice" in remark.text for remark in analysis.findings.quality)
    assert "no sagittal T1 series" in analysis.gaps


def found(analysis: Analysis, condition: str, level: str) -> Finding:
    finding = analysis.findings.find(condition, level)
    assert finding is not None
    return finding
