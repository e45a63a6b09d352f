"""Scores of places and masks as one table: average precision, localisation error, Dice."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from lumbago.errors import UnreadableInput, UsageError
from lumbago.evaluation.cases import said_source
from lumbago.evaluation.detection import (
    COCO_OVERLAPS,
    Marked,
    dice,
    distance_figures,
    mean_average_precision,
    nearness,
    overlap,
)
from lumbago.evaluation.intervals import Score, over_patients
from lumbago.evaluation.place_table import PlaceTable
from lumbago.evaluation.score_tables import table_lines
from lumbago.labels.tables import write_table

TOLERANCES_MM: Final = (2.0, 5.0)
_TOLERANCES_PX: Final = (3.0, 8.0)


@dataclass(frozen=True, slots=True)
class PlaceScore:
    """One figure of one label, and how many truths of how many patients it stands on."""

    source: str
    label: str
    figure: str
    score: Score
    truths: int
    patients: int


def score_places(table: PlaceTable) -> list[PlaceScore]:
    """Figures of every label that has truths, and of their mean.

    Boxes: average precision over COCO's overlaps, and at one half. Points: average precision within two tolerances, and
    the distance of each truth to the nearest detection of its label in its image.

    Raises:
        UnreadableInput: no truth, or boxes and points together.
    """
    marks = (*table.truths, *table.found)
    forms = {len(mark.place) == 4 for mark in marks}
    if not table.truths or len(forms) != 1 or len({len(mark.place) for mark in marks}) != 1:
        raise UnreadableInput(
            f"the places of {table.source} cannot be compared",
            "truths and detections, all boxes or all points of as many numbers",
        )
    return _box_scores(table) if forms == {True} else _point_scores(table)


def _box_scores(table: PlaceTable) -> list[PlaceScore]:
    over_all = mean_average_precision(table.truths, table.found, overlap, COCO_OVERLAPS)
    at_half = mean_average_precision(table.truths, table.found, overlap, (0.5,))
    figures = {"AP, overlap 0.5 to 0.95": over_all, "AP, overlap 0.5": at_half}
    return [_row(table, label, name, score) for name, by_label in figures.items() for label, score in by_label.items()]


def _point_scores(table: PlaceTable) -> list[PlaceScore]:
    tolerances = TOLERANCES_MM if table.unit == "mm" else _TOLERANCES_PX
    rows = [
        _row(table, label, f"AP within {limit:g} {table.unit}", score)
        for limit in tolerances
        for label, score in mean_average_precision(table.truths, table.found, nearness, (-limit,)).items()
    ]
    for label in (*dict.fromkeys(mark.label for mark in table.truths), "mean"):
        truths = _of(label, table.truths)
        errors = np.array([_nearest(truth, table.found) for truth in truths])
        figures = distance_figures(errors, np.array([mark.patient for mark in truths]), tolerances)
        rows += [_row(table, label, name.replace("mm", table.unit), score) for name, score in figures.items()]
    return rows


def _of(label: str, marks: Sequence[Marked]) -> list[Marked]:
    return [mark for mark in marks if label in {mark.label, "mean"}]


def _nearest(truth: Marked, found: Iterable[Marked]) -> float:
    return min(
        (
            -nearness(mark.place, truth.place)
            for mark in found
            if (mark.owner, mark.label) == (truth.owner, truth.label)
        ),
        default=float("inf"),
    )


def _row(table: PlaceTable, label: str, figure: str, score: Score) -> PlaceScore:
    truths = _of(label, table.truths)
    source = said_source(table.source)
    return PlaceScore(source, label, figure, score, len(truths), len({mark.patient for mark in truths}))


@dataclass(frozen=True, eq=False, slots=True)
class MaskPair:
    """A reader's label volume and a model's, of the same shape."""

    patient: str
    name: str
    truth: np.ndarray
    found: np.ndarray

    def __post_init__(self) -> None:
        """Refuses grids that differ.

        Raises:
            UnreadableInput: they do.
        """
        if self.truth.shape != self.found.shape:
            raise UnreadableInput(
                f"the masks of {self.name} have {self.truth.shape} and {self.found.shape} voxels", "the same grid"
            )


def score_masks(source: str, pairs: Sequence[MaskPair]) -> list[PlaceScore]:
    """Dice of every label, mean over the masks that have it in truth or detection."""
    said = said_source(source)
    labels = sorted({int(label) for pair in pairs for label in np.unique(pair.truth)} - {0})
    table = np.array([list(dice(pair.truth, pair.found, labels).values()) for pair in pairs]).reshape(-1, len(labels))
    owners = np.array([pair.patient for pair in pairs])
    rows = []
    for column, label in enumerate(labels):
        values = table[:, column]
        known = ~np.isnan(values)
        score = over_patients(lambda rows, own=values[known]: float(own[rows].mean()), owners[known])  # type: ignore[misc]
        rows.append(PlaceScore(said, str(label), "Dice", score, int(known.sum()), len(set(owners[known]))))
    return rows


def write_place_scores(rows: Sequence[PlaceScore], folder: Path, command: str) -> str:
    """Writes `place-scores.csv` and `place-scores.md`; gives the latter's text.

    Raises:
        UsageError: the folder cannot be written.
    """
    text = _markdown(rows, command)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "place-scores.md").write_text(text, encoding="utf8")
        head = ("data", "label", "figure", "value", "low", "high", "truths", "patients", "command")
        write_table(folder / "place-scores.csv", head, [(*_cells(row), command) for row in rows])
    except OSError as error:
        raise UsageError(
            f"{folder} cannot be written ({error.strerror})", "a folder", "choose another --out"
        ) from error
    return text


def _markdown(rows: Sequence[PlaceScore], command: str) -> str:
    told = [[row.source, row.label, row.figure, str(row.score), f"{row.truths} ({row.patients})"] for row in rows]
    return "\n".join([
        "# Scores of places", "", f"Command: `{command}`. Brackets: 95 % bootstrap over patients.", "",
        *table_lines(["data", "label", "figure", "value", "truths (patients)"], told), "",
    ])  # fmt: skip


def _cells(row: PlaceScore) -> tuple[str, ...]:
    numbers = (f"{value:.6g}" for value in (row.score.value, row.score.low, row.score.high))
    return (row.source, row.label, row.figure, *numbers, str(row.truths), str(row.patients))
