"""Tables of others, read into one form; what they do not say stays unknown."""

from pathlib import Path

import numpy as np
import pytest

from lumbago.errors import SettingsRefused, UnreadableInput
from lumbago.labels.picture_slices import LabelledSlice
from lumbago.labels.sources import SOURCES, read_source
from lumbago.learning.label_tables import labelled_studies, read_labels
from made_up_labels import write_spider, write_spider_space, write_sudirman


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_sudirman(folder)
    write_spider(folder)
    write_spider_space(folder)
    return folder


def by_name(data: Path, source: str) -> dict[str, LabelledSlice]:
    return {row.name: row for row in read_labels(data, (source,))}


def test_sudirman(data: Path) -> None:
    rows = by_name(data, "sudirman")
    assert list(rows) == [f"sudirman:00{n}_{weighting}" for n in (1, 2, 3) for weighting in ("t1", "t2")]
    row = rows["sudirman:002_t2"]
    assert (row.source, row.patient, row.weighting) == ("sudirman", "sudirman:2", "t2")
    assert row.spacing_mm == pytest.approx(300 / 384)
    assert row.grades == {("pfirrmann", level): "2" for level in ("L3/L4", "L4/L5", "L5/S1")}
    assert list(row.bodies) == ["L1", "L2", "L3", "L4", "L5", "S1"]
    np.testing.assert_allclose(row.bodies["L1"], [[60, 170], [60, 220], [94, 220], [94, 170]])
    assert row.image.is_file() and row.mask is None and row.boxes == ()


def test_a_patient_without_polygons_keeps_his_grades(data: Path) -> None:
    row = by_name(data, "sudirman")["sudirman:003_t1"]
    assert row.bodies == {} and row.grades["pfirrmann", "L4/L5"] == "3"


def test_spider(data: Path) -> None:
    rows = by_name(data, "spider")
    assert [(row.name, row.weighting, row.spacing_mm) for row in rows.values()] == [
        ("spider:7_t2", "t2", 1.5), ("spider:7_t2_SPACE", "t2", 1.25), ("spider:57_t1", "t1", 1.5),
    ]  # fmt: skip
    assert rows["spider:7_t2"].patient == rows["spider:7_t2_SPACE"].patient == "spider:7"
    assert {name: row.flips for name, row in rows.items() if any(row.flips)} == {"spider:57_t1": (True, False)}
    assert all(row.image.is_file() for row in rows.values())


def test_spider_gradings_count_from_the_sacrum(data: Path) -> None:
    grades = by_name(data, "spider")["spider:7_t2"].grades
    assert {condition: grade for (condition, level), grade in grades.items() if level == "L5/S1"} == {
        "pfirrmann": "4", "modic": "2", "endplate_upper": "present", "endplate_lower": "absent",
        "spondylolisthesis": "absent", "herniation": "present", "narrowing": "present", "bulging": "absent",
    }  # fmt: skip
    assert grades["pfirrmann", "T12/L1"] == "2"
    assert not any(level == "L4/L5" for _, level in grades)
    assert by_name(data, "spider")["spider:57_t1"].grades["spondylolisthesis", "L4/L5"] == "present"


def test_spider_boxes_whose_count_is_in_doubt_say_so(data: Path) -> None:
    boxes = by_name(data, "spider")["spider:7_t2"].boxes
    assert [(box.count, box.is_certain) for box in boxes] == [(1, True), (2, False), (3, True)]
    assert boxes[0].center == (pytest.approx(293 / 2), pytest.approx(195 / 2))
    assert by_name(data, "spider")["spider:57_t1"].boxes == ()


def test_spider_space_shares_its_patients_with_spider(data: Path) -> None:
    (row,) = read_labels(data, ("spider_space",))
    assert (row.source, row.patient, row.weighting) == ("spider_space", "spider:7", "t2")
    assert row.mask is not None and row.mask.is_file()
    assert row.spacing_mm == pytest.approx(0.46875 * 640 / 512), "shrunk as much as its longer side asked"


def test_several_sources_one_after_the_other(data: Path) -> None:
    rows = read_labels(data, ("spider", "sudirman"))
    assert [row.source for row in rows] == ["spider"] * 3 + ["sudirman"] * 6


def test_a_folders_own_names_hold_for_training_too(tmp_path: Path) -> None:
    folder = tmp_path / "csv"
    folder.mkdir()
    (folder / "grades.csv").write_text("study,condition,level,side,grade\na,spinal_canal_stenosis,L4-L5,,2\n")
    (folder / "names.toml").write_text('[grades.severity]\nnormal_mild = ["1"]\nmoderate = ["2"]\nsevere = ["3"]\n')
    (learned,) = labelled_studies(tmp_path, "csv")
    assert learned.grade("spinal_canal_stenosis", "L4/L5") == "moderate" and learned.problems == ()
    assert [learned] == list(read_source("csv", folder))


@pytest.mark.parametrize("source", ["sudirman", "spider"])
def test_a_missing_table(tmp_path: Path, source: str) -> None:
    with pytest.raises(UnreadableInput, match=r"no \w+\.csv .*--data"):
        read_labels(tmp_path, (source,))


def test_an_unknown_source(data: Path) -> None:
    with pytest.raises(SettingsRefused, match=f"atlantis; expected some of {', '.join(SOURCES)}"):
        read_labels(data, ("spider", "atlantis"))
