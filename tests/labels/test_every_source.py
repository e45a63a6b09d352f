"""What holds for every label source, by enumeration of the registry."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lumbago.anatomy.conditions import CONDITIONS, ROLES
from lumbago.anatomy.findings import StudyFindings
from lumbago.anatomy.levels import bottom_count
from lumbago.dicom.decoder import Decoder
from lumbago.errors import LumbagoError, UnreadableInput, UsageError
from lumbago.labels.check_labels import check_labels
from lumbago.labels.export_labels import EXPORTS, export_labels
from lumbago.labels.import_labels import import_labels
from lumbago.labels.labelled_study import LabelledStudy
from lumbago.labels.open_images import open_images, open_mask
from lumbago.labels.problems import PROBLEMS
from lumbago.labels.sources import SOURCES, read_source

Made = Callable[[str], Path]
every_source = pytest.mark.parametrize("source", SOURCES)


def studies_of(made: Made, source: str) -> list[LabelledStudy]:
    return list(read_source(source, made(source)))


@every_source
def test_it_gives_labelled_studies_in_our_words(made: Made, source: str) -> None:
    studies = studies_of(made, source)
    assert len({study.name for study in studies}) == len(studies) >= 1
    for study in studies:
        assert study.patient and (study.truth.findings or study.shapes)
        assert set(study.absence) <= set(CONDITIONS)
        assert study.truth == StudyFindings.from_json(study.truth.to_json())
        for row in study.truth.findings:
            assert row.grade in row.scale.grades and row.side in CONDITIONS[row.condition].sides
            assert sum(row.probabilities.values()) == 1.0 and row.trained_on in ("labels", "truth")
            assert bottom_count(row.level) >= 1


@every_source
def test_its_images_are_there_and_can_be_opened(made: Made, source: str, decoder: Decoder) -> None:
    for study in studies_of(made, source):
        assert study.images and all(image.path.exists() for image in study.images)
        opened = open_images(study, decoder)
        assert {one.image for one in opened.series} == {image.name for image in study.images} and not opened.remarks
        assert all(opened.volumes(image.name) for image in study.images)
        for role in {one.role for one in opened.series} - {None}:
            assert role in ROLES and opened.by_role(role)


@every_source
def test_its_shapes_lie_on_its_images(made: Made, source: str, decoder: Decoder) -> None:
    for study in studies_of(made, source):
        opened = open_images(study, decoder)
        for shape in study.shapes:
            assert shape.frame == "lps_mm" or study.image(shape.image) is not None
            if shape.kind == "mask":
                assert set(np.unique(open_mask(shape, decoder).array)) <= {0, *(value for value, *_ in shape.values)}
            else:
                corners = opened.to_lps_mm(shape)
                assert corners is not None and corners.shape == (len(shape.points), 3)


@every_source
def test_reading_twice_gives_the_same(made: Made, source: str) -> None:
    assert studies_of(made, source) == studies_of(made, source)


@every_source
def test_clean_labels_raise_no_suspicion(made: Made, source: str, decoder: Decoder) -> None:
    report = check_labels(read_source(source, made(source)), decoder)
    assert [problem for problem in report.problems if problem.weight != "note"] == []
    assert report.exit_code == 0 and report.studies == len(studies_of(made, source))


@every_source
def test_an_import_is_the_same_labels(made: Made, source: str, tmp_path: Path) -> None:
    studies = studies_of(made, source)
    report = import_labels(iter(studies), tmp_path / "out")
    assert report.studies == len(studies) and report.exit_code == 0
    again = list(read_source("lumbago", tmp_path / "out"))
    assert again == studies


@every_source
@pytest.mark.parametrize("form", EXPORTS)
def test_an_export_is_read_back_as_the_same_labels(
    made: Made, source: str, form: str, tmp_path: Path, decoder: Decoder
) -> None:
    """All grades that the form knows; the shapes that were not left out."""
    studies = studies_of(made, source)
    report = export_labels(studies, tmp_path / "out", form, decoder)
    again = list(read_source(form, tmp_path / "out"))
    assert {row.patient for row in again} == {row.patient for row in studies}
    known = {"spinal_canal_stenosis", "neural_foraminal_narrowing", "subarticular_stenosis"}
    of_patient = {row.patient: row for row in again}
    for study in studies:
        wanted = {site: g for site, g in study.grades.items() if form != "rsna" or site[0] in known}
        assert of_patient[study.patient].grades == wanted
        assert {image.path for image in of_patient[study.patient].images} == {image.path for image in study.images}
    assert sum(len(row.shapes) for row in again) == report.shapes
    left_out = sum(count for what, count in report.left_out.items() if "grades" not in what)
    assert report.shapes + left_out == sum(len(row.shapes) for row in studies)
    assert [problem for row in again for problem in row.problems if problem.weight != "note"] == []


@every_source
def test_an_empty_folder_is_one_sentence(source: str, tmp_path: Path) -> None:
    with pytest.raises(UnreadableInput, match="; expected ") as error:
        list(read_source(source, tmp_path))
    assert "\n" not in str(error.value)


@every_source
def test_a_folder_that_is_not_there_is_one_sentence(source: str, tmp_path: Path) -> None:
    with pytest.raises(UnreadableInput, match="no folder"):
        list(read_source(source, tmp_path / "nowhere"))


TEXTS = (".csv", ".json", ".txt", ".yaml")


@every_source
@pytest.mark.parametrize("damage", [b"\xff\xfe\x00broken\xe9", b"", b"{[", b'a,b\n"1', b"[]", b"{}", b"[1, 2]"])
def test_damaged_tables_are_one_sentence(made: Made, source: str, damage: bytes, tmp_path: Path) -> None:
    """Whatever is in a label file, either it is read or one of our errors says why not."""
    texts = [path for path in sorted(made(source).rglob("*")) if path.suffix in TEXTS]
    for number, path in enumerate({path.name: path for path in texts}.values()):
        copy = tmp_path / str(number)
        shutil.copytree(made(source), copy, ignore=shutil.ignore_patterns("*.dcm"))
        (copy / path.relative_to(made(source))).write_bytes(damage)
        try:
            list(read_source(source, copy))
        except LumbagoError as error:
            assert "\n" not in str(error) and error.exit_code in (3, 6)


def test_no_such_source(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"atlantis; expected one of {', '.join(SOURCES)}"):
        read_source("atlantis", tmp_path)


ROOT = Path(__file__).parents[2]


def test_the_page_on_labels_has_a_row_for_every_source_and_form() -> None:
    page = (ROOT / "docs" / "how-to" / "labels.md").read_text(encoding="utf8")
    assert re.findall(r"^\| `(\w+)` \|", page, re.M) == list(SOURCES)
    assert f"--format {'|'.join(EXPORTS)}" in page and set(EXPORTS) <= set(SOURCES)
    assert all(f"lumbago labels {command} " in page for command in ("check", "import", "export"))
    assert {weight for weight, _ in PROBLEMS.values()} == set(
        re.findall(r"^\| (impossible|suspicious|note) \|", page, re.M)
    )


@every_source
def test_every_row_says_what_it_is(source: str) -> None:
    row = SOURCES[source]
    assert row.name == source and row.title and row.needs
