"""Grades of one disc from a few patches of neighbouring slices.

The encoder is EfficientNet-Lite0 without its last stage; slices are pooled by attention (Ilse et al. 2018). Every
condition has a linear head on globally averaged features, so that the class activation map (Zhou et al. 2016) of each
grade comes from the same pass: the logit is the mean of its map plus a bias.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lumbago.networks.efficientnet_lite import EfficientNetLite0

_WIDTH = 96


class PatchGrader(nn.Module):
    """Patches in; for every condition its logits, and maps of what they rest on.

    Args:
        heads: number of grades of each condition, in the order of the card.
        dropout: share of features dropped in training.
    """

    def __init__(self, heads: dict[str, int], dropout: float = 0.3) -> None:
        super().__init__()
        self.heads = heads
        self.encoder = EfficientNetLite0(stages=4)
        fine, coarse = self.encoder.widths[2], self.encoder.widths[3]
        self.join = nn.Sequential(nn.Conv2d(fine + coarse, _WIDTH, 1, bias=False), nn.BatchNorm2d(_WIDTH), nn.ReLU6())
        self.attention = nn.Sequential(nn.Linear(_WIDTH, 32), nn.Tanh(), nn.Linear(32, 1))
        self.dropout = nn.Dropout(dropout)
        self.grade = nn.Linear(_WIDTH, sum(heads.values()))

    def features(self, patches: Float[Tensor, "batch slices 3 rows columns"]) -> Float[Tensor, "batch width h w"]:
        """Features at stride 8, pooled over slices."""
        stages = self.encoder(patches.flatten(0, 1))
        coarse = nn.functional.interpolate(stages[3], scale_factor=2.0, mode="bilinear", align_corners=False)
        joined = self.join(torch.cat([stages[2], coarse], dim=1)).unflatten(0, (-1, patches.shape[1]))
        weight = self.attention(joined.mean((3, 4))).softmax(dim=1)
        pooled: Tensor = (joined * weight[..., None, None]).sum(dim=1)
        return pooled

    def forward(self, patches: Float[Tensor, "batch slices 3 rows columns"]) -> Float[Tensor, "batch logits"]:
        """Logits of all conditions side by side."""
        pooled = self.features(patches).mean((2, 3))
        logits: Tensor = self.grade(self.dropout(pooled))
        return logits

    def split(self, logits: Float[Tensor, "batch logits"]) -> dict[str, Tensor]:
        """The logits of each condition."""
        parts = torch.split(logits, list(self.heads.values()), dim=1)
        return dict(zip(self.heads, parts, strict=True))


class PatchGraderForExport(nn.Module):
    """What is exported: one logit output per condition and the activation maps of all grades, averaged over graders."""

    def __init__(self, graders: Sequence[PatchGrader]) -> None:
        super().__init__()
        self.graders = list(graders)
        self.members = nn.ModuleList(graders)

    def forward(self, patches: Float[Tensor, "batch slices 3 rows columns"]) -> tuple[Tensor, ...]:
        """Logits of each condition in order, then maps of shape (batch, logits, h, w)."""
        maps = [torch.einsum("bchw,kc->bkhw", one.features(patches), one.grade.weight) for one in self.graders]
        mean_maps = torch.stack(maps).mean(0)
        logits = mean_maps.mean((2, 3)) + torch.stack([one.grade.bias for one in self.graders]).mean(0)
        return (*torch.split(logits, list(self.graders[0].heads.values()), dim=1), mean_maps)
