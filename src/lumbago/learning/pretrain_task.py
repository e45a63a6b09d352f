"""Learning features without labels: two shaken patches of one place are to look alike, and places to look different.

VICReg (Bardes, Ponce and LeCun 2022): the distance of a pair, the spread of each number over a batch, and how much two
numbers say the same, after a small network that is thrown away. Places are drawn anywhere about the middle of sagittal
slices, graded or not; slices of phantoms can be mixed in.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np
import torch
from jaxtyping import Float, Int64
from numpy.random import Generator
from torch import Tensor, nn

from lumbago.dicom.volume import Volume
from lumbago.errors import SettingsRefused
from lumbago.labels.picture_slices import LabelledSlice, picture_volume
from lumbago.learning.disc_samples import GradedPatch
from lumbago.learning.experiment import Experiment
from lumbago.learning.feed import Batch
from lumbago.learning.grader_network import check_network, fresh_network, network_facts
from lumbago.learning.label_tables import read_labels
from lumbago.learning.locator_targets import LocatorSample, StoredSlice
from lumbago.learning.phantom_slices import phantom_samples
from lumbago.learning.places import Places
from lumbago.learning.shake import draw_shake, shaken_patch
from lumbago.learning.splits import HELD_OUT, VALIDATION, fold_rule, part_of
from lumbago.learning.starts import START, START_FILE, feature_names
from lumbago.learning.write_card import ModelFacts
from lumbago.networks.grader import Grader, Patches
from lumbago.pipeline.crop_patches import PatchFrame
from lumbago.pipeline.locate_discs import PIXEL_MM

_WIDTH: Final = 256
_ALIKE, _SPREAD, _APART = 25.0, 25.0, 1.0
"""Weights of the three parts, the paper's."""

_ROWS, _COLUMNS = (0.15, 0.85), (0.3, 0.75)
"""Where places are drawn, in shares of a slice."""

_HEAD: Final = {"none": 1}
_SAGITTAL: Final = "phantom_sagittal"

Pairs = Float[Tensor, "batch 2 slices 3 rows columns"]


class PairNetwork(nn.Module):
    """Pairs of patches in; numbers that are to be alike within a pair out."""

    def __init__(self, grader: Grader, width: int) -> None:
        super().__init__()
        self.grader = grader
        self.projector = nn.Sequential(
            nn.Linear(width, _WIDTH), nn.BatchNorm1d(_WIDTH), nn.ReLU(), nn.Linear(_WIDTH, _WIDTH)
        )

    def forward(self, pairs: Pairs) -> Float[Tensor, "batch 2 numbers"]:
        """The projected features, averaged over cells and slices."""
        numbers: Tensor = self.projector(features_of(self.grader, pairs.flatten(0, 1)))
        return numbers.reshape(-1, 2, numbers.shape[1])


def features_of(grader: Grader, patches: Patches) -> Float[Tensor, "batch width"]:
    """Of each patch, the mean over cells and slices."""
    features: Tensor = grader.cells(patches).mean((1, 3, 4))
    return features


@dataclass(frozen=True, eq=False)
class Unlabelled:
    """A slice and whose it is; a phantom's may lie in a file."""

    source: str
    patient: str
    held: Volume | LocatorSample | StoredSlice

    def place(self, rng: Generator) -> GradedPatch:
        """A place on it, without grades."""
        volume = self.held if isinstance(self.held, Volume) else _upright(self.held.open())
        shares = np.array([rng.uniform(*_ROWS), rng.uniform(*_COLUMNS)])
        center = volume.to_lps_mm(np.array([0.0, *(shares * volume.array.shape[1:])]))
        down, along = (volume.affine[:3, axis] / volume.spacing_mm[axis] for axis in (1, 2))
        return GradedPatch(
            self.source, self.patient, self.source, "", volume, PatchFrame(0, center, along, down), None, {}
        )


def _upright(sample: LocatorSample) -> Volume:
    affine = np.array([[PIXEL_MM, 0, 0, 0], [0, 0, PIXEL_MM, 0], [0, -PIXEL_MM, 0, 0], [0, 0, 0, 1.0]])
    return Volume(sample.image[None], affine, headers=())


class PretrainTask:
    """Batches of pairs.

    Args:
        experiment: its settings; those of the network and of its patches are the ones that a grader is to have.
        samples: the slices to draw from.
        unseen: slices of other patients, for validation.

    Raises:
        SettingsRefused: a network that cannot be made.
    """

    def __init__(
        self, experiment: Experiment, samples: Sequence[Unlabelled], unseen: Sequence[Unlabelled] = ()
    ) -> None:
        check_network(experiment)
        self.experiment, self.samples, self.unseen = experiment, samples, unseen
        is_phantom = np.array([sample.source == "phantoms" for sample in samples], bool)
        share = experiment.phantom_share if is_phantom.any() and not is_phantom.all() else float(is_phantom.any())
        weights = np.where(is_phantom, share / max(is_phantom.sum(), 1), (1 - share) / max((~is_phantom).sum(), 1))
        self.chances = weights / max(weights.sum(), 1e-9)

    @classmethod
    def read(cls, experiment: Experiment, places: Places) -> "PretrainTask":
        """All sagittal pictures of the experiment's sources, but for the left-out fold, and its phantoms' slices.

        Raises:
            SettingsRefused: several members: only what answers can be averaged.
        """
        if experiment.members != 1:
            raise SettingsRefused(f"{experiment.name} has {experiment.members} members", "one, of a pre-training")
        found: dict[bool, list[Unlabelled]] = {True: [], False: []}
        fold_of = fold_rule(experiment)
        for row in read_labels(places.data, experiment.sources, places.preparing.tell):
            part = part_of(experiment, fold_of(row.patient))
            if part != HELD_OUT:
                found[part == VALIDATION].append(_of_picture(row))
        first, count = experiment.phantom_seed, experiment.phantoms
        for is_unseen, seeds in ((False, (first, count)), (True, (first + count, experiment.validation_phantoms))):
            slices = phantom_samples(*seeds, places.preparing)
            found[is_unseen] += [Unlabelled("phantoms", one.patient, one) for one in slices if _SAGITTAL in one.name]
        return cls(experiment, found[False], found[True])

    def network(self) -> nn.Module:
        """The grader's network and what is put behind its features; its heads, which nothing goes through, stay."""
        grader = fresh_network(self.experiment, _HEAD)
        example = torch.zeros(1, self.experiment.slices, 3, *self.experiment.patch)
        learned = feature_names(grader, example)
        for name, value in grader.named_parameters():
            value.requires_grad_(name in learned)
        with torch.no_grad():
            width = grader.eval().cells(example).shape[2]
        return PairNetwork(grader.train(), width)

    def batch(self, rng: Generator, share: range | None = None) -> Batch:
        """Pairs, shape (batch, 2, slices, 3, rows, columns), alone."""
        numbers = rng.choice(len(self.samples), self.experiment.batch, p=self.chances)
        seeds = rng.integers(2**63, size=self.experiment.batch)
        chosen = range(self.experiment.batch) if share is None else share
        return (_stacked([self._pair(self.samples[numbers[place]], int(seeds[place])) for place in chosen]),)

    def _pair(self, sample: Unlabelled, seed: int) -> np.ndarray:
        rng = np.random.default_rng(seed)
        place, recipe = sample.place(rng), self.experiment.recipe
        slice_mm = float(place.volume.spacing_mm[0])
        return np.stack([shaken_patch(place, recipe, draw_shake(rng, self.experiment, slice_mm)) for _ in range(2)])

    def loss(self, outputs: Tensor, targets: tuple[Tensor, ...]) -> Tensor:
        """VICReg's."""
        return vicreg(outputs[:, 0], outputs[:, 1])

    def validation(self) -> Sequence[Batch]:
        """One pair of each unseen slice, always the same."""
        return self._validation

    @cached_property
    def _validation(self) -> list[Batch]:
        pairs = [self._pair(sample, number) for number, sample in enumerate(self.unseen)]
        size = self.experiment.batch
        parts = [pairs[first : first + size] for first in range(0, len(pairs), size)]
        return [(_stacked(part),) for part in parts if len(part) > 1]

    def confusions(self, network: nn.Module) -> dict[str, Int64[np.ndarray, "grades grades"]]:
        """None: it grades nothing."""
        return {}

    def export(self, networks: list[nn.Module], folder: Path) -> ModelFacts:
        """The features' weights alone, as PyTorch keeps them."""
        (network,) = networks
        assert isinstance(network, PairNetwork)
        folder.mkdir(parents=True, exist_ok=True)
        shape = (1, self.experiment.slices, 3, *self.experiment.patch)
        names = feature_names(network.grader, torch.zeros(shape))
        state = {name: value for name, value in network.grader.state_dict().items() if name in names}
        torch.save(state, folder / START_FILE)
        sha256 = hashlib.sha256((folder / START_FILE).read_bytes()).hexdigest()
        facts = network_facts(self.experiment, [network.grader])
        return ModelFacts(START, {}, asdict(self.experiment.recipe), {}, sha256, facts)

    def sample_counts(self) -> dict[str, int]:
        """Number of slices by source."""
        return dict(Counter(sample.source for sample in self.samples))


def _of_picture(row: LabelledSlice) -> Unlabelled:
    return Unlabelled(row.source, row.patient, picture_volume(row))


def _stacked(pairs: Sequence[np.ndarray]) -> Tensor:
    return torch.from_numpy(np.stack(pairs))


def vicreg(one: Float[Tensor, "batch numbers"], other: Float[Tensor, "batch numbers"]) -> Tensor:
    """Distance of the pairs, numbers that vary too little over the batch, and covariance of different numbers."""
    alike = nn.functional.mse_loss(one, other)
    spread = sum(((1 - (side.var(0) + 1e-4).sqrt()).clamp(min=0).mean() for side in (one, other)), one.new_zeros(()))
    apart = sum((_covariance(side) for side in (one, other)), one.new_zeros(()))
    return _ALIKE * alike + _SPREAD / 2 * spread + _APART * apart


def _covariance(numbers: Float[Tensor, "batch numbers"]) -> Tensor:
    centred = numbers - numbers.mean(0)
    table = centred.T @ centred / max(len(numbers) - 1, 1)
    return (table.square().sum() - table.diagonal().square().sum()) / numbers.shape[1]
