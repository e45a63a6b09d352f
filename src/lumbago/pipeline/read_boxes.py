"""A detector's boxes on a slice as the locator's maps, so that what follows need not know which of the two saw it.

A detector's card names its classes: places of `PLACES`, and behind them grades, `condition=grade`. A disc's box becomes
an ellipse, tilted as the row of discs and the box's own shape suggest, and every middle a bump, as high as the box's
score; canal boxes are joined into a band, whose width is theirs. Of a body, only the middle between two discs is drawn,
enough for how bright marrow is; the sacrum is not.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Final

import numpy as np
from jaxtyping import Float32

from lumbago.anatomy.conditions import CONDITIONS
from lumbago.pipeline.decode_boxes import FoundBoxes, found_boxes

PLACES: Final = ("disc", "lumbosacral", "canal", "foramen", "recess")
"""Classes that every detector has: a disc, the lowest one, the canal behind a disc, a foramen, a lateral recess."""
IS: Final = "="

_BUMPS: Final[Mapping[str, str]] = {
    "disc_center": "disc", "lumbosacral_center": "lumbosacral", "foramen": "foramen", "recess": "recess",
}  # fmt: skip
"""Map -> the class whose middles it shows."""
_SIGMA_PX: Final = 3.0
_FLATNESS: Final = 0.3
_STEEPEST: Final = float(np.radians(38.0))
_FARTHEST_PX: Final = 78.0
"""Neighbouring discs, or points of a canal, lie no farther apart."""

Map = Float32[np.ndarray, "rows columns"]
Box = Float32[np.ndarray, "4"]


def classes_of(conditions: Iterable[str]) -> tuple[str, ...]:
    """The classes of a detector that also grades: of a condition with two grades the worse one, else every grade."""
    scales = {name: CONDITIONS[name].scale.grades for name in conditions}
    graded = [f"{name}{IS}{grade}" for name, grades in scales.items() for grade in grades[len(grades) == 2 :]]
    return (*PLACES, *graded)


def maps_of_boxes(
    detections: Float32[np.ndarray, "anchors values"], classes: Sequence[str], shape: tuple[int, int]
) -> dict[str, Map]:
    """The maps that a picture's boxes stand for, by the locator's names; one that is not there is empty.

    Args:
        detections: as an exported detector gives them; shape: rows and columns of the picture without padding.
    """
    width = 4 + len(PLACES)
    assert tuple(classes[: len(PLACES)]) == PLACES
    found = found_boxes(detections[:, :width])
    maps = {"disc": np.zeros(shape, np.float32), "canal": _canal(_of(found, "canal", shape), shape)}
    discs = sorted(_of(found, "disc", shape), key=lambda disc: float(disc[0][1] + disc[0][3]))
    for (box, score), tilt in zip(discs, _tilts([box for box, _ in discs]), strict=True):
        _fill_ellipse(maps["disc"], box, score, tilt)
    maps["vertebra"] = _bodies(discs, shape)
    for name, kind in _BUMPS.items():
        maps[name] = np.zeros(shape, np.float32)
        for box, score in _of(found, kind, shape):
            _add_bump(maps[name], box, score)
    return maps


def _of(found: FoundBoxes, kind: str, shape: tuple[int, int]) -> list[tuple[Box, float]]:
    """Boxes of a class with their scores, without those whose middle lies in the padding."""
    middle = (found.boxes[:, :2] + found.boxes[:, 2:]) / 2
    is_inside = (middle >= 0).all(1) & (middle < (shape[1], shape[0])).all(1)
    chosen = np.flatnonzero(is_inside & (found.labels == PLACES.index(kind)))
    return [(found.boxes[number], float(found.scores[number])) for number in chosen]


def _window(shape: tuple[int, int], box: Box) -> tuple[slice, slice]:
    (left, top), (right, bottom) = np.floor(box[:2]).astype(int), np.ceil(box[2:]).astype(int)
    return slice(max(top, 0), min(bottom, shape[0])), slice(max(left, 0), min(right, shape[1]))


def _tilts(boxes: Sequence[Box]) -> list[float]:
    """By how many radians the back edge of each disc is lifted, of discs from the top down.

    An upright box does not say. A disc is about 0.3 times as high as deep: that the box is higher says how far it is
    tilted, at most twice as far as the row of discs leans there; the side is that to which it leans.
    """
    if len(boxes) < 2:
        return [0.0] * len(boxes)
    down, back = np.gradient(np.array([_middle(box)[::-1] for box in boxes]), axis=0).T
    wide, high = np.array([box[2:] - box[:2] for box in boxes]).T
    ratio = np.clip(high / wide, _FLATNESS, 1.0)
    by_shape = np.arctan((ratio - _FLATNESS) / (1 - _FLATNESS * ratio))
    lean = np.arctan2(back, np.maximum(down, 1.0))
    return [float(tilt) for tilt in np.sign(lean) * np.minimum(by_shape, 2 * np.abs(lean)).clip(max=_STEEPEST)]


def _fill_ellipse(drawn: Map, box: Box, score: float, tilt: float) -> None:
    """The ellipse as deep and high as a tilted disc in the box is; where ellipses overlap, the surest counts."""
    rows, columns = window = _window((drawn.shape[0], drawn.shape[1]), box)
    (x, y), (wide, high) = _middle(box).tolist(), (box[2:] - box[:2]).tolist()
    cosine, sine = np.cos(tilt), np.sin(abs(tilt))
    deep = (wide * cosine - high * sine) / (cosine**2 - sine**2)
    flat = (high * cosine - wide * sine) / (cosine**2 - sine**2)
    down, along = np.arange(rows.start, rows.stop)[:, None] + 0.5 - y, np.arange(columns.start, columns.stop) + 0.5 - x
    back, across = cosine * along - np.sin(tilt) * down, np.sin(tilt) * along + cosine * down
    inside = (2 * back / max(deep, 1.0)) ** 2 + (2 * across / max(flat, 1.0)) ** 2 <= 1
    drawn[window] = np.where(inside, np.maximum(drawn[window], score), drawn[window])


def _bodies(discs: Sequence[tuple[Box, float]], shape: tuple[int, int]) -> Map:
    """Half of the way from each disc to the next, and of its depth; as sure as the less sure of the two."""
    drawn = np.zeros(shape, np.float32)
    for (upper, first), (lower, second) in pairwise(discs):
        step = _middle(lower) - _middle(upper)
        if float(np.hypot(*step)) <= _FARTHEST_PX:
            half = np.array([(upper[2] - upper[0]) / 4, step[1] / 4], np.float32)
            middle = _middle(upper) + step / 2
            _fill_ellipse(drawn, np.concatenate([middle - half, middle + half]), min(first, second), 0.0)
    return drawn


def _add_bump(drawn: Map, box: Box, score: float) -> None:
    x, y = _middle(box).tolist()
    near = np.array([x, y, x, y], np.float32) + 4 * _SIGMA_PX * np.array([-1, -1, 1, 1], np.float32)
    rows, columns = window = _window((drawn.shape[0], drawn.shape[1]), near)
    down, along = np.arange(rows.start, rows.stop)[:, None] + 0.5 - y, np.arange(columns.start, columns.stop) + 0.5 - x
    drawn[window] = np.maximum(drawn[window], score * np.exp(-(down**2 + along**2) / (2 * _SIGMA_PX**2)))


def _canal(points: list[tuple[Box, float]], shape: tuple[int, int]) -> Map:
    """Boxes of the canal, and a band between neighbours: its edges and its score run straight from one to the next."""
    drawn = np.zeros(shape, np.float32)
    ordered = sorted(points, key=lambda point: float(point[0][1] + point[0][3]))
    for number, (box, score) in enumerate(ordered):
        _fill_band(drawn, [(box, score), (box, score)])
        if number and np.hypot(*_middle(box) - _middle(ordered[number - 1][0])) <= _FARTHEST_PX:
            _fill_band(drawn, ordered[number - 1 : number + 1])
    return drawn


def _middle(box: Box) -> Float32[np.ndarray, "2"]:
    return np.asarray((box[:2] + box[2:]) / 2)


def _fill_band(drawn: Map, ends: Sequence[tuple[Box, float]]) -> None:
    """From the upper box to the lower one; of a single box, given twice, all its height."""
    (upper, first), (lower, last) = ends
    is_one = upper is lower
    top, bottom = (upper[1], upper[3]) if is_one else (_middle(upper)[1], _middle(lower)[1])
    rows = np.arange(max(round(float(top)), 0), min(round(float(bottom)), drawn.shape[0]))
    share = np.zeros(len(rows)) if is_one else (rows + 0.5 - top) / max(float(bottom - top), 1.0)
    left, right = (upper[side] + share * (lower[side] - upper[side]) for side in (0, 2))
    columns = np.arange(drawn.shape[1]) + 0.5
    inside = (columns >= left[:, None]) & (columns < right[:, None])
    score = (first + share * (last - first)).astype(np.float32)
    drawn[rows] = np.maximum(drawn[rows], inside * score[:, None])
