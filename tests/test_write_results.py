"""Results are whole or not there: nothing half written, nothing of another study lost."""

import json
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lumbago import write_results
from lumbago.anatomy.findings import StudyFindings
from lumbago.dicom.decoder import Decoder, open_decoder
from lumbago.dicom.read_study import read_study
from lumbago.dicom.study import SkippedFile, Study
from lumbago.errors import NotALumbarStudy, UsageError
from lumbago.pipeline.analyze_study import Analysis, Models
from lumbago.settings import Settings
from lumbago.write_results import Result, analyze_into
from one_slice import write_slice

Analyze = Callable[..., Result]


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    with open_decoder() as opened:
        yield opened


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, decoder: Decoder) -> Study:
    return read_study(write_slice(tmp_path_factory.mktemp("in") / "one.dcm"), decoder=decoder)


@pytest.fixture(scope="module")
def analyze(decoder: Decoder) -> Analyze:
    """Analyzes into a folder; JSON alone unless told otherwise."""
    models = Models.load(threads=1)

    def run(study: Study, out: Path, *formats: str, kept: Collection[Path] = ()) -> Result:
        return analyze_into(study, models, decoder, out, Settings(threads=1, formats=formats or ("json",)), kept=kept)

    return run


@pytest.fixture(scope="module")
def first(study: Study, analyze: Analyze, tmp_path_factory: pytest.TempPathFactory) -> Result:
    return analyze(study, tmp_path_factory.mktemp("new") / "out")


def names(folder: Path) -> list[str]:
    """Everything there, hidden or not."""
    return sorted(path.name for path in folder.iterdir())


def test_a_result_bears_the_study_s_name(first: Result, study: Study) -> None:
    assert first.folder is not None and first.error is None
    assert first.name == first.folder.name == study.name == "one"
    assert names(first.folder.parent) == ["one"], "and nothing temporary stays"
    assert first.folder.stat().st_mode & 0o777 == 0o755, "others may read it"


def test_json_alone_has_neither_pictures_of_slices_nor_pdf(first: Result) -> None:
    assert first.folder is not None and first.analysis is not None
    assert set(names(first.folder)) == {"findings.json", "manifest.json", *first.analysis.heat_maps}
    written = StudyFindings.from_json((first.folder / "findings.json").read_text(encoding="utf8"))
    assert written == first.analysis.findings


def test_pictures_without_pdf(study: Study, analyze: Analyze, tmp_path: Path) -> None:
    result = analyze(study, tmp_path, "png")
    assert result.folder is not None
    assert "sagittal_t2.png" in names(result.folder) and "report.pdf" not in names(result.folder)


def test_a_missing_series_costs_the_exit_code(first: Result) -> None:
    assert first.analysis is not None and first.analysis.gaps
    assert first.exit_code == 5


def test_exit_codes(first: Result) -> None:
    assert first.analysis is not None
    whole = replace(first.analysis, gaps=())
    other, broken = SkippedFile("notes.txt", "text", False), SkippedFile("IM1", "cut short", True)

    def code(analysis: Analysis | None, error: NotALumbarStudy | None = None) -> int:
        return Result("x", None, analysis, error).exit_code

    assert code(whole) == 0
    assert code(replace(whole, skipped=(other,))) == 0, "what is no image is no loss"
    assert code(replace(whole, skipped=(other, broken))) == 5
    assert code(None, NotALumbarStudy("a foot")) == 4


def test_a_refused_study_leaves_nothing_behind(study: Study, analyze: Analyze, tmp_path: Path) -> None:
    headers = tuple(replace(header, modality="CT") for header in study.series[0].slices)
    computed = replace(study, series=(replace(study.series[0], slices=headers),))
    result = analyze(computed, tmp_path / "out")
    assert isinstance(result.error, NotALumbarStudy) and result.folder is None and result.analysis is None
    assert result.name == "one" and result.exit_code == 4
    assert not (tmp_path / "out").exists()


def test_the_same_study_replaces_its_result(study: Study, analyze: Analyze, tmp_path: Path) -> None:
    first = analyze(study, tmp_path)
    assert first.folder is not None
    (first.folder / "stale.png").write_bytes(b"of an older version")
    again = analyze(study, tmp_path)
    assert again.folder == first.folder
    assert names(tmp_path) == ["one"] and "stale.png" not in names(tmp_path / "one")


def test_another_study_of_the_same_name_gets_its_own(study: Study, analyze: Analyze, tmp_path: Path) -> None:
    other = replace(study, study_instance_uid="1.2.3.4")
    results = [analyze(one, tmp_path) for one in (study, other)]
    assert [result.name for result in results] == ["one", "one-2"]
    before = (tmp_path / "one" / "findings.json").read_bytes()
    # What is in the file decides whose result it is, so the second is found again under its number.
    text = (tmp_path / "one-2" / "findings.json").read_text(encoding="utf8")
    (tmp_path / "one-2" / "findings.json").write_text(text.replace(study.study_instance_uid, "1.2.3.4"))
    assert analyze(other, tmp_path).name == "one-2"
    assert names(tmp_path) == ["one", "one-2"] and (tmp_path / "one" / "findings.json").read_bytes() == before


def test_inputs_of_one_name_that_state_one_study_keep_their_results(
    study: Study, analyze: Analyze, tmp_path: Path
) -> None:
    """As two patients whose studies were given one UID when their names were taken out."""
    inputs = [replace(study, source=tmp_path / patient / "one") for patient in ("a", "b")]
    folders = [tmp_path / "out" / name for name in ("one", "one-2")]

    def sources() -> list[str]:
        manifests = [json.loads((folder / "manifest.json").read_text(encoding="utf8")) for folder in folders]
        return [str(manifest["input"]["path"]) for manifest in manifests]

    kept: list[Path] = []
    for one in inputs:
        kept.append(analyze(one, tmp_path / "out", kept=kept).folder or tmp_path)
    assert kept == folders and sources() == [str(one.source) for one in inputs]
    assert analyze(inputs[1], tmp_path / "out").name == "one-2", "each replaces its own later"
    assert names(tmp_path / "out") == ["one", "one-2"] and sources() == [str(one.source) for one in inputs]


def make_folder(path: Path) -> None:
    path.mkdir()
    (path / "thesis.txt").write_text("years of work")


TAKEN: dict[str, Callable[[Path], object]] = {
    "a folder of something else": make_folder,
    "a file": lambda path: path.write_text("years of work"),
    "an empty folder": Path.mkdir,
    "findings that cannot be read": lambda path: (path.mkdir(), (path / "findings.json").write_text("{")),
}


@pytest.mark.parametrize("taken", TAKEN)
def test_what_is_no_result_is_left_alone(study: Study, analyze: Analyze, tmp_path: Path, taken: str) -> None:
    TAKEN[taken](tmp_path / "one")
    before = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert analyze(study, tmp_path).name == "one-2"
    kept = [tmp_path / "one", *(tmp_path / "one").rglob("*")]
    assert [path.read_bytes() for path in kept if path.is_file()] == before
    assert names(tmp_path) == ["one", "one-2"]


@pytest.mark.parametrize("step", ["write_manifest", "_write_outputs", "_free_name"])
def test_a_failure_while_writing_loses_nothing(
    study: Study, analyze: Analyze, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """A full disk, a kill: the older result stays as it was, and no part of the new one is seen."""
    first = analyze(study, tmp_path)
    assert first.folder is not None
    before = {path.name: path.read_bytes() for path in first.folder.iterdir()}

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(write_results, step, fail)
    with pytest.raises(OSError, match="No space"):
        analyze(study, tmp_path)
    assert names(tmp_path) == ["one"]
    assert {path.name: path.read_bytes() for path in first.folder.iterdir()} == before


def test_a_folder_that_cannot_be_written(study: Study, analyze: Analyze, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    for out in (tmp_path / "taken", tmp_path / "taken" / "below"):
        with pytest.raises(UsageError, match=r"cannot be written .*--out"):
            analyze(study, out)
    assert (tmp_path / "taken").read_text() == "a file"
