"""Training a grader that sees a whole study at once: a sample is all graded places of a picture or study together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np
import torch
from jaxtyping import Int64
from numpy.random import Generator
from torch import Tensor, nn

from lumbago.anatomy.levels import LEVELS, SIDES
from lumbago.learning.disc_samples import GradedPatch
from lumbago.learning.experiment import Experiment
from lumbago.learning.feed import Batch
from lumbago.learning.grader_task import UNKNOWN, GraderTask, spread
from lumbago.learning.shake import Shake, draw_shake, shaken_patch
from lumbago.networks.grader import Grader
from lumbago.networks.study_grader import StudyGraderForExport
from lumbago.pipeline.crop_patches import PICTURE, Channels, PatchRecipe
from lumbago.pipeline.study_input import Croppable, Site, Spot, see_still, sites_of, study_input

_LOST: Final = 0.1
_LOST_SERIES: Final = 0.2
"""Shares of places, and of further series, that training leaves out: a study may lack them."""

_OWN: Final = 0.5
"""How much of its own a place is shaken, as a share of the whole study's shake."""

_AT_ONCE: Final = 16


@dataclass(frozen=True, eq=False)
class StudyGroup:
    """The graded places of one picture or study of one patient."""

    source: str
    patient: str
    name: str
    spots: Mapping[Spot, GradedPatch]

    def grade(self, site: Site, condition: str) -> int:
        """Index into the condition's scale, -1 where unknown."""
        seen = [patch for (level, side, _), patch in self.spots.items() if (level, side) == site]
        return seen[0].grades.get(condition, UNKNOWN) if seen else UNKNOWN


def group_studies(samples: Sequence[GradedPatch]) -> list[StudyGroup]:
    """Places of the same source, patient and picture or study together, in the order in which they first appear; those
    above the five graded levels are left out."""
    groups: dict[tuple[str, str, str], dict[Spot, GradedPatch]] = {}
    for sample in (one for one in samples if one.level in LEVELS):
        spots = groups.setdefault((sample.source, sample.patient, sample.name), {})
        spots[sample.level, sample.side, sample.series] = sample
    return [StudyGroup(*about, spots) for about, spots in groups.items()]


def mirrored(spots: Mapping[Spot, GradedPatch]) -> dict[Spot, GradedPatch]:
    """Left and right exchanged, with their grades; what has no side stays."""
    other = {SIDES[0]: SIDES[1], SIDES[1]: SIDES[0], None: None}
    return {(level, other[side], series): patch for (level, side, series), patch in spots.items()}


class StudyGraderTask(GraderTask):
    """Batches of studies with the grades of all their places.

    Args:
        experiment: its settings.
        samples: the graded places to draw from.
        unseen: graded places of other patients, for validation.

    Raises:
        SettingsRefused: as `GraderTask`.
    """

    def __init__(
        self, experiment: Experiment, samples: Sequence[GradedPatch], unseen: Sequence[GradedPatch] = ()
    ) -> None:
        super().__init__(experiment, [one for one in samples if one.level in LEVELS], unseen)
        self.sites = sites_of(experiment.conditions)
        self.groups, self.unseen_groups = group_studies(self.samples), group_studies(self.unseen)
        self.chances = self._group_chances()

    def _group_chances(self) -> np.ndarray:
        """Of a study the mean of its places' chances."""
        chance_of = dict(zip(map(id, self.samples), self.chances, strict=True))
        each = np.array([np.mean([chance_of[id(patch)] for patch in group.spots.values()]) for group in self.groups])
        return np.asarray(each / each.sum())

    def batch(self, rng: Generator, share: range | None = None) -> Batch:
        """(inputs, grades): shapes (batch, slices, 3, rows, columns) and (batch, places, conditions), -1 where
        unknown."""
        numbers = rng.choice(len(self.groups), self.experiment.batch, p=self.chances)
        seeds = rng.integers(2**63, size=self.experiment.batch)
        chosen = range(self.experiment.batch) if share is None else share
        drawn = [self._shown(self.groups[numbers[place]], np.random.default_rng(seeds[place])) for place in chosen]
        return _stacked(drawn)

    def _shown(self, group: StudyGroup, rng: Generator) -> tuple[Channels, np.ndarray]:
        first = next(iter(group.spots.values()))
        shake = draw_shake(rng, self.experiment, float(first.volume.spacing_mm[0]))
        kept = _kept(group.spots, rng)
        shown = replace(group, spots=mirrored(kept) if shake.is_mirrored else kept)

        def see(place: Croppable, recipe: PatchRecipe) -> Channels:
            return shaken_patch(place, recipe, self._own(shake, rng))

        return study_input(shown.spots, self.sites, self.recipe, see), self._grades(shown)

    def _own(self, study: Shake, rng: Generator) -> Shake:
        """The study's shake and a little of its own, where each place is cut by itself."""
        scanner = replace(study.scanner, noise_seed=int(rng.integers(2**31)))
        if self.recipe.sees == PICTURE:
            return replace(study, scanner=scanner)
        down, along, turn = (
            _OWN * rng.normal(0, 1, 3) * ([self.experiment.shift_mm] * 2 + [self.experiment.turn_degrees])
        )
        shift = (study.shift_mm[0] + float(down), study.shift_mm[1] + float(along))
        return replace(study, shift_mm=shift, turn_degrees=study.turn_degrees + float(turn), scanner=scanner)

    def _grades(self, group: StudyGroup) -> Int64[np.ndarray, "places conditions"]:
        rows = [[group.grade(site, name) for name in self.heads] for site in self.sites]
        return np.array(rows, np.int64)

    def loss(self, outputs: Tensor, targets: tuple[Tensor, ...]) -> Tensor:
        """As of the places one by one; unknown and missing ones teach nothing."""
        return super().loss(self._by_place(outputs), (targets[0].flatten(0, 1),))

    def _by_place(self, outputs: Tensor) -> Tensor:
        return outputs.reshape(-1, sum(self.heads.values()))

    @cached_property
    def _validation(self) -> list[Batch]:
        return [_stacked([self._still(group) for group in part]) for part in spread(self.unseen_groups, _AT_ONCE)]

    def _still(self, group: StudyGroup) -> tuple[Channels, np.ndarray]:
        return study_input(group.spots, self.sites, self.recipe, see_still), self._grades(group)

    @torch.no_grad()
    def confusions(self, network: nn.Module) -> dict[str, Int64[np.ndarray, "grades grades"]]:
        """Counts on the unseen places by condition, truth down and prediction across."""
        device = next(network.parameters()).device
        batches = self.validation()
        outputs = [self._by_place(network(inputs.to(device)).cpu()) for inputs, _ in batches]
        return self.count([(found, grades.flatten(0, 1)) for found, (_, grades) in zip(outputs, batches, strict=True)])

    def exported(self, graders: list[Grader]) -> nn.Module:
        """The graders, averaged, place by place."""
        return StudyGraderForExport(graders, self.heads)


def _stacked(drawn: Sequence[tuple[Channels, np.ndarray]]) -> Batch:
    inputs, grades = zip(*drawn, strict=True)
    return torch.from_numpy(np.stack(inputs)), torch.from_numpy(np.stack(grades))


def _kept(spots: Mapping[Spot, GradedPatch], rng: Generator) -> dict[Spot, GradedPatch]:
    """Without some places, and now and then without a further series; one place is left at least."""
    without_series = bool(rng.random() < _LOST_SERIES)
    lost = {site for site in dict.fromkeys((level, side) for level, side, _ in spots) if rng.random() < _LOST}
    kept = {
        (level, side, series): patch
        for (level, side, series), patch in spots.items()
        if (level, side) not in lost and not (series and without_series)
    }
    return kept or dict(spots)
