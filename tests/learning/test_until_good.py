"""The loop of train, evaluate, judge: what is decided, what is written down, and what an interruption loses."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from lumbago.anatomy.conditions import CONDITIONS
from lumbago.anatomy.levels import LEVELS
from lumbago.errors import SettingsRefused, TrainingDiverged
from lumbago.evaluation import intervals
from lumbago.evaluation.cases import GradedCase
from lumbago.inference import deployed
from lumbago.inference.deployed import models_in_use, read_registry
from lumbago.learning import until_good
from lumbago.learning.experiment import Experiment
from lumbago.learning.places import Places
from lumbago.learning.until_good import Aim, run_until_good
from lumbago.settings import Settings
from tiny_model import NAME, put_weights, write_model

EXPERIMENT = f"""name = "{NAME}"
kind = "grader"
phantoms = 1
conditions = ["bulging"]
steps = 1
[search]
steps = [1, 2, 4]
"""
CRITERIA = """[[floor]]
condition = "bulging"
metric = "accuracy"
limit = 0.9
"""


def silent(step: int, steps: int, loss: float) -> None:
    """Shows nothing."""


def made_model(experiment: Experiment, places: Places, progress: object, *, resume: bool) -> Path:
    """In the place of a training: the smallest of networks, under a checksum of its steps; it can be repeated."""
    folder = places.run / "model"
    if not folder.is_dir():
        places.run.mkdir(parents=True, exist_ok=True)
        write_model(places.run).rename(folder)
    model = onnx.load_from_string((folder / "model.onnx").read_bytes())
    model.doc_string = f"{experiment.steps} steps"
    put_weights(folder, model.SerializeToString())
    return folder


def said(experiment: Experiment, places: Places, model: Path) -> list[GradedCase]:
    """In the place of an evaluation: the more steps, the more is right; the shipped model knows half."""
    steps = experiment.steps if "try" in str(model) else 2
    rng, rows = np.random.default_rng(1), []
    for number in range(60):
        right = rng.random() < {1: 0.3, 2: 0.6, 4: 1.0}[steps]
        values = (0.9, 0.1) if (number % 2 == 0) == right else (0.1, 0.9)
        name = f"p{number // 3}"
        truth = CONDITIONS["bulging"].scale.grades[number % 2]
        rows.append(GradedCase("phantoms", name, name, "bulging", LEVELS[number % 3], None, truth, values))
    return rows


@pytest.fixture(autouse=True)
def quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intervals, "RESAMPLES", 10)
    monkeypatch.setattr(until_good, "train_model", made_model)
    monkeypatch.setattr(until_good, "predict_left_out", said)
    (tmp_path / "shipped").mkdir()
    write_model(tmp_path / "shipped")
    monkeypatch.setattr(deployed, "SHIPPED", tmp_path / "shipped")


def search(folder: Path, tell: Callable[[str], None] = lambda _: None, *, resume: bool = False, **given: Any) -> str:
    """One search in a folder: the last sentence."""
    texts = {"experiment": EXPERIMENT, "criteria": CRITERIA, **given}
    for name in ("experiment", "criteria"):
        (folder / f"{name}.toml").write_text(texts[name])
    aim = Aim(
        folder / "criteria.toml", given.get("tries", 5), folder / "home", "ada", is_approved=given.get("approved", True)
    )
    places = Places(data=folder, run=folder / "run", command="lumbago train")
    return run_until_good(folder / "experiment.toml", places, aim, (silent, tell), resume=resume)


def history(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "run" / "history.jsonl").read_text().splitlines()]


def in_use(folder: Path) -> Path:
    return models_in_use(Settings(home=str(folder / "home")))[NAME]


def test_bad_goes_on_until_good_is_deployed(tmp_path: Path) -> None:
    told: list[str] = []
    last = search(tmp_path, told.append)
    events = history(tmp_path)
    assert [row["sentence"] for row in events] == told and last == told[-1]
    assert told[1] == "Try 1, the default: steps = 1."
    assert told[2].startswith("Try 1 is Bad: accuracy of bulging is 0.") and "at least 0.9 is asked" in told[2]
    judged = [row for row in events if row["event"] == "judged"]
    assert [row["is_good"] for row in judged] == [False] * (len(judged) - 1) + [True]
    assert 2 <= len(judged) <= 3
    assert last.startswith(f"Deployed {NAME} ") and "approved by ada" in last
    assert in_use(tmp_path).parent.parent == tmp_path / "home" / "models"
    change = read_registry(tmp_path / "home").history[-1]
    assert change.action == "deploy" and change.why == f"Good by criteria.toml at try {len(judged)}"


def test_without_approval_it_is_registered_only(tmp_path: Path) -> None:
    assert "was not approved: lumbago models deploy" in search(tmp_path, approved=False)
    assert in_use(tmp_path) == tmp_path / "shipped" / NAME
    assert [change.action for change in read_registry(tmp_path / "home").history] == ["register"]


def test_a_default_that_is_good_is_the_end(tmp_path: Path) -> None:
    search(tmp_path, experiment=EXPERIMENT.replace("steps = 1\n", "steps = 4\n"))
    assert len([row for row in history(tmp_path) if row["event"] == "judged"]) == 1


def test_it_gives_up_in_words(tmp_path: Path) -> None:
    impossible = CRITERIA.replace("0.9", "1.1")
    assert "all settings of the search were tried, 3 in all" in search(tmp_path, criteria=impossible)
    assert not (tmp_path / "home").exists()
    (tmp_path / "other").mkdir()
    assert search(tmp_path / "other", criteria=impossible, tries=2) == "Gave up: none of 2 tries was Good."


def test_not_worse_than_the_model_in_use(tmp_path: Path) -> None:
    """By its floor the default would be Good, but the model in use is better."""
    lower = CRITERIA.replace("0.9", "0.1") + '[compare]\nnot_worse_than = "deployed"\nmetric = "accuracy"\n'
    told: list[str] = []
    search(tmp_path, told.append, criteria=lower)
    assert told[2].startswith("Try 1 is Bad: accuracy of bulging is better than that of the model in use by -0.")


def test_wherever_it_is_interrupted_it_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    told: list[str] = []
    search(tmp_path, told.append)
    wanted = [{**row, "when": ""} for row in history(tmp_path)]
    for stop in range(1, len(told)):
        folder = tmp_path / f"stopped-{stop}"
        folder.mkdir()
        seen: list[str] = []

        def tell(sentence: str, seen: list[str] = seen, stop: int = stop) -> None:
            seen.append(sentence)
            if len(seen) == stop:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            search(folder, tell)
        assert search(folder, resume=True).replace(str(folder), "") == told[-1].replace(str(tmp_path), "")
        found = json.dumps([{**row, "when": ""} for row in history(folder)]).replace(str(folder), str(tmp_path))
        told_digest = [row.get("digest") for row in history(folder)]
        assert json.loads(found) == wanted and told_digest[0] == wanted[0]["digest"]
        assert in_use(folder).name == in_use(tmp_path).name


def test_a_line_that_a_kill_cut_short_is_done_again(tmp_path: Path) -> None:
    search(tmp_path)
    wanted = [row["sentence"] for row in history(tmp_path)]
    path = tmp_path / "run" / "history.jsonl"
    path.write_text(path.read_text()[:-40])
    search(tmp_path, resume=True)
    assert [row["sentence"] for row in history(tmp_path)] == wanted


def test_a_finished_search_is_not_searched_further(tmp_path: Path) -> None:
    last = search(tmp_path)
    before = (tmp_path / "run" / "history.jsonl").read_bytes()
    told: list[str] = []
    assert search(tmp_path, told.append, resume=True) == last and told == [last]
    assert (tmp_path / "run" / "history.jsonl").read_bytes() == before


def test_a_good_model_that_waits_is_deployed_once_that_is_approved(tmp_path: Path) -> None:
    search(tmp_path, approved=False)
    assert search(tmp_path, approved=False, resume=True).startswith("Not deployed")
    tries = [row for row in history(tmp_path) if row["event"] == "try"]
    assert search(tmp_path, resume=True).startswith(f"Deployed {NAME} ")
    assert in_use(tmp_path).is_relative_to(tmp_path / "home")
    assert [row for row in history(tmp_path) if row["event"] == "try"] == tries


def test_a_search_whose_tries_were_spent_goes_on_with_more(tmp_path: Path) -> None:
    assert search(tmp_path, tries=1) == "Gave up: none of 1 tries was Good."
    assert search(tmp_path, tries=5, resume=True).startswith(f"Deployed {NAME} ")
    assert [row["sentence"][:5] for row in history(tmp_path) if row["event"] == "try"][:2] == ["Try 1", "Try 2"]


def test_a_taken_folder_is_refused(tmp_path: Path) -> None:
    search(tmp_path)
    with pytest.raises(SettingsRefused, match=r"holds a search; .* --resume"):
        search(tmp_path)
    with pytest.raises(SettingsRefused, match="another experiment or criteria"):
        search(tmp_path, resume=True, criteria=CRITERIA.replace("0.9", "0.1"))


def test_a_search_is_not_gone_on_with_on_corrected_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some of its tries learned from other labels, and were judged by others."""
    monkeypatch.setattr(until_good, "data_digests", lambda *_: {"labels of spider": "1"})
    search(tmp_path)
    monkeypatch.setattr(until_good, "data_digests", lambda *_: {"labels of spider": "2"})
    with pytest.raises(SettingsRefused, match="run was begun with other data: labels of spider; expected the same"):
        search(tmp_path, resume=True)


@pytest.mark.parametrize(
    "text, reason",
    [
        ('kind = "locator"\n', "is a locator"),
        ('kind = "grader"\nconditions = ["bulging"]\nsources = ["spider"]\n', "leaves out no one"),
    ],
)
def test_what_cannot_be_judged_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(SettingsRefused, match=reason):
        search(tmp_path, experiment=text)
    assert not (tmp_path / "run").exists()


def test_a_try_that_comes_to_nothing_is_bad_and_the_search_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def diverging(experiment: Experiment, places: Places, progress: object, *, resume: bool) -> Path:
        if experiment.steps == 1:
            raise TrainingDiverged("the loss of x is nan at step 1", "a number")
        return made_model(experiment, places, progress, resume=resume)

    monkeypatch.setattr(until_good, "train_model", diverging)
    told: list[str] = []
    last = search(tmp_path, told.append)
    assert told[2] == "Try 1 is Bad: the loss of x is nan at step 1; expected a number."
    assert last.startswith(f"Deployed {NAME} ")
