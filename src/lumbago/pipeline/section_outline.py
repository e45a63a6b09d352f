"""Where the edges of a disc and of the bodies next to it lie in a section: pixels, from head to feet and from front to
back."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64
from scipy import ndimage

from lumbago.pipeline.tissue_section import CENTER, SECTION_MM, Section

Mask = Bool[np.ndarray, "rows columns"]

_REACH_PX = round(4.0 / SECTION_MM)
_LEAST_PX = 40
_ALONG_MM = (2.0, 12.0)
_BODY_MM = 16.0
_BESIDE_MM = 8.0
_LEAST_ROWS = 6


@dataclass(frozen=True, eq=False)
class Outline:
    """A disc and the bodies above and below it.

    Attributes:
        disc: its pixels; above, below: those of the bodies within reach.
        first, last: columns where it begins and ends, but for a hundredth of its pixels.
        backs, fronts: columns of the back and front walls of the body above and of the one below, at their endplates.
    """

    disc: Mask
    above: Mask
    below: Mask
    first: float
    last: float
    backs: tuple[float, float]
    fronts: tuple[float, float]

    @property
    def depth_below(self) -> float:
        """Depth of the body below."""
        return self.backs[1] - self.fronts[1]

    @property
    def body_depth(self) -> float:
        """Mean depth of the two bodies."""
        return float(np.mean(self.backs) - np.mean(self.fronts))

    def columns(self, begin: float, end: float) -> slice:
        """Columns from a share of the disc's depth to another."""
        low, high = (self.first + share * (self.last - self.first) for share in (begin, end))
        return slice(round(low), max(round(high), round(low)) + 1)

    def heights(self, begin: float, end: float) -> Float64[np.ndarray, " columns"]:
        """Pixels of the disc on each of these columns."""
        return np.asarray(self.disc[:, self.columns(begin, end)].sum(0), np.float64)

    def part(self, begin: float, end: float, margin: float) -> Mask:
        """The disc between two shares of its depth, without a share of its height at both endplates."""
        tops, bottoms = edges_of(self.disc)
        rows = np.arange(len(self.disc))[:, None] + 0.5
        high = bottoms - tops
        kept = self.disc & (rows > tops + margin * high) & (rows < bottoms - margin * high)
        wanted = np.zeros_like(kept)
        wanted[:, self.columns(begin, end)] = True
        return np.asarray(kept & wanted)

    def off_course(self, side: int) -> Float64[np.ndarray, " columns"]:
        """How far below a smooth curve (a parabola) the upper (-1) or lower (1) edge of the disc runs."""
        columns = self.columns(0.1, 0.9)
        edge = edges_of(self.disc)[0 if side < 0 else 1][columns]
        place = np.flatnonzero(~np.isnan(edge))
        if len(place) < _LEAST_ROWS:
            return np.full(1, np.nan)
        return np.asarray(edge[place] - np.polyval(np.polyfit(place, edge[place], 2), place))

    def marrow(self, side: int, begin_mm: float, end_mm: float) -> Mask:
        """The body above (-1) or below (1) between two distances from the disc's edge."""
        tops, bottoms = edges_of(self.disc)
        rows = np.arange(len(self.disc))[:, None] + 0.5
        away = (tops - rows if side < 0 else rows - bottoms) * SECTION_MM
        body = self.above if side < 0 else self.below
        return np.asarray(body & (away >= begin_mm) & (away <= end_mm))


def outline_of(section: Section) -> Outline | None:
    """The outline of the disc in the middle; None where it, or a body next to it, is not seen as a whole."""
    disc = own_disc(section)
    if disc is None:
        return None
    first, last = np.percentile(np.nonzero(disc)[1], (1, 99))
    tops, bottoms = edges_of(disc)
    middle = slice(round(0.75 * first + 0.25 * last), round(0.25 * first + 0.75 * last) + 1)
    near = np.zeros_like(disc)
    beside = round(_BESIDE_MM / SECTION_MM)
    near[:, max(int(first) - beside, 0) : int(last) + beside] = True
    ends = float(np.nanmedian(tops[middle])), float(np.nanmedian(bottoms[middle]))
    bodies = [_body(section.body & near & ~disc, end, side) for end, side in zip(ends, (-1, 1), strict=True)]
    above, below = (_walls(body, end, side) for body, end, side in zip(bodies, ends, (-1, 1), strict=True))
    if above is None or below is None or _is_cut_off(disc | bodies[0] | bodies[1], section.seen):
        return None
    (front_above, back_above), (front_below, back_below) = above, below
    backs, fronts = (back_above, back_below), (front_above, front_below)
    if min(back_above - front_above, back_below - front_below) * SECTION_MM < _BESIDE_MM:
        return None
    return Outline(disc, bodies[0], bodies[1], float(first), float(last), backs, fronts)


def edges_of(mask: Mask) -> tuple[Float64[np.ndarray, " columns"], Float64[np.ndarray, " columns"]]:
    """Upper and lower edge of a mask on each column, NaN where it has none."""
    has_any = mask.any(0)
    tops, bottoms = mask.argmax(0).astype(np.float64), len(mask) - mask[::-1].argmax(0).astype(np.float64)
    return np.where(has_any, tops, np.nan), np.where(has_any, bottoms, np.nan)


def span(begin_mm: float, end_mm: float) -> slice:
    """Rows between two distances below the middle of the disc."""
    low, high = (CENTER[0] + round(mm / SECTION_MM) for mm in (begin_mm, end_mm))
    return slice(max(low, 0), high + 1)


def rows_between(section: Section, begin_mm: float, end_mm: float) -> Mask:
    """The same as a mask."""
    rows = np.zeros_like(section.seen)
    rows[span(begin_mm, end_mm)] = True
    return rows


def own_disc(section: Section) -> Mask | None:
    """The disc nearest to the middle, if it is near and large enough."""
    labels, count = ndimage.label(section.disc)
    if not count:
        return None
    distance, nearest = ndimage.distance_transform_edt(labels == 0, return_indices=True)
    if distance[CENTER] > _REACH_PX:
        return None
    own = np.asarray(labels == labels[tuple(nearest[:, CENTER[0], CENTER[1]])])
    return own if own.sum() >= _LEAST_PX else None


def _is_cut_off(mask: Mask, seen: Mask) -> bool:
    return bool((ndimage.binary_dilation(mask) & ~seen).any())


def _body(bodies: Mask, end: float, side: int) -> Mask:
    """The largest connected piece of bone within reach above (-1) or below (1) an edge of the disc."""
    rows = np.arange(len(bodies))[:, None] + 0.5
    away = side * (rows - end) * SECTION_MM
    return largest(bodies & (away > -_ALONG_MM[1]) & (away <= _BODY_MM) & (side * (rows - CENTER[0]) > 0))


def largest(mask: Mask) -> Mask:
    """The largest connected piece of a mask."""
    labels, count = ndimage.label(mask)
    return np.asarray(labels == 1 + int(np.argmax(np.bincount(labels.ravel())[1:]))) if count else mask


def _walls(body: Mask, end: float, side: int) -> tuple[float, float] | None:
    """Columns of the front and back walls, along a straight line fitted to them, carried on to the endplate."""
    rows = np.arange(len(body)) + 0.5
    away = side * (rows - end) * SECTION_MM
    used = np.flatnonzero((away >= _ALONG_MM[0]) & (away <= _ALONG_MM[1]) & body.any(1))
    if len(used) < _LEAST_ROWS:
        return None
    fronts, backs = edges_of(body[used].T)
    front, back = (float(np.polyval(np.polyfit(away[used], wall, 1), 0.0)) for wall in (fronts, backs))
    return front, back
