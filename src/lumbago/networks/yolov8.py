"""YOLOv8n: the smallest anchor-free detector of its family, written from its published structure.

Depth 1/3, width 1/4: SplitBlocks to stride 32, a path down and one up, and per scale one branch for boxes and one for
classes. A box is four distances from the middle of its cell, each the mean of a distribution over 16 steps of a stride
(Li et al. 2020). For 80 classes it holds the published 3,157,200 parameters, 16 of them the fixed steps.
"""

from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lumbago.networks.csp_blocks import ConvNorm, PyramidPooling, SplitBlock, doubled
from lumbago.networks.detector import RARE, Detections, Detector, Images, Raw
from lumbago.networks.input_size import check_sides

STEPS: Final = 16
"""Steps of a stride that a side of a box can lie from the middle of its cell."""

_STRIDES: Final = (8, 16, 32)
_WIDTHS: Final = (64, 128, 256)


class _Backbone(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        fine, middle, coarse = _WIDTHS
        self.to_fine = nn.Sequential(
            ConvNorm(3, 16, 3, 2), ConvNorm(16, 32, 3, 2), SplitBlock(32, 32, 1),
            ConvNorm(32, fine, 3, 2), SplitBlock(fine, fine, 2),
        )  # fmt: skip
        self.to_middle = nn.Sequential(ConvNorm(fine, middle, 3, 2), SplitBlock(middle, middle, 2))
        self.to_coarse = nn.Sequential(
            ConvNorm(middle, coarse, 3, 2), SplitBlock(coarse, coarse, 1), PyramidPooling(coarse)
        )

    def forward(self, images: Tensor) -> list[Tensor]:
        fine = self.to_fine(images)
        middle = self.to_middle(fine)
        return [fine, middle, self.to_coarse(middle)]


class _Neck(nn.Module):
    """What is coarse is told to what is fine, then back."""

    def __init__(self) -> None:
        super().__init__()
        fine, middle, coarse = _WIDTHS
        self.middle_down = SplitBlock(coarse + middle, middle, 1, shortcut=False)
        self.fine_down = SplitBlock(middle + fine, fine, 1, shortcut=False)
        self.from_fine = ConvNorm(fine, fine, 3, 2)
        self.middle_up = SplitBlock(fine + middle, middle, 1, shortcut=False)
        self.from_middle = ConvNorm(middle, middle, 3, 2)
        self.coarse_up = SplitBlock(middle + coarse, coarse, 1, shortcut=False)

    def forward(self, scales: list[Tensor]) -> list[Tensor]:
        fine, middle, coarse = scales
        middle = self.middle_down(torch.cat([doubled(coarse), middle], dim=1))
        fine = self.fine_down(torch.cat([doubled(middle), fine], dim=1))
        middle = self.middle_up(torch.cat([self.from_fine(fine), middle], dim=1))
        return [fine, middle, self.coarse_up(torch.cat([self.from_middle(middle), coarse], dim=1))]


def _branch(before: int, inner: int, values: int) -> nn.Sequential:
    return nn.Sequential(ConvNorm(before, inner, 3), ConvNorm(inner, inner, 3), nn.Conv2d(inner, values, 1))


class YoloV8(Detector):
    """Pictures in; per scale four distributions of 16 logits (left, top, right, bottom), then class logits.

    Args:
        classes: number of classes.
    """

    def __init__(self, classes: int) -> None:
        super().__init__(classes, _STRIDES, kinds=1)
        self.backbone, self.neck = _Backbone(), _Neck()
        wide = max(_WIDTHS[0], min(classes, 100))
        self.box_branches = nn.ModuleList(_branch(width, 64, 4 * STEPS) for width in _WIDTHS)
        self.class_branches = nn.ModuleList(_branch(width, wide, classes) for width in _WIDTHS)
        self.steps = nn.Parameter(torch.arange(float(STEPS)), requires_grad=False)
        for branch in self.class_branches:
            nn.init.constant_(branch[-1].bias, RARE)  # type: ignore[index]

    def forward(self, images: Images) -> Raw:
        """Raw values per scale.

        Raises:
            SettingsRefused: a side that does not divide by 32.
        """
        check_sides(images, 32, "YOLOv8")
        scales = zip(self.neck(self.backbone(images)), self.box_branches, self.class_branches, strict=True)
        return [torch.cat([boxes(scale), classes(scale)], dim=1) for scale, boxes, classes in scales]

    def boxes(self, raw: Raw) -> Float[Tensor, "batch anchors 4"]:
        """Left, top, right, bottom in pixels."""
        centers = self.centers(raw)
        chances = self.flat(raw)[..., : 4 * STEPS].unflatten(2, (4, STEPS)).softmax(3)  # type: ignore[no-untyped-call]
        away = (chances * self.steps).sum(3) * centers[:, 2:]
        return torch.cat([centers[:, :2] - away[..., :2], centers[:, :2] + away[..., 2:]], dim=2)

    def decode(self, raw: Raw) -> Detections:
        """Box and class scores of every cell."""
        return torch.cat([self.boxes(raw), self.flat(raw)[..., 4 * STEPS :].sigmoid()], dim=2)
