"""One disc, one name: the sagittal series of a study agree."""

from dataclasses import replace

import numpy as np
import pytest
from made_up_discs import discs_every, location_of, small_volume

from lumbago.anatomy.conditions import Role
from lumbago.anatomy.levels import level_from_bottom
from lumbago.pipeline.agree_on_names import agree_on_names
from lumbago.pipeline.locate_discs import SpineLocation

STEPS = [35.0] * 4
T2_NAMES = ["L5/S1", "L4/L5", "L3/L4", "L2/L3", "L1/L2"]


def agreed(t2: SpineLocation, t1: SpineLocation) -> tuple[SpineLocation, SpineLocation]:
    both: dict[Role, SpineLocation] = {"sagittal_t2": t2, "sagittal_t1": t1}
    found = agree_on_names(both)
    return found["sagittal_t2"], found["sagittal_t1"]


def names(location: SpineLocation) -> list[str]:
    return [disc.level for disc in location.discs]


def spine(*, sure: bool, first: int = 1, **rest: str) -> SpineLocation:
    """Five discs at the same places; `first` is what the lowest is counted as."""
    return location_of(discs_every(STEPS, first=first), name_is_sure=sure, volume=small_volume(**rest))  # type: ignore[arg-type]


@pytest.mark.parametrize(("t2", "t1"), [(True, True), (True, False), (False, True), (False, False)])
def test_series_that_agree_are_as_sure_as_the_surer(t2: bool, t1: bool) -> None:
    for location in agreed(spine(sure=t2), spine(sure=t1)):
        assert names(location) == T2_NAMES
        assert location.name_is_sure == (t2 or t1)


def test_the_unsure_series_takes_the_names_of_the_sure_one() -> None:
    t2, t1 = agreed(spine(sure=True), spine(sure=False, first=2))
    assert names(t2) == names(t1) == T2_NAMES
    assert t2.name_is_sure
    assert t1.name_is_sure
    t2, t1 = agreed(spine(sure=False, first=3), spine(sure=True))
    assert names(t2) == names(t1) == T2_NAMES
    assert t2.name_is_sure
    assert t1.name_is_sure


@pytest.mark.parametrize("sure", [True, False])
def test_when_none_is_surer_t2_stands_and_nothing_is_sure(sure: bool) -> None:
    t2, t1 = agreed(spine(sure=sure), spine(sure=sure, first=2))
    assert names(t2) == names(t1) == T2_NAMES
    assert not t2.name_is_sure
    assert not t1.name_is_sure


def test_what_would_fall_below_the_sacrum_goes() -> None:
    """T1 saw S1/S2 and called it L5/S1."""
    six = discs_every([35.0, *STEPS])
    t2_discs = [replace(disc, level=name) for disc, name in zip(six[1:], T2_NAMES, strict=True)]
    t2, t1 = agreed(location_of(t2_discs), location_of(six, name_is_sure=False))
    assert names(t2) == names(t1) == T2_NAMES
    np.testing.assert_allclose(t1.discs[0].center_lps_mm, six[1].center_lps_mm)


def test_what_would_lie_above_the_chest_goes() -> None:
    many = discs_every([20.0] * 16)
    higher = [replace(disc, level=level_from_bottom(n)) for n, disc in enumerate(many[:15], start=3)]
    t2, t1 = agreed(location_of(higher), location_of(many, name_is_sure=False))
    assert names(t1) == [level_from_bottom(n) for n in range(3, 18)]
    assert names(t2) == names(t1)


def test_most_discs_decide() -> None:
    """One disc was found in two places; the other four agree."""
    discs = list(discs_every(STEPS))
    discs[0] = replace(discs[0], center_lps_mm=discs[1].center_lps_mm + np.array([0.0, 0.0, -10.0]))
    _, t1 = agreed(spine(sure=True), location_of(discs, name_is_sure=False))
    assert names(t1) == T2_NAMES


def test_discs_of_other_places_are_left_alone() -> None:
    """The patient was moved half a body's height between the series: nothing matches."""
    moved = [
        replace(d, center_lps_mm=d.center_lps_mm + np.array([0.0, 0.0, 17.5])) for d in discs_every(STEPS, first=2)
    ]
    _, t1 = agreed(spine(sure=True), location_of(moved, name_is_sure=False))
    assert names(t1)[0] == "L4/L5"
    assert not t1.name_is_sure


def test_another_frame_of_reference_is_no_common_place() -> None:
    _, t1 = agreed(spine(sure=True), spine(sure=False, first=2, frame_of_reference="2"))
    assert names(t1)[0] == "L4/L5"


def test_a_frame_that_is_not_stated_counts_as_common() -> None:
    _, t1 = agreed(spine(sure=True), spine(sure=False, first=2, frame_of_reference=""))
    assert names(t1) == T2_NAMES


def test_a_frame_for_every_slice_is_none() -> None:
    other = spine(sure=False, first=2)
    headers = tuple(replace(h, frame_of_reference_uid=f"7.{n}") for n, h in enumerate(other.volume.headers))
    _, t1 = agreed(spine(sure=True), replace(other, volume=replace(other.volume, headers=headers)))
    assert names(t1) == T2_NAMES


def test_assumed_geometry_is_no_common_place() -> None:
    assumed = location_of(
        discs_every(STEPS, first=2), name_is_sure=False, volume=small_volume(geometry_is_assumed=True)
    )
    _, t1 = agreed(spine(sure=True), assumed)
    assert names(t1)[0] == "L4/L5"


@pytest.mark.parametrize("role", ["sagittal_t1", "sagittal_t2"])
def test_a_lone_series_keeps_its_names(role: Role) -> None:
    only = spine(sure=False, first=2)
    assert agree_on_names({role: only}) == {role: only}


def test_a_series_without_discs_changes_nothing() -> None:
    t2, t1 = agreed(spine(sure=True), location_of([], name_is_sure=False))
    assert names(t2) == T2_NAMES
    assert names(t1) == []
