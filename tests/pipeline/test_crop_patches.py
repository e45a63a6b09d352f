"""Patches: cut where their frame says, in its direction, on its slice."""

from dataclasses import replace

import numpy as np
import pytest
from painted_spine import affine_of, make_header

from lumbago.dicom.volume import Volume
from lumbago.errors import ModelRefused
from lumbago.pipeline.classical_features import classical_features
from lumbago.pipeline.crop_patches import VIEWS, PatchFrame, PatchRecipe, crop_patch, patch_views
from lumbago.pipeline.measure_spine import SignalReference
from lumbago.pipeline.measured_features import MEASURES

RECIPE = PatchRecipe("disc", rows=20, columns=30, pixel_mm=0.6, slices=1)
GRADIENT = np.array([3.0, 5.0, -2.0])


def value_at(points: np.ndarray) -> np.ndarray:
    """A ramp through the patient, which interpolation does not change."""
    return np.asarray(points @ GRADIENT + 1000.0)


@pytest.fixture(scope="module")
def volume() -> Volume:
    """Oblique sagittal slices, tilted by 20 degrees about the patient's left."""
    angle = np.radians(20)
    row = np.array([0.0, np.sin(angle), -np.cos(angle)])
    column = np.array([0.0, np.cos(angle), np.sin(angle)])
    affine = affine_of([(4.0, 0, 0), 0.5 * row, 0.7 * column], (-12.0, -40.0, 40.0))
    places = np.stack(np.meshgrid(np.arange(7.0), np.arange(160.0), np.arange(120.0), indexing="ij"), axis=-1)
    array = value_at(places @ affine[:3, :3].T + affine[:3, 3]).astype(np.float32)
    return Volume(array, affine, tuple(make_header("1.1", index) for index in range(7)))


def middle(volume: Volume, index: int = 3) -> np.ndarray:
    return volume.to_lps_mm(np.array([index, 80.0, 60.0]))


def frame_of(volume: Volume, turn: float = 0.0, index: int = 3) -> PatchFrame:
    """Along the patient's own axes (turn 0) or turned in the plane."""
    angle = np.radians(turn)
    along = np.array([0.0, np.cos(angle), np.sin(angle)])
    down = np.array([0.0, np.sin(angle), -np.cos(angle)])
    return PatchFrame(index, middle(volume, index), along, down)


def expected(frame: PatchFrame, recipe: PatchRecipe) -> np.ndarray:
    r = (np.arange(recipe.rows) - (recipe.rows - 1) / 2)[:, None, None] * recipe.pixel_mm
    c = (np.arange(recipe.columns) - (recipe.columns - 1) / 2)[None, :, None] * recipe.pixel_mm
    return value_at(frame.center_lps_mm + r * frame.down + c * frame.along)


@pytest.mark.parametrize("turn", [0.0, 35.0, -120.0])
def test_a_patch_lies_where_its_frame_says(volume: Volume, turn: float) -> None:
    frame = frame_of(volume, turn)
    patch = crop_patch(volume, frame, RECIPE)
    assert patch.shape == (1, 20, 30)
    np.testing.assert_allclose(patch[0], expected(frame, RECIPE), atol=0.05)


def test_coarse_pixels_cover_more_of_the_body(volume: Volume) -> None:
    recipe = RECIPE.scaled(1.5)
    assert recipe.pixel_mm == pytest.approx(0.9)
    frame = frame_of(volume)
    np.testing.assert_allclose(crop_patch(volume, frame, recipe)[0], expected(frame, recipe), atol=0.05)


def test_a_mirrored_frame_mirrors(volume: Volume) -> None:
    frame = frame_of(volume, 10.0)
    mirrored = replace(frame, along=-frame.along)
    np.testing.assert_allclose(
        crop_patch(volume, mirrored, RECIPE), crop_patch(volume, frame, RECIPE)[:, :, ::-1], atol=0.05
    )


def test_neighbouring_slices_come_in_order(volume: Volume) -> None:
    patch = crop_patch(volume, frame_of(volume), replace(RECIPE, slices=3))
    np.testing.assert_allclose(np.diff(patch, axis=0), 4.0 * GRADIENT[0], atol=0.05)


@pytest.mark.parametrize(("index", "same"), [(0, (0, 1)), (6, (1, 2))])
def test_edge_slices_are_repeated(volume: Volume, index: int, same: tuple[int, int]) -> None:
    patch = crop_patch(volume, frame_of(volume, index=index), replace(RECIPE, slices=3))
    np.testing.assert_array_equal(patch[same[0]], patch[same[1]])
    assert np.abs(np.diff(patch, axis=0)).max() > 10


def test_a_single_slice_fills_a_patch_of_five(volume: Volume) -> None:
    lone = replace(volume, array=volume.array[3:4], headers=volume.headers[3:4])
    patch = crop_patch(lone, replace(frame_of(volume), slice_index=0), replace(RECIPE, slices=5))
    assert patch.shape == (5, 20, 30)
    assert (patch == patch[0]).all()


def test_beyond_the_image_is_black(volume: Volume) -> None:
    frame = replace(frame_of(volume), center_lps_mm=middle(volume) + np.array([0.0, 0.0, 200.0]))
    assert (crop_patch(volume, frame, RECIPE) == 0).all()


def test_shaking_moves_by_millimetres(volume: Volume) -> None:
    frame = frame_of(volume, 25.0)
    moved = frame.shaken((3.0, -2.0), 0.0, 0)
    np.testing.assert_allclose(moved.center_lps_mm - frame.center_lps_mm, 3.0 * frame.down - 2.0 * frame.along)
    np.testing.assert_allclose(moved.along, frame.along)
    assert moved.slice_index == frame.slice_index


def test_shaking_turns_in_the_plane(volume: Volume) -> None:
    frame = frame_of(volume, 25.0)
    turned = frame.shaken((0.0, 0.0), 10.0, 0)
    np.testing.assert_allclose(turned.center_lps_mm, frame.center_lps_mm)
    assert np.degrees(np.arccos(turned.along @ frame.along)) == pytest.approx(10)
    assert turned.along @ turned.down == pytest.approx(0, abs=1e-12)
    assert turned.along @ frame.down > 0
    np.testing.assert_allclose(np.cross(turned.along, turned.down), np.cross(frame.along, frame.down), atol=1e-12)


def test_shaking_by_slices(volume: Volume) -> None:
    frame = frame_of(volume)
    assert [frame.shaken((0.0, 0.0), 0.0, n).slice_index for n in (-1, 0, 2)] == [2, 3, 5]


def test_the_box_spans_the_patch(volume: Volume) -> None:
    frame = frame_of(volume, 15.0)
    first, last = (np.array(corner) for corner in frame.box_lps_mm(RECIPE))
    np.testing.assert_allclose((first + last) / 2, frame.center_lps_mm)
    assert (last - first) @ frame.down == pytest.approx(20 * 0.6)
    assert (last - first) @ frame.along == pytest.approx(30 * 0.6)


def test_a_recipe_is_read_off_a_card() -> None:
    inputs = {"anchor": "canal", "rows": 8, "columns": 9, "pixel_mm": 0.5, "slices": 3, "votes": 5, "more": 1}
    assert PatchRecipe.of(inputs) == PatchRecipe("canal", 8, 9, 0.5, 3, 5)
    assert PatchRecipe.of({name: inputs[name] for name in inputs if name != "votes"}).votes == 1
    assert PatchRecipe.of(inputs).views == "three" and PatchRecipe.of({**inputs, "views": "byte"}).views == "byte"
    with pytest.raises(ModelRefused, match="the views 'colour'; expected one of three, byte, classical"):
        PatchRecipe.of({**inputs, "views": "colour"})


TEXTURE = np.random.default_rng(1).gamma(2.0, 80.0, (3, 40, 50)).astype(np.float32)


@pytest.mark.parametrize("reference", [None, SignalReference(300.0, 120.0)])
def test_views_are_three_a_slice_and_bounded(reference: SignalReference | None) -> None:
    views = patch_views(TEXTURE, reference, RECIPE)
    assert views.shape == (3, 3, 40, 50)
    assert views.dtype == np.float32
    assert views.min() >= -1
    assert views.max() <= 2 * np.sqrt(1.6) - 1 + 1e-6
    assert all(np.ptp(views[:, channel]) > 0.5 for channel in range(3))


def test_views_do_not_depend_on_the_intensity_scale() -> None:
    views = patch_views(TEXTURE, SignalReference(300.0, 120.0), RECIPE)
    louder = patch_views(TEXTURE * 8, SignalReference(2400.0, 960.0), RECIPE)
    np.testing.assert_allclose(louder, views, atol=1e-5)
    np.testing.assert_allclose(patch_views(TEXTURE * 8, None, RECIPE), patch_views(TEXTURE, None, RECIPE), atol=1e-4)


def test_signals_are_judged_against_their_references() -> None:
    views = patch_views(np.array([[[300.0, 75.0, 0.0]]], np.float32), SignalReference(300.0, 120.0), RECIPE)
    np.testing.assert_allclose(views[0, 0, 0], [1.0, 0.0, -1.0], atol=1e-6)
    np.testing.assert_allclose(views[0, 1, 0], [1.0, -0.5, -1.0], atol=1e-6)


def test_bytes_are_grey_values_of_the_bright_reference_three_times() -> None:
    patch = np.array([[[300.0, 75.0, 0.0, 900.0, -9.0]]], np.float32)
    views = patch_views(patch, SignalReference(300.0, 120.0), replace(RECIPE, views="byte"))
    assert views.dtype == np.float32 and views.shape == (1, 3, 1, 5)
    assert views[0].tolist() == [[[255, 64, 0, 255, 0]]] * 3


def test_classical_views_are_the_features_of_the_three() -> None:
    reference = SignalReference(300.0, 120.0)
    features = patch_views(TEXTURE, reference, replace(RECIPE, views="classical"))
    np.testing.assert_array_equal(features, classical_features(patch_views(TEXTURE, reference, RECIPE)))


@pytest.mark.parametrize("views", VIEWS)
def test_a_black_patch_gives_numbers(views: str) -> None:
    recipe = replace(RECIPE, views=views)
    measures = np.zeros(len(MEASURES), np.float32)
    assert np.isfinite(patch_views(np.zeros((1, 20, 20), np.float32), None, recipe, measures)).all()
