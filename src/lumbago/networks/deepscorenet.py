"""DeepScoreNet: three residual stages and three dense layers over a 32 x 32 crop, as published with YOLOv8
detections.

For three grades it holds 2,787,651 values as Keras counts them: 2,784,259 parameters and the running means and
variances of eleven batch norms. The paper trains one network a condition: that is `DeepScoreNet({condition: 3})`.
Several conditions share all but the last dense layer. Its crops hold grey values of 0 to 255, copied to three
channels; as a batch norm follows the first convolution, any other scale serves as well.
"""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lumbago.networks.grader import Cells, Logits, Patches, Pooled, PooledGrader
from lumbago.networks.input_size import check_sides

_STEM = 32
_STAGES = ((64, 2), (128, 4), (256, 4))
"""Width and number of convolutions."""


def halved(x: Float[Tensor, "batch width rows columns"]) -> Float[Tensor, "batch width h w"]:
    """Maximum over 3 x 3 at stride 2 with TensorFlow's "same" padding: an even side is padded on its far end only."""
    return nn.functional.max_pool2d(nn.functional.pad(x, (0, 1, 0, 1), value=float("-inf")), 3, 2)


class _Stage(nn.Module):
    """ReLU, convolution, batch norm, several times; half the size; plus the stage's input by a 1 x 1 convolution."""

    def __init__(self, before: int, after: int, convolutions: int, momentum: float) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for width in [before] + [after] * (convolutions - 1):
            layers += [nn.ReLU(), nn.Conv2d(width, after, 3, padding=1), _norm(after, momentum)]
        self.filters = nn.Sequential(*layers)
        self.skip = nn.Conv2d(before, after, 1, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        shortcut: Tensor = self.skip(x)
        return halved(self.filters(x)) + shortcut


def _norm(width: int, momentum: float) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(width, eps=1e-3, momentum=momentum)


class DeepScoreNet(PooledGrader):
    """Crops in, logits out; the slices of a patch are graded one by one and their logits averaged.

    Args:
        heads: number of grades of each condition; one condition is the paper's network.
        norm_momentum: share of a batch in the running statistics. The paper's 0.01 takes thousands of steps to settle.
    """

    def __init__(self, heads: Mapping[str, int], norm_momentum: float = 0.1) -> None:
        super().__init__(heads)
        self.stem = nn.Sequential(nn.Conv2d(3, _STEM, 3, padding=1), _norm(_STEM, norm_momentum), nn.ReLU())
        stages, width = [], _STEM
        for after, convolutions in _STAGES:
            stages.append(_Stage(width, after, convolutions, norm_momentum))
            width = after
        self.stages = nn.Sequential(*stages)
        self.dense = nn.Sequential(nn.Linear(width, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU())
        self.grade = nn.Linear(128, sum(heads.values()))
        self.apply(_start)

    def cells(self, patches: Patches) -> Cells:
        """Features at stride 8: 4 x 4 cells of a 32 x 32 crop.

        Raises:
            SettingsRefused: a side that does not divide by 8.
        """
        check_sides(patches, 8, "DeepScoreNet")
        features: Tensor = self.stages(self.stem(patches.flatten(0, 1)))
        return features.reshape(-1, patches.shape[1], *features.shape[1:])

    def answer(self, pooled: Pooled) -> Logits:
        """The mean over slices of what the dense layers say of each."""
        logits: Tensor = self.grade(self.dense(pooled))
        return logits.mean(1)


@torch.no_grad()
def _start(module: nn.Module) -> None:
    """Keras's start: weights as Glorot and Bengio (2010) draw them, no bias."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        assert module.bias is not None
        nn.init.zeros_(module.bias)
