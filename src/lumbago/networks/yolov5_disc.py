"""YOLOv5s with channel attention in its cross-stage blocks and a residual in its pyramid pooling: the one-stage
detector of Pfirrmann grades, herniations and high-intensity zones.

Plain YOLOv5s (depth 1/3, width 1/2) holds the published 7,235,389 parameters for 80 classes; `with_units=False` gives
it. The two units make it 9,346,273: each cross-stage block passes its inner features through a 3 x 3 convolution,
averages them (which the document leaves unsaid), weighs the channels by two dense layers, and joins the weighted
features with its own; the pyramid pooling adds its input. The document calls its neck a feature pyramid; ours is
YOLOv5s's own, down and up.
"""

from typing import Final

import torch
from torch import Tensor, nn

from lumbago.networks.csp_blocks import ConvNorm, CspBlock, PyramidPooling, doubled
from lumbago.networks.detector import RARE, AnchorDetector, Detections, Images, Raw, corners
from lumbago.networks.input_size import check_sides

_STRIDES: Final = (8, 16, 32)
_WIDTHS: Final = (128, 256, 512)
Shapes = tuple[tuple[tuple[float, float], ...], ...]

PHOTOGRAPH_SHAPES: Final[Shapes] = (
    ((10, 13), (16, 30), (33, 23)),
    ((30, 61), (62, 45), (59, 119)),
    ((116, 90), (156, 198), (373, 326)),
)
"""Width and height in pixels of the published anchors, fitted to photographs of 640 pixels."""


class _Backbone(nn.Module):
    def __init__(self, with_units: bool) -> None:
        super().__init__()
        fine, middle, coarse = _WIDTHS
        self.to_fine = nn.Sequential(
            ConvNorm(3, 32, 6, 2, 2), ConvNorm(32, 64, 3, 2), CspBlock(64, 64, 1, True, with_units),
            ConvNorm(64, fine, 3, 2), CspBlock(fine, fine, 2, True, with_units),
        )  # fmt: skip
        self.to_middle = nn.Sequential(ConvNorm(fine, middle, 3, 2), CspBlock(middle, middle, 3, True, with_units))
        self.to_coarse = nn.Sequential(
            ConvNorm(middle, coarse, 3, 2), CspBlock(coarse, coarse, 1, True, with_units),
            PyramidPooling(coarse, with_units),
        )  # fmt: skip

    def forward(self, images: Tensor) -> list[Tensor]:
        fine = self.to_fine(images)
        middle = self.to_middle(fine)
        return [fine, middle, self.to_coarse(middle)]


class _Neck(nn.Module):
    """What is coarse is told to what is fine, then back."""

    def __init__(self, with_units: bool) -> None:
        super().__init__()
        fine, middle, coarse = _WIDTHS
        self.squeeze_coarse, self.squeeze_middle = ConvNorm(coarse, middle), ConvNorm(middle, fine)
        self.middle_down = CspBlock(2 * middle, middle, 1, False, with_units)
        self.fine_down = CspBlock(2 * fine, fine, 1, False, with_units)
        self.from_fine, self.from_middle = ConvNorm(fine, fine, 3, 2), ConvNorm(middle, middle, 3, 2)
        self.middle_up = CspBlock(2 * fine, middle, 1, False, with_units)
        self.coarse_up = CspBlock(2 * middle, coarse, 1, False, with_units)

    def forward(self, scales: list[Tensor]) -> list[Tensor]:
        fine, middle, coarse = scales
        from_coarse = self.squeeze_coarse(coarse)
        from_middle = self.squeeze_middle(self.middle_down(torch.cat([doubled(from_coarse), middle], dim=1)))
        fine = self.fine_down(torch.cat([doubled(from_middle), fine], dim=1))
        middle = self.middle_up(torch.cat([self.from_fine(fine), from_middle], dim=1))
        return [fine, middle, self.coarse_up(torch.cat([self.from_middle(middle), from_coarse], dim=1))]


class YoloV5(AnchorDetector):
    """Pictures in; per scale and kind of anchor four values of the box, a logit of anything at all, and class logits.

    Args:
        classes: number of classes.
        shapes: width and height in pixels of each scale's anchors; `learning.assign_boxes.fit_shapes` finds them.
        with_units: the two units of the document; without them it is plain YOLOv5s.
    """

    def __init__(self, classes: int, shapes: Shapes = PHOTOGRAPH_SHAPES, with_units: bool = True) -> None:
        super().__init__(classes, _STRIDES, torch.tensor(shapes, dtype=torch.float32))
        self.backbone, self.neck = _Backbone(with_units), _Neck(with_units)
        self.branches = nn.ModuleList(nn.Conv2d(width, self.kinds * (5 + classes), 1) for width in _WIDTHS)
        for branch in self.branches:
            bias = branch.bias.detach().view(self.kinds, -1)  # type: ignore[operator]
            bias[:, 4] = RARE

    def forward(self, images: Images) -> Raw:
        """Raw values per scale.

        Raises:
            SettingsRefused: a side that does not divide by 32.
        """
        check_sides(images, 32, "YOLOv5")
        scales = self.neck(self.backbone(images))
        return [branch(scale) for branch, scale in zip(self.branches, scales, strict=True)]

    def boxes(self, raw: Raw) -> Tensor:
        """(batch, anchors, 4): left, top, right, bottom in pixels. A centre reaches half a cell beyond its own, a side
        four times its anchor's."""
        anchors, stride = self.anchors(raw), self.centers(raw)[:, 2:]
        values = 2 * self.flat(raw)[..., :4].sigmoid()
        middle = anchors[:, :2] + (values[..., :2] - 1) * stride
        return corners(torch.cat([middle, values[..., 2:].square() * anchors[:, 2:]], dim=2))

    def decode(self, raw: Raw) -> Detections:
        """Box of every anchor, and the chance of anything times that of each class."""
        chances = self.flat(raw)[..., 4:].sigmoid()
        return torch.cat([self.boxes(raw), chances[..., :1] * chances[..., 1:]], dim=2)
