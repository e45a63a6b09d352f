"""Grades come from the tissue: derived again from it, following the drawn severity, changing sides in the mirror."""

from dataclasses import replace

import numpy as np
import pytest

from lumbago.anatomy.conditions import CONDITIONS
from lumbago.anatomy.levels import LEVELS, SIDES
from lumbago.phantom.landmarks import landmarks
from lumbago.phantom.measure_truth import (
    FAT_SHARE_CUTS,
    RECESS_CUTS_MM,
    SAC_RATIO_CUTS,
    LevelTruth,
    measure_truth,
    severity,
)
from lumbago.phantom.render_spine import render
from lumbago.phantom.rsna_latents import ROWS
from lumbago.phantom.sample_spine import sample_spine
from lumbago.phantom.spine_spec import SpineSpec
from lumbago.phantom.tissues import SAC

SEEDS = range(100, 106)
STEP = 0.4


@pytest.fixture(scope="module")
def spines() -> list[tuple[SpineSpec, tuple[LevelTruth, ...]]]:
    return [(spec, measure_truth(spec)) for spec in map(sample_spine, SEEDS)]


def counted_sac_area(spec: SpineSpec, level: str, up: float) -> float:
    """Area of the sac in a plane, counted anew on a grid of its own."""
    place = landmarks(spec).disc(level)
    back, head = np.array(place.back), np.array(place.up)
    left = np.cross(back, head)
    reach = np.arange(-17, 17, STEP) * spec.size
    points = (
        np.array(place.canal_lps_mm) + up * spec.size * head + reach[:, None, None] * back + reach[None, :, None] * left
    )
    return float(np.sum(render(spec, points.astype(np.float32)).part == SAC)) * (STEP * spec.size) ** 2


def test_sac_area_can_be_counted_again(spines: list[tuple[SpineSpec, tuple[LevelTruth, ...]]]) -> None:
    for spec, truths in spines[:2]:
        for truth in truths:
            areas = [counted_sac_area(spec, truth.level, up) for up in (-3.0, 0.0, 3.0)]
            assert min(areas) == pytest.approx(truth.sac_area_mm2, rel=0.06, abs=3)


def test_grades_follow_from_the_sizes(spines: list[tuple[SpineSpec, tuple[LevelTruth, ...]]]) -> None:
    for spec, truths in spines:
        for truth in truths:
            assert truth.grade("spinal_canal_stenosis") == severity(truth.sac_ratio, SAC_RATIO_CUTS)
            for side in SIDES:
                own = truth.sides[side]
                assert truth.grade("subarticular_stenosis", side) == severity(
                    own.recess_depth_mm / spec.size, RECESS_CUTS_MM
                )
                assert truth.grade("neural_foraminal_narrowing", side) == severity(own.fat_share, FAT_SHARE_CUTS)


def test_every_condition_has_a_grade_of_its_scale(spines: list[tuple[SpineSpec, tuple[LevelTruth, ...]]]) -> None:
    for _, truths in spines:
        assert [truth.level for truth in truths] == list(LEVELS)
        for truth in truths:
            for condition in CONDITIONS.values():
                for side in condition.sides:
                    assert truth.grade(condition.name, side) in condition.scale.grades


def test_drawn_and_measured_severity_agree(spines: list[tuple[SpineSpec, tuple[LevelTruth, ...]]]) -> None:
    drawn, measured = [], []
    for spec, truths in spines:
        for truth in truths:
            segment = spec.segment(truth.level)
            drawn.append((segment.canal.area_ratio, segment.left.recess_depth, -segment.left.foramen_latent))
            left = truth.sides["left"]
            measured.append((truth.sac_ratio, left.recess_depth_mm / spec.size, left.fat_share))
    agreement = [np.corrcoef(a, b)[0, 1] for a, b in zip(np.transpose(drawn), np.transpose(measured), strict=True)]
    assert agreement[0] > 0.98
    assert agreement[1] > 0.9
    assert agreement[2] > 0.6


def test_severe_means_little_room(spines: list[tuple[SpineSpec, tuple[LevelTruth, ...]]]) -> None:
    truths = [truth for _, levels in spines for truth in levels]
    severe = [t for t in truths if t.grade("spinal_canal_stenosis") == "severe"]
    normal = [t for t in truths if t.grade("spinal_canal_stenosis") == "normal_mild"]
    assert severe
    assert max(t.sac_area_mm2 for t in severe) < 90
    assert np.median([t.sac_area_mm2 for t in normal]) > 120
    assert np.mean([t.fluid_share for t in severe]) < 0.3
    assert np.mean([t.fluid_share for t in normal]) > 0.55


def test_mirror_image_swaps_side_labels() -> None:
    for seed in (100,):
        spec = sample_spine(seed)
        for here, there in zip(measure_truth(spec), measure_truth(spec.mirrored()), strict=True):
            assert here.grades == there.grades
            assert here.sides["left"].recess_depth_mm == pytest.approx(there.sides["right"].recess_depth_mm, abs=0.25)
            assert here.sides["left"].fat_share == pytest.approx(there.sides["right"].fat_share, abs=0.1)


def test_narrowing_one_recess_changes_that_side_alone() -> None:
    spec = sample_spine(101)
    index = [segment.name for segment in spec.segments].index("L4/L5")
    segment = spec.segments[index]
    narrow = replace(
        segment, left=replace(segment.left, recess_depth=1.0), right=replace(segment.right, recess_depth=6.0)
    )
    changed = replace(
        spec, seed=spec.seed + 10**6, segments=(*spec.segments[:index], narrow, *spec.segments[index + 1 :])
    )
    truth = measure_truth(changed)[LEVELS.index("L4/L5")]
    assert truth.grade("subarticular_stenosis", "left") == "severe"
    assert truth.grade("subarticular_stenosis", "right") == "normal_mild"


def shares(truths: list[tuple[LevelTruth, ...]], condition: str, side: str | None) -> np.ndarray:
    """Share of moderate or severe, and of severe, by level."""
    grades = np.array([[levels[i].grade(condition, side) for i in range(5)] for levels in truths])  # type: ignore[arg-type]
    return np.stack([np.mean(grades != "normal_mild", axis=0), np.mean(grades == "severe", axis=0)])


@pytest.mark.slow
def test_prevalence_is_that_of_the_drawn_latents() -> None:
    """On 400 spines not used for the cut values, measured grades are as frequent as those of the latents."""
    specs = [sample_spine(seed) for seed in range(50_000, 50_400)]
    truths = [measure_truth(spec) for spec in specs]
    for row in ROWS:
        latent = np.array(
            [[_latent(spec.segment(level), row.condition, row.side) for level in LEVELS] for spec in specs]
        )
        wanted = np.stack([np.mean(latent > np.array(cut), axis=0) for cut in (row.moderate_from, row.severe_from)])
        assert shares(truths, row.condition, row.side) == pytest.approx(wanted, abs=0.06)


def _latent(segment: object, condition: str, side: str | None) -> float:
    if side is None:
        return float(segment.canal.latent)  # type: ignore[attr-defined]
    own = getattr(segment, side)
    return float(own.recess_latent if condition == "subarticular_stenosis" else own.foramen_latent)
