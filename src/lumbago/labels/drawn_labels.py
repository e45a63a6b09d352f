"""Shapes with class names, drawn on pictures (Labelme, COCO, YOLO), turned into labelled studies."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from lumbago.anatomy.conditions import CONDITIONS, Role
from lumbago.anatomy.findings import Finding, Site
from lumbago.labels.companions import Companions, ImageRow, contradiction, images_by_study, read_grades, unknown_name
from lumbago.labels.label_names import ClassMeaning, LabelNames, words
from lumbago.labels.labelled_study import (
    Absence,
    ImageRef,
    LabelledStudy,
    Shape,
    ShapeKind,
    file_name,
    kind_of,
    label,
    label_stem,
    site_of,
    stem_of,
    truth_of,
    worst_grade,
)
from lumbago.labels.problems import Problem

PICTURES: Final = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".dcm")
NO_PATIENTS: Final = ("", ".", "..", "images", "train", "training", "val", "valid", "validation", "test", "testing")
"""Folders that images of several patients lie in."""
_FEWEST_TO_SPLIT: Final = 10


@dataclass(frozen=True, slots=True)
class Drawing:
    """A shape as a label file has it: on which file, of which class; corners as (row, column)."""

    file: str
    class_name: str
    kind: ShapeKind
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class DrawnSet:
    """All that a label set holds: its files, those of them that somebody looked at, whether he drew or not, its
    drawings, the names of its classes, what the reader left out."""

    source: str
    folder: Path
    files: Sequence[str]
    annotated: Collection[str]
    drawings: Sequence[Drawing]
    classes: Iterable[str]
    problems: tuple[Problem, ...] = ()


def drawn_studies(drawn: DrawnSet, beside: Companions, names: LabelNames) -> Iterator[LabelledStudy]:
    """The studies of a set.

    Whose a picture is, `images.csv` and `studies.csv` say. Else a folder is a study, and the outermost one that not all
    lie in a patient: folders of one name in several others are not taken for one. Of pictures that lie together it is
    the part of the name before the first `_` or `-`.
    """
    files = dict.fromkeys((*drawn.files, *beside.files))
    folders = _folders(file for file in files if file not in beside.files)
    own = {file: _own_row(drawn.folder / file, file, place, names) for file, place in folders.items()}
    rows = _apart({file: beside.files.get(file) or own[file] for file in files}, beside)
    drawings: dict[str, list[Drawing]] = defaultdict(list)
    for drawing in drawn.drawings:
        drawings[rows[drawing.file].study].append(drawing)
    images = images_by_study(rows.values())
    studies = dict.fromkeys((*beside.studies, *images))
    owners = {rows[file].study: file_name(place[0]) for file, place in folders.items() if place}
    general = [*drawn.problems, *_one_patient(rows, owners, beside)]
    absence, annotated = _absence(drawn.classes, names), {rows[file].study for file in drawn.annotated}
    for study in studies:
        shapes, problems = _shapes(study, drawings[study], rows, names)
        findings, more = _findings(study, shapes, beside, names)
        yield LabelledStudy(
            source=drawn.source,
            patient=beside.patients.get(study, f"{drawn.source}:{owners.get(study, study)}"),
            name=study,
            images=images.get(study, ()),
            truth=truth_of(study, findings),
            absence=_where_told(beside.absence.get(study, absence if study in annotated else {}), shapes, beside),
            shapes=shapes,
            problems=(*general, *problems, *more),
        )
        general = []


def _own_row(path: Path, file: str, folders: Sequence[str], names: LabelNames) -> ImageRow:
    """What the name of a file and the folders it lies in tell alone."""
    study = file_name("/".join(folders) or before_mark(stem_of(path)))
    image = ImageRef(label_stem(file), path, kind_of(path) or "picture", role_in(stem_of(path), names))
    return ImageRow(study, image, None)


def _apart(rows: Mapping[str, ImageRow], beside: Companions) -> dict[str, ImageRow]:
    """Files of one study whose names differ in signs or in their kind alone, told apart by a number."""
    taken: set[tuple[str, str]] = set()
    found = {}
    for file, row in rows.items():
        number, name = 1, row.image.name
        while file not in beside.files and (row.study, name) in taken:
            number += 1
            name = f"{row.image.name}-{number}"
        taken.add((row.study, name))
        found[file] = replace(row, image=replace(row.image, name=name))
    return found


def _folders(files: Iterable[str]) -> dict[str, list[str]]:
    """Those that each file lies in, the outermost first, but for what images of several patients lie in: folders of
    such a name, and those that all files lie in, as long as one is left of each."""
    found = {file: [part for part in Path(file).parts[:-1] if part.lower() not in NO_PATIENTS] for file in files}
    while all(len(place) > 1 for place in found.values()) and len({place[0] for place in found.values()}) == 1:
        found = {file: place[1:] for file, place in found.items()}
    return found


def before_mark(stem: str) -> str:
    """The part of a name before the first `_` or `-`."""
    return stem.replace("-", "_").partition("_")[0] or stem


def role_in(name: str, names: LabelNames) -> Role | None:
    """The role that words in a name tell, the most words first: `7_sag_t2_12` is a sagittal T2."""
    parts = words(name)
    runs = (
        parts[start : start + length]
        for length in range(min(len(parts), 3), 0, -1)
        for start in range(len(parts) - length + 1)
    )
    return next((role for role in (names.role(" ".join(run)) for run in runs) if role is not None), None)


def _one_patient(rows: Mapping[str, ImageRow], owners: Mapping[str, str], beside: Companions) -> Iterator[Problem]:
    patients = {owners.get(row.study, row.study) for row in rows.values()}
    if len(patients) == 1 and len(rows) >= _FEWEST_TO_SPLIT and not beside.files:
        yield Problem(
            "one_patient", "", "", f"all {len(rows)} pictures are taken for patient {next(iter(patients))}",
            "a folder for each patient, or names like PATIENT_12.png", "add an images.csv that says whose they are",
        )  # fmt: skip


def _absence(classes: Iterable[str], names: LabelNames) -> dict[str, Absence]:
    """A condition that is drawn wherever it is seen is absent where it is not drawn, if anyone looked for it at all."""
    named = {names.read_class(name).condition for name in classes}
    return {condition: absence for condition, absence in names.absence.items() if condition in named}


def _where_told(absence: Mapping[str, Absence], shapes: Iterable[Shape], beside: Companions) -> Mapping[str, Absence]:
    """Without the conditions of which something is drawn that no place is known of, unless a table tells the grades: it
    is somewhere."""
    if beside.grades is not None:
        return absence
    somewhere = {shape.condition for shape in shapes if site_of(shape) is None}
    return {condition: meant for condition, meant in absence.items() if condition not in somewhere}


def _shapes(
    study: str, drawings: Iterable[Drawing], rows: Mapping[str, ImageRow], names: LabelNames
) -> tuple[tuple[Shape, ...], list[Problem]]:
    shapes, problems = [], []
    for drawing in drawings:
        meaning = names.read_class(drawing.class_name)
        if meaning.unknown or meaning == ClassMeaning():
            problems.append(unknown_name(study, drawing.file, "class", drawing.class_name))
            continue
        row = rows[drawing.file]
        shapes.append(_shape(drawing, meaning, row))
    shapes = _with_levels(shapes)
    return tuple(shapes), [*problems, *(problem for shape in shapes for problem in _incomplete(study, shape))]


def _shape(drawing: Drawing, meaning: ClassMeaning, row: ImageRow) -> Shape:
    structure = meaning.structure
    if meaning.condition is None and structure is None:
        structure = "disc"
    return Shape(
        drawing.kind, drawing.points, row.image.name, row.instance,
        condition=meaning.condition, level=meaning.level, side=meaning.side, grade=meaning.grade, structure=structure,
        is_certain=meaning.is_certain,
    )  # fmt: skip


def _with_levels(shapes: list[Shape]) -> list[Shape]:
    """A shape without level has that of the disc, on the same image, whose box holds its middle."""
    discs = [shape for shape in shapes if shape.structure == "disc" and shape.level and shape.kind != "point"]

    def found(shape: Shape) -> Shape:
        if shape.level or not shape.condition:
            return shape
        around = [disc for disc in discs if _same_slice(disc, shape) and _holds(disc, shape.middle)]
        return replace(shape, level=around[0].level) if len({disc.level for disc in around}) == 1 else shape

    return [found(shape) for shape in shapes]


def _same_slice(one: Shape, other: Shape) -> bool:
    return (one.image, one.instance) == (other.image, other.instance)


def _holds(disc: Shape, point: tuple[float, ...]) -> bool:
    return all(
        min(axis) <= value <= max(axis) for axis, value in zip(zip(*disc.points, strict=True), point, strict=True)
    )


def _incomplete(study: str, shape: Shape) -> Iterator[Problem]:
    if shape.condition is None or site_of(shape) is not None:
        return
    wanted = {"level": shape.level, "grade": shape.grade}
    if CONDITIONS[shape.condition].sided:
        wanted["side"] = shape.side
    lacking = ", ".join(name for name, value in wanted.items() if value is None)
    yield Problem(
        "incomplete", study, f"{shape.condition} on {shape.image}", f"a shape without {lacking}",
        "level, grade and, where it has sides, side",
        "it is kept as a shape and grades nothing; name it in the class, or draw the disc around it",
    )  # fmt: skip


def _findings(
    study: str, shapes: Sequence[Shape], beside: Companions, names: LabelNames
) -> tuple[tuple[Finding, ...], tuple[Problem, ...]]:
    """From the table of grades when there is one; else a place is as bad as its worst slice."""
    if beside.grades is not None:
        return read_grades(study, beside.grades.get(study, ()), names)
    drawn: dict[Site, list[Shape]] = defaultdict(list)
    for shape in shapes:
        site = site_of(shape)
        if site is not None:
            drawn[site].append(shape)
    found = [label(*site, worst_grade(site, [str(shape.grade) for shape in at])) for site, at in drawn.items()]
    return tuple(found), tuple(problem for site, at in drawn.items() for problem in _at_odds(study, site, at))


def _at_odds(study: str, site: Site, shapes: Sequence[Shape]) -> Iterator[Problem]:
    """Several grades of one place on one slice; on several slices they may differ."""
    by_slice: dict[tuple[str, int | None], set[str]] = defaultdict(set)
    for shape in shapes:
        by_slice[shape.image, shape.instance].add(str(shape.grade))
    for (image, _), grades in by_slice.items():
        if len(grades) > 1:
            worst = worst_grade(site, sorted(grades))
            place = " ".join(part for part in (*site, f"on {image}") if part)
            yield contradiction(study, place, (worst, *sorted(grades - {worst})))
