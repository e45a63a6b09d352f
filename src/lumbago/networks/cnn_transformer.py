"""CNN features of each picture, a transformer (Vaswani et al. 2017) over all of them, one linear head a condition.

`CnnTransformer` reads one disc: its tokens are slices. `SpineTransformer` reads all discs of a study at once: its
tokens are levels x series x slices, each told by learned embeddings which it is, and each level asks its own
question, so that a level is graded in the light of its neighbours and of every series. A token that is missing is a
patch of zeros only.

The convolutions are EfficientNet-Lite0's to stride 16, the mixing blocks normalise first (Xiong et al. 2020).
"""

from collections.abc import Mapping
from typing import Final

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from lumbago.networks.efficientnet_lite import EfficientNetLite0
from lumbago.networks.grader import Cells, Logits, Maps, Patches, Pooled, PooledGrader
from lumbago.networks.input_size import check_sides

_STAGES, _STRIDE = 4, 16
_WIDTH, _PARTS, _DEPTH = 128, 4, 2
_REACH: Final = 8
"""Slices farther from the middle share the embedding of this distance."""

Tokens = Float[Tensor, "batch tokens width"]
Missing = Bool[Tensor, "batch tokens"]


class _Mixing(nn.Module):
    """Every token looks at all that are there, then at itself."""

    def __init__(self, dropout: float) -> None:
        super().__init__()
        self.before_looking, self.before_thinking = nn.LayerNorm(_WIDTH), nn.LayerNorm(_WIDTH)
        self.ask = nn.Linear(_WIDTH, 3 * _WIDTH)
        self.tell = nn.Linear(_WIDTH, _WIDTH)
        self.think = nn.Sequential(nn.Linear(_WIDTH, 2 * _WIDTH), nn.GELU(), nn.Linear(2 * _WIDTH, _WIDTH))
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor, hidden: Tensor) -> Tensor:
        """Args: tokens; hidden: added to each question's match, minus infinity at tokens that are missing."""
        asked = self.ask(self.before_looking(tokens)).unflatten(2, (3, _PARTS, -1)).permute(2, 0, 3, 1, 4)
        question, key, value = asked.unbind(0)
        match = question @ key.transpose(2, 3) / question.shape[-1] ** 0.5 + hidden[:, None, None]
        seen = (match.softmax(3) @ value).transpose(1, 2).flatten(2)
        tokens = tokens + self.dropout(self.tell(seen))
        thought: Tensor = self.dropout(self.think(self.before_thinking(tokens)))
        return tokens + thought


class TokenMixer(nn.Module):
    """Questions and tokens through the mixing blocks; what the questions have become comes out."""

    def __init__(self, dropout: float) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(_Mixing(dropout) for _ in range(_DEPTH))
        self.norm = nn.LayerNorm(_WIDTH)

    def forward(
        self, questions: Float[Tensor, "questions width"], tokens: Tokens, missing: Missing
    ) -> Float[Tensor, "batch questions width"]:
        """Missing tokens are seen by none."""
        asked = questions[None].expand(tokens.shape[0], -1, -1)
        there = torch.zeros_like(asked[:, :, 0])
        hidden = torch.cat([there, torch.zeros_like(tokens[:, :, 0]).masked_fill(missing, float("-inf"))], dim=1)
        mixed = torch.cat([asked, tokens], dim=1)
        for block in self.blocks:
            mixed = block(mixed, hidden)
        answered: Tensor = self.norm(mixed[:, : questions.shape[0]])
        return answered


class _TransformerGrader(PooledGrader):
    """What both have: convolutions, a projection to tokens, the mixer, one linear layer."""

    def __init__(self, heads: Mapping[str, int], values: int, dropout: float) -> None:
        super().__init__(heads)
        self.encoder = EfficientNetLite0(stages=_STAGES)
        self.project = nn.Linear(self.encoder.widths[-1], _WIDTH)
        self.mixer = TokenMixer(dropout)
        self.grade = nn.Linear(_WIDTH, values)

    def cells(self, patches: Patches) -> Cells:
        """Features at stride 16, all zero where the patch is missing.

        Raises:
            SettingsRefused: a side that does not divide by 16.
        """
        check_sides(patches, _STRIDE, "the CNN with a transformer")
        features: Tensor = self.encoder(patches.flatten(0, 1))[-1]
        is_there = (patches.abs().amax((2, 3, 4)) > 0).to(features.dtype)
        return features.reshape(*is_there.shape, *features.shape[1:]) * is_there[..., None, None, None]


def _embeddings(count: int) -> nn.Parameter:
    return nn.Parameter(0.02 * torch.randn(count, _WIDTH))


def _is_missing(pooled: Pooled) -> Missing:
    return pooled.abs().amax(2) == 0


def _distances(slices: int) -> list[int]:
    """Number of each slice's embedding: how far it lies from the middle, either way."""
    return [max(-_REACH, min(_REACH, place - slices // 2)) + _REACH for place in range(slices)]


class CnnTransformer(_TransformerGrader):
    """The slices of one disc in, logits out.

    Args:
        heads: number of grades of each condition.
        dropout: share of what each block adds that is dropped in training.
    """

    def __init__(self, heads: Mapping[str, int], dropout: float = 0.1) -> None:
        super().__init__(heads, sum(heads.values()), dropout)
        self.question = _embeddings(1)
        self.slice_place = _embeddings(2 * _REACH + 1)

    def answer(self, pooled: Pooled) -> Logits:
        """Logits of what the question has become."""
        tokens = self.project(pooled) + self.slice_place[_distances(pooled.shape[1])]
        logits: Tensor = self.grade(self.mixer(self.question, tokens, _is_missing(pooled))[:, 0])
        return logits


class SpineTransformer(_TransformerGrader):
    """All discs of a study in, logits of every condition at every level out; `heads` are named `condition level`.

    Its input holds levels x series x slices patches in that order; a patch of zeros only is a missing one. The map of a
    level's logit tells what a cell means when it is left out of the level's own patches.

    Args:
        heads: number of grades of each condition, the same at every level.
        levels: names of the levels, from the head down; or of levels and sides.
        series: number of series; slices: of each series at a level.
        dropout: share of what each block adds that is dropped in training.
    """

    def __init__(
        self, heads: Mapping[str, int], levels: tuple[str, ...], series: int, slices: int, dropout: float = 0.1
    ) -> None:
        every = {f"{name} {level}": grades for level in levels for name, grades in heads.items()}
        super().__init__(every, sum(heads.values()), dropout)
        self.layout = (len(levels), series, slices)
        self.questions = _embeddings(len(levels))
        self.level_place, self.series_place = _embeddings(len(levels)), _embeddings(series)
        self.slice_place = _embeddings(2 * _REACH + 1)

    def answer(self, pooled: Pooled) -> Logits:
        """Logits of what each level's question has become, level by level."""
        tokens = self.project(pooled) + self._places()
        answered = self.mixer(self.questions + self.level_place, tokens, _is_missing(pooled))
        logits: Tensor = self.grade(answered)
        return logits.flatten(1)

    def logits_and_maps(self, patches: Patches) -> tuple[Logits, Maps]:
        """The logits, and how much each falls when a cell is left out of its own level's patches."""
        cells = self.cells(patches)
        pooled, logits = cells.mean((3, 4)), self.answer(cells.mean((3, 4)))
        flat = cells.flatten(3)
        count, places = flat.shape[3], self.layout[0]
        others = ((flat.sum(3, keepdim=True) - flat) / max(count - 1, 1)).permute(0, 3, 1, 2)
        own = torch.eye(places, dtype=torch.bool, device=flat.device).repeat_interleave(pooled.shape[1] // places, 1)
        left_out = torch.where(own[None, :, None, :, None], others[:, None], pooled[:, None, None])
        without = self.answer(left_out.flatten(0, 2)).reshape(-1, places, count, places, logits.shape[1] // places)
        falls = logits.reshape(-1, places, 1, logits.shape[1] // places) - without.diagonal(dim1=1, dim2=3).movedim(
            3, 1
        )
        return logits, falls.transpose(2, 3).reshape(-1, logits.shape[1], *cells.shape[3:])

    def _places(self) -> Float[Tensor, "tokens width"]:
        """Embedding of each token: its level's, its series' and its slice's."""
        slices = self.slice_place[_distances(self.layout[2])]
        places = self.level_place[:, None, None] + self.series_place[None, :, None] + slices[None, None]
        return places.flatten(0, 2)
