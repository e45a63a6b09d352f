"""How a grader does on labelled pictures, through the same steps as an analysis: located, placed, cropped, graded."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from lumbago.anatomy.conditions import CONDITIONS, Role
from lumbago.anatomy.levels import LEVELS
from lumbago.evaluation.case_table import write_cases
from lumbago.evaluation.cases import GradedCase
from lumbago.evaluation.figures_of_merit import score_cases
from lumbago.evaluation.intervals import Score
from lumbago.inference.weights import Model
from lumbago.labels.picture_slices import LabelledSlice, picture_volume
from lumbago.pipeline.crop_patches import PatchRecipe
from lumbago.pipeline.grade_patches import crop_votes, predict
from lumbago.pipeline.locate_discs import locate_discs
from lumbago.pipeline.place_patches import ANCHORS, LocatedSpine

_ON_CARDS: Final = (
    "found, of", "accuracy", "accuracy of always the commonest grade", "balanced accuracy", "log loss",
    "calibration error", "AUC of any change", "kappa", "linear kappa", "quadratic kappa", "off by more than one",
)  # fmt: skip
"""The figures that a card holds; the page of the evaluation has all."""


def predict_pictures(
    locators: Callable[[str], Model], graders: Callable[[str], Model], rows: Iterable[LabelledSlice]
) -> list[GradedCase]:
    """What the graders say of labelled pictures, each patient's by models that have not seen him."""
    return [grade for row in rows for grade in predict_picture(locators(row.patient), graders(row.patient), row)]


def score_grades(cases: list[GradedCase], folder: Path) -> dict[str, Score]:
    """Scores by source and condition; every single prediction goes to `predictions.csv` in the folder."""
    write_cases(cases, folder / "predictions.csv")
    return summarize(cases)


def predict_picture(locator: Model, grader: Model, row: LabelledSlice) -> Iterator[GradedCase]:
    """What the grader says of every graded lumbar level of a picture."""
    role: Role = "sagittal_t1" if row.weighting == "t1" else "sagittal_t2"
    spine = LocatedSpine({role: locate_discs(locator, picture_volume(row))}, {}, {})
    yield from picture_cases(spine, grader, row)


def picture_cases(spine: LocatedSpine, grader: Model, row: LabelledSlice) -> Iterator[GradedCase]:
    """As `predict_picture`, of a picture whose spine is located."""
    recipe = PatchRecipe.of(grader.card.inputs)
    patches = [patch for patch in ANCHORS[recipe.anchor](spine) if patch.disc.confidence > 0]
    values = predict(grader, patches, [crop_votes(patch, recipe.place) for patch in patches]) if patches else None
    number_of = {patch.level: number for number, patch in enumerate(patches)}
    for condition in grader.card.conditions:
        for level in LEVELS:
            grade = row.grades.get((condition, level))
            if grade is not None:
                found = None
                if values is not None and level in number_of:
                    found = tuple(float(value) for value in values.probabilities[condition][number_of[level]])
                called = _called(condition, found, grader.card.calls.get(condition)) if found is not None else ""
                yield GradedCase(
                    row.source, row.patient, row.study or row.name, condition, level, None, grade, found, row.name,
                    called=called,
                )  # fmt: skip


def _called(condition: str, values: tuple[float, ...], least: float | None) -> str:
    """The grade that the card's call point gives; "" where there is none."""
    scale = CONDITIONS[condition].scale
    return "" if least is None else scale.called(dict(zip(scale.grades, values, strict=True)), least)


def summarize(cases: list[GradedCase]) -> dict[str, Score]:
    """Figures by source and condition, over the discs that were found; and the share that was."""
    scores: dict[str, Score] = {}
    for source, condition in dict.fromkeys((case.source, case.condition) for case in cases):
        rows = [case for case in cases if (case.source, case.condition) == (source, condition)]
        for name, score in score_cases(rows, brief=True).items():
            if name.startswith(_ON_CARDS[0]) or name in _ON_CARDS:
                scores[f"{source} {condition}: {name}"] = score
    return scores
