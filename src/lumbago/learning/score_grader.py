"""How a grader does on labelled pictures, through the same steps as an analysis: located, placed, cropped, graded."""

import csv
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lumbago.anatomy.conditions import CONDITIONS
from lumbago.anatomy.levels import LEVELS
from lumbago.inference.weights import Model
from lumbago.labels.picture_slices import LabelledSlice, picture_volume
from lumbago.learning import metrics
from lumbago.learning.metrics import Grades, Probabilities, Score, over_patients
from lumbago.pipeline.crop_patches import PatchRecipe
from lumbago.pipeline.grade_patches import crop_votes, predict
from lumbago.pipeline.locate_discs import locate_discs
from lumbago.pipeline.place_patches import ANCHORS, LocatedSpine


@dataclass(frozen=True, slots=True)
class PredictedGrade:
    """A labelled grade and what the grader says there; no probabilities when the disc was not found.

    `truth` is an index into the condition's scale.
    """

    source: str
    patient: str
    name: str
    level: str
    condition: str
    truth: int
    probabilities: tuple[float, ...] | None


def predict_pictures(
    locators: Callable[[str], Model], graders: Callable[[str], Model], rows: Iterable[LabelledSlice]
) -> list[PredictedGrade]:
    """What the graders say of labelled pictures, each patient's by models that have not seen him."""
    return [grade for row in rows for grade in predict_picture(locators(row.patient), graders(row.patient), row)]


def score_grades(predicted: list[PredictedGrade], folder: Path) -> dict[str, Score]:
    """Scores by source and condition; every single prediction goes to `predictions.csv` in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    _write(predicted, folder / "predictions.csv")
    return summarize(predicted)


def predict_picture(locator: Model, grader: Model, row: LabelledSlice) -> Iterator[PredictedGrade]:
    """What the grader says of every graded lumbar level of a picture."""
    spine = LocatedSpine({"sagittal_t2": locate_discs(locator, picture_volume(row))}, {}, {})
    recipe = PatchRecipe.of(grader.card.inputs)
    patches = [patch for patch in ANCHORS[recipe.anchor](spine) if patch.disc.confidence > 0]
    values = predict(grader, patches, [crop_votes(patch, recipe) for patch in patches]) if patches else None
    number_of = {patch.level: number for number, patch in enumerate(patches)}
    for condition in grader.card.conditions:
        for level in LEVELS:
            grade = row.grades.get((condition, level))
            if grade is not None:
                found = None
                if values is not None and level in number_of:
                    found = tuple(float(value) for value in values.probabilities[condition][number_of[level]])
                truth = CONDITIONS[condition].scale.grades.index(grade)
                yield PredictedGrade(row.source, row.patient, row.name, level, condition, truth, found)


def summarize(predicted: list[PredictedGrade]) -> dict[str, Score]:
    """Figures by source and condition, over the discs that were found; and the share that was."""
    scores: dict[str, Score] = {}
    for source, condition in dict.fromkeys((grade.source, grade.condition) for grade in predicted):
        rows = [grade for grade in predicted if (grade.source, grade.condition) == (source, condition)]
        for name, score in _figures(rows, len(CONDITIONS[condition].scale.grades)).items():
            scores[f"{source} {condition}: {name}"] = score
    return scores


def _figures(rows: list[PredictedGrade], grades: int) -> dict[str, Score]:
    everyone = np.array([row.patient for row in rows])
    is_found = np.array([row.probabilities is not None for row in rows], float)
    scores = {f"found, of {len(rows)}": over_patients(lambda index: float(is_found[index].mean()), everyone)}
    found = [row for row in rows if row.probabilities is not None]
    if not found:
        return scores
    truth = np.array([row.truth for row in found], np.int64)
    values = np.array([row.probabilities for row in found], np.float64)
    patients = np.array([row.patient for row in found])
    for name, figure in _named_figures(grades).items():
        scores[name] = over_patients(lambda index, figure=figure: figure(truth[index], values[index]), patients)  # type: ignore[misc]
    return scores


Figure = Callable[[Grades, Probabilities], float]


def _named_figures(grades: int) -> dict[str, Figure]:
    """What is worth knowing of a scale with so many grades; "always the commonest" stands beside accuracy."""
    common: dict[str, Figure] = {
        "accuracy": lambda truth, p: metrics.accuracy(truth, p.argmax(1)),
        "accuracy of always the commonest grade": lambda truth, p: float(np.bincount(truth).max() / truth.size),
        "balanced accuracy": lambda truth, p: metrics.balanced_accuracy(truth, p.argmax(1)),
        "log loss": metrics.log_loss,
        "calibration error": metrics.calibration_error,
        "AUC of any change": lambda truth, p: metrics.auc(truth > 0, 1 - p[:, 0]),
    }
    if grades <= 2:
        return common
    return common | {
        "linear kappa": lambda truth, p: metrics.weighted_kappa(truth, p.argmax(1), grades, 1),
        "quadratic kappa": lambda truth, p: metrics.weighted_kappa(truth, p.argmax(1), grades, 2),
        "off by more than one": lambda truth, p: metrics.far_off(truth, p.argmax(1)),
    }


def _write(predicted: list[PredictedGrade], path: Path) -> None:
    with path.open("w", newline="", encoding="utf8") as file:
        lines = csv.writer(file)
        lines.writerow(["source", "patient", "picture", "level", "condition", "truth", "probabilities"])
        for row in predicted:
            values = " ".join(f"{value:.4f}" for value in row.probabilities or ())
            lines.writerow([row.source, row.patient, row.name, row.level, row.condition, row.truth, values])
