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
    chosen = order[_surest_kept(boxes[order], labels[order], rule)]
    return FoundBoxes(boxes[chosen], labels[chosen], scores[chosen])


def _surest_kept(boxes: Boxes, labels: Int64[np.ndarray, " boxes"], rule: ThinningRule) -> Int64[np.ndarray, " kept"]:
    """Numbers of the boxes that stay: each in turn, from the surest down, unless it overlaps a kept one of its class.
    All classes are gone through at once, so that it is over when enough are kept."""
    kept: list[int] = []
    waiting = np.arange(len(boxes))
    while len(waiting) and len(kept) < rule.most:
        first, waiting = waiting[0], waiting[1:]
        kept.append(int(first))
        is_hidden = _overlaps(boxes[waiting], boxes[first], rule.most_overlap)
        waiting = waiting[~(is_hidden & (labels[waiting] == labels[first]))]
    return np.array(kept, np.int64)


def _overlaps(boxes: Boxes, one: Float32[np.ndarray, "4"], limit: float) -> Bool[np.ndarray, " boxes"]:
    wide, high = np.maximum(np.minimum(boxes[:, 2:], one[2:]) - np.maximum(boxes[:, :2], one[:2]), 0).T
    shared = wide * high
    union = _area(boxes) + _area(one) - shared
    return np.asarray(shared > limit * union)


def _area(boxes: Float32[np.ndarray, "*boxes 4"]) -> Float32[np.ndarray, "*boxes"]:
    wide, high = boxes[..., 2] - boxes[..., 0], boxes[..., 3] - boxes[..., 1]
    return np.asarray(wide * high)
