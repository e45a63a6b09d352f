"""Tissue of a drawn spine at any points: the phantom's geometry, evaluated where a scanner looks."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Float32, UInt8

from lumbago.phantom import render_arches as arches
from lumbago.phantom import render_bones as bones
from lumbago.phantom.anatomy_tables import SEGMENTS
from lumbago.phantom.canvas import Canvas
from lumbago.phantom.render_canal import canal_shape, may_be_canal, paint_canal
from lumbago.phantom.render_foramen import paint_foramen, paint_roots
from lumbago.phantom.render_trunk import TrunkPlace, paint_trunk, trunk_place
from lumbago.phantom.spine_frames import Between, Points, between, to_inner, vertebra_frames
from lumbago.phantom.spine_spec import SpineSpec


@dataclass(frozen=True, eq=False)
class Rendered:
    """Tissue (`Tissue`), structure (codes of `tissues`) and shade (0..1, see `Canvas`) at the points of a grid."""

    tissue: UInt8[np.ndarray, "*grid"]
    part: UInt8[np.ndarray, "*grid"]
    shade: Float32[np.ndarray, "*grid"]


def render_tissue(spec: SpineSpec, points_lps_mm: Float32[np.ndarray, "*grid 3"]) -> UInt8[np.ndarray, "*grid"]:
    """Tissue at patient points."""
    return render(spec, points_lps_mm).tissue


def render(spec: SpineSpec, points_lps_mm: Float32[np.ndarray, "*grid 3"]) -> Rendered:
    """Tissue, structure and shade at patient points."""
    grid = points_lps_mm.shape[:-1]
    inner = to_inner(spec, points_lps_mm.reshape(-1, 3))
    canvas, place = _trunk(spec, inner)
    _paint_spine(canvas, spec, inner, np.flatnonzero(_near_spine(place)))
    return _rendered(canvas, grid)


def _trunk(spec: SpineSpec, inner: Points) -> tuple[Canvas, TrunkPlace]:
    canvas = Canvas.blank(len(inner))
    place = trunk_place(spec, inner)
    paint_trunk(canvas, spec, place)
    return canvas, place


def _rendered(canvas: Canvas, grid: tuple[int, ...]) -> Rendered:
    return Rendered(canvas.tissue.reshape(grid), canvas.part.reshape(grid), canvas.shade.reshape(grid))


def _near_spine(place: TrunkPlace) -> np.ndarray:
    """Which points can lie in bones, discs, canal or roots."""
    return np.asarray((place.ax < 60) & (place.behind > -58) & (place.behind < 75))


class SliceRenderer:
    """One slice and, at little more cost, sub-slices next to it: in these, the spine lies over the soft tissue of the
    first. All are painted at once, for many points cost little more than few.

    Args:
        spec: the person.
        points_lps_mm: pixel centres of the middle of the slice.

    Attributes:
        thick: the pixels that sub-slices are rendered for.
    """

    def __init__(self, spec: SpineSpec, points_lps_mm: Float32[np.ndarray, "points 3"]) -> None:
        self._spec, self._inner = spec, to_inner(spec, points_lps_mm)
        self._soft, place = _trunk(spec, self._inner)
        self._near = np.flatnonzero(_near_spine(place))
        reach = np.where(place.ax < 10, 70, 46)
        self.thick = np.flatnonzero((place.ax < 46) & (place.behind > -46) & (place.behind < reach))

    def render(self, moved_lps_mm: Float32[np.ndarray, "slices thick 3"] | None = None) -> tuple[Rendered, Rendered]:
        """What lies at the slice's pixels, and at moved points, given for the pixels `thick` alone, by sub-slice."""
        moved = np.zeros((0, self.thick.size, 3), np.float32) if moved_lps_mm is None else moved_lps_mm
        soft, grid, size = self._soft, moved.shape[:2], len(self._inner)
        canvas = soft.followed_by(soft.taken(self.thick), grid[0])
        inner = np.concatenate([self._inner, to_inner(self._spec, moved.reshape(-1, 3))])
        _paint_spine(canvas, self._spec, inner, np.concatenate([self._near, np.arange(size, len(inner))]))
        return _rendered(canvas.taken(slice(size)), (size,)), _rendered(canvas.taken(slice(size, None)), grid)


def _paint_spine(canvas: Canvas, spec: SpineSpec, inner: Points, near: np.ndarray) -> None:
    """Sorts the points near the spine by the segment they lie in, and paints each segment over its own."""
    if not near.size:
        return
    index = _segment_index(spec, inner[near])
    order = np.argsort(index, kind="stable")
    bounds = np.searchsorted(index[order], np.arange(len(spec.segments) + 1))
    for segment in range(len(spec.segments)):
        rows = near[order[bounds[segment] : bounds[segment + 1]]]
        if rows.size:
            block = canvas.taken(rows)
            _paint_segment(block, spec, segment, inner[rows])
            canvas.put(rows, block)


def _segment_index(spec: SpineSpec, inner: Points) -> np.ndarray:
    """Index of the segment whose two body middles enclose a point; -1 above the first."""
    frames = vertebra_frames(spec)
    ups = np.stack([frame.axes[:, 2] for frame in frames]).astype(np.float32)
    heights = np.array([[frame.center @ frame.axes[:, 2]] for frame in frames], np.float32)
    index: np.ndarray = (ups @ inner.T < heights).sum(axis=0, dtype=np.int8) - np.int8(1)
    return index


def _paint_segment(canvas: Canvas, spec: SpineSpec, index: int, inner: Points) -> None:
    """Arches, then what lies in canal and foramina, then pedicles, bodies and disc over it."""
    place = between(spec, index, inner)
    above, below, segment = spec.vertebrae[index], spec.vertebrae[index + 1], spec.segments[index]
    sacral = segment.name.startswith("S")
    if sacral:
        arches.paint_bone(canvas, arches.sacrum_depth(above, below, place), index)
    else:
        arches.paint_arch(canvas, above, index, place.above)
        arches.paint_arch(canvas, below, index + 1, place.below)
        arches.paint_facets(canvas, segment, SEGMENTS[index], index, place)
    _paint_where(may_be_canal(spec, index, place), canvas, place, partial(_paint_canal, spec=spec, index=index))
    if not sacral:
        paint_foramen(canvas, spec, index, place)
    paint_roots(canvas, spec, index, place)
    for vertebra, number, local in ((above, index, place.above), (below, index + 1, place.below)):
        arches.paint_pedicles(canvas, vertebra, number, local)
    near = bones.may_be_body((above, below), segment, place)
    _paint_where(near, canvas, place, partial(_paint_bodies, spec=spec, index=index))


def _paint_where(mask: np.ndarray, canvas: Canvas, place: Between, paint: Callable[[Canvas, Between], None]) -> None:
    """Paints the points of a mask alone."""
    rows = np.flatnonzero(mask)
    if rows.size:
        block = canvas.taken(rows)
        paint(block, place.taken(rows))
        canvas.put(rows, block)


def _paint_canal(canvas: Canvas, place: Between, spec: SpineSpec, index: int) -> None:
    paint_canal(canvas, spec, index, place, canal_shape(spec, index, place))


def _paint_bodies(canvas: Canvas, place: Between, spec: SpineSpec, index: int) -> None:
    above, below, segment = spec.vertebrae[index], spec.vertebrae[index + 1], spec.segments[index]
    depths = (
        bones.body_depth(above, place.above, spec.texture % 997 + index),
        bones.body_depth(below, place.below, spec.texture % 997 + index + 1),
    )
    bones.paint_hernia(canvas, segment, index, place)
    bones.paint_disc(canvas, segment, index, place, depths)
    bones.paint_body(canvas, above, index, place.above, depths[0])
    bones.paint_body(canvas, below, index + 1, place.below, depths[1])
