"""The loss of each kind of detector, from its raw values and the true boxes of a batch.

True boxes come as (batch, most, 5): left, top, right, bottom in pixels, number of the class; class -1 fills up. Where
boxes can be of several classes, a value for each follows, see `assign_boxes.Truths`. `known` says where in the pictures
all boxes of a class are labelled: elsewhere an anchor without a box has nothing to say of that class.
"""

from collections.abc import Callable, Mapping
from typing import Final

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits as yes_or_no_loss

from lumbago.learning.assign_boxes import Targets, by_overlap, by_shape, targets, task_aligned, there
from lumbago.learning.box_losses import complete_iou_loss, distribution_focal_loss, fit
from lumbago.learning.losses import detection_focal_loss, distance_iou_loss
from lumbago.networks.detector import Detector, Raw, corners
from lumbago.networks.efficientdet import EfficientDet
from lumbago.networks.yolov5_disc import YoloV5
from lumbago.networks.yolov8 import STEPS, YoloV8

TrueBoxes = Float[Tensor, "batch most values"]
Known = UInt8[Tensor, "batch classes rows columns"]
"""1 where every box of a class is labelled, at every pixel of the pictures; else 0."""

Loss = Float[Tensor, ""]

_BOX, _CLASS, _STEPS = 7.5, 0.5, 1.5
"""Weights of the three parts of YOLOv8's loss."""


def efficientdet_loss(detector: EfficientDet, raw: Raw, truths: TrueBoxes, known: Known | None = None) -> Loss:
    """Focal loss of the classes (Lin et al. 2017) plus the distance loss of the boxes, by the number of anchors that
    found something. The paper's box loss is Huber's, of the four encoded values; ours is of the boxes themselves."""
    values, boxes = detector.flat(raw), detector.boxes(raw)
    anchors = corners(detector.anchors(raw))
    rows = [there(truth) for truth in truths]
    wanted = targets([by_overlap(anchors, row) for row in rows], rows, detector.classes)
    each = detection_focal_loss(values[..., 4:], wanted.scores) * _counted(wanted, known, detector.centers(raw))
    found = wanted.is_found
    of_boxes = distance_iou_loss(boxes[found], wanted.boxes[found])
    return (each.sum() + of_boxes.sum()) / found.sum().clamp(min=1)


def yolov8_loss(detector: YoloV8, raw: Raw, truths: TrueBoxes, known: Known | None = None) -> Loss:
    """Yes-or-no loss of the classes against soft scores, complete loss of the boxes, and the loss of the distributions
    that they come from, each box weighing as its score."""
    values, boxes, centers = detector.flat(raw), detector.boxes(raw), detector.centers(raw)
    logits, rows = values[..., 4 * STEPS :], [there(truth) for truth in truths]
    chances = logits.detach().sigmoid()
    picture = zip(chances, boxes.detach(), rows, strict=True)
    assigned = [task_aligned(chance, box, centers, row) for chance, box, row in picture]
    wanted = targets(assigned, rows, detector.classes)
    whole = wanted.scores.amax(2).sum().clamp(min=1)
    of_each = yes_or_no_loss(logits, wanted.scores, reduction="none")
    of_classes = (of_each * _counted(wanted, known, centers)).sum()
    found, weight = wanted.is_found, wanted.scores.amax(2)[wanted.is_found]
    of_boxes = complete_iou_loss(boxes[found], wanted.boxes[found]) * weight
    of_steps = _steps_loss(values[..., : 4 * STEPS], centers, wanted) * weight
    return (_CLASS * of_classes + _BOX * of_boxes.sum() + _STEPS * of_steps.sum()) / whole


def _steps_loss(
    values: Float[Tensor, "batch anchors steps"], centers: Float[Tensor, "anchors 3"], wanted: Targets
) -> Float[Tensor, " found"]:
    """Mean over the four sides of the loss of their distributions."""
    middle = centers[:, :2].expand(*wanted.boxes.shape[:2], 2)
    away = torch.cat([middle - wanted.boxes[..., :2], wanted.boxes[..., 2:] - middle], dim=2) / centers[:, 2:]
    logits = values[wanted.is_found].reshape(-1, STEPS)
    return distribution_focal_loss(logits, away[wanted.is_found].flatten()).reshape(-1, 4).mean(1)


def yolov5_loss(detector: YoloV5, raw: Raw, truths: TrueBoxes, known: Known | None = None) -> Loss:
    """The document's mean of class cross-entropy and distance loss, of the anchors that found something; plus, as in
    any YOLOv5, the yes-or-no loss of all anchors of whether they did, against the overlap reached. An anchor where not
    every class is known cannot be asked that: its known classes are asked one by one."""
    values, boxes = detector.flat(raw), detector.boxes(raw)
    anchors, centers = detector.anchors(raw), detector.centers(raw)
    rows = [there(truth) for truth in truths]
    wanted = targets([by_shape(anchors, centers, row) for row in rows], rows, detector.classes)
    found = wanted.is_found
    count = found.sum().clamp(min=1)
    counts = _counted(wanted, known, centers)
    is_whole = found | counts.all(2)
    of_each = yes_or_no_loss(values[..., 5:], wanted.scores, reduction="none")
    of_classes = (of_each * (counts & (found | ~is_whole)[..., None])).sum()
    of_boxes = distance_iou_loss(boxes[found], wanted.boxes[found])
    reached = torch.zeros_like(values[..., 4])
    reached[found] = fit(boxes[found], wanted.boxes[found]).detach()
    of_anything = (yes_or_no_loss(values[..., 4], reached, reduction="none") * is_whole).sum()
    return ((of_classes + of_boxes.sum()) / 2 + of_anything) / count


def _counted(
    wanted: Targets, known: Known | None, centers: Float[Tensor, "anchors 3"]
) -> Bool[Tensor, "batch anchors classes"]:
    """Of which classes an anchor has something to say."""
    if known is None:
        return wanted.counts
    x, y = centers[:, 0].long(), centers[:, 1].long()
    return wanted.counts & (wanted.is_found[..., None] | (known[:, :, y, x] > 0).transpose(1, 2))


DETECTION_LOSSES: Final[Mapping[type[Detector], Callable[..., Loss]]] = {
    EfficientDet: efficientdet_loss,
    YoloV8: yolov8_loss,
    YoloV5: yolov5_loss,
}
"""Kind of detector -> its loss, called with the detector, its raw values and the true boxes."""
