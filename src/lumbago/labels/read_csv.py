"""Tables of labels: `grades.csv`, and beside it, if wanted, `studies.csv`, `images.csv`, `shapes.csv`.

`shapes.csv` has a row a shape: `study`, `image`, `instance`, `kind`, `frame`, `points` (numbers, separated by spaces:
row column row column ..., or x y z in patient millimetres), `class` (as in `names.toml`).
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, cast

from lumbago.errors import UnreadableInput
from lumbago.labels.companions import GRADES, Companions, read_companions, read_grades, unknown_name
from lumbago.labels.label_names import ClassMeaning, LabelNames, class_name
from lumbago.labels.labelled_study import LabelledStudy, Shape, ShapeKind, truth_of
from lumbago.labels.problems import Problem
from lumbago.labels.tables import Row, read_table, whole_number

SHAPES: Final = ("study", "image", "instance", "kind", "frame", "points", "class")
_CORNERS: Final = {"point": 1, "box": 2, "polygon": 3}


def read_csv(folder: Path, names: LabelNames) -> Iterator[LabelledStudy]:
    """Studies that the tables name. A place without a row is unknown, unless `studies.csv` says that it is negative."""
    read_table(folder / "grades.csv", GRADES)
    beside, shapes = read_companions(folder, names), _shape_rows(folder / "shapes.csv")
    for study in dict.fromkeys((*beside.studies, *shapes)):
        yield _study(study, folder, beside, (shapes.get(study, []), names))


def _shape_rows(path: Path) -> dict[str, list[Row]]:
    rows: dict[str, list[Row]] = defaultdict(list)
    for row in read_table(path, SHAPES) if path.is_file() else ():
        rows[row["study"]].append(row)
    return rows


def _study(study: str, folder: Path, beside: Companions, drawn: tuple[Sequence[Row], LabelNames]) -> LabelledStudy:
    rows, names = drawn
    findings, problems = read_grades(study, (beside.grades or {}).get(study, ()), names)
    shapes = [read_shape(study, folder / "shapes.csv", row, names) for row in rows]
    return LabelledStudy(
        source="csv",
        patient=beside.patients.get(study, f"csv:{study}"),
        name=study,
        images=beside.images.get(study, ()),
        truth=truth_of(study, findings),
        absence=beside.absence.get(study, {}),
        shapes=tuple(shape for shape in shapes if isinstance(shape, Shape)),
        problems=(*problems, *(shape for shape in shapes if isinstance(shape, Problem))),
    )


def read_shape(study: str, path: Path, row: Row, names: LabelNames) -> Shape | Problem:
    """A row of `shapes.csv`; a problem when its class means nothing.

    Raises:
        UnreadableInput: a kind, frame or points that cannot be meant.
    """
    meaning = names.read_class(row["class"])
    if meaning.unknown or (row["class"] and meaning == ClassMeaning()):
        return unknown_name(study, path.name, "class", row["class"])
    return Shape(
        cast(ShapeKind, row["kind"]), _points(path, row), row["image"],
        whole_number(path, row, "instance") if row["instance"] else None,
        "lps_mm" if row["frame"] == "lps_mm" else "pixels", condition=meaning.condition, level=meaning.level,
        side=meaning.side, grade=meaning.grade, structure=meaning.structure, is_certain=meaning.is_certain,
    )  # fmt: skip


def _points(path: Path, row: Row) -> tuple[tuple[float, ...], ...]:
    size = 3 if row["frame"] == "lps_mm" else 2
    try:
        values = [float(text) for text in row["points"].split()]
        points = tuple(tuple(values[start : start + size]) for start in range(0, len(values), size))
        few = len(points) < _CORNERS[row["kind"]]
    except (KeyError, ValueError) as error:
        raise UnreadableInput(f"{path} has a {row['kind']!r} at {row['points']!r}", "point, box or polygon") from error
    if few or len(values) % size or row["frame"] not in ("pixels", "lps_mm"):
        raise UnreadableInput(f"{path} has a {row['kind']} of {len(values)} numbers", f"{size} a corner")
    return points


def shape_line(study: str, shape: Shape) -> tuple[object, ...]:
    """A shape, no mask, as a row of `shapes.csv`."""
    return (
        study, shape.image, shape.instance, shape.kind, shape.frame,
        " ".join(repr(float(value)) for point in shape.points for value in point), class_of(shape),
    )  # fmt: skip


def class_of(shape: Shape) -> str:
    """Class name of a shape."""
    return class_name(
        ClassMeaning(shape.condition, shape.grade, shape.level, shape.side, shape.structure, shape.is_certain)
    )
