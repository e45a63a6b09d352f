"""Training a grader: shaken patches of graded places, real and phantom."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Float32, Int64
from numpy.random import Generator
from torch import Tensor, nn

from lumbago.anatomy.conditions import CONDITIONS
from lumbago.errors import SettingsRefused
from lumbago.learning.disc_samples import GradedPatch
from lumbago.learning.experiment import Experiment
from lumbago.learning.feed import Batch
from lumbago.learning.grader_network import check_network, for_export, fresh_network, network_facts, told_alone
from lumbago.learning.losses import GRADE_LOSSES, weighted_mean
from lumbago.learning.mix import draw_mix, mixed
from lumbago.learning.shake import Views, draw_shake, shaken_patch
from lumbago.learning.write_card import ModelFacts
from lumbago.networks.export_onnx import export_onnx, golden_noise
from lumbago.networks.grader import Grader
from lumbago.pipeline.crop_patches import PatchRecipe, crop_patch, patch_views

UNKNOWN = -1
"""In place of a grade that is not known."""

_AT_ONCE = 64
_Sample = TypeVar("_Sample")


class GraderTask:
    """Batches of patches with grades.

    Args:
        experiment: its settings.
        samples: the graded places to draw from.
        unseen: graded places of other patients, for validation.

    Raises:
        SettingsRefused: a loss of another name, weights that fit no condition, a network that `check_network` refuses,
            samples of which nothing is graded that it is to learn.
    """

    def __init__(
        self, experiment: Experiment, samples: Sequence[GradedPatch], unseen: Sequence[GradedPatch] = ()
    ) -> None:
        _check(experiment)
        require_graded(experiment, samples)
        self.experiment, self.samples = experiment, samples
        self.unseen = unseen if is_graded(unseen, experiment.taught) else ()
        self.recipe = experiment.recipe
        self.chances = _chances(samples, experiment.conditions[0])
        self.heads = {name: len(CONDITIONS[name].scale.grades) for name in experiment.taught}

    def network(self) -> nn.Module:
        """The experiment's network with a head for each condition."""
        return fresh_network(self.experiment, self.heads)

    def batch(self, rng: Generator, share: range | None = None) -> Batch:
        """(patches, grades): shapes (batch, slices, 3, rows, columns) and (batch, conditions), -1 where unknown.

        With mix-up or CutMix also the partners' grades, and the share (batch,) of each patch that is its own.
        """
        numbers = rng.choice(len(self.samples), self.experiment.batch, p=self.chances)
        seeds = rng.integers(2**63, size=self.experiment.batch)
        chosen = range(self.experiment.batch) if share is None else share
        drawn = [(self.samples[numbers[place]], np.random.default_rng(seeds[place])) for place in chosen]
        grades = torch.from_numpy(grade_table([sample for sample, _ in drawn], self.experiment.taught))
        if self.experiment.mixup or self.experiment.cutmix:
            parts = [self._mixed(sample, own) for sample, own in drawn]
            partners = torch.from_numpy(grade_table([partner for _, partner, _ in parts], self.experiment.taught))
            kept = torch.tensor([kept for _, _, kept in parts], dtype=torch.float32)
            return torch.from_numpy(np.stack([views for views, _, _ in parts])), grades, partners, kept
        patches = np.stack([self._shaken(sample, own) for sample, own in drawn])
        return torch.from_numpy(patches), grades

    def _shaken(self, sample: GradedPatch, rng: Generator) -> Views:
        shake = draw_shake(rng, self.experiment, float(sample.volume.spacing_mm[0]))
        return shaken_patch(sample, self.recipe, shake)

    def _mixed(self, sample: GradedPatch, rng: Generator) -> tuple[Views, GradedPatch, float]:
        """The patch, its partner (itself when it has none), and the share that is its own."""
        views = self._shaken(sample, rng)
        mix = draw_mix(rng, self.experiment, self.chances)
        if mix is None:
            return views, sample, 1.0
        partner = self.samples[mix.partner]
        whole, kept = mixed(views, self._shaken(partner, rng), mix)
        return whole, partner, kept

    def loss(self, outputs: Tensor, targets: tuple[Tensor, ...]) -> Tensor:
        """Mean over conditions of the loss of the known grades; of mixed patches both grades count, by their share."""
        grades, shares = targets[0], None
        if len(targets) > 1:
            _, partners, kept = targets
            grades, shares = torch.cat([grades, partners]), torch.cat([kept, 1 - kept])
            outputs = torch.cat([outputs, outputs])
        losses = []
        for column, (name, logits) in enumerate(zip(self.heads, self._split(outputs), strict=True)):
            known = grades[:, column] != UNKNOWN
            if known.any():
                truth = grades[known, column]
                each = GRADE_LOSSES[self.experiment.loss](logits[known], truth, CONDITIONS[name].scale.ordinal)
                of_known = shares[known] if shares is not None else None
                losses.append(weighted_mean(each, truth, self._weights(name, outputs), of_known))
        return torch.stack(losses).mean() if losses else outputs.sum() * 0

    def _split(self, outputs: Tensor) -> tuple[Tensor, ...]:
        return torch.split(outputs, list(self.heads.values()), dim=1)

    def _weights(self, condition: str, like: Tensor) -> Tensor | None:
        weights = self.experiment.class_weights
        return like.new_tensor(weights) if len(weights) == self.heads[condition] else None

    def validation(self) -> Sequence[Batch]:
        """The unseen places with a known grade, as an analysis would crop them.

        The loss of a batch is a mean over what is known in it. So every source is spread over all batches: in one of
        its own, of a source that knows one condition alone, that condition would weigh as much as all in another.
        """
        return self._validation

    @cached_property
    def _validation(self) -> list[Batch]:
        known = [sample for sample in self.unseen if is_graded([sample], self.experiment.taught)]
        parts = spread(known, _AT_ONCE)
        return [
            (
                torch.from_numpy(np.stack([still_patch(sample, self.recipe) for sample in part])),
                torch.from_numpy(grade_table(part, self.experiment.taught)),
            )
            for part in parts
        ]

    @torch.no_grad()
    def confusions(self, network: nn.Module) -> dict[str, Int64[np.ndarray, "grades grades"]]:
        """Counts on the unseen places by condition, truth down and prediction across."""
        device = next(network.parameters()).device
        return self.count([(network(patches.to(device)).cpu(), grades) for patches, grades in self.validation()])

    def count(self, judged: Sequence[tuple[Tensor, Tensor]]) -> dict[str, Int64[np.ndarray, "grades grades"]]:
        """Counts of pairs of logits (places, all logits) and grades (places, conditions) by condition."""
        counts = {name: np.zeros((grades, grades), np.int64) for name, grades in self.heads.items()}
        for outputs, grades in judged:
            parts = self._split(outputs)
            for column, (name, logits) in enumerate(zip(self.heads, parts, strict=True)):
                known = (grades[:, column] != UNKNOWN).numpy()
                np.add.at(counts[name], (grades[known, column].numpy(), logits.argmax(1).numpy()[known]), 1)
        return {name: table for name, table in counts.items() if table.any()}

    def export(self, networks: list[nn.Module], folder: Path) -> ModelFacts:
        """The graders, averaged, as ONNX; the golden input is noise as bright as two samples."""
        learned = [network for network in networks if isinstance(network, Grader)]
        graders = [told_alone(grader, self.experiment.conditions) for grader in learned]
        example, *_ = self.batch(np.random.default_rng(1))
        outputs = {name: CONDITIONS[name].scale.grades for name in self.experiment.conditions}
        golden = golden_noise(example[:2].shape, float(example.mean()), float(example.std()))
        sha256 = export_onnx(self.exported(graders), golden, [*outputs, "maps"], {0: 1}, folder)
        told = network_facts(self.experiment, graders)
        return ModelFacts("grader", outputs, asdict(self.recipe), dict.fromkeys(outputs, 1.0), sha256, told)

    def exported(self, graders: list[Grader]) -> nn.Module:
        """What the ONNX file holds of the graders."""
        return for_export(graders)

    def sample_counts(self) -> dict[str, int]:
        """Number of graded places by source."""
        return dict(Counter(sample.source for sample in self.samples))


def _check(experiment: Experiment) -> None:
    if experiment.loss not in GRADE_LOSSES:
        raise SettingsRefused(
            f"{experiment.name} has the loss {experiment.loss!r}", f"one of {', '.join(GRADE_LOSSES)}"
        )
    scales = {len(CONDITIONS[name].scale.grades) for name in experiment.conditions}
    if experiment.class_weights and len(experiment.class_weights) not in scales:
        raise SettingsRefused(
            f"{experiment.name} has {len(experiment.class_weights)} class weights", "one for each grade"
        )
    check_network(experiment)


def spread(samples: Sequence[_Sample], most: int) -> list[Sequence[_Sample]]:
    """As few parts as hold so many each, every one with samples from the whole length."""
    count = -(-len(samples) // most)
    return [samples[first::count] for first in range(count)]


def is_graded(samples: Sequence[GradedPatch], conditions: Sequence[str]) -> bool:
    """Whether a grade of one of the conditions is known anywhere."""
    return any(name in sample.grades for sample in samples for name in conditions)


def require_graded(experiment: Experiment, samples: Sequence[GradedPatch]) -> None:
    """Refuses samples of which nothing is known that the experiment is to learn.

    Raises:
        SettingsRefused: there are samples, and none has a grade of its conditions.
    """
    if samples and not is_graded(samples, experiment.conditions):
        raise SettingsRefused(
            f"{experiment.name} is to grade {', '.join(experiment.conditions)}, and none of its {len(samples)} "
            "places is graded so", "grades of one of its conditions at least", "change conditions or sources",
        )  # fmt: skip


def still_patch(sample: GradedPatch, recipe: PatchRecipe) -> Float32[np.ndarray, "..."]:
    """Network input as an analysis makes it: nothing is shaken."""
    patch = crop_patch(sample.volume, sample.frame, recipe.scaled(1 / sample.scale))
    return patch_views(patch, sample.reference, recipe, sample.measures)


def grade_table(samples: Sequence[GradedPatch], conditions: Sequence[str]) -> Int64[np.ndarray, "samples conditions"]:
    """Grades as indices, -1 where unknown."""
    return np.array([[sample.grades.get(name, UNKNOWN) for name in conditions] for sample in samples], np.int64)


def _chances(samples: Sequence[GradedPatch], condition: str) -> np.ndarray:
    """Rare grades and small sources come up more often: by the inverse root of how often they occur."""
    kinds = [(sample.source, sample.grades.get(condition, UNKNOWN)) for sample in samples]
    count = Counter(kinds)
    weights = np.array([count[kind] ** -0.5 for kind in kinds])
    return np.asarray(weights / weights.sum())
