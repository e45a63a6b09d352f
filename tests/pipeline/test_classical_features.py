"""Classical features by hand-computed values, and by what must not change them."""

import numpy as np
import pytest

from lumbago.errors import SettingsRefused
from lumbago.pipeline.classical_features import (
    FEATURES,
    binary_patterns,
    classical_features,
    co_occurrence,
    edges,
    intensity,
    otsu_threshold,
    shape,
)


def patch(seed: int, rows: int = 32, columns: int = 48) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, (3, 3, rows, columns)).astype(np.float32)


@pytest.mark.parametrize("sides", [(16, 16), (32, 48), (65, 97)])
def test_as_many_whatever_the_size(sides: tuple[int, int]) -> None:
    features = classical_features(patch(1, *sides))
    assert features.shape == (FEATURES,) and np.isfinite(features).all()


def test_a_flat_patch_has_finite_features() -> None:
    assert np.isfinite(classical_features(np.zeros((1, 3, 32, 32), np.float32))).all()


def test_only_the_first_view_counts_and_slices_have_no_order() -> None:
    one, other = patch(1), patch(1)[::-1].copy()
    other[:, 1:] = 0
    np.testing.assert_allclose(classical_features(one), classical_features(other), atol=1e-5)
    assert np.abs(classical_features(one) - classical_features(patch(2))).max() > 0.01


def test_small_patches_are_refused() -> None:
    with pytest.raises(SettingsRefused, match="15 x 48 pixels; expected 16 or more a side"):
        classical_features(patch(1, 15))


def test_intensity() -> None:
    found = intensity(np.array([[0.0, 0.0, 1.0, 1.0]]))
    assert found[:4].tolist() == [0.5, 0.5, 0.0, 1.0]
    assert found[6] == 0.5


def test_stripes_along_rows() -> None:
    """Rows of 0 and 1 in turn: of the pairs, 12 along rows are alike, 12 down rows and 2 x 9 across differ by 15."""
    picture = np.tile([[0.0], [1.0]], (2, 4))
    contrast, dissimilarity, homogeneity, energy, correlation, entropy = co_occurrence(picture, 1)
    differ = 30 / 42
    assert contrast == pytest.approx(225 * differ)
    assert dissimilarity == pytest.approx(15 * differ)
    assert homogeneity == pytest.approx(1 - differ + differ / 226)
    assert energy == pytest.approx(np.sqrt(2 * (differ / 2) ** 2 + 2 * ((1 - differ) / 2) ** 2))
    assert correlation == pytest.approx(1 - 2 * differ)
    assert entropy == pytest.approx(1 - differ * np.log2(differ) - (1 - differ) * np.log2(1 - differ))


def test_patterns_of_a_lone_bright_pixel_and_of_a_flat_picture() -> None:
    flat = binary_patterns(np.full((5, 5), 0.3))
    assert flat[8] == 1, "all eight neighbours are at least as bright"
    picture = np.zeros((5, 5))
    picture[2, 2] = 1
    lone = binary_patterns(picture)
    assert lone[0] == pytest.approx(1 / 9) and lone[8] == pytest.approx(8 / 9)


def test_patterns_do_not_see_brightness() -> None:
    picture = np.random.default_rng(1).uniform(0, 1, (20, 20))
    assert np.array_equal(binary_patterns(picture), binary_patterns(0.2 + 0.3 * picture))


def test_shape_of_a_bar() -> None:
    picture = np.zeros((20, 20))
    picture[8:12, 2:18] = 0.8
    share, row, column, down, along, eccentricity, contrast = shape(picture)
    assert (share, contrast) == pytest.approx((64 / 400, 0.8))
    assert (row, column) == pytest.approx((9.5 / 20, 9.5 / 20))
    assert (down, along) == pytest.approx((np.sqrt(15 / 12) / 20, np.sqrt(255 / 12) / 20))
    assert eccentricity == pytest.approx(np.sqrt(1 - 15 / 255))


def test_the_threshold_lies_between_two_heaps() -> None:
    rng = np.random.default_rng(1)
    picture = np.concatenate([rng.normal(0.2, 0.03, 300), rng.normal(0.8, 0.03, 100)])[None]
    assert 0.3 < otsu_threshold(picture) < 0.7


def test_edges_know_their_direction() -> None:
    ramp = np.tile(np.linspace(0, 1, 24), (16, 1))
    across, down = edges(ramp).reshape(24, 8), edges(ramp[:, :16].T.copy()).reshape(24, 8)
    assert across.sum(0).argmax() == 0 and down.sum(0).argmax() == 4
    assert np.linalg.norm(across) == pytest.approx(1)
