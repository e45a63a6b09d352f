"""Which anchor of a detector answers for which true box.

Three rules, one result: `by_overlap` for many fixed anchors, `by_shape` for few anchors of fitted shapes,
`task_aligned` for detectors without anchors.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int
from scipy.cluster.vq import kmeans2
from torch import Tensor

from lumbago.errors import SettingsRefused
from lumbago.learning.box_losses import overlaps

NOTHING: Final = -1
LEFT_OUT: Final = -2

Truths = Float[Tensor, "truths values"]
"""Of one picture: left, top, right, bottom in pixels, and the number of the class; a row of class -1 is no truth. Where
a box can be of several classes, a value follows for each: 1 or 0, or -1 where nobody knows."""

Centers = Float[Tensor, "anchors 3"]
"""x, y and stride in pixels, as `Detector.centers` gives them."""


@dataclass(frozen=True, eq=False)
class Assignment:
    """For every anchor the number of its truth, `NOTHING` or `LEFT_OUT`, and how much of the truth's score it gets."""

    truth: Int[Tensor, " anchors"]
    share: Float[Tensor, " anchors"]


@dataclass(frozen=True, eq=False)
class Targets:
    """What a batch of anchors has to say: whether anything, which box, which score of each class, or no matter what.
    `counts` leaves out those, and classes of which nobody knows whether the anchor's truth is of them."""

    is_found: Bool[Tensor, "batch anchors"]
    boxes: Float[Tensor, "batch anchors 4"]
    scores: Float[Tensor, "batch anchors classes"]
    is_left_out: Bool[Tensor, "batch anchors"]
    counts: Bool[Tensor, "batch anchors classes"]


def there(truths: Truths) -> Float[Tensor, "known values"]:
    """The rows that are truths."""
    return truths[truths[:, 4] >= 0]


@torch.no_grad()
def by_overlap(
    anchors: Float[Tensor, "anchors 4"], truths: Truths, least: float = 0.5, most: float = 0.4
) -> Assignment:
    """Each anchor to the truth that it overlaps best, by `least` of IoU or more; below `most` to nothing; between the
    two it is left out. The best anchor of each truth is its own, however poor (RetinaNet, Lin et al. 2017)."""
    if not len(truths):
        return _nothing(anchors)
    table = overlaps(anchors, truths[:, :4])
    best, truth = table.max(1)
    truth = torch.where(best >= least, truth, torch.where(best < most, NOTHING, LEFT_OUT))
    truth[table.argmax(0)] = torch.arange(len(truths), device=truth.device)
    return Assignment(truth, (truth >= 0).to(anchors.dtype))


@torch.no_grad()
def by_shape(
    anchors: Float[Tensor, "anchors 4"], centers: Centers, truths: Truths, most_ratio: float = 4.0
) -> Assignment:
    """Truths to the anchors of like shape in the cell of their centre and the two cells next nearest to it (YOLOv5).

    Args:
        anchors: centre x, centre y, width, height in pixels.
        most_ratio: neither side is longer or shorter than the anchor's by this factor. Of several truths an anchor
            takes the one most like it.
    """
    if not len(truths):
        return _nothing(anchors)
    size, middle = truths[:, 2:4] - truths[:, :2], (truths[:, :2] + truths[:, 2:4]) / 2
    ratio = size[None] / anchors[:, None, 2:]
    unlike = torch.maximum(ratio, 1 / ratio.clamp(min=1e-6)).amax(2)
    away = (centers[:, None, :2] - middle[None]).abs() / centers[:, None, 2:]
    fits = (unlike < most_ratio) & (away.amin(2) <= 0.5) & (away.amax(2) < 1)
    nearest, truth = unlike.masked_fill(~fits, torch.inf).min(1)
    truth = torch.where(nearest.isfinite(), truth, NOTHING)
    return Assignment(truth, (truth >= 0).to(anchors.dtype))


@torch.no_grad()
def task_aligned(
    scores: Float[Tensor, "anchors classes"],
    boxes: Float[Tensor, "anchors 4"],
    centers: Centers,
    truths: Truths,
    candidates: int = 10,
) -> Assignment:
    """To each truth the anchors inside it that now find it best: by score^0.5 IoU^6 (TOOD, Feng et al. 2021).

    An anchor that several truths want goes to the one it overlaps best. Its share is its own figure by the best of its
    truth, times the best IoU of its truth.
    """
    if not len(truths):
        return _nothing(boxes)
    table = overlaps(boxes, truths[:, :4])
    inside = _inside(centers, truths)
    aligned = scores[:, truths[:, 4].long()].sqrt() * table**6 * inside
    threshold = aligned.topk(min(candidates, len(boxes)), dim=0).values[-1]
    wanted = inside & (aligned >= threshold)
    best, truth = table.masked_fill(~wanted, -1.0).max(1)
    truth = torch.where(best >= 0, truth, NOTHING)
    own = torch.nn.functional.one_hot(truth.clamp(min=0), len(truths)) * (truth >= 0)[:, None]
    share = (aligned * own) / (aligned * own).amax(0).clamp(min=1e-30) * (table * own).amax(0)
    return Assignment(truth, share.sum(1))


def _inside(centers: Centers, truths: Truths) -> Bool[Tensor, "anchors truths"]:
    middle = centers[:, None, :2]
    return ((middle > truths[None, :, :2]) & (middle < truths[None, :, 2:4])).all(2)


def _nothing(anchors: Float[Tensor, "anchors 4"]) -> Assignment:
    return Assignment(torch.full_like(anchors[:, 0], NOTHING, dtype=torch.long), torch.zeros_like(anchors[:, 0]))


def targets(assignments: Sequence[Assignment], truths: Sequence[Float[Tensor, "_ values"]], classes: int) -> Targets:
    """What the anchors of a batch have to say, from what each picture's were assigned."""
    pairs = list(zip(assignments, truths, strict=True))
    boxes = [_taken(each, rows[:, :4]) for each, rows in pairs]
    labels = [_taken(each, _labels(rows, classes)) for each, rows in pairs]
    scores = [label.clamp(min=0) * each.share[:, None] for label, each in zip(labels, assignments, strict=True)]
    truth = torch.stack([each.truth for each in assignments])
    is_left_out = truth == LEFT_OUT
    counts = (torch.stack(labels) >= 0) & ~is_left_out[..., None]
    return Targets(truth >= 0, torch.stack(boxes), torch.stack(scores), is_left_out, counts)


def _labels(rows: Float[Tensor, "truths values"], classes: int) -> Float[Tensor, "truths classes"]:
    """Whether each truth is of each class, -1 for unknown."""
    return rows[:, 5:] if rows.shape[1] > 5 else torch.eye(classes, device=rows.device)[rows[:, 4].long()]


def _taken(each: Assignment, rows: Float[Tensor, "truths values"]) -> Float[Tensor, "anchors values"]:
    """The row of each anchor's truth, zeros where it has none."""
    padded = torch.cat([rows, torch.zeros_like(rows[:1]) if len(rows) else rows.new_zeros(1, rows.shape[1])])
    return padded[torch.where(each.truth >= 0, each.truth, len(rows))]


def fit_shapes(
    sizes_px: Float64[np.ndarray, "boxes 2"], scales: int = 3, kinds: int = 3, seed: int = 0
) -> tuple[tuple[tuple[float, float], ...], ...]:
    """Widths and heights of anchors: centres of clusters of the boxes' logarithms, smallest area at the finest scale.

    Raises:
        SettingsRefused: fewer different boxes than anchors.
    """
    count = scales * kinds
    if len(np.unique(sizes_px, axis=0)) < count or sizes_px.min() <= 0:
        raise SettingsRefused(f"{len(sizes_px)} boxes to fit {count} anchors to", f"{count} different ones or more")
    centers, _ = kmeans2(np.log(sizes_px), count, minit="++", rng=np.random.default_rng(seed))
    ordered = sorted(np.exp(centers).tolist(), key=lambda size: size[0] * size[1])
    return tuple(tuple((w, h) for w, h in ordered[first : first + kinds]) for first in range(0, count, kinds))
