"""RSNA 2024 lumbar spine degenerative classification: its folder of DICOM files and its three tables.

Grades stand in `train.csv`, a row a study and a column a condition and level; points in `train_label_coordinates.csv`;
what a series is in `train_series_descriptions.csv` (LumbarDISC, arXiv 2506.09162).
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lumbago.anatomy.conditions import CONDITIONS, ROLE_TITLES
from lumbago.anatomy.findings import Finding, Site
from lumbago.anatomy.levels import LEVELS
from lumbago.errors import UnreadableInput
from lumbago.labels.companions import Companions, contradiction, read_companions, unknown_name
from lumbago.labels.label_names import LabelNames
from lumbago.labels.labelled_study import ImageRef, LabelledStudy, Shape, label, truth_of
from lumbago.labels.problems import Problem
from lumbago.labels.tables import ADVICE, Row, number, read_table, whole_number

GRADES_TABLE: Final = "train.csv"
POINTS_TABLE: Final = "train_label_coordinates.csv"
SERIES_TABLE: Final = "train_series_descriptions.csv"
IMAGES_FOLDER: Final = "train_images"
TEST_SERIES_TABLE: Final = "test_series_descriptions.csv"
TEST_IMAGES_FOLDER: Final = "test_images"
POINT_COLUMNS: Final = ("study_id", "series_id", "instance_number", "condition", "level", "x", "y")
SERIES_COLUMNS: Final = ("study_id", "series_id", "series_description")


@dataclass(frozen=True, slots=True)
class _Tables:
    folder: Path
    images: Path
    names: LabelNames
    columns: Mapping[str, Site]
    grades: Mapping[str, Sequence[Row]]
    points: Mapping[str, Sequence[Row]]
    series: Mapping[str, Sequence[Row]]
    beside: Companions


def read_rsna(folder: Path, names: LabelNames) -> Iterator[LabelledStudy]:
    """Studies in the order of `train.csv`, then those that only another table, or the folder of images, knows.

    An empty cell is a place that nobody graded: unknown, never normal. Left and right are taken as they are written;
    `labels check` says where points contradict them. Several series of one plane are kept, each with its own points.
    """
    train = read_table(folder / GRADES_TABLE, ("study_id",))
    columns, problems = _grade_columns(folder, train, names)
    tables = _Tables(
        folder, folder / IMAGES_FOLDER, names, columns, _by_study(train),
        _by_study(read_table(folder / POINTS_TABLE, POINT_COLUMNS)),
        _by_study(read_table(folder / SERIES_TABLE, SERIES_COLUMNS)),
        read_companions(folder, names),
    )  # fmt: skip
    for position, study in enumerate(_names(tables)):
        yield _study(study, tables, problems if position == 0 else [])


def read_rsna_test(folder: Path, names: LabelNames) -> Iterator[LabelledStudy]:
    """The studies of `test_images` and `test_series_descriptions.csv`: images without labels.

    Raises:
        UnreadableInput: neither is there.
    """
    table, images = folder / TEST_SERIES_TABLE, folder / TEST_IMAGES_FOLDER
    if not table.is_file() and not images.is_dir():
        raise UnreadableInput(f"{folder} holds no test studies", f"{images.name} and {table.name}", ADVICE)
    series = _by_study(read_table(table, SERIES_COLUMNS)) if table.is_file() else {}
    tables = _Tables(folder, images, names, {}, {}, {}, series, Companions())
    for study in _names(tables):
        yield _study(study, tables, [])


def _names(tables: _Tables) -> Iterable[str]:
    images = sorted(path.name for path in tables.images.glob("*") if path.is_dir())
    return dict.fromkeys((*tables.grades, *tables.points, *tables.series, *images))


def _by_study(rows: Sequence[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row["study_id"]].append(row)
    return dict(found)


def _grade_columns(folder: Path, rows: Sequence[Row], names: LabelNames) -> tuple[dict[str, Site], list[Problem]]:
    """What each column of grades is about: `left_subarticular_stenosis_l1_l2`."""
    columns: dict[str, Site] = {}
    problems = []
    for name in rows[0] if rows else ():
        if name == "study_id":
            continue
        meaning = names.read_class(name)
        is_place = meaning.condition and meaning.side in CONDITIONS[meaning.condition].sides
        if meaning.condition and is_place and meaning.level in LEVELS and not meaning.unknown:
            columns[name] = (meaning.condition, meaning.level, meaning.side)
        else:
            problems.append(unknown_name("", GRADES_TABLE, "column", name))
    if rows and not columns:
        raise UnreadableInput(
            f"{folder / GRADES_TABLE} has no column of grades", "columns like spinal_canal_stenosis_l1_l2", ADVICE
        )
    return columns, problems


def _study(study: str, tables: _Tables, problems: list[Problem]) -> LabelledStudy:
    findings, more = _findings(study, tables)
    images, of_series = _images(study, tables)
    shapes, of_points = _shapes(study, tables, {(row.condition, row.level, row.side): row.grade for row in findings})
    return LabelledStudy(
        source="rsna",
        patient=tables.beside.patients.get(study, f"rsna:{study}"),
        name=study,
        images=images,
        truth=truth_of(study, findings),
        absence=tables.beside.absence.get(study, {}),
        shapes=shapes,
        problems=(*problems, *more, *of_series, *of_points),
    )


def _findings(study: str, tables: _Tables) -> tuple[list[Finding], list[Problem]]:
    found: dict[Site, Finding] = {}
    problems: list[Problem] = []
    for row in tables.grades.get(study, ()):
        for column, site in tables.columns.items():
            if not row[column]:
                continue
            grade = tables.names.grade(site[0], row[column])
            if grade is None:
                problems.append(unknown_name(study, column, "grade", row[column]))
            elif site in found and found[site].grade != grade:
                problems.append(contradiction(study, column, (str(found[site].grade), grade)))
            else:
                found[site] = label(*site, grade)
    return list(found.values()), problems


def _images(study: str, tables: _Tables) -> tuple[tuple[ImageRef, ...], list[Problem]]:
    """Series that the table describes, and those that only lie there: their role is not known."""
    place = tables.images / study
    images = {image.name: image for image in tables.beside.images.get(study, ())}
    problems: list[Problem] = []
    for row in tables.series.get(study, ()):
        series, text = row["series_id"], row["series_description"]
        role = tables.names.role(text)
        if role is None:
            problems.append(unknown_name(study, f"series {series}", "series description", text))
        images.setdefault(series, ImageRef(series, place / series, "dicom", role))
    for path in sorted(place.glob("*")):
        if path.is_dir() and path.name not in images:
            images[path.name] = ImageRef(path.name, path, "dicom")
            problems.append(_undescribed(study, path.name))
    return tuple(images.values()), problems


def _undescribed(study: str, series: str) -> Problem:
    return Problem(
        "quirk", study, f"series {series}", f"a series that {SERIES_TABLE} does not describe",
        f"one of {', '.join(ROLE_TITLES.values())}", "its role is taken from its DICOM headers when it is opened",
    )  # fmt: skip


def _shapes(study: str, tables: _Tables, graded: Mapping[Site, str | None]) -> tuple[tuple[Shape, ...], list[Problem]]:
    shapes: dict[tuple[object, ...], Shape] = {}
    problems: list[Problem] = []
    for row in tables.points.get(study, ()):
        shape = _shape(study, row, tables, graded)
        if isinstance(shape, Problem):
            problems.append(shape)
            continue
        place = (shape.condition, shape.level, shape.side)
        earlier = shapes.setdefault(place, shape)
        if earlier != shape:
            problems.append(_second_point(study, shape))
    return tuple(shapes.values()), problems


def _shape(study: str, row: Row, tables: _Tables, graded: Mapping[Site, str | None]) -> Shape | Problem:
    path = tables.folder / POINTS_TABLE
    meant, level = tables.names.condition(row["condition"]), tables.names.level(row["level"])
    if meant is None or meant[1] not in CONDITIONS[meant[0]].sides:
        return unknown_name(study, POINTS_TABLE, "condition", row["condition"])
    if level is None:
        return unknown_name(study, POINTS_TABLE, "level", row["level"])
    condition, side = meant
    return Shape(
        "point", ((number(path, row, "y"), number(path, row, "x")),), row["series_id"],
        whole_number(path, row, "instance_number"), condition=condition, level=level, side=side,
        grade=graded.get((condition, level, side)),
    )  # fmt: skip


def _second_point(study: str, shape: Shape) -> Problem:
    place = " ".join(part for part in (shape.condition, shape.level, shape.side) if part)
    found = f"another point at {shape.points[0][::-1]} on series {shape.image}, instance {shape.instance}"
    return Problem("contradiction", study, place, found, "one point a place", "the first is taken; remove one")
