"""Canal, dural sac, cauda equina, recesses, foramina and nerve roots as tissue."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float32

from lumbago.phantom.canal_section import canal_front, ceiling, front_at, recess_corners, sac_apex, sac_profile
from lumbago.phantom.canvas import Canvas
from lumbago.phantom.shapes import smoothstep
from lumbago.phantom.spine_frames import Between
from lumbago.phantom.spine_spec import SegmentSpec, SpineSpec
from lumbago.phantom.tissues import (
    CANAL,
    FLAVUM_PART,
    SAC,
    Tissue,
)

Coordinates = Float32[np.ndarray, " points"]

_FREE_CORTEX_MM = 0.9
_LIGAMENT_MM = 1.2
_ROOTS_BEHIND_BODY = 0.38
_LIGAMENT_BEFORE_SAC = ("T11/T12", "T12/L1", "L1/L2", "L2/L3", "L3/L4", "L4/L5")


@dataclass(frozen=True, eq=False)
class CanalShape:
    """At each point: room inside the canal (mm to its ceiling and side), and the sac's front, depth, half width and
    exponents."""

    room: Coordinates
    to_ceiling: Coordinates
    nearness: Coordinates
    sac_front: Coordinates
    sac_depth: Coordinates
    sac_half_width: Coordinates
    exponents: tuple[Coordinates, Coordinates]


def _along(place: Between, values: tuple[float, float, float]) -> Coordinates:
    """A quantity that is known behind the body above, at the disc, and behind the body below."""
    above, at_disc, below = (np.float32(value) for value in values)
    to_disc = 1 - smoothstep(np.abs(place.part - np.float32(0.5)), 0.09, 0.40)
    far = np.where(place.part < 0.5, above, below)
    blended: Coordinates = far + to_disc * (at_disc - far)
    return blended


def may_be_canal(spec: SpineSpec, index: int, place: Between) -> np.ndarray:
    """Where the canal can lie, with the flavum and the cortex around it."""
    widths = [vertebra.canal_width / 2 for vertebra in spec.vertebrae[index : index + 2]]
    side = np.float32(max(*widths, 13.0) + _FREE_CORTEX_MM + 0.6)
    return np.asarray((np.abs(place.x) < side) & (place.behind > -4))


def canal_shape(spec: SpineSpec, index: int, place: Between) -> CanalShape:
    """The canal between two bodies: the drawn section at the disc, the bony ring at the pedicles, smoothly joined."""
    segment, above, below = spec.segments[index], spec.vertebrae[index], spec.vertebrae[index + 1]
    canal, ax = segment.canal, np.abs(place.x)
    nearness = _along(place, (0.0, 1.0, 0.0))
    corner = np.where(place.x > 0, *(np.float32(value) for value in recess_corners(segment)))
    at_disc = ceiling(ax, sac_apex(segment), (canal.corner_x, corner), canal.ceiling_power)
    depth = _along(place, (above.canal_depth, above.canal_depth, below.canal_depth))
    half = _along(place, (above.canal_width / 2, 0.0, below.canal_width / 2)) + nearness * np.float32(13.0)
    bony = depth * (1 - np.float32(0.42) * (ax / half) ** 2)
    to_ceiling = bony + nearness * (at_disc - bony) - place.behind
    gaps = _along(place, (_body_gap(spec, index), canal.front_gap, _body_gap(spec, index + 1)))
    front = gaps + nearness * np.float32(front_at(0.0, segment))
    return CanalShape(
        room=np.minimum(to_ceiling, half - ax),
        to_ceiling=to_ceiling,
        nearness=nearness,
        sac_front=front,
        sac_depth=_along(place, (above.sac_depth, canal.sac_depth, below.sac_depth)),
        sac_half_width=_along(place, (above.sac_half_width, canal.sac_half_width, below.sac_half_width)),
        exponents=(_along(place, (0.5, canal.sac_front, 0.5)), _along(place, (0.5, canal.sac_back, 0.5))),
    )


def _body_gap(spec: SpineSpec, vertebra: int) -> float:
    """Room before the sac behind the middle of a body, between those at the discs next to it."""
    gaps = [segment.canal.front_gap for segment in spec.segments[max(vertebra - 1, 0) : vertebra + 1]]
    sacral = spec.vertebrae[vertebra].name.startswith("S")
    return 0.85 * max(gaps) if sacral else 0.3 + 0.6 * sum(gaps) / len(gaps)


def paint_canal(canvas: Canvas, spec: SpineSpec, index: int, place: Between, shape: CanalShape) -> None:
    """Fat, flavum and sac, over the arches that were painted before."""
    segment = spec.segments[index]
    behind = place.behind > -4
    bone = (canvas.tissue == Tissue.MARROW) & (shape.room > -_FREE_CORTEX_MM) & behind
    canvas.paint(bone, Tissue.CORTEX)
    reach = np.float32(segment.canal.flavum) * smoothstep(shape.nearness, 0.15, 0.6)
    lean = np.float32(0.55) * (1 + np.clip(np.abs(place.x) / 9, 0, 1))
    flavum = (shape.to_ceiling > -reach * np.float32(1.35) * lean) & (shape.to_ceiling <= 0) & (place.behind > 1.5)
    flavum &= (np.abs(place.x) < 13.5) & (np.abs(place.x) > 0.5)
    canvas.paint(flavum, Tissue.FLAVUM, FLAVUM_PART)
    canvas.paint((shape.room > 0) & behind, Tissue.EPIDURAL_FAT, CANAL)
    _paint_ligaments(canvas, segment, place, shape)
    _paint_veins(canvas, place, shape)
    _paint_sac(canvas, spec, index, place, shape)


def _paint_ligaments(canvas: Canvas, segment: SegmentSpec, place: Between, shape: CanalShape) -> None:
    """Before the sac the posterior longitudinal ligament, with fat only at L5/S1 and below; behind it, under the
    laminae, what leaves the fat to the discs' heights."""
    middle = (shape.room > 0) & (np.abs(place.x) < np.minimum(0.7 * shape.sac_half_width, np.float32(6)))
    if segment.name in _LIGAMENT_BEFORE_SAC:
        before = middle & (place.behind > -4) & (place.behind < shape.sac_front)
        canvas.paint(before, Tissue.EPIDURAL_VEIN, CANAL)
        canvas.paint(before & (place.behind > shape.sac_front - _LIGAMENT_MM), Tissue.FLAVUM, CANAL)
    roof = (shape.to_ceiling < _LIGAMENT_MM) & (place.behind > shape.sac_front + shape.sac_depth)
    canvas.paint(middle & roof & (shape.nearness < 0.4), Tissue.FLAVUM, CANAL)


def _paint_veins(canvas: Canvas, place: Between, shape: CanalShape) -> None:
    """The plexus behind the bodies."""
    off = np.abs(np.abs(place.x) - 5)
    vein = (shape.nearness < 0.35) & (shape.room > 0) & (place.behind < 2.0) & (place.behind > -3) & (off < 3.2)
    canvas.paint(vein, Tissue.EPIDURAL_VEIN, CANAL)


def _paint_sac(canvas: Canvas, spec: SpineSpec, index: int, place: Between, shape: CanalShape) -> None:
    depth = np.maximum(shape.sac_depth, np.float32(0.2))
    level = (place.behind - shape.sac_front) / depth
    near = (level > 0) & (level < 1) & (np.abs(place.x) < shape.sac_half_width) & (shape.room > 0.4)
    near &= place.behind > _disc_edge(spec.segments[index], place, shape)
    rows = np.flatnonzero(near)
    if depth.max() < 2.5:
        return
    half = shape.sac_half_width[rows] * sac_profile(level[rows], shape.exponents[0][rows], shape.exponents[1][rows])
    inside = np.abs(place.x[rows]) < half
    rows, half = rows[inside], shape.sac_half_width[rows][inside]
    if not rows.size:
        return
    canvas.tissue[rows], canvas.part[rows] = Tissue.CSF, SAC
    roots = _strands(spec, index, place.part[rows], (place.x[rows] / half, level[rows]), (half, depth[rows]))
    canvas.tissue[rows[roots]] = Tissue.ROOT
    _paint_cord(canvas, spec, index, rows, (place.part[rows], place.x[rows], (level[rows] - 0.5) * depth[rows]))


def _disc_edge(segment: SegmentSpec, place: Between, shape: CanalShape) -> Coordinates:
    """The sac keeps off the disc."""
    return np.asarray(
        canal_front(place.x, segment) * shape.nearness + np.float32(segment.canal.front_gap) * shape.nearness
    )


_ROOTLETS: Final = tuple((exit_at, side, kind) for exit_at in range(5, 14) for side in (1.0, -1.0) for kind in (0, 1))
"""(index of the vertebra under whose pedicle it leaves, side, motor or sensory): two strands per root from L1 to S4."""


def _strands(
    spec: SpineSpec,
    index: int,
    part: Coordinates,
    at: tuple[Coordinates, Coordinates],
    size: tuple[Coordinates, Coordinates],
) -> np.ndarray:
    rng = np.random.default_rng(spec.texture)
    jitter = rng.normal(0, 1, (len(_ROOTLETS), 4)).clip(-2, 2).astype(np.float32)
    half, depth = size
    height = index + part
    share = _root_share(spec, index, part)
    radius = _root_radius(index, share, half * depth)
    inside = share > _PACKED
    crowded = smoothstep(share, 0.42, 0.8)
    waviness = np.float32(
        spec.segments[index].canal.waviness + spec.segments[min(index + 1, len(spec.segments) - 1)].canal.waviness
    )
    for (exit_at, side, kind), own in zip(_ROOTLETS, jitter, strict=True):
        left = np.float32(exit_at - 0.15) - height
        if left.max() < 0 or height.max() < spec.conus - 0.9:
            continue
        wave = waviness * np.sin(np.float32(5.0) * height + own[2] * 3) + np.float32(0.03) * np.sin(
            np.float32(2.2) * height + own[3] * 3
        )
        x, level = _strand_place(np.maximum(left, 0), (np.float32(side), kind), own, crowded)
        away = ((at[0] - x - wave) * half) ** 2 + ((at[1] - level) * depth) ** 2
        inside |= (away < radius**2) & (left > 0) & (height > spec.conus - np.float32(0.35 + 0.12 * own[3]))
    return inside


def _strand_place(
    left: Coordinates, strand: tuple[np.float32, int], own: np.ndarray, crowded: Coordinates
) -> tuple[Coordinates, Coordinates]:
    """Where in the sac a strand runs (to the side -1..1, 0 in front to 1 behind), `left` segments before it leaves.

    Lying down, the roots sink to the back wall as a crescent, the lower ones in its middle; a root about to leave runs
    forward to the side (Cohen, AJNR 1991). In a crowded sac they spread over all of it.
    """
    side, kind = strand
    stay = 1 - np.exp(-left / np.float32(0.9))
    lateral = np.float32(0.56) * np.exp(-left / np.float32(1.6)) + np.float32(0.14)
    x = side * (np.float32(0.80) * (1 - stay) + stay * (lateral + np.float32(0.10) * own[0]))
    layer = np.clip(np.float32(0.055) * np.abs(own[1]) * np.minimum(left, 4), 0, 0.3)
    sunk = np.float32(0.97) - np.float32(0.34) * x * x - layer
    spread = np.float32(0.52 + 0.2 * own[1])
    level = np.float32(0.40 + 0.14 * kind) * (1 - stay) + stay * (sunk + crowded * (spread - sunk))
    return x, level


def _root_share(spec: SpineSpec, index: int, part: Coordinates) -> Coordinates:
    """Share of the sac that roots are to fill, toward its value at the disc."""
    near = 1 - smoothstep(np.abs(part - np.float32(0.5)), 0.07, 0.45)
    share: Coordinates = np.float32(_ROOTS_BEHIND_BODY) + near * np.float32(
        spec.segments[index].canal.root_share - _ROOTS_BEHIND_BODY
    )
    return share


def _root_radius(index: int, share: Coordinates, product: Coordinates) -> Coordinates:
    """Radius of strands that fill the wanted share of the sac (half width times depth given), overlaps allowed for."""
    strands = max(sum(exit_at - 0.15 > index + 0.5 for exit_at, _, _ in _ROOTLETS), 2)
    radius = np.sqrt(np.float32(1.57) * product * share / np.float32(np.pi * strands)) * (
        1 + share * share * np.float32(0.5)
    )
    fat: Coordinates = np.clip(radius, 0.45, 1.6) * (1 + 2.2 * smoothstep(share, 0.62, 1.0))
    return fat


_PACKED: Final = 0.9


def _paint_cord(
    canvas: Canvas, spec: SpineSpec, index: int, rows: np.ndarray, at: tuple[Coordinates, Coordinates, Coordinates]
) -> None:
    part, x, back = at
    if index > spec.conus:
        return
    room = np.clip((np.float32(spec.conus) - index - part) / np.float32(0.9), 0, 1)
    thick = room ** np.float32(0.6)
    sunk = 0.4 + np.float32(2.6) * (1 - room)
    inside = (x / (4.8 * thick + 1e-3)) ** 2 + ((back - sunk) / (3.7 * thick + 1e-3)) ** 2 < 1
    canvas.tissue[rows[inside]] = Tissue.CORD
