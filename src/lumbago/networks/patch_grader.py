"""Grades of one disc from a few patches of neighbouring slices.

The encoder is EfficientNet-Lite0 up to the coarsest stage that feeds the head; slices are pooled by attention (Ilse et
al. 2018). Every condition has a linear head on globally averaged features, so that the class activation map (Zhou et
al. 2016) of each grade comes from the same pass: the logit is the mean of its map plus a bias.
"""

from collections.abc import Sequence
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lumbago.networks.efficientnet_lite import EfficientNetLite0
from lumbago.networks.grader import Cells, Grader, Logits, Maps, Patches

_WIDTH = 96
STAGES: Final = ("stride_2", "stride_4", "stride_8", "stride_16", "stride_32")
"""The encoder's stages by name, finest first."""

USUAL: Final = ("stride_8", "stride_16")
_GRID: Final = 2
"""Number of the stage on whose grid the chosen ones are joined, and on which maps are given: stride 8."""


class PatchGrader(Grader):
    """Patches in; for every condition its logits, and maps of what they rest on.

    Args:
        heads: number of grades of each condition, in the order of the card.
        dropout: share of features dropped in training.
        stages: those of `STAGES` that feed the heads.
        joined: whether a learned layer joins the stages; without, the heads see them side by side as they are, and
            slices count the same until attention has learned otherwise.
    """

    def __init__(
        self, heads: dict[str, int], dropout: float = 0.3, stages: Sequence[str] = USUAL, *, joined: bool = True
    ) -> None:
        super().__init__(heads)
        self.fed = sorted(STAGES.index(name) for name in stages)
        self.encoder = EfficientNetLite0(stages=self.fed[-1] + 1)
        before = sum(self.encoder.widths[stage] for stage in self.fed)
        self.join, width = (_join(before), _WIDTH) if joined else (nn.Identity(), before)
        first, last = nn.Linear(width, 32), nn.Linear(32, 1)
        self.attention = nn.Sequential(first, nn.Tanh(), last)
        self.dropout = nn.Dropout(dropout)
        self.grade = nn.Linear(width, sum(heads.values()))
        if not joined:
            nn.init.zeros_(last.weight)

    def cells(self, patches: Patches) -> Cells:
        """Features of each slice at stride 8."""
        stages = self.encoder(patches.flatten(0, 1))
        fed = torch.cat([_on_grid(stages[stage], stage) for stage in self.fed], dim=1)
        joined: Tensor = self.join(fed).unflatten(0, (-1, patches.shape[1]))
        return joined

    def features(self, patches: Float[Tensor, "batch slices 3 rows columns"]) -> Float[Tensor, "batch width h w"]:
        """Features at stride 8, pooled over slices."""
        joined = self.cells(patches)
        weight = self.attention(joined.mean((3, 4))).softmax(dim=1)
        pooled: Tensor = (joined * weight[..., None, None]).sum(dim=1)
        return pooled

    def forward(self, patches: Float[Tensor, "batch slices 3 rows columns"]) -> Float[Tensor, "batch logits"]:
        """Logits of all conditions side by side."""
        pooled = self.features(patches).mean((2, 3))
        logits: Tensor = self.grade(self.dropout(pooled))
        return logits

    def logits_and_maps(self, patches: Patches) -> tuple[Logits, Maps]:
        """The logits, and the class activation map of each."""
        maps = torch.einsum("bchw,kc->bkhw", self.features(patches), self.grade.weight)
        return maps.mean((2, 3)) + self.grade.bias, maps


def _join(before: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(before, _WIDTH, 1, bias=False), nn.BatchNorm2d(_WIDTH), nn.ReLU6())


def _on_grid(features: Tensor, stage: int) -> Tensor:
    """A stage's features on the grid of stride 8."""
    if stage < _GRID:
        return nn.functional.avg_pool2d(features, 2 ** (_GRID - stage))
    if stage == _GRID:
        return features
    scale = 2.0 ** (stage - _GRID)
    return nn.functional.interpolate(features, scale_factor=scale, mode="bilinear", align_corners=False)


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
