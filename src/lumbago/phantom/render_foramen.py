"""Foramina, ganglia and the roots outside of the dural sac as tissue."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from jaxtyping import Float32

from lumbago.phantom.canal_section import front_at
from lumbago.phantom.canvas import Canvas
from lumbago.phantom.render_bones import body_depth
from lumbago.phantom.shapes import capsule, ellipse, smoothstep
from lumbago.phantom.spine_frames import Between, between, segment_length, vertebra_frames, wall_at
from lumbago.phantom.spine_spec import SideSpec, SpineSpec, VertebraSpec
from lumbago.phantom.tissues import (
    CANAL,
    EXITING_LEFT,
    EXITING_RIGHT,
    FIRST_ARCH,
    FLAVUM_PART,
    FORAMEN,
    SAC,
    TRAVERSING_LEFT,
    TRAVERSING_RIGHT,
    Tissue,
)

Coordinates = Float32[np.ndarray, " points"]
Rows = tuple[np.ndarray, Coordinates, Coordinates, Coordinates]

_FREE_CORTEX_MM: Final = 0.9
_OPEN_SLIT: Final = 3.2
_OPEN_BEHIND: Final = 1.4
_PEDICLE_UP: Final = 5.0
_SOLID: Final = np.array([Tissue.MARROW, Tissue.CORTEX], np.uint8)


@dataclass(frozen=True, slots=True)
class ForamenShape:
    """One foramen: the middle of its ganglion (to the side, behind the wall, above the middle of the disc), its roof
    and floor, the neck below which it is a slit, and how far behind the wall it reaches above the neck."""

    ax: float
    behind: float
    up: float
    roof: float
    floor: float
    neck: float
    reach: float


@lru_cache(maxsize=512)
def foramen_shape(spec: SpineSpec, index: int, sign: int) -> ForamenShape:
    """The foramen of segment `index` on the left (sign 1) or right (-1) of the inner frame: the ganglion lies under
    the pedicle of the body above, close behind its wall, as far off both as the gaps say."""
    side = spec.segments[index].left if sign == 1 else spec.segments[index].right
    front, back, above, below = side.gaps
    half_depth, half_height = side.ganglion
    upper, lower = spec.vertebrae[index], spec.vertebrae[index + 1]
    under = _pedicle_edge(upper, side.ganglion_x)
    behind = _wall_beside(upper, (side.ganglion_x, _PEDICLE_UP - under - above - half_height)) + front + half_depth
    at = (sign * side.ganglion_x, behind)
    roof = _blended_up(spec, index, index, (*at, _PEDICLE_UP - under))
    floor = _blended_up(spec, index, index + 1, (*at, _PEDICLE_UP + _pedicle_edge(lower, side.ganglion_x)))
    up = roof - above - half_height
    return ForamenShape(side.ganglion_x, behind, up, roof, floor, up - half_height - below, behind + half_depth + back)


def _pedicle_edge(vertebra: VertebraSpec, ax: float) -> float:
    """How far below its middle a pedicle ends at a distance to the side."""
    half = vertebra.pedicle_width / 2
    across = min(abs(ax - vertebra.canal_width / 2 - half) / half, 0.9)
    return float(vertebra.pedicle_height / 2 * (1 - across**2) ** 0.5)


def _wall_beside(vertebra: VertebraSpec, place: tuple[float, float]) -> float:
    """How far behind the middle of its wall (negative: in front) a body ends, at (to the side, up)."""
    behind = np.arange(-9, 3, 0.1, dtype=np.float32)
    ax, up = (np.full_like(behind, value) for value in place)
    inside = body_depth(vertebra, (ax, behind, up), 0).side > 0
    return float(behind[inside][-1]) if inside.any() else -9.0


def _blended_up(spec: SpineSpec, index: int, vertebra: int, local: tuple[float, float, float]) -> float:
    """The blended height about disc `index` of a point (left, behind the wall, up) given in the frame of a vertebra."""
    x, behind, up = local
    back = behind + wall_at(spec.vertebrae[vertebra], up)
    inner = vertebra_frames(spec)[vertebra].to_inner(np.array([[x, back, up]]))
    return float(between(spec, index, inner.astype(np.float32)).up[0])


def paint_foramen(canvas: Canvas, spec: SpineSpec, index: int, place: Between) -> None:
    """Both foramina of a segment: fat in the shape of a keyhole, closed behind by capsule and joint."""
    ax = np.abs(place.x)
    near = (ax < 30) & (ax > 8.5) & (place.behind > -9) & (place.behind < 16)
    for sign in (1, -1):
        rows = np.flatnonzero(near & (place.x * np.float32(sign) > 0))
        if rows.size:
            _paint_keyhole(canvas, spec, index, sign, (rows, ax[rows], place.behind[rows], place.up[rows]))


def _paint_keyhole(canvas: Canvas, spec: SpineSpec, index: int, sign: int, at: Rows) -> None:
    rows, ax, behind, up = at
    shape = foramen_shape(spec, index, sign)
    side = spec.segments[index].left if sign == 1 else spec.segments[index].right
    slit = np.float32(side.slit - 1.0) + np.clip(np.float32(0.12) * np.abs(up), 0, 1.5)
    back = slit + (np.float32(shape.reach) - slit) * smoothstep(up, shape.neck - 1.5, shape.neck + 1.8)
    inner, outer = spec.vertebrae[index].canal_width / 2 - 3.5, shape.ax + 8.5
    beside = np.minimum(ax - np.float32(inner), np.float32(outer) - ax)
    room = np.minimum.reduce([back - behind, up - np.float32(shape.floor - 1), beside])
    solid = np.isin(canvas.tissue[rows], _SOLID)
    canvas.tissue[rows[(room > -_FREE_CORTEX_MM) & (room <= 0) & solid]] = Tissue.CORTEX
    closed = (
        (beside > 1) & (room <= 0) & ~np.isin(canvas.part[rows], (SAC, CANAL)) & (up > shape.floor) & (ax < outer - 3.5)
    )
    low = (up < shape.neck + 1) & (behind < 9.5) & (side.slit < _OPEN_SLIT)
    high = (up >= shape.neck - 1) & (up < shape.roof + 1) & (behind < shape.reach + 7) & (side.gaps[1] < _OPEN_BEHIND)
    lateral = np.float32(0.7) * np.clip(ax - np.float32(shape.ax + 1), 0, 8)
    _paint_closure(canvas, rows, closed & (low | high), behind - back - lateral, index)
    free = (room > 0) & (canvas.part[rows] != SAC)
    scar = free & (up > shape.neck) & (beside > 2) & _pressed(shape, side, behind, up)
    canvas.tissue[rows[scar]], canvas.part[rows[scar]] = Tissue.FLAVUM, FLAVUM_PART
    free &= ~scar
    canvas.tissue[rows[free]], canvas.part[rows[free]] = Tissue.EPIDURAL_FAT, FORAMEN
    vein = free & (ellipse((behind - 0.8, 1.1), (up - np.float32(shape.neck + 0.5), 1.2)) > 0) & (side.gaps[3] > 2)
    canvas.tissue[rows[vein]] = Tissue.EPIDURAL_VEIN


def _pressed(shape: ForamenShape, side: SideSpec, behind: Coordinates, up: Coordinates) -> np.ndarray:
    """Corners about the ganglion that hold no fat any more, because all of its gaps are nearly closed."""
    front, back, above, below = side.gaps
    half_depth, half_height = side.ganglion
    across, along = behind - np.float32(shape.behind), up - np.float32(shape.up)
    reach = np.where(across > 0, np.float32(half_depth + back), np.float32(half_depth + front))
    height = np.where(along > 0, np.float32(half_height + above), np.float32(half_height + below))
    slack = np.float32(1.06 + 0.9 * (front + back + above + below) / 4)
    return np.asarray((across / reach) ** 2 + (along / height) ** 2 > slack**2)


def _paint_closure(canvas: Canvas, rows: np.ndarray, beside: np.ndarray, beyond: Coordinates, index: int) -> None:
    """What narrows a foramen from behind: capsule and flavum, then the overgrown process."""
    canvas.tissue[rows[beside & (beyond > 1.9)]] = Tissue.MARROW
    canvas.tissue[rows[beside & (beyond > 1.1) & (beyond <= 1.9)]] = Tissue.CORTEX
    canvas.part[rows[beside & (beyond > 1.1)]] = FIRST_ARCH + index + 1
    ligament = rows[beside & (beyond > 0) & (beyond <= 1.1)]
    canvas.tissue[ligament], canvas.part[ligament] = Tissue.FLAVUM, FLAVUM_PART


def paint_roots(canvas: Canvas, spec: SpineSpec, index: int, place: Between) -> None:
    """The root that leaves here, with its ganglion, and the one that goes down through the recess to leave below."""
    segment = spec.segments[index]
    codes = ((segment.left, EXITING_LEFT, TRAVERSING_LEFT), (segment.right, EXITING_RIGHT, TRAVERSING_RIGHT))
    for (side, leaving, passing), sign in zip(codes, (1, -1), strict=True):
        x = place.x * np.float32(sign)
        rows = np.flatnonzero((x > 3) & (x < 46) & (place.behind > -26) & (place.behind < 12))
        if not rows.size:
            continue
        at = (x[rows], place.behind[rows], place.up[rows])
        _paint_root(canvas, rows, _leaving(spec, index, (side, sign), at), leaving)
        near = np.flatnonzero(_may_pass(spec, index, side, at))
        if near.size:
            passed = _passing(spec, index, (side, sign), (at[0][near], at[1][near], at[2][near]))
            _paint_root(canvas, rows[near], passed, passing)


def _paint_root(canvas: Canvas, rows: np.ndarray, depth: Coordinates, code: int) -> None:
    inside = rows[depth > 0]
    canvas.tissue[inside], canvas.part[inside] = Tissue.ROOT, code


def _leaving(
    spec: SpineSpec, index: int, side: tuple[SideSpec, int], at: tuple[Coordinates, Coordinates, Coordinates]
) -> Coordinates:
    root, upper = foramen_shape(spec, index, side[1]), spec.vertebrae[index]
    middle = segment_length(spec, index) / 2
    half_depth, half_height = side[0].ganglion
    ax, behind, up = at
    thin = max(half_depth * 0.75, 0.8)
    start = (_shoulder(upper), 3.2, middle)
    here = (root.ax, root.behind, root.up)
    ganglion = ellipse((ax - root.ax, 4.5), (behind - root.behind, half_depth), (up - root.up, half_height))
    inward = (root.ax - 4, root.behind + 0.5, root.up + 0.3)
    out, far = (root.ax + 9, root.behind - 5, root.up - 6), (root.ax + 20, root.behind - 14, root.up - 20)
    pieces = [
        capsule(at, start, inward, (1.5, thin)),
        capsule(at, here, out, (thin, 1.9)),
        capsule(at, out, far, (1.9, 1.8)),
    ]
    return np.asarray(np.maximum.reduce([ganglion, *pieces]))


def _shoulder(vertebra: VertebraSpec) -> float:
    """How far to the side a root passes the pedicle under which it leaves."""
    return vertebra.canal_width / 2 - 2.4


def _may_pass(
    spec: SpineSpec, index: int, side: SideSpec, at: tuple[Coordinates, Coordinates, Coordinates]
) -> np.ndarray:
    """Where the passing root can lie: no further to the side than it can be pressed."""
    corner, shoulder = spec.segments[index].canal.corner_x, _shoulder(spec.vertebrae[index + 1])
    inner, outer = min(corner - 4.6, shoulder), max(corner + 1.6, shoulder)
    wide = 2 * side.recess_root + 0.5
    return np.asarray((at[0] > np.float32(inner - wide)) & (at[0] < np.float32(outer + wide)) & (at[2] < 9))


def _passing(
    spec: SpineSpec, index: int, side: tuple[SideSpec, int], at: tuple[Coordinates, Coordinates, Coordinates]
) -> Coordinates:
    """The passing root: flattened to the height of the recess, and wider for it."""
    segment, lower = spec.segments[index], spec.vertebrae[index + 1]
    spec_side, sign = side
    middle = segment_length(spec, index) / 2
    ax, behind, up = at
    radius = spec_side.recess_root
    front = front_at(sign * segment.canal.corner_x, segment)
    room = max(spec_side.recess_depth - 0.5, 0.4)
    flat = min(room / (2 * radius), 1.0)
    center = front + spec_side.recess_depth * (0.5 if flat < 1 else 0.4)
    near = 1 - smoothstep(np.abs(up), 2.0, 7.0)
    squeeze = 1 + near * np.float32(1 / max(flat, 0.25) - 1)
    line = np.float32(center) + (np.float32(3.2) - np.float32(center)) * smoothstep(np.abs(up), 2.0, 12.0)
    x0 = segment.canal.corner_x - 0.4 + (2.0 * (1 - flat) if segment.disc.hernia_depth == 0 else -1.0)
    sideways = np.where(
        up > 0,
        np.float32(-1.6) * np.clip(up / 8, 0, 2),
        (np.float32(x0) - np.float32(_shoulder(lower))) * np.clip(up / middle, -1, 0),
    )
    across = (ax - np.float32(x0) - sideways) / np.sqrt(squeeze)
    depth: Coordinates = np.float32(radius) - np.sqrt(across**2 + ((behind - line) * squeeze) ** 2)
    return np.where((up < 9) & (up >= -middle), depth, -1)
