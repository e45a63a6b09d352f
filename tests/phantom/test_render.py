"""Tissue where the spec says it is, and the same whichever way it is looked at."""

import numpy as np
import pytest

from lumbago.anatomy.levels import LEVELS, SIDES
from lumbago.phantom.landmarks import landmarks
from lumbago.phantom.render_spine import SliceRenderer, render, render_tissue
from lumbago.phantom.sample_spine import sample_spine
from lumbago.phantom.spine_spec import SpineSpec
from lumbago.phantom.tissues import (
    EXITING_LEFT,
    EXITING_RIGHT,
    FIRST_BODY,
    FIRST_DISC,
    LABELS,
    SAC,
    Tissue,
    training_labels,
)

SEEDS = (11, 12, 13)


def at(spec: SpineSpec, *points: tuple[float, float, float]) -> tuple[np.ndarray, np.ndarray]:
    rendered = render(spec, np.array(points, np.float32))
    return rendered.tissue, rendered.part


def slab(spec: SpineSpec) -> np.ndarray:
    """A coarse grid of points through the whole lumbar spine."""
    center = np.array(landmarks(spec).disc("L3/L4").center_lps_mm)
    axes = (np.arange(-60, 61, 6.0), np.arange(-40, 81, 6.0), np.arange(-120, 121, 6.0))
    return np.asarray(center + np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1), np.float32)


@pytest.mark.parametrize("seed", SEEDS)
def test_landmarks_lie_in_their_structures(seed: int) -> None:
    spec = sample_spine(seed)
    places = landmarks(spec)
    for level in LEVELS:
        index = [segment.name for segment in spec.segments].index(level)
        disc = places.disc(level)
        assert at(spec, disc.canal_lps_mm)[1] == SAC
        assert at(spec, disc.center_lps_mm)[1] in (FIRST_DISC + index, FIRST_BODY + index, FIRST_BODY + index + 1)
        parts = at(spec, *(disc.foramen_lps_mm[side] for side in SIDES))[1]
        assert list(parts) == [EXITING_LEFT, EXITING_RIGHT]
    inner = range(1, len(spec.vertebrae) - 1)
    tissue, part = at(spec, *(places.bodies_lps_mm[spec.vertebrae[index].name] for index in inner))
    assert list(part) == [FIRST_BODY + index for index in inner]
    assert Tissue.CSF not in tissue


@pytest.mark.parametrize("seed", SEEDS)
def test_mirror_image_swaps_sides(seed: int) -> None:
    spec = sample_spine(seed)
    points = slab(spec)
    mirrored = points.copy()
    mirrored[..., 0] = 2 * np.float32(spec.offset_lps_mm[0]) - points[..., 0]
    assert np.mean(render_tissue(spec.mirrored(), mirrored) == render_tissue(spec, points)) > 0.999
    there, here = landmarks(spec.mirrored()).disc("L4/L5"), landmarks(spec).disc("L4/L5")
    assert there.recess_lps_mm["left"][0] > there.recess_lps_mm["right"][0]
    assert there.recess_lps_mm["left"][1:] == pytest.approx(here.recess_lps_mm["right"][1:], abs=0.01)


def test_points_may_come_in_any_shape_and_order() -> None:
    spec = sample_spine(14)
    points = slab(spec)
    whole = render(spec, points)
    order = np.random.default_rng(0).permutation(points[..., 0].size)
    flat = render(spec, points.reshape(-1, 3)[order])
    assert whole.tissue.shape == points.shape[:-1]
    assert np.array_equal(flat.tissue, whole.tissue.ravel()[order])
    assert np.array_equal(flat.part, whole.part.ravel()[order])


def test_sub_slice_that_is_not_moved_is_the_slice() -> None:
    spec = sample_spine(15)
    points = slab(spec).reshape(-1, 3)
    renderer = SliceRenderer(spec, points)
    middle, again = renderer.render(np.stack([points[renderer.thick]] * 2))
    assert np.array_equal(middle.tissue, render(spec, points).tissue)
    for tissue in again.tissue:
        assert np.array_equal(tissue, middle.tissue[renderer.thick])


@pytest.mark.parametrize("seed", SEEDS)
def test_spine_is_whole(seed: int) -> None:
    rendered = render(sample_spine(seed), slab(sample_spine(seed)))
    classes = {LABELS[number] for number in np.unique(training_labels(rendered.part))}
    assert {"L2", "L3", "L4", "L5", "L3/L4", "L4/L5", "canal", "arch"} <= classes
    seen = set(np.unique(rendered.tissue))
    assert {Tissue.CSF, Tissue.MARROW, Tissue.MUSCLE, Tissue.CORTEX, Tissue.ROOT, Tissue.EPIDURAL_FAT} <= seen


def test_every_disc_and_body_has_a_class() -> None:
    spec = sample_spine(1)
    bodies = [
        LABELS[n] for n in training_labels(np.arange(FIRST_BODY, FIRST_BODY + len(spec.vertebrae), dtype=np.uint8))
    ]
    assert bodies[5:11] == ["L1", "L2", "L3", "L4", "L5", "S1"]
    discs = [LABELS[n] for n in training_labels(np.arange(FIRST_DISC, FIRST_DISC + len(spec.segments), dtype=np.uint8))]
    assert discs[5:11] == [*LEVELS, "sacral disc"]
