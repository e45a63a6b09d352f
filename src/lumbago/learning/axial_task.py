"""Training the network that draws sac, disc and recesses on axial slices, on phantoms alone: nobody has drawn them on
patients' slices that may be used."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.random import Generator
from torch import Tensor, nn

from lumbago.learning.augment import Warp, draw_scanner, rescan, warp
from lumbago.learning.axial_samples import axial_samples
from lumbago.learning.experiment import Experiment
from lumbago.learning.locator_network import LOCATORS, example_picture, fresh_locator, network_facts
from lumbago.learning.locator_targets import ONE, LocatorSample
from lumbago.learning.locator_task import AnySlice, LocatorTask, View
from lumbago.learning.losses import map_loss
from lumbago.learning.places import Places
from lumbago.learning.write_card import ModelFacts
from lumbago.networks.export_onnx import export_onnx
from lumbago.pipeline.draw_axial import AXIAL_MM, CHANNELS, WINDOW
from lumbago.pipeline.normalise import three_views

_OFF_MM = 6.0
_WILD = 0.3
"""Spread of what lies in the middle about the canal, more than the locator's error; share of made-up contrasts."""


class AxialTask(LocatorTask):
    """Batches of windows about the canal with target maps of `draw_axial.CHANNELS`."""

    def __init__(self, experiment: Experiment, samples: Sequence[AnySlice], unseen: Sequence[AnySlice] = ()) -> None:
        super().__init__(experiment, samples, unseen)
        self.shape = WINDOW, WINDOW

    @classmethod
    def of_phantoms(cls, experiment: Experiment, places: Places) -> "AxialTask":
        """Makes the phantoms."""
        first, count = experiment.phantom_seed, experiment.phantoms
        unseen = axial_samples(first + count, experiment.validation_phantoms, places.preparing)
        return cls(experiment, axial_samples(first, count, places.preparing), unseen)

    def network(self) -> nn.Module:
        """A fresh one, its encoder from ImageNet if wished and at hand."""
        return fresh_locator(self.experiment, CHANNELS)

    def _window(self, sample: AnySlice, seed: int, strength: float, resolution: float) -> tuple[np.ndarray, ...]:
        opened = sample.open()
        return axial_look(opened, _draw_view(opened, np.random.default_rng(seed), strength, resolution))

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
        inputs = {"pixel_mm": AXIAL_MM, "stride": stride}
        return ModelFacts("segmenter", {"maps": CHANNELS}, inputs, {}, sha256, network_facts(self.experiment, network))


def _draw_view(sample: LocatorSample, rng: Generator, strength: float, resolution: float) -> View:
    """A window about the middle, of varied place, size and tilt."""
    rows, columns = sample.image.shape
    off = rng.normal(0, strength * _OFF_MM / AXIAL_MM, 2)
    place = Warp(
        center=((rows - 1) / 2 + float(off[0]), (columns - 1) / 2 + float(off[1])),
        rotation_degrees=float(rng.normal(0, 6 * strength)),
        scale=float(np.exp(rng.normal(0, 0.12 * strength))),
        stretch=float(np.exp(rng.normal(0, 0.05 * strength))) * (1 if rng.random() < 0.5 else -1),
        shape=(WINDOW, WINDOW),
    )
    return View(place, draw_scanner(rng, strength, wild=_WILD * strength, resolution=resolution))


def axial_look(sample: LocatorSample, view: View) -> tuple[np.ndarray, ...]:
    """A window of a slice: network input, targets 0..1, known 1."""
    image = warp(sample.image[None], view.warp)[0]
    targets = warp(sample.targets.astype(np.float32) / ONE, view.warp)
    grey = np.clip(image / max(float(np.percentile(image, 99.5)), 1e-6), 0, 1.3)
    return three_views(rescan(grey, view.scanner), AXIAL_MM), targets, np.ones_like(targets)
