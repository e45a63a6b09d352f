"""From an experiment's file to a model that can be loaded, and back again after an interruption."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_up_patches import made_up_patches

from lumbago.errors import SettingsRefused
from lumbago.inference.weights import load_model, read_card
from lumbago.learning import grader_samples
from lumbago.learning.choose_layers import LayerChoice
from lumbago.learning.experiment import Experiment
from lumbago.learning.grader_task import GraderTask
from lumbago.learning.label_tables import fold_of
from lumbago.learning.places import Places
from lumbago.learning.run_evaluation import run_evaluation
from lumbago.learning.run_training import TASKS, chosen_layers, open_task, run_training
from lumbago.learning.sample_cache import Preparation
from lumbago.learning.seen_patients import seen_by
from lumbago.learning.splits import read_memberships
from lumbago.networks.patch_grader import PatchGrader
from made_up_labels import write_sudirman

CANAL = """kind = "grader"
phantoms = 1
phantom_seed = 11
conditions = ["spinal_canal_stenosis"]
anchor = "canal"
patch = [32, 32]
members = {members}
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


@pytest.mark.parametrize("members", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_members_become_one_model(tmp_path: Path, members: int) -> None:
    """Killed in its last member and resumed; members differ; the model is their mean and proves itself when loaded."""
    path = tmp_path / "canal.toml"
    path.write_text(CANAL.format(members=members))
    places = Places(data=tmp_path, run=tmp_path / "run", threads=1, command="lumbago train canal.toml")
    seen = 0

    def kill_in_last(step: int, steps: int, loss: float) -> None:
        nonlocal seen
        seen += 1
        if seen == 2 * members - 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_training(path, places, -1, kill_in_last, resume=False)
    before = checkpoints(places.run)
    folder = run_training(path, places, -1, silent, resume=True)
    after = checkpoints(places.run)
    assert len(before) == members - 1 and len(after) == members
    for done, kept in zip(before, after, strict=False):
        assert torch.equal(done["mean"]["grade.weight"], kept["mean"]["grade.weight"])
    assert len({float(one["mean"]["grade.weight"].sum()) for one in after}) == members, "from seeds of their own"

    model = load_model(folder.name, folder.parent, threads=1)
    assert model.card.name == "canal" and model.card.conditions == ("spinal_canal_stenosis",)
    assert model.card.trained_on == "phantoms" and "not validated on patients" in model.card.caution
    assert model.card.proof["command"] == places.command
    assert seen_by(folder).has_seen("phantom:11") and not seen_by(folder).has_seen("phantom:12")
    assert read_memberships(places.run) == [("phantom:11-11", "phantoms", "train")]
    assert model.card.inputs["anchor"] == "canal" and model.card.inputs["rows"] == 32

    given = torch.randn(3, 1, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    wanted = np.mean([logits(one, given) for one in after], axis=0)
    np.testing.assert_allclose(model.run(given.numpy())["spinal_canal_stenosis"], wanted, atol=1e-3)


@torch.no_grad()
def logits(checkpoint: dict[str, Any], given: torch.Tensor) -> np.ndarray:
    """What the network of a checkpoint says."""
    network = PatchGrader({"spinal_canal_stenosis": 3})
    network.load_state_dict(checkpoint["mean"])
    return np.asarray(network.eval()(given))


def test_a_folder_that_is_taken_is_refused_before_samples_are_made(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Scanning phantoms takes minutes."""
    (tmp_path / "run" / "member-0").mkdir(parents=True)
    (tmp_path / "run" / "member-0" / "checkpoint.pt").touch()
    path = tmp_path / "canal.toml"
    path.write_text(CANAL.format(members=1))
    monkeypatch.setattr("lumbago.learning.run_training.open_task", lambda *_: pytest.fail("made samples"))
    with pytest.raises(SettingsRefused, match=r"member-0 holds a run; .* --resume"):
        run_training(path, Places(data=tmp_path, run=tmp_path / "run", threads=1), -1, silent, resume=False)


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


def test_validation_phantoms_keep_their_measured_grades(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Only what is learned from is graded as by a reader; what chooses weights is measured, and of seeds of its own."""
    asked: list[tuple[int, int, bool]] = []

    def no_patches(data: Experiment, how: Preparation) -> tuple[()]:
        asked.append((data.phantom_seed, data.phantoms, data.reader_noise))
        return ()

    monkeypatch.setattr(grader_samples, "phantom_patches", no_patches)
    experiment = replace(
        Experiment("noisy", "grader"),
        conditions=("spinal_canal_stenosis",),
        phantom_seed=50,
        phantoms=3,
        validation_phantoms=2,
        reader_noise=True,
    )
    TASKS["grader"](experiment, Places(data=tmp_path, run=tmp_path))
    assert asked == [(50, 3, True), (53, 2, False)]


def test_a_fold_of_nobody_is_not_validated_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No loss of nobody is better than another: patience would end at its first looks."""
    experiment = Experiment(
        "lonely", "grader", conditions=("bulging",), patch=(32, 32), validate_every=1, patience=2, validation_fold=1,
        pretrained=False,
    )  # fmt: skip
    made = {"grader": lambda experiment, _: GraderTask(experiment, made_up_patches())}
    monkeypatch.setattr("lumbago.learning.run_training.TASKS", made)
    with pytest.raises(SettingsRefused, match="lonely validates on no one"):
        open_task(experiment, Places(data=tmp_path, run=tmp_path))


def test_layers_of_a_run_that_never_began_are_chosen_anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Before its first checkpoint a run can be begun once more with other data; then its layers stay."""
    chosen = iter((("stride_8",), ("stride_16",)))
    monkeypatch.setattr("lumbago.learning.run_training.grader_samples", lambda *_: ((), ()))
    monkeypatch.setattr(
        "lumbago.learning.run_training.choose_layers", lambda *_: LayerChoice(next(chosen), {"x": 1.0}, 1, 1)
    )
    experiment, places = Experiment("x", "grader", conditions=("bulging",)), Places(data=tmp_path, run=tmp_path)
    assert chosen_layers(experiment, places).layers == ("stride_8",)
    assert chosen_layers(experiment, places).layers == ("stride_16",)
    (tmp_path / "member-0").mkdir()
    (tmp_path / "member-0" / "checkpoint.pt").touch()
    assert chosen_layers(experiment, places).layers == ("stride_16",)
