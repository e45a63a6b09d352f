"""What networks see: the same place at any pixel size, the same greys at any scale."""

from dataclasses import replace

import numpy as np
import pytest

from coarse_study import coarse_study
from lumbago.anatomy.conditions import ROLES
from lumbago.dicom.volume import Volume
from lumbago.pipeline.normalise import local_contrast, resample_image, three_views, without_inversion, without_offset

RNG = np.random.default_rng(0)
PICTURE = np.asarray(RNG.gamma(2.0, 100.0, (90, 70)), np.float32)


def dot(shape: tuple[int, int], row: float, column: float, width: float) -> np.ndarray:
    rows, columns = np.indices(shape)
    return np.asarray(np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / (2 * width**2)), np.float32)


def center(image: np.ndarray) -> tuple[float, float]:
    rows, columns = np.indices(image.shape)
    return float((rows * image).sum() / image.sum()), float((columns * image).sum() / image.sum())


@pytest.mark.parametrize("spacing", [(0.5, 0.5), (0.4, 0.9), (1.0, 1.0), (1.7, 1.7), (0.35, 0.35)])
@pytest.mark.parametrize("place_mm", [(31.0, 42.0), (60.3, 25.7)])
def test_a_dot_keeps_its_place(spacing: tuple[float, float], place_mm: tuple[float, float]) -> None:
    """Measured from the outer corner of the picture, which does not move."""
    rows, columns = round(100 / spacing[0]), round(80 / spacing[1])
    blob = np.zeros((rows, columns), np.float32)
    r, c = np.indices(blob.shape)
    offset = np.hypot((r + 0.5) * spacing[0] - place_mm[0], (c + 0.5) * spacing[1] - place_mm[1])
    blob = np.exp(-(offset**2) / (2 * 3.0**2)).astype(np.float32)
    found = resample_image(blob, spacing, 1.0)
    assert found.shape == (round(rows * spacing[0]), round(columns * spacing[1]))
    row, column = center(found)
    assert (row + 0.5) * (rows * spacing[0] / found.shape[0]) == pytest.approx(place_mm[0], abs=0.05)
    assert (column + 0.5) * (columns * spacing[1] / found.shape[1]) == pytest.approx(place_mm[1], abs=0.05)


def test_pixel_centres_lie_where_the_docstring_says() -> None:
    ramp = np.repeat(np.arange(40, dtype=np.float32)[:, None], 8, axis=1)
    found = resample_image(ramp, (0.5, 0.5), 1.0)
    expected = (np.arange(20) + 0.5) * 40 / 20 - 0.5
    np.testing.assert_allclose(found[2:-2, 3], expected[2:-2], atol=1e-4)


def test_at_its_own_size_a_picture_is_untouched() -> None:
    np.testing.assert_array_equal(resample_image(PICTURE, (1.0, 1.0), 1.0), PICTURE)


def test_shrinking_averages_instead_of_dropping_pixels() -> None:
    stripes = np.zeros((80, 80), np.float32)
    stripes[::2] = 1.0
    inner = resample_image(stripes, (0.25, 0.25), 1.0)[2:-2, 2:-2]
    np.testing.assert_allclose(inner, 0.5, atol=0.05)


@pytest.mark.parametrize("shape", [(1, 1), (1, 200), (3, 3)])
def test_the_smallest_picture_leaves_a_pixel(shape: tuple[int, int]) -> None:
    found = resample_image(np.ones(shape, np.float32), (0.3, 0.3), 1.0)
    assert min(found.shape) >= 1
    np.testing.assert_allclose(found, 1.0, atol=1e-6)


def test_views_stay_in_their_range() -> None:
    views = three_views(PICTURE, 1.0)
    assert views.shape == (3, 90, 70)
    assert views.dtype == np.float32
    assert views.min() >= -1.0
    assert views[:2].max() <= 1.4 + 1e-6
    assert views[2].max() <= 1.0
    assert all(np.ptp(view) > 0.5 for view in views)


@pytest.mark.parametrize("factor", [0.01, 3.0, 4095.0])
def test_views_do_not_depend_on_the_intensity_scale(factor: float) -> None:
    np.testing.assert_allclose(
        three_views((PICTURE * factor).astype(np.float32), 1.0), three_views(PICTURE, 1.0), atol=2e-4
    )


def test_the_second_view_is_free_of_slow_shading() -> None:
    falloff = np.exp(-np.linspace(0, 1.5, 300))[:, None]
    texture = np.asarray(RNG.gamma(4.0, 25.0, (300, 120)), np.float32)
    shaded = (texture * falloff).astype(np.float32)
    first, second = three_views(shaded, 1.0)[:2]
    plain = three_views(texture, 1.0)[1]
    assert abs(second[60:80].mean() - second[-80:-60].mean()) < 0.05
    assert first[60:80].mean() - first[-80:-60].mean() > 0.2
    assert np.corrcoef(second[50:-50].ravel(), plain[50:-50].ravel())[0, 1] > 0.95


@pytest.mark.parametrize("value", [0.0, 7.0])
def test_a_flat_picture_gives_numbers(value: float) -> None:
    views = three_views(np.full((40, 40), value, np.float32), 1.0)
    assert np.isfinite(views).all()
    np.testing.assert_allclose(views[2], 0.0, atol=1e-3)


def test_local_contrast_tells_bright_from_dark() -> None:
    picture = np.full((60, 60), 0.5, np.float32)
    picture[30, 20], picture[30, 40] = 0.9, 0.1
    contrast = local_contrast(picture, 1.0)
    assert contrast[30, 20] == pytest.approx(-contrast[30, 40], abs=1e-3)
    assert contrast[30, 20] > 0.9
    assert np.abs(contrast).max() <= 1.0


def test_local_contrast_looks_as_far_at_any_pixel_size() -> None:
    """The same blob at two pixel sizes."""
    coarse = dot((60, 60), 30, 30, 3.0)
    fine = dot((120, 120), 60.5, 60.5, 6.0)
    shrunk = local_contrast(fine, 0.5)[1::2, 1::2]
    assert np.abs(shrunk - local_contrast(coarse, 1.0)).mean() < 0.03


# --- the dark end ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def phantom() -> list[tuple[Volume, ...]]:
    """Slices of the series of a coarse study."""
    made = coarse_study(1, pixels=32)
    return [(made.scan_near(role, (0.0, 0.0, 0.0), reach=1).volume,) for role in ROLES]


def middles(volumes: tuple[Volume, ...]) -> tuple[Volume, ...]:
    """The middle quarter of rows and columns, where no air is."""
    return tuple(replace(volume, array=volume.array[:, 12:20, 12:20].copy()) for volume in volumes)


def test_ordinary_series_keep_exactly_their_values(phantom: list[tuple[Volume, ...]]) -> None:
    """Also cropped ones, in which nothing is black."""
    for volumes in phantom:
        for ordinary in (volumes, middles(volumes)):
            for same in (without_offset(ordinary), without_inversion(ordinary)):
                assert all(one is other for one, other in zip(same, ordinary, strict=True))
    assert without_offset(()) == without_inversion(()) == ()
    blank = tuple(replace(volume, array=np.full_like(volume.array, 250.0)) for volume in phantom[0])
    assert without_offset(blank)[0] is without_inversion(blank)[0] is blank[0]


@pytest.mark.parametrize("share", [0.6, 5.0, -0.3])
def test_an_offset_is_taken_away_from_a_whole_series(phantom: list[tuple[Volume, ...]], share: float) -> None:
    """As a share of the brightest values."""
    for volumes in phantom:
        bright = max(float(np.percentile(volume.array, 99.5)) for volume in volumes)
        moved = [replace(volume, array=volume.array + np.float32(share * bright)) for volume in volumes]
        for back, volume in zip(without_offset(moved), volumes, strict=True):
            np.testing.assert_allclose(back.array, volume.array, atol=0.02 * bright)
            assert "were taken for 0" in back.remarks[-1]


def test_inverted_greys_are_turned_back() -> None:
    """A body in air, as two parts of a series."""
    array = np.zeros((3, 60, 60), np.float32)
    array[:, 12:, 10:50] = RNG.gamma(4.0, 60.0, (3, 48, 40))
    volumes = [
        Volume(array[part], np.eye(4), (), geometry_is_assumed=False, remarks=()) for part in (np.s_[:1], np.s_[1:])
    ]
    assert all(one is other for one, other in zip(without_inversion(volumes), volumes, strict=True))
    top = array[:, ::4, ::4].max()
    inverted = [replace(volume, array=top - volume.array) for volume in volumes]
    for back, volume in zip(without_inversion(inverted), volumes, strict=True):
        np.testing.assert_allclose(back.array, volume.array, atol=1e-3)
        assert "its greys are inverted" in back.remarks[-1]
