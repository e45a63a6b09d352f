"""Splits as files: drawn, read back, refused when they leak; and what every run writes down of its own."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lumbago.cli import app
from lumbago.errors import SettingsRefused
from lumbago.labels.tables import read_table, write_table
from lumbago.learning.draw_split import draw_folds, write_split
from lumbago.learning.experiment import Experiment
from lumbago.learning.label_tables import fold_of, labelled_studies, read_labels
from lumbago.learning.locator_task import LocatorTask
from lumbago.learning.splits import (
    HELD_OUT,
    TRAIN,
    VALIDATION,
    Membership,
    fold_rule,
    memberships,
    read_memberships,
    read_split,
    write_memberships,
)
from made_up_labels import write_spider, write_spider_space, write_sudirman

EXPERIMENT = Experiment("x", "locator", sources=("sudirman",), folds=3, fold=2, validation_fold=1)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    write_sudirman(tmp_path / "data", patients=6)
    write_spider(tmp_path / "data")
    write_spider_space(tmp_path / "data")
    return tmp_path / "data"


def table(tmp_path: Path, *rows: tuple[str, object], name: str = "split.csv") -> str:
    path = tmp_path / name
    write_table(path, ("patient", "source", "fold"), [(patient, "sudirman", fold) for patient, fold in rows])
    return str(path)


def test_sources_of_the_same_patients_share_their_keys(data: Path) -> None:
    """One fold then holds them all, whichever source is asked."""
    keys = {
        source: {study.patient for study in labelled_studies(data, source)} for source in ("spider", "spider_space")
    }
    assert keys["spider_space"] == {"spider:7"} < keys["spider"]
    rows = list(memberships(replace(EXPERIMENT, sources=("spider", "spider_space")), data))
    assert len({row.part for row in rows if row.patient == "spider:7"}) == 1 and len(rows) == 3


def test_a_split_is_written_and_read_back(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "split.csv"
    places = {name: data / name for name in ("sudirman", "spider", "spider_space")}
    assert sum(write_split(places, 3, 1, out)) == 8
    rows = read_table(out, ("patient", "source", "fold"))
    assert {row["patient"]: row["source"] for row in rows}["spider:7"] == "spider spider_space"
    assert read_split(out, 3) == {row["patient"]: int(row["fold"]) for row in rows}
    text = out.read_text()
    write_split(places, 3, 1, out)
    assert out.read_text() == text
    with pytest.raises(SettingsRefused, match="9 folds for 8 patients"):
        write_split(places, 9, 1, out)


def test_the_command_takes_sources_with_and_without_folders(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "folds" / "two.csv"
    (data / "sudirman").rename(tmp_path / "other")
    given = ["labels", "split", "spider", f"sudirman={tmp_path / 'other'}", "--data", str(data), "--folds", "2"]
    done = CliRunner().invoke(app, [*given, "--out", str(out)])
    assert done.exit_code == 0 and "8 patients in folds of 4, 4" in done.output
    assert len(read_split(out, 2)) == 8


def test_folds_are_alike_in_what_is_graded() -> None:
    """Ten patients have a rare grade, forty another source: each fold gets its share of each, and of patients."""
    traits = {
        f"p{number}": {"ours", *(["rare"] if number < 10 else []), *(["other"] if number % 3 == 0 else [])}
        for number in range(120)
    }
    folds = draw_folds(traits, 5, 1)
    for trait, least in (("rare", 2), ("other", 8), ("ours", 23)):
        counts = Counter(fold for patient, fold in folds.items() if trait in traits[patient])
        assert len(counts) == 5 and min(counts.values()) >= least, (trait, counts)
    assert draw_folds(dict(reversed(traits.items())), 5, 1) == folds, "the order of the tables does not matter"
    assert draw_folds(traits, 5, 2) != folds


def test_a_run_goes_by_the_file(data: Path, tmp_path: Path) -> None:
    folds = {f"sudirman:{number}": number % 3 for number in range(1, 7)}
    (tmp_path / "mine.toml").write_text('kind = "locator"\nsources = ["sudirman"]\nfolds = 3\nsplit = "split.csv"\n')
    table(tmp_path, *folds.items())
    experiment = Experiment.read(tmp_path / "mine.toml", fold=2, validation_fold=1)
    task = LocatorTask.read(experiment, data)
    labelled = {patient: fold for patient, fold in folds.items() if patient != "sudirman:6"}
    assert {sample.patient for sample in task.samples} == {key for key, fold in labelled.items() if fold == 0}
    assert {sample.patient for sample in task.unseen} == {key for key, fold in labelled.items() if fold == 1}
    parts = {row.patient: row.part for row in memberships(experiment, data)}
    assert parts == {key: (TRAIN, VALIDATION, HELD_OUT)[fold] for key, fold in folds.items()}


def test_without_a_file_the_key_decides(data: Path) -> None:
    rule = fold_rule(EXPERIMENT)
    assert all(rule(row.patient) == fold_of(row.patient, 3) for row in read_labels(data, ("sudirman",)))


REFUSED: dict[str, tuple[list[tuple[str, object]], str]] = {
    "two folds": ([("sudirman:1", 0), ("sudirman:2", 1), ("sudirman:1", 2)], "has sudirman:1 in folds 0 and 2; .* one"),
    "no such fold": ([("sudirman:1", 3)], "has sudirman:1 in fold '3'; expected 0 to 2"),
    "no fold": ([("sudirman:1", "")], "in fold ''"),
    "someone missing": ([("sudirman:1", 2)], "does not say in which fold sudirman:2 is"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_split_that_cannot_hold_is_refused(case: str, data: Path, tmp_path: Path) -> None:
    rows, pattern = REFUSED[case]
    with pytest.raises(SettingsRefused, match=pattern):
        LocatorTask.read(replace(EXPERIMENT, split=table(tmp_path, *rows)), data)


def test_a_fold_of_nobody_is_not_left_out(data: Path, tmp_path: Path) -> None:
    """A file of fewer folds than the experiment has, which are four unless it says otherwise: nothing was left out."""
    split = table(tmp_path, *((f"sudirman:{number}", number % 2) for number in range(1, 7)))
    assert fold_rule(replace(EXPERIMENT, split=split, fold=1, validation_fold=-1))("sudirman:1") == 1
    with pytest.raises(SettingsRefused, match=r"has nobody in fold 2, .*; expected one of the folds 0, 1;"):
        LocatorTask.read(replace(EXPERIMENT, split=split), data)


@pytest.mark.parametrize("content", [None, b"", b"patient;who\n1;2\n", b"patient,fold\n\xff,1\n"])
def test_a_file_that_is_no_split_is_refused(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "split.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsRefused, match=r"split\.csv"):
        fold_rule(replace(EXPERIMENT, split=str(path)))


def test_a_run_says_who_is_in_which_part(data: Path, tmp_path: Path) -> None:
    experiment = replace(EXPERIMENT, phantoms=5, validation_phantoms=2, phantom_seed=100)
    rows = list(memberships(experiment, data))
    assert rows[-2:] == [
        Membership("phantom:100-104", "phantoms", TRAIN), Membership("phantom:105-106", "phantoms", VALIDATION),
    ]  # fmt: skip
    assert {row.patient for row in rows[:-2]} == {f"sudirman:{number}" for number in range(1, 7)}
    write_memberships(tmp_path / "run", rows)
    assert read_memberships(tmp_path / "run") == rows
    assert (tmp_path / "run" / "split.csv").read_text().startswith("patient,source,part\nsudirman:1,sudirman,")


def test_a_run_does_not_go_on_with_another_split(data: Path, tmp_path: Path) -> None:
    rows = list(memberships(EXPERIMENT, data))
    write_memberships(tmp_path, rows)
    (tmp_path / "member-0").mkdir()
    (tmp_path / "member-0" / "checkpoint.pt").write_text("")
    write_memberships(tmp_path, rows)
    with pytest.raises(SettingsRefused, match="other parts"):
        write_memberships(tmp_path, rows[1:])
    assert read_memberships(tmp_path) == rows


def test_labels_without_images_and_images_without_labels_are_told_of(data: Path) -> None:
    """Both are left out, and the others stay."""
    pictures = data / "sudirman" / "sagittal"
    for weighting in ("t1", "t2"):
        (pictures / f"002_{weighting}.png").unlink()
        (pictures / f"099_{weighting}.png").write_bytes((pictures / f"001_{weighting}.png").read_bytes())
    (data / "spider" / "sagittal" / "7_t2_SPACE.png").unlink()
    told: list[str] = []
    rows = read_labels(data, ("sudirman", "spider"), told.append)
    assert told == [
        "1 labelled studies of sudirman lack images, which are left out: 2; lumbago labels check says more.",
        "2 studies of sudirman have no labels and teach nothing: 6, 99; lumbago labels check says more.",
        "1 labelled studies of spider lack images, which are left out: 7; lumbago labels check says more.",
    ]
    assert {row.name for row in rows if row.source == "spider"} == {"spider:7_t2", "spider:57_t1"}
    assert "sudirman:2" not in {row.patient for row in rows}
