"""The submission of the RSNA 2024 challenge: `row_id,normal_mild,moderate,severe`, 25 rows for every test study.

A `row_id` is `<study_id>_<column of train.csv>`, as `44036939_left_neural_foraminal_narrowing_l1_l2`.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from lumbago.anatomy.conditions import SEVERITY
from lumbago.anatomy.findings import Finding, Site
from lumbago.anatomy.levels import LEVELS
from lumbago.dicom.decoder import Decoder
from lumbago.errors import InputError, NotALumbarStudy, UnreadableInput
from lumbago.evaluation.cases import GradedCase
from lumbago.evaluation.pair_findings import in_order
from lumbago.evaluation.rsna_score import GRADE_WEIGHTS
from lumbago.inference.weights import Model
from lumbago.labels.labelled_study import LabelledStudy
from lumbago.labels.open_study import open_study
from lumbago.labels.tables import number, read_table, write_table
from lumbago.phantom.write_rsna import CONDITIONS_OF_RSNA, grade_column
from lumbago.pipeline.grade_patches import grade_patches
from lumbago.pipeline.locate_study import locate_study

COLUMNS: Final = ("row_id", *SEVERITY.grades)
_UNSEEN: Final = "the study cannot be read"
_NO_PLACE: Final = "no slice shows the place, or no grader grades it"

Probabilities = tuple[float, ...]
SITES: Final[Mapping[str, Site]] = {
    grade_column(name, level): (condition, level, side)
    for (condition, side), name in CONDITIONS_OF_RSNA.items()
    for level in LEVELS
}
"""Condition, level and side of each of the 25 rows, by the end of its `row_id`."""


@dataclass(frozen=True, slots=True)
class Submission:
    """Rows by `row_id`, and how many of them hold the prior instead of an answer, by reason."""

    rows: Mapping[str, Probabilities]
    priors: Mapping[str, int]


def training_priors(studies: Iterable[LabelledStudy]) -> dict[tuple[str, str], Probabilities]:
    """The answer by (condition, level) that costs least when nothing is known: shares of the training grades, left and
    right together, weighted 1, 2, 4 as the score weights them.

    The condition's share over all levels counts as one more row at each, so that no grade is impossible; without any
    label all grades are alike.
    """
    sums: dict[tuple[str, str], np.ndarray] = defaultdict(lambda: np.zeros(len(SEVERITY.grades)))
    sites = set(SITES.values())
    for study in studies:
        for (condition, level, side), grade in study.grades.items():
            if grade is not None and (condition, level, side) in sites:
                place = SEVERITY.grades.index(grade)
                sums[condition, level][place] += GRADE_WEIGHTS[place]
    priors: dict[tuple[str, str], Probabilities] = {}
    for condition in dict.fromkeys(condition for condition, _ in CONDITIONS_OF_RSNA):
        overall = np.sum([sums[condition, level] for level in LEVELS], axis=0) + 1 / len(SEVERITY.grades)
        for level in LEVELS:
            values = sums[condition, level] + overall / overall.sum()
            priors[condition, level] = tuple(float(value) for value in values / values.sum())
    return priors


def submit(
    studies: Iterable[LabelledStudy],
    models: tuple[Model, Sequence[Model]],
    priors: Mapping[tuple[str, str], Probabilities],
    told: tuple[Decoder, Callable[[str], None]],
) -> Submission:
    """The rows of every study; of graders of one condition, as of several folds, the logarithms are
    averaged (`pipeline.join_series`).

    A row whose place could not be graded holds the prior of its condition and level, and is counted.

    Args:
        models: the locator, and graders.
        told: reads the pixels; and is told, in a sentence, which study could not be read and which is done.
    """
    rows: dict[str, Probabilities] = {}
    left: Counter[str] = Counter()
    for study in studies:
        answers, reasons = _answers(study, models, told)
        for column, site in SITES.items():
            if site not in answers:
                left[reasons.get(site, reasons.get(None, _NO_PLACE))] += 1
            rows[f"{study.name}_{column}"] = answers.get(site) or priors[site[0], site[1]]
    return Submission(rows, dict(left))


def _answers(
    study: LabelledStudy, models: tuple[Model, Sequence[Model]], told: tuple[Decoder, Callable[[str], None]]
) -> tuple[dict[Site, Probabilities], dict[Site | None, str]]:
    """The answers, and why there is none: at a site, or (None) in the whole study."""
    locator, graders = models
    decoder, tell = told
    try:
        spine = locate_study(open_study(study, decoder), locator, decoder).spine
    except (InputError, NotALumbarStudy) as error:
        tell(f"Study {study.name}: {error}")
        return {}, {None: _UNSEEN}
    findings = [item.finding for item in grade_patches(graders, spine)]
    tell(f"Study {study.name} is graded.")
    reasons: dict[Site | None, str] = {(row.condition, row.level, row.side): row.reason or "" for row in findings}
    return answers_of(findings), reasons


def answers_of(findings: Iterable[Finding]) -> dict[Site, Probabilities]:
    """Probabilities by place, none of them 0, adding up to 1; places that were withheld are not there."""
    return {(row.condition, row.level, row.side): in_order(row) for row in findings if not row.abstained}


def write_submission(path: Path, submission: Submission) -> None:
    """Writes the CSV file, whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    write_table(path, COLUMNS, ((row, *map(repr, values)) for row, values in submission.rows.items()))


def read_submission(path: Path) -> dict[str, Probabilities]:
    """The rows of a submission file.

    Raises:
        UnreadableInput: no such file, no such table, or a row that is none.
    """
    rows = read_table(path, COLUMNS)
    found = {row["row_id"]: tuple(number(path, row, grade) for grade in SEVERITY.grades) for row in rows}
    if len(found) != len(rows):
        raise UnreadableInput(f"{path} holds a row_id twice", "one row for each")
    return found


def submission_cases(
    rows: Mapping[str, Probabilities], studies: Iterable[LabelledStudy], source: str
) -> Iterator[GradedCase]:
    """What a submission says at every place that the studies have a grade of, for the score.

    Raises:
        UnreadableInput: a row is not there.
    """
    for study in studies:
        for column, (condition, level, side) in SITES.items():
            grade = study.grades.get((condition, level, side))
            if grade is not None:
                row = f"{study.name}_{column}"
                if row not in rows:
                    raise UnreadableInput(f"the submission has no row {row}", "25 rows for every study")
                yield GradedCase(source, study.patient, study.name, condition, level, side, grade, rows[row])
