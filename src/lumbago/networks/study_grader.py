"""A grader that sees a whole study as it is exported: what it says, place by place."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from lumbago.networks.grader import Grader, Patches


class StudyGraderForExport(nn.Module):
    """The mean of like graders: one logit output per condition, of shape (batch, places, grades), and the maps of all
    grades, of shape (batch, places, logits of a place, h, w).

    Args:
        graders: their logits lie place by place, in each place condition by condition.
        heads: number of grades of each condition, the same at every place.
    """

    def __init__(self, graders: Sequence[Grader], heads: Mapping[str, int]) -> None:
        super().__init__()
        self.graders, self.heads = list(graders), dict(heads)
        self.members = nn.ModuleList(graders)

    def forward(self, patches: Patches) -> tuple[Tensor, ...]:
        """Logits of each condition in order, then the maps."""
        pairs = [one.logits_and_maps(patches) for one in self.graders]
        logits = torch.stack([logits for logits, _ in pairs]).mean(0)
        maps = torch.stack([maps for _, maps in pairs]).mean(0)
        of_place = sum(self.heads.values())
        places = logits.shape[1] // of_place
        logits, maps = logits.reshape(-1, places, of_place), maps.reshape(-1, places, of_place, *maps.shape[2:])
        return (*torch.split(logits, list(self.heads.values()), dim=2), maps)
