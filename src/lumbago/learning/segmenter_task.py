"""Training a network that draws tissues for their sizes, on phantoms alone: nobody has drawn them on patients' slices
that may be used."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.random import Generator
from torch import Tensor, nn

from lumbago.errors import SettingsRefused
from lumbago.learning.augment import Warp, draw_scanner, rescan, warp
from lumbago.learning.axial_samples import axial_samples
from lumbago.learning.experiment import Experiment
from lumbago.learning.foramen_samples import foramen_samples
from lumbago.learning.locator_network import LOCATORS, example_picture, fresh_locator, network_facts
from lumbago.learning.locator_targets import ONE, LocatorSample
from lumbago.learning.locator_task import AnySlice, LocatorTask, View
from lumbago.learning.losses import map_loss
from lumbago.learning.places import Places
from lumbago.learning.sample_cache import Preparation
from lumbago.learning.write_card import ModelFacts
from lumbago.networks.export_onnx import export_onnx
from lumbago.pipeline.draw_axial import AXIAL
from lumbago.pipeline.draw_foramina import FORAMINA
from lumbago.pipeline.drawn_tissues import Window
from lumbago.pipeline.normalise import three_views

_OFF_MM = 6.0
_WILD = 0.3
"""Spread of what lies in the middle about its true place, more than the locator's error; share of made-up contrasts."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is drawn about an anchor: its window, its samples given the first seed, how many phantoms and how they are
    prepared, and whether it looks alike from both sides."""

    window: Window
    samples: Callable[[int, int, Preparation], list[AnySlice]]
    is_mirrored: bool


SUBJECTS: Final[Mapping[str, Subject]] = {
    "disc": Subject(AXIAL, axial_samples, is_mirrored=True),
    "foramen": Subject(FORAMINA, foramen_samples, is_mirrored=False),
}
"""By `Experiment.anchor`: axial slices at discs, sagittal ones at foramina."""


class SegmenterTask(LocatorTask):
    """Batches of windows about an anchor with target maps of its subject's channels."""

    def __init__(self, experiment: Experiment, samples: Sequence[AnySlice], unseen: Sequence[AnySlice] = ()) -> None:
        super().__init__(experiment, samples, unseen)
        self.subject = _subject(experiment)
        self.shape = self.subject.window.size, self.subject.window.size

    @classmethod
    def of_phantoms(cls, experiment: Experiment, places: Places) -> "SegmenterTask":
        """Makes the phantoms.

        Raises:
            SettingsRefused: an anchor about which nothing is drawn.
        """
        first, count, samples = experiment.phantom_seed, experiment.phantoms, _subject(experiment).samples
        unseen = samples(first + count, experiment.validation_phantoms, places.preparing)
        return cls(experiment, samples(first, count, places.preparing), unseen)

    def network(self) -> nn.Module:
        """A fresh one, its encoder from ImageNet if wished and at hand."""
        return fresh_locator(self.experiment, self.subject.window.channels)

    def _window(self, sample: AnySlice, seed: int, strength: float, resolution: float) -> tuple[np.ndarray, ...]:
        opened = sample.open()
        view = draw_view(opened, np.random.default_rng(seed), (strength, resolution), self.subject)
        return drawn_look(opened, view, self.subject.window.pixel_mm)

    def loss(self, outputs: Tensor, targets: tuple[Tensor, ...]) -> Tensor:
        """As the locator's, but each pixel counts the same: sizes are read off these maps, which must not be drawn too
        wide."""
        wanted, known = targets
        return map_loss(outputs, wanted, known, gain=1.0)

    def export(self, networks: list[nn.Module], folder: Path) -> ModelFacts:
        """The network as ONNX; its golden input is a window of noise."""
        (network,) = networks
        stride = LOCATORS[self.experiment.network].stride
        sha256 = export_onnx(network, example_picture(stride), ["maps"], {2: stride, 3: stride}, folder)
        inputs = {"pixel_mm": self.subject.window.pixel_mm, "stride": stride}
        outputs = {"maps": self.subject.window.channels}
        return ModelFacts("segmenter", outputs, inputs, {}, sha256, network_facts(self.experiment, network))


def _subject(experiment: Experiment) -> Subject:
    if experiment.anchor not in SUBJECTS:
        raise SettingsRefused(
            f"{experiment.name} is to draw about a {experiment.anchor}", f"one of {', '.join(SUBJECTS)}"
        )
    return SUBJECTS[experiment.anchor]


def draw_view(sample: LocatorSample, rng: Generator, how: tuple[float, float], subject: Subject) -> View:
    """A window about the middle, of varied place, size and tilt; `how` strongly, and how much pixels vary."""
    (strength, resolution), window = how, subject.window
    rows, columns = sample.image.shape
    off = rng.normal(0, strength * _OFF_MM / window.pixel_mm, 2)
    place = Warp(
        center=((rows - 1) / 2 + float(off[0]), (columns - 1) / 2 + float(off[1])),
        rotation_degrees=float(rng.normal(0, 6 * strength)),
        scale=float(np.exp(rng.normal(0, 0.12 * strength))),
        stretch=float(np.exp(rng.normal(0, 0.05 * strength)))
        * (-1 if subject.is_mirrored and rng.random() >= 0.5 else 1),
        shape=(window.size, window.size),
    )
    return View(place, draw_scanner(rng, strength, wild=_WILD * strength, resolution=resolution))


def drawn_look(sample: LocatorSample, view: View, pixel_mm: float) -> tuple[np.ndarray, ...]:
    """A window of a slice: network input, targets 0..1, known 1."""
    image = warp(sample.image[None], view.warp)[0]
    targets = warp(sample.targets.astype(np.float32) / ONE, view.warp)
    grey = np.clip(image / max(float(np.percentile(image, 99.5)), 1e-6), 0, 1.3)
    return three_views(rescan(grey, view.scanner), pixel_mm), targets, np.ones_like(targets)
