"""EfficientNet-B0 without its last layers (Tan and Le 2019): squeeze-and-excite, SiLU; 3,595,388 parameters.

Convolutions and norms have the names and shapes of EfficientNet-Lite0's, so that its ImageNet weights can be their
start (`efficientnet_lite.load_imagenet`); the squeeze-and-excite layers then start at random.
"""

from jaxtyping import Float
from torch import Tensor, nn

from lumbago.networks.efficientnet_lite import BLOCKS, InvertedBottleneck, SamePadConv

_BLOCKS = (*BLOCKS, (6, 320, 1, 1, 3))
_ENDS = (4, 10, 15)
WIDTHS = (40, 112, 320)
"""Channels of the features at stride 8, 16, 32."""


class SqueezedBottleneck(InvertedBottleneck):
    """The inverted bottleneck with SiLU, its channels weighted by what the whole picture shows (Hu et al. 2018)."""

    def __init__(self, before: int, after: int, expansion: int, stride: int, kernel: int) -> None:
        super().__init__(before, after, expansion, stride, kernel)
        inner = max(1, before // 4)
        self._se_reduce = nn.Conv2d(before * expansion, inner, 1)
        self._se_expand = nn.Conv2d(inner, before * expansion, 1)

    def forward(self, x: Tensor) -> Tensor:
        silu = nn.functional.silu
        y = silu(self._bn0(self._expand_conv(x))) if self.expands else x
        y = silu(self._bn1(self._depthwise_conv(y)))
        y = y * self._se_expand(silu(self._se_reduce(y.mean((2, 3), keepdim=True)))).sigmoid()
        projected: Tensor = self._bn2(self._project_conv(y))
        return x + projected if self.keeps_shape else projected


class EfficientNetB0(nn.Module):
    """A three-channel picture to features at stride 8, 16, 32."""

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = SamePadConv(3, 32, 3, 2, bias=False)
        self._bn0 = nn.BatchNorm2d(32, eps=1e-3)
        blocks, width = [], 32
        for expansion, after, repeats, stride, kernel in _BLOCKS:
            for repeat in range(repeats):
                blocks.append(SqueezedBottleneck(width, after, expansion, stride if repeat == 0 else 1, kernel))
                width = after
        self._blocks = nn.ModuleList(blocks)

    def forward(self, image: Float[Tensor, "batch 3 rows columns"]) -> list[Tensor]:
        """Features, finest first; sides must divide by 32."""
        x = nn.functional.silu(self._bn0(self._conv_stem(image)))
        features = []
        for index, block in enumerate(self._blocks):
            x = block(x)
            if index in _ENDS:
                features.append(x)
        return features
