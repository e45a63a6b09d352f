"""True boxes of a training window, read off the locator's target maps, for detectors.

Discs are the connected parts of the disc map; where only a point is known, the labelled box that hides the map there,
or one of a usual size. Other places are points, with a box of 14 mm; the canal's is as wide as the canal is seen.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Bool, Float32, UInt8
from scipy import ndimage

from lumbago.anatomy.conditions import CONDITIONS
from lumbago.pipeline.locate_discs import CHANNELS, PIXEL_MM
from lumbago.pipeline.read_boxes import IS, PLACES

MOST_BOXES: Final = 48
_CHANNELS_OF: Final = ("disc_center", "lumbosacral_center", "canal", "foramen", "recess")
"""The map that says where a place of `PLACES` is known."""
_LEAST_DISC_PX: Final = round(50 / PIXEL_MM**2)
_POINT_PX: Final = 14.0 / PIXEL_MM
_USUAL_DISC_PX: Final = (34.0 / PIXEL_MM, 12.0 / PIXEL_MM)
_LARGEST_HIDDEN_PX, _LEAST_HIDDEN_PX = (60.0 / PIXEL_MM, 45.0 / PIXEL_MM), (12.0 / PIXEL_MM, 4.0 / PIXEL_MM)
"""Width and height."""
_BESIDE_PX, _BEHIND_PX, _BAND_PX = 8.0, 40.0, 3
_WIDEST_CANAL_PX: Final = 40.0
_NEAR_PX: Final = 3.0
_HEIGHT: Final = 0.5

Map = Float32[np.ndarray, "rows columns"]
Maps = Float32[np.ndarray, "channels rows columns"]
Box = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels: pixel n reaches from n to n + 1."""
Marks = Sequence[tuple[float, float, Mapping[str, int]]]
"""Row, column and grades of discs in the window."""


@dataclass(frozen=True, eq=False)
class _Window:
    """Target maps and where they are known, by name."""

    targets: Maps
    known: Maps

    def drawn(self, channel: str) -> Map:
        return np.asarray(self.targets[CHANNELS.index(channel)])

    def is_known(self, channel: str) -> Bool[np.ndarray, "rows columns"]:
        return np.asarray(self.known[CHANNELS.index(channel)] > 0)


def known_places(known: Maps) -> UInt8[np.ndarray, "places rows columns"]:
    """1 where every box of a place of `PLACES` would be labelled."""
    return (known[[CHANNELS.index(name) for name in _CHANNELS_OF]] > 0).astype(np.uint8)


def place_of_class(classes: Sequence[str]) -> list[int]:
    """For each class the number of the place whose labels say where it is known: grades are those of a disc."""
    return [PLACES.index("disc" if IS in label else label) for label in classes]


def true_boxes(targets: Maps, known: Maps, marks: Marks, classes: Sequence[str]) -> Float32[np.ndarray, "most values"]:
    """The boxes of a window as a detector's loss takes them (`detection_losses`), filled up with rows of class -1."""
    window = _Window(targets, known)
    centers = _peaks(window.drawn("disc_center"))
    discs = _discs(window, centers)
    lumbosacral = _peaks(window.drawn("lumbosacral_center"))
    rows = [_disc_row(window, box, lumbosacral, marks, classes) for box in discs]
    rows += [_row(box, "canal", classes) for box in _canals(window, discs, centers)]
    for name in ("foramen", "recess"):
        rows += [_row(_about(*peak, (_POINT_PX, _POINT_PX)), name, classes) for peak in _peaks(window.drawn(name))]
    filled = np.full((MOST_BOXES, 5 + len(classes)), -1, np.float32)
    if rows:
        filled[: len(rows)] = rows[:MOST_BOXES]
    return filled


def _row(box: Box, kind: str, classes: Sequence[str]) -> list[float]:
    return [*box, float(classes.index(kind)), *(float(name == kind) for name in classes)]


def _disc_row(
    window: _Window, box: Box, lumbosacral: Sequence[tuple[float, float]], marks: Marks, classes: Sequence[str]
) -> list[float]:
    """A disc is of several classes at once: the lowest one or not, and of its grades, unless nobody knows."""
    row = _row(box, "disc", classes)
    x, y = int((box[0] + box[2]) / 2), int((box[1] + box[3]) / 2)
    is_lowest = float(any(_holds(box, peak) for peak in lumbosacral))
    if not is_lowest and not window.is_known("lumbosacral_center")[y, x]:
        is_lowest = -1.0
    grades = next((grades for at_row, column, grades in marks if _holds(box, (at_row, column))), {})
    for number, label in enumerate(classes):
        name, mark, grade = label.partition(IS)
        if label == "lumbosacral":
            row[5 + number] = is_lowest
        elif mark:
            index = CONDITIONS[name].scale.grades.index(grade)
            row[5 + number] = float(grades[name] == index) if name in grades else -1.0
    return row


def _holds(box: Box, point: tuple[float, float]) -> bool:
    """Whether a (row, column) lies in a box, or next to it."""
    left, top, right, bottom = box
    row, column = point[0] + 0.5, point[1] + 0.5
    return left - _NEAR_PX <= column <= right + _NEAR_PX and top - _NEAR_PX <= row <= bottom + _NEAR_PX


def _peaks(heat: Map) -> list[tuple[float, float]]:
    """(row, column) of each bump."""
    labels, count = ndimage.label(heat > _HEIGHT)
    found = ndimage.center_of_mass(heat, labels, range(1, count + 1)) if count else []
    return [(float(row), float(column)) for row, column in found]


def _about(row: float, column: float, size: tuple[float, float]) -> Box:
    x, y = column + 0.5, row + 0.5
    return x - size[0] / 2, y - size[1] / 2, x + size[0] / 2, y + size[1] / 2


def _box_of(window: tuple[slice, ...]) -> Box:
    rows, columns = window
    return float(columns.start), float(rows.start), float(columns.stop), float(rows.stop)


def _discs(window: _Window, centers: Sequence[tuple[float, float]]) -> list[Box]:
    labels, _ = ndimage.label(window.drawn("disc") > _HEIGHT)
    sizes = np.bincount(labels.ravel())
    parts = [
        _box_of(place) for number, place in enumerate(ndimage.find_objects(labels), 1) if sizes[number] > _LEAST_DISC_PX
    ]
    alone = [point for point in centers if not any(_holds(box, point) for box in parts)]
    hidden, _ = ndimage.label(~window.is_known("disc")) if alone else (labels, 0)
    places = ndimage.find_objects(hidden) if alone else []
    return parts + [_hidden_disc(point, hidden, places) for point in alone]


def _hidden_disc(point: tuple[float, float], hidden: np.ndarray, places: Sequence[tuple[slice, ...]]) -> Box:
    """The labelled box about a point, which hides the disc's outline, or one of a usual size."""
    at = tuple(min(round(value), side - 1) for value, side in zip(point, hidden.shape, strict=True))
    if hidden[at]:
        box = _box_of(places[hidden[at] - 1])
        size = box[2] - box[0] - 2, box[3] - box[1] - 2
        if all(a <= b <= c for a, b, c in zip(_LEAST_HIDDEN_PX, size, _LARGEST_HIDDEN_PX, strict=True)):
            return box[0] + 1, box[1] + 1, box[2] - 1, box[3] - 1
    return _about(*point, _USUAL_DISC_PX)


def _canals(window: _Window, discs: Sequence[Box], centers: Sequence[tuple[float, float]]) -> list[Box]:
    """Behind each disc of a sagittal slice; on one without disc centres, an axial one, the canal as a whole."""
    canal = window.drawn("canal") > _HEIGHT
    if not canal.any():
        return []
    if centers:
        behind = [_canal_behind(canal, box) for box in discs]
        return [box for box in behind if box is not None]
    boxes = [_box_of(place) for place in ndimage.find_objects(ndimage.label(canal)[0])]
    return [box for box in boxes if max(box[2] - box[0], box[3] - box[1]) < _WIDEST_CANAL_PX and box[2] - box[0] > 4]


def _canal_behind(canal: Bool[np.ndarray, "rows columns"], disc: Box) -> Box | None:
    middle = int((disc[1] + disc[3]) / 2)
    first = max(int(disc[2] - _BESIDE_PX), 0)
    band = canal[max(middle - _BAND_PX, 0) : middle + _BAND_PX + 1, first : int(disc[2] + _BEHIND_PX)]
    columns = np.flatnonzero(band.mean(0) > 0.5)
    if len(columns) < 3:
        return None
    left, right = float(first + columns[0]), float(first + columns[-1] + 1)
    return left, middle + 0.5 - _POINT_PX / 2, right, middle + 0.5 + _POINT_PX / 2
