"""A network like SpineNet's grader (Jamaludin et al. 2017; Windsor et al. 2022): a 3D ResNet34 over the volume of a
disc.

Every grading has its head. The published one has eleven (Pfirrmann, narrowing, canal stenosis, slip, two of
endplates, two of marrow, two of foramina, herniation); here the heads follow the condition rows that are asked for.
Slices are its depth. Lumbar slices lie some 4 mm apart and their pixels 0.5 mm, so the network halves rows and
columns only. A volume of one slice is allowed: zeros stand where its neighbours would be, so only the middle planes of
the kernels count, and the others are left out of the sums (the same numbers in 0.4 of the time).

It holds 63,513,536 parameters and 513 a grade at the full width of 64.
"""

from collections.abc import Mapping

from torch import Tensor, nn

from lumbago.networks.grader import Cells, LinearGrader, Patches
from lumbago.networks.input_size import check_sides

_BLOCKS = (3, 4, 6, 3)


class _Conv(nn.Conv3d):
    """A 3D convolution that keeps the depth; of one slice it sums the middle plane of its kernels alone."""

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[2] > 1:
            return super().forward(x)
        middle = self.weight[:, :, self.kernel_size[0] // 2]
        flat = nn.functional.conv2d(x.squeeze(2), middle, self.bias, self.stride[1:], self.padding[1:])
        return flat.unsqueeze(2)


class _Block(nn.Module):
    """Two 3 x 3 x 3 convolutions, plus a shortcut."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.filters = nn.Sequential(
            _Conv(before, after, 3, (1, stride, stride), 1, bias=False), nn.BatchNorm3d(after), nn.ReLU(),
            _Conv(after, after, 3, 1, 1, bias=False), nn.BatchNorm3d(after),
        )  # fmt: skip
        self.shortcut: nn.Module = nn.Identity()
        if before != after:
            projection = _Conv(before, after, 1, (1, stride, stride), bias=False)
            self.shortcut = nn.Sequential(projection, nn.BatchNorm3d(after))

    def forward(self, x: Tensor) -> Tensor:
        both: Tensor = self.filters(x) + self.shortcut(x)
        return both.relu()


class SpineNet(LinearGrader):
    """The slices of a disc in, logits out.

    Args:
        heads: number of grades of each condition.
        width: features of the first stage; each of the three others has twice those of the one before.
        dropout: share of features dropped in training.
    """

    def __init__(self, heads: Mapping[str, int], width: int = 64, dropout: float = 0.3) -> None:
        super().__init__(heads, width * 8, dropout)
        self.stem = nn.Sequential(
            _Conv(3, width, 7, (1, 2, 2), 3, bias=False),
            nn.BatchNorm3d(width),
            nn.ReLU(),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)),
        )
        blocks, before = [], width
        for stage, count in enumerate(_BLOCKS):
            after = width * 2**stage
            for number in range(count):
                blocks.append(_Block(before, after, 2 if stage and number == 0 else 1))
                before = after
        self.blocks = nn.Sequential(*blocks)

    def cells(self, patches: Patches) -> Cells:
        """Features of each slice, in the light of the others, at stride 32.

        Raises:
            SettingsRefused: a side that does not divide by 32.
        """
        check_sides(patches, 32, "SpineNet")
        features: Tensor = self.blocks(self.stem(patches.transpose(1, 2)))
        return features.transpose(1, 2)
