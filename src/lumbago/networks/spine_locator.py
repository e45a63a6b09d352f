"""Where the spine is on one slice: masks of its parts and heat maps of its points.

A U-Net (Ronneberger et al. 2015) whose encoder is EfficientNet-Lite0; the decoder's convolutions are depthwise
separable so that a slice takes tens of milliseconds on one CPU core.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lumbago.networks.efficientnet_lite import EfficientNetLite0

_DECODER_WIDTHS = (96, 64, 48, 32)


class SeparableConv(nn.Sequential):
    """Depthwise 3x3, pointwise, batch norm, ReLU6."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__(
            nn.Conv2d(before, before, 3, padding=1, groups=before, bias=False),
            nn.Conv2d(before, after, 1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU6(),
        )


class Upward(nn.Module):
    """Doubles the resolution and joins the encoder's features of that resolution."""

    def __init__(self, before: int, beside: int, after: int) -> None:
        super().__init__()
        self.lateral = nn.Conv2d(beside, after, 1)
        self.below = nn.Conv2d(before, after, 1)
        self.mix = nn.Sequential(SeparableConv(2 * after, after), SeparableConv(after, after))

    def forward(self, coarse: Tensor, fine: Tensor) -> Tensor:
        coarse = nn.functional.interpolate(self.below(coarse), scale_factor=2.0, mode="bilinear", align_corners=False)
        mixed: Tensor = self.mix(torch.cat([coarse, self.lateral(fine)], dim=1))
        return mixed


class SpineLocator(nn.Module):
    """Slice in, one logit map per channel out (the channels are listed on the model's card).

    Args:
        channels: number of maps.
        stages: of the encoder, 5, or 4 for a third of the parameters and half of the view.
    """

    def __init__(self, channels: int, stages: int = 5) -> None:
        super().__init__()
        self.encoder = EfficientNetLite0(stages)
        widths = self.encoder.widths[::-1]
        before, steps = widths[0], []
        for beside, after in zip(widths[1:], _DECODER_WIDTHS[1 - stages :], strict=True):
            steps.append(Upward(before, beside, after))
            before = after
        self.decoder = nn.ModuleList(steps)
        self.head = nn.Conv2d(before, channels, 3, padding=1)
        nn.init.constant_(self.head.bias, -3.0) if self.head.bias is not None else None

    def forward(self, image: Float[Tensor, "batch 3 rows columns"]) -> Float[Tensor, "batch channels rows columns"]:
        """Logits at the image's own resolution; rows and columns divide by 32, or by 16
        with four stages."""
        *fine, x = self.encoder(image)
        for step, beside in zip(self.decoder, reversed(fine), strict=True):
            x = step(x, beside)
        logits: Tensor = nn.functional.interpolate(self.head(x), scale_factor=2.0, mode="bilinear", align_corners=False)
        return logits
