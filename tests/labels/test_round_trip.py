"""Whatever labels are drawn at random, an export that is read back holds the same."""

import csv
import tempfile
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lumbago.anatomy.conditions import CONDITIONS, ROLES, expected_sites
from lumbago.anatomy.findings import Finding
from lumbago.dicom.decoder import Decoder, open_decoder
from lumbago.labels.export_labels import EXPORTS, export_labels
from lumbago.labels.import_labels import import_labels
from lumbago.labels.label_names import read_names
from lumbago.labels.labelled_study import ImageRef, LabelledStudy, Shape, label, truth_of
from lumbago.labels.read_rsna import GRADES_TABLE, SERIES_TABLE
from lumbago.labels.sources import read_source
from lumbago.labels.write_rsna_tables import write_rsna_tables

ROWS, COLUMNS = 48, 64
SITES = [(row.name, *site) for row in CONDITIONS.values() for site in expected_sites(row)]
STRUCTURES = sorted({name for names in read_names().tables["structures"].values() for name in names})


CORNERS = {"point": (1, 1), "box": (2, 2), "polygon": (3, 7)}


def some_findings(dice: Random) -> list[Finding]:
    sites = dice.sample(SITES, dice.randint(0, 8))
    return [label(*site, dice.choice(CONDITIONS[site[0]].scale.grades)) for site in sites]


def some_shape(dice: Random, images: tuple[str, ...]) -> Shape:
    kind = dice.choice(sorted(CORNERS))
    points = [(dice.uniform(0, ROWS), dice.uniform(0, COLUMNS)) for _ in range(dice.randint(*CORNERS[kind]))]
    if kind == "box":
        ends = [sorted(axis) for axis in zip(*points, strict=True)]
        points = list(zip(*ends, strict=True))
    condition, level, side = dice.choice(SITES)
    if dice.random() < 0.5:
        grade = dice.choice(CONDITIONS[condition].scale.grades)
        meaning = {"condition": condition, "level": level, "side": side, "grade": grade}
    else:
        meaning = {"structure": dice.choice(STRUCTURES), "level": dice.choice([None, level])}
    return Shape(kind, tuple(points), dice.choice(images), is_certain=dice.random() < 0.5, **meaning)


def some_studies(seed: int, folder: Path) -> list[LabelledStudy]:
    """One to three studies, of one or two patients, with labels of every kind."""
    dice, made = Random(seed), []
    for number in range(dice.randint(1, 3)):
        names = tuple(f"{number}_{n}" for n in range(dice.randint(1, 2)))
        images = tuple(
            ImageRef(
                name, folder / f"{name}.png", "picture", dice.choice([None, *ROLES]),
                spacing_mm=dice.choice([None, 0.1 + number, 1 / 3]), upside_down=dice.random() < 0.5,
                mirrored=dice.random() < 0.5,
            )
            for name in names
        )  # fmt: skip
        absence = dict.fromkeys(dice.sample(sorted(CONDITIONS), dice.randint(0, 3)), "negative")
        shapes = tuple(some_shape(dice, names) for _ in range(dice.randint(0, 5)))
        name, patient = str(number + 1), f"patient:{dice.randint(1, 2)}"
        made.append(LabelledStudy("any", patient, name, images, truth_of(name, some_findings(dice)), absence, shapes))
    return made


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("pictures")
    for number in range(3):
        for n in range(2):
            Image.new("L", (COLUMNS, ROWS), 10 * number + n).save(place / f"{number}_{n}.png")
    return place


@pytest.fixture(scope="module")
def decoder() -> Decoder:
    with open_decoder() as opened:
        yield opened


def drawn(study: LabelledStudy, form: str) -> list[tuple[object, ...]]:
    """Shapes without order. YOLO rounds at the 12th digit; COCO's width and height cost the last one of a float."""
    digits = 6 if form == "yolo" else 9
    return sorted(
        (
            shape.image,
            shape.kind,
            str([[round(value, digits) for value in point] for point in shape.points]),
            str((shape.condition, shape.level, shape.side, shape.grade, shape.structure, shape.is_certain)),
        )
        for shape in study.shapes
    )


@pytest.mark.parametrize("form", sorted(set(EXPORTS) - {"rsna"}))
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_export_and_read_back(form: str, seed: int, folder: Path, decoder: Decoder) -> None:
    before = some_studies(seed, folder)
    if form == "yolo":
        before = [_without_points(study) for study in before]
    with tempfile.TemporaryDirectory() as place:
        report = export_labels(before, Path(place) / "out", form, decoder)
        after = list(read_source(form, Path(place) / "out"))
    assert not report.left_out
    for one, other in zip(before, after, strict=True):
        assert (one.name, one.patient, one.images, dict(one.absence)) == (
            other.name, other.patient, other.images, dict(other.absence),
        )  # fmt: skip
        assert one.truth == other.truth
        assert drawn(one, form) == drawn(other, form)


def _without_points(study: LabelledStudy) -> LabelledStudy:
    """YOLO text knows boxes and polygons."""
    return replace(study, shapes=tuple(shape for shape in study.shapes if shape.kind != "point"))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_import_and_read_back(seed: int, folder: Path) -> None:
    before = some_studies(seed, folder)
    with tempfile.TemporaryDirectory() as place:
        import_labels(iter(before), Path(place) / "out")
        assert list(read_source("lumbago", Path(place) / "out")) == before


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_rsna_tables_keep_what_they_know(seed: int, folder: Path, decoder: Decoder) -> None:
    """Grades of its three conditions; what else there is, is counted."""
    before = some_studies(seed, folder)
    known = {"spinal_canal_stenosis", "neural_foraminal_narrowing", "subarticular_stenosis"}
    with tempfile.TemporaryDirectory() as place:
        report = export_labels(before, Path(place) / "out", "rsna", decoder)
        after = list(read_source("rsna", Path(place) / "out"))
    kept = 0
    for one, other in zip(before, after, strict=True):
        assert other.grades == {site: grade for site, grade in one.grades.items() if site[0] in known}
        kept += len(other.grades)
    assert report.left_out["grades that RSNA does not know"] == sum(len(row.grades) for row in before) - kept


def test_ids_of_rsna_are_no_others(folder: Path) -> None:
    """A study without number stays apart from one that has the number of its place, and so do its images."""
    images = [ImageRef(name, folder / f"0_{n}.png", "picture", "sagittal_t2") for n, name in enumerate(("a", "2001"))]
    grades = (("2", "severe"), ("abc", "moderate"), ("1", "normal_mild"), ("abc", "moderate"), ("²", "severe"))
    before = [
        LabelledStudy(
            "any", f"any:{name}", name, tuple(images) if name == "abc" else (),
            truth_of(name, [label("spinal_canal_stenosis", "L4/L5", None, grade)]),
        )
        for name, grade in grades
    ]  # fmt: skip
    with tempfile.TemporaryDirectory() as place:
        write_rsna_tables(Path(place), before)
        rows, series = (
            list(csv.DictReader((Path(place) / table).read_text(encoding="utf8").splitlines()))
            for table in (GRADES_TABLE, SERIES_TABLE)
        )
    assert [row["study_id"] for row in rows] == ["2", "3", "1", "3", "4"]
    assert [(row["study_id"], row["series_id"]) for row in series][:2] == [("3", "2002"), ("3", "2001")]
