"""Labelme: one JSON file a picture, with rectangles, polygons, points and circles."""

import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lumbago.errors import UnreadableInput
from lumbago.labels.companions import read_companions
from lumbago.labels.drawn_labels import PICTURES, Drawing, DrawnSet, drawn_studies
from lumbago.labels.json_files import malformed, read_json, rows_of
from lumbago.labels.label_names import LabelNames
from lumbago.labels.labelled_study import LabelledStudy, ShapeKind
from lumbago.labels.problems import Problem


def read_labelme(folder: Path, names: LabelNames) -> Iterator[LabelledStudy]:
    """Studies of a folder of Labelme files, in sub-folders or not; pictures without file are studies without labels.

    A class is the label together with the flags that are set on the shape.
    """
    folder = folder.resolve()
    drawings: list[Drawing] = []
    problems: list[Problem] = []
    files: dict[str, None] = {}
    for path in sorted(folder.rglob("*.json")):
        data = read_json(path, ("shapes", "imagePath"))
        file = _relative(path, str(data["imagePath"]), folder)
        files[file] = None
        for shape in rows_of(path, data, "shapes"):
            drawing = _drawing(path, file, shape)
            if isinstance(drawing, Problem):
                problems.append(drawing)
            else:
                drawings.append(drawing)
    beside = read_companions(folder, names)
    if not files and not beside.studies:
        raise UnreadableInput(
            f"no Labelme file in {folder}", "*.json files with shapes and imagePath", "check the folder"
        )
    classes = {drawing.class_name for drawing in drawings}
    every = tuple(files | dict.fromkeys(pictures_in(folder)))
    drawn = DrawnSet("labelme", folder, every, tuple(files), drawings, sorted(classes), tuple(problems))
    return drawn_studies(drawn, beside, names)


def pictures_in(folder: Path) -> Iterator[str]:
    """Every picture below a folder, by its path from there."""
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in PICTURES and path.is_file():
            yield path.relative_to(folder).as_posix()


def _relative(path: Path, image: str, folder: Path) -> str:
    """The path of a picture from the folder; Labelme states it from the JSON file, on Windows with backslashes."""
    return Path(os.path.relpath(path.parent / image.replace("\\", "/"), folder)).as_posix()


def _drawing(path: Path, file: str, shape: Any) -> Drawing | Problem:
    try:
        flags = [name for name, is_set in (shape.get("flags") or {}).items() if is_set]
        class_name = " ".join([str(shape["label"]), *flags])
        points = tuple((float(y), float(x)) for x, y in shape["points"])
        kind = str(shape.get("shape_type") or "polygon")
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise malformed(path, f"a shape that cannot be read ({type(error).__name__}: {error})") from error
    if not all(math.isfinite(value) for point in points for value in point):
        raise malformed(path, "a corner that is no number")
    made = _MAKERS[kind](points) if kind in _MAKERS else None
    if made is None:
        return Problem(
            "incomplete", "", file, f"a {kind} of {len(points)} points", "rectangles, polygons, points and circles",
            "it is left out",
        )  # fmt: skip
    return Drawing(file, class_name, *made)


_Points = tuple[tuple[float, float], ...]
_Made = tuple[ShapeKind, _Points] | None


def _box(points: _Points) -> _Made:
    """By two opposite corners; X-AnyLabeling writes all four."""
    if len(points) not in (2, 4):
        return None
    rows, columns = zip(*points, strict=True)
    return "box", ((min(rows), min(columns)), (max(rows), max(columns)))


def _polygon(points: _Points) -> _Made:
    return ("polygon", points) if len(points) >= 3 else None


def _point(points: _Points) -> _Made:
    return ("point", points) if len(points) == 1 else None


def _circle(points: _Points) -> _Made:
    """A circle, stated by its middle and a point on it, as the box around it."""
    if len(points) != 2:
        return None
    (row, column), (other_row, other_column) = points
    radius = math.hypot(other_row - row, other_column - column)
    return "box", ((row - radius, column - radius), (row + radius, column + radius))


_MAKERS: Mapping[str, Any] = {"rectangle": _box, "polygon": _polygon, "point": _point, "circle": _circle}
