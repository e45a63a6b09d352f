"""From heat maps to a named row of discs: which bumps belong to one spine, and which of them is L5/S1.

Works in the plane of one sagittal picture, (row, column) in millimetres of the network's grid.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from jaxtyping import Float32
from scipy import ndimage

from lumbago.anatomy.levels import MOST_DISCS, level_from_bottom

Map = Float32[np.ndarray, "rows columns"]

_LEAST_BUMP: Final = 0.08
_SURE_BUMP: Final = 0.3
_MOST_BUMPS: Final = 64
"""More than twice the discs of a whole spine: noise must not cost minutes."""
_NEIGHBOUR_MM: Final = 9
_STEP_MM: Final = (13.0, 78.0)
_STEEPEST_DEGREES: Final = 68.0
_LOST_DISC: Final = 1.55
_LUMBOSACRAL: Final = 0.35
_SURE_LUMBOSACRAL: Final = 0.5
_SUREST: Final = 5


@dataclass(frozen=True, slots=True)
class DiscPoint:
    """A disc's centre in the picture.

    Attributes:
        row, column: in pixels of the map.
        score: height of its bump, 0 to 1; 0 for a disc that was not seen but must lie in a gap.
        lumbosacral: how much it looks like L5/S1, 0 to 1.
    """

    row: float
    column: float
    score: float
    lumbosacral: float


@dataclass(frozen=True, slots=True)
class DiscChain:
    """Discs of one spine from the bottom up: `levels[n]` names `points[n]`.

    `name_is_sure` is False when nothing looks like L5/S1, so that counting starts at a guess.
    """

    points: tuple[DiscPoint, ...]
    levels: tuple[str, ...]
    name_is_sure: bool


def find_chain(disc: Map, lumbosacral: Map, weak_share: float = 0.0) -> DiscChain:
    """The best row of discs in the maps of disc centres and of L5/S1; empty when there is none.

    Args:
        weak_share: where nothing looks like L5/S1, bumps at the lower end that are lower than this share of the usual
            one are taken for what detectors still find in the sacrum.
    """
    bumps = find_bumps(disc, lumbosacral)
    row = _fill_gaps(_best_row(bumps))
    return _name(row, weak_share)


def find_bumps(disc: Map, lumbosacral: Map) -> list[DiscPoint]:
    """The highest local maxima of the disc map, from the top down, with sub-pixel places."""
    peaks = np.argwhere((disc == ndimage.maximum_filter(disc, _NEIGHBOUR_MM)) & (disc > _LEAST_BUMP))
    highest = np.argsort(-disc[tuple(peaks.T)], kind="stable")[:_MOST_BUMPS]
    around = ndimage.maximum_filter(lumbosacral, 11)
    points = []
    for r, c in peaks[np.sort(highest)]:
        row, column = _centroid(disc, int(r), int(c))
        points.append(DiscPoint(row, column, float(disc[r, c]), float(around[r, c])))
    return sorted(points, key=lambda point: point.row)


def _centroid(heat: Map, row: int, column: int, reach: int = 4) -> tuple[float, float]:
    top, left = max(0, row - reach), max(0, column - reach)
    window = heat[top : row + reach + 1, left : column + reach + 1].astype(np.float64) ** 2
    rows, columns = np.indices(window.shape)
    return float(top + (window * rows).sum() / window.sum()), float(left + (window * columns).sum() / window.sum())


def _best_row(bumps: list[DiscPoint]) -> list[DiscPoint]:
    """The row of bumps, head to feet, with the highest total score after its kinks are paid for.

    Dynamic programming over pairs of neighbours: a step must have a possible length and direction, and pays for
    changing length or direction against the step before.
    """
    steps = {
        (a, b): step for b in range(len(bumps)) for a in range(b) if (step := _step(bumps[a], bumps[b])) is not None
    }
    best: dict[tuple[int, int], float] = {}
    before: dict[tuple[int, int], int | None] = {}
    for a, b in sorted(steps, key=lambda pair: (pair[1], pair[0])):
        options: list[tuple[float, int | None]] = [(bumps[a].score, None)]
        options += [(best[z, a] - _kink(steps[z, a], steps[a, b]), z) for z in range(a) if (z, a) in steps]
        gain, before[a, b] = max(options, key=lambda option: option[0])
        best[a, b] = gain + bumps[b].score - _length_cost(steps[a, b])
    if not best:
        return [max(bumps, key=lambda bump: bump.score)] if bumps and max(b.score for b in bumps) > _SURE_BUMP else []
    pair: tuple[int, int] | None = max(best, key=lambda key: best[key])
    chosen = [bumps[pair[1]]] if pair else []
    while pair is not None:
        chosen.append(bumps[pair[0]])
        previous = before[pair]
        pair = None if previous is None else (previous, pair[0])
    return chosen[::-1]


def _step(upper: DiscPoint, lower: DiscPoint) -> tuple[float, float] | None:
    """Length (mm) and direction (degrees from straight down) of a step between neighbours, None when impossible."""
    down, back = lower.row - upper.row, lower.column - upper.column
    length, direction = float(np.hypot(down, back)), float(np.degrees(np.arctan2(back, down)))
    if not _STEP_MM[0] <= length <= _STEP_MM[1] or abs(direction) > _STEEPEST_DEGREES:
        return None
    return length, direction


def _kink(first: tuple[float, float], second: tuple[float, float]) -> float:
    return 0.6 * abs(float(np.log(second[0] / first[0]))) + 0.4 * (abs(second[1] - first[1]) / 30.0) ** 2


def _length_cost(step: tuple[float, float]) -> float:
    """Long steps cost a little, so that a weak bump between two strong ones is taken up; short ones as well, so that
    what a detector sees in the middle of a body is not."""
    return 0.15 * max(0.0, step[0] / 40.0 - 1.0) + 0.3 * max(0.0, 28.0 / step[0] - 1.0)


def _fill_gaps(row: list[DiscPoint]) -> list[DiscPoint]:
    """Puts unseen discs (score 0) where a step is about twice the usual one, so that counting stays right."""
    if len(row) < 4:
        return row
    lengths = [float(np.hypot(b.row - a.row, b.column - a.column)) for a, b in pairwise(row)]
    usual = float(np.median(lengths))
    filled = [row[0]]
    for upper, lower, length in zip(row, row[1:], lengths, strict=False):
        missing = round(length / usual) - 1 if length > _LOST_DISC * usual else 0
        for n in range(1, missing + 1):
            share = n / (missing + 1)
            row_at = upper.row + share * (lower.row - upper.row)
            filled.append(DiscPoint(row_at, upper.column + share * (lower.column - upper.column), 0.0, 0.0))
        filled.append(lower)
    return filled


def _name(row: list[DiscPoint], weak_share: float) -> DiscChain:
    """Names from the bottom: the lowest disc that looks like L5/S1 is it, and what lies below is sacrum."""
    looks = [point.lumbosacral for point in row]
    bottom = int(np.argmax(looks)) if looks and max(looks) >= _LUMBOSACRAL else _lowest_clear(row, weak_share)
    kept = row[: bottom + 1][::-1][:MOST_DISCS]
    is_sure = bool(looks) and looks[bottom] >= _SURE_LUMBOSACRAL
    levels = tuple(level_from_bottom(count) for count in range(1, len(kept) + 1))
    return DiscChain(tuple(kept), levels, is_sure)


def _lowest_clear(row: list[DiscPoint], weak_share: float) -> int:
    """Number of the lowest disc that is not much weaker than the surest ones usually are."""
    least = weak_share * float(np.median(sorted((point.score for point in row), reverse=True)[:_SUREST])) if row else 0
    return max((number for number, point in enumerate(row) if point.score >= least), default=-1)


def directions(chain: DiscChain) -> list[tuple[float, float]]:
    """Unit (row, column) steps down the spine at each disc, from its neighbours."""
    points = np.array([(point.row, point.column) for point in chain.points])
    if len(points) < 2:
        return [(1.0, 0.0)] * len(points)
    tangents = -np.gradient(points, axis=0)
    return [(float(t[0]), float(t[1])) for t in tangents / np.linalg.norm(tangents, axis=1, keepdims=True)]
