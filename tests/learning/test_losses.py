"""What is unknown costs nothing, and an error by two grades costs more than by one."""

import pytest
import torch

from lumbago.learning.losses import (
    GRADE_LOSSES,
    detection_focal_loss,
    distance_iou_loss,
    map_loss,
    ordinal_loss,
    weighted_mean,
)


def maps(*values: float) -> torch.Tensor:
    """One picture, one channel, 8 x 8, its left and right half filled."""
    left, right = torch.full((8, 4), values[0]), torch.full((8, 4), values[-1])
    return torch.cat([left, right], dim=1)[None, None]


def test_unknown_pixels_cost_nothing() -> None:
    known = maps(1.0, 0.0)
    costs = [map_loss(maps(2.0, seen), maps(1.0, 0.0), known) for seen in (-9.0, 0.0, 9.0)]
    assert costs[0] == costs[1] == costs[2] > 0


def test_unknown_pixels_teach_nothing() -> None:
    logits = maps(0.5, 0.5).requires_grad_()
    map_loss(logits, maps(1.0, 0.0), maps(1.0, 0.0)).backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert logits.grad[..., 4:].abs().max() == 0 < logits.grad[..., :4].abs().min()


def test_nothing_known_is_no_division_by_nothing() -> None:
    assert map_loss(maps(3.0), maps(0.0), maps(0.0)) == 0


def test_better_maps_cost_less() -> None:
    target, known = maps(1.0, 0.0), maps(1.0)
    right, unsure, wrong = (map_loss(maps(a, -a), target, known) for a in (5.0, 0.0, -5.0))
    assert right < unsure < wrong


def test_missing_a_rare_target_costs_more_than_inventing_one() -> None:
    known = maps(1.0)
    missed = map_loss(maps(-3.0, -3.0), maps(1.0, 0.0), known)
    invented = map_loss(maps(3.0, -3.0), maps(0.0, 0.0), known)
    assert missed > invented


def test_the_nearer_the_grade_the_smaller_the_loss() -> None:
    logits = torch.eye(5) * 6
    losses = [float(ordinal_loss(logits[found][None], torch.tensor([1]), 0.35)) for found in range(5)]
    assert min(losses) == losses[1]
    assert losses[1] < losses[2] < losses[3] + 1e-6


def test_hardly_softened_is_cross_entropy() -> None:
    logits, grade = torch.randn(6, 4, generator=torch.Generator().manual_seed(1)), torch.tensor([0, 1, 2, 3, 0, 2])
    wanted = torch.nn.functional.cross_entropy(logits, grade, reduction="none")
    torch.testing.assert_close(ordinal_loss(logits, grade, 1e-3), wanted)


def test_neighbours_get_their_share() -> None:
    """The best answer to a soft label is the soft label: 0.3 leaves about 7 % for the two neighbours."""
    logits = torch.zeros(1, 5, requires_grad=True)
    for _ in range(400):
        loss = ordinal_loss(logits, torch.tensor([2]), 0.3).sum()
        (slope,) = torch.autograd.grad(loss, logits)
        logits = (logits - slope).detach().requires_grad_()
    shares = logits.detach().softmax(1)[0]
    assert float(shares[1] + shares[3]) == pytest.approx(0.07, abs=0.01)
    assert float(shares[1]) == pytest.approx(float(shares[3]), abs=1e-4)


NAMES = sorted(GRADE_LOSSES)


@pytest.mark.parametrize("name", NAMES)
def test_every_loss_is_least_at_the_truth_and_teaches_it(name: str) -> None:
    torch.manual_seed(0)
    truth = torch.arange(5)
    logits = torch.zeros(5, 5, requires_grad=True)
    descent = torch.optim.SGD([logits], lr=1.0)
    before = GRADE_LOSSES[name](logits, truth, True)
    for _ in range(200):
        descent.zero_grad()
        GRADE_LOSSES[name](logits, truth, True).sum().backward()  # type: ignore[no-untyped-call]
        descent.step()
    after = GRADE_LOSSES[name](logits, truth, True)
    assert before.shape == (5,) and (after < before).all()
    assert logits.argmax(1).tolist() == truth.tolist()


@pytest.mark.parametrize("name", ["softened", "margin", "cumulative"])
def test_distance_counts_where_grades_have_an_order(name: str) -> None:
    """Sure of a grade two off costs more than sure of a grade one off; without an order both cost the same."""
    near, far = torch.tensor([[0.0, 4.0, 0.0, 0.0]]), torch.tensor([[0.0, 0.0, 0.0, 4.0]])
    truth = torch.tensor([0])
    loss = GRADE_LOSSES[name]
    assert float(loss(far, truth, True)) > float(loss(near, truth, True)) + 0.05
    assert float(loss(far, truth, False)) == pytest.approx(float(loss(near, truth, False)))


@pytest.mark.parametrize("name", ["plain", "focal"])
def test_others_know_no_distance(name: str) -> None:
    near, far = torch.tensor([[0.0, 4.0, 0.0, 0.0]]), torch.tensor([[0.0, 0.0, 0.0, 4.0]])
    loss = GRADE_LOSSES[name]
    assert float(loss(far, torch.tensor([0]), True)) == pytest.approx(float(loss(near, torch.tensor([0]), True)))


def test_cumulative_is_the_mean_of_its_questions() -> None:
    logits, truth = torch.tensor([[0.3, -0.2, 1.1]]), torch.tensor([1])
    p = logits.softmax(1)[0]
    wanted = -(torch.log(1 - p[0]) + torch.log(p[0] + p[1])) / 2
    assert float(GRADE_LOSSES["cumulative"](logits, truth, True)) == pytest.approx(float(wanted), rel=1e-5)


def test_the_margin_asks_for_a_lead() -> None:
    """With the lead that it asks for, and no more, it costs what plain cross-entropy costs without one."""
    logits, truth = torch.tensor([[0.0, -0.5, -1.0]]), torch.tensor([0])
    assert float(GRADE_LOSSES["margin"](logits, truth, True)) == pytest.approx(float(torch.tensor(3.0).log()), rel=1e-5)


def test_weights_count_as_the_metric_does() -> None:
    each, grade = torch.tensor([1.0, 3.0, 5.0]), torch.tensor([0, 1, 2])
    assert float(weighted_mean(each, grade, torch.tensor([1.0, 2.0, 4.0]))) == pytest.approx((1 + 6 + 20) / 7)
    assert float(weighted_mean(each, grade, None)) == pytest.approx(3)


def test_detection_focal_loss_is_that_of_the_paper() -> None:
    logits, targets = torch.tensor([0.0, 2.0, -3.0]), torch.tensor([1.0, 1.0, 0.0])
    p = logits.sigmoid()
    yes, no = -0.25 * (1 - p) ** 2 * p.log(), -0.75 * p**2 * (1 - p).log()
    wanted = torch.where(targets > 0, yes, no)
    assert torch.allclose(detection_focal_loss(logits, targets), wanted)


def test_distance_iou_of_known_boxes() -> None:
    box = torch.tensor([[0.0, 0.0, 2.0, 2.0]])
    assert float(distance_iou_loss(box, box)) == pytest.approx(0)
    half = torch.tensor([[0.0, 1.0, 2.0, 3.0]])
    assert float(distance_iou_loss(half, box)) == pytest.approx(1 - 2 / 6 + 1 / 13)
    apart = torch.tensor([[0.0, 10.0, 2.0, 12.0]])
    farther = torch.tensor([[0.0, 20.0, 2.0, 22.0]])
    assert 1 < float(distance_iou_loss(apart, box)) < float(distance_iou_loss(farther, box)) < 2


def test_distance_iou_pulls_boxes_together_that_do_not_touch() -> None:
    found = torch.tensor([[0.0, 10.0, 2.0, 12.0]], requires_grad=True)
    distance_iou_loss(found, torch.tensor([[0.0, 0.0, 2.0, 2.0]])).sum().backward()  # type: ignore[no-untyped-call]
    assert found.grad is not None and found.grad[0, 1] + found.grad[0, 3] > 0
