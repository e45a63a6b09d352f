"""Scores of several graders whose places one locator finds: each picture and study is located once, for all of them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from lumbago.anatomy.findings import StudyFindings
from lumbago.dicom.decoder import Decoder
from lumbago.evaluation.cases import GradedCase
from lumbago.inference.weights import Model
from lumbago.labels.labelled_study import LabelledStudy
from lumbago.labels.picture_slices import LabelledSlice, picture_volume
from lumbago.learning.locator_targets import true_discs
from lumbago.learning.places import ModelOf
from lumbago.learning.score_grader import picture_cases
from lumbago.learning.score_locator import LocatedPicture, true_levels
from lumbago.learning.score_studies import study_cases
from lumbago.learning.study_samples import each_usable, locate_labelled
from lumbago.pipeline.grade_patches import grade_patches
from lumbago.pipeline.locate_discs import locate_discs
from lumbago.pipeline.place_patches import LocatedSpine


@dataclass(frozen=True)
class Wanted:
    """A table of cases that is to be made: what grades, which sources (all when empty), what their patients are to
    it."""

    graders: Sequence[ModelOf]
    sources: tuple[str, ...]
    split: str

    def takes(self, source: str) -> bool:
        """Whether patients of a source belong into it."""
        return not self.sources or source in self.sources


Tables = dict[str, list[GradedCase]]
"""Cases by the name of their table."""


def score_pictures(
    locator: ModelOf, wanted: Mapping[str, Wanted], rows: Iterable[LabelledSlice]
) -> tuple[Tables, list[LocatedPicture]]:
    """What the graders say of labelled pictures, each patient's by models that have not seen him; and where the discs
    were found on those whose labels say where they are. Maps are not kept.

    Raises:
        ModelRefused: a model has seen a patient.
    """
    tables: Tables = {name: [] for name in wanted}
    located = []
    for row in rows:
        is_graded = row.weighting == "t2" and bool(row.grades)
        if not is_graded and not true_discs(row):
            continue
        location = locate_discs(locator(row.patient), picture_volume(row))
        if true_discs(row):
            located.append(LocatedPicture(row, replace(location, maps={}), true_levels(row)))
        spine = LocatedSpine({"sagittal_t2": location}, {}, {})
        for name, table in wanted.items() if is_graded else ():
            if table.takes(row.source):
                tables[name] += _in_split(_answers(table, spine, row), table)
    return tables, located


def _answers(table: Wanted, spine: LocatedSpine, row: LabelledSlice) -> Iterator[GradedCase]:
    for grader in table.graders:
        yield from picture_cases(spine, grader(row.patient), row)


def score_studies(
    locator: ModelOf, wanted: Mapping[str, Wanted], studies: Sequence[LabelledStudy], decoder: Decoder
) -> Tables:
    """What the graders say of labelled studies of each table's sources; one that cannot be read has no answers.

    Raises:
        UnreadableInput: none of them can be used. ModelRefused: a model has seen a patient.
    """
    tables: Tables = {name: [] for name in wanted}
    asked = [study for study in studies if any(table.takes(study.source) for table in wanted.values())]
    for study, spine in each_usable(asked, lambda one: locate_labelled(one, locator(one.patient), decoder)):
        for name, table in wanted.items():
            if table.takes(study.source):
                graders = [grader(study.patient) for grader in table.graders]
                tables[name] += _in_split(_study_answers(study, spine, graders), table)
    return tables


def _study_answers(study: LabelledStudy, spine: LocatedSpine | None, graders: Sequence[Model]) -> Iterator[GradedCase]:
    found = None
    if spine is not None:
        grades = tuple(item.finding for item in grade_patches(graders, spine))
        found = StudyFindings(study.truth.study, (), grades)
    conditions = {name for grader in graders for name in grader.card.conditions}
    yield from (case for case in study_cases(study, found) if case.condition in conditions)


def _in_split(cases: Iterable[GradedCase], table: Wanted) -> list[GradedCase]:
    return [replace(case, split=table.split) for case in cases]
