"""Signals that grades are judged against."""

from dataclasses import replace

import numpy as np
import pytest
from painted_spine import DISCS

from lumbago.pipeline.locate_discs import CHANNELS, SpineLocation
from lumbago.pipeline.measure_spine import FAT_TO_MARROW, fat_references, signal_references


def test_bright_is_fluid_and_middle_is_marrow(location: SpineLocation) -> None:
    references = signal_references(location)
    assert set(references) == {disc.level for disc in DISCS}
    for reference in references.values():
        assert reference.bright == pytest.approx(820)
        assert reference.middle == pytest.approx(550)


def test_fat_is_reckoned_from_marrow(location: SpineLocation) -> None:
    for reference in fat_references(location).values():
        assert (reference.bright, reference.middle) == (pytest.approx(FAT_TO_MARROW * 550), pytest.approx(550))


def painted_over(location: SpineLocation, rows: slice, grey: float, new: float) -> SpineLocation:
    array = location.volume.array.copy()
    window = array[:, rows]
    window[window == grey] = new
    return replace(location, volume=replace(location.volume, array=array))


def test_references_are_of_the_neighbourhood(location: SpineLocation) -> None:
    """Marrow is brighter in the lower half."""
    found = signal_references(painted_over(location, slice(145, 230), 550.0, 660.0))
    assert found["L1/L2"].middle == pytest.approx(550)
    assert found["L5/S1"].middle == pytest.approx(660)


def test_a_closed_canal_is_not_taken_for_fluid(location: SpineLocation) -> None:
    """Around L3/L4 nothing in the canal is bright; the rest of the spine says how bright fluid is."""
    found = signal_references(painted_over(location, slice(75, 146), 820.0, 200.0))
    assert found["L3/L4"].bright == pytest.approx(0.6 * 820)
    assert found["L1/L2"].bright == pytest.approx(820)


def test_without_segmentation_the_picture_stands_in(location: SpineLocation) -> None:
    empty = {index: np.zeros_like(maps) for index, maps in location.maps.items()}
    for reference in signal_references(replace(location, maps=empty)).values():
        assert reference.bright == pytest.approx(1000)
        assert 0 < reference.middle <= 1000


def test_a_black_picture_has_no_zero_reference(location: SpineLocation) -> None:
    black = replace(location, volume=replace(location.volume, array=np.zeros_like(location.volume.array)))
    assert all(min(r.bright, r.middle) > 0 for r in signal_references(black).values())


def test_channels_are_those_that_weights_were_trained_for() -> None:
    assert CHANNELS == (
        "disc", "vertebra", "sacrum", "canal", "disc_center", "lumbosacral_center", "foramen", "recess",
    )  # fmt: skip
