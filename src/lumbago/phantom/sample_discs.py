"""Drawing discs and their endplates: Pfirrmann grades from a joint latent that leans on the stenoses, the rest given
the grade."""

from typing import TypedDict

import numpy as np
from jaxtyping import Float64, Int64
from numpy.random import Generator

from lumbago.anatomy.levels import LEVELS
from lumbago.phantom import degeneration_tables as tables
from lumbago.phantom.anatomy_tables import SegmentRow
from lumbago.phantom.spine_spec import DiscSpec, EndplateSpec, ZoneSpec

_SHARED = 0.55
_HEIGHT_FACTOR = ((1.0, 0.05), (1.0, 0.05), (0.97, 0.06), (0.9, 0.07), (0.72, 0.08))
_NARROWED_FACTOR = ((0.74, 0.04), (0.74, 0.04), (0.72, 0.05), (0.66, 0.07), (0.45, 0.09))

FiveLatents = Float64[np.ndarray, "5"]


def draw_disc_latents(rng: Generator, stenosis: Float64[np.ndarray, "5 5"]) -> FiveLatents:
    """One latent per level, correlated as SPIDER's grades and, by `_SHARED`, with the mean stenosis latent of the
    level."""
    own = np.linalg.cholesky(tables.PFIRRMANN_CORRELATION) @ rng.standard_normal(len(LEVELS))
    weights = np.array([1, 0.5, 0.5, 0.5, 0.5])
    spread = np.sqrt(weights @ np.array(_WITHIN_LEVEL) @ weights)
    latents: FiveLatents = _SHARED * (weights @ stenosis) / spread + np.sqrt(1 - _SHARED**2) * own
    return latents


_WITHIN_LEVEL = (
    (1, 0.48, 0.48, 0.75, 0.75),
    (0.48, 1, 0.52, 0.57, 0.47),
    (0.48, 0.52, 1, 0.47, 0.57),
    (0.75, 0.57, 0.47, 1, 0.67),
    (0.75, 0.47, 0.57, 0.67, 1),
)
"""Correlation of the five latents of one level, as in `rsna_latents`."""


def pfirrmann_grades(latents: FiveLatents) -> Int64[np.ndarray, "5"]:
    """Grades 1 to 5 from L1/L2 down."""
    thresholds = np.array([tables.PFIRRMANN_FROM[level] for level in LEVELS])
    return np.asarray(1 + (latents[:, None] > thresholds).sum(axis=1))


def draw_thoracic_grade(rng: Generator, upper_lumbar: float) -> int:
    """Grade of a disc above L1, given the latent of L1/L2."""
    latent = 0.75 * upper_lumbar + 0.66 * rng.standard_normal()
    return 1 + int(np.sum(latent > np.array(tables.THORACIC_FROM)))


def draw_disc(rng: Generator, row: SegmentRow, grade: int, sides: tuple[float, float]) -> DiscSpec:
    """A disc of a given grade; `sides` are the recess latents left and right, toward which a herniation leans."""
    narrowed = bool(rng.random() < _share(tables.NARROWING[grade - 1], tables.NARROWING_ODDS, row.name))
    bulging = bool(rng.random() < _share(tables.BULGE[grade - 1], tables.BULGE_ODDS, row.name))
    chance = tables.HERNIATION[grade - 1] * tables.HERNIATION_BY_LEVEL.get(row.name, 0.05)
    herniated = bool(rng.random() < chance * (1.8 if max(sides) > 0.8 else 0.55))
    mean, spread = (_NARROWED_FACTOR if narrowed else _HEIGHT_FACTOR)[grade - 1]
    bulge = rng.uniform(1.6, 3.2) if bulging else rng.uniform(-0.4, 0.9)
    zone = rng.random() < tables.HIGH_INTENSITY_ZONE[grade - 1] * tables.HIGH_INTENSITY_BY_LEVEL.get(row.name, 0)
    return DiscSpec(
        height=float(max(row.disc_height * rng.normal(mean, spread) * np.exp(rng.normal(0, 0.09)), 1.8)),
        pfirrmann=grade,
        bulge=float(bulge),
        foraminal_bulge=(float(max(bulge, 0) * rng.uniform(0.3, 1)), float(max(bulge, 0) * rng.uniform(0.3, 1))),
        **_draw_hernia(rng, herniated, sides),
        nucleus_size=float(rng.uniform(0.6, 0.76)),
        nucleus_blur=(0.14, 0.18, 0.28, 0.4, 0.5)[grade - 1] * float(rng.uniform(0.7, 1.3)),
        cleft=float(rng.uniform(0.3, 0.9)) if grade in (2, 3) and rng.random() < 0.6 else 0.0,
        vacuum=bool(grade == 5 and rng.random() < 0.3),
        zones=_posterior_zone(rng, bool(zone)),
        is_narrowed=narrowed,
        is_bulging=bulging,
        is_herniated=herniated,
    )


def _posterior_zone(rng: Generator, has_one: bool) -> tuple[ZoneSpec, ...]:
    """In the middle and round, until `sample_zones` gives it its place and form."""
    x, _ = float(rng.normal(0, 4)), rng.standard_normal()
    return (ZoneSpec(x, 0.0, in_front=False, half=(5.0, 1.5, 1.5)),) if has_one else ()


def _share(by_grade: float, odds_by_level: dict[str, float], level: str) -> float:
    """A share given the grade, moved by the odds of the level."""
    odds = by_grade / (1 - by_grade) * odds_by_level.get(level, tables.THORACIC_ODDS)
    return odds / (1 + odds)


class _Hernia(TypedDict):
    hernia_depth: float
    hernia_x: float
    hernia_width: float
    hernia_down: float


def _draw_hernia(rng: Generator, herniated: bool, sides: tuple[float, float]) -> _Hernia:
    """Protrusions: 20 % central, else paracentral on the side whose recess is to be narrower (Daghighi 2014)."""
    depth, width, down = rng.uniform(3.0, 6.5), rng.uniform(5.0, 9.0), rng.normal(1.0, 1.5)
    central = rng.random() < 0.2
    side = 1.0 if sides[0] > sides[1] else -1.0
    place = rng.normal(0, 1) if central else side * rng.uniform(3.5, 8.5)
    return {
        "hernia_depth": float(depth) if herniated else 0.0,
        "hernia_x": float(place),
        "hernia_width": float(width),
        "hernia_down": float(down),
    }


def draw_endplates(rng: Generator, row: SegmentRow, disc: DiscSpec) -> tuple[EndplateSpec, EndplateSpec]:
    """The lower end of the body above a disc and the upper end of the one below; concavity is set by the vertebra."""
    grade = disc.pfirrmann
    modic = 1 + int(rng.choice(3, p=tables.MODIC_TYPES)) if rng.random() < tables.MODIC[grade - 1] else 0
    front = bool(rng.random() < (0.35 if row.name in ("L4/L5", "L5/S1") else 0.7))
    chances = (tables.ENDPLATE_UPPER[grade - 1], tables.ENDPLATE_LOWER[grade - 1])
    upper, lower = (_draw_endplate(rng, rng.random() < chance, (modic, front), grade) for chance in chances)
    return upper, lower


def _draw_endplate(rng: Generator, changed: bool, modic: tuple[int, bool], grade: int) -> EndplateSpec:
    node = changed and rng.random() < 0.4
    schmorl = (
        (rng.normal(0, 6), rng.normal(3, 4), rng.uniform(3, 6), rng.uniform(2, 5)) if node else (0.0, 0.0, 0.0, 0.0)
    )
    spur = (0.3, 0.5, 1.2, 2.2, 3.2)[grade - 1]
    return EndplateSpec(
        concavity=0.0,
        roughness=float(rng.uniform(0.7, 1.5)) if changed else float(rng.uniform(0, 0.25)),
        osteophyte=float(min(spur * rng.gamma(2.0, 0.5), 6.0)),
        schmorl=(float(schmorl[0]), float(schmorl[1]), float(schmorl[2]), float(schmorl[3])),
        modic=modic[0],
        modic_height=float(rng.uniform(4, 12)) if modic[0] else 0.0,
        modic_front=modic[1],
    )


def is_changed(endplate: EndplateSpec) -> bool:
    """Whether a reader would call the endplate irregular."""
    return endplate.roughness >= 0.6 or endplate.schmorl[3] > 0
