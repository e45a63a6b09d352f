"""Pictures that lie otherwise than their files state, as of a patient who was registered feet first."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from painted_spine import DISCS, PaintedLocator, sagittal_volume

from lumbago.anatomy.levels import LEVELS
from lumbago.dicom.volume import Volume
from lumbago.pipeline.judge_quality import quality_remarks
from lumbago.pipeline.locate_discs import CHANNELS, SpineLocation, locate_discs
from lumbago.pipeline.locate_study import locate_spine
from lumbago.pipeline.match_axials import match_axials
from lumbago.pipeline.name_gaps import not_assessed
from lumbago.pipeline.place_patches import reference_of

HOW = {
    "stands on its head": np.s_[:, ::-1],
    "faces backwards": np.s_[:, :, ::-1],
    "stands on its head and faces backwards": np.s_[:, ::-1, ::-1],
}


class UprightLocator(PaintedLocator):
    """Knows a sacrum by what lies about it, as a trained locator does: all discs above, the canal behind."""

    def run(self, batch: np.ndarray) -> dict[str, np.ndarray]:
        maps = super().run(batch)["maps"]
        disc, canal, sacral = (maps[0, CHANNELS.index(name)] for name in ("disc", "canal", "lumbosacral_center"))
        (rows, columns), behind = np.nonzero(disc > 0), np.nonzero(canal > 0)[1]
        if len(rows) and len(behind) and not (_row_of(sacral) > rows.mean() and behind.mean() > columns.mean()):
            sacral[:] = -6.0
        return {"maps": maps}


def _row_of(heat: np.ndarray) -> float:
    return float(np.unravel_index(np.argmax(heat), heat.shape)[0])


def lying(how: str, volume: Volume | None = None) -> Volume:
    """Pixels that do not lie as their affine states."""
    volume = volume or sagittal_volume()
    return replace(volume, array=np.ascontiguousarray(volume.array[HOW[how]]))


@pytest.fixture(scope="module", params=HOW)
def turned(request: pytest.FixtureRequest) -> SpineLocation:
    return locate_discs(UprightLocator(), lying(request.param))


def test_it_is_turned_upright_and_said_how(turned: SpineLocation) -> None:
    assert turned.turned in HOW
    assert turned.name_is_sure
    assert [disc.level for disc in turned.discs] == list(reversed(LEVELS))
    np.testing.assert_array_equal(turned.volume.array, sagittal_volume().array)


def test_places_are_those_of_the_files_pixels(turned: SpineLocation) -> None:
    """A viewer that shows the files as they are finds each disc where it looks."""
    stated = lying(turned.turned)
    np.testing.assert_array_equal(turned.as_stated.array, stated.array)
    np.testing.assert_allclose(turned.as_stated.affine, stated.affine)
    flips = np.array(["head" in turned.turned, "backwards" in turned.turned])
    last = np.array(stated.array.shape[1:]) - 1
    for disc in DISCS:
        located = turned.disc(disc.level)
        assert located is not None
        upright = sagittal_volume().to_ijk(np.array(disc.center))[1:]
        np.testing.assert_allclose(
            stated.to_ijk(located.center_lps_mm)[1:], np.where(flips, last - upright, upright), atol=1.0
        )


def test_neither_sides_nor_places_in_the_patient_are_believed(turned: SpineLocation) -> None:
    both = {"sagittal_t2": turned, "sagittal_t1": turned}
    spine = locate_spine(UprightLocator(), both, [])  # type: ignore[arg-type]
    assert spine.foramina == {}
    assert turned.volume.geometry_is_assumed
    assert "lies otherwise than it states" in match_axials(UprightLocator(), turned, []).doubt
    reasons = {entry.condition: entry.reason for entry in not_assessed((), spine, {})}
    assert "left and right are not known" in reasons["neural_foraminal_narrowing"]
    assert "lies otherwise than it states" in reasons["subarticular_stenosis"]


def test_a_reader_is_told(turned: SpineLocation) -> None:
    texts = [remark.text for remark in quality_remarks("sagittal_t2", turned)]
    assert any(f"its spine {turned.turned} as the files state it" in text for text in texts)
    assert not any("state no position" in text for text in texts)


def test_a_series_that_lies_as_it_states_stands_for_the_study(turned: SpineLocation, location: SpineLocation) -> None:
    assert reference_of({"sagittal_t2": turned, "sagittal_t1": location}) is location
    assert reference_of({"sagittal_t2": turned, "sagittal_t1": turned}) is turned


@pytest.mark.parametrize("cut", [lambda array: array[:, :165], lambda array: array[:, :60]])
def test_a_spine_whose_sacrum_is_not_in_view_is_not_turned(cut: Callable[[np.ndarray], np.ndarray]) -> None:
    volume = sagittal_volume()
    location = locate_discs(UprightLocator(), replace(volume, array=np.ascontiguousarray(cut(volume.array))))
    assert not location.name_is_sure
    assert location.turned == ""


def test_slices_without_a_place_have_no_sides() -> None:
    volume = sagittal_volume()
    unplaced = tuple(replace(header, image_position=None) for header in volume.headers)
    located = locate_discs(UprightLocator(), replace(volume, headers=unplaced, geometry_is_assumed=True))
    spine = locate_spine(UprightLocator(), {"sagittal_t2": located, "sagittal_t1": located}, [])
    assert located.name_is_sure
    assert spine.foramina == {}
    reasons = {entry.condition: entry.reason for entry in not_assessed([], spine, {}, [])}
    said = "the sagittal T1 series states no position, so that left and right are not known"
    assert reasons["neural_foraminal_narrowing"] == said
