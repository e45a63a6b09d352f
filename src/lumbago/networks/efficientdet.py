"""EfficientDet-D0 (Tan, Pang and Le 2020): EfficientNet-B0, three BiFPN cells of 64 features, two heads.

For the 90 classes of the paper it holds 3,880,067 parameters (published: 3.9 million). Five scales at stride 8 to 128,
nine anchors a cell: three sizes, three shapes.
"""

from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lumbago.networks.csp_blocks import doubled
from lumbago.networks.deepscorenet import halved
from lumbago.networks.detector import RARE, AnchorDetector, Detections, Images, Raw, corners
from lumbago.networks.efficientnet_b0 import WIDTHS, EfficientNetB0
from lumbago.networks.input_size import check_sides

_STRIDES: Final = (8, 16, 32, 64, 128)
_WIDTH, _CELLS, _LAYERS = 64, 3, 3
_SIZES: Final = (1.0, 2 ** (1 / 3), 2 ** (2 / 3))
_ASPECTS: Final = ((1.0, 1.0), (1.4, 0.7), (0.7, 1.4))
_LARGEST: Final = 4.0
"""Logarithm of the largest ratio between a box's side and its anchor's."""


def _norm() -> nn.BatchNorm2d:
    return nn.BatchNorm2d(_WIDTH, eps=1e-3)


class _Separable(nn.Sequential):
    """Each channel by itself, then all at each pixel."""

    def __init__(self, after: int) -> None:
        super().__init__(
            nn.Conv2d(_WIDTH, _WIDTH, 3, padding=1, groups=_WIDTH, bias=False), nn.Conv2d(_WIDTH, after, 1)
        )


class _Fusion(nn.Module):
    """Weighted mean of features of one size ("fast normalised"), SiLU, a separable convolution."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(inputs))
        self.filters = nn.Sequential(nn.SiLU(), _Separable(_WIDTH), _norm())

    def forward(self, *features: Tensor) -> Tensor:
        weight = self.weight.relu()
        mean = sum(part * feature for part, feature in zip(weight, features, strict=True)) / (weight.sum() + 1e-4)
        fused: Tensor = self.filters(mean)
        return fused


class _Cell(nn.Module):
    """Coarse to fine, then fine to coarse, each scale looking at its own input again on the way back."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList(_Fusion(2) for _ in range(4))
        self.up = nn.ModuleList([_Fusion(3), _Fusion(3), _Fusion(3), _Fusion(2)])

    def forward(self, scales: list[Tensor], again: list[Tensor]) -> list[Tensor]:
        """Args: scales: inputs of the way down, finest first; again: those of the way back, without the finest."""
        passed = [scales[-1]]
        for fusion, scale in zip(self.down, scales[-2::-1], strict=True):
            passed.insert(0, fusion(scale, doubled(passed[0])))
        found = passed[:1]
        for fusion, own, middle in zip(self.up, again[:-1], passed[1:-1], strict=False):
            found.append(fusion(own, middle, halved(found[-1])))
        return [*found, self.up[-1](again[-1], halved(found[-1]))]


class _Neck(nn.Module):
    """Five scales of 64 features from the backbone's three, then the cells."""

    def __init__(self) -> None:
        super().__init__()
        fine, middle, coarse = WIDTHS
        self.lateral = nn.ModuleList(_lateral(width) for width in (fine, middle, coarse, coarse))
        self.again = nn.ModuleList(_lateral(width) for width in (middle, coarse))
        self.cells = nn.ModuleList(_Cell() for _ in range(_CELLS))

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        *scales, beyond = [
            lateral(feature) for lateral, feature in zip(self.lateral, [*features, features[-1]], strict=True)
        ]
        coarser = halved(beyond)
        scales += [coarser, halved(coarser)]
        again = [lateral(feature) for lateral, feature in zip(self.again, features[1:], strict=True)] + scales[3:]
        for cell in self.cells:
            scales = cell(scales, again)
            again = scales[1:]
        return scales


def _lateral(width: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(width, _WIDTH, 1), _norm())


class _Head(nn.Module):
    """Three separable convolutions that all scales share, with norms of each scale's own, and a last one."""

    def __init__(self, values: int) -> None:
        super().__init__()
        self.filters = nn.ModuleList(_Separable(_WIDTH) for _ in range(_LAYERS))
        self.norms = nn.ModuleList(_norm() for _ in range(_LAYERS * len(_STRIDES)))
        self.last = _Separable(values)

    def forward(self, scales: list[Tensor]) -> list[Tensor]:
        found = []
        for number, scale in enumerate(scales):
            x = scale
            for filters, norm in zip(self.filters, self.norms[number * _LAYERS :], strict=False):
                x = nn.functional.silu(norm(filters(x)))
            found.append(self.last(x))
        return found


class EfficientDet(AnchorDetector):
    """Pictures in; per scale and kind of anchor four values of the box, then class logits.

    Args:
        classes: number of classes.
        anchor_strides: side of the smallest square anchor in strides of its scale.
    """

    def __init__(self, classes: int, anchor_strides: float = 4.0) -> None:
        kinds = [(size * wide, size * high) for size in _SIZES for wide, high in _ASPECTS]
        steps = anchor_strides * torch.tensor(_STRIDES, dtype=torch.float32)
        super().__init__(classes, _STRIDES, steps[:, None, None] * torch.tensor(kinds))
        self.backbone, self.neck = EfficientNetB0(), _Neck()
        self.box_head, self.class_head = _Head(4 * self.kinds), _Head(classes * self.kinds)
        nn.init.constant_(self.class_head.last[-1].bias, RARE)  # type: ignore[arg-type]

    def forward(self, images: Images) -> Raw:
        """Raw values per scale.

        Raises:
            SettingsRefused: a side that does not divide by 128.
        """
        check_sides(images, _STRIDES[-1], "EfficientDet")
        scales = self.neck(self.backbone(images))
        return [self._joined(*pair) for pair in zip(self.box_head(scales), self.class_head(scales), strict=True)]

    def _joined(self, boxes: Tensor, classes: Tensor) -> Tensor:
        """Box and class values of each anchor side by side."""
        batch, _, rows, columns = boxes.shape
        parts = [values.reshape(batch, self.kinds, -1, rows, columns) for values in (boxes, classes)]
        return torch.cat(parts, dim=2).flatten(1, 2)

    def boxes(self, raw: Raw) -> Float[Tensor, "batch anchors 4"]:
        """Left, top, right, bottom in pixels: shifts in sides of the anchor, sizes as logarithms of ratios to it."""
        anchors, values = self.anchors(raw), self.flat(raw)[..., :4]
        middle = anchors[:, :2] + values[..., :2] * anchors[:, 2:]
        size = values[..., 2:].clamp(max=_LARGEST).exp() * anchors[:, 2:]
        return corners(torch.cat([middle, size], dim=2))

    def decode(self, raw: Raw) -> Detections:
        """Box and class scores of every anchor."""
        return torch.cat([self.boxes(raw), self.flat(raw)[..., 4:].sigmoid()], dim=2)
