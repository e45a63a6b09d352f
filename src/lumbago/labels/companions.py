"""Three small tables beside label files of other forms: what those forms cannot say.

- `studies.csv`: `study`, `patient`, `negative_when_absent` (conditions, separated by spaces).
- `images.csv`: `file` (as the label file calls it), `study`, `image`, `path`, `instance`, `role`, `spacing_mm`,
  `upside_down`, `mirrored`, `series_instance_uid`, `rows`, `columns`. Only `file` and `study` are needed.
- `grades.csv`: `study`, `condition`, `level`, `side`, `grade`.

Each is optional; `lumbago labels export` writes all three, so that reading back gives the same labels.
"""

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

from lumbago.anatomy.conditions import CONDITIONS
from lumbago.anatomy.findings import Finding
from lumbago.labels.label_names import LabelNames
from lumbago.labels.labelled_study import Absence, ImageRef, LabelledStudy, Shape, kind_of, label, label_stem
from lumbago.labels.problems import Problem
from lumbago.labels.tables import Row, number, read_table, whole_number, write_table

STUDIES: Final = ("study", "patient", "negative_when_absent")
IMAGES: Final = (
    "file", "study", "image", "path", "instance", "role", "spacing_mm", "upside_down", "mirrored",
    "series_instance_uid", "rows", "columns",
)  # fmt: skip
GRADES: Final = ("study", "condition", "level", "side", "grade")
EXPORTED: Final = "exported.json"
"""Beside labels that went out with pictures, see `batch.label_pictures`: by study, the grades as they went out."""

Size = tuple[int, int]


@dataclass(frozen=True, slots=True)
class ImageRow:
    """What a file of a label set is: an image of a study, or one slice of it; `size` is (rows, columns) if stated."""

    study: str
    image: ImageRef
    instance: int | None
    size: Size | None = None


@dataclass(frozen=True, slots=True)
class Companions:
    """What the three tables say; empty where they are not there.

    Attributes:
        patients: patient by study.
        absence: by study, what a missing label means.
        files: image by file name.
        images: images by study, each once, in the order of the table.
        grades: rows by study, None when there is no table of grades.
    """

    patients: Mapping[str, str] = field(default_factory=dict)
    absence: Mapping[str, Mapping[str, Absence]] = field(default_factory=dict)
    files: Mapping[str, ImageRow] = field(default_factory=dict)
    images: Mapping[str, tuple[ImageRef, ...]] = field(default_factory=dict)
    grades: Mapping[str, tuple[Row, ...]] | None = None

    @property
    def studies(self) -> tuple[str, ...]:
        """Every study that a table names, in order."""
        named = (*self.patients, *(row.study for row in self.files.values()), *(self.grades or ()))
        return tuple(dict.fromkeys(named))


def read_companions(folder: Path, names: LabelNames) -> Companions:
    """The tables that lie in a folder; paths lead from where it lies, not from a link to it.

    Raises:
        UnreadableInput: a table that cannot be read, or lacks a column that it must have.
    """
    folder = folder.resolve()
    studies = _optional(folder / "studies.csv", ("study", "patient"))
    rows = _optional(folder / "images.csv", ("file", "study"))
    files = {row["file"]: _image_row(folder, row, names) for row in rows}
    return Companions(
        patients={row["study"]: row["patient"] for row in studies},
        absence={
            row["study"]: {name: "negative" for name in row["negative_when_absent"].split() if name in CONDITIONS}
            for row in studies
            if "negative_when_absent" in row
        },
        files=files,
        images=images_by_study(files.values()),
        grades=_by_study(folder / "grades.csv") if (folder / "grades.csv").is_file() else None,
    )


def images_by_study(rows: Iterable[ImageRow]) -> dict[str, tuple[ImageRef, ...]]:
    """The images of every study, each once, in the order of the rows."""
    found: dict[str, dict[str, ImageRef]] = defaultdict(dict)
    for row in rows:
        found[row.study].setdefault(row.image.name, row.image)
    return {study: tuple(images.values()) for study, images in found.items()}


def _optional(path: Path, columns: Sequence[str]) -> list[Row]:
    return read_table(path, columns) if path.is_file() else []


def _by_study(path: Path) -> dict[str, tuple[Row, ...]]:
    rows: dict[str, list[Row]] = defaultdict(list)
    for row in read_table(path, GRADES):
        rows[row["study"]].append(row)
    return {study: tuple(found) for study, found in rows.items()}


def _image_row(folder: Path, row: Row, names: LabelNames) -> ImageRow:
    table = folder / "images.csv"
    path = Path(os.path.normpath(folder / (row.get("path") or row["file"])))
    image = ImageRef(
        name=row.get("image") or label_stem(row["file"]),
        path=path,
        kind=kind_of(path) or "dicom",
        role=names.role(row.get("role", "")),
        series_instance_uid=row.get("series_instance_uid", ""),
        spacing_mm=number(table, row, "spacing_mm") if row.get("spacing_mm") else None,
        upside_down=row.get("upside_down") == "yes",
        mirrored=row.get("mirrored") == "yes",
    )
    size = (whole_number(table, row, "rows"), whole_number(table, row, "columns")) if row.get("rows") else None
    return ImageRow(row["study"], image, whole_number(table, row, "instance") if row.get("instance") else None, size)


def read_grades(study: str, rows: Iterable[Row], names: LabelNames) -> tuple[tuple[Finding, ...], tuple[Problem, ...]]:
    """Labels in rows of `condition`, `level`, `side`, `grade`; what cannot be meant, or contradicts, is a problem."""
    found: dict[tuple[str, str, str | None], Finding] = {}
    problems = []
    for row in rows:
        finding = _finding(study, row, names)
        if isinstance(finding, Problem):
            problems.append(finding)
            continue
        earlier = found.setdefault((finding.condition, finding.level, finding.side), finding)
        if earlier.grade != finding.grade:
            problems.append(contradiction(study, _place(row), (str(earlier.grade), str(finding.grade))))
    return tuple(found.values()), tuple(problems)


def contradiction(study: str, place: str, grades: Sequence[str]) -> Problem:
    """Several grades at one place; the first is kept."""
    found = f"graded {' and '.join(grades)}"
    return Problem("contradiction", study, place, found, "one grade", f"{grades[0]} is taken; correct the other")


def _place(row: Row) -> str:
    return " ".join(row[name] for name in ("condition", "level", "side") if row[name])


def _finding(study: str, row: Row, names: LabelNames) -> Finding | Problem:
    meant = names.condition(row["condition"])
    if meant is None:
        return unknown_name(study, _place(row), "condition", row["condition"])
    condition, side = meant[0], names.side(row["side"]) or meant[1]
    level = names.level(row["level"])
    if level is None:
        return unknown_name(study, _place(row), "level", row["level"])
    if (row["side"] and side is None) or side not in CONDITIONS[condition].sides:
        return unknown_name(study, _place(row), "side", row["side"])
    grade = names.grade(condition, row["grade"])
    if grade is None:
        return unknown_name(study, _place(row), "grade", row["grade"])
    return label(condition, level, side, grade)


def unknown_name(study: str, place: str, what: str, text: str) -> Problem:
    """A word of a label file that stands for nothing; the label is left out."""
    return Problem(
        "unknown_name", study, place, f"the {what} {text!r}", f"a {what} that names.toml spells",
        "it is left out; correct it, or say with --names FILE what it means",
    )  # fmt: skip


def slice_file(image: ImageRef, instance: int | None) -> Path | None:
    """The file in which an image, or a slice of a DICOM folder, lies; None for a slice within a file."""
    if instance is None:
        return image.path
    if image.kind != "dicom":
        return None
    if image.path.suffix.lower() == ".dcm":
        return image.path
    names = (image.path / f"{instance}.dcm", image.path / f"{instance:03d}.dcm")
    return next((path for path in names if path.is_file()), names[0])


def file_key(folder: Path, image: ImageRef, instance: int | None) -> str | None:
    """What a label file in a folder calls an image: its path from there."""
    path = slice_file(image, instance)
    return None if path is None else Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()


def write_companions(
    folder: Path, studies: Sequence[LabelledStudy], sizes: Mapping[str, Size] = MappingProxyType({})
) -> None:
    """Writes the three tables of studies into a folder; `sizes` are those of files, as far as known.

    Raises:
        OSError: the folder cannot be written to.
    """
    write_table(folder / "studies.csv", STUDIES, ((row.name, row.patient, negatives(row)) for row in studies))
    write_table(folder / "images.csv", IMAGES, (line for row in studies for line in _image_lines(folder, row, sizes)))
    write_table(folder / "grades.csv", GRADES, (line for row in studies for line in grade_lines(row)))


def negatives(study: LabelledStudy) -> str:
    """The conditions whose absence is negative, separated by spaces."""
    return " ".join(condition for condition, absence in study.absence.items() if absence == "negative")


def grade_lines(study: LabelledStudy) -> Iterable[tuple[object, ...]]:
    """The labels of a study as rows of `grades.csv`."""
    return ((study.name, row.condition, row.level, row.side, row.grade) for row in study.truth.findings if row.grade)


def _image_lines(folder: Path, study: LabelledStudy, sizes: Mapping[str, Size]) -> Iterable[tuple[object, ...]]:
    for image in study.images:
        drawn = {shape.instance for shape in study.shapes if _is_drawn(shape) and shape.image == image.name}
        for instance in (None, *sorted(instance for instance in drawn if instance is not None)):
            file = file_key(folder, image, instance)
            if file is not None:
                path = file_key(folder, image, None)
                yield (
                    file, study.name, image.name, path, instance, image.role,
                    None if image.spacing_mm is None else repr(image.spacing_mm),
                    "yes" if image.upside_down else "", "yes" if image.mirrored else "", image.series_instance_uid,
                    *sizes.get(file, ("", "")),
                )  # fmt: skip


def _is_drawn(shape: Shape) -> bool:
    return shape.frame == "pixels" and shape.kind != "mask"
