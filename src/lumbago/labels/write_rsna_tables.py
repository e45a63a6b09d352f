"""Labels as the three tables of RSNA 2024."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path

from lumbago.labels.companions import write_companions
from lumbago.labels.labelled_study import LabelledStudy, Shape, truth_of
from lumbago.labels.read_rsna import GRADES_TABLE, POINT_COLUMNS, POINTS_TABLE, SERIES_COLUMNS, SERIES_TABLE
from lumbago.labels.tables import write_table
from lumbago.phantom.write_rsna import CONDITIONS_OF_RSNA, GRADE_COLUMNS, GRADES, SERIES_DESCRIPTIONS, grade_column


def write_rsna_tables(folder: Path, studies: Sequence[LabelledStudy]) -> tuple[Counter[str], int]:
    """Writes the tables, and `studies.csv` and `images.csv` that say whose the numbers are and where images lie.

    Ids are numbers there: a name that is none gets one that no other has. Gives what the tables cannot say (other
    conditions, shapes that are no points on a DICOM slice), and the number of points written.

    Raises:
        OSError: the folder cannot be written to.
    """
    ids = _ids((study.name for study in studies), 1)
    numbered = [_numbered(study, ids[study.name], number) for number, study in enumerate(studies, 1)]
    points = [line for study in numbered for line in _point_lines(study)]
    write_table(folder / GRADES_TABLE, ("study_id", *GRADE_COLUMNS), (_grade_line(study) for study in numbered))
    write_table(folder / POINTS_TABLE, POINT_COLUMNS, points)
    write_table(folder / SERIES_TABLE, SERIES_COLUMNS, (line for study in numbered for line in _series_lines(study)))
    write_companions(folder, numbered)
    return _left_out(numbered, len(points)), len(points)


def _ids(names: Iterable[str], first: int) -> dict[str, str]:
    """For each name itself, where it is a number, else the next number from `first` on that none of them is."""
    several = tuple(dict.fromkeys(names))
    taken = {int(name) for name in several if name.isdecimal()}
    free = (number for number in count(first) if number not in taken)
    return {name: name if name.isdecimal() else str(next(free)) for name in several}


def _numbered(study: LabelledStudy, name: str, number: int) -> LabelledStudy:
    """The study under another name, with numbers for names of images, and only what RSNA grades."""
    series = _ids((image.name for image in study.images), number * 1000 + 1)
    return replace(
        study,
        name=name,
        images=tuple(replace(image, name=series[image.name]) for image in study.images),
        shapes=tuple(replace(shape, image=series.get(shape.image, shape.image)) for shape in study.shapes),
        truth=truth_of(name, study.truth.findings),
    )


def _grade_line(study: LabelledStudy) -> list[str]:
    graded: Mapping[str, str] = {
        grade_column(CONDITIONS_OF_RSNA[row.condition, row.side], row.level): GRADES[row.grade]
        for row in study.truth.findings
        if (row.condition, row.side) in CONDITIONS_OF_RSNA and row.grade is not None
    }
    return [study.name, *(graded.get(column, "") for column in GRADE_COLUMNS)]


def _is_rsna_point(study: LabelledStudy, shape: Shape) -> bool:
    image = study.image(shape.image)
    return (
        shape.kind == "point"
        and shape.frame == "pixels"
        and shape.instance is not None
        and image is not None
        and (str(shape.condition), shape.side) in CONDITIONS_OF_RSNA
        and shape.level is not None
    )


def _point_lines(study: LabelledStudy) -> Iterator[tuple[object, ...]]:
    for shape in study.shapes:
        if _is_rsna_point(study, shape):
            ((row, column),) = shape.points
            condition = CONDITIONS_OF_RSNA[str(shape.condition), shape.side]
            yield study.name, shape.image, shape.instance, condition, shape.level, repr(column), repr(row)


def _series_lines(study: LabelledStudy) -> Iterator[tuple[object, ...]]:
    for image in study.images:
        if image.role is not None:
            yield study.name, image.name, SERIES_DESCRIPTIONS[image.role]


def _left_out(studies: Sequence[LabelledStudy], points: int) -> Counter[str]:
    grades = sum(
        row.grade is not None and (row.condition, row.side) not in CONDITIONS_OF_RSNA
        for study in studies
        for row in study.truth.findings
    )
    shapes = sum(len(study.shapes) for study in studies) - points
    return Counter({"grades that RSNA does not know": grades, "shapes other than its points": shapes}) + Counter()
