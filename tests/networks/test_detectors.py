"""Raw values become boxes by the papers' rules, worked out by hand."""

import pytest
import torch

from lumbago.networks.detector import Detector, corners
from lumbago.networks.efficientdet import EfficientDet
from lumbago.networks.yolov5_disc import YoloV5
from lumbago.networks.yolov8 import STEPS, YoloV8


def zeros(detector: Detector, values: int) -> list[torch.Tensor]:
    """Raw values of nothing for a picture of 128 x 256 pixels."""
    return [torch.zeros(1, detector.kinds * values, 128 // stride, 256 // stride) for stride in detector.strides]


@pytest.fixture(scope="module")
def yolov8() -> YoloV8:
    return YoloV8(2)


@pytest.fixture(scope="module")
def yolov5() -> YoloV5:
    return YoloV5(2)


@pytest.fixture(scope="module")
def efficientdet() -> EfficientDet:
    return EfficientDet(2)


def test_anchors_come_finest_first_row_by_row(yolov8: YoloV8) -> None:
    centers = yolov8.centers(zeros(yolov8, 66))
    assert centers[:2].tolist() == [[4.0, 4.0, 8.0], [12.0, 4.0, 8.0]]
    assert centers[32].tolist() == [4.0, 12.0, 8.0]
    assert centers[16 * 32].tolist() == [8.0, 8.0, 16.0]
    assert len(centers) == 16 * 32 + 8 * 16 + 4 * 8


def test_values_stay_with_their_anchor(yolov5: YoloV5) -> None:
    raw = zeros(yolov5, 7)
    raw[1][0, 2 * 7 + 3, 5, 6] = 9.0
    flat = yolov5.flat(raw)
    place = 3 * 16 * 32 + 3 * (5 * 16 + 6) + 2
    assert flat[0, place].tolist() == [0, 0, 0, 9, 0, 0, 0]
    assert yolov5.anchors(raw)[place].tolist() == [6.5 * 16, 5.5 * 16, 59, 119]
    assert float(flat.sum()) == 9


@torch.no_grad()
def test_yolov8_measures_sides_in_strides(yolov8: YoloV8) -> None:
    raw = zeros(yolov8, 4 * STEPS + 2)
    for side, step in enumerate((1, 2, 3, 5)):
        raw[0][0, side * STEPS + step, 4, 6] = 60.0
    raw[0][0, 4 * STEPS + 1, 4, 6] = 2.0
    found = yolov8.decode(raw)[0, 4 * 32 + 6]
    wanted = torch.tensor([52.0 - 8, 36.0 - 16, 52.0 + 24, 36.0 + 40, 0.5, torch.tensor(2.0).sigmoid()])
    torch.testing.assert_close(found, wanted)


@torch.no_grad()
def test_yolov5_starts_from_its_anchors(yolov5: YoloV5) -> None:
    raw = zeros(yolov5, 7)
    raw[0][0, 4] = 1.0
    found = yolov5.decode(raw)[0]
    chance = float(torch.tensor(1.0).sigmoid())
    torch.testing.assert_close(found[0], torch.tensor([4 - 5, 4 - 6.5, 4 + 5, 4 + 6.5, chance / 2, chance / 2]))
    torch.testing.assert_close(found[1], torch.tensor([4 - 8, 4 - 15, 4 + 8, 4 + 15, 0.25, 0.25]))


@torch.no_grad()
def test_efficientdet_starts_from_its_anchors(efficientdet: EfficientDet) -> None:
    raw = zeros(efficientdet, 6)
    raw[0][0, 0], raw[0][0, 3] = 0.25, float(torch.tensor(2.0).log())
    found = efficientdet.decode(raw)[0]
    torch.testing.assert_close(found[0], torch.tensor([4 + 8 - 16, 4 - 32, 4 + 8 + 16, 4 + 32, 0.5, 0.5]))
    width, height = (found[1, 2:4] - found[1, :2]).tolist()
    assert (width, height) == pytest.approx((32 * 1.4, 32 * 0.7))


def test_corners() -> None:
    assert corners(torch.tensor([[5.0, 6.0, 4.0, 2.0]])).tolist() == [[3, 5, 7, 7]]
