"""Slices to volumes: the affine is true for every slice, whatever the series holds; what is no grid is refused."""

import itertools
import random
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from headers import AXIAL, SAGITTAL, decoded, make_header
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from lumbago.dicom.build_volume import BuiltVolumes, stack_slices
from lumbago.dicom.study import SliceHeader
from lumbago.dicom.volume import Volume


def stack(headers: list[SliceHeader]) -> BuiltVolumes:
    return stack_slices(decoded(headers))


def line(count: int, step: float = 4.0, **fields: object) -> list[SliceHeader]:
    """Sagittal slices at equal distances."""
    return [make_header(n, image_position=(step * n, 0.0, 0.0), **fields) for n in range(count)]


def moved(header: SliceHeader, position: tuple[float, float, float], **fields: object) -> SliceHeader:
    return make_header(header.instance_number or 0, image_position=position, **fields)


def assert_true_to_headers(volume: Volume, tolerance_mm: float = 0.15) -> None:
    """The corners of every slice lie where its own header says."""
    for place, header in enumerate(volume.headers):
        assert header.image_orientation is not None
        assert header.image_position is not None
        row, column = np.array(header.image_orientation[:3]), np.array(header.image_orientation[3:])
        between_rows, between_columns = header.pixel_spacing or (0.0, 0.0)
        for r, c in itertools.product((0, header.rows - 1), (0, header.columns - 1)):
            stated = np.array(header.image_position) + column * between_rows * r + row * between_columns * c
            found = volume.to_lps_mm(np.array([place, r, c], np.float64))
            np.testing.assert_allclose(found, stated, atol=tolerance_mm)


@given(
    angles=st.tuples(*[st.floats(-180, 180)] * 3),
    count=st.integers(2, 9),
    step=st.floats(0.5, 8.0),
    origin=st.tuples(*[st.floats(-300, 300)] * 3),
    seed=st.integers(0, 999),
)
def test_any_regular_stack_in_any_order(
    angles: tuple[float, float, float], count: int, step: float, origin: tuple[float, float, float], seed: int
) -> None:
    turn = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    orientation = tuple(np.round(np.concatenate([turn[:, 0], turn[:, 1]]), 7).tolist())
    positions = np.round(np.array(origin) + np.arange(count)[:, None] * step * turn[:, 2], 4)
    headers = [
        make_header(n, image_orientation=orientation, image_position=tuple(position.tolist()))
        for n, position in enumerate(positions)
    ]
    shuffled = headers.copy()
    random.Random(seed).shuffle(shuffled)
    built = stack(shuffled)
    assert built.refused == ()
    (volume,) = built.volumes
    assert [header.instance_number for header in volume.headers] == list(range(count))
    assert_true_to_headers(volume, 0.01)
    for place, header in enumerate(volume.headers):
        assert (volume.array[place] == shuffled.index(header)).all()
    assert np.linalg.det(volume.affine[:3, :3]) != 0


def test_axes_of_the_array() -> None:
    (volume,) = stack(line(3)).volumes
    assert volume.array.shape == (3, 8, 10)
    np.testing.assert_allclose(volume.spacing_mm, [4.0, 0.5, 0.75])
    np.testing.assert_allclose(volume.to_lps_mm(np.array([0.0, 2.0, 0.0]))[2], -1.0)
    np.testing.assert_allclose(volume.to_lps_mm(np.array([0.0, 0.0, 2.0]))[1], 1.5)


class TestSplit:
    def test_angled_axial_blocks(self) -> None:
        headers = []
        for block, degrees in enumerate((-20, -8, 0, 12, 35)):
            turn = Rotation.from_euler("x", degrees, degrees=True).as_matrix()
            orientation = tuple(np.concatenate([turn[:, 0], turn[:, 1]]).tolist())
            for n in range(4):
                position = np.array([0.0, 0.0, -35.0 * block]) + 4.4 * n * turn[:, 2]
                place = tuple(position.tolist())
                headers.append(make_header(len(headers), image_orientation=orientation, image_position=place))
        built = stack(headers)
        assert [len(volume.array) for volume in built.volumes] == [4] * 5
        assert built.refused == ()
        for volume in built.volumes:
            assert_true_to_headers(volume)
            assert volume.remarks == ()

    def test_parallel_blocks_shifted_in_their_plane(self) -> None:
        headers = [
            make_header(
                10 * block + n, image_orientation=AXIAL, image_position=(0.0, 7.0 * block, 30.0 * block + 4 * n)
            )
            for block in range(3)
            for n in range(3)
        ]
        built = stack(headers)
        assert [len(volume.array) for volume in built.volumes] == [3, 3, 3]
        assert built.refused == ()

    @pytest.mark.parametrize("beside_mm", [(10.0, 0.0), (0.0, 230.0), (3.0, 3.0)])
    @pytest.mark.parametrize("slip_mm", [0.0, 1.7, 12.0])
    def test_stations_and_repeats(self, beside_mm: tuple[float, float], slip_mm: float) -> None:
        """Beside each other in their plane, at the same heights or between them."""
        other = [make_header(20 + n, image_position=(4.0 * n + slip_mm, beside_mm[0], -beside_mm[1])) for n in range(7)]
        built = stack([*line(7), *other])
        assert [len(volume.array) for volume in built.volumes] == [7, 7]
        assert built.refused == ()
        for volume in built.volumes:
            assert_true_to_headers(volume)
            assert volume.remarks == ()

    def test_small_tilt_is_not_glossed_over(self) -> None:
        turn = Rotation.from_euler("y", 1.0, degrees=True).as_matrix()
        tilted = tuple((turn @ np.array(SAGITTAL).reshape(2, 3).T).T.ravel().tolist())
        headers = [*line(4), *(make_header(n, image_orientation=tilted) for n in range(10, 14))]
        for volume in stack(headers).volumes:
            assert_true_to_headers(volume)

    def test_missing_slice(self) -> None:
        headers = line(9)
        del headers[3]
        built = stack(headers)
        assert sorted(len(volume.array) for volume in built.volumes) == [3, 5]
        assert all("1 slice missing: the series was split there" in volume.remarks for volume in built.volumes)
        for volume in built.volumes:
            assert_true_to_headers(volume)

    def test_sizes_and_spacings(self) -> None:
        headers = [*line(3), *line(3, rows=6), *line(3, pixel_spacing=(0.6, 0.75))]
        assert len(stack(headers).volumes) == 3

    def test_frames_of_reference(self) -> None:
        built = stack([*line(3, frame_of_reference_uid="7"), *line(3, frame_of_reference_uid="8")])
        assert [len(volume.array) for volume in built.volumes] == [3, 3]

    def test_a_frame_of_reference_for_every_file_is_none(self) -> None:
        built = stack([replace(header, frame_of_reference_uid=f"7.{n}") for n, header in enumerate(line(5))])
        assert [len(volume.array) for volume in built.volumes] == [5]

    def test_echoes(self) -> None:
        headers = [header for echo in (20.0, 90.0) for header in line(4, echo_time=echo)]
        built = stack(headers)
        assert [{header.echo_time for header in volume.headers} for volume in built.volumes] == [{20.0}, {90.0}]
        assert "told apart by echo_time" in built.volumes[0].remarks[0]

    def test_repeats_that_nothing_tells_apart(self) -> None:
        built = stack([*line(3), *line(3)])
        assert [len(volume.array) for volume in built.volumes] == [3, 3]
        assert "told apart by their order" in built.volumes[0].remarks[0]

    def test_one_slice_sent_twice(self) -> None:
        headers = line(5)
        built = stack([*headers, headers[2]])
        assert sorted(len(volume.array) for volume in built.volumes) == [1, 5]

    @pytest.mark.parametrize(
        "fields",
        [{"acquisition_number": range(1, 17)}, {"repetition_time": [3000.0, 3100.0] * 8}, {"echo_time": [100.0] * 16}],
    )
    def test_one_slice_sent_again_is_no_second_series(self, fields: dict[str, Sequence[float]]) -> None:
        """Also where an attribute differs from slice to slice."""
        headers = [*line(15), line(15)[6]]
        stated = [dict(zip(fields, values, strict=True)) for values in zip(*fields.values(), strict=True)]
        built = stack([replace(header, **own) for header, own in zip(headers, stated, strict=True)])
        assert sorted(len(volume.array) for volume in built.volumes) == [1, 15]

    def test_echoes_of_which_one_lacks_a_slice(self) -> None:
        headers = [header for echo in (20.0, 90.0) for header in line(8, echo_time=echo)]
        built = stack(headers[:-1])
        assert [{header.echo_time for header in volume.headers} for volume in built.volumes] == [{20.0}, {90.0}]

    def test_single_axial_slices_per_disc(self) -> None:
        headers = [
            make_header(n, image_orientation=AXIAL, image_position=(0.0, 0.0, 33.0 * n + n * n)) for n in range(5)
        ]
        built = stack(headers)
        assert [len(volume.array) for volume in built.volumes] == [1] * 5
        assert built.refused == ()

    def test_two_slices_far_apart(self) -> None:
        assert len(stack(line(2, step=35.0)).volumes) == 2


class TestAxialWithoutGrid:
    """Every slice is a volume."""

    @pytest.mark.parametrize(
        ("positions", "reason"),
        [
            ([(0.0, 0.0, z) for z in (0.0, 3.0, 7.5, 9.0, 14.2, 16.0, 21.9)], "the distances between slices vary"),
            ([(0.0, 1.0 * n, 4.5 * n) for n in range(5)], "each slice is shifted sideways by 1.00 mm"),
            ([(0.0, 5.0 * n, 4.5 * n) for n in range(5)], "each slice is shifted sideways by 5.00 mm"),
            ([(0.0, 0.0, 0.0), (10.0, 0.0, 0.0)], "each slice is shifted sideways by 10.00 mm"),
        ],
    )
    def test_stands_alone(self, positions: list[tuple[float, float, float]], reason: str) -> None:
        headers = [make_header(n, image_orientation=AXIAL, image_position=place) for n, place in enumerate(positions)]
        built = stack(headers)
        assert [len(volume.array) for volume in built.volumes] == [1] * len(headers)
        assert built.refused == ()
        for volume in built.volumes:
            assert_true_to_headers(volume)
            assert volume.remarks[0].startswith(reason)
            assert volume.remarks[0].endswith("; every slice was taken by itself")


class TestRefused:
    def test_shear(self) -> None:
        built = stack([make_header(n, image_position=(4.0 * n, 1.0 * n, 0.0)) for n in range(6)])
        assert built.volumes == ()
        assert "shifted sideways by 1.00 mm" in str(built.refused[0])

    def test_uneven_distances(self) -> None:
        places = (0.0, 3.0, 7.5, 9.0, 14.2, 16.0, 21.9)
        built = stack([make_header(n, image_position=(place, 0.0, 0.0)) for n, place in enumerate(places)])
        assert built.volumes == ()
        assert "the distances between slices vary from 1.50 to 5.90 mm" in str(built.refused[0])

    @pytest.mark.parametrize(
        ("orientation", "reason"),
        [
            ((1.0, 0.0, 0.0, 1.0, 0.0, 0.0), "not at right angles"),
            ((1.0, 0.0, 0.0, 0.3, 0.954, 0.0), "not at right angles"),
            ((0.0, 0.0, 0.0, 0.0, 1.0, 0.0), "lengths"),
            ((float("nan"), 0.0, 0.0, 0.0, 1.0, 0.0), "lengths"),
        ],
    )
    def test_orientation(self, orientation: tuple[float, ...], reason: str) -> None:
        built = stack(line(3, image_orientation=orientation))
        assert built.volumes == ()
        (refused,) = built.refused
        assert reason in str(refused)
        assert "3 of 3 slices" in str(refused)

    @pytest.mark.parametrize(
        "orientation", [(0.0, 1.011, 0.0, 0.0, 0.0, -0.985), (0.02, 1.0, 0.0, 0.0, 0.02, -1.0)], ids=["length", "angle"]
    )
    def test_orientation_that_is_nearly_orthonormal_is_made_so(self, orientation: tuple[float, ...]) -> None:
        (volume,) = stack(line(3, image_orientation=orientation)).volumes
        np.testing.assert_allclose(volume.spacing_mm, (4.0, 0.5, 0.75))
        assert abs(float(volume.affine[:3, 1] @ volume.affine[:3, 2])) < 1e-9
        assert volume.remarks == (
            "the stated row and column directions are not quite of unit length and at right angles; they were made so",
        )

    @pytest.mark.parametrize("fields", [{"image_orientation": None}, {"instance_number": None}], ids=str)
    def test_no_positions(self, fields: dict[str, None]) -> None:
        built = stack([make_header(n, image_position=None, **fields) for n in range(4)])
        assert built.volumes == ()
        assert str(built.refused[0]).startswith("4 of 4 slices have no usable geometry")

    def test_good_slices_survive_bad_ones(self) -> None:
        built = stack([*line(4), make_header(9, image_orientation=None)])
        assert [len(volume.array) for volume in built.volumes] == [4]
        assert len(built.refused) == 1

    def test_nothing(self) -> None:
        built = stack([])
        assert (built.volumes, built.skipped, built.refused) == ((), (), ())


class TestSingleSlice:
    @pytest.mark.parametrize(("thickness", "step"), [(5.0, 5.0), (None, 4.0), (0.0, 4.0)])
    def test_is_a_volume(self, thickness: float | None, step: float) -> None:
        (volume,) = stack([make_header(1, slice_thickness=thickness)]).volumes
        assert volume.spacing_mm[0] == step
        assert not volume.geometry_is_assumed
        assert_true_to_headers(volume)

    def test_without_geometry_is_taken_for_sagittal(self) -> None:
        header = make_header(1, image_orientation=None, image_position=None)
        (volume,) = stack([header]).volumes
        assert volume.geometry_is_assumed
        assert volume.headers == (header,)
        np.testing.assert_allclose(volume.affine[:3, 1], [0, 0, -0.5])
        np.testing.assert_allclose(volume.affine[:3, 2], [0, 0.75, 0])
        np.testing.assert_allclose(volume.to_lps_mm(np.array([0.0, 3.5, 4.5])), 0, atol=1e-9)
        assert "a sagittal image is assumed" in volume.remarks[0]

    def test_without_spacing_fills_300_mm(self) -> None:
        (volume,) = stack([make_header(1, pixel_spacing=None, rows=400, columns=300)]).volumes
        np.testing.assert_allclose(volume.spacing_mm[1:], 0.75)
        assert volume.geometry_is_assumed
        assert "a field of view of 300 mm is assumed" in volume.remarks[0]


class TestLostPositions:
    @pytest.mark.parametrize("place", [None, (0.0, 0.0, 0.0)])
    def test_slices_are_in_the_order_of_their_numbers(self, place: tuple[float, float, float] | None) -> None:
        headers = [make_header(n, image_position=place, spacing_between_slices=4.4) for n in (3, 9, 4, 7)]
        (volume,) = stack(headers).volumes
        assert volume.geometry_is_assumed
        assert [header.instance_number for header in volume.headers] == [3, 4, 7, 9]
        assert {header.image_position for header in volume.headers} == {None}
        np.testing.assert_array_equal(volume.array[:, 0, 0], [0, 2, 3, 1])
        np.testing.assert_allclose(volume.spacing_mm, (4.4, 0.5, 0.75))
        np.testing.assert_allclose(volume.to_lps_mm(np.array([1.5, 3.5, 4.5])), 0, atol=1e-9)
        assert volume.remarks == (
            "the files state no position; the slices were taken in the order of their numbers, 4.4 mm apart",
        )

    def test_moments_of_one_place_are_no_stack(self) -> None:
        headers = [make_header(n, image_position=(0.0, 0.0, 0.0), temporal_position=n) for n in range(3)]
        assert [len(volume.array) for volume in stack(headers).volumes] == [1, 1, 1]

    def test_directions_that_are_none_are_refused(self) -> None:
        built = stack([make_header(n, image_position=None, image_orientation=(0.0,) * 6) for n in range(3)])
        assert built.volumes == ()
        assert "3 of 3 slices" in str(built.refused[0])

    def test_a_slice_at_the_origin_among_others_has_its_place(self) -> None:
        (volume,) = stack([make_header(n, image_position=(4.0 * n, 0.0, 0.0)) for n in range(3)]).volumes
        assert not volume.geometry_is_assumed


def test_missing_thickness_is_no_matter() -> None:
    (volume,) = stack(line(5, slice_thickness=None)).volumes
    assert volume.spacing_mm[0] == 4.0


def test_rounded_positions_are_within_tolerance() -> None:
    headers = [make_header(n, image_position=(round(4.44 * n, 1), 0.0, 0.0)) for n in range(15)]
    built = stack(headers)
    assert [len(volume.array) for volume in built.volumes] == [15]
    assert_true_to_headers(built.volumes[0])


class TestPlacesInWholeMillimetres:
    NORMAL = Rotation.from_euler("yz", [3.0, -5.0], degrees=True).as_matrix()

    def rounded(self, step: float, left_out: tuple[int, ...] = (), digits: int = 0) -> list[SliceHeader]:
        turned = tuple((self.NORMAL @ np.array(SAGITTAL).reshape(2, 3).T).T.ravel().tolist())
        places = {n: self.NORMAL[:, 0] * step * n + np.array([-31.2, 110.45, 87.7]) for n in range(15)}
        return [
            make_header(n, image_orientation=turned, image_position=tuple(np.round(place, digits).tolist()))
            for n, place in places.items()
            if n not in left_out
        ]

    @pytest.mark.parametrize("step", [3.3, 4.4, 5.5])
    def test_are_one_volume(self, step: float) -> None:
        built = stack(self.rounded(step))
        assert [len(volume.array) for volume in built.volumes] == [15]
        assert built.refused == ()
        (volume,) = built.volumes
        assert volume.spacing_mm[0] == pytest.approx(step, abs=0.05)
        assert volume.remarks[0].startswith("places are stated in whole millimetres; the slices were taken to lie")
        assert_true_to_headers(volume, 0.75)

    @pytest.mark.parametrize("step", [3.3, 4.4, 5.5])
    def test_a_missing_slice_is_seen(self, step: float) -> None:
        built = stack(self.rounded(step, left_out=(4,)))
        assert sorted(len(volume.array) for volume in built.volumes) == [4, 10]
        assert all("1 slice missing: the series was split there" in volume.remarks for volume in built.volumes)

    def test_of_blocks(self) -> None:
        built = stack(self.rounded(4.4, left_out=(4, 5, 6, 11)))
        assert [len(volume.array) for volume in built.volumes] == [3, 4, 4]

    def test_thin_slices_in_tenths(self) -> None:
        (volume,) = stack(self.rounded(0.88, digits=1)).volumes
        assert (len(volume.array), volume.remarks) == (15, ())

    def test_even_ones_stay_as_they_are(self) -> None:
        (volume,) = stack(line(7)).volumes
        np.testing.assert_array_equal(volume.affine[:3, 0], [-4.0, 0.0, 0.0])
        assert volume.remarks == ()

    def test_slices_that_shift_sideways_are_no_rounding(self) -> None:
        built = stack([make_header(n, image_position=(4.0 * n, 1.0 * n, 0.0)) for n in range(3)])
        assert built.volumes == ()
