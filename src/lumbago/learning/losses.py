"""Losses that leave out what is unknown."""

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
