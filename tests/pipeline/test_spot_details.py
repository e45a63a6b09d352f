"""Where in its disc a spot lies, and how many slices show it."""

import numpy as np
import pytest

from lumbago.dicom.volume import Volume
from lumbago.pipeline.crop_patches import PatchFrame, PatchRecipe
from lumbago.pipeline.spot_details import along_mm, each_alone, part_of_disc, peak_lps_mm, slice_details

FRAME = PatchFrame(2, np.array([3.0, 5.0, -7.0]), np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.0, -1.0]))
RECIPE = PatchRecipe("disc", 64, 96, 0.5, 5)


@pytest.mark.parametrize(
    "cell, place",
    [((0, 0), (3.0, 5.0 - 22.0, -7.0 + 14.0)), ((7, 11), (3.0, 5.0 + 22.0, -7.0 - 14.0))],
)
def test_the_peak_is_the_middle_of_its_cell(cell: tuple[int, int], place: tuple[float, float, float]) -> None:
    """Cells of 4 mm over 32 x 48 mm."""
    heat = np.zeros((8, 12), np.float32)
    heat[cell] = 1.0
    np.testing.assert_allclose(peak_lps_mm(heat, FRAME, RECIPE), place)


def test_the_place_along_the_columns_is_that_of_what_stands_out() -> None:
    """Cells of 4 mm over 48 mm: two that stand out as far, one that does less than half as far, and a raised ground."""
    heat = np.full((8, 12), 0.2, np.float32)
    heat[3, 8] = heat[4, 9] = 1.0
    heat[0, 0] = 0.5
    assert along_mm(heat, RECIPE) == pytest.approx(12.0, abs=1e-4)
    assert along_mm(heat[:, ::-1], RECIPE) == pytest.approx(-12.0, abs=1e-4)


def test_front_and_back_go_by_the_disc_not_the_patch() -> None:
    center, back = np.zeros(3), np.array([0.0, 0.8, 0.6])
    assert part_of_disc(np.array([9.0, 16.0, 2.0]), center, back) == "posterior"
    assert part_of_disc(np.array([9.0, -16.0, 2.0]), center, back) == "anterior"


def numbered(slices: int) -> Volume:
    """Every slice has its number for a grey value."""
    array = np.arange(slices, dtype=np.float32)[:, None, None] * np.ones((slices, 80, 80), np.float32)
    affine = np.array([[4.0, 0, 0, 0], [0, 0, 1.0, -40], [0, -1.0, 0, 40], [0, 0, 0, 1]])
    return Volume(array, affine, headers=())


@pytest.mark.parametrize(
    "middle, votes, seen",
    [(5, 1, [3, 4, 5, 6, 7]), (5, 3, [2, 3, 4, 5, 6, 7, 8]), (1, 1, [0, 1, 2, 3]), (9, 1, [7, 8, 9])],
)
def test_every_slice_is_seen_once_by_itself(middle: int, votes: int, seen: list[int]) -> None:
    frame = PatchFrame(middle, np.zeros(3), FRAME.along, FRAME.down)
    alone = each_alone(numbered(10), frame, PatchRecipe("disc", 16, 16, 0.5, 5, votes))
    assert [one.shape for one in alone] == [(5, 16, 16)] * len(seen)
    assert [float(one.max()) for one in alone] == [float(one.min()) for one in alone] == seen


@pytest.mark.parametrize(
    "present, counted, in_a_row",
    [([0.1, 0.9, 0.8, 0.2, 0.1], 2, True), ([0.9, 0.1, 0.9], 2, False), ([0.4], 0, False), ([0.7], 1, False)],
)
def test_slices_are_counted(present: list[float], counted: int, in_a_row: bool) -> None:
    assert slice_details(np.array(present, np.float32)) == {
        "slices_counted": counted, "on_two_consecutive_slices": in_a_row, "slices_looked_at": len(present),
    }  # fmt: skip
