"""The manifest says what made the outputs: inputs, models, settings, versions, what is missing."""

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from lumbago import __version__
from lumbago.anatomy.findings import RESEARCH_USE, ModelUse
from lumbago.dicom.decoder import open_decoder
from lumbago.dicom.read_study import read_study
from lumbago.dicom.study import SkippedFile
from lumbago.manifest import Run, write_manifest
from lumbago.settings import Settings
from one_slice import write_slice

MODEL = ModelUse("tiny", "1.2", "ab" * 32, ("bulging",), "phantoms", "Trained on phantoms only.")


@pytest.fixture(scope="module")
def run_(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    path = write_slice(tmp_path_factory.mktemp("Übung") / "one.dcm")
    with open_decoder() as decoder:
        study = read_study(path, decoder=decoder)
    yield Run(study, Settings(threads=3), (MODEL,), (), (), {"analyze": 1.23456}, "2026-01-02T03:04:05+00:00")


def written(run: Run, folder: Path) -> dict[str, Any]:
    content = json.loads(write_manifest(run, folder).read_text(encoding="utf8"))
    assert isinstance(content, dict)
    return content


def test_what_ran_on_what(run_: Run, tmp_path: Path) -> None:
    content = written(run_, tmp_path)
    assert content["schema"] == "lumbago/manifest/1" and content["lumbago"] == __version__
    assert content["started"] == run_.started and content["seconds"] == {"analyze": 1.235}
    assert content["settings"] == {
        "threads": 3, "models": "", "home": "", "cache": "", "formats": ["json", "png", "pdf"],
    }  # fmt: skip
    assert content["libraries"]["onnxruntime"] == version("onnxruntime")
    assert content["python"] and content["machine"] and content["notice"] == RESEARCH_USE


def test_a_folder_whose_name_is_no_text(run_: Run, tmp_path: Path) -> None:
    """As one that was written in Latin-1 on another machine."""
    source = Path(os.fsdecode(b"/exports/M\xfcller"))
    assert Path(written(replace(run_, study=replace(run_.study, source=source)), tmp_path)["input"]["path"]) == source


def test_every_image_is_named(run_: Run, tmp_path: Path) -> None:
    given = written(run_, tmp_path)["input"]
    header = run_.study.first
    assert given["path"] == str(run_.study.source) and "Übung" in given["path"]
    assert given["study_instance_uid"] == run_.study.study_instance_uid
    assert given["series"] == [
        {
            "series_instance_uid": header.series_instance_uid, "description": header.series_description, "images": 1,
            "sop_instance_uids": [header.sop_instance_uid],
        }
    ]  # fmt: skip


def test_no_person_is_named(run_: Run, tmp_path: Path) -> None:
    header = replace(run_.study.first, patient_name="Doe^Jane", patient_id="P-77", patient_birth_date="19700101")
    study = replace(run_.study, series=(replace(run_.study.series[0], slices=(header,)),))
    write_manifest(replace(run_, study=study), tmp_path)
    text = (tmp_path / "manifest.json").read_text(encoding="utf8")
    assert not any(secret in text for secret in ("Doe", "P-77", "19700101"))


def test_the_models_are_named_with_their_checksum(run_: Run, tmp_path: Path) -> None:
    (model,) = written(run_, tmp_path)["models"]
    assert model["name"] == "tiny" and model["sha256"] == MODEL.sha256 and model["trained_on"] == "phantoms"


def test_whole_or_not(run_: Run, tmp_path: Path) -> None:
    other, broken = SkippedFile("notes.txt", "text", False), SkippedFile("IM1", "cut short", True)
    assert written(run_, tmp_path)["status"] == "whole"
    assert written(replace(run_, skipped=(other,)), tmp_path)["status"] == "whole"
    damaged = written(replace(run_, skipped=(other, broken)), tmp_path)
    assert damaged["status"] == "parts missing"
    assert damaged["skipped"][1] == {"name": "IM1", "reason": "cut short", "is_damage": True}
    lacking = written(replace(run_, gaps=("no sagittal T1 series",)), tmp_path)
    assert lacking["status"] == "parts missing" and lacking["gaps"] == ["no sagittal T1 series"]


def test_outputs_are_listed_but_for_itself(run_: Run, tmp_path: Path) -> None:
    for name in ("report.pdf", "findings.json"):
        (tmp_path / name).write_text("x")
    (tmp_path / "folder").mkdir()
    for _ in range(2):
        assert written(run_, tmp_path)["outputs"] == ["findings.json", "report.pdf"]
