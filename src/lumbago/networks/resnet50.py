"""ResNet50 (He et al. 2016): 23,508,032 parameters and 2,049 a grade, 25,557,032 for the 1,000 classes of ImageNet.

It grades patches, or a whole study at 224 x 224 x 3 as the multi-label system does: five conditions (canal; foramen and
recess of either side) at five levels. That document puts one softmax over its 15 outputs, which makes the five answers
of a level share a probability of one, so that no two conditions can be severe at once. `study_heads` gives what is
meant: a group for each condition, level and side, each with its own softmax; 25 groups of three, 75 values a study.
"""

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from lumbago.anatomy.conditions import CONDITIONS
from lumbago.anatomy.levels import LEVELS, SIDES
from lumbago.networks.grader import Cells, LinearGrader, Patches
from lumbago.networks.input_size import check_sides

_STAGES = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))
"""Inner width, number of blocks, stride."""

_WIDER = 4
STENOSES = ("spinal_canal_stenosis", "neural_foraminal_narrowing", "subarticular_stenosis")


def study_heads(conditions: Sequence[str] = STENOSES) -> dict[str, int]:
    """Heads of a network that sees a whole study, place by place: `condition level` or `condition level side` -> number
    of grades."""
    rows = [CONDITIONS[name] for name in conditions]
    return {
        " ".join(part for part in (row.name, level, side) if part): len(row.scale.grades)
        for level in LEVELS
        for side in (None, *SIDES)
        for row in rows
        if side in row.sides
    }


class _Bottleneck(nn.Module):
    """1 x 1, 3 x 3, 1 x 1, plus a shortcut."""

    def __init__(self, before: int, inner: int, stride: int) -> None:
        super().__init__()
        after = inner * _WIDER
        self.filters = nn.Sequential(
            nn.Conv2d(before, inner, 1, bias=False), nn.BatchNorm2d(inner), nn.ReLU(),
            nn.Conv2d(inner, inner, 3, stride, 1, bias=False), nn.BatchNorm2d(inner), nn.ReLU(),
            nn.Conv2d(inner, after, 1, bias=False), nn.BatchNorm2d(after),
        )  # fmt: skip
        self.shortcut: nn.Module = nn.Identity()
        if before != after:
            self.shortcut = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))

    def forward(self, x: Tensor) -> Tensor:
        both: Tensor = self.filters(x) + self.shortcut(x)
        return both.relu()


class ResNet50(LinearGrader):
    """Patches, or the three chosen pictures of a study as channels of one slice, in; logits out. Slices are averaged.

    Args:
        heads: number of grades of each condition, or `study_heads()`.
        dropout: share of features dropped in training.
    """

    def __init__(self, heads: Mapping[str, int], dropout: float = 0.3) -> None:
        super().__init__(heads, _STAGES[-1][0] * _WIDER, dropout)
        self.stem = nn.Sequential(
            nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1)
        )
        blocks, before = [], 64
        for inner, count, stride in _STAGES:
            for number in range(count):
                blocks.append(_Bottleneck(before, inner, stride if number == 0 else 1))
                before = inner * _WIDER
        self.blocks = nn.Sequential(*blocks)

    def cells(self, patches: Patches) -> Cells:
        """Features at stride 32.

        Raises:
            SettingsRefused: a side that does not divide by 32.
        """
        check_sides(patches, 32, "ResNet50")
        features: Tensor = self.blocks(self.stem(patches.flatten(0, 1)))
        return features.reshape(-1, patches.shape[1], *features.shape[1:])
