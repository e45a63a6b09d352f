"""What a frozen encoder sees in graded patches, computed once and kept: for probes of layers, heads, SVM, few-shot.

A file is named by what it was computed from (the encoder's weights and the patches' own numbers), so it can be deleted
at any time and never be mistaken.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor, nn

from lumbago.learning.array_files import read_arrays, write_arrays
from lumbago.learning.disc_samples import GradedPatch
from lumbago.learning.grader_task import grade_table, still_patch
from lumbago.networks.efficientnet_lite import EfficientNetLite0, load_imagenet
from lumbago.networks.patch_grader import STAGES, PatchGrader
from lumbago.pipeline.crop_patches import PatchRecipe

_AT_ONCE = 64


@dataclass(frozen=True, eq=False)
class FeatureTable:
    """Features of graded patches.

    Attributes:
        stages: by name of the encoder's stage, or `JOINED`, globally averaged over the patch and its slices,
            (samples, width).
        grades: indices into the scales, -1 where unknown, (samples, conditions); patients: key of each row's patient.
    """

    stages: Mapping[str, Float32[np.ndarray, "samples width"]]
    grades: Int64[np.ndarray, "samples conditions"]
    patients: tuple[str, ...]

    def of(self, stages: Sequence[str]) -> Float32[np.ndarray, "samples width"]:
        """The features of some stages side by side."""
        return np.concatenate([self.stages[name] for name in stages], axis=1)


JOINED: Final = "joined"
"""Name of the features that a whole grader's heads see."""


class StageFeatures(nn.Module):
    """What each stage of an encoder sees."""

    def __init__(self, encoder: EfficientNetLite0) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, patches: Float[Tensor, "batch slices 3 rows columns"]) -> dict[str, Tensor]:
        """By name of the stage, (batch, width)."""
        stages = self.encoder(patches.flatten(0, 1))
        pooled = [stage.mean((2, 3)).unflatten(0, (-1, patches.shape[1])).mean(1) for stage in stages]
        return dict(zip(STAGES, pooled, strict=True))


class JoinedFeatures(nn.Module):
    """What the heads of graders see, side by side."""

    def __init__(self, graders: Sequence[PatchGrader]) -> None:
        super().__init__()
        self.graders = tuple(graders)
        self.members = nn.ModuleList(graders)

    def forward(self, patches: Float[Tensor, "batch slices 3 rows columns"]) -> dict[str, Tensor]:
        """Under `JOINED`, (batch, graders * width)."""
        return {JOINED: torch.cat([grader.features(patches).mean((2, 3)) for grader in self.graders], dim=1)}


def frozen_encoder(pretrained: bool) -> StageFeatures:
    """The encoder that every grader starts from: with ImageNet weights if wished and at hand, else drawn by seed 0."""
    torch.manual_seed(0)
    encoder = EfficientNetLite0()
    if pretrained:
        load_imagenet(encoder)
    return StageFeatures(encoder.eval())


def stored_features(
    samples: Sequence[GradedPatch], recipe: PatchRecipe, conditions: Sequence[str], seer: nn.Module, folder: Path
) -> FeatureTable:
    """What a seer (`StageFeatures`, `JoinedFeatures`) sees of the samples' unshaken patches, from the folder if it is
    there, else computed and put there."""
    patches = np.stack([still_patch(sample, recipe) for sample in samples])
    path = folder / f"{_digest(seer, patches)}.npz"
    stages = read_arrays(path)
    if stages is None:
        stages = _computed(seer, patches)
        write_arrays(path, stages)
    return FeatureTable(stages, grade_table(samples, conditions), tuple(sample.patient for sample in samples))


def _digest(seer: nn.Module, patches: np.ndarray) -> str:
    total = hashlib.sha256(patches.tobytes())
    for name, value in seer.state_dict().items():
        total.update(name.encode() + value.cpu().numpy().tobytes())
    return total.hexdigest()[:32]


@torch.no_grad()
def _computed(seer: nn.Module, patches: Float32[np.ndarray, "samples slices 3 rows columns"]) -> dict[str, np.ndarray]:
    parts: dict[str, list[np.ndarray]] = {}
    for first in range(0, len(patches), _AT_ONCE):
        for name, features in seer(torch.from_numpy(patches[first : first + _AT_ONCE])).items():
            parts.setdefault(name, []).append(features.numpy())
    return {name: np.concatenate(rows) for name, rows in parts.items()}
