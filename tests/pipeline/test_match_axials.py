"""Axial slices are matched to discs only where both lie in the same millimetres."""

from dataclasses import replace

import pytest
from painted_spine import DISCS, PaintedLocator, axial_block, sagittal_volume

from lumbago.dicom.patient_geometry import share_frame
from lumbago.dicom.volume import Volume
from lumbago.pipeline.locate_discs import SpineLocation, locate_discs
from lumbago.pipeline.locate_study import locate_spine
from lumbago.pipeline.match_axials import frame_remarks, match_axials
from lumbago.pipeline.name_gaps import not_assessed


@pytest.fixture(scope="module")
def stack() -> Volume:
    return axial_block(DISCS[2], 0.0, slices=41)


def of_frame(volume: Volume, frame: str) -> Volume:
    return replace(volume, headers=tuple(replace(one, frame_of_reference_uid=frame) for one in volume.headers))


def moved(volume: Volume, *by_mm: float) -> Volume:
    affine = volume.affine.copy()
    affine[:3, 3] += by_mm
    return replace(volume, affine=affine)


def reasons(locator: PaintedLocator, location: SpineLocation, axial: Volume) -> set[str]:
    """Why there are no grades of recesses; nothing may be placed on an axial slice."""
    spine = locate_spine(locator, {"sagittal_t2": location}, [axial])
    assert not spine.recesses and not spine.axials
    return {one.reason for one in not_assessed([], spine, {}) if one.condition == "subarticular_stenosis"}


def test_volumes_of_one_frame_are_matched(locator: PaintedLocator, location: SpineLocation, stack: Volume) -> None:
    spine = locate_spine(locator, {"sagittal_t2": location}, [stack])
    assert spine.axials == (stack,) and spine.axial_doubt == ""
    assert len(spine.recesses) == 10


def test_sagittal_millimetres_that_are_not_believed_match_nothing(
    locator: PaintedLocator, location: SpineLocation, stack: Volume
) -> None:
    assumed = replace(location, volume=replace(location.volume, geometry_is_assumed=True))
    for doubted in (assumed, replace(location, scale=0.7)):
        assert reasons(locator, doubted, stack) == {
            "the sagittal series gives no true millimetres, so that axial slices cannot be matched to its discs"
        }


def test_axial_millimetres_that_are_assumed_match_nothing(
    locator: PaintedLocator, location: SpineLocation, stack: Volume
) -> None:
    assumed = replace(stack, geometry_is_assumed=True)
    why = "axial slices without a stated position and pixel size cannot be matched to discs"
    assert reasons(locator, location, assumed) == {why}
    assert match_axials(locator, location, [assumed, stack]).volumes == (stack,)


def test_a_new_frame_for_every_series_costs_nothing_where_the_canal_is_as_expected(
    locator: PaintedLocator, location: SpineLocation, stack: Volume
) -> None:
    """As anonymised files have it; the patient may have moved a little."""
    for volume in (of_frame(stack, "2"), moved(of_frame(stack, "2"), 3.0, 4.0, 3.0)):
        matched = match_axials(locator, location, [volume])
        assert matched.volumes == (volume,) and matched.doubt == ""
        (remark,) = frame_remarks(location, matched.volumes)
        assert "another frame of reference" in remark.text
    assert frame_remarks(location, [stack]) == []


@pytest.mark.parametrize("by_mm", [(0.0, 0.0, 35.0), (0.0, 0.0, -35.0), (40.0, 0.0, 0.0)])
def test_another_frame_that_lies_elsewhere_matches_nothing(
    locator: PaintedLocator, location: SpineLocation, stack: Volume, by_mm: tuple[float, float, float]
) -> None:
    """A level higher or lower the canal curves otherwise; beside the spine there is none."""
    elsewhere = moved(of_frame(stack, "2"), *by_mm)
    why = "the axial slices do not show the canal where the sagittal series has it"
    assert reasons(locator, location, elsewhere) == {why}
    assert match_axials(locator, location, [elsewhere, stack]).volumes == (stack,)


def test_a_frame_that_is_not_stated_or_made_up_counts_as_common(stack: Volume) -> None:
    assert share_frame(stack, of_frame(stack, "1"))
    assert share_frame(stack, of_frame(stack, ""))
    assert share_frame(stack, of_frame(stack, stack.headers[0].series_instance_uid))
    assert share_frame(stack, replace(stack, headers=()))
    each = tuple(replace(one, frame_of_reference_uid=f"7.{n}") for n, one in enumerate(stack.headers))
    assert share_frame(stack, replace(stack, headers=each))
    assert not share_frame(stack, of_frame(stack, "2"))


def test_without_axial_volumes_there_is_no_doubt(locator: PaintedLocator, location: SpineLocation) -> None:
    assert match_axials(locator, location, []).doubt == ""


def test_one_level_shows_no_curve_and_is_taken_at_its_word(locator: PaintedLocator, location: SpineLocation) -> None:
    block = of_frame(axial_block(DISCS[3], 6.0), "2")
    assert match_axials(locator, location, [block]).volumes == (block,)


def test_a_spine_that_is_stated_too_large_is_not_matched(locator: PaintedLocator, stack: Volume) -> None:
    """The discs are clear and the scale stays 1, but they lie 50 mm apart."""
    volume = sagittal_volume()
    affine = volume.affine.copy()
    affine[:3, 1:3] *= 1.43
    location = locate_discs(locator, replace(volume, affine=affine))
    assert location.scale == 1.0 and len(location.discs) == 5
    why = "the axial slices do not show the canal where the sagittal series has it"
    assert reasons(locator, location, stack) == {why}
