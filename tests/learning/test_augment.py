"""Changes of pictures: drawn as a spec, replayed to the same bits, and honest about where things end up."""

from dataclasses import replace

import numpy as np
import pytest

from lumbago.learning.augment import Scanner, Warp, draw_scanner, rescan, tone, warp

STILL = Warp((19.5, 24.5), 0.0, 1.0, 1.0, (40, 50))
PLAIN = Scanner((0.0, 0.2, 0.4, 0.6, 0.8, 1.0), 1.0, (0.0,) * 4, 0.0, 0.0, 1, None)


def picture() -> np.ndarray:
    rows, columns = np.indices((40, 50))
    return (0.4 + 0.3 * np.sin(rows / 5) * np.cos(columns / 7)).astype(np.float32)


def spot(row: int, column: int) -> np.ndarray:
    image = np.zeros((1, 40, 50), np.float32)
    image[0, row, column] = 1
    return image


def brightest(maps: np.ndarray) -> tuple[int, ...]:
    return tuple(int(index) for index in np.unravel_index(maps[0].argmax(), maps[0].shape))


def test_no_change_changes_nothing() -> None:
    np.testing.assert_allclose(warp(picture()[None], STILL)[0], picture(), atol=1e-5)
    np.testing.assert_allclose(rescan(picture(), PLAIN), picture(), atol=1e-6)


def test_the_centre_of_a_warp_comes_to_lie_in_the_middle() -> None:
    seen = warp(spot(10, 30), replace(STILL, center=(10.0, 30.0), shape=(21, 31), rotation_degrees=30.0, scale=1.3))
    assert seen.shape == (1, 21, 31)
    assert brightest(seen) == (10, 15)


def test_scale_above_one_enlarges() -> None:
    """A spot 5 rows below and 4 columns right of the centre moves out to twice that."""
    seen = warp(spot(25, 34), Warp((20.0, 30.0), 0.0, 2.0, 1.0, (41, 61)))
    assert brightest(seen) == (20 + 10, 30 + 8)


def test_stretch_enlarges_columns_alone() -> None:
    assert brightest(warp(spot(25, 34), Warp((20.0, 30.0), 0.0, 1.0, 2.0, (41, 61)))) == (25, 38)


def test_rotation_keeps_distances() -> None:
    seen = warp(spot(20, 40), Warp((20.0, 30.0), 90.0, 1.0, 1.0, (41, 61)))
    row, column = brightest(seen)
    assert np.hypot(row - 20, column - 30) == pytest.approx(10) and column == 30


def test_outside_is_nought() -> None:
    assert warp(np.ones((1, 40, 50), np.float32), replace(STILL, center=(-60.0, 0.0))).max() == 0


def test_a_spec_is_replayed_to_the_same_bits() -> None:
    specs = [draw_scanner(np.random.default_rng(seed)) for seed in (5, 5, 6)]
    assert specs[0] == specs[1] != specs[2]
    assert np.array_equal(rescan(picture(), specs[0]), rescan(picture(), specs[1]))
    assert not np.array_equal(rescan(picture(), specs[0]), rescan(picture(), specs[2]))


def test_pictures_stay_pictures() -> None:
    for seed in range(40):
        seen = rescan(picture(), draw_scanner(np.random.default_rng(seed), 1.5))
        assert seen.dtype == np.float32 and seen.shape == (40, 50)
        assert np.isfinite(seen).all() and seen.min() >= 0


def test_no_strength_changes_next_to_nothing() -> None:
    for seed in range(20):
        spec = draw_scanner(np.random.default_rng(seed), 0.0)
        np.testing.assert_allclose(rescan(picture(), spec), picture(), atol=1e-5)


def test_a_share_of_pictures_has_a_made_up_contrast_however_weak_the_rest() -> None:
    """What training draws follows from its seed: only no strength at all leaves the contrast."""
    for strength in (0.1, 1.0):
        curves = [draw_scanner(np.random.default_rng(seed), strength).curve for seed in range(400)]
        assert np.mean([min(np.diff(curve)) < 0 for curve in curves]) == pytest.approx(0.17, abs=0.05)


def test_tame_contrast_never_turns_around() -> None:
    greys = np.linspace(0, 1, 50, dtype=np.float32)
    for seed in range(40):
        curve = tone(greys, draw_scanner(np.random.default_rng(seed), wild=0.0))
        assert (np.diff(curve) >= -1e-6).all()


def test_each_part_does_its_own() -> None:
    still = picture()
    blurred = rescan(still, replace(PLAIN, blur_px=2.0))
    assert np.abs(np.diff(blurred)).mean() < 0.95 * np.abs(np.diff(still)).mean()
    noisy = rescan(still, replace(PLAIN, noise=0.05))
    assert (noisy - still).std() == pytest.approx(0.05, rel=0.15)
    shaded = rescan(still, replace(PLAIN, shading=(0.5, -0.5, 0.5, -0.5))) / still
    assert shaded[:, 0].mean() == pytest.approx(np.exp(0.5), rel=0.01)
    assert shaded[:, -1].mean() == pytest.approx(np.exp(-0.5), rel=0.01)
    lost = rescan(still, replace(PLAIN, void=(0.5, 0.5, 0.1)))
    assert lost[20, 25] == 0 and lost[0, 0] == pytest.approx(still[0, 0])


def test_coarse_pixels_lose_detail_and_keep_the_mean() -> None:
    """Stripes two pixels wide vanish on pixels four times as large; smooth tissue stays."""
    stripes = np.tile((0.5 + 0.3 * (-1.0) ** (np.arange(48) // 2))[None], (40, 1)).astype(np.float32)
    coarse = rescan(stripes, replace(PLAIN, coarseness=4.0))
    assert coarse.std() < 0.1 * stripes.std() and coarse.mean() == pytest.approx(stripes.mean(), abs=1e-3)
    np.testing.assert_allclose(
        rescan(picture(), replace(PLAIN, coarseness=1.2))[4:-4, 4:-4], picture()[4:-4, 4:-4], atol=0.05
    )
    assert rescan(picture(), replace(PLAIN, coarseness=30.0)).shape == (40, 50)


def test_edges_are_enhanced_and_even_tissue_is_not() -> None:
    step = np.full((40, 50), 0.3, np.float32)
    step[:, 25:] = 0.7
    sharp = rescan(step, replace(PLAIN, sharpening=1.0))
    np.testing.assert_allclose(sharp[:, [10, 40]], step[:, [10, 40]], atol=0.01)
    assert sharp[:, 24].mean() < 0.25 and sharp[:, 25].mean() > 0.75
    assert rescan(step, replace(PLAIN, sharpening=9.0)).min() >= 0
