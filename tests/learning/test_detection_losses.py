"""Raw values that say the truth cost less than ones that do not, whatever the detector."""

import pytest
import torch

from lumbago.learning.box_losses import fit
from lumbago.learning.detection_losses import DETECTION_LOSSES
from lumbago.networks.detector import Detector
from lumbago.networks.efficientdet import EfficientDet
from lumbago.networks.yolov5_disc import YoloV5
from lumbago.networks.yolov8 import STEPS, YoloV8

TRUTHS = torch.tensor([[[40.0, 52.0, 88.0, 76.0, 1.0], [0, 0, 0, 0, -1]], [[0.0] * 4 + [-1]] * 2])
"""One box in the first of two pictures of 128 x 128 pixels."""

BOX_VALUES = {YoloV8: 4 * STEPS, YoloV5: 5, EfficientDet: 4}


@pytest.fixture(scope="module", params=[EfficientDet, YoloV8, YoloV5], ids=lambda kind: kind.__name__)
def detector(request: pytest.FixtureRequest) -> Detector:
    made = request.param(2)
    assert isinstance(made, Detector)
    return made


def raw_values(detector: Detector) -> list[torch.Tensor]:
    values = BOX_VALUES[type(detector)] + 2  # type: ignore[index]
    generator = torch.Generator().manual_seed(3)
    return [
        0.1 * torch.randn(2, detector.kinds * values, 128 // stride, 128 // stride, generator=generator)
        for stride in detector.strides
    ]


def loss(detector: Detector, raw: list[torch.Tensor], truths: torch.Tensor = TRUTHS) -> torch.Tensor:
    return DETECTION_LOSSES[type(detector)](detector, raw, truths)


def test_going_down_the_slope_finds_the_box(detector: Detector) -> None:
    raw = [scale.requires_grad_() for scale in raw_values(detector)]
    optimizer = torch.optim.Adam(raw, 0.3)
    start = float(loss(detector, raw).detach())
    for _ in range(40):
        optimizer.zero_grad()
        loss(detector, raw).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    with torch.no_grad():
        found = detector.decode(raw)
        assert float(loss(detector, raw)) < 0.2 * start
    best = found[0, found[0, :, 5].argmax()]
    assert float(best[5]) > 0.5 > float(found[1, :, 4:].max())
    assert float(fit(best[None, :4], TRUTHS[0, :1, :4])) > 0.7


def test_pictures_without_boxes_teach_silence(detector: Detector) -> None:
    raw = [scale.requires_grad_() for scale in raw_values(detector)]
    nothing = torch.full_like(TRUTHS, -1)
    value = loss(detector, raw, nothing)
    value.backward()  # type: ignore[no-untyped-call]
    assert torch.isfinite(value)
    assert all(scale.grad is not None and torch.isfinite(scale.grad).all() for scale in raw)


def test_what_nobody_labelled_does_not_count(detector: Detector) -> None:
    """Where a class is not known, no answer of an anchor without a box costs anything or is learned from."""
    known = torch.zeros(2, 2, 128, 128, dtype=torch.uint8)
    raw = [scale.requires_grad_() for scale in raw_values(detector)]
    nothing = torch.full_like(TRUTHS, -1)
    value = DETECTION_LOSSES[type(detector)](detector, raw, nothing, known)
    value.backward()  # type: ignore[no-untyped-call]
    assert float(value.detach()) == 0
    assert all(scale.grad is not None and not scale.grad.any() for scale in raw)
    known[:, 0] = 1
    raw = [scale.detach().requires_grad_() for scale in raw]
    DETECTION_LOSSES[type(detector)](detector, raw, nothing, known).backward()
    slope = detector.flat([scale.grad for scale in raw])[..., -2:]  # type: ignore[misc]
    assert slope[..., 0].all() and not slope[..., 1].any()
    everywhere = DETECTION_LOSSES[type(detector)](detector, raw, nothing, torch.ones_like(known))
    torch.testing.assert_close(everywhere, loss(detector, raw, nothing))


def test_a_box_can_be_of_several_classes_and_of_unknown_ones(detector: Detector) -> None:
    one_of = loss(detector, raw_values(detector))
    labels = torch.tensor([[0.0, 1.0], [-1.0, -1.0]]).expand(2, 2, 2)
    torch.testing.assert_close(loss(detector, raw_values(detector), torch.cat([TRUTHS, labels], dim=2)), one_of)
    unknown = torch.cat([TRUTHS, torch.tensor([-1.0, 1.0]).expand(2, 2, 2)], dim=2)
    both = torch.cat([TRUTHS, torch.tensor([1.0, 1.0]).expand(2, 2, 2)], dim=2)
    assert len({round(float(loss(detector, raw_values(detector), rows)), 4) for rows in (unknown, both)}) == 2
    raw = [scale.requires_grad_() for scale in raw_values(detector)]
    loss(detector, raw, unknown).backward()  # type: ignore[no-untyped-call]
    slope = detector.flat([scale.grad for scale in raw])[0, :, -2:]  # type: ignore[misc]
    assert (slope[slope[:, 1] != 0][:, 0] == 0).any(), "the anchor of the box says nothing of the unknown class"
