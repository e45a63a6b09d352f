"""What a detector says of a picture, thinned out: of boxes of one class that overlap, the surest stays.

The exported detector decodes its own boxes; this needs no PyTorch.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int64

Boxes = Float32[np.ndarray, "boxes 4"]
Scores = Float32[np.ndarray, " boxes"]


@dataclass(frozen=True, slots=True)
class ThinningRule:
    """What is kept.

    Attributes:
        least_score: of a class at an anchor; most_overlap: IoU of two boxes of one class; most: boxes of all classes.
    """

    least_score: float = 0.05
    most_overlap: float = 0.5
    most: int = 100


USUAL = ThinningRule()


@dataclass(frozen=True, eq=False)
class FoundBoxes:
    """Boxes of one picture from the surest down: (left, top, right, bottom) in pixels, class numbers, scores."""

    boxes: Boxes
    labels: Int64[np.ndarray, " boxes"]
    scores: Scores


def found_boxes(detections: Float32[np.ndarray, "anchors values"], rule: ThinningRule = USUAL) -> FoundBoxes:
    """The boxes that a picture's anchors have found.

    Args:
        detections: of each anchor its box and a score of each class, as an exported detector gives them. An anchor may
            find several classes. A box that is empty or not finite is none.
    """
    usable = np.isfinite(detections).all(1) & (detections[:, :2] < detections[:, 2:4]).all(1)
    detections = detections[usable]
    anchors, labels = np.nonzero(detections[:, 4:] >= rule.least_score)
    boxes, scores = detections[anchors, :4], detections[anchors, 4 + labels]
    order = np.argsort(-scores, kind="stable")
    boxes, labels, scores = boxes[order], labels[order], scores[order]
    kept = np.zeros(len(boxes), bool)
    for label in np.unique(labels):
        of_label = np.flatnonzero(labels == label)
        kept[of_label[surest_kept(boxes[of_label], rule.most_overlap, rule.most)]] = True
    chosen = np.flatnonzero(kept)[: rule.most]
    return FoundBoxes(boxes[chosen], labels[chosen], scores[chosen])


def surest_kept(boxes: Boxes, most_overlap: float, most: int) -> Int64[np.ndarray, " kept"]:
    """Numbers of the boxes that stay: each in turn, unless it overlaps a kept one by more than `most_overlap` of IoU.

    Args:
        boxes: of one class, from the surest down; most: where to stop.
    """
    kept: list[int] = []
    is_free = np.ones(len(boxes), bool)
    while is_free.any() and len(kept) < most:
        first = int(np.argmax(is_free))
        kept.append(first)
        is_free[first] = False
        is_free &= ~_overlaps(boxes, boxes[first], most_overlap)
    return np.array(kept, np.int64)


def _overlaps(boxes: Boxes, one: Float32[np.ndarray, "4"], limit: float) -> Bool[np.ndarray, " boxes"]:
    sides = np.minimum(boxes[:, 2:], one[2:]) - np.maximum(boxes[:, :2], one[:2])
    shared = np.maximum(sides, 0).prod(1)
    union = (boxes[:, 2:] - boxes[:, :2]).prod(1) + (one[2:] - one[:2]).prod() - shared
    return np.asarray(shared > limit * union)
