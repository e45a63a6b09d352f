"""Tables of places as CSV: where a reader and where a model sees discs and lesions.

One row for each truth and each detection. `place` holds a box (left, top, right, bottom), or a point (x, y, or x, y,
z), a space between; `score` is a detection's sureness and empty for a truth.
"""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lumbago.errors import UnreadableInput, UsageError
from lumbago.evaluation.detection import Marked

COLUMNS: Final = ("source", "patient", "image", "label", "place", "unit", "score")
UNITS: Final = ("mm", "px")


@dataclass(frozen=True, slots=True)
class Places:
    """Places of one source in one unit: `truths` by a reader, `found` by a model."""

    source: str
    unit: str
    truths: tuple[Marked, ...]
    found: tuple[Marked, ...]


def write_places(tables: Iterable[Places], path: Path) -> None:
    """Writes a table.

    Raises:
        UsageError: the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="", encoding="utf8") as file:
            lines = csv.writer(file)
            lines.writerow(COLUMNS)
            lines.writerows(_cells(table, mark) for table in tables for mark in (*table.truths, *table.found))
    except OSError as error:
        raise UsageError(f"{path} cannot be written ({error.strerror})", "", "choose another --out") from error


def _cells(table: Places, mark: Marked) -> tuple[str, ...]:
    place = " ".join(f"{value:.6g}" for value in mark.place)
    score = "" if mark.score is None else f"{mark.score:.6g}"
    return table.source, mark.patient, mark.image, mark.label, place, table.unit, score


def is_place_table(path: Path) -> bool:
    """Whether the head of a CSV file is that of places."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return {"image", "label", "place"} <= set(next(csv.reader(file), ()))
    except (OSError, UnicodeDecodeError, csv.Error):
        return False


def read_places(path: Path) -> list[Places]:
    """Reads a table; places of one source and unit stand together.

    Raises:
        UnreadableInput: no such file, no such table, or a row that cannot be meant.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UnreadableInput(f"{path} cannot be read ({error})", "a CSV table of places") from error
    if not rows or not set(COLUMNS) <= set(rows[0]):
        raise UnreadableInput(f"{path} has no rows of places", f"the columns {', '.join(COLUMNS)}")
    groups: dict[tuple[str, str], list[Marked]] = {}
    for number, row in enumerate(rows, 2):
        try:
            groups.setdefault((row["source"], _unit(row["unit"])), []).append(_mark(row))
        except (ValueError, AttributeError) as error:
            raise UnreadableInput(f"{path}, line {number}, is no place ({error})", "a row as in its head") from error
    return [
        Places(
            source,
            unit,
            tuple(mark for mark in marks if mark.score is None),
            tuple(mark for mark in marks if mark.score is not None),
        )
        for (source, unit), marks in groups.items()
    ]


def _unit(text: str) -> str:
    if text not in UNITS:
        raise ValueError(f"unit {text!r}, expected one of {', '.join(UNITS)}")
    return text


def _mark(row: Mapping[str, Any]) -> Marked:
    place = tuple(float(value) for value in row["place"].split())
    if len(place) not in {2, 3, 4}:
        raise ValueError(f"{len(place)} numbers, expected a box of four or a point of two or three")
    score = float(row["score"]) if row["score"].strip() else None
    return Marked(row["patient"], row["image"], row["label"], place, score)
