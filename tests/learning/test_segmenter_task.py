"""Slices of phantoms at discs and foramina, what is to be drawn on them, and the network that learns it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from lumbago.anatomy.levels import LEVELS, SIDES, Side
from lumbago.errors import SettingsRefused
from lumbago.inference.weights import load_model
from lumbago.learning.axial_samples import axial_samples
from lumbago.learning.experiment import Experiment
from lumbago.learning.foramen_samples import foramen_samples
from lumbago.learning.locator_targets import ONE, LocatorSample
from lumbago.learning.places import Places
from lumbago.learning.run_training import train_model
from lumbago.learning.segmenter_task import SUBJECTS, SegmenterTask, draw_view
from lumbago.phantom.measure_truth import measure_truth
from lumbago.phantom.sample_spine import sample_spine
from lumbago.pipeline.draw_axial import AXIAL
from lumbago.pipeline.draw_foramina import FORAMINA
from lumbago.pipeline.drawn_tissues import draw_picture

SMALL = Experiment("axial-tissues", "segmenter", phantoms=1, steps=1, batch=2, pretrained=False, network="lite0-short")
SEED = 17


@pytest.fixture(scope="module")
def samples() -> list[LocatorSample]:
    return [sample.open() for sample in axial_samples(SEED, 1)]


def filled(sample: LocatorSample, name: str) -> np.ndarray:
    """The share of each pixel that a structure fills."""
    return np.asarray(sample.targets[AXIAL.channels.index(name)] / ONE)


def test_a_slice_a_disc(samples: list[LocatorSample]) -> None:
    assert len(samples) == len(LEVELS)
    for sample in samples:
        assert (
            sample.targets.shape == (len(AXIAL.channels), *sample.image.shape) and sample.patient == f"phantom:{SEED}"
        )
        assert sample.image.shape[0] * AXIAL.pixel_mm == pytest.approx(120, abs=3)


def test_targets_are_as_large_as_the_truth(samples: list[LocatorSample]) -> None:
    """The truth is of planes along the disc, the targets of a slice near them."""
    off = []
    for sample, truth in zip(samples, measure_truth(sample_spine(SEED)), strict=True):
        sac, recess = filled(sample, "sac"), filled(sample, "recess")
        assert sac.sum() * AXIAL.pixel_mm**2 == pytest.approx(truth.sac_area_mm2, rel=0.35)
        middle = round(float(np.nonzero(sac > 0.5)[1].mean()))
        halves: dict[Side, np.ndarray] = {"left": recess[:, middle:], "right": recess[:, :middle]}
        for side, half in halves.items():
            depths = half.sum(axis=0)[half.any(axis=0)] * AXIAL.pixel_mm
            off.append(float(np.median(depths)) - truth.sides[side].recess_depth_mm)
            assert depths.size * AXIAL.pixel_mm == pytest.approx(3.0, abs=1.5)
    assert abs(np.median(off)) < 0.8


def test_tissues_lie_where_they_do(samples: list[LocatorSample]) -> None:
    for sample in samples:
        rows = {name: np.nonzero(filled(sample, name) > 0.5)[0].mean() for name in AXIAL.channels}
        assert rows["disc"] < rows["recess"] < rows["sac"] + 10, "a disc lies in front"


def test_windows_are_shaken_and_replayed(samples: list[LocatorSample]) -> None:
    task = SegmenterTask(SMALL, samples, samples[:2])
    images, targets, known = task.batch(np.random.default_rng(1))
    size, channels = AXIAL.size, len(AXIAL.channels)
    assert images.shape == (2, 3, size, size) and targets.shape == known.shape == (2, channels, size, size)
    assert torch.equal(images, task.batch(np.random.default_rng(1))[0])
    assert not torch.equal(images, task.batch(np.random.default_rng(2))[0])
    ((seen, wanted, _),) = task.validation()
    assert seen.shape[0] == 2 and float(wanted.min()) >= 0 and float(wanted.max()) <= 1


def test_a_pixel_too_much_costs_as_much_as_one_too_few(samples: list[LocatorSample]) -> None:
    """Else what is drawn were too wide, and every size with it."""
    task = SegmenterTask(SMALL, samples)
    wanted, known = torch.full((1, 3, 4, 4), 0.25), torch.ones(1, 3, 4, 4)
    chances = torch.linspace(0.05, 0.95, 19)
    losses = [float(task.loss(torch.logit(chance).expand(1, 3, 4, 4), (wanted, known))) for chance in chances]
    assert float(chances[int(np.argmin(losses))]) == pytest.approx(0.25, abs=0.01)


def test_from_one_step_to_a_drawing(samples: list[LocatorSample], tmp_path: Path) -> None:
    folder = train_model(SMALL, Places(tmp_path, tmp_path / "run"), lambda *_: None, resume=False)
    model = load_model(folder.name, folder.parent)
    assert (model.card.kind, model.card.outputs, model.card.conditions) == ("segmenter", {"maps": AXIAL.channels}, ())
    assert model.card.trained_on == "phantoms" and "not validated on patients" in model.card.caution
    maps = draw_picture(model, np.ascontiguousarray(samples[0].image[: AXIAL.size, : AXIAL.size]), AXIAL.pixel_mm)
    assert maps.shape == (len(AXIAL.channels), AXIAL.size, AXIAL.size) and maps.min() >= 0 and maps.max() <= 1


@pytest.fixture(scope="module")
def foramina() -> list[LocatorSample]:
    return [sample.open() for sample in foramen_samples(SEED, 1)]


def test_openings_are_as_large_as_the_truth(foramina: list[LocatorSample]) -> None:
    """The truth is of a plane through the ganglion, the targets of a slice near it."""
    truths = [(truth, side) for truth in measure_truth(sample_spine(SEED)) for side in SIDES]
    heights, areas = [], []
    for sample, (truth, side) in zip(foramina, truths, strict=True):
        opening, ganglion = sample.targets / ONE
        assert (ganglion <= opening).all() and ganglion.any()
        middle, reach = opening.shape[0] // 2, round(18 / FORAMINA.pixel_mm)
        own = opening[middle - reach : middle + reach, middle - reach // 2 : middle + reach // 2]
        heights.append((float((own > 0.5).any(1).sum()) * FORAMINA.pixel_mm, truth.sides[side].foramen_height_mm))
        areas.append((float(own.sum()) * FORAMINA.pixel_mm**2, truth.sides[side].foramen_area_mm2))
    tall, (drawn, true) = np.diff(heights)[:, 0], np.array(areas).T
    assert abs(np.median(tall)) < 1.5 and np.abs(tall).max() < 4.0
    assert abs(np.median(drawn - true)) < 15.0 and np.corrcoef(drawn, true)[0, 1] > 0.9


def test_the_ganglion_lies_in_the_middle(foramina: list[LocatorSample]) -> None:
    for sample in foramina:
        rows, columns = np.nonzero(sample.targets[FORAMINA.channels.index("ganglion")] == ONE)
        away = np.hypot(rows - (sample.image.shape[0] - 1) / 2, columns - (sample.image.shape[1] - 1) / 2)
        assert away.min() * FORAMINA.pixel_mm < 2.0


def test_foramina_are_seen_from_one_side_alone(foramina: list[LocatorSample]) -> None:
    """What lies behind stays behind, unlike left and right on axial slices."""
    for anchor, signs in (("foramen", {1.0}), ("disc", {1.0, -1.0})):
        rngs = (np.random.default_rng(seed) for seed in range(12))
        views = [draw_view(foramina[0], rng, (1.0, 0.3), SUBJECTS[anchor]) for rng in rngs]
        assert {float(np.sign(view.warp.stretch)) for view in views} == signs
    task = SegmenterTask(replace(SMALL, anchor="foramen"), foramina)
    assert task.batch(np.random.default_rng(1))[1].shape == (2, len(FORAMINA.channels), FORAMINA.size, FORAMINA.size)


def test_nothing_is_drawn_about_other_anchors(foramina: list[LocatorSample]) -> None:
    with pytest.raises(SettingsRefused, match="to draw about a canal"):
        SegmenterTask(replace(SMALL, anchor="canal"), foramina)
