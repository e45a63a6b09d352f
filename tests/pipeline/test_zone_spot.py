"""A spot of the annulus is found where it is; nucleus, marrow and fluid are none."""

from dataclasses import replace

import numpy as np
import pytest

from lumbago.dicom.volume import Volume
from lumbago.pipeline.crop_patches import PatchFrame
from lumbago.pipeline.locate_discs import DiscFrame, LocatedDisc
from lumbago.pipeline.measure_spine import SignalReference
from lumbago.pipeline.place_patches import PlacedPatch
from lumbago.pipeline.zone_spot import find_spot, t1_signal, t1_words

SLICES, SIZE, PIXEL_MM = 5, 160, 0.5
FRONT, BACK, HALF_HEIGHT = -16.0, 14.0, 4.5
BACKWARD, DOWN = np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.0, -1.0])
FRAME = DiscFrame(BACKWARD, DOWN, 30.0, 9.0)
Spots = dict[int, tuple[float, float]]


def picture(spots: Spots, spot: float = 0.8, tissue: tuple[float, float, float] = (0.5, 0.1, 0.6)) -> Volume:
    """Slices 4 mm apart of a disc about (0, 0): marrow, a dark annulus, a bright nucleus, fluid behind; and on some
    slices a spot of 2.4 mm, `(back, down)`.

    Args:
        tissue: signal of marrow, annulus, nucleus.
    """
    grid = (np.arange(SIZE) - SIZE / 2) * PIXEL_MM
    down, back = np.meshgrid(grid, grid, indexing="ij")
    marrow, annulus, nucleus = tissue
    array = np.full((SLICES, SIZE, SIZE), marrow, np.float32)
    array[:, (abs(down) < HALF_HEIGHT) & (back > FRONT) & (back < BACK)] = annulus
    array[:, (back / 8) ** 2 + (down / 3) ** 2 < 1] = nucleus
    array[:, back > BACK + 2] = 1.0
    for index, (at_back, at_down) in spots.items():
        array[index, np.hypot(back - at_back, down - at_down) < 1.2] = spot
    corner = -SIZE / 2 * PIXEL_MM
    affine = np.array([[4.0, 0, 0, -8.0], [0, 0, PIXEL_MM, corner], [0, -PIXEL_MM, 0, -corner], [0, 0, 0, 1]])
    return Volume(array, affine, headers=())


def placed(volume: Volume) -> PlacedPatch:
    outline = tuple((0.0, back, -down) for back, down in (
        (FRONT, -HALF_HEIGHT), (BACK, -HALF_HEIGHT), (BACK, HALF_HEIGHT), (FRONT, HALF_HEIGHT),
    ))  # fmt: skip
    disc = LocatedDisc("L4/L5", 0.9, 2, np.zeros(3), FRAME, outline, np.array([0.0, 20.0, 0.0]), 12.0)
    place = PatchFrame(2, np.array([0.0, 6.0, 0.0]), BACKWARD, DOWN)
    return PlacedPatch("L4/L5", None, volume, place, np.zeros(3), disc, SignalReference(1.0, 0.5))


@pytest.mark.parametrize(
    "part, place", [("posterior", (11.5, 1.0)), ("posterior", (12.0, -2.0)), ("anterior", (-13.0, 0.0))]
)
@pytest.mark.parametrize("index", [1, 3])
def test_a_spot_is_found_where_it_is(part: str, place: tuple[float, float], index: int) -> None:
    spot = find_spot(placed(picture({index: place})), part, range(SLICES))
    assert spot is not None and spot.slice_index == index
    np.testing.assert_allclose(spot.point_lps_mm, (4.0 * index - 8.0, place[0], -place[1]), atol=0.6)
    assert 0.3 < spot.contrast < 0.75


@pytest.mark.parametrize("part", ["anterior", "posterior"])
def test_nucleus_marrow_and_fluid_are_no_spot(part: str) -> None:
    assert find_spot(placed(picture({})), part, range(SLICES)) is None
    other = {"anterior": (11.5, 1.0), "posterior": (-13.0, 0.0)}[part]
    assert find_spot(placed(picture({2: other})), part, range(SLICES)) is None


def test_a_disc_without_outline_or_reference_has_none() -> None:
    patch = placed(picture({2: (11.5, 1.0)}))
    assert find_spot(replace(patch, disc=replace(patch.disc, outline_lps_mm=())), "posterior", range(SLICES)) is None
    assert find_spot(replace(patch, reference=None), "posterior", range(SLICES)) is None


def test_the_signal_on_t1_is_that_of_the_spot_against_the_disc() -> None:
    spot = np.array([0.0, 11.5, -1.0])
    frame = placed(picture({})).frame
    for signal, words in ((0.6, "bright on T1"), (0.3, "not bright on T1"), (0.1, "not bright on T1")):
        t1 = picture({2: (11.5, 1.0)}, signal, (0.8, 0.3, 0.3))
        ratio = t1_signal(t1, spot, np.zeros(3), frame)
        assert ratio is not None and t1_words(ratio) == words
    assert t1_signal(replace(t1, array=np.zeros_like(t1.array)), spot, np.zeros(3), frame) is None
