"""U-Net (Ronneberger et al. 2015): which tissue each pixel is, from which an analysis measures and grades.

The paper's four halvings and joined levels, padded so that the picture keeps its size, with a batch norm after each
convolution. At the paper's width of 64 the network for one grey channel and two classes holds 31,036,546 parameters.
The default is a quarter of that width, 1,942,628 for three views and four classes: on one processor a step takes
a third of the time of half the width. `TISSUES` are the classes of a spine.
"""

from itertools import pairwise
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lumbago.networks.input_size import check_sides

TISSUES: Final = ("background", "vertebra", "disc", "canal")
_HALVINGS: Final = 4


class _Pair(nn.Sequential):
    """Two convolutions of 3 x 3, each with batch norm and ReLU."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__(
            nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU(),
            nn.Conv2d(after, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU(),
        )  # fmt: skip


class UNet(nn.Module):
    """Pictures in, logits of every class at every pixel out.

    Args:
        classes: number of classes, the background among them.
        width: features at full size; they double at each of four halvings.
    """

    def __init__(self, classes: int = len(TISSUES), width: int = 16) -> None:
        super().__init__()
        widths = [width * 2**step for step in range(_HALVINGS + 1)]
        steps = list(pairwise(widths))
        self.first = _Pair(3, width)
        self.down = nn.ModuleList(nn.Sequential(nn.MaxPool2d(2), _Pair(fine, coarse)) for fine, coarse in steps)
        self.up = nn.ModuleList(nn.ConvTranspose2d(coarse, fine, 2, 2) for fine, coarse in reversed(steps))
        self.join = nn.ModuleList(_Pair(2 * fine, fine) for fine, _ in reversed(steps))
        self.head = nn.Conv2d(width, classes, 1)
        nn.init.constant_(self.head.bias, -3.0) if self.head.bias is not None else None

    def forward(self, image: Float[Tensor, "batch 3 rows columns"]) -> Float[Tensor, "batch classes rows columns"]:
        """Logits at the picture's own resolution.

        Raises:
            SettingsRefused: a side that does not divide by 16.
        """
        check_sides(image, 2**_HALVINGS, "U-Net")
        fine = [self.first(image)]
        for step in self.down:
            fine.append(step(fine[-1]))
        x = fine.pop()
        for up, join in zip(self.up, self.join, strict=True):
            x = join(torch.cat([fine.pop(), up(x)], dim=1))
        logits: Tensor = self.head(x)
        return logits
