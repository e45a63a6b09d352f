"""Losses of boxes by hand-computed values, and which way they pull."""

import math

import pytest
import torch

from lumbago.learning.box_losses import complete_iou_loss, distribution_focal_loss, fit, iou_loss, overlaps


def boxes(*rows: tuple[float, ...]) -> torch.Tensor:
    return torch.tensor(rows, dtype=torch.float32)


def test_overlaps_of_every_pair() -> None:
    ones, others = boxes((0, 0, 2, 2), (5, 5, 5, 5)), boxes((1, 0, 3, 2), (0, 0, 2, 2), (9, 9, 9, 9))
    torch.testing.assert_close(overlaps(ones, others), torch.tensor([[1 / 3, 1, 0], [0, 0, 0]]))


def test_fit_is_the_overlap_of_pairs() -> None:
    ones, others = boxes((0, 0, 2, 2), (1, 1, 4, 3)), boxes((1, 0, 3, 2), (0, 0, 2, 2))
    torch.testing.assert_close(fit(ones, others), overlaps(ones, others).diagonal())
    torch.testing.assert_close(iou_loss(ones, others), 1 - overlaps(ones, others).diagonal())


def test_complete_loss_by_hand() -> None:
    """2 x 2 against 4 x 1 about the same centre: IoU 2 / 6."""
    found, wanted = boxes((1, 0, 3, 2)), boxes((0, 0.5, 4, 1.5))
    shape = 4 / math.pi**2 * (math.atan(1) - math.atan(4)) ** 2
    share = 1 - 2 / 6
    assert float(complete_iou_loss(found, wanted)) == pytest.approx(share + shape / (share + shape) * shape, rel=1e-5)


def test_complete_loss_pulls_towards_the_truth_even_from_afar() -> None:
    found, wanted = boxes((10, 0, 12, 2)).requires_grad_(), boxes((0, 0, 4, 2))
    complete_iou_loss(found, wanted).sum().backward()  # type: ignore[no-untyped-call]
    assert found.grad is not None
    assert found.grad[0, 0] + found.grad[0, 2] > 0, "the box lies too far right"
    assert float(complete_iou_loss(wanted, wanted)) == pytest.approx(0, abs=1e-6)


def test_the_plain_loss_pulls_at_nothing_from_afar() -> None:
    found = boxes((10, 0, 12, 2)).requires_grad_()
    iou_loss(found, boxes((0, 0, 4, 2))).sum().backward()  # type: ignore[no-untyped-call]
    assert found.grad is not None and float(found.grad.abs().max()) == 0


def test_gradients_are_right() -> None:
    """Against differences, with the weight of the proportions held fixed as the paper has it."""
    found = boxes((0.3, 0.1, 2.2, 2.4)).double().requires_grad_()
    wanted = boxes((0, 0, 2, 3)).double()
    assert torch.autograd.gradcheck(lambda x: iou_loss(x, wanted), found)


def test_steps_by_hand() -> None:
    """Wanted 1.25: three quarters of step 1, one quarter of step 2."""
    logits = torch.tensor([[0.0, 2.0, 1.0, 0.0]], requires_grad=True)
    loss = distribution_focal_loss(logits, torch.tensor([1.25]))
    known = logits.detach().log_softmax(1)[0]
    assert float(loss.detach()) == pytest.approx(-float(0.75 * known[1] + 0.25 * known[2]))
    loss.sum().backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    wanted = logits.detach().softmax(1) - torch.tensor([[0, 0.75, 0.25, 0]])
    torch.testing.assert_close(logits.grad, wanted)


@pytest.mark.parametrize("far", [3.0, 40.0])
def test_beyond_the_last_step_is_the_last_step(far: float) -> None:
    loss = distribution_focal_loss(torch.zeros(1, 4), torch.tensor([far]))
    assert float(loss) == pytest.approx(math.log(4))
