"""YOLO text: one file a picture, a line a box (`class xc yc w h`) or polygon (`class x y x y ...`), as fractions."""

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from lumbago.errors import UnreadableInput
from lumbago.labels.companions import Companions, Size, read_companions
from lumbago.labels.drawn_labels import Drawing, DrawnSet, drawn_studies
from lumbago.labels.label_names import LabelNames
from lumbago.labels.labelled_study import LabelledStudy, label_stem, place_of
from lumbago.labels.picture_slices import picture_size
from lumbago.labels.problems import Problem
from lumbago.labels.read_labelme import pictures_in
from lumbago.labels.tables import read_text

CLASS_FILES: Final = ("classes.txt", "obj.names", "data.yaml", "dataset.yaml")
_ENTRY = re.compile(r"^\s*(?:-|(\d+)\s*:)\s*(.+?)\s*$")


def read_yolo(folder: Path, names: LabelNames) -> Iterator[LabelledStudy]:
    """Studies of a YOLO set: `labels/**/*.txt` beside `images/**`, or text files beside their pictures; class names in
    `classes.txt` (one a line) or `data.yaml` (`names`). At a picture without text file nobody looked; at one whose text
    file is empty somebody did."""
    classes, beside = read_classes(folder), read_companions(folder, names)
    pictures = list(pictures_in(folder))
    file_of = {stem(file): file for stem in (label_stem, place_of) for file in (*pictures, *beside.files)}
    drawings: list[Drawing] = []
    problems: list[Problem] = []
    annotated: list[str] = []
    for path in sorted(folder.rglob("*.txt")):
        if path.name in CLASS_FILES or path.name.lower().startswith("readme"):
            continue
        stem = path.relative_to(folder).as_posix().removesuffix(".txt")
        file = file_of.get(place_of(stem)) or file_of.get(label_stem(stem))
        size = _size(folder, file, beside) if file else None
        if file is None or size is None:
            problems.append(_no_picture(path.relative_to(folder).as_posix()))
            continue
        annotated.append(file)
        lines = read_text(path).splitlines()
        drawings += [_drawing(path, file, line, (classes, size)) for line in lines if line.strip()]
    files = tuple(dict.fromkeys((*pictures, *beside.files)))
    drawn = DrawnSet("yolo", folder, files, annotated, drawings, classes, tuple(problems))
    return drawn_studies(drawn, beside, names)


def read_classes(folder: Path) -> tuple[str, ...]:
    """Class names by number.

    Raises:
        UnreadableInput: no file with class names, or none in it.
    """
    path = next((folder / name for name in CLASS_FILES if (folder / name).is_file()), None)
    if path is None:
        raise UnreadableInput(f"no class names in {folder}", f"one of {', '.join(CLASS_FILES)}", "add classes.txt")
    text = read_text(path)
    found = _of_yaml(text) if path.suffix == ".yaml" else tuple(line.strip() for line in text.strip().splitlines())
    if not any(found):
        raise UnreadableInput(f"{path} names no class", "one name a line, or names: in YAML", "add them")
    return found


def _of_yaml(text: str) -> tuple[str, ...]:
    """The list under `names:`, in brackets, as dashes or as `0: name`; the rest of YAML is not needed here."""
    _, _, after = ("\n" + text).partition("\nnames:")
    first, *lines = after.splitlines() or [""]
    if first.strip().startswith("["):
        inner = after.partition("[")[2].partition("]")[0]
        return tuple(_unquoted(part) for part in inner.split(",") if part.strip())
    rows: dict[int, str] = {}
    for line in lines:
        entry = _ENTRY.match(line)
        if entry is None:
            break
        rows[int(entry[1]) if entry[1] else len(rows)] = _unquoted(entry[2])
    return tuple(rows.get(number, f"class {number}") for number in range(max(rows, default=-1) + 1))


def _unquoted(text: str) -> str:
    return text.strip().strip("'\"")


def _size(folder: Path, file: str, beside: Companions) -> Size | None:
    """(rows, columns): as stated, or as in the picture; None when it cannot be opened."""
    row = beside.files.get(file)
    if row is not None and row.size is not None:
        return row.size
    return picture_size(folder / file)


def _no_picture(file: str) -> Problem:
    return Problem(
        "missing_image", "", file, "labels of a picture that is not there or cannot be opened",
        "a picture of the same name in images/", "its labels are left out; add the picture, or an images.csv",
    )  # fmt: skip


def _drawing(path: Path, file: str, line: str, about: tuple[tuple[str, ...], Size]) -> Drawing:
    classes, (rows, columns) = about
    try:
        number, *values = (float(part) for part in line.split())
        name = classes[int(number)] if 0 <= int(number) < len(classes) else f"class {int(number)}"
        if not all(math.isfinite(value) for value in values):
            raise ValueError("a number that is none")
        if len(values) == 4:
            x, y, width, height = values
            top, left, bottom, right = y - height / 2, x - width / 2, y + height / 2, x + width / 2
            return Drawing(file, name, "box", ((top * rows, left * columns), (bottom * rows, right * columns)))
        if len(values) < 6 or len(values) % 2:
            raise ValueError(f"{len(values)} numbers")
    except (ValueError, OverflowError) as error:
        raise UnreadableInput(
            f"{path} has the line {line.strip()[:60]!r} ({error})",
            "class and 4 numbers, or pairs of them",
            "correct it",
        ) from error
    corners = zip(values[1::2], values[::2], strict=True)
    return Drawing(file, name, "polygon", tuple((y * rows, x * columns) for y, x in corners))
