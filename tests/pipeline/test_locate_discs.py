"""Discs of a painted spine: found where they were painted, with their frame, outline, canal and slice."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from painted_spine import CANAL_MM, DEPTH_MM, DISCS, HEIGHT_MM, T1, Disc, PaintedLocator, Spine, sagittal_volume

from lumbago.anatomy.levels import LEVELS
from lumbago.dicom.patient_geometry import canonical_sagittal
from lumbago.dicom.volume import Volume
from lumbago.pipeline.locate_discs import (
    CHANNELS,
    LocatedDisc,
    SliceReader,
    SpineLocation,
    channel,
    locate_discs,
    read_slice,
    slice_on_grid,
)
from lumbago.pipeline.place_patches import ANCHORS, LocatedSpine

TRUE = {disc.level: disc for disc in DISCS}
each_disc = pytest.mark.parametrize("disc", DISCS, ids=lambda disc: disc.level)


def found(location: SpineLocation, disc: Disc) -> LocatedDisc:
    located = location.disc(disc.level)
    assert located is not None
    return located


def off_mm(point: np.ndarray, truth: np.ndarray) -> float:
    """Distance within the slice; slices lie 4 mm apart."""
    return float(np.linalg.norm((point - truth)[1:]))


def test_all_discs_are_found_and_named(location: SpineLocation) -> None:
    assert [disc.level for disc in location.discs] == list(reversed(LEVELS))
    assert location.name_is_sure
    assert location.scale == 1.0
    assert location.disc("T12/L1") is None


@each_disc
def test_a_disc_lies_where_it_was_painted(location: SpineLocation, disc: Disc) -> None:
    located = found(location, disc)
    assert off_mm(located.center_lps_mm, np.array(disc.center)) < 0.5
    assert located.confidence > 0.9


@each_disc
def test_its_frame_lies_along_it(location: SpineLocation, disc: Disc) -> None:
    frame = found(location, disc).frame
    for vector in (frame.back, frame.down):
        assert np.linalg.norm(vector) == pytest.approx(1.0)
    assert frame.back @ frame.down == pytest.approx(0.0, abs=1e-9)
    assert np.degrees(np.arccos(min(1.0, float(frame.back @ disc.back)))) < 3
    assert frame.down @ disc.down > 0.99
    assert frame.back[1] > 0.8
    assert frame.down[2] < -0.8


@each_disc
def test_its_size_is_the_painted_one(location: SpineLocation, disc: Disc) -> None:
    frame = found(location, disc).frame
    assert frame.depth_mm == pytest.approx(DEPTH_MM, abs=1.5)
    assert frame.height_mm == pytest.approx(HEIGHT_MM, abs=1.0)


@each_disc
def test_its_outline_encloses_it(location: SpineLocation, disc: Disc) -> None:
    outline = np.array(found(location, disc).outline_lps_mm)
    offset = outline - disc.center
    along, across = offset @ disc.back, offset @ disc.down
    assert np.abs(along).max() == pytest.approx(DEPTH_MM / 2, abs=1.0)
    assert np.abs(across).max() == pytest.approx(HEIGHT_MM / 2, abs=1.2)
    edge = np.maximum(np.abs(along) / (DEPTH_MM / 2), np.abs(across) / (HEIGHT_MM / 2))
    assert edge.min() > 0.75
    assert np.ptp(outline[:, 0]) == pytest.approx(0)


@each_disc
def test_the_canal_behind_it_is_found(location: SpineLocation, spine: Spine, disc: Disc) -> None:
    located = found(location, disc)
    assert off_mm(located.canal_lps_mm, spine.canal(disc)) < 1.0
    assert located.canal_mm == pytest.approx(CANAL_MM, abs=1.1)


@pytest.mark.parametrize("pixel_mm", [0.5, 0.8])
def test_pixel_size_does_not_move_them(locator: PaintedLocator, pixel_mm: float) -> None:
    located = locate_discs(locator, sagittal_volume(first_x=-9.0, slices=7, pixel_mm=pixel_mm))
    assert [disc.level for disc in located.discs] == list(reversed(LEVELS))
    for disc in DISCS:
        assert off_mm(found(located, disc).center_lps_mm, np.array(disc.center)) < 0.8
        assert found(located, disc).frame.depth_mm == pytest.approx(DEPTH_MM, abs=2)


@pytest.mark.parametrize("first_x", [-37.0, -29.0, -13.0])
def test_the_slice_is_the_one_through_the_canal(locator: PaintedLocator, first_x: float) -> None:
    """The patient lay beside the middle of the slices."""
    volume = sagittal_volume(first_x=first_x)
    for disc in locate_discs(locator, volume).discs:
        assert volume.to_lps_mm(np.array([disc.slice_index, 0.0, 0.0]))[0] == pytest.approx(3.0)
        assert disc.center_lps_mm[0] == pytest.approx(3.0)


def test_a_twisted_spine_has_its_own_slice_at_each_level(locator: PaintedLocator) -> None:
    """The array sheared so that the spine runs from slice to slice."""
    straight = sagittal_volume()
    array = straight.array.copy()
    shift = np.round(np.interp(np.arange(array.shape[1]), (30, 190), (-2, 2))).astype(int)
    for row, by in enumerate(shift):
        array[:, row] = np.roll(straight.array[:, row], by, axis=0)
    location = locate_discs(locator, replace(straight, array=array))
    indices = [found(location, disc).slice_index for disc in DISCS]
    expected = [7 + int(shift[round(110 - disc.center[2])]) for disc in DISCS]
    assert np.abs(np.array(indices) - expected).max() <= 1
    assert indices[-1] - indices[0] >= 3


def test_a_single_slice_is_enough(locator: PaintedLocator) -> None:
    whole = sagittal_volume()
    middle = replace(
        whole, array=whole.array[7:8], headers=whole.headers[7:8],
        affine=whole.affine + np.pad(7 * whole.affine[:, :1], ((0, 0), (3, 0))),
    )  # fmt: skip
    location = locate_discs(locator, middle)
    assert [disc.level for disc in location.discs] == list(reversed(LEVELS))
    assert {disc.slice_index for disc in location.discs} == {0}
    assert off_mm(found(location, DISCS[2]).center_lps_mm, np.array(DISCS[2].center)) < 0.5


@pytest.mark.parametrize(("first_x", "slices"), [(5.0, 8), (-25.0, 7), (7.0, 6)])
def test_a_canal_that_goes_on_beyond_the_slices_is_told(locator: PaintedLocator, first_x: float, slices: int) -> None:
    """Its middle lies at x = 3 and it is 12 mm wide: the first or last slice lies in it."""
    location = locate_discs(locator, sagittal_volume(first_x=first_x, slices=slices))
    assert len(location.discs) == 5
    assert all(disc.canal_goes_on for disc in location.discs)
    patches = ANCHORS["canal"](LocatedSpine({"sagittal_t2": location}, {}, {}))
    assert {patch.doubt for patch in patches} == {"the middle of the canal may lie beyond the first or last slice"}
    assert {patch.doubt for patch in ANCHORS["disc"](LocatedSpine({"sagittal_t2": location}, {}, {}))} == {""}


@pytest.mark.parametrize(("first_x", "slices"), [(-25.0, 15), (-9.0, 8), (-1.0, 3), (3.0, 1)])
def test_a_canal_within_the_slices_and_one_slice_alone_are_not_doubted(
    locator: PaintedLocator, first_x: float, slices: int
) -> None:
    location = locate_discs(locator, sagittal_volume(first_x=first_x, slices=slices))
    assert len(location.discs) == 5
    assert not any(disc.canal_goes_on for disc in location.discs)
    patches = ANCHORS["canal"](LocatedSpine({"sagittal_t2": location}, {}, {}))
    assert {patch.doubt for patch in patches} == {""}


@pytest.mark.parametrize("grey", [0.0, 550.0])
def test_a_spoilt_middle_slice_is_passed_over(locator: PaintedLocator, grey: float) -> None:
    """Nothing is seen on the slice through the middle; those beside it show all."""
    whole = sagittal_volume(slices=9, first_x=-13.0)
    array = whole.array.copy()
    array[4] = grey
    location = locate_discs(locator, replace(whole, array=array))
    assert [disc.level for disc in location.discs] == list(reversed(LEVELS))
    assert {disc.slice_index for disc in location.discs} <= {3, 5}
    assert all(disc.is_drawn for disc in location.discs)


def test_a_disc_that_no_middle_slice_shows_has_a_doubt(locator: PaintedLocator) -> None:
    """The canal is seen, the disc is not."""
    volume = sagittal_volume(slices=9, first_x=-13.0)
    array = volume.array.copy()
    row = round(110 - TRUE["L3/L4"].center[2])
    window = array[3:6, row - 8 : row + 9, :75]
    window[window == 250.0] = 550.0
    location = locate_discs(locator, replace(volume, array=array))
    assert [disc.level for disc in location.discs if not disc.is_drawn] == ["L3/L4"]
    doubts = {patch.level: patch.doubt for patch in ANCHORS["disc"](LocatedSpine({"sagittal_t2": location}, {}, {}))}
    assert doubts.pop("L3/L4") == "the disc is not seen on the middle slice"
    assert set(doubts.values()) == {""}


def test_nothing_painted_is_nothing_found(locator: PaintedLocator) -> None:
    blank = replace(sagittal_volume(slices=3), array=np.zeros((3, 230, 150), np.float32))
    location = locate_discs(locator, blank)
    assert location.discs == ()
    assert not location.name_is_sure


def test_without_a_lumbosacral_disc_names_are_not_sure(locator: PaintedLocator) -> None:
    volume = sagittal_volume()
    cut = replace(volume, array=np.ascontiguousarray(volume.array[:, :165]))
    location = locate_discs(locator, cut)
    assert len(location.discs) == 4
    assert not location.name_is_sure


def test_a_disc_that_was_not_seen_is_kept_in_the_count(locator: PaintedLocator) -> None:
    """L3/L4 is painted over with bone."""
    volume = sagittal_volume()
    array = volume.array.copy()
    row = round(110 - TRUE["L3/L4"].center[2])
    window = array[:, row - 8 : row + 9, :60]
    window[window == 250.0] = 550.0
    located = locate_discs(locator, replace(volume, array=array)).disc("L3/L4")
    assert located is not None
    assert located.confidence == 0
    assert located.outline_lps_mm == ()
    assert off_mm(located.center_lps_mm, np.array(TRUE["L3/L4"].center)) < 4


def test_a_canal_that_is_not_seen_has_no_width(locator: PaintedLocator) -> None:
    volume = sagittal_volume()
    array = volume.array.copy()
    array[array == 820.0] = 550.0
    located = locate_discs(locator, replace(volume, array=array)).discs[-1]
    assert located.canal_mm is None
    assert located.canal_lps_mm[1] > located.center_lps_mm[1] + DEPTH_MM / 2


def as_stored(volume: Volume) -> Volume:
    return volume


def from_the_left(volume: Volume) -> Volume:
    return volume.reordered((0, 1, 2), (True, False, False))


def upside_down(volume: Volume) -> Volume:
    return volume.reordered((0, 1, 2), (False, True, True))


def on_its_side(volume: Volume) -> Volume:
    return volume.reordered((0, 2, 1), (False, True, False))


@pytest.mark.parametrize("stored", [as_stored, from_the_left, upside_down, on_its_side])
def test_storage_order_changes_nothing(
    locator: PaintedLocator, location: SpineLocation, stored: Callable[[Volume], Volume]
) -> None:
    volume = stored(sagittal_volume())
    again = locate_discs(locator, canonical_sagittal(volume))
    for one, other in zip(location.discs, again.discs, strict=True):
        assert one.level == other.level
        np.testing.assert_allclose(one.center_lps_mm, other.center_lps_mm, atol=1e-6)
        np.testing.assert_allclose(one.frame.back, other.frame.back, atol=1e-9)
        header = again.volume.headers[other.slice_index]
        assert header.sop_instance_uid == location.volume.headers[one.slice_index].sop_instance_uid


def test_each_slice_is_read_once() -> None:
    locator = PaintedLocator()
    location = locate_discs(locator, sagittal_volume())
    assert len(locator.slices_seen) == len(location.maps)
    assert 3 <= len(location.maps) < 15


def test_a_spine_whose_pixels_are_not_as_large_as_stated_is_found_at_another_size(locator: PaintedLocator) -> None:
    """A viewer's export: the picture is stated half as fine as it is, and the spine would be twice as large."""
    volume = sagittal_volume(first_x=-5.0, slices=5, pixel_mm=0.7)
    affine = volume.affine.copy()
    affine[:3, 1:3] /= 0.7 * 0.7
    lying = replace(volume, affine=affine)
    location = locate_discs(OnlyAtLumbarSize(), lying)
    assert location.scale in (0.5, 0.7)
    assert [disc.level for disc in location.discs] == list(reversed(LEVELS))
    ijk = volume.to_ijk(np.array(DISCS[1].center))
    np.testing.assert_allclose(lying.to_ijk(found(location, DISCS[1]).center_lps_mm)[1:], ijk[1:], atol=1.0)
    stated = found(location, DISCS[1]).frame.depth_mm
    assert stated == pytest.approx(DEPTH_MM / 0.7 / 0.7, rel=0.1)


class OnlyAtLumbarSize(PaintedLocator):
    """Blind for discs that are far from 34 pixels deep, as a trained locator is."""

    def run(self, batch: np.ndarray) -> dict[str, np.ndarray]:
        maps = super().run(batch)["maps"]
        widest = int((maps[0, CHANNELS.index("disc")] > 0).sum(1).max())
        return {"maps": maps if 20 <= widest <= 45 else np.full_like(maps, -6.0)}


def test_grid_and_patient_places_agree(locator: PaintedLocator) -> None:
    reader = SliceReader(locator, sagittal_volume(pixel_mm=0.7))
    for place in ((3, 10.0, 20.5), (7, 100.25, 0.0)):
        row, column = reader.to_grid(reader.to_lps_mm(*place))
        assert (row, column) == (pytest.approx(place[1]), pytest.approx(place[2]))


def test_maps_cover_the_slice_and_hold_chances(locator: PaintedLocator) -> None:
    image = sagittal_volume(pixel_mm=0.7).array[7]
    maps = read_slice(locator, image, (0.7, 0.7))
    assert maps.shape == (len(CHANNELS), round(image.shape[0] * 0.7), round(image.shape[1] * 0.7))
    assert 0 < maps.min() < 0.01
    assert 0.99 < maps.max() < 1
    assert channel(maps, "canal").sum() > 500


class Dreamer(PaintedLocator):
    """Sees canal everywhere."""

    def run(self, batch: np.ndarray) -> dict[str, np.ndarray]:
        return {"maps": np.full((len(batch), len(CHANNELS), *batch.shape[2:]), 4.0, np.float32)}


def test_a_slice_of_one_grey_shows_nothing() -> None:
    for grey in (0.0, 7.0):
        maps = read_slice(Dreamer(), np.full((150, 100), grey, np.float32), (0.7, 0.7))
        assert maps.shape == (len(CHANNELS), 105, 70) and not maps.any()


def test_a_slice_comes_on_the_grid_of_its_maps(location: SpineLocation) -> None:
    for index, maps in location.maps.items():
        assert slice_on_grid(location, index).shape == maps.shape[1:]


def test_t1_contrast_is_located_as_well(locator: PaintedLocator) -> None:
    location = locate_discs(locator, sagittal_volume(greys=T1))
    assert [disc.level for disc in location.discs] == list(reversed(LEVELS))
