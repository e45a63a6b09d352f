"""What is taken for a lumbar spine, what a series shows, and what a reader must know of it."""

from dataclasses import replace

import numpy as np
import pytest
from made_up_discs import discs_every, location_of, small_volume
from painted_spine import T1, PaintedLocator, Spine, sagittal_volume

from lumbago.dicom.study import SkippedFile
from lumbago.errors import NotAGrid, NotALumbarStudy, UnreadableInput
from lumbago.pipeline.judge_quality import doubt_of, quality_remarks, require_lumbar, seen_weighting
from lumbago.pipeline.locate_discs import CHANNELS, SpineLocation, locate_discs

LUMBAR = [34.0, 36.0, 36.0, 34.0]

# --- a lumbar spine or not -------------------------------------------------------------------------------------------


def test_a_lumbar_spine_is_not_doubted(location: SpineLocation) -> None:
    assert doubt_of(location) == ""
    assert doubt_of(location_of(discs_every(LUMBAR))) == ""


@pytest.mark.parametrize("count, said", [(0, "0 discs in a row were"), (1, "1 disc was"), (2, "2 discs in a row were")])
def test_too_few_discs(count: int, said: str) -> None:
    assert doubt_of(location_of(discs_every(LUMBAR)[:count])) == f"{said} seen clearly, expected at least 3"


def test_three_clear_discs_are_enough() -> None:
    assert doubt_of(location_of(discs_every(LUMBAR)[:3])) == ""


def test_discs_that_were_filled_in_do_not_count() -> None:
    assert doubt_of(location_of(discs_every(LUMBAR, confidences=[0.9, 0.0, 0.9, 0.0, 0.1]))).startswith("2 discs")


def test_faint_discs_are_called_faint_and_not_too_few() -> None:
    doubt = doubt_of(location_of(discs_every(LUMBAR[:2], confidences=[0.4, 0.4, 0.4])))
    assert doubt == "its 3 discs in a row were seen too faintly"


def test_a_cervical_spine() -> None:
    assert doubt_of(location_of(discs_every([18.0] * 5, depth_mm=16.0))) == (
        "its discs are 18 mm apart and 16 mm deep, lumbar ones about 35 and 34"
    )


def test_a_small_lumbar_spine_is_no_cervical_one() -> None:
    assert doubt_of(location_of(discs_every([21.0] * 4, depth_mm=24.0))) == ""


@pytest.mark.parametrize("step", [12.0, 84.0])
def test_steps_that_no_spine_has(step: float) -> None:
    assert "mm apart" in doubt_of(location_of(discs_every([step] * 4)))


def test_long_steps_between_many_deep_discs_are_of_a_picture_that_was_drawn_out() -> None:
    assert doubt_of(location_of(discs_every([70.0] * 4))) == ""
    assert "70 mm apart" in doubt_of(location_of(discs_every([70.0] * 3)))
    assert "70 mm apart" in doubt_of(location_of(discs_every([70.0] * 4, depth_mm=20.0)))


def test_short_steps_below_long_ones_are_in_the_sacrum() -> None:
    assert doubt_of(location_of(discs_every([29.0, 20.0, 37.0, 38.0, 41.0]), name_is_sure=False)) == ""


def test_blobs_far_apart_are_no_discs() -> None:
    """As in a brain on its side, whose folds were taken for six."""
    doubt = doubt_of(location_of(discs_every([40.0] * 5, depth_mm=16.0), name_is_sure=False))
    assert doubt == "its discs are 40 mm apart and 16 mm deep, lumbar ones about 35 and 34"


def test_a_thoracic_spine_shows_no_sacrum_and_short_steps() -> None:
    thoracic = discs_every([25.0] * 5, depth_mm=28.0)
    doubt = doubt_of(location_of(thoracic, name_is_sure=False))
    assert doubt == "no sacrum is seen and its lowest discs are only 25 mm apart"
    assert doubt_of(location_of(thoracic)) == ""


def test_a_thoracolumbar_spine_without_sacrum_has_long_steps_at_its_lower_end() -> None:
    discs = discs_every([34.0, 32.0, 25.0, 24.0, 23.0])
    assert doubt_of(location_of(discs, name_is_sure=False)) == ""


def test_a_thoracic_spine_has_short_steps_above_long_ones_at_its_lower_end() -> None:
    thoracic = discs_every([32.0, 29.0, 27.0, 25.0, 24.0, 23.0, 22.0, 21.0], depth_mm=26.0)
    doubt = doubt_of(location_of(thoracic, name_is_sure=False))
    assert doubt == "no sacrum is seen and most of its discs are only 24 mm apart"
    assert doubt_of(location_of(thoracic)) == ""


def test_sizes_that_are_not_believed_are_not_made_larger() -> None:
    """A cervical spine stated twice as large is one all the same; nothing small is blown up to a lumbar one."""
    assert "18 mm apart" in doubt_of(location_of(discs_every([36.0] * 5, depth_mm=32.0), scale=0.5))
    assert "18 mm apart" in doubt_of(location_of(discs_every([18.0] * 5, depth_mm=16.0), scale=1.3))


# --- the study -------------------------------------------------------------------------------------------------------


def test_one_series_of_a_lumbar_spine_is_enough() -> None:
    require_lumbar(["too few discs", ""], [])


def test_a_study_without_a_lumbar_spine_is_refused() -> None:
    with pytest.raises(NotALumbarStudy, match="no lumbar spine was found in its sagittal images: 0 discs"):
        require_lumbar(["0 discs", "1 discs"], [])


def test_a_study_of_which_nothing_could_be_read_names_the_first_file() -> None:
    broken = [SkippedFile("IM0001", "cut off", True), SkippedFile("IM0002", "cut off", True)]
    with pytest.raises(UnreadableInput, match=r"no sagittal series could be read \(IM0001: cut off\); expected"):
        require_lumbar([], broken)
    with pytest.raises(UnreadableInput, match="no sagittal series could be read; expected"):
        require_lumbar([], [])


def test_a_study_whose_slices_form_no_volume_says_why() -> None:
    with pytest.raises(UnreadableInput, match=r"be read \(IM0001 states no position\); expected one in every slice;"):
        require_lumbar([], [], [NotAGrid("IM0001 states no position", "one in every slice")])


# --- weighting -------------------------------------------------------------------------------------------------------


def with_canal(location: SpineLocation, grey: float) -> SpineLocation:
    array = location.volume.array.copy()
    array[array == 820.0] = grey
    return replace(location, volume=replace(location.volume, array=array))


def test_a_bright_canal_is_t2(location: SpineLocation) -> None:
    assert seen_weighting(location) == "t2"


def test_a_dark_canal_is_t1(locator: PaintedLocator) -> None:
    assert seen_weighting(locate_discs(locator, sagittal_volume(greys=T1))) == "t1"


@pytest.mark.parametrize(
    ("grey", "shows"), [(0.0, "t1"), (300.0, "t1"), (405.0, "unknown"), (460.0, "unknown"), (700.0, "t2")]
)
def test_it_is_the_canal_against_the_bodies(location: SpineLocation, grey: float, shows: str) -> None:
    assert seen_weighting(with_canal(location, grey)) == shows


def test_what_is_drawn_far_off_does_not_count(location: SpineLocation) -> None:
    """In a black frame around a picture the locator draws more canal and bone than the picture has."""
    maps = {index: drawn.copy() for index, drawn in location.maps.items()}
    for drawn in maps.values():
        drawn[[CHANNELS.index("canal"), CHANNELS.index("vertebra")], :, :30] = 1.0
    framed = replace(location, maps=maps)
    assert seen_weighting(framed) == "t2" and seen_weighting(with_canal(framed, 300.0)) == "t1"


def test_nothing_segmented_is_unknown(location: SpineLocation) -> None:
    maps = {index: np.zeros_like(drawn) for index, drawn in location.maps.items()}
    assert seen_weighting(replace(location, maps=maps)) == "unknown"
    assert seen_weighting(replace(location, discs=())) == "unknown"


# --- remarks ---------------------------------------------------------------------------------------------------------


def remarked(location: SpineLocation) -> list[tuple[str, str]]:
    return [(remark.severity, remark.text) for remark in quality_remarks("sagittal_t2", location)]


def test_a_good_series_needs_no_remark() -> None:
    assert remarked(location_of(discs_every(LUMBAR))) == []


def test_limits_are_said() -> None:
    discs = discs_every(LUMBAR)
    title = "sagittal T2 or STIR"
    assert remarked(location_of(discs, volume=small_volume(slices=1))) == [("limit", f"{title}: only 1 slice.")]
    assert remarked(location_of(discs, volume=small_volume(slices=4))) == [("limit", f"{title}: only 4 slices.")]
    assert remarked(location_of(discs, volume=small_volume(pixel_mm=1.5))) == [
        ("warning", f"{title}: coarse pixels (1.5 mm).")
    ]
    assert remarked(location_of(discs, volume=small_volume(geometry_is_assumed=True))) == [
        ("limit", f"{title}: the files state no position; sides and millimetres are not given.")
    ]
    assert remarked(location_of(discs, scale=0.7)) == [
        ("limit", f"{title}: a spine is seen only at 0.7 times the stated pixel size; sizes are not given.")
    ]
    assert remarked(location_of(discs, volume=small_volume(remarks=("two slices are missing",)))) == [
        ("limit", f"{title}: two slices are missing.")
    ]


@pytest.mark.parametrize(("step", "depth"), [(52.0, 34.0), (24.0, 36.0)])
def test_pixels_that_are_not_as_stated_are_told_of(step: float, depth: float) -> None:
    discs = [replace(disc, outline_lps_mm=((0.0, 0.0, 0.0),)) for disc in discs_every([step] * 4, depth)]
    ((severity, text),) = remarked(location_of(discs))
    assert severity == "limit" and f"its discs are {step:.0f} mm apart and {depth:.0f} mm deep, as in no spine" in text
    assert remarked(location_of(discs_every([step] * 4, depth))) == []
    assert remarked(location_of(discs[:4])) == []


def test_without_pixel_spacing_no_position_is_called_missing() -> None:
    """All else of the geometry is stated."""
    whole = small_volume()
    headers = tuple(
        replace(header, image_position=(4.0 * n, 0.0, 0.0), image_orientation=(0.0, 1.0, 0.0, 0.0, 0.0, -1.0))
        for n, header in enumerate(whole.headers)
    )
    location = location_of(discs_every(LUMBAR), volume=replace(whole, headers=headers, geometry_is_assumed=True))
    assert remarked(location) == [
        ("limit", "sagittal T2 or STIR: the files state no pixel spacing; sides and millimetres are not given.")
    ]


def test_a_spine_without_discs_is_doubted_and_not_an_error(locator: PaintedLocator) -> None:
    blank = replace(sagittal_volume(Spine(), slices=1), array=np.zeros((1, 230, 150), np.float32))
    assert doubt_of(locate_discs(locator, blank)).startswith("0 discs")
