"""Losses that leave out what is unknown."""

from collections.abc import Callable, Mapping
from typing import Final

import torch
from jaxtyping import Float, Int
from torch import Tensor

Maps = Float[Tensor, "batch channels rows columns"]


def map_loss(logits: Maps, targets: Maps, known: Maps, gain: float = 8.0) -> Float[Tensor, ""]:
    """Cross-entropy with soft targets plus Dice, over the pixels that are known; each channel counts the same.

    Targets are rare, so pixels near one (target above 0.3) weigh `gain` times. Dice: Milletari et al. 2016.
    """
    weight = known * (1 + (gain - 1) * (targets > 0.3))
    entropy = torch.nn.functional.binary_cross_entropy_with_logits(logits, targets, weight, reduction="none")
    per_channel = entropy.sum((0, 2, 3)) / weight.sum((0, 2, 3)).clamp(min=1)
    found = logits.sigmoid() * known
    overlap = 2 * (found * targets).sum((0, 2, 3)) + 1
    size = found.sum((0, 2, 3)) + (targets * known).sum((0, 2, 3)) + 1
    has_target = ((targets * known).sum((0, 2, 3)) > 20).float()
    return (per_channel + 0.3 * has_target * (1 - overlap / size)).sum() / logits.shape[1]


def ordinal_loss(
    logits: Float[Tensor, "batch grades"], grade: Int[Tensor, " batch"], softness: float
) -> Float[Tensor, " batch"]:
    """Cross-entropy against labels softened towards neighbouring grades (Diaz and Marathe 2019).

    The target of grade k is a softmax of -|k - grade| / softness; 0.3 leaves about 7 % for the neighbours.
    """
    grades = torch.arange(logits.shape[1], device=logits.device)
    target = torch.softmax(-(grades[None] - grade[:, None]).abs() / softness, dim=1)
    return -(target * logits.log_softmax(1)).sum(1)


Logits = Float[Tensor, "batch grades"]
Grade = Int[Tensor, " batch"]
Each = Float[Tensor, " batch"]

_SOFTNESS, _MARGIN, _FOCUS = 0.35, 0.5, 2.0


def _distance(logits: Logits, grade: Grade, is_ordinal: bool) -> Float[Tensor, "batch grades"]:
    """How far each grade is from the true one: in grades where they have an order, else 1 for every other."""
    grades = torch.arange(logits.shape[1], device=logits.device)
    distance = (grades[None] - grade[:, None]).abs().to(logits.dtype)
    return distance if is_ordinal else distance.clamp(max=1)


def softened(logits: Logits, grade: Grade, is_ordinal: bool) -> Each:
    """`ordinal_loss` where grades have an order, else `plain`."""
    return ordinal_loss(logits, grade, _SOFTNESS) if is_ordinal else plain(logits, grade, is_ordinal)


def plain(logits: Logits, grade: Grade, is_ordinal: bool) -> Each:
    """Cross-entropy."""
    return torch.nn.functional.cross_entropy(logits, grade, reduction="none")


def margin(logits: Logits, grade: Grade, is_ordinal: bool) -> Each:
    """Cross-entropy that asks of the true grade a lead over each other one that grows with its distance
    (softmax-margin, Gimpel and Smith 2010)."""
    return plain(logits + _MARGIN * _distance(logits, grade, is_ordinal), grade, is_ordinal)


def cumulative(logits: Logits, grade: Grade, is_ordinal: bool) -> Each:
    """Mean cross-entropy of the questions "above grade k?" for every k (Frank and Hall 2001), answered by sums of the
    softmax, so that no answer contradicts another; `plain` where grades have no order."""
    if not is_ordinal:
        return plain(logits, grade, is_ordinal)
    known = logits.log_softmax(1)
    above = torch.stack([known[:, k:].logsumexp(1) for k in range(1, logits.shape[1])], dim=1)
    up_to = torch.stack([known[:, :k].logsumexp(1) for k in range(1, logits.shape[1])], dim=1)
    is_above = grade[:, None] > torch.arange(logits.shape[1] - 1, device=logits.device)[None]
    return -torch.where(is_above, above, up_to).mean(1)


def focal(logits: Logits, grade: Grade, is_ordinal: bool) -> Each:
    """Cross-entropy that leaves what is already sure alone (Lin et al. 2017, for many classes)."""
    entropy = plain(logits, grade, is_ordinal)
    return (1 - torch.exp(-entropy)) ** _FOCUS * entropy


GradeLoss = Callable[[Logits, Grade, bool], Each]
"""Loss of each sample from its logits, its true grade, and whether the grades have an order."""

GRADE_LOSSES: Final[Mapping[str, GradeLoss]] = {
    "softened": softened,
    "plain": plain,
    "margin": margin,
    "cumulative": cumulative,
    "focal": focal,
}
"""The losses that an experiment can name for its graders."""


def weighted_mean(
    each: Each, grade: Grade, weights: Float[Tensor, " grades"] | None, shares: Float[Tensor, " batch"] | None = None
) -> Float[Tensor, ""]:
    """Mean over samples, each weighing as its true grade does (RSNA 2024 weighs 1, 2, 4); None weighs all the same.

    Args:
        shares: of a mixed picture that has this grade; None where every picture has its own.
    """
    if weights is None and shares is None:
        return each.mean()
    weight = weights[grade] if weights is not None else torch.ones_like(each)
    if shares is not None:
        weight = weight * shares
    return (each * weight).sum() / weight.sum().clamp(min=1e-6)


def detection_focal_loss(
    logits: Float[Tensor, "..."], targets: Float[Tensor, "..."], balance: float = 0.25, focus: float = 2.0
) -> Float[Tensor, "..."]:
    """Focal loss of yes-or-no answers, element by element (Lin et al. 2017): for detectors, where nearly all is no.

    Args:
        targets: 0 or 1, or between for a soft answer.
        balance: weight of yes, against 1 - balance of no.
    """
    entropy = torch.nn.functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    chance = logits.sigmoid()
    wrong = chance * (1 - targets) + (1 - chance) * targets
    return (balance * targets + (1 - balance) * (1 - targets)) * wrong**focus * entropy


Boxes = Float[Tensor, "boxes 4"]
"""First row, first column, last row, last column, in pixels."""


def distance_iou_loss(found: Boxes, wanted: Boxes) -> Float[Tensor, " boxes"]:
    """1 - IoU + the squared distance of the centres over that of the joint box's corners (DIoU, Zheng et al. 2020):
    unlike IoU it pulls boxes together that do not touch."""
    overlap = _area(torch.maximum(found[:, :2], wanted[:, :2]), torch.minimum(found[:, 2:], wanted[:, 2:]))
    union = _area(found[:, :2], found[:, 2:]) + _area(wanted[:, :2], wanted[:, 2:]) - overlap
    first, last = torch.minimum(found[:, :2], wanted[:, :2]), torch.maximum(found[:, 2:], wanted[:, 2:])
    diagonal = (last - first).square().sum(1)
    apart = ((found[:, :2] + found[:, 2:] - wanted[:, :2] - wanted[:, 2:]) / 2).square().sum(1)
    return 1 - overlap / union.clamp(min=1e-6) + apart / diagonal.clamp(min=1e-6)


def _area(first: Float[Tensor, "boxes 2"], last: Float[Tensor, "boxes 2"]) -> Float[Tensor, " boxes"]:
    return (last - first).clamp(min=0).prod(1)
