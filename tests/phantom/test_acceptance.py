"""The acceptance checks tell a crowd that fits its statistics from one that does not; some phantoms fit."""

import numpy as np

from lumbago.phantom.acceptance import (
    Check,
    check_grids,
    check_joint,
    check_mirror,
    check_pfirrmann,
    check_prevalences,
    check_voxels,
    count_spine,
)
from lumbago.phantom.acceptance_scans import check_points, check_series, check_signals, count_studies
from lumbago.phantom.degeneration_tables import PFIRRMANN_CORRELATION, PFIRRMANN_FROM
from lumbago.phantom.measure_truth import FULL
from lumbago.phantom.rsna_latents import ROWS, draw_latents

SEEDS = range(9_000_000, 9_000_010)


def drawn_crowd(count: int) -> np.ndarray:
    """Grades straight from the latents: a crowd that fits by construction."""
    rng = np.random.default_rng(0)
    cuts = np.array([(row.moderate_from, row.severe_from) for row in ROWS])
    stenoses = [(draw_latents(rng)[:, None] > cuts).sum(axis=1) for _ in range(count)]
    latents = rng.standard_normal((count, 5)) @ np.linalg.cholesky(PFIRRMANN_CORRELATION).T
    discs = 1 + (latents[:, :, None] > np.array(list(PFIRRMANN_FROM.values()))).sum(axis=2)
    return np.concatenate([np.array(stenoses), discs[:, None]], axis=1).astype(np.int8)


def failed(checks: list[Check]) -> list[Check]:
    return [check for check in checks if not check.passed]


def test_a_crowd_drawn_from_the_latents_passes() -> None:
    crowd = drawn_crowd(4000)
    assert not failed([*check_prevalences(crowd), *check_joint(crowd), *check_pfirrmann(crowd)])


def test_a_crowd_with_too_much_stenosis_fails() -> None:
    crowd = drawn_crowd(4000)
    crowd[:200, 0, 3] = 2
    assert [check.name for check in failed(check_prevalences(crowd))] == ["spinal_canal_stenosis L4/L5"]


def test_a_crowd_whose_sides_have_nothing_in_common_fails() -> None:
    crowd = drawn_crowd(4000)
    crowd[:, 2] = np.roll(crowd[:, 2], 1, axis=0)
    assert "foramina alike left and right" in [check.name for check in failed(check_joint(crowd))]


def test_a_small_crowd_of_phantoms_fits() -> None:
    crowd = np.array([count_spine(seed) for seed in SEEDS])
    assert len(failed([*check_prevalences(crowd), *check_joint(crowd), *check_pfirrmann(crowd)])) <= 8


def test_the_coarse_grid_gives_the_grades_of_the_full_one() -> None:
    fine, coarse = (np.array([count_spine(seed, *grid) for seed in SEEDS[:3]]) for grid in ((FULL,), ()))
    assert np.mean(fine == coarse) > 0.96
    assert [check.passed for check in check_grids(fine, fine)] == [True] * 3


def test_mirror_check() -> None:
    assert check_mirror(SEEDS[:1]).passed


def test_studies_have_their_points_and_series() -> None:
    studies = count_studies(range(16))
    assert len(failed(check_points(studies))) <= 3
    assert len(failed(check_series(studies))) <= 2


def test_signals_are_those_of_the_equations() -> None:
    assert len(failed(check_signals(40))) <= 4


def test_points_that_lie_elsewhere_fail() -> None:
    studies = count_studies(range(10))
    studies.points["canal"][:] += 0.1
    assert len(failed(check_points(studies))) >= 4


def test_voxels_give_the_grades_again() -> None:
    assert not failed(check_voxels(SEEDS[:1]))
