"""The truth of a phantom, measured on its rendered tissue: sizes first, then grades from the sizes, so that no label
contradicts the picture.

Around every disc the tissue is rendered on fine planes: three across the canal, and one through each foramen. Sizes
are given in millimetres of the person; they are compared with cut values in millimetres of an adult of size 1.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from jaxtyping import Float32, Float64, UInt8

from lumbago.anatomy.levels import LEVELS, Side
from lumbago.phantom.anatomy_tables import SEGMENTS
from lumbago.phantom.landmarks import DiscPlace, landmarks
from lumbago.phantom.render_spine import Rendered, render
from lumbago.phantom.sample_canal import expected_sac_area
from lumbago.phantom.sample_discs import is_changed
from lumbago.phantom.spine_spec import SpineSpec
from lumbago.phantom.tissues import (
    EXITING_LEFT,
    EXITING_RIGHT,
    FIRST_ARCH,
    FIRST_DISC,
    FORAMEN,
    SAC,
    Tissue,
)

SAC_RATIO_CUTS: Final = (0.665, 0.362)
RECESS_CUTS_MM: Final = (3.6, 2.1)
FAT_SHARE_CUTS: Final = (0.645, 0.155)
"""Below the first cut moderate, below the second severe: area of the sac against the normal area of the level and age;
depth of the recess; share of the ganglion's circumference that has fat beside it."""

_STEP_MM: Final = 0.5
_PLANES_UP_MM: Final = (-3.0, 0.0, 3.0)
_NEAR_FAT_MM: Final = 1.0


@dataclass(frozen=True, slots=True)
class SideTruth:
    """One side of a level: depth of the recess (mm), share of the ganglion with fat beside it (0 to 1), height of the
    foramen (mm)."""

    recess_depth_mm: float
    fat_share: float
    foramen_height_mm: float
    subarticular: str
    foraminal: str


@dataclass(frozen=True, slots=True)
class LevelTruth:
    """One disc: sizes and grades by the names of `anatomy.conditions`.

    `sac_ratio` is the area of the dural sac, at its narrowest of three planes, against the normal area; `fluid_share`
    the part of it that is not root.
    """

    level: str
    sac_area_mm2: float
    sac_ratio: float
    sac_depth_mm: float
    fluid_share: float
    disc_height_mm: float
    sides: dict[Side, SideTruth]
    grades: dict[str, str]

    def grade(self, condition: str, side: Side | None = None) -> str:
        """The grade of a condition."""
        if side is None:
            return self.grades[condition]
        own = self.sides[side]
        return own.subarticular if condition == "subarticular_stenosis" else own.foraminal


@lru_cache(maxsize=64)
def measure_truth(spec: SpineSpec) -> tuple[LevelTruth, ...]:
    """Sizes and grades of the five lumbar discs, from the top down."""
    return tuple(_measure_level(spec, level) for level in LEVELS)


def severity(value: float, cuts: tuple[float, float]) -> str:
    """Grade of a size that is the worse the smaller it is."""
    return ("normal_mild", "moderate", "severe")[int(value < cuts[0]) + int(value < cuts[1])]


def _measure_level(spec: SpineSpec, level: str) -> LevelTruth:
    place, index = landmarks(spec).disc(level), [segment.name for segment in spec.segments].index(level)
    sections = [_canal_section(spec, place, up) for up in _PLANES_UP_MM]
    areas = [float(np.sum(section.part == SAC)) * (_STEP_MM * spec.size) ** 2 for section in sections]
    worst = int(np.argmin(areas))
    normal = expected_sac_area(SEGMENTS[index], spec.age) * spec.size**2
    ratio = areas[worst] / normal
    sac = sections[worst].part == SAC
    sides = {side: _measure_side(spec, place, index, side) for side in ("left", "right")}
    return LevelTruth(
        level=level,
        sac_area_mm2=areas[worst],
        sac_ratio=ratio,
        sac_depth_mm=float(sac.sum(axis=0).max()) * _STEP_MM * spec.size,
        fluid_share=float(np.mean(sections[worst].tissue[sac] == Tissue.CSF)) if sac.any() else 0.0,
        disc_height_mm=_disc_height(spec, place, index),
        sides=sides,  # type: ignore[arg-type]
        grades={"spinal_canal_stenosis": severity(ratio, SAC_RATIO_CUTS), **_disc_grades(spec, index)},
    )


def _disc_grades(spec: SpineSpec, index: int) -> dict[str, str]:
    """Grades that the disc was drawn with; the picture follows them."""
    segment, above, below = spec.segments[index], spec.vertebrae[index].lower, spec.vertebrae[index + 1].upper
    disc = segment.disc
    found = {
        "herniation": disc.is_herniated,
        "high_intensity_zone": disc.high_intensity_zone,
        "narrowing": disc.is_narrowed,
        "bulging": disc.is_bulging,
        "endplate_upper": is_changed(above),
        "endplate_lower": is_changed(below),
        "spondylolisthesis": segment.is_slipped,
    }
    worst = 1 + (disc.pfirrmann > 2) + (disc.pfirrmann > 4)
    return {
        "pfirrmann": str(disc.pfirrmann),
        "disc_degeneration": ("normal", "mild_moderate", "severe")[worst - 1],
        "modic": str(above.modic),
        **{name: "present" if there else "absent" for name, there in found.items()},
    }


# --- planes ----------------------------------------------------------------------------------------------------------


def _plane(
    center: Float64[np.ndarray, "3"], down: np.ndarray, along: np.ndarray, half_mm: tuple[float, float], step: float
) -> Float32[np.ndarray, "rows columns 3"]:
    rows, columns = (np.arange(-half, half + step / 2, step) for half in half_mm)
    grid = center + rows[:, None, None] * down + columns[None, :, None] * along
    return np.asarray(grid.astype(np.float32))


def _canal_section(spec: SpineSpec, place: DiscPlace, up_mm: float) -> Rendered:
    """Tissue across the canal, parallel to the disc: rows run backward, columns to the patient's left; mm of an adult
    of size 1."""
    up, back = np.array(place.up), np.array(place.back)
    left = np.cross(back, up)
    center = np.array(place.canal_lps_mm) + spec.size * up_mm * up
    return render(spec, _plane(center, back, left, (16 * spec.size, 16 * spec.size), _STEP_MM * spec.size))


def _measure_side(spec: SpineSpec, place: DiscPlace, index: int, side: Side) -> SideTruth:
    sign = 1 if side == "left" else -1
    depth = _recess_depth(spec, index, place, sign)
    share, height = _measure_foramen(spec, place, side)
    return SideTruth(
        recess_depth_mm=depth * spec.size,
        fat_share=share,
        foramen_height_mm=height * spec.size,
        subarticular=severity(depth, RECESS_CUTS_MM),
        foraminal=severity(share, FAT_SHARE_CUTS),
    )


_SOLID_TISSUES: Final = np.array(
    [Tissue.CORTEX, Tissue.MARROW, Tissue.FLAVUM, Tissue.CARTILAGE, Tissue.FACET_FLUID], np.uint8
)
_RECESS_STEP_MM: Final = 0.1
_RECESS_COLUMNS_MM: Final = (-0.6, -0.3, 0.0, 0.3, 0.6)
_RECESS_UP_MM: Final = (-3.0, 0.0)


def _recess_depth(spec: SpineSpec, index: int, place: DiscPlace, sign: int) -> float:
    """Room between disc or body in front and flavum or joint behind, in mm of an adult of size 1: the median of a few
    columns about the recess, the lesser of the plane of the disc and one below it."""
    up, back = np.array(place.up), np.array(place.back)
    left = np.cross(back, up)
    behind = np.arange(-14, 14, _RECESS_STEP_MM)
    columns = sign * spec.segments[index].canal.corner_x + np.array(_RECESS_COLUMNS_MM)
    steps = (
        np.array(_RECESS_UP_MM)[:, None, None, None] * up + columns[None, :, None, None] * left + behind[:, None] * back
    )
    rendered = render(spec, (np.array(place.canal_lps_mm) + spec.size * steps).astype(np.float32))
    gaps = [
        [_gap(part, tissue) for part, tissue in zip(*plane, strict=True)]
        for plane in zip(rendered.part, rendered.tissue, strict=True)
    ]
    return float(np.median(gaps, axis=1).min())


def _gap(part: UInt8[np.ndarray, " rows"], tissue: UInt8[np.ndarray, " rows"]) -> float:
    """Length of the gap between what lies in front (body or disc) and the next solid tissue behind it."""
    front = np.flatnonzero((part > 0) & (part < FIRST_ARCH) | (part >= FIRST_DISC) & (part < SAC))
    start = int(front[-1]) + 1 if front.size else 0
    solid = np.isin(tissue[start:], _SOLID_TISSUES)
    return float(np.argmax(solid) if solid.any() else solid.size) * _RECESS_STEP_MM


def _measure_foramen(spec: SpineSpec, place: DiscPlace, side: Side) -> tuple[float, float]:
    """(share of the ganglion's circumference with fat within reach, height of fat and root in the foramen)."""
    up, back = np.array(place.up), np.array(place.back)
    center = np.array(place.foramen_lps_mm[side])
    section = render(spec, _plane(center, -up, back, (18 * spec.size, 9 * spec.size), _STEP_MM / 2 * spec.size))
    inner_side = side if spec.handedness == 1 else ("right" if side == "left" else "left")
    root = section.part == (EXITING_LEFT if inner_side == "left" else EXITING_RIGHT)
    open_ = root | (section.part == FORAMEN)
    return _fat_share(section, root), float(open_.any(axis=1).sum()) * _STEP_MM / 2


def _fat_share(section: Rendered, root: np.ndarray) -> float:
    """Casts 72 rays from the root's middle; a direction counts when most of the first millimetre beyond the root is
    fat."""
    if not root.any():
        return 0.0
    step = _STEP_MM / 2
    rows, columns = np.nonzero(root)
    middle = np.array([rows.mean(), columns.mean()])
    fat = np.isin(section.tissue, (Tissue.EPIDURAL_FAT, Tissue.VISCERAL_FAT, Tissue.FAT_STREAK))
    angles = np.arange(72) * np.pi / 36
    reach = np.arange(0, 8, step)[:, None] / step
    ray_rows = np.clip(np.rint(middle[0] + reach * np.sin(angles)).astype(int), 0, root.shape[0] - 1)
    ray_columns = np.clip(np.rint(middle[1] + reach * np.cos(angles)).astype(int), 0, root.shape[1] - 1)
    on_root, on_fat = root[ray_rows, ray_columns], fat[ray_rows, ray_columns]
    last = on_root.shape[0] - 1 - np.argmax(on_root[::-1], axis=0)
    beyond = last + 1 + np.arange(round(_NEAR_FAT_MM / step))[:, None]
    there = on_fat[np.clip(beyond, 0, on_fat.shape[0] - 1), np.arange(72)]
    return float(np.mean(there.mean(axis=0) >= 0.6))


def _disc_height(spec: SpineSpec, place: DiscPlace, index: int) -> float:
    """Height of the disc through its centre, in the person's millimetres."""
    step = 0.1
    reach = np.arange(-15, 15, step)
    line = np.array(place.center_lps_mm) + spec.size * reach[:, None] * np.array(place.up)
    return float(np.sum(render(spec, line.astype(np.float32)).part == FIRST_DISC + index)) * step * spec.size
