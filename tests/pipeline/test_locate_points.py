"""Foramina and recesses of a painted spine: on the right side, on the right slice, where they were painted."""

from dataclasses import replace

import numpy as np
import pytest
from painted_spine import DISCS, Disc, PaintedLocator, Spine, axial_block, sagittal_volume

from lumbago.anatomy.levels import SIDES, Side
from lumbago.dicom.patient_geometry import canonical_axial
from lumbago.dicom.volume import Volume
from lumbago.pipeline.locate_discs import LocatedDisc, SpineLocation, locate_discs
from lumbago.pipeline.locate_points import LocatedPoint, axial_slice_of, locate_foramina, locate_recesses

OUTWARD = {"left": 1.0, "right": -1.0}
MIDDLE_X = DISCS[0].center[0]
each_disc = pytest.mark.parametrize("disc", DISCS, ids=lambda disc: disc.level)
each_side = pytest.mark.parametrize("side", SIDES)

Points = dict[tuple[str, Side], LocatedPoint]


def within_slice(volume: Volume, index: int, point: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """(distance along the slice, distance of the slice from the truth), mm."""
    off = volume.to_ijk(point) - volume.to_ijk(truth)
    on_slice = volume.to_ijk(truth)[0] - index
    return float(np.hypot(*(off[1:] * volume.spacing_mm[1:]))), abs(float(on_slice * volume.spacing_mm[0]))


# --- foramina --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def foramina(locator: PaintedLocator, location: SpineLocation) -> Points:
    return locate_foramina(locator, location)


@each_disc
@each_side
def test_a_foramen_lies_where_it_was_painted(foramina: Points, spine: Spine, disc: Disc, side: Side) -> None:
    found = foramina[disc.level, side]
    along, across = within_slice(
        found.volume, found.slice_index, found.point_lps_mm, spine.foramen(disc, OUTWARD[side])
    )
    assert along < 0.8
    assert across <= 2.0
    assert found.confidence > 0.8


@each_side
def test_a_side_is_the_patients(foramina: Points, side: Side) -> None:
    """Left is +x in the patient, whichever way the slices were stored."""
    for (_, where), point in foramina.items():
        if where == side:
            assert OUTWARD[side] * (point.point_lps_mm[0] - MIDDLE_X) > 9


def test_only_the_side_that_was_painted_is_seen(locator: PaintedLocator) -> None:
    volume = sagittal_volume(Spine(sides=(-1.0,)))
    points = locate_foramina(locator, locate_discs(locator, volume))
    assert {side for (_, side), point in points.items() if point.confidence > 0} == {"right"}
    assert all(points[disc.level, "right"].point_lps_mm[0] < MIDDLE_X for disc in DISCS)


def test_without_slices_at_the_side_there_is_nothing(locator: PaintedLocator) -> None:
    location = locate_discs(locator, sagittal_volume(first_x=-5.0, slices=5))
    assert len(location.discs) == 5
    assert locate_foramina(locator, location) == {}


def test_slices_at_one_side_give_that_side(locator: PaintedLocator) -> None:
    location = locate_discs(locator, sagittal_volume(first_x=-5.0, slices=8))
    assert {side for _, side in locate_foramina(locator, location)} == {"left"}


def test_without_a_series_there_is_nothing(locator: PaintedLocator) -> None:
    assert locate_foramina(locator, None) == {}


def test_a_foramen_that_is_not_seen_is_guessed_beside_its_disc(locator: PaintedLocator) -> None:
    location = locate_discs(locator, sagittal_volume(Spine(sides=())))
    points = locate_foramina(locator, location)
    assert len(points) == 10
    for (level, side), point in points.items():
        disc = location.disc(level)
        assert disc is not None
        offset = point.point_lps_mm - disc.center_lps_mm
        assert point.confidence == 0
        assert OUTWARD[side] * offset[0] == pytest.approx(17, abs=3)
        assert -offset @ disc.frame.down == pytest.approx(8, abs=1)
        assert 15 < offset @ disc.frame.back < 25


def test_a_guess_beside_a_disc_that_is_seen_is_not_blind(locator: PaintedLocator) -> None:
    points = locate_foramina(locator, locate_discs(locator, sagittal_volume(Spine(sides=()))))
    assert {(point.confidence, point.is_blind) for point in points.values()} == {(0.0, False)}


def test_a_guess_on_slices_that_show_no_disc_is_blind(locator: PaintedLocator, location: SpineLocation) -> None:
    array, empty = location.volume.array.copy(), range(9)
    array[: len(empty)] = array[0, 0, 0]
    maps = {index: drawn for index, drawn in location.maps.items() if index not in empty}
    half = replace(location, volume=replace(location.volume, array=array), maps=maps)
    points = locate_foramina(locator, half)
    assert {(side, point.is_blind) for (_, side), point in points.items()} == {("right", True), ("left", False)}


def test_a_lone_slice_far_above_is_not_taken_for_a_foramen(locator: PaintedLocator, location: SpineLocation) -> None:
    """What is bright at the edge of the picture must not answer for a place that is out of the picture."""
    above = replace(location.discs[-1], center_lps_mm=location.discs[-1].center_lps_mm + np.array([0.0, 0.0, 90.0]))
    hot = {index: maps.copy() for index, maps in location.maps.items()}
    for index in range(15):
        hot.setdefault(index, next(iter(location.maps.values())).copy())[6, 0] = 0.99
    points = locate_foramina(locator, replace(location, discs=(above,), maps=hot))
    assert {point.confidence for point in points.values()} == {0.0}


# --- recesses --------------------------------------------------------------------------------------------------------


def recesses(locator: PaintedLocator, location: SpineLocation, blocks: list[Volume]) -> Points:
    return locate_recesses(locator, location.discs, blocks)


@pytest.fixture(scope="module")
def tilted(locator: PaintedLocator, location: SpineLocation) -> Points:
    """Blocks tilted with their discs, as they are planned."""
    return recesses(locator, location, [axial_block(disc, disc.tilt) for disc in DISCS])


@each_disc
@each_side
def test_a_recess_lies_where_it_was_painted(tilted: Points, spine: Spine, disc: Disc, side: Side) -> None:
    found = tilted[disc.level, side]
    along, across = within_slice(found.volume, found.slice_index, found.point_lps_mm, spine.recess(disc, OUTWARD[side]))
    assert along < 1.0
    assert across <= 2.1
    assert found.confidence > 0.8
    assert OUTWARD[side] * (found.point_lps_mm[0] - MIDDLE_X) > 7


def test_each_level_is_read_on_its_own_block(tilted: Points) -> None:
    volumes = {level: id(point.volume) for (level, _), point in tilted.items()}
    assert len(set(volumes.values())) == 5


def test_one_untilted_stack_serves_all_levels(locator: PaintedLocator, location: SpineLocation, spine: Spine) -> None:
    stack = axial_block(DISCS[2], 0.0, slices=41)
    points = recesses(locator, location, [stack])
    assert len(points) == 10
    for disc in DISCS:
        point = points[disc.level, "left"]
        assert within_slice(stack, point.slice_index, point.point_lps_mm, spine.recess(disc, 1.0))[1] <= 2.1


def test_storage_order_changes_no_side(locator: PaintedLocator, location: SpineLocation, tilted: Points) -> None:
    mirrored = [axial_block(disc, disc.tilt).reordered((0, 1, 2), (True, True, True)) for disc in DISCS]
    points = recesses(locator, location, [canonical_axial(volume) for volume in mirrored])
    for place, point in points.items():
        np.testing.assert_allclose(point.point_lps_mm, tilted[place].point_lps_mm, atol=1e-3)


def test_only_levels_that_a_slice_passes_through_have_recesses(
    locator: PaintedLocator, location: SpineLocation
) -> None:
    points = recesses(locator, location, [axial_block(DISCS[3], 6.0)])
    assert {level for level, _ in points} == {"L4/L5"}


@pytest.mark.parametrize("shift_mm", [9.0, -9.0])
def test_slices_beside_the_disc_do_not_count(locator: PaintedLocator, location: SpineLocation, shift_mm: float) -> None:
    disc = DISCS[2]
    x, y, z = disc.center
    block = axial_block(replace(disc, center=(x, y, z + shift_mm + np.sign(shift_mm) * 8)), 0.0)
    assert recesses(locator, location, [block]) == {}


def located(location: SpineLocation, disc: Disc) -> LocatedDisc:
    found = location.disc(disc.level)
    assert found is not None
    return found


def test_slices_too_tilted_for_the_disc_do_not_count(location: SpineLocation) -> None:
    disc = DISCS[2]
    assert axial_slice_of(located(location, disc), [axial_block(disc, 30.0, slices=13)]) is not None
    assert axial_slice_of(located(location, disc), [axial_block(disc, 50.0, slices=17)]) is None


def test_of_two_blocks_the_one_along_the_disc_is_taken(location: SpineLocation) -> None:
    disc = DISCS[4]
    choice = axial_slice_of(located(location, disc), [axial_block(disc, 0.0), axial_block(disc, 20.0)])
    assert choice is not None
    assert choice[0] == 1


def test_without_axial_series_there_is_nothing(locator: PaintedLocator, location: SpineLocation) -> None:
    assert recesses(locator, location, []) == {}


def test_a_guess_beside_a_canal_that_is_seen_is_not_blind(locator: PaintedLocator, location: SpineLocation) -> None:
    blocks = [axial_block(disc, disc.tilt, Spine(sides=())) for disc in DISCS]
    points = recesses(locator, location, blocks).values()
    assert {(point.confidence, point.is_blind) for point in points} == {(0.0, False)}


def test_a_guess_on_a_slice_that_shows_no_canal_is_blind(locator: PaintedLocator, location: SpineLocation) -> None:
    blocks = [axial_block(disc, disc.tilt) for disc in DISCS]
    noise = np.random.default_rng(0)
    shuffled = [
        replace(block, array=noise.permutation(block.array.ravel()).reshape(block.array.shape)) for block in blocks
    ]
    points = recesses(locator, location, shuffled)
    assert len(points) == 10
    assert {(point.confidence, point.is_blind) for point in points.values()} == {(0.0, True)}


def test_a_recess_that_is_not_seen_is_not_looked_for_beyond_the_canal(
    locator: PaintedLocator, location: SpineLocation
) -> None:
    """The flank of the right recess reaches into the window in which the left one is looked for."""
    points = recesses(locator, location, [axial_block(disc, disc.tilt, Spine(sides=(-1.0,))) for disc in DISCS])
    assert {side for (_, side), point in points.items() if point.confidence > 0} == {"right"}
    assert all(OUTWARD[side] * (point.point_lps_mm[0] - MIDDLE_X) > 7 for (_, side), point in points.items())
