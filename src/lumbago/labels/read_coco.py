"""COCO: one JSON file for many images, with boxes, polygons and key points."""

import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lumbago.errors import UnreadableInput
from lumbago.labels.companions import read_companions
from lumbago.labels.drawn_labels import Drawing, DrawnSet, drawn_studies
from lumbago.labels.json_files import malformed, read_json, rows_of
from lumbago.labels.label_names import LabelNames
from lumbago.labels.labelled_study import LabelledStudy
from lumbago.labels.problems import Problem

_KEYS = ("images", "annotations", "categories")
_FEWEST_CORNERS = 3


def read_coco(folder: Path, names: LabelNames) -> Iterator[LabelledStudy]:
    """Studies of all COCO files below a folder (or of one file that is named itself).

    An annotation with polygons gives these, with key points those that are labelled, else its box. Polygons of fewer
    than three corners are none. Run-length masks are left out.
    """
    place = (folder.parent if folder.is_file() else folder).resolve()
    paths = [place / folder.name] if folder.is_file() else sorted(place.rglob("*.json"))
    if not paths:
        raise UnreadableInput(f"no JSON file in {folder}", f"a COCO file with {', '.join(_KEYS)}", "check the folder")
    sets = [_read_file(path, place) for path in paths]
    files = tuple(dict.fromkeys(file for one in sets for file in one.files))
    drawn = DrawnSet(
        "coco",
        place,
        files,
        files,
        [drawing for one in sets for drawing in one.drawings],
        sorted({name for one in sets for name in one.classes}),
        tuple(problem for one in sets for problem in one.problems),
    )
    return drawn_studies(drawn, read_companions(place, names), names)


def _read_file(path: Path, folder: Path) -> DrawnSet:
    data = read_json(path, _KEYS)
    try:
        classes = {row["id"]: str(row["name"]) for row in rows_of(path, data, "categories")}
        files = {row["id"]: _place(path, folder, str(row["file_name"])) for row in rows_of(path, data, "images")}
    except (KeyError, TypeError) as error:
        raise malformed(path, f"an image or category without {error}") from error
    drawings: list[Drawing] = []
    problems: list[Problem] = []
    for row in rows_of(path, data, "annotations"):
        try:
            file, name = files[row["image_id"]], classes[row["category_id"]]
            drawings += _drawings(file, name, row)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            problems.append(_unusable(path, row, error))
    listed = tuple(files.values())
    return DrawnSet("coco", folder, listed, listed, drawings, tuple(classes.values()), tuple(problems))


def _unusable(path: Path, row: Any, error: Exception) -> Problem:
    number = row.get("id") if isinstance(row, dict) else None
    return Problem(
        "missing_image" if isinstance(error, KeyError) else "incomplete", "", f"{path.name}, annotation {number}",
        f"an annotation that cannot be used ({type(error).__name__}: {error})",
        "an image and a category that the file lists, and numbers", "it is left out",
    )  # fmt: skip


def _place(path: Path, folder: Path, name: str) -> str:
    """The path of an image from the folder; COCO files leave open from where theirs counts."""
    parts = name.replace("\\", "/")
    tries = [path.parent / parts, path.parent / "images" / parts, folder / parts, folder / "images" / parts]
    found = next((place for place in tries if place.is_file()), tries[0])
    return Path(os.path.relpath(found, folder)).as_posix()


def _drawings(file: str, name: str, row: Mapping[str, Any]) -> list[Drawing]:
    parts, key_points = row.get("segmentation") or [], row.get("keypoints") or []
    if isinstance(parts, dict):
        raise ValueError("a run-length mask")
    polygons = [polygon for polygon in map(_pairs, parts) if len(polygon) >= _FEWEST_CORNERS]
    if polygons:
        return [Drawing(file, name, "polygon", polygon) for polygon in polygons]
    flat = [
        value
        for start in range(0, len(key_points), 3)
        if key_points[start + 2]
        for value in key_points[start : start + 2]
    ]
    if flat:
        return [Drawing(file, name, "point", (point,)) for point in _pairs(flat)]
    x, y, width, height = (_finite(value) for value in row["bbox"])
    return [Drawing(file, name, "box", ((y, x), (y + height, x + width)))]


def _pairs(flat: list[Any]) -> tuple[tuple[float, float], ...]:
    """x, y, x, y, ... as (row, column) pairs."""
    if len(flat) % 2:
        raise ValueError("an odd number of coordinates")
    return tuple((_finite(y), _finite(x)) for x, y in zip(flat[::2], flat[1::2], strict=True))


def _finite(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{value} as a coordinate")
    return number
