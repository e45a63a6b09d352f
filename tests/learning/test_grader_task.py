"""Batches of a grader: what is known is taught, rare grades come up often, and a seed replays a batch."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_up_patches import made_up_patches
from torch import nn

from lumbago.anatomy.conditions import CONDITIONS as CONDITION_TABLE
from lumbago.errors import SettingsRefused
from lumbago.learning.disc_samples import GradedPatch
from lumbago.learning.experiment import Experiment
from lumbago.learning.grader_task import GraderTask, grade_table
from lumbago.learning.hardware import Hardware
from lumbago.learning.phantom_patches import phantom_patches, read_grades, true_grades
from lumbago.learning.shake import draw_shake, shaken_patch
from lumbago.learning.train import validation_loss
from lumbago.networks.patch_grader import PatchGrader
from lumbago.phantom.measure_truth import measure_truth
from lumbago.phantom.phantom_study import phantom_study
from lumbago.phantom.sample_spine import sample_spine
from lumbago.phantom.truth_findings import PhantomSeries, truth_findings
from lumbago.phantom.write_study import planned_series
from lumbago.pipeline.crop_patches import PatchRecipe, crop_patch, patch_views

CONDITIONS = ("pfirrmann", "bulging")
EXPERIMENT = Experiment("x", "grader", conditions=CONDITIONS, patch=(32, 48), slices=3, batch=4, pretrained=False)


@pytest.fixture(scope="module")
def patches() -> list[GradedPatch]:
    return made_up_patches()


@pytest.fixture(scope="module")
def task(patches: list[GradedPatch]) -> GraderTask:
    return GraderTask(EXPERIMENT, patches)


def test_unknown_grades_stay_unknown(patches: list[GradedPatch]) -> None:
    assert grade_table(patches, CONDITIONS).tolist() == [[0, 0], [1, 1], [2, 0], [3, 1], [4, 0], [4, -1]]


def test_a_batch_follows_from_its_seed(task: GraderTask) -> None:
    first, again, other = (task.batch(np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], other[0])
    assert first[0].shape == (4, 3, 3, 32, 48) and first[0].dtype == torch.float32
    assert first[1].shape == (4, 2)


def test_rare_grades_come_up_more_often_than_they_are(patches: list[GradedPatch]) -> None:
    """One patch of grade 1 among eleven others: its chance is by the root of how rare it is."""
    task = GraderTask(EXPERIMENT, [patches[0]] * 11 + [patches[1]])
    assert task.chances.sum() == pytest.approx(1)
    assert task.chances[-1] / task.chances[0] == pytest.approx(11**0.5)


def test_counts_by_source(task: GraderTask) -> None:
    assert task.sample_counts() == {"sudirman": 4, "spider": 2}


def test_an_unknown_grade_teaches_nothing(task: GraderTask) -> None:
    torch.manual_seed(1)
    network = task.network().eval()
    assert isinstance(network, PatchGrader)
    given, grades = task.batch(np.random.default_rng(5))
    grades[:, 1] = -1
    task.loss(network(given), (grades,)).backward()  # type: ignore[no-untyped-call]
    slopes = network.grade.weight.grad
    assert slopes is not None
    assert slopes[:5].abs().max() > 0 == slopes[5:].abs().max()


def test_a_likelier_truth_costs_less(task: GraderTask) -> None:
    torch.manual_seed(1)
    network = task.network().eval()
    assert isinstance(network, PatchGrader)
    given, grades = task.batch(np.random.default_rng(5))
    grades[:] = torch.tensor([4, 1])
    before = float(task.loss(network(given), (grades,)).detach())
    with torch.no_grad():
        network.grade.bias[[4, 6]] += 2
    assert float(task.loss(network(given), (grades,)).detach()) < before


def test_what_is_learned_beside_is_taught_and_not_told(patches: list[GradedPatch], tmp_path: Path) -> None:
    beside = replace(EXPERIMENT, conditions=("bulging",), beside=("pfirrmann",), sources=("spider",))
    task = GraderTask(beside, patches)
    network = task.network().eval()
    assert isinstance(network, PatchGrader) and list(network.heads) == ["bulging", "pfirrmann"]
    given, grades = task.batch(np.random.default_rng(5))
    task.loss(network(given), (grades,)).backward()  # type: ignore[no-untyped-call]
    slopes = network.grade.weight.grad
    assert slopes is not None and slopes[2:].abs().max() > 0
    facts = task.export([network], tmp_path)
    assert dict(facts.outputs) == {"bulging": ("absent", "present")}
    with np.load(tmp_path / "golden.npz") as golden:
        assert set(golden) == {"input", "output_bulging", "output_maps"} and golden["output_maps"].shape[1] == 2
        told = network(torch.from_numpy(golden["input"]))[:, :2].detach().numpy()
        np.testing.assert_allclose(golden["output_bulging"], told, atol=1e-4)


@pytest.mark.parametrize(
    "wrong", [{"beside": ("bulging",)}, {"sources": ()}, {"network": "vgg19"}, {"beside": ("nothing",)}]
)
def test_what_cannot_be_learned_beside_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsRefused):
        replace(EXPERIMENT, conditions=("bulging",), **{"beside": ("pfirrmann",), "sources": ("spider",), **wrong})


def test_phantoms_tell_what_pictures_teach_beside() -> None:
    beside = replace(EXPERIMENT, conditions=("bulging",), beside=("pfirrmann",), sources=("spider",))
    assert beside.told_by == ("spider",) and replace(beside, phantoms=3).told_by == ()
    assert replace(beside, beside=()).told_by == ("spider",) and beside.taught == ("bulging", "pfirrmann")


def test_unshaken_patches_are_those_of_an_analysis(patches: list[GradedPatch]) -> None:
    """Training and analysis see through the same eyes: with all shaking off, the same numbers, up to zoom."""
    still = Experiment("x", "grader", conditions=CONDITIONS, shift_mm=0.0, turn_degrees=0.0, augmentation=0.0)
    recipe = PatchRecipe("disc", 32, 40, 0.6, 1)
    sample = patches[3]
    wanted = patch_views(crop_patch(sample.volume, sample.frame, recipe), sample.reference, recipe)
    seen = [shaken_patch(sample, recipe, draw_shake(np.random.default_rng(seed), still, 4.0)) for seed in range(12)]
    np.testing.assert_allclose(np.mean(seen, axis=0)[:, :, 8:24, 10:30], wanted[:, :, 8:24, 10:30], atol=0.15)


def test_shaking_changes_the_patch(patches: list[GradedPatch]) -> None:
    recipe = PatchRecipe("disc", 32, 40, 0.6, 1)
    shakes = (draw_shake(np.random.default_rng(seed), EXPERIMENT, 4.0) for seed in (1, 2))
    first, second = (shaken_patch(patches[3], recipe, shake) for shake in shakes)
    assert np.abs(first - second).mean() > 0.02


@pytest.mark.parametrize(
    "condition, anchor, sides",
    [
        ("spinal_canal_stenosis", "canal", 1),
        ("neural_foraminal_narrowing", "foramen", 2),
        ("subarticular_stenosis", "recess", 2),
    ],
)
def test_phantom_places_bear_the_phantoms_grades(condition: str, anchor: str, sides: int) -> None:
    """No place is more often there than a spine has it, and each is in view."""
    experiment = Experiment("x", "grader", conditions=(condition,), anchor=anchor, phantoms=1, phantom_seed=11)
    found = list(phantom_patches(experiment))
    assert found and len(found) <= 5 * sides
    assert {patch.source for patch in found} == {"phantoms"} and {patch.patient for patch in found} == {"phantom:11"}
    assert max(Counter(patch.level for patch in found).values()) <= sides
    assert all(set(patch.grades) == {condition} for patch in found)
    ijk = found[0].volume.to_ijk(found[0].frame.center_lps_mm)
    assert (ijk > -0.6).all() and (ijk < np.array(found[0].volume.array.shape) - 0.4).all()


def test_the_same_seed_gives_the_same_phantom_places() -> None:
    experiment = Experiment("x", "grader", conditions=("pfirrmann",), phantoms=1, phantom_seed=12)
    first, again = phantom_patches(experiment)[0], phantom_patches(experiment)[0]
    assert first.grades == again.grades and np.array_equal(first.volume.array, again.volume.array)


def test_reader_noise_changes_grades_in_training_and_nothing_else() -> None:
    """A reader errs in some places; pictures, sites, the truth that scores stand on, and other conditions do not."""
    plain = Experiment(
        "x", "grader", conditions=("subarticular_stenosis",), anchor="recess", phantoms=2, phantom_seed=11
    )
    before = {seed: measure_truth(sample_spine(seed)) for seed in (11, 12)}
    measured, read = (list(phantom_patches(replace(plain, reader_noise=noisy))) for noisy in (False, True))
    for one, other in zip(measured, read, strict=True):
        assert one.level == other.level and np.array_equal(one.volume.array, other.volume.array)
    assert 0 < sum(one.grades != other.grades for one, other in zip(measured, read, strict=True)) < len(read)
    measure_truth.cache_clear()
    for seed, truth in before.items():
        assert measure_truth(sample_spine(seed)) == truth
        assert read_grades(sample_spine(seed), ("pfirrmann",)) == true_grades(sample_spine(seed), ("pfirrmann",))


def test_scores_stand_on_measured_grades() -> None:
    """What graders are scored on is a study's written truth; a reader's grades would differ from it."""
    spine, name = sample_spine(11), "subarticular_stenosis"
    assert not Experiment("x", "grader").reader_noise
    written = truth_findings("a", PhantomSeries(spine, planned_series(phantom_study(11))))
    scale = CONDITION_TABLE[name].scale.grades
    found = {(f.level, f.side): scale.index(f.grade) for f in written.findings if f.condition == name and f.grade}
    true, read = (grades(spine, (name,)) for grades in (true_grades, read_grades))
    assert len(found) >= 8 and all(grade == true[place][name] for place, grade in found.items())
    assert any(grade != read[place][name] for place, grade in found.items())


def test_places_without_a_grade_that_is_to_be_learned_are_refused(patches: list[GradedPatch]) -> None:
    """The loss would be 0 from the first step to the last, and the weights those of the start."""
    with pytest.raises(SettingsRefused, match="is to grade modic, and none of its 6 places is graded so"):
        GraderTask(replace(EXPERIMENT, conditions=("modic",)), patches)


def test_nobody_is_validated_on_without_a_grade_that_is_learned(patches: list[GradedPatch]) -> None:
    unknown = [replace(patch, grades={"modic": 1}) for patch in patches]
    assert GraderTask(EXPERIMENT, patches, patches).validation()
    assert not GraderTask(EXPERIMENT, patches, unknown).validation()


class Unsure(nn.Module):
    """Says the same of every place."""

    def forward(self, patches: torch.Tensor) -> torch.Tensor:
        """Logits of five grades and of two."""
        return torch.tensor([3.0, 0, 0, 0, 0, 0, 0]).expand(len(patches), -1)


def test_a_condition_counts_in_validation_as_in_training(patches: list[GradedPatch]) -> None:
    """Where a source of many places has one condition and that of few has all, the first was nearly all that told when
    to stop; and places with nothing to learn drew the loss towards 0 or weighed for others."""
    known, unknown = ([replace(patches[0], grades=grades) for _ in range(128)] for grades in ({"pfirrmann": 3}, {}))
    both = [replace(patches[0], grades={"pfirrmann": 3, "bulging": 1}) for _ in range(64)]
    task = GraderTask(EXPERIMENT, patches, [*unknown, *known, *both])
    outputs = Unsure()(torch.zeros(192, 1))
    wanted = float(task.loss(outputs, (torch.from_numpy(grade_table([*known, *both], CONDITIONS)),)))
    assert [len(grades) for _, grades in task.validation()] == [64, 64, 64]
    assert validation_loss(task, Unsure(), Hardware()) == pytest.approx(wanted, rel=0.01)
