"""Two patches made one: shares add up, what is unknown stays so, and every loss of grades takes both."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from made_up_patches import made_up_patches

from lumbago.learning.experiment import Experiment
from lumbago.learning.grader_task import GraderTask
from lumbago.learning.losses import GRADE_LOSSES
from lumbago.learning.mix import Mix, draw_mix, mixed

EXPERIMENT = Experiment(
    "x", "grader", conditions=("pfirrmann", "bulging"), patch=(32, 48), slices=3, batch=8, pretrained=False, mixup=1.0
)
EVEN = np.full(6, 1 / 6)
BLACK, WHITE = np.zeros((1, 3, 10, 20), np.float32), np.ones((1, 3, 10, 20), np.float32)


def test_mix_up_adds_by_shares() -> None:
    patch, kept = mixed(BLACK, WHITE, Mix(0, 0.7, None))
    assert kept == 0.7 and patch == pytest.approx(0.3)


def test_cut_mix_counts_what_is_in_view() -> None:
    """A box of half the height and width, a half of it beyond the border: an eighth of the picture."""
    patch, kept = mixed(BLACK, WHITE, Mix(0, 0.75, (0.0, 0.75, 0.5, 1.25)))
    assert kept == 1 - 1 / 8 and patch.mean() == pytest.approx(1 / 8)
    assert (patch[:, :, :5, 15:] == 1).all() and patch[:, :, 5:].max() == 0 == patch[:, :, :, :15].max()
    assert BLACK.max() == 0, "the first patch is not written on"


def test_shares_of_patches() -> None:
    both = replace(EXPERIMENT, mixup=0.3, cutmix=0.2)
    drawn = [draw_mix(np.random.default_rng(seed), both, EVEN) for seed in range(400)]
    kinds = ["none" if mix is None else "up" if mix.box is None else "cut" for mix in drawn]
    assert kinds.count("up") / 400 == pytest.approx(0.3, abs=0.07)
    assert kinds.count("cut") / 400 == pytest.approx(0.2, abs=0.07)
    assert drawn == [draw_mix(np.random.default_rng(seed), both, EVEN) for seed in range(400)]


def test_batches_of_mixed_patches_follow_from_their_seed_and_can_be_shared_out() -> None:
    task = GraderTask(replace(EXPERIMENT, mixup=0.5, cutmix=0.5), made_up_patches())
    whole, again = (task.batch(np.random.default_rng(5)) for _ in range(2))
    part = task.batch(np.random.default_rng(5), range(2, 5))
    assert all(torch.equal(one, other) for one, other in zip(whole, again, strict=True))
    assert all(torch.equal(one[2:5], other) for one, other in zip(whole, part, strict=True))
    assert [tuple(each.shape) for each in whole] == [(8, 3, 3, 32, 48), (8, 2), (8, 2), (8,)]
    assert whole[3].min() < 0.99 and whole[3].min() >= 0 and whole[3].max() <= 1


@pytest.mark.parametrize("name", GRADE_LOSSES)
def test_every_loss_takes_both_grades_by_their_shares(name: str) -> None:
    """A mix of which all is kept costs what the patch does; else between; and what is unknown does not count."""
    task = GraderTask(replace(EXPERIMENT, loss=name), made_up_patches())
    logits = torch.randn(3, 7, generator=torch.Generator().manual_seed(1))
    one, other = torch.tensor([[0, 0], [1, 1], [4, 0]]), torch.tensor([[3, 1], [3, 0], [0, 1]])
    first, second = (float(task.loss(logits, (grades,))) for grades in (one, other))

    def mixture(partners: torch.Tensor, kept: float) -> float:
        return float(task.loss(logits, (one, partners, torch.full((3,), kept))))

    assert mixture(other, 1.0) == pytest.approx(first, rel=1e-5)
    assert mixture(other, 0.25) == pytest.approx(0.25 * first + 0.75 * second, rel=1e-5)
    assert mixture(torch.full_like(other, -1), 0.25) == pytest.approx(first, rel=1e-5), "only the known counts"


def test_soft_targets_for_cross_entropy() -> None:
    """For a plain loss the mixture is the cross-entropy against a soft grade."""
    task = GraderTask(replace(EXPERIMENT, conditions=("pfirrmann",), loss="plain"), made_up_patches())
    logits = torch.tensor([[0.3, -1.0, 2.0, 0.1, 0.0]])
    soft = torch.tensor([[0.0, 0.6, 0.0, 0.4, 0.0]])
    found = task.loss(logits, (torch.tensor([[1]]), torch.tensor([[3]]), torch.tensor([0.6])))
    torch.testing.assert_close(found, torch.nn.functional.cross_entropy(logits, soft))


def test_class_weights_weigh_each_grade_of_a_mix() -> None:
    weighed = replace(EXPERIMENT, conditions=("bulging",), class_weights=(1.0, 4.0), loss="plain")
    task = GraderTask(weighed, made_up_patches())
    logits = torch.tensor([[1.0, -1.0]])
    cost = -logits.log_softmax(1)[0]
    found = task.loss(logits, (torch.tensor([[0]]), torch.tensor([[1]]), torch.tensor([0.5])))
    torch.testing.assert_close(found, (cost[0] + 4 * cost[1]) / 5)
