"""Rare findings: they occur as often as said, are in the truth, and leave the stenosis of their disc alone."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from lumbago.anatomy.levels import LEVELS
from lumbago.phantom.landmarks import landmarks
from lumbago.phantom.measure_truth import measure_truth
from lumbago.phantom.render_spine import render
from lumbago.phantom.sample_spine import sample_spine
from lumbago.phantom.spine_spec import SpineSpec
from lumbago.phantom.tissues import FIRST_ARCH, FIRST_DISC
from lumbago.phantom.truth_details import disc_drivers, finding_details

SEEDS = range(4000, 4120)


@pytest.fixture(scope="module")
def spines() -> list[SpineSpec]:
    return [sample_spine(seed) for seed in SEEDS]


def test_rare_findings_are_rare(spines: list[SpineSpec]) -> None:
    kinds = Counter(spec.transitional for spec in spines)
    assert 0.02 < kinds["sacralised"] / len(spines) < 0.22
    assert kinds["lumbarised"] < 0.1 * len(spines)
    broken = [spec for spec in spines if any(vertebra.collapse for vertebra in spec.vertebrae)]
    assert 0 < len(broken) < 0.15 * len(spines)
    hernias = [segment.disc for spec in spines for segment in spec.segments if segment.disc.is_herniated]
    beyond = [disc for disc in hernias if disc.hernia_kind != "protrusion"]
    assert 0.15 < len(beyond) / len(hernias) < 0.6
    assert all((disc.fragment[3] > 0) == (disc.hernia_kind != "protrusion") for disc in hernias)


def with_fragment(spec: SpineSpec, level: str, fragment: tuple[float, float, float, float]) -> SpineSpec:
    segments = tuple(
        replace(segment, disc=replace(segment.disc, fragment=fragment, hernia_kind="sequestration", is_herniated=True))
        if segment.name == level
        else segment
        for segment in spec.segments
    )
    return replace(spec, seed=spec.seed + 10**6, segments=segments)


def test_a_fragment_is_seen_behind_the_body_and_not_at_the_disc() -> None:
    whole = sample_spine(4001)
    spec = with_fragment(whole, "L4/L5", (3.0, -12.0, 5.0, 6.0))
    index = [segment.name for segment in spec.segments].index("L4/L5")
    place = landmarks(spec).disc("L4/L5")
    back, up = np.array(place.back), np.array(place.up)
    reach = np.arange(-12, 8, 0.5)[:, None]
    line = np.array(place.canal_lps_mm) + spec.size * (-12 * up + 3.0 * np.cross(back, up) + reach * back)
    assert np.sum(render(spec, line.astype(np.float32)).part == FIRST_DISC + index) >= 5
    before, after = (measure_truth(each)[LEVELS.index("L4/L5")] for each in (whole, spec))
    assert after.sac_area_mm2 == pytest.approx(before.sac_area_mm2)
    assert after.sides == before.sides


def test_a_cleft_arch_has_less_bone() -> None:
    spec = sample_spine(4002)
    index = [vertebra.name for vertebra in spec.vertebrae].index("L5")
    cleft = replace(spec.vertebrae[index], pars_gap=4.0)
    broken = replace(
        spec, seed=1, vertebrae=(*spec.vertebrae[:index], cleft, *spec.vertebrae[index + 1 :]), texture=spec.texture + 1
    )
    center = np.array(landmarks(spec).bodies_lps_mm["L5"])
    grid = np.stack(np.meshgrid(*[np.arange(-40, 41, 2.5)] * 3, indexing="ij"), axis=-1)
    points = (center + grid + [0, 25, 0]).astype(np.float32)
    bone = [int(np.sum(render(each, points).part == FIRST_ARCH + index)) for each in (spec, broken)]
    assert bone[1] < bone[0]


def test_details_name_kind_and_place(spines: list[SpineSpec]) -> None:
    spec, segment = next((s, g) for s in spines for g in s.segments if g.disc.is_herniated and g.name in LEVELS)
    details = finding_details(spec, "herniation", segment.name)
    assert details["type"] == segment.disc.hernia_kind
    near = np.array(details["point_lps_mm"]) - np.array(landmarks(spec).disc(segment.name).canal_lps_mm)
    assert np.linalg.norm(near) < 30
    assert disc_drivers(spec, "herniation", segment.name)["hernia_depth_mm"] > 2
    assert finding_details(spec, "pfirrmann", segment.name) == {}
