"""Sizes that a report states."""

from dataclasses import replace

import numpy as np
import pytest
from painted_spine import Disc, PaintedLocator, Spine, sagittal_volume

from lumbago.anatomy.meyerding import slip_details
from lumbago.pipeline.disc_sizes import disc_sizes, spine_sizes
from lumbago.pipeline.locate_discs import SpineLocation, locate_discs
from lumbago.pipeline.measured_features import UNKNOWN, in_order

READ = in_order({"height_index": 0.3, "slip_size": 0.12, "slip_forward": 0.12, "nucleus": 0.456, "canal_ratio": 0.8})


def test_nothing_without_an_outline(location: SpineLocation) -> None:
    disc = location.discs[0]
    assert set(disc_sizes(disc, UNKNOWN, is_in_mm=True)) == {"disc_height_mm", "disc_depth_mm", "canal_depth_mm"}
    assert "canal_depth_mm" not in disc_sizes(replace(disc, canal_mm=None), UNKNOWN, is_in_mm=True)
    assert disc_sizes(replace(disc, outline_lps_mm=()), READ, is_in_mm=True) == {}


def test_shares_need_no_millimetres(location: SpineLocation) -> None:
    sizes = disc_sizes(location.discs[0], READ, is_in_mm=False)
    assert {name: size.value for name, size in sizes.items()} == {
        "disc_height_index_ratio": 0.3,
        "slip_percent": 12.0,
        "nucleus_to_fluid_ratio": 0.46,
        "canal_to_usual_ratio": 0.8,
    }
    assert all(size.error > 0 for size in sizes.values())


def test_a_slip_backward_is_negative(location: SpineLocation) -> None:
    backward = in_order({"slip_size": 0.12, "slip_forward": 0.0})
    assert disc_sizes(location.discs[0], backward, is_in_mm=False)["slip_percent"].value == -12.0


@pytest.mark.parametrize(
    ("percent", "grade", "direction"),
    [(8, "I", "forward"), (-25, "I", "backward"), (26, "II", "forward"), (100, "IV", "forward"), (101, "V", "forward")],
)
def test_slips_are_graded_by_quarters(percent: int, grade: str, direction: str) -> None:
    assert slip_details(float(percent)) == {"meyerding": grade, "direction": direction}


TILTS = {"T12/L1": -14.0, "L1/L2": -8.0, "L2/L3": -3.0, "L3/L4": 0.0, "L4/L5": 6.0, "L5/S1": 22.0}


@pytest.fixture(scope="module")
def long_spine(locator: PaintedLocator) -> SpineLocation:
    """Six discs, 30 mm apart."""
    places = zip(TILTS, np.arange(85.0, -66.0, -30.0), strict=True)
    discs = tuple(Disc(level, (3.0, 2.0, float(z)), TILTS[level]) for level, z in places)
    return locate_discs(locator, sagittal_volume(Spine(discs)))


def turned(location: SpineLocation, level: str, degrees: float) -> SpineLocation:
    """The location with one disc's frame turned in its slice, though nothing else is."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    disc = location.disc(level)
    assert disc is not None
    back, down = disc.frame.back, disc.frame.down
    frame = replace(disc.frame, back=cos * back - sin * down, down=sin * back + cos * down)
    discs = tuple(replace(one, frame=frame) if one is disc else one for one in location.discs)
    return replace(location, discs=discs)


def test_lordosis_is_the_angle_of_edges_however_frames_lie(long_spine: SpineLocation) -> None:
    wanted = TILTS["L5/S1"] - TILTS["T12/L1"]
    for seen in (long_spine, turned(long_spine, "L5/S1", 6.0), turned(long_spine, "T12/L1", -6.0)):
        assert spine_sizes(seen)["lordosis_degrees"].value == pytest.approx(wanted, abs=2.0)


def test_no_lordosis_without_both_ends(long_spine: SpineLocation) -> None:
    lower = tuple(disc for disc in long_spine.discs if disc.level != "T12/L1")
    assert spine_sizes(replace(long_spine, discs=lower)) == {}
