"""Axial slices of phantoms, what is to be drawn on them, and the network that learns it."""

from pathlib import Path

import numpy as np
import pytest
import torch

from lumbago.anatomy.levels import LEVELS, Side
from lumbago.inference.weights import load_model
from lumbago.learning.axial_samples import axial_samples
from lumbago.learning.axial_task import AxialTask
from lumbago.learning.experiment import Experiment
from lumbago.learning.locator_targets import ONE, LocatorSample
from lumbago.learning.places import Places
from lumbago.learning.run_training import train_model
from lumbago.phantom.measure_truth import measure_truth
from lumbago.phantom.sample_spine import sample_spine
from lumbago.pipeline.draw_axial import AXIAL_MM, CHANNELS, WINDOW, draw_picture

SMALL = Experiment("axial-tissues", "segmenter", phantoms=1, steps=1, batch=2, pretrained=False, network="lite0-short")
SEED = 17


@pytest.fixture(scope="module")
def samples() -> list[LocatorSample]:
    return [sample.open() for sample in axial_samples(SEED, 1)]


def filled(sample: LocatorSample, name: str) -> np.ndarray:
    """The share of each pixel that a structure fills."""
    return np.asarray(sample.targets[CHANNELS.index(name)] / ONE)


def test_a_slice_a_disc(samples: list[LocatorSample]) -> None:
    assert len(samples) == len(LEVELS)
    for sample in samples:
        assert sample.targets.shape == (len(CHANNELS), *sample.image.shape) and sample.patient == f"phantom:{SEED}"
        assert sample.image.shape[0] * AXIAL_MM == pytest.approx(120, abs=3)


def test_targets_are_as_large_as_the_truth(samples: list[LocatorSample]) -> None:
    """The truth is of planes along the disc, the targets of a slice near them."""
    off = []
    for sample, truth in zip(samples, measure_truth(sample_spine(SEED)), strict=True):
        sac, recess = filled(sample, "sac"), filled(sample, "recess")
        assert sac.sum() * AXIAL_MM**2 == pytest.approx(truth.sac_area_mm2, rel=0.35)
        middle = round(float(np.nonzero(sac > 0.5)[1].mean()))
        halves: dict[Side, np.ndarray] = {"left": recess[:, middle:], "right": recess[:, :middle]}
        for side, half in halves.items():
            depths = half.sum(axis=0)[half.any(axis=0)] * AXIAL_MM
            off.append(float(np.median(depths)) - truth.sides[side].recess_depth_mm)
            assert depths.size * AXIAL_MM == pytest.approx(3.0, abs=1.5)
    assert abs(np.median(off)) < 0.8


def test_tissues_lie_where_they_do(samples: list[LocatorSample]) -> None:
    for sample in samples:
        rows = {name: np.nonzero(filled(sample, name) > 0.5)[0].mean() for name in CHANNELS}
        assert rows["disc"] < rows["recess"] < rows["sac"] + 10, "a disc lies in front"


def test_windows_are_shaken_and_replayed(samples: list[LocatorSample]) -> None:
    task = AxialTask(SMALL, samples, samples[:2])
    images, targets, known = task.batch(np.random.default_rng(1))
    assert images.shape == (2, 3, WINDOW, WINDOW) and targets.shape == known.shape == (2, len(CHANNELS), WINDOW, WINDOW)
    assert torch.equal(images, task.batch(np.random.default_rng(1))[0])
    assert not torch.equal(images, task.batch(np.random.default_rng(2))[0])
    ((seen, wanted, _),) = task.validation()
    assert seen.shape[0] == 2 and float(wanted.min()) >= 0 and float(wanted.max()) <= 1


def test_a_pixel_too_much_costs_as_much_as_one_too_few(samples: list[LocatorSample]) -> None:
    """Else what is drawn were too wide, and every size with it."""
    task = AxialTask(SMALL, samples)
    wanted, known = torch.full((1, 3, 4, 4), 0.25), torch.ones(1, 3, 4, 4)
    chances = torch.linspace(0.05, 0.95, 19)
    losses = [float(task.loss(torch.logit(chance).expand(1, 3, 4, 4), (wanted, known))) for chance in chances]
    assert float(chances[int(np.argmin(losses))]) == pytest.approx(0.25, abs=0.01)


def test_from_one_step_to_a_drawing(samples: list[LocatorSample], tmp_path: Path) -> None:
    folder = train_model(SMALL, Places(tmp_path, tmp_path / "run"), lambda *_: None, resume=False)
    model = load_model(folder.name, folder.parent)
    assert (model.card.kind, model.card.outputs, model.card.conditions) == ("segmenter", {"maps": CHANNELS}, ())
    assert model.card.trained_on == "phantoms" and "not validated on patients" in model.card.caution
    maps = draw_picture(model, np.ascontiguousarray(samples[0].image[:WINDOW, :WINDOW]))
    assert maps.shape == (len(CHANNELS), WINDOW, WINDOW) and maps.min() >= 0 and maps.max() <= 1
