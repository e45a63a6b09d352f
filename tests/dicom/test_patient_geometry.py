"""Points, planes and patches: what is at a place of the patient stays there."""

import itertools

import numpy as np
import pytest
from headers import make_header
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from lumbago.dicom.patient_geometry import (
    canonical_axial,
    canonical_sagittal,
    choose_slice,
    distance_to_slice_mm,
    is_inside_slice,
    nearest_slice,
    sample_plane,
    slice_normal,
)
from lumbago.dicom.volume import Volume

SAGITTAL_AXES = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
AXIAL_AXES = np.array([[0.0, 0.0, -1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])


def make_volume(directions: np.ndarray, shape: tuple[int, int, int] = (5, 40, 30), tilt: float = 0.0) -> Volume:
    """Axes along the rows of `directions`; every voxel holds x + 1000 y + 1e6 z of its rank, so that it can be told."""
    turn = Rotation.from_euler("x", tilt, degrees=True).as_matrix()
    affine = np.eye(4)
    affine[:3, :3] = turn @ (directions * np.array([[4.0], [0.7], [0.8]])).T
    affine[:3, 3] = (-11.0, 23.0, 35.0)
    array = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    return Volume(array, affine, tuple(make_header(number) for number in range(shape[0])))


def all_axes(rows: np.ndarray) -> list[np.ndarray]:
    """The slice axis of `rows` kept first or reversed, the other two in any order and direction."""
    return [
        np.array([rows[0] * signs[0], rows[order[0]] * signs[1], rows[order[1]] * signs[2]])
        for order in ((1, 2), (2, 1))
        for signs in itertools.product((1, -1), repeat=3)
    ]


@pytest.mark.parametrize(("wanted", "canonical"), [(SAGITTAL_AXES, canonical_sagittal), (AXIAL_AXES, canonical_axial)])
@pytest.mark.parametrize("variant", range(16))
@pytest.mark.parametrize("tilt", [0.0, 30.0])
def test_canonical_order(wanted: np.ndarray, canonical: object, variant: int, tilt: float) -> None:
    volume = make_volume(all_axes(wanted)[variant], tilt=tilt)
    shown: Volume = canonical(volume)  # type: ignore[operator]
    directions = (shown.affine[:3, :3] / shown.spacing_mm).T
    assert (np.diag(directions @ wanted.T) > 0.8).all()
    for ijk in ((0, 0, 0), (4, 7, 29), (2, 29, 3)):
        where = shown.to_lps_mm(np.array(ijk, np.float64))
        source = tuple(np.rint(volume.to_ijk(where)).astype(int))
        assert shown.array[ijk] == volume.array[source]
        assert shown.headers[ijk[0]] == volume.headers[source[0]]
    again: Volume = canonical(shown)  # type: ignore[operator]
    np.testing.assert_array_equal(again.affine, shown.affine)


def test_sides_are_the_patients() -> None:
    volume = canonical_sagittal(make_volume(SAGITTAL_AXES * np.array([[-1.0], [1.0], [1.0]])))
    assert volume.to_lps_mm(np.array([4.0, 0.0, 0.0]))[0] > volume.to_lps_mm(np.array([0.0, 0.0, 0.0]))[0]


@given(
    st.sampled_from(all_axes(AXIAL_AXES)),
    st.floats(-45, 45),
    st.tuples(st.floats(-2, 6), st.floats(0, 39), st.floats(0, 29)),
)
def test_nearest_slice_and_distance(directions: np.ndarray, tilt: float, ijk: tuple[float, float, float]) -> None:
    volume = make_volume(directions, tilt=tilt)
    point = volume.to_lps_mm(np.array(ijk))
    nearest = nearest_slice(volume, point)
    distances = [abs(distance_to_slice_mm(volume, index, point)) for index in range(5)]
    assert distances[nearest] == pytest.approx(min(distances), abs=1e-6)
    assert distance_to_slice_mm(volume, 0, point) == pytest.approx(4.0 * ijk[0], abs=1e-6)
    assert is_inside_slice(volume, point)
    assert not is_inside_slice(volume, point, margin_mm=20.0)
    np.testing.assert_allclose(np.linalg.norm(slice_normal(volume)), 1.0)


def test_outside_of_a_slice() -> None:
    volume = make_volume(AXIAL_AXES)
    assert not is_inside_slice(volume, volume.to_lps_mm(np.array([0.0, -1.0, 5.0])))
    assert not is_inside_slice(volume, volume.to_lps_mm(np.array([0.0, 5.0, 30.0])))


class TestChooseSlice:
    def blocks(self) -> list[Volume]:
        volumes = [make_volume(AXIAL_AXES, (3, 60, 60), tilt) for tilt in (0.0, 20.0, 38.0)]
        for number, volume in enumerate(volumes):
            volume.affine[:3, 3] = volume.affine[:3, 3] - volume.to_lps_mm(np.array([1.0, 29.5, 29.5]))
            volume.affine[:3, 3] += (0.0, 0.0, -30.0 * number)
        return volumes

    def test_middle_of_every_block(self) -> None:
        blocks = self.blocks()
        for number in range(3):
            choice = choose_slice(blocks, np.array([0.0, 0.0, -30.0 * number]), slice_normal(blocks[number]))
            assert choice is not None
            assert (choice.volume, choice.slice) == (number, 1)
            assert choice.distance_mm == pytest.approx(0.0, abs=1e-6)
            assert choice.angle_degrees == pytest.approx(0.0, abs=1e-3)

    def test_between_blocks_says_how_far(self) -> None:
        choice = choose_slice(self.blocks()[:1], np.array([0.0, 0.0, -15.0]), np.array([0.0, 0.0, 1.0]))
        assert choice is not None
        assert choice.distance_mm == pytest.approx(11.0)

    def test_least_tilted_of_those_that_pass(self) -> None:
        tilted, straight = make_volume(AXIAL_AXES, (3, 60, 60), 30.0), make_volume(AXIAL_AXES, (3, 60, 60))
        for volume in (tilted, straight):
            volume.affine[:3, 3] = volume.affine[:3, 3] - volume.to_lps_mm(np.array([1.0, 29.5, 29.5]))
        choice = choose_slice([tilted, straight], np.zeros(3), np.array([0.0, 0.0, 5.0]))
        assert choice is not None
        assert choice.volume == 1

    def test_nobody_shows_the_point(self) -> None:
        assert choose_slice(self.blocks(), np.array([300.0, 0.0, 0.0]), np.array([0.0, 0.0, 1.0])) is None
        assert choose_slice([], np.zeros(3), np.array([0.0, 0.0, 1.0])) is None


class TestSamplePlane:
    def test_pixels_themselves(self) -> None:
        volume = make_volume(SAGITTAL_AXES, tilt=12.0)
        origin = volume.to_lps_mm(np.array([2.0, 3.0, 4.0]))
        patch = sample_plane(volume, 2, origin, volume.affine[:3, 1], volume.affine[:3, 2], (6, 5))
        np.testing.assert_allclose(patch, volume.array[2, 3:9, 4:9], rtol=1e-5)
        assert patch.dtype == np.float32

    def test_points_beside_the_slice_fall_onto_it_along_its_normal(self) -> None:
        volume = make_volume(SAGITTAL_AXES, tilt=12.0)
        origin = volume.to_lps_mm(np.array([2.0, 3.0, 4.0]))
        steps = (volume.affine[:3, 1], volume.affine[:3, 2])
        beside = sample_plane(volume, 2, origin + 1.7 * slice_normal(volume), *steps, (6, 5))
        np.testing.assert_allclose(beside, sample_plane(volume, 2, origin, *steps, (6, 5)), rtol=1e-4)

    def test_ramp_on_a_turned_grid(self) -> None:
        volume = make_volume(SAGITTAL_AXES)
        y_of = volume.affine[1, 3] + 0.8 * np.arange(30, dtype=np.float32)
        volume.array[3] = np.broadcast_to(y_of, (40, 30))
        origin = volume.to_lps_mm(np.array([3.0, 20.0, 8.0]))
        down, across = np.array([0.0, 0.3, -0.4]), np.array([0.0, 0.4, 0.3])
        patch = sample_plane(volume, 3, origin, down, across, (10, 12))
        rows, columns = np.mgrid[:10, :12]
        np.testing.assert_allclose(patch, origin[1] + 0.3 * rows + 0.4 * columns, atol=1e-3)

    def test_beyond_the_edge_is_zero(self) -> None:
        volume = make_volume(SAGITTAL_AXES)
        origin = volume.to_lps_mm(np.array([1.0, -10.0, -10.0]))
        patch = sample_plane(volume, 1, origin, volume.affine[:3, 1], volume.affine[:3, 2], (20, 20))
        assert (patch[:9, :] == 0).all()
        assert (patch[12:, 12:] > 0).all()

    def test_coarse_grids_do_not_alias(self) -> None:
        volume = make_volume(SAGITTAL_AXES, (1, 80, 80))
        volume.array[0] = 100.0 * (np.indices((80, 80)).sum(axis=0) % 2)
        origin = volume.to_lps_mm(np.array([0.0, 20.0, 20.0]))
        patch = sample_plane(volume, 0, origin, 4 * volume.affine[:3, 1], 4 * volume.affine[:3, 2], (8, 8))
        np.testing.assert_allclose(patch, 50.0, atol=1.0)
