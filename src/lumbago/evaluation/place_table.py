"""Tables of places as CSV: where a reader and where a model sees discs and lesions.

One row for each truth and each detection. `place` holds a box (left, top, right, bottom), or a point (x, y, or x, y,
z), a space between; `score` is a detection's sureness and empty for a truth.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Final

from lumbago.errors import UnreadableInput, UsageError
from lumbago.evaluation.detection import Marked
from lumbago.labels.tables import Row, read_table, write_table

COLUMNS: Final = ("source", "patient", "image", "label", "place", "unit", "score")
UNITS: Final = ("mm", "px")


@dataclass(frozen=True, slots=True)
class PlaceTable:
    """Places of one source in one unit: `truths` by a reader, `found` by a model."""

    source: str
    unit: str
    truths: tuple[Marked, ...]
    found: tuple[Marked, ...]


def write_places(tables: Iterable[PlaceTable], path: Path) -> None:
    """Writes a table.

    Raises:
        UsageError: the file cannot be written.
    """
    rows = (_cells(table, mark) for table in tables for mark in (*table.truths, *table.found))
    try:
        write_table(path, COLUMNS, rows)
    except OSError as error:
        raise UsageError(f"{path} cannot be written ({error.strerror})", "", "choose another --out") from error


def _cells(table: PlaceTable, mark: Marked) -> tuple[str, ...]:
    place = " ".join(f"{value:.6g}" for value in mark.place)
    score = "" if mark.score is None else f"{mark.score:.6g}"
    return table.source, mark.patient, mark.image, mark.label, place, table.unit, score


def is_place_table(path: Path) -> bool:
    """Whether a CSV file has the columns of places."""
    try:
        read_table(path, COLUMNS)
    except UnreadableInput:
        return False
    return True


def read_places(path: Path) -> list[PlaceTable]:
    """Reads a table; places of one source and unit stand together.

    Raises:
        UnreadableInput: no such file, no such table, or a row that cannot be meant.
    """
    rows = read_table(path, COLUMNS)
    if not rows:
        raise UnreadableInput(f"{path} has no rows", "a row for each truth and each detection")
    groups: dict[tuple[str, str], list[Marked]] = {}
    for number, row in enumerate(rows, 2):
        try:
            groups.setdefault((row["source"], _unit(row["unit"])), []).append(_mark(row))
        except ValueError as error:
            raise UnreadableInput(f"{path}, line {number}, is no place ({error})", "a row as in its head") from error
    return [
        PlaceTable(
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


def _mark(row: Row) -> Marked:
    if not row["patient"]:
        raise ValueError("no patient, by whom intervals go")
    place = tuple(float(value) for value in row["place"].split())
    if len(place) not in {2, 3, 4}:
        raise ValueError(f"{len(place)} numbers, expected a box of four or a point of two or three")
    score = float(row["score"]) if row["score"] else None
    if not all(map(isfinite, (*place, score or 0.0))):
        raise ValueError("a number that is none")
    return Marked(row["patient"], row["image"], row["label"], place, score)
