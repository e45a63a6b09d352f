"""Sizes of a disc, its canal and its bodies, measured in a reader's mask alone: nothing that a model drew enters.

A disc is a connected piece of the mask, with what lies within 4 mm of it. The mask is laid straight with it: columns
run to the back along the long axis of its pixels, rows to the feet, on pixels of 0.25 mm without smoothing. There

- `height_between_bodies`: on each column of the middle half of the disc, from the body above to the one below; median;
- `disc_height`: pixels of the disc on these columns, the endplates left out as in the mask; median;
- `disc_depth`: from its first to its last column;
- `body_depth`: the endplate is a straight line through the facing edge of a body (10 to 90 % of the disc's depth), its
  ends are the walls, straight lines through the first and last bone 2 to 12 mm deep, square to it; mean of both
  bodies. `slip`: how far the back end above stands in front of the one below, in the mean direction of both endplates,
  in percent of the depth of the one below. All of these lines are robust (Theil and Sen);
- `canal_along`: canal on the rows within 1 mm of the middle of the disc, mean; `canal_across`: the same square to the
  line through the middles of the canal within 10 mm; `canal_to_usual`: the mean width within 3 mm over the median of 9
  to 25 mm above and below, along the disc;
- `nucleus_to_fluid`: mean grey value of the middle half of the disc without a fifth of its height at both ends, over
  the 90th percentile of the canal within 30 mm (at least 60 % of that of the whole canal).

What cannot be read is not there: masks have no sacrum, so nothing between bodies at the lowest disc.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import ndimage, stats

DISC, VERTEBRA, CANAL = 29, 76, 150
STEP_MM: Final = 0.25
_LEAST_MM2, _NEAR_MM, _JOINED_MM = 60.0, 3.0, 4.0
_UP_MM, _FRONT_MM, _BACK_MM = 40.0, 35.0, 55.0
_EXTENTS: Final = ((_UP_MM, _UP_MM), (_FRONT_MM, _BACK_MM))
_GAP_MM: Final = 20.0
_BESIDE_MM = 10.0
_WALL_MM: Final = (2.0, 12.0)
_LEAST_SHARE: Final = 0.6
_LEAST_CANAL_MM: Final = 2.0


@dataclass(frozen=True, eq=False)
class LaidMask:
    """A mask, and what it was drawn on, laid straight with one disc, whose middle is at `middle` (row, column).

    Attributes:
        disc: its own pixels; bone, canal: those of the mask.
        grey: of the picture, averaged over a millimetre; seen: what lies on it.
        back: (row, column) of the picture that the columns run along.
    """

    disc: np.ndarray
    bone: np.ndarray
    canal: np.ndarray
    grey: np.ndarray
    seen: np.ndarray
    back: np.ndarray
    middle: tuple[int, int] = (round(_UP_MM / STEP_MM), round(_FRONT_MM / STEP_MM))

    @property
    def down(self) -> np.ndarray:
        """(row, column) of the picture that the rows run along."""
        return np.array([self.back[1], -self.back[0]])

    def part(self, begin: float, end: float) -> slice:
        """Columns from a share of the disc's depth to another."""
        first, last = np.flatnonzero(self.disc.any(0))[[0, -1]]
        return slice(round(first + begin * (last - first)), round(first + end * (last - first)) + 1)

    def rows(self, low_mm: float, high_mm: float) -> slice:
        """Rows between two distances below the middle of the disc."""
        low, high = (self.middle[0] + round(mm / STEP_MM) for mm in (low_mm, high_mm))
        return slice(max(low, 0), high + 1)


def disc_at(mask: np.ndarray, place: tuple[float, float], pixel_mm: float) -> np.ndarray | None:
    """The pixels of the disc at a (row, column); None where there is none within 3 mm, or a piece too small."""
    disc = mask == DISC
    reach = ndimage.binary_dilation(disc, iterations=round(_JOINED_MM / 2 / pixel_mm))
    labels = np.where(disc, ndimage.label(reach)[0], 0)
    at = tuple(int(np.clip(round(axis), 0, size - 1)) for axis, size in zip(place, mask.shape, strict=True))
    if not disc.any():
        return None
    distance, nearest = ndimage.distance_transform_edt(~disc, return_indices=True)
    own = labels == labels[tuple(nearest[(slice(None), *at)])]
    return own if distance[at] * pixel_mm <= _NEAR_MM and own.sum() * pixel_mm**2 >= _LEAST_MM2 else None


def smoothed(picture: np.ndarray, pixel_mm: float) -> np.ndarray:
    """Grey values averaged over a millimetre."""
    return np.asarray(ndimage.uniform_filter(picture.astype(np.float32), max(1, round(1 / pixel_mm))))


def lay(mask: np.ndarray, grey: np.ndarray, own: np.ndarray, pixel_mm: float) -> LaidMask:
    """The mask, and the smoothed picture, laid straight with the disc of these pixels."""
    places = np.argwhere(own)
    center = places.mean(0)
    _, _, axes = np.linalg.svd(places - center, full_matrices=False)
    back = axes[0] * np.sign(axes[0, 1])
    down = np.array([back[1], -back[0]])
    high, wide = (np.arange(-low, top + STEP_MM / 2, STEP_MM) / pixel_mm for low, top in _EXTENTS)
    points = (center + high[:, None, None] * down + wide[None, :, None] * back).transpose(2, 0, 1)

    def laid(values: np.ndarray, order: int) -> np.ndarray:
        return np.asarray(ndimage.map_coordinates(values, points, order=order, cval=0.0))

    tissues = [laid((mask == value).astype(np.uint8), 0) > 0 for value in (VERTEBRA, CANAL)]
    seen = laid(np.ones(mask.shape, np.uint8), 0) > 0
    return LaidMask(laid(own.astype(np.uint8), 0) > 0, *tissues, laid(grey, 1), seen, back)


def mask_sizes(laid: LaidMask, fluid: float) -> dict[str, float]:
    """Every size that can be read, by name; `fluid` is how bright the canal of the whole picture is."""
    found = {
        "disc_height": float(np.median(laid.disc[:, laid.part(0.25, 0.75)].sum(0))) * STEP_MM,
        "disc_depth": int(laid.disc.any(0).sum()) * STEP_MM,
        "nucleus_to_fluid": _nucleus(laid) / _fluid(laid, fluid),
    }
    found |= _canal(laid) | _between_bodies(laid)
    return {name: value for name, value in found.items() if np.isfinite(value)}


def _facing_edge(laid: LaidMask, side: int, columns: slice) -> dict[int, int]:
    """By column, the row where the body above (-1) ends or that below (1) begins."""
    edge, reach = {}, round(_GAP_MM / STEP_MM)
    for column in range(columns.start, columns.stop):
        inside = np.flatnonzero(laid.disc[:, column])
        start = round(float(inside.mean())) if inside.size else laid.middle[0]
        line = laid.bone[start : start + reach, column] if side > 0 else laid.bone[start - reach : start, column][::-1]
        if line.any():
            edge[column] = start + side * int(line.argmax())
    return edge if len(edge) >= _LEAST_SHARE * (columns.stop - columns.start) else {}


def _between_bodies(laid: LaidMask) -> dict[str, float]:
    upper, lower = (_facing_edge(laid, side, laid.part(0.25, 0.75)) for side in (-1, 1))
    both = upper.keys() & lower.keys()
    if not both:
        return {}
    found = {"height_between_bodies": float(np.median([lower[column] - upper[column] for column in both])) * STEP_MM}
    above, below = _endplate(laid, -1), _endplate(laid, 1)
    if above is not None and below is not None:
        depths = [float(np.linalg.norm(back - front)) for front, back in (above, below)]
        along = (above[1] - above[0]) / depths[0] + (below[1] - below[0]) / depths[1]
        found["body_depth"] = float(np.mean(depths)) * STEP_MM
        found["height_index"] = found["height_between_bodies"] / found["body_depth"]
        found["slip"] = 100 * float((below[1] - above[1]) @ along) / float(np.linalg.norm(along)) / depths[1]
    return found


def _endplate(laid: LaidMask, side: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Where the endplate of the body above (-1) or below (1) begins and ends, (row, column); None where a pedicle joins
    the body, or the picture cuts it."""
    edge = _facing_edge(laid, side, laid.part(0.1, 0.9))
    if not edge:
        return None
    slope, offset = _line(list(edge), list(edge.values()))
    along, away = np.array([slope, 1.0]), side * np.array([1.0, -slope])
    along, away = along / np.hypot(1, slope), away / np.hypot(1, slope)
    first, last = np.flatnonzero(laid.disc.any(0))[[0, -1]]
    origin = np.array([offset + slope * (first + last) / 2, (first + last) / 2])
    places = np.argwhere(laid.bone | ~laid.seen)
    deep, far = (places - origin) @ away * STEP_MM, (places - origin) @ along * STEP_MM
    half = (last - first) / 2 * STEP_MM
    near = (deep >= _WALL_MM[0]) & (deep < _WALL_MM[1]) & (np.abs(far) <= half + _BESIDE_MM)
    ends, steps = [], np.arange(*_WALL_MM, 0.5)
    for step in steps:
        line = np.sort(far[near & (deep >= step) & (deep < step + 0.5)])
        ends.append((line[0], line[-1]) if line.size else (np.nan, np.nan))
    walls = np.array(ends)
    is_open = np.abs(walls) > half + _BESIDE_MM - 1.0
    if np.isnan(walls).any() or is_open.any():
        return None
    front, back = (_line(steps + 0.25, wall)[1] / STEP_MM for wall in walls.T)
    return origin + front * along, origin + back * along


def _line(places: Sequence[float] | np.ndarray, values: Sequence[float] | np.ndarray) -> tuple[float, float]:
    """Slope and value at 0 of a straight line that a few outliers do not move (Theil 1950, Sen 1968)."""
    found = stats.theilslopes(np.asarray(values, np.float64), np.asarray(places, np.float64))
    return float(found[0]), float(found[1])


def _canal(laid: LaidMask) -> dict[str, float]:
    behind = laid.canal.copy()
    behind[:, : laid.middle[1]] = False
    width = behind.sum(1) * STEP_MM
    near = laid.rows(-10.0, 10.0)
    rows = np.flatnonzero(width[near] >= _LEAST_CANAL_MM) + near.start
    along = float(width[laid.rows(-1.0, 1.0)].mean())
    if along < _LEAST_CANAL_MM or rows.size * STEP_MM < 10.0:
        return {}
    middles = [float(np.flatnonzero(behind[row]).mean()) for row in rows]
    slope = float(np.polyfit(rows, middles, 1)[0])
    away = np.concatenate([width[laid.rows(-25.0, -9.0)], width[laid.rows(9.0, 25.0)]])
    usual = float(np.median(away[away > 0])) if (away > 0).any() else np.nan
    at_disc = float(width[laid.rows(-3.0, 3.0)].mean())
    return {"canal_along": along, "canal_across": along / np.hypot(1, slope), "canal_to_usual": at_disc / usual}


def _nucleus(laid: LaidMask) -> float:
    kept = np.zeros_like(laid.disc)
    for column in range(*laid.part(0.25, 0.75).indices(laid.disc.shape[1])):
        rows = np.flatnonzero(laid.disc[:, column])
        less = round(0.2 * rows.size)
        kept[rows[less : rows.size - less], column] = True
    return float(laid.grey[kept].mean()) if kept.any() else np.nan


def _fluid(laid: LaidMask, whole: float) -> float:
    near = laid.rows(-30.0, 30.0)
    inside = laid.grey[near][laid.canal[near]]
    return max(float(np.percentile(inside, 90)) if inside.size else 0.0, 0.6 * whole)


def rise(laid: LaidMask, of: str) -> float | None:
    """Degrees by which an edge rises to the back on the picture: `body`, the upper edge of the body below the disc, or
    `disc`, the lower edge of the disc itself, in the middle three fifths, as it hangs over the sacrum in front."""
    if of == "body":
        edge = _facing_edge(laid, 1, laid.part(0.1, 0.9))
    else:
        middle = laid.part(0.2, 0.8)
        has_any = (column for column in range(middle.start, middle.stop) if laid.disc[:, column].any())
        edge = {column: int(np.flatnonzero(laid.disc[:, column])[-1]) for column in has_any}
    if not edge:
        return None
    along = laid.back + _line(list(edge), list(edge.values()))[0] * laid.down
    return float(np.degrees(np.arctan2(-along[0], along[1])))
