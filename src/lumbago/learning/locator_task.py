"""Training the locator: windows of labelled slices, real and phantom."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, Int64
from numpy.random import Generator
from torch import Tensor, nn

from lumbago.learning.augment import Scanner, Warp, draw_scanner, rescan, warp
from lumbago.learning.experiment import Experiment
from lumbago.learning.feed import Batch
from lumbago.learning.label_tables import read_labels
from lumbago.learning.locator_network import (
    LOCATORS,
    NAMED_BY,
    check_locator,
    example_picture,
    fresh_locator,
    network_facts,
)
from lumbago.learning.locator_targets import ONE, UNKNOWN, LocatorSample, StoredSlice, locator_sample
from lumbago.learning.losses import map_loss
from lumbago.learning.phantom_slices import phantom_samples
from lumbago.learning.sample_cache import ALONE, Preparation
from lumbago.learning.splits import HELD_OUT, VALIDATION, fold_rule, part_of
from lumbago.learning.write_card import ModelFacts
from lumbago.networks.export_onnx import export_onnx
from lumbago.pipeline.locate_discs import CHANNELS, PIXEL_MM
from lumbago.pipeline.name_by_sacrum import NAMES_BY
from lumbago.pipeline.normalise import three_views

_AT_ONCE = 8
_WINDOW = (288, 224)
"""Rows and columns, or the nearest that divide by the network's stride."""
_POINT_CHANNELS = [CHANNELS.index(name) for name in ("disc_center", "foramen", "recess")]
_SOURCE_WEIGHTS = {"sudirman": 1.0, "spider": 3.0, "spider_space": 0.7}
"""Chance of a slice: the boxed `spider` slices are few but come from many scanners; `spider_space` are near copies."""


AnySlice = LocatorSample | StoredSlice


class LocatorTask:
    """Batches of windows with target maps.

    Args:
        experiment: its settings.
        samples: the slices to draw from, real ones and phantoms'.
        unseen: slices of other patients, for validation.
    """

    def __init__(self, experiment: Experiment, samples: Sequence[AnySlice], unseen: Sequence[AnySlice] = ()) -> None:
        check_locator(experiment)
        self.experiment, self.samples, self.unseen = experiment, samples, unseen
        is_phantom = np.array([sample.patient.startswith("phantom:") for sample in samples], bool)
        weights = np.array([_SOURCE_WEIGHTS.get(_source(sample), 1.0) for sample in samples])
        share = experiment.phantom_share if is_phantom.any() else 0.0
        weights[is_phantom] *= share / max(weights[is_phantom].sum(), 1e-9)
        weights[~is_phantom] *= (1 - share) / max(weights[~is_phantom].sum(), 1e-9)
        self.chances = weights / weights.sum()
        stride = LOCATORS[experiment.network].stride
        self.shape = round(_WINDOW[0] / stride) * stride, round(_WINDOW[1] / stride) * stride

    @classmethod
    def read(cls, experiment: Experiment, data: Path, how: Preparation = ALONE) -> "LocatorTask":
        """Reads the label sources under `data`, without the left-out fold, and makes the phantoms."""
        samples: dict[bool, list[AnySlice]] = {True: [], False: []}
        fold_of = fold_rule(experiment)
        for row in read_labels(data, experiment.sources, how.tell):
            part = part_of(experiment, fold_of(row.patient))
            if part != HELD_OUT and (sample := locator_sample(row)) is not None:
                samples[part == VALIDATION].append(sample)
        first, count = experiment.phantom_seed, experiment.phantoms
        samples[False] += phantom_samples(first, count, how)
        samples[True] += phantom_samples(first + count, experiment.validation_phantoms, how)
        return cls(experiment, samples[False], samples[True])

    def network(self) -> nn.Module:
        """A locator, its encoder from ImageNet if wished and at hand."""
        return fresh_locator(self.experiment)

    def batch(self, rng: Generator, share: range | None = None) -> Batch:
        """(images, targets, known): shapes (batch, 3 | channels | channels, rows, columns)."""
        numbers = rng.choice(len(self.samples), self.experiment.batch, p=self.chances)
        seeds = rng.integers(2**63, size=self.experiment.batch)
        chosen = range(self.experiment.batch) if share is None else share
        wanted = self.experiment
        strength = wanted.augmentation, wanted.resolution
        return _stacked([self._window(self.samples[numbers[place]], int(seeds[place]), *strength) for place in chosen])

    def _window(self, sample: AnySlice, seed: int, strength: float, resolution: float) -> tuple[np.ndarray, ...]:
        opened = sample.open()
        return self._see(opened, draw_view(opened, np.random.default_rng(seed), (strength, resolution), self.shape))

    def _see(self, sample: LocatorSample, view: "View") -> tuple[np.ndarray, ...]:
        """What the network is given and must answer."""
        return look(sample, view)

    def loss(self, outputs: Tensor, targets: tuple[Tensor, ...]) -> Tensor:
        """Masked cross-entropy and Dice."""
        wanted, known = targets
        return map_loss(outputs, wanted, known)

    def validation(self) -> Sequence[Batch]:
        """One window of each unseen slice, drawn by its number, next to unchanged in grey."""
        return self._validation

    @cached_property
    def _validation(self) -> list[Batch]:
        windows = [self._window(sample, number, 0.0, 0.0) for number, sample in enumerate(self.unseen)]
        return [_stacked(windows[first : first + _AT_ONCE]) for first in range(0, len(windows), _AT_ONCE)]

    def confusions(self, network: nn.Module) -> dict[str, Int64[np.ndarray, "grades grades"]]:
        """None: a locator grades nothing."""
        return {}

    def export(self, networks: list[nn.Module], folder: Path) -> ModelFacts:
        """The locator as ONNX; its golden input is a window of noise."""
        (network,) = networks
        stride = LOCATORS[self.experiment.network].stride
        sha256 = export_onnx(network, example_picture(stride), ["maps"], {2: stride, 3: stride}, folder)
        inputs: dict[str, Any] = {"pixel_mm": PIXEL_MM, "stride": stride}
        if self.experiment.network in NAMED_BY:
            inputs[NAMES_BY] = NAMED_BY[self.experiment.network]
        return ModelFacts("locator", {"maps": CHANNELS}, inputs, {}, sha256, network_facts(self.experiment, network))

    def sample_counts(self) -> dict[str, int]:
        """Number of slices by source."""
        return dict(Counter(_source(sample) for sample in self.samples))


def _stacked(windows: Sequence[tuple[np.ndarray, ...]]) -> Batch:
    images, *targets = (torch.from_numpy(np.stack(part)) for part in zip(*windows, strict=True))
    return images.contiguous(memory_format=torch.channels_last), *targets


def _source(sample: AnySlice) -> str:
    return sample.name.split(":")[0]


Window = tuple[
    Float32[np.ndarray, "3 rows columns"],
    Float32[np.ndarray, "channels rows columns"],
    Float32[np.ndarray, "channels rows columns"],
]


@dataclass(frozen=True, slots=True)
class View:
    """Which window of a slice is seen, and by which scanner."""

    warp: Warp
    scanner: Scanner


def draw_view(sample: LocatorSample, rng: Generator, strength: tuple[float, float], shape: tuple[int, int]) -> View:
    """A window of a slice, moved and rescanned at random.

    Args:
        strength: of the scanner's change, and the spread of its resolution; shape: rows and columns of the window.
    """
    return View(_draw_warp(sample, rng, shape), draw_scanner(rng, strength[0], resolution=strength[1]))


def look(sample: LocatorSample, view: View) -> Window:
    """A window of a slice: network input, targets 0..1, known 0 or 1."""
    image = warp(sample.image[None], view.warp)[0]
    known = warp((sample.targets != UNKNOWN).astype(np.float32), view.warp) > 0.99
    targets = warp(np.where(sample.targets == UNKNOWN, 0, sample.targets).astype(np.float32) / ONE, view.warp)
    grey = np.clip(image / max(float(np.percentile(image, 99.5)), 1e-6), 0, 1.3)
    views = three_views(rescan(grey, view.scanner), PIXEL_MM)
    return views, np.where(known, targets, 0).astype(np.float32), known.astype(np.float32)


def _draw_warp(sample: LocatorSample, rng: Generator, shape: tuple[int, int]) -> Warp:
    """A window about a random disc or other point, seldom about any place, of varied size and tilt."""
    rows, columns = sample.image.shape
    centers = np.argwhere((sample.targets[_POINT_CHANNELS] == ONE).any(0))
    if len(centers) and rng.random() < 0.93:
        center = centers[rng.integers(len(centers))] + rng.normal(0, 40, 2)
    else:
        center = rng.uniform(0, 1, 2) * (rows, columns)
    return Warp(
        center=(float(center[0]), float(center[1])),
        rotation_degrees=float(rng.normal(0, 8)),
        scale=float(np.exp(rng.normal(0, 0.14))),
        stretch=float(np.exp(rng.normal(0, 0.04))),
        shape=shape,
    )
