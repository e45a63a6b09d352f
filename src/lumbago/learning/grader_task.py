"""Training a grader: shaken patches of graded places, real and phantom."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32, Int64
from numpy.random import Generator
from torch import Tensor, nn

from lumbago.anatomy.conditions import CONDITIONS
from lumbago.learning.augment import Scanner, draw_scanner, rescan, tone
from lumbago.learning.disc_samples import GradedPatch
from lumbago.learning.experiment import Experiment
from lumbago.learning.losses import ordinal_loss
from lumbago.learning.write_card import ModelFacts
from lumbago.networks.efficientnet_lite import load_imagenet
from lumbago.networks.export_onnx import export_onnx
from lumbago.networks.patch_grader import PatchGrader, PatchGraderForExport
from lumbago.pipeline.crop_patches import PatchRecipe, crop_patch, patch_views
from lumbago.pipeline.measure_spine import SignalReference

_UNKNOWN = -1
_SOFTNESS = 0.35
_SCALE_SPREAD = 0.08
_LONE_SLICE = 0.2
"""Share of patches whose neighbouring slices are not there, as in a study of one slice."""


class GraderTask:
    """Batches of patches with grades.

    Args:
        experiment: its settings.
        samples: the graded places to draw from.
    """

    def __init__(self, experiment: Experiment, samples: Sequence[GradedPatch]) -> None:
        self.experiment, self.samples = experiment, samples
        rows, columns = experiment.patch
        self.recipe = PatchRecipe(
            experiment.anchor, rows, columns, experiment.pixel_mm, experiment.slices, experiment.votes
        )
        self.chances = _chances(samples, experiment.conditions[0])

    def network(self) -> nn.Module:
        """A grader with a head for each condition, its encoder from ImageNet if wished and at hand."""
        heads = {name: len(CONDITIONS[name].scale.grades) for name in self.experiment.conditions}
        network = PatchGrader(heads)
        if self.experiment.pretrained:
            load_imagenet(network.encoder)
        return network

    def batch(self, rng: Generator) -> tuple[Tensor, ...]:
        """(patches, grades): shapes (batch, slices, 3, rows, columns) and (batch, conditions), -1 where unknown."""
        indices = rng.choice(len(self.samples), self.experiment.batch, p=self.chances)
        drawn = [self.samples[index] for index in indices]
        patches = np.stack([shaken_patch(sample, self.recipe, self.experiment, rng) for sample in drawn])
        return torch.from_numpy(patches), torch.from_numpy(grade_table(drawn, self.experiment.conditions))

    def loss(self, network: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        """Mean over conditions of the loss of the known grades; grades that have an order are softened along it."""
        assert isinstance(network, PatchGrader)
        patches, grades = batch
        losses = []
        for column, (name, logits) in enumerate(network.split(network(patches)).items()):
            known = grades[:, column] != _UNKNOWN
            if known.any():
                softness = _SOFTNESS if CONDITIONS[name].scale.ordinal else 1e-3
                losses.append(ordinal_loss(logits[known], grades[known, column], softness).mean())
        return torch.stack(losses).mean()

    def export(self, networks: list[nn.Module], folder: Path) -> ModelFacts:
        """The graders, averaged, as ONNX; the golden input is two training patches."""
        graders = [network for network in networks if isinstance(network, PatchGrader)]
        example, _ = self.batch(np.random.default_rng(1))
        outputs = {name: CONDITIONS[name].scale.grades for name in self.experiment.conditions}
        sha256 = export_onnx(PatchGraderForExport(graders), example[:2], [*outputs, "maps"], {0: 1}, folder)
        return ModelFacts("grader", outputs, asdict(self.recipe), dict.fromkeys(outputs, 1.0), sha256)

    def sample_counts(self) -> dict[str, int]:
        """Number of graded places by source."""
        return dict(Counter(sample.source for sample in self.samples))


def grade_table(samples: Sequence[GradedPatch], conditions: Sequence[str]) -> Int64[np.ndarray, "samples conditions"]:
    """Grades as indices, -1 where unknown."""
    return np.array([[sample.grades.get(name, _UNKNOWN) for name in conditions] for sample in samples], np.int64)


def _chances(samples: Sequence[GradedPatch], condition: str) -> np.ndarray:
    """Rare grades and small sources come up more often: by the inverse root of how often they occur."""
    kinds = [(sample.source, sample.grades.get(condition, _UNKNOWN)) for sample in samples]
    count = Counter(kinds)
    weights = np.array([count[kind] ** -0.5 for kind in kinds])
    return np.asarray(weights / weights.sum())


def shaken_patch(
    sample: GradedPatch, recipe: PatchRecipe, experiment: Experiment, rng: Generator
) -> Float32[np.ndarray, "slices 3 rows columns"]:
    """The patch as another locator and another scanner would have given it."""
    shift = rng.normal(0, experiment.shift_mm, 2)
    frame = sample.frame.shaken((float(shift[0]), float(shift[1])), float(rng.normal(0, experiment.turn_degrees)), 0)
    scaled = recipe.scaled(float(np.exp(rng.normal(0, _SCALE_SPREAD))) / sample.scale)
    spec = draw_scanner(rng, 0.5 * experiment.augmentation, wild=0.0)
    patch = crop_patch(sample.volume, frame, scaled)
    if rng.random() < _LONE_SLICE:
        patch = np.repeat(patch[recipe.slices // 2][None], recipe.slices, axis=0)
    return rescanned_views(patch, sample.reference, spec, recipe.pixel_mm)


def rescanned_views(
    patch: Float32[np.ndarray, "slices rows columns"], reference: SignalReference | None, spec: Scanner, pixel_mm: float
) -> Float32[np.ndarray, "slices 3 rows columns"]:
    """Network input of a patch seen by the drawn scanner; the references pass through the same contrast curve."""
    full = reference.bright if reference is not None else max(float(np.percentile(patch, 99)), 1e-6)
    seen = np.stack([rescan(picture / full, spec) for picture in patch])
    if reference is None:
        return patch_views(seen, None, pixel_mm)
    bright, middle = tone(np.array([1.0, reference.middle / full], np.float32), spec)
    return patch_views(seen, SignalReference(float(bright), max(float(middle), 1e-3)), pixel_mm)
