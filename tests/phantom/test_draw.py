"""The drawn spine: reproducible, serialisable, and distributed as its sources say."""

import numpy as np
import pytest

from lumbago.anatomy.levels import LEVELS
from lumbago.phantom import degeneration_tables as tables
from lumbago.phantom.canal_section import sac_area
from lumbago.phantom.rsna_latents import ROWS, draw_latents, latent_correlation
from lumbago.phantom.sample_discs import draw_disc_latents, pfirrmann_grades
from lumbago.phantom.sample_spine import sample_spine
from lumbago.phantom.spine_frames import between, inner_point, to_inner, to_lps_mm
from lumbago.phantom.spine_spec import SpineSpec

DRAWS = 4000


@pytest.fixture(scope="module")
def latents() -> np.ndarray:
    return np.array([draw_latents(np.random.default_rng(seed)) for seed in range(DRAWS)])


def grades_of(latents: np.ndarray) -> np.ndarray:
    """0, 1, 2 by the thresholds of the table; axes (draw, row, level)."""
    moderate = np.array([row.moderate_from for row in ROWS])
    severe = np.array([row.severe_from for row in ROWS])
    return (latents > moderate).astype(int) + (latents > severe)


def test_same_seed_same_spine() -> None:
    assert sample_spine(3) == sample_spine(3)
    assert sample_spine(3) != sample_spine(4)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_spec_survives_json(seed: int) -> None:
    spec = sample_spine(seed)
    assert SpineSpec.from_json(spec.to_json()) == spec


def test_mirror_of_mirror_is_the_same() -> None:
    spec = sample_spine(5)
    assert spec.mirrored() != spec
    assert spec.mirrored().mirrored() == spec


def test_correlation_is_positive_definite() -> None:
    assert np.linalg.eigvalsh(latent_correlation())[0] > 0.04


def test_joint_statistics_are_those_of_the_labels(latents: np.ndarray) -> None:
    grades = grades_of(latents)
    assert np.mean(grades.max(axis=(1, 2)) == 0) == pytest.approx(0.129, abs=0.03)
    assert np.mean(grades.max(axis=(1, 2)) == 2) == pytest.approx(0.496, abs=0.03)
    assert np.mean(grades[:, 0].max(axis=1) == 2) == pytest.approx(0.185, abs=0.03)
    assert np.mean(grades[:, 3] == grades[:, 4]) == pytest.approx(0.739, abs=0.03)


def test_pfirrmann_shares_are_those_of_the_table(latents: np.ndarray) -> None:
    rng = np.random.default_rng(1)
    grades = np.array([pfirrmann_grades(draw_disc_latents(rng, latent)) for latent in latents])
    share_of_five = np.mean(grades == 5, axis=0)
    share_of_one = np.mean(grades == 1, axis=0)
    assert share_of_five == pytest.approx([0.078, 0.115, 0.119, 0.188, 0.271], abs=0.03)
    assert share_of_one == pytest.approx([0.225, 0.179, 0.142, 0.101, 0.106], abs=0.03)


def test_worse_discs_have_worse_canals(latents: np.ndarray) -> None:
    rng = np.random.default_rng(2)
    discs = np.array([draw_disc_latents(rng, latent) for latent in latents])
    assert np.corrcoef(discs[:, 3], latents[:, 0, 3])[0, 1] > 0.25


def test_what_a_disc_shows_follows_its_grade() -> None:
    discs = [segment.disc for seed in range(30) for segment in sample_spine(seed).segments if segment.name in LEVELS]
    narrowed = {grade: np.mean([d.is_narrowed for d in discs if d.pfirrmann == grade]) for grade in (2, 5)}
    assert narrowed[2] < 0.25
    assert narrowed[5] > 0.85
    heights = {grade: np.mean([d.height for d in discs if d.pfirrmann == grade]) for grade in (2, 5)}
    assert heights[5] < 0.65 * heights[2]


@pytest.mark.parametrize("seed", range(4))
def test_sac_is_fitted_to_the_wanted_ratio(seed: int) -> None:
    from lumbago.phantom.anatomy_tables import SEGMENTS
    from lumbago.phantom.sample_canal import expected_sac_area

    spec = sample_spine(seed)
    for row, segment in zip(SEGMENTS, spec.segments, strict=True):
        if segment.name in LEVELS:
            wanted = segment.canal.area_ratio * expected_sac_area(row, spec.age)
            assert sac_area(segment) == pytest.approx(wanted, rel=0.05, abs=3)


def test_frames_lead_there_and_back() -> None:
    spec = sample_spine(7).mirrored()
    point = np.array([[12.0, -30.0, 41.0]])
    assert to_inner(spec, to_lps_mm(spec, point).astype(np.float32)) == pytest.approx(point, abs=1e-3)


@pytest.mark.parametrize("index", [4, 7, 9])
def test_blended_coordinates_are_inverted(index: int) -> None:
    spec = sample_spine(8)
    place = between(spec, index, inner_point(spec, index, (9.0, 4.0, -3.0))[None].astype(np.float32))
    assert (place.x[0], place.behind[0], place.up[0]) == pytest.approx((9.0, 4.0, -3.0), abs=0.02)


def test_tables_name_every_level() -> None:
    assert set(tables.PFIRRMANN_FROM) == set(LEVELS)
    assert set(tables.SLIP_BY_LEVEL) == set(tables.HERNIATION_BY_LEVEL) == set(LEVELS)
