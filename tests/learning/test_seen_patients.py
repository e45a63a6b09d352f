"""A model says whom it has seen, without naming anyone; nobody it has seen is shown to it."""

import hashlib
import json
from pathlib import Path

import pytest
import tomli_w

from lumbago.errors import ModelRefused
from lumbago.labels.labelled_study import truth_of
from lumbago.learning.experiment import Experiment
from lumbago.learning.places import Places
from lumbago.learning.run_evaluation import predict_left_out, run_evaluation
from lumbago.learning.seen_patients import Seen, seen_by, write_seen
from lumbago.learning.splits import HELD_OUT, TRAIN, VALIDATION, Membership
from tiny_model import write_model

ROWS = [
    Membership("hospital:4711", "csv", TRAIN),
    Membership("spider:7", "spider", VALIDATION),
    Membership("spider:7", "spider_space", VALIDATION),
    Membership("spider:8", "spider", HELD_OUT),
    Membership("phantom:100-104", "phantoms", TRAIN),
    Membership("phantom:105-106", "phantoms", VALIDATION),
    Membership("phantom:900", "phantoms", TRAIN),
]


def model(tmp_path: Path, **proof: object) -> Path:
    folder = write_model(tmp_path)
    text = (folder / "card.toml").read_text()
    (folder / "card.toml").write_text(
        text.replace('proof = {command = "none"}\n', "") + tomli_w.dumps({"proof": proof})
    )
    return folder


@pytest.fixture
def seen(tmp_path: Path) -> Seen:
    folder = model(tmp_path, patients=5, settings={"sources": ["spider", "csv"], "folds": 4, "fold": -1})
    assert write_seen(folder, ROWS) == 5
    return seen_by(folder)


def test_the_list_names_no_one(seen: Seen, tmp_path: Path) -> None:
    text = (tmp_path / "tiny-grader" / "patients.txt").read_text()
    assert "4711" not in text and "spider" not in text
    lines = text.splitlines()[1:]
    assert lines == sorted(lines) and len(lines) == 5
    assert hashlib.sha256(b"hospital:4711").hexdigest()[:16] in lines
    assert {"phantoms 100-104", "phantoms 105-106", "phantoms 900-900"} < set(lines)


@pytest.mark.parametrize(
    "patient",
    [
        "hospital:4711", "spider:7", "phantom:100", "phantom:106", "phantom-90-016", "phantom:phantom-100-000",
        "phantom:900",
    ],
)  # fmt: skip
def test_whoever_was_trained_or_validated_on_is_refused(seen: Seen, patient: str) -> None:
    with pytest.raises(ModelRefused, match=f"tiny-grader was trained on {patient}; .*validate"):
        seen.require_unseen(patient)


@pytest.mark.parametrize(
    "patient",
    ["hospital:4712", "spider:8", "spider:9", "phantom:107", "phantom:99", "phantom-100-007", "spider_space:7"],
)
def test_everybody_else_is_new_to_it(seen: Seen, patient: str) -> None:
    """Also patients of a source that it learned from, who were not in its tables."""
    seen.require_unseen(patient)


@pytest.mark.parametrize("damage", ["gone", "cut", "other"])
def test_a_list_that_is_not_the_card_s_is_refused(seen: Seen, tmp_path: Path, damage: str) -> None:
    path = tmp_path / "tiny-grader" / "patients.txt"
    lines = path.read_text().splitlines(keepends=True)
    path.unlink()
    if damage != "gone":
        path.write_text("".join(lines[:-1] if damage == "cut" else [*lines[:-1], "spider:7\n"]))
    with pytest.raises(ModelRefused, match="not the list of 5 lines"):
        seen_by(path.parent)


def test_older_models_are_judged_by_their_cards(tmp_path: Path) -> None:
    settings = {
        "sources": ["spider_space", "phantoms"], "folds": 4, "fold": 3, "phantom_seed": 50, "phantoms": 10,
        "validation_phantoms": 2,
    }  # fmt: skip
    seen = seen_by(model(tmp_path, settings=settings))
    assert seen.patients == frozenset() and len(seen.listless) == 1
    assert [seen.has_seen(f"spider:{number}") for number in (1, 7)] == [True, False], "7 is of fold 3"
    assert not seen.has_seen("sudirman:1") and not seen.has_seen("spiders:1")
    assert [seen.has_seen(f"phantom:{seed}") for seed in (49, 50, 59, 61, 62)] == [False, True, True, True, False]


def test_a_card_that_says_nothing_refuses_no_one(tmp_path: Path) -> None:
    seen = seen_by(model(tmp_path, command="none"))
    seen.require_unseen("spider:1")
    seen.require_unseen("phantom:1")


@pytest.mark.parametrize("seed", [52, 61, 7])
def test_phantoms_that_a_model_has_seen_are_not_scored(tmp_path: Path, seed: int) -> None:
    """By the seed that the study states, whatever its folder is called; neither as test cases nor to choose by."""
    study = tmp_path / "phantoms" / "mine"
    study.mkdir(parents=True)
    (study / "truth.json").write_text(truth_of("mine", ()).to_json())
    (study / "phantom.json").write_text(json.dumps({"seed": seed}))
    settings = {
        "grader": {"phantom_seed": 50, "phantoms": 10, "validation_phantoms": 2},
        "locator": {"phantom_seed": 7, "phantoms": 1},
    }
    for name, row in settings.items():
        (tmp_path / name).mkdir()
        model(tmp_path / name, settings=row).rename(tmp_path / name / "model")
    (tmp_path / "mine.toml").write_text('kind = "grader"\nconditions = ["bulging"]\nphantoms = 10\n')
    places = Places(data=study.parent, run=tmp_path / "scores", locators=str(tmp_path / "locator" / "model"))
    with pytest.raises(ModelRefused, match=f"was trained on phantom:{seed}"):
        run_evaluation(tmp_path / "mine.toml", places, str(tmp_path / "grader"), ())
    with pytest.raises(ModelRefused, match=f"was trained on phantom:{seed}"):
        predict_left_out(Experiment.read(tmp_path / "mine.toml"), places, tmp_path / "grader" / "model")
    assert not (tmp_path / "scores").exists()
