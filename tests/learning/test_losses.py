"""What is unknown costs nothing, and an error by two grades costs more than by one."""

import pytest
import torch

from lumbago.learning.losses import map_loss, ordinal_loss


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
