"""How well boxes fit, and the losses of boxes. Boxes are (left, top, right, bottom) in pixels.

`losses.distance_iou_loss` is the fourth of them.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from lumbago.learning.losses import distance_iou_loss

Boxes = Float[Tensor, "boxes 4"]
Each = Float[Tensor, " boxes"]

_SMALL = 1e-7


def overlaps(ones: Float[Tensor, "ones 4"], others: Float[Tensor, "others 4"]) -> Float[Tensor, "ones others"]:
    """Intersection over union of every one with every other; 0 where both are empty."""
    first = torch.maximum(ones[:, None, :2], others[None, :, :2])
    last = torch.minimum(ones[:, None, 2:], others[None, :, 2:])
    shared = (last - first).clamp(min=0).prod(2)
    return shared / (_areas(ones)[:, None] + _areas(others)[None] - shared).clamp(min=_SMALL)


def _areas(boxes: Boxes) -> Each:
    return (boxes[:, 2:] - boxes[:, :2]).clamp(min=0).prod(1)


def fit(found: Boxes, wanted: Boxes) -> Each:
    """Intersection over union, pair by pair."""
    first, last = torch.maximum(found[:, :2], wanted[:, :2]), torch.minimum(found[:, 2:], wanted[:, 2:])
    shared = (last - first).clamp(min=0).prod(1)
    return shared / (_areas(found) + _areas(wanted) - shared).clamp(min=_SMALL)


def iou_loss(found: Boxes, wanted: Boxes) -> Each:
    """1 - IoU; it teaches nothing where boxes do not touch."""
    return 1 - fit(found, wanted)


def complete_iou_loss(found: Boxes, wanted: Boxes) -> Each:
    """The distance loss + a v, where v = 4 / pi^2 (difference of atan(width / height))^2 and a = v / (1 - IoU + v) is
    held fixed (CIoU, Zheng et al. 2020): it also pulls boxes to the right proportions."""
    shape = 4 / math.pi**2 * (_angle(found) - _angle(wanted)).square()
    with torch.no_grad():
        weight = shape / (iou_loss(found, wanted) + shape).clamp(min=_SMALL)
    return distance_iou_loss(found, wanted) + weight * shape


def _angle(boxes: Boxes) -> Each:
    width, height = (boxes[:, 2:] - boxes[:, :2]).unbind(1)
    return torch.atan2(width, height.clamp(min=_SMALL))


def distribution_focal_loss(
    logits: Float[Tensor, "sides steps"], wanted: Float[Tensor, " sides"]
) -> Float[Tensor, " sides"]:
    """Cross-entropy with the two whole steps about the wanted one, each weighing as it is near (DFL, Li et al. 2020).

    Args:
        wanted: distance in steps; beyond the last step it is taken for just before it.
    """
    wanted = wanted.clamp(0, logits.shape[1] - 1 - 0.01)
    below = wanted.floor().long()
    known = logits.log_softmax(1)
    near, far = (known.gather(1, step[:, None])[:, 0] for step in (below, below + 1))
    return -(near * (below + 1 - wanted) + far * (wanted - below))
