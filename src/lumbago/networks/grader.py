"""What every grader of patches is to its trainer, its export and the analysis, whatever its architecture.

Logits of all conditions stand side by side in the order of `heads`. Beside them a grader gives maps of what each logit
rests on, without gradients, so that an analysis needs no PyTorch. `maps_are` says how they are made:

- `class activation` (Zhou et al. 2016), where a linear layer follows the mean over all cells: the logit is the mean of
  its map plus a bias;
- `cells left out` (occlusion, Zeiler and Fergus 2014, on the grid of the last features), where more than a linear layer
  follows: how much the logit falls when the cell is left out of the mean.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

Patches = Float[Tensor, "batch slices 3 rows columns"]
Cells = Float[Tensor, "batch slices width h w"]
Pooled = Float[Tensor, "batch slices width"]
Logits = Float[Tensor, "batch logits"]
Maps = Float[Tensor, "batch logits h w"]

MapKind = Literal["class activation", "cells left out"]


class Grader(nn.Module, ABC):
    """Patches in, logits of all conditions side by side out.

    Args:
        heads: number of grades of each condition, in the order of the card.
    """

    maps_are: ClassVar[MapKind] = "class activation"

    def __init__(self, heads: Mapping[str, int]) -> None:
        super().__init__()
        self.heads = dict(heads)

    @abstractmethod
    def cells(self, patches: Patches) -> Cells:
        """Features of each slice on a coarse grid."""

    @abstractmethod
    def forward(self, patches: Patches) -> Logits:
        """Logits of all conditions side by side."""

    @abstractmethod
    def logits_and_maps(self, patches: Patches) -> tuple[Logits, Maps]:
        """The logits, and a map of what each rests on."""

    def split(self, logits: Logits) -> dict[str, Tensor]:
        """The logits of each condition."""
        return dict(zip(self.heads, torch.split(logits, list(self.heads.values()), dim=1), strict=True))


class PooledGrader(Grader):
    """A grader in two halves: features of every cell of every slice, and an answer from their means over the cells."""

    maps_are: ClassVar[MapKind] = "cells left out"

    @abstractmethod
    def answer(self, pooled: Pooled) -> Logits:
        """Logits from the features averaged over the grid."""

    def forward(self, patches: Patches) -> Logits:
        """Logits of all conditions side by side."""
        return self.answer(self.cells(patches).mean((3, 4)))

    def logits_and_maps(self, patches: Patches) -> tuple[Logits, Maps]:
        """The logits, and how much each falls when a cell is left out of all slices."""
        cells = self.cells(patches)
        logits = self.answer(cells.mean((3, 4)))
        return logits, maps_of_cells_left_out(self.answer, cells, logits)


def maps_of_cells_left_out(answer: Callable[[Pooled], Logits], cells: Cells, logits: Logits) -> Maps:
    """For every cell the fall of the logits when the mean is taken over all others; with one cell, over nothing."""
    flat = cells.flatten(3)
    count = flat.shape[3]
    others = (flat.sum(3, keepdim=True) - flat) / max(count - 1, 1)
    without = answer(others.permute(0, 3, 1, 2).flatten(0, 1)).reshape(-1, count, logits.shape[1])
    return (logits[:, None] - without).transpose(1, 2).reshape(-1, logits.shape[1], *cells.shape[3:])


class LinearGrader(PooledGrader):
    """A grader whose slices are averaged and whose answer is one linear layer, so that its maps are exact.

    Args:
        heads: number of grades of each condition.
        width: number of features of a cell.
        dropout: share of features dropped in training.
    """

    maps_are: ClassVar[MapKind] = "class activation"

    def __init__(self, heads: Mapping[str, int], width: int, dropout: float) -> None:
        super().__init__(heads)
        self.dropout = nn.Dropout(dropout)
        self.grade = nn.Linear(width, sum(heads.values()))

    def answer(self, pooled: Pooled) -> Logits:
        """Logits from the mean over slices."""
        logits: Tensor = self.grade(self.dropout(pooled.mean(1)))
        return logits

    def logits_and_maps(self, patches: Patches) -> tuple[Logits, Maps]:
        """The logits, and the class activation map of each, averaged over slices."""
        maps = torch.einsum("bwxy,kw->bkxy", self.cells(patches).mean(1), self.grade.weight)
        return maps.mean((2, 3)) + self.grade.bias, maps


class GraderForExport(nn.Module):
    """What is exported: one logit output per condition and the maps of all grades, averaged over like graders."""

    def __init__(self, graders: Sequence[Grader]) -> None:
        super().__init__()
        self.graders = list(graders)
        self.members = nn.ModuleList(graders)

    def forward(self, patches: Patches) -> tuple[Tensor, ...]:
        """Logits of each condition in order, then maps of shape (batch, logits, h, w)."""
        pairs = [one.logits_and_maps(patches) for one in self.graders]
        logits = torch.stack([logits for logits, _ in pairs]).mean(0)
        maps = torch.stack([maps for _, maps in pairs]).mean(0)
        return (*torch.split(logits, list(self.graders[0].heads.values()), dim=1), maps)
