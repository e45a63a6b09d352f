"""The truth of a phantom, measured on its rendered tissue: sizes first, then grades from the sizes, so that no label
contradicts the picture.

Around every disc the tissue is rendered on fine planes: three across the canal, and one through each foramen. Sizes
are given in millimetres of the person; they are compared with cut values in millimetres of an adult of size 1.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Final

import numpy as np
from jaxtyping import Float32, Float64, UInt8

from lumbago.anatomy.levels import LEVELS, SIDES, Side
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

SAC_RATIO_CUTS: Final = (0.672, 0.37)
RECESS_CUTS_MM: Final = (3.6, 2.1)
FAT_SHARE_CUTS: Final = (0.645, 0.155)
"""Below the first cut moderate, below the second severe: area of the sac against the normal area of the level and age;
depth of the recess; share of the ganglion's circumference that has fat beside it."""

_PLANES_UP_MM: Final = (-3.0, 0.0, 3.0)
_NEAR_FAT_MM: Final = 1.0
_BOX_MM: Final = (31.0, 25.0, 26.0)
"""Half of the box of voxels about a disc, in mm of an adult of size 1."""


@dataclass(frozen=True, slots=True)
class MeasuringGrid:
    """Distance between points, in mm of an adult of size 1: across the canal, in the foramen, along the disc's height;
    columns through a recess, and how far up and down of the ganglion is looked."""

    canal_mm: float
    foramen_mm: float
    disc_mm: float
    recess_columns_mm: tuple[float, ...]
    foramen_reach_mm: float


FULL: Final = MeasuringGrid(0.5, 0.25, 0.1, (-0.6, -0.3, 0.0, 0.3, 0.6), 18.0)
COARSE: Final = MeasuringGrid(0.8, 0.4, 0.2, (-0.4, 0.0, 0.4), 10.0)
"""The grid that truth is measured on, and a faster one for counting thousands of spines (its foramina end at 20 mm of
height)."""


@dataclass(frozen=True, slots=True)
class SideTruth:
    """One side of a level: depth of the recess (mm), share of the ganglion with fat beside it (0 to 1), height (mm) and
    area (mm2) of the foramen."""

    recess_depth_mm: float
    fat_share: float
    foramen_height_mm: float
    foramen_area_mm2: float
    subarticular: str
    foraminal: str


@dataclass(frozen=True, slots=True)
class LevelTruth:
    """One disc: sizes and grades by the names of `anatomy.conditions`.

    `sac_ratio` is the area of the dural sac, at its narrowest of three planes, against the normal area; depth and width
    are its largest there, front to back and side to side; `fluid_share` is the part of it that is not root.
    """

    level: str
    sac_area_mm2: float
    sac_ratio: float
    sac_depth_mm: float
    sac_width_mm: float
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


Look = Callable[[Float32[np.ndarray, "points 3"]], Rendered]
"""What lies at points in patient millimetres."""


@lru_cache(maxsize=64)
def measure_truth(spec: SpineSpec, grid: MeasuringGrid = FULL) -> tuple[LevelTruth, ...]:
    """Sizes and grades of the five lumbar discs, from the top down."""
    return tuple(_measure_level(spec, level, grid, partial(render, spec)) for level in LEVELS)


def measure_voxels(spec: SpineSpec, voxel_mm: float = 0.5) -> tuple[LevelTruth, ...]:
    """The same from voxels alone: around each disc the tissue is rendered on a regular grid along the patient's axes,
    and every plane takes the voxel next to each of its points. Only places and the normal area come from the spec."""
    return tuple(_measure_level(spec, level, FULL, _voxels_about(spec, level, voxel_mm)) for level in LEVELS)


def _voxels_about(spec: SpineSpec, level: str, voxel_mm: float) -> Look:
    """Looks up voxels of a box about a disc; points beyond it are given its border."""
    half = (np.array(_BOX_MM) * spec.size / voxel_mm).astype(int)
    center = np.array(landmarks(spec).disc(level).canal_lps_mm)
    lines = [np.arange(-reach, reach + 1) * voxel_mm + middle for reach, middle in zip(half, center, strict=True)]
    grid = np.stack(np.meshgrid(*lines, indexing="ij"), axis=-1).astype(np.float32)
    whole = render(spec, grid.reshape(-1, 3))

    def look(points: Float32[np.ndarray, "points 3"]) -> Rendered:
        index = np.clip(np.rint((points - center) / voxel_mm).astype(int), -half, half) + half
        flat = np.ravel_multi_index(tuple(index.T), grid.shape[:3])
        return Rendered(whole.tissue[flat], whole.part[flat], whole.shade[flat])

    return look


def severity(value: float, cuts: tuple[float, float]) -> str:
    """Grade of a size that is the worse the smaller it is."""
    return ("normal_mild", "moderate", "severe")[int(value < cuts[0]) + int(value < cuts[1])]


def _measure_level(spec: SpineSpec, level: str, grid: MeasuringGrid, look: Look) -> LevelTruth:
    place, index = landmarks(spec).disc(level), [segment.name for segment in spec.segments].index(level)
    sections = [_canal_plane(spec, place, up, grid) for up in _PLANES_UP_MM]
    recesses = [_recess_columns(spec, index, place, (sign, grid)) for sign in (1, -1)]
    foramina = [_foramen_plane(spec, place, side, grid) for side in SIDES]
    seen = _look_all(look, [*sections, *recesses, *foramina, _disc_line(spec, place, grid)])
    canal = _measure_canal(seen[:3], grid.canal_mm * spec.size)
    ratio = canal["sac_area_mm2"] / (expected_sac_area(SEGMENTS[index], spec.age) * spec.size**2)
    sides = {
        side: _measure_side(spec, side, (seen[3 + number], seen[5 + number]), grid) for number, side in enumerate(SIDES)
    }
    return LevelTruth(
        level=level,
        sac_ratio=ratio,
        **canal,
        disc_height_mm=float(np.sum(seen[7].part == FIRST_DISC + index)) * grid.disc_mm * spec.size,
        sides=sides,
        grades={"spinal_canal_stenosis": severity(ratio, SAC_RATIO_CUTS), **_disc_grades(spec, index)},
    )


def _look_all(look: Look, grids: list[Float32[np.ndarray, "*_ 3"]]) -> list[Rendered]:
    """Tissue of several grids, looked at at once."""
    shapes = [points.shape[:-1] for points in grids]
    whole = look(np.concatenate([points.reshape(-1, 3) for points in grids]))
    cuts = np.cumsum([int(np.prod(shape)) for shape in shapes])[:-1]
    pieces = zip(*(np.split(values, cuts) for values in (whole.tissue, whole.part, whole.shade)), shapes, strict=True)
    return [Rendered(*(values.reshape(shape) for values in arrays)) for *arrays, shape in pieces]


def _disc_grades(spec: SpineSpec, index: int) -> dict[str, str]:
    """Grades that the disc was drawn with; the picture follows them."""
    segment, above, below = spec.segments[index], spec.vertebrae[index].lower, spec.vertebrae[index + 1].upper
    disc = segment.disc
    found = {
        "herniation": disc.is_herniated,
        "high_intensity_zone": bool(disc.zones),
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


def _canal_plane(
    spec: SpineSpec, place: DiscPlace, up_mm: float, grid: MeasuringGrid
) -> Float32[np.ndarray, "rows columns 3"]:
    """Points across the canal, parallel to the disc: rows run backward, columns to the patient's left."""
    up, back = np.array(place.up), np.array(place.back)
    left = np.cross(back, up)
    center = np.array(place.canal_lps_mm) + spec.size * up_mm * up
    return _plane(center, back, left, (16 * spec.size, 16 * spec.size), grid.canal_mm * spec.size)


def _measure_canal(sections: list[Rendered], step_mm: float) -> dict[str, float]:
    """The dural sac where it is narrowest."""
    sac, worst = min(((section.part == SAC, section) for section in sections), key=lambda pair: int(pair[0].sum()))
    return {
        "sac_area_mm2": float(np.sum(sac)) * step_mm**2,
        "sac_depth_mm": float(sac.sum(axis=0).max()) * step_mm,
        "sac_width_mm": float(sac.sum(axis=1).max()) * step_mm,
        "fluid_share": float(np.mean(worst.tissue[sac] == Tissue.CSF)) if sac.any() else 0.0,
    }


def _measure_side(spec: SpineSpec, side: Side, seen: tuple[Rendered, Rendered], grid: MeasuringGrid) -> SideTruth:
    depth = _recess_depth(seen[0])
    share, height, area = _measure_foramen(spec, side, seen[1], grid.foramen_mm)
    return SideTruth(
        recess_depth_mm=depth * spec.size,
        fat_share=share,
        foramen_height_mm=height * spec.size,
        foramen_area_mm2=area * spec.size**2,
        subarticular=severity(depth, RECESS_CUTS_MM),
        foraminal=severity(share, FAT_SHARE_CUTS),
    )


SOLID_TISSUES: Final = np.array(
    [Tissue.CORTEX, Tissue.MARROW, Tissue.FLAVUM, Tissue.CARTILAGE, Tissue.FACET_FLUID], np.uint8
)
_RECESS_STEP_MM: Final = 0.1
_RECESS_UP_MM: Final = (-3.0, 0.0)


def _recess_columns(
    spec: SpineSpec, index: int, place: DiscPlace, how: tuple[int, MeasuringGrid]
) -> Float32[np.ndarray, "planes columns rows 3"]:
    """Points backward through the recess of one side, in the plane of the disc and in one below it."""
    up, back = np.array(place.up), np.array(place.back)
    left = np.cross(back, up)
    behind = np.arange(-14, 14, _RECESS_STEP_MM)
    columns = how[0] * spec.segments[index].canal.corner_x + np.array(how[1].recess_columns_mm)
    steps = (
        np.array(_RECESS_UP_MM)[:, None, None, None] * up + columns[None, :, None, None] * left + behind[:, None] * back
    )
    return np.asarray((np.array(place.canal_lps_mm) + spec.size * steps).astype(np.float32))


def _recess_depth(seen: Rendered) -> float:
    """Room between disc or body in front and flavum or joint behind, in mm of an adult of size 1: the median of a few
    columns about the recess, the lesser of the two planes."""
    gaps = [
        [_gap(part, tissue) for part, tissue in zip(*plane, strict=True)]
        for plane in zip(seen.part, seen.tissue, strict=True)
    ]
    return float(np.median(gaps, axis=1).min())


def _gap(part: UInt8[np.ndarray, " rows"], tissue: UInt8[np.ndarray, " rows"]) -> float:
    """Length of the gap between what lies in front (body or disc) and the next solid tissue behind it."""
    front = np.flatnonzero((part > 0) & (part < FIRST_ARCH) | (part >= FIRST_DISC) & (part < SAC))
    start = int(front[-1]) + 1 if front.size else 0
    solid = np.isin(tissue[start:], SOLID_TISSUES)
    return float(np.argmax(solid) if solid.any() else solid.size) * _RECESS_STEP_MM


def _foramen_plane(
    spec: SpineSpec, place: DiscPlace, side: Side, grid: MeasuringGrid
) -> Float32[np.ndarray, "rows columns 3"]:
    """Points about the ganglion of one side: rows run down, columns backward."""
    half = grid.foramen_reach_mm * spec.size, 9 * spec.size
    center = np.array(place.foramen_lps_mm[side])
    return _plane(center, -np.array(place.up), np.array(place.back), half, grid.foramen_mm * spec.size)


def _measure_foramen(spec: SpineSpec, side: Side, section: Rendered, step: float) -> tuple[float, float, float]:
    """(share of the ganglion's circumference with fat within reach, height and area of fat and root in the foramen)."""
    inner_side = side if spec.handedness == 1 else ("right" if side == "left" else "left")
    root = section.part == (EXITING_LEFT if inner_side == "left" else EXITING_RIGHT)
    open_ = root | (section.part == FORAMEN)
    return _fat_share(section, root, step), float(open_.any(axis=1).sum()) * step, float(open_.sum()) * step**2


def _fat_share(section: Rendered, root: np.ndarray, step: float) -> float:
    """Casts 72 rays from the root's middle; a direction counts when most of the first millimetre beyond the root is
    fat."""
    if not root.any():
        return 0.0
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


def _disc_line(spec: SpineSpec, place: DiscPlace, grid: MeasuringGrid) -> Float32[np.ndarray, "points 3"]:
    """Points through the centre of the disc, from one body to the other."""
    reach = np.arange(-15, 15, grid.disc_mm)
    line = np.array(place.center_lps_mm) + spec.size * reach[:, None] * np.array(place.up)
    return np.asarray(line.astype(np.float32))
