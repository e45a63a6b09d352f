"""Blocks of the YOLO family: cross-stage partial blocks (Wang et al. 2020), spatial pyramid pooling (He et al. 2015).

Written from the papers and from published widths and depths; parameter counts are tested against the published ones.
"""

import torch
from torch import Tensor, nn


class ConvNorm(nn.Sequential):
    """Convolution, batch norm, SiLU."""

    def __init__(self, before: int, after: int, kernel: int = 1, stride: int = 1, padding: int | None = None) -> None:
        super().__init__(
            nn.Conv2d(before, after, kernel, stride, kernel // 2 if padding is None else padding, bias=False),
            nn.BatchNorm2d(after, eps=1e-3, momentum=0.03),
            nn.SiLU(),
        )


class Bottleneck(nn.Module):
    """Two convolutions, the second of 3 x 3, with a shortcut if wished."""

    def __init__(self, width: int, first_kernel: int, shortcut: bool) -> None:
        super().__init__()
        self.filters = nn.Sequential(ConvNorm(width, width, first_kernel), ConvNorm(width, width, 3))
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        filtered: Tensor = self.filters(x)
        return x + filtered if self.shortcut else filtered


class SplitBlock(nn.Module):
    """YOLOv8's block: half the features pass a chain of bottlenecks, and all links of the chain are joined."""

    def __init__(self, before: int, after: int, depth: int, shortcut: bool = True) -> None:
        super().__init__()
        half = after // 2
        self.split = ConvNorm(before, 2 * half)
        self.chain = nn.ModuleList(Bottleneck(half, 3, shortcut) for _ in range(depth))
        self.join = ConvNorm((2 + depth) * half, after)

    def forward(self, x: Tensor) -> Tensor:
        links = list(self.split(x).chunk(2, 1))
        for bottleneck in self.chain:
            links.append(bottleneck(links[-1]))
        joined: Tensor = self.join(torch.cat(links, dim=1))
        return joined


class ChannelAttention(nn.Module):
    """Features of a 3 x 3 convolution, their channels weighted by two dense layers (Hu et al. 2018)."""

    def __init__(self, width: int, reduction: int = 16) -> None:
        super().__init__()
        self.filters = ConvNorm(width, width, 3)
        inner = max(width // reduction, 4)
        self.weigh = nn.Sequential(nn.Linear(width, inner), nn.ReLU(), nn.Linear(inner, width), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = self.filters(x)
        weight: Tensor = self.weigh(features.mean((2, 3)))
        return features * weight[..., None, None]


class CspBlock(nn.Module):
    """YOLOv5's block: one half of the features passes bottlenecks, the other goes by; with attention, the first half's
    features weighted by channel are joined as a third part."""

    def __init__(self, before: int, after: int, depth: int, shortcut: bool, with_attention: bool) -> None:
        super().__init__()
        half = after // 2
        self.through, self.beside = ConvNorm(before, half), ConvNorm(before, half)
        self.chain = nn.Sequential(*(Bottleneck(half, 1, shortcut) for _ in range(depth)))
        self.attention = ChannelAttention(half) if with_attention else None
        self.join = ConvNorm((3 if with_attention else 2) * half, after)

    def forward(self, x: Tensor) -> Tensor:
        own = self.chain(self.through(x))
        parts = [own, self.beside(x)] + ([self.attention(own)] if self.attention is not None else [])
        joined: Tensor = self.join(torch.cat(parts, dim=1))
        return joined


class PyramidPooling(nn.Module):
    """Three maximum filters of 5 x 5 in a chain, all joined; with a residual, the block's input is added."""

    def __init__(self, width: int, with_residual: bool = False) -> None:
        super().__init__()
        self.squeeze = ConvNorm(width, width // 2)
        self.pool = nn.MaxPool2d(5, 1, 2)
        self.join = ConvNorm(2 * width, width)
        self.with_residual = with_residual

    def forward(self, x: Tensor) -> Tensor:
        links = [self.squeeze(x)]
        for _ in range(3):
            links.append(self.pool(links[-1]))
        joined: Tensor = self.join(torch.cat(links, dim=1))
        return x + joined if self.with_residual else joined


def doubled(x: Tensor) -> Tensor:
    """Each pixel four times."""
    return nn.functional.interpolate(x, scale_factor=2.0, mode="nearest")
