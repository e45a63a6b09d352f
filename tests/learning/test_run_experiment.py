"""From an experiment's file to a model that can be loaded, and back again after an interruption."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from made_up_labels import write_sudirman

from lumbago.inference.weights import load_model, read_card
from lumbago.learning.label_tables import fold_of
from lumbago.learning.run_experiment import Places, run_evaluation, run_training

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning")

CANAL = """kind = "grader"
phantoms = 1
phantom_seed = 11
conditions = ["spinal_canal_stenosis"]
anchor = "canal"
patch = [32, 32]
members = 2
steps = 2
batch = 2
"""
LOCATOR = """kind = "locator"
sources = ["sudirman"]
steps = 1
batch = 1
folds = 2
"""


def silent(step: int, steps: int, loss: float) -> None:
    """Shows nothing."""


def checkpoints(run: Path) -> list[dict[str, Any]]:
    return [torch.load(path, weights_only=True) for path in sorted(run.glob("member-*/checkpoint.pt"))]


def test_two_members_become_one_model(tmp_path: Path) -> None:
    """Killed between the members and resumed; the members differ; the model proves itself when loaded."""
    path = tmp_path / "canal.toml"
    path.write_text(CANAL)
    places = Places(data=tmp_path, run=tmp_path / "run", threads=1, command="lumbago train canal.toml")
    seen = 0

    def kill_in_second(step: int, steps: int, loss: float) -> None:
        nonlocal seen
        seen += 1
        if seen == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_training(path, places, -1, kill_in_second, resume=False)
    (first,) = checkpoints(places.run)
    folder = run_training(path, places, -1, silent, resume=True)
    again, second = checkpoints(places.run)
    assert torch.equal(first["mean"]["grade.weight"], again["mean"]["grade.weight"]), "the first was done"
    assert not torch.equal(first["mean"]["grade.weight"], second["mean"]["grade.weight"]), "from another seed"

    model = load_model(folder.name, folder.parent, threads=1)
    assert model.card.name == "canal" and model.card.conditions == ("spinal_canal_stenosis",)
    assert model.card.trained_on == "phantoms" and "not validated on patients" in model.card.caution
    assert model.card.proof["command"] == places.command
    assert model.card.inputs["anchor"] == "canal" and model.card.inputs["rows"] == 32


@pytest.mark.slow
def test_folds_are_trained_and_scored_on_whom_they_have_not_seen(tmp_path: Path) -> None:
    write_sudirman(tmp_path / "data", patients=7)
    path = tmp_path / "tiny.toml"
    path.write_text(LOCATOR)
    for fold in range(2):
        places = Places(data=tmp_path / "data", run=tmp_path / f"run-{fold}", threads=1)
        run_training(path, places, fold, silent, resume=False)
        assert read_card(places.run / "model").proof["samples"] == {
            "sudirman": 2 * sum(fold_of(f"sudirman:{n}", 2) != fold for n in range(1, 7))
        }
    card = tmp_path / "run-0" / "model"
    places = Places(data=tmp_path / "data", run=tmp_path / "scores", command="lumbago evaluate", card=card)
    scores = run_evaluation(path, places, f"{tmp_path}/run-{{fold}}", ())
    written = json.loads((tmp_path / "scores" / "scores.json").read_text())
    assert set(written) == set(scores) != set()
    assert {row["what"] for row in read_card(card).proof["scores"]} == set(scores)
