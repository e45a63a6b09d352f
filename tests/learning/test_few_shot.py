"""Few patients: weights read back from ONNX, heads held back as they must be, a card that tells whom it has seen."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from made_up_patches import made_up_patches

from lumbago.errors import ModelRefused, SettingsRefused
from lumbago.inference.weights import SHIPPED, load_model, read_card
from lumbago.learning import few_shot, keep_fit
from lumbago.learning.experiment import Experiment
from lumbago.learning.few_shot import fit_few_shot, frozen_network, train_few_shot
from lumbago.learning.few_shot_heads import HEADS, Examples, choose_head, fit_head, logits_of
from lumbago.learning.grader_task import GraderTask
from lumbago.learning.places import Places
from lumbago.learning.run_training import train_model, training_sentence
from lumbago.learning.seen_patients import seen_by
from lumbago.learning.splits import TRAIN, Membership
from lumbago.networks.read_onnx import read_graders

EXPERIMENT = Experiment("mine", "grader", conditions=("bulging", "modic"), patch=(32, 48), sources=("own",))


def examples(patients: int, seed: int = 0, noise: float = 0.3) -> Examples:
    """Three discs of each patient; of twelve features, one rises with the grade."""
    rng = np.random.default_rng(seed)
    grades = rng.integers(5, size=3 * patients)
    features = rng.normal(size=(grades.size, 12)) * 3 + 5
    features[:, 4] = grades + noise * rng.normal(size=grades.size)
    keys = np.repeat([f"own:{number}" for number in range(patients)], 3)
    return Examples(torch.from_numpy(features).float(), torch.from_numpy(grades), keys, 5)


def accuracy(head: tuple[torch.Tensor, torch.Tensor], on: Examples) -> float:
    return float((logits_of(head, on.features).argmax(1) == on.grades).float().mean())


@pytest.mark.parametrize("kind", [kind for kind in HEADS if kind != "adapted"])
def test_every_head_learns_what_is_there(kind: str) -> None:
    head = fit_head(examples(60), kind, min(HEADS[kind][1]))
    assert accuracy(head, examples(60, seed=1)) > 0.5, "a fifth by chance"
    assert head[0].dtype == torch.float32 and head[0].shape == (5, 12)


def test_a_grade_that_was_never_seen_has_a_finite_logit() -> None:
    whole = examples(20)
    some = whole.of(whole.grades.numpy() < 4)
    for kind in HEADS:
        assert torch.isfinite(logits_of(fit_head(some, kind, 1.0), whole.features)).all()


def test_an_adapted_head_held_back_stays_what_was_given() -> None:
    """All it does is to move the thresholds; with little decay it forgets a given head that is wrong."""
    good = fit_head(examples(200), "ordinal", 0.1)
    few = replace(examples(6, seed=2, noise=3.0), given=good)
    held = fit_head(few, "adapted", 1e6)
    torch.testing.assert_close(held[0], good[0], rtol=1e-3, atol=1e-4)
    wrong = (-good[0], -good[1])
    learned = fit_head(replace(examples(60), given=wrong), "adapted", 0.01)
    assert accuracy(wrong, examples(60, seed=1)) < 0.3
    assert accuracy(learned, examples(60, seed=1)) > 0.5


def test_few_patients_take_the_given_head_and_many_do_not_take_a_wrong_one() -> None:
    good = fit_head(examples(200), "ordinal", 0.1)
    assert choose_head(replace(examples(8, seed=3), given=good)).kind == "adapted"
    wrong = (-3 * good[0], -3 * good[1])
    assert choose_head(replace(examples(60), given=wrong)).kind != "adapted"


def test_folds_are_by_patient() -> None:
    """Features that tell patients apart are worth nothing for others: a choice that leaked would hold back less."""
    rng = np.random.default_rng(1)
    grades = np.repeat(rng.integers(2, size=30), 3)
    features = np.repeat(rng.normal(size=(30, 200)), 3, axis=0)
    of_patients = Examples(
        torch.from_numpy(features).float(), torch.from_numpy(grades), np.repeat(np.arange(30).astype(str), 3), 2
    )
    assert choose_head(of_patients).log_loss > 0.55, "no better than a coin, about 0.69"


@pytest.mark.parametrize("patients, grades", [(4, 5), (20, 1)])
def test_too_few_to_learn_from(patients: int, grades: int) -> None:
    given = examples(patients)
    with pytest.raises(SettingsRefused, match="patients with"):
        choose_head(replace(given, grades=given.grades % grades))


@pytest.mark.parametrize("name", ["disc-grader", "recess-grader"])
def test_weights_of_a_shipped_grader_can_be_read_back(name: str) -> None:
    """One has three members and eight conditions, the other several slices: all give the golden output."""
    card = read_card(SHIPPED / name)
    graders = read_graders(SHIPPED / name, {c: len(g) for c, g in card.outputs.items()}, ("stride_8", "stride_16"))
    assert len(graders) == card.proof["settings"]["members"] and not graders[0].training


def test_weights_that_are_none(tmp_path: Path) -> None:
    """A locator is no grader, and another golden output is another network."""
    with pytest.raises(ModelRefused, match="cannot be read back"):
        read_graders(SHIPPED / "spine-locator", {"pfirrmann": 5}, ("stride_8", "stride_16"))
    (tmp_path / "model.onnx").write_bytes((SHIPPED / "recess-grader" / "model.onnx").read_bytes())
    with np.load(SHIPPED / "recess-grader" / "golden.npz") as pair:
        np.savez(tmp_path / "golden.npz", **{k: pair[k] + (k != "input") for k in pair.files})
    with pytest.raises(ModelRefused, match="another output"):
        read_graders(tmp_path, {"subarticular_stenosis": 3}, ("stride_8", "stride_16"))
    with pytest.raises(SettingsRefused, match="is a locator"):
        frozen_network(str(SHIPPED / "spine-locator"), EXPERIMENT)


def test_heads_put_on_say_what_they_said() -> None:
    """Given heads, taken off three members and put on again: the same logits."""
    frozen = frozen_network(str(SHIPPED / "disc-grader"), EXPERIMENT)
    again = frozen.with_heads({"pfirrmann": frozen.given["pfirrmann"]})
    patches = torch.randn(2, 1, 3, 32, 48, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        wanted = torch.stack([grader(patches)[:, :5] for grader in frozen.graders]).mean(0)
        torch.testing.assert_close(torch.stack([grader(patches) for grader in again]).mean(0), wanted)


def own_patches() -> list:
    patches = [patch for patch in made_up_patches() for _ in range(2)]
    return [
        replace(patch, source="own", patient=f"own:{number}", grades={"bulging": number // 2 % 2, "modic": number % 3})
        for number, patch in enumerate(patches)
    ]


@pytest.mark.slow
def test_from_few_patients_to_a_model_that_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Heads of a condition that the frozen network grades and of one more scale, exported, and honest about both."""
    monkeypatch.setattr(few_shot, "grader_samples", lambda *_: (tuple(own_patches()), ()))
    parts = [Membership(patch.patient, "own", TRAIN) for patch in own_patches()]
    monkeypatch.setattr(keep_fit, "memberships", lambda *_: iter(parts))
    places = Places(tmp_path, tmp_path / "run", command="lumbago train", few_shot=str(SHIPPED / "disc-grader"))
    folder = train_model(EXPERIMENT, places, lambda *_: None, resume=False)
    model = load_model(folder.name, folder.parent, threads=1)
    proof = model.card.proof
    assert model.card.conditions == ("bulging", "modic") and model.card.trained_on == "real"
    assert {row["name"] for row in proof["data"]} == {"own", "sudirman", "spider", "imagenet"}
    assert proof["few_shot"]["bulging"]["kind"] in HEADS and proof["few_shot"]["bulging"]["patients"] == 12
    assert proof["start"]["sha256"] == read_card(SHIPPED / "disc-grader").sha256
    for patient in ("own:3", "sudirman:3"):
        with pytest.raises(ModelRefused, match="was trained on"):
            seen_by(folder).require_unseen(patient)
    seen_by(folder).require_unseen("other:3")
    assert "bulging" in training_sentence(places.run) and "12 patients" in training_sentence(places.run)
    with pytest.raises(SettingsRefused, match="holds a run"):
        train_few_shot(EXPERIMENT, places, resume=False)


def test_what_imagenet_sees_can_be_learned_from(tmp_path: Path) -> None:
    """It grades nothing yet; a blob that is bright or not is told apart from twelve patients."""
    experiment = replace(EXPERIMENT, conditions=("bulging",))
    frozen = frozen_network("imagenet", experiment)
    patches = [replace(patch, grades={"bulging": int(number >= 6)}) for number, patch in enumerate(own_patches())]
    task = GraderTask(experiment, patches)
    (grader,), choices = fit_few_shot(frozen, task, tmp_path)
    assert frozen.given == {} and frozen.seen is None and choices["bulging"].log_loss < 0.69
    assert float(grader.state_dict()["attention.2.weight"].abs().max()) == 0, "slices count the same"


def test_senseless_runs(tmp_path: Path) -> None:
    places = Places(tmp_path, tmp_path / "run", few_shot="imagenet")
    with pytest.raises(SettingsRefused, match="grades nothing"):
        train_few_shot(Experiment("x", "locator"), places, resume=False)
    with pytest.raises(ModelRefused):
        frozen_network(str(tmp_path / "none"), EXPERIMENT)
