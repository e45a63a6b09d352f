"""Draws the truth of one phantom from a seed: a person, a spine, its degeneration, and the soft tissue around it."""

from dataclasses import replace
from typing import Final

import numpy as np
from jaxtyping import Float64
from numpy.random import Generator

from lumbago.anatomy.levels import LEVELS
from lumbago.phantom import degeneration_tables as tables
from lumbago.phantom.anatomy_tables import SegmentRow, VertebraRow
from lumbago.phantom.noise_field import CELLS_FROM
from lumbago.phantom.phantom_settings import USUAL, Setting
from lumbago.phantom.population import Population, scaled
from lumbago.phantom.rsna_latents import ROWS, draw_latents
from lumbago.phantom.sample_canal import Thresholds, draw_canal, draw_side, expected_sac_area, fit_sac
from lumbago.phantom.sample_discs import (
    draw_disc,
    draw_disc_latents,
    draw_endplates,
    draw_thoracic_grade,
    pfirrmann_grades,
)
from lumbago.phantom.sample_rare import with_rare_findings
from lumbago.phantom.sample_trunk import draw_trunk
from lumbago.phantom.sample_zones import with_zones
from lumbago.phantom.spine_spec import EndplateSpec, SegmentSpec, SpineSpec, VertebraSpec

_NORMAL: Final[tuple[float, Thresholds]] = (0.2, (1.7, 2.4))

Latents = Float64[np.ndarray, "5 5"]


def sample_spine(seed: int, setting: Setting = USUAL) -> SpineSpec:
    """The spine of a seed; the same seed always gives the same spine in a setting."""
    rng, people = np.random.default_rng([seed, 1]), setting.people
    latents = _focal(seed, draw_latents(rng), people)
    discs = draw_disc_latents(rng, latents)
    sex = "F" if rng.random() < 0.55 else "M"
    middle, spread = people.age
    age = float(np.clip(middle + spread * (0.6 * discs.mean() / 0.79 + 0.8 * rng.standard_normal()), 18, 92))
    size = float((1.035 if sex == "M" else 0.965) * np.exp(rng.normal(0, people.size_spread)))
    segments, ends = _draw_segments(rng, people, (latents, discs), age)
    vertebrae = _draw_vertebrae(rng, people, (ends, segments), age)
    common = SpineSpec(
        seed=seed,
        age=round(age, 1),
        sex=sex,
        size=size,
        vertebrae=vertebrae,
        segments=_set_alignment(rng, segments, vertebrae, age),
        trunk=scaled(draw_trunk(rng, age, sex), people.trunk),
        offset_lps_mm=(float(rng.normal(0, 7)), float(rng.normal(0, 10)), float(rng.normal(0, 10))),
        tilt_degrees=(float(rng.normal(0, 2.5)), float(rng.normal(0, 2.5)), float(rng.normal(0, 3))),
        middle_tilt=float(rng.normal(-5.0, 4.5)),
        conus=float(np.clip(rng.normal(5.2, 0.45), 4.0, 6.6)),
        texture=int(rng.integers(2**31)) + (CELLS_FROM if setting.look.cells else 0),
        setting=setting.name,
    )
    return with_zones(with_rare_findings(scaled(common, people.posture)))


def _focal(seed: int, latents: Latents, people: Population) -> Latents:
    """The latents, partly exchanged for ones that no other place shares."""
    own = np.random.default_rng([seed, 11]).standard_normal(latents.shape)
    return np.asarray(np.sqrt(1 - people.focal) * latents + np.sqrt(people.focal) * own + people.worse)


Ends = dict[tuple[str, str], EndplateSpec]


def _draw_segments(
    rng: Generator, people: Population, drawn: tuple[Latents, np.ndarray], age: float
) -> tuple[list[SegmentSpec], Ends]:
    latents, discs = drawn
    grades = dict(zip(LEVELS, pfirrmann_grades(discs), strict=True))
    segments, ends = [], {}
    for row in people.segments:
        grade = int(grades[row.name]) if row.name in grades else draw_thoracic_grade(rng, float(discs[0]))
        grade = 3 if row.name.startswith("S") else grade
        segment, plates = _draw_segment(rng, (people, row), latents, (grade, age))
        segments.append(segment)
        above, below = row.name.split("/")
        ends[above, "lower"], ends[below, "upper"] = plates
    return segments, ends


def _draw_segment(
    rng: Generator, of: tuple[Population, SegmentRow], latents: Latents, state: tuple[int, float]
) -> tuple[SegmentSpec, tuple[EndplateSpec, EndplateSpec]]:
    (people, row), (grade, age) = of, state
    canal_z, *sides_z = _latents_at(row.name, latents)
    disc = draw_disc(rng, row, grade, (sides_z[2][0], sides_z[3][0]))
    if row.name.startswith("S"):
        disc = replace(
            disc,
            bulge=0.0,
            foraminal_bulge=(0.0, 0.0),
            is_bulging=False,
            hernia_depth=0.0,
            is_herniated=False,
            vacuum=False,
        )
    canal, disc = draw_canal(rng, row, canal_z, disc)
    canal, disc = scaled(canal, people.canal), scaled(disc, people.disc)
    left = scaled(draw_side(rng, row, recess=sides_z[2], foramen=sides_z[0]), people.side)
    right = scaled(draw_side(rng, row, recess=sides_z[3], foramen=sides_z[1]), people.side)
    slip = _draw_slip(rng, row, grade, canal_z)
    segment = SegmentSpec(row.name, row.lordosis, 0.0, slip, abs(slip) >= 2.5, disc, canal, left, right)
    if not row.name.startswith("S"):
        segment = fit_sac(segment, canal.area_ratio * expected_sac_area(row, age))
    upper, lower = draw_endplates(rng, row, disc)
    return segment, (scaled(upper, people.plate), scaled(lower, people.plate))


def _latents_at(level: str, latents: Latents) -> list[tuple[float, Thresholds]]:
    """(latent, thresholds) of canal, left and right foramen, left and right recess; harmless ones away from the lumbar
    discs."""
    if level not in LEVELS:
        return [_NORMAL] * len(ROWS)
    index = LEVELS.index(level)
    pairs = zip(ROWS, latents[:, index], strict=True)
    return [(float(latent), (row.moderate_from[index], row.severe_from[index])) for row, latent in pairs]


def _draw_slip(rng: Generator, row: SegmentRow, grade: int, canal: tuple[float, Thresholds]) -> float:
    """Degenerative slip, likelier where the canal is to be narrow (a quarter of severe stenoses at L4/L5)."""
    chance = tables.SLIP[grade - 1] * tables.SLIP_BY_LEVEL.get(row.name, 0.0)
    narrow = 2.5 if canal[0] > canal[1][0] else 0.8
    if rng.random() < chance * narrow:
        return float(rng.uniform(3.0, 7.5))
    return float(rng.normal(0, 0.5)) if row.name in LEVELS else 0.0


def _draw_vertebrae(
    rng: Generator, people: Population, around_them: tuple[Ends, list[SegmentSpec]], age: float
) -> tuple[VertebraSpec, ...]:
    ends, segments = around_them
    fat = float(np.clip(0.22 + 0.0045 * (age - 20) + rng.normal(0, 0.07), 0.12, 0.75))
    depth, width, height = np.exp(rng.normal(0, (0.035, 0.04, 0.03)))
    smallest = EndplateSpec(concavity=0.2)
    vertebrae = []
    for index, row in enumerate(people.vertebrae):
        plates = ends.get((row.name, "upper"), smallest), ends.get((row.name, "lower"), smallest)
        around = segments[max(index - 1, 0)], segments[min(index, len(segments) - 1)]
        person = depth, width, height * np.exp(rng.normal(0, 0.02)), fat + 0.01 * (index - 7)
        vertebrae.append(scaled(_draw_vertebra(rng, row, person, plates, around), people.vertebra))
    return tuple(vertebrae)


def _draw_vertebra(
    rng: Generator,
    row: VertebraRow,
    person: tuple[float, float, float, float],
    plates: tuple[EndplateSpec, EndplateSpec],
    around: tuple[SegmentSpec, SegmentSpec],
) -> VertebraSpec:
    depth, width, height, fat = person
    upper, lower = (
        replace(plate, concavity=max(float(c * rng.uniform(0.5, 1.8)), 0.0))
        for plate, c in zip(plates, row.concavity, strict=True)
    )
    sac_depth, sac_half_width = _sac_at_body(row, around)
    return VertebraSpec(
        name=row.name,
        height=float(row.height * height),
        wedge=float(row.wedge + rng.normal(0, 1.2)),
        depth=(float(row.depth[0] * depth), float(row.depth[1] * depth)),
        width=(float(row.width[0] * width), float(row.width[1] * width)),
        waist=row.waist,
        upper=upper,
        lower=lower,
        canal_width=float(row.canal_width * np.exp(rng.normal(0, 0.03))),
        canal_depth=float(row.canal_depth * np.exp(rng.normal(0, 0.04))),
        pedicle_width=float(row.pedicle_width * np.exp(rng.normal(0, 0.06))),
        pedicle_height=float(row.pedicle_height * np.exp(rng.normal(0, 0.04))),
        spinous_tip=(float(row.spinous_tip[0] * rng.uniform(0.9, 1.08)), float(row.spinous_tip[1] + rng.normal(0, 2))),
        spinous_height=float(rng.uniform(18, 25)) if row.height > 25 and not row.name.startswith("S") else 9.0,
        transverse_tip=(float(row.transverse_tip[0] * rng.uniform(0.9, 1.08)), float(row.transverse_tip[1])),
        sac_depth=sac_depth,
        sac_half_width=sac_half_width,
        marrow_fat=float(np.clip(fat + rng.normal(0, 0.03), 0.08, 0.85)),
        basivertebral=float(rng.uniform(0.4, 1.3)) if not row.name.startswith("S") else 0.3,
    )


def _sac_at_body(row: VertebraRow, around: tuple[SegmentSpec, SegmentSpec]) -> tuple[float, float]:
    """Depth and half width of the sac behind a body's middle: wider than at a narrow disc, within the bony canal."""
    relief = [
        max(segment.canal.area_ratio, 0.05) ** -0.3 if segment.canal.area_ratio < 1 else 1.0 for segment in around
    ]
    depth = np.mean([segment.canal.sac_depth * wide for segment, wide in zip(around, relief, strict=True)])
    half = np.mean([segment.canal.sac_half_width * wide for segment, wide in zip(around, relief, strict=True)])
    return min(float(depth), 0.9 * row.canal_depth), min(float(half), 0.42 * row.canal_width)


def _set_alignment(
    rng: Generator, segments: list[SegmentSpec], vertebrae: tuple[VertebraSpec, ...], age: float
) -> tuple[SegmentSpec, ...]:
    """Lordosis that the discs have room for, and a scoliosis in some (Kebaish 2011: 9 % of those over 40)."""
    curve = rng.normal(0, 8) if rng.random() < np.interp(age, (30, 80), (0.03, 0.25)) else rng.normal(0, 2)
    apex, flatness = rng.uniform(6, 9), np.clip(rng.normal(1.0, 0.22), 0.3, 1.5)
    aligned = []
    for index, segment in enumerate(segments):
        bent = segment.lordosis * flatness if segment.lordosis > 0 else segment.lordosis
        wish = bent + rng.normal(0, 2.0 if segment.name in LEVELS else 0.7)
        lateral = curve * np.sin(np.pi * np.clip((index - apex) / 4, -1, 1)) if index < 10 else 0.0
        room = _wedge_room(segment, vertebrae[index])
        bodies = (vertebrae[index].wedge + vertebrae[index + 1].wedge) / 2
        lordosis = bodies + float(np.clip(wish - bodies, -room, room))
        lateral = float(np.clip(lateral + rng.normal(0, 0.5), -0.6 * room, 0.6 * room))
        aligned.append(replace(segment, lordosis=lordosis, lateral_tilt=lateral))
    return tuple(aligned)


def _wedge_room(segment: SegmentSpec, above: VertebraSpec) -> float:
    """Degrees by which a disc can be wedged before its bodies would touch."""
    return float(np.degrees(np.arctan(max(segment.disc.height - 1.5, 0.2) / (above.depth[1] / 2))))
