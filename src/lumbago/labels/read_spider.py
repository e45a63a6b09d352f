"""SPIDER: the original download (`.mha` volumes with masks), and its slices as pictures.

van der Graaf et al., Sci Data 2024;11:264 (Zenodo 10159290, CC BY 4.0). Discs and vertebrae are counted from the sacrum
up; their names hold for a spine of five lumbar bodies.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lumbago.anatomy.conditions import CONDITIONS, Role
from lumbago.anatomy.findings import Finding
from lumbago.anatomy.levels import MOST_DISCS, bodies_of, level_from_bottom
from lumbago.labels.companions import contradiction, unknown_name
from lumbago.labels.label_names import LabelNames
from lumbago.labels.labelled_study import ImageRef, LabelledStudy, Shape, label, stem_of, truth_of
from lumbago.labels.picture_slices import picture_size
from lumbago.labels.problems import Problem
from lumbago.labels.tables import Row, number, read_table, whole_number

_ON_THEIR_HEAD: Final = {
    "50_t2_SPACE", "52_t1", "52_t2_SPACE", "55_t1", "55_t2_SPACE", "57_t1", "57_t2", "57_t2_SPACE",
}  # fmt: skip
"""Pictures with the feet on top, and the back on the right all the same; the slices with masks lie as they should."""
_SPACE_MM, _SPACE_ROWS, _SPACE_COLUMNS = 0.46875, 640, 512
_DISCS_FROM, _CANAL, _PARTLY_FROM = 200, 100, 100

SPIDER_VALUES: Final = (
    *((n, bodies_of(level_from_bottom(n))[0], None) for n in range(1, MOST_DISCS + 1)),
    (_CANAL, "canal", None),
    *((_PARTLY_FROM + n, "vertebra", None) for n in range(1, MOST_DISCS + 1)),
    *((_DISCS_FROM + n, "disc", level_from_bottom(n)) for n in range(1, MOST_DISCS + 1)),
)
"""Values of the original masks: body above disc n, canal, bodies that are partly in view, disc n, n from the sacrum."""
_PICTURE_VALUES: Final = ((29, "disc", None), (76, "vertebra", None), (150, "canal", None))


@dataclass(frozen=True, slots=True)
class _Columns:
    """How a table of gradings calls its columns."""

    patient: str
    disc: str
    conditions: Mapping[str, str]


_PRESENCE: Final = ("endplate_upper", "endplate_lower", "spondylolisthesis", "herniation", "narrowing", "bulging")
_DERIVED: Final = _Columns(
    "patient", "disc_from_bottom", {name: name for name in ("pfirrmann", "modic", *_PRESENCE)}
)  # fmt: skip
_ORIGINAL: Final = _Columns(
    "Patient",
    "IVD label",
    {
        "pfirrmann": "Pfirrman grade", "modic": "Modic", "endplate_upper": "UP endplate",
        "endplate_lower": "LOW endplate", "spondylolisthesis": "Spondylolisthesis", "herniation": "Disc herniation",
        "narrowing": "Disc narrowing", "bulging": "Disc bulging",
    },
)  # fmt: skip


def _gradings(path: Path, columns: _Columns) -> tuple[dict[str, list[Finding]], dict[str, list[Problem]]]:
    """Labels and problems by patient."""
    found: dict[str, dict[tuple[str, str], Finding]] = defaultdict(dict)
    problems: dict[str, list[Problem]] = defaultdict(list)
    for row in read_table(path, (columns.patient, columns.disc, *columns.conditions.values())):
        patient = str(whole_number(path, row, columns.patient))
        for finding in _graded_disc(patient, row, columns, path):
            if isinstance(finding, Problem):
                problems[patient].append(finding)
                continue
            earlier = found[patient].setdefault((finding.condition, finding.level), finding)
            if earlier.grade != finding.grade:
                place, grades = f"{finding.condition} {finding.level}", (str(earlier.grade), str(finding.grade))
                problems[patient].append(contradiction(patient, place, grades))
    return {patient: list(rows.values()) for patient, rows in found.items()}, problems


def _graded_disc(patient: str, row: Row, columns: _Columns, path: Path) -> Iterator[Finding | Problem]:
    count = whole_number(path, row, columns.disc)
    if not 1 <= count <= MOST_DISCS:
        yield unknown_name(patient, path.name, "disc number", str(count))
        return
    for condition, column in columns.conditions.items():
        text = row[column].lower()
        if text in ("", "nan"):
            continue
        grade = _grade(condition, text)
        if grade is None:
            yield unknown_name(patient, f"{condition} {level_from_bottom(count)}", "grade", row[column])
        else:
            yield label(condition, level_from_bottom(count), None, grade)


def _grade(condition: str, text: str) -> str | None:
    """The grade of a number: of a scale that is numbered itself that number, else 0 is absent and 1 present."""
    whole = text.removesuffix(".0")
    grades = CONDITIONS[condition].scale.grades
    if whole in grades:
        return whole
    return grades[int(whole)] if whole in ("0", "1") and not grades[0].isdigit() else None


def read_spider(folder: Path, names: LabelNames) -> Iterator[LabelledStudy]:
    """Mid-sagittal T1, T2 and T2-SPACE pictures with boxes of discs (some series) and eight gradings per disc (every
    patient): `sagittal/<series>.png`, `series.csv`, `gradings.csv`, `disc_boxes.csv`."""
    findings, problems = _gradings(folder / "gradings.csv", _DERIVED)
    boxes = _disc_boxes(folder / "disc_boxes.csv")
    series: dict[str, list[ImageRef]] = defaultdict(list)
    rows: dict[str, list[Row]] = defaultdict(list)
    for row in read_table(folder / "series.csv", ("series", "patient", "sequence", "PixelSpacing")):
        series[row["patient"]].append(_picture(folder, row))
        rows[row["patient"]].append(row)
    for patient in dict.fromkeys((*series, *findings)):
        yield LabelledStudy(
            source="spider",
            patient=f"spider:{patient}",
            name=patient,
            images=tuple(series[patient]),
            truth=truth_of(patient, findings.get(patient, ())),
            shapes=tuple(shape for image in series[patient] for shape in boxes.get(image.name, ())),
            problems=(
                *problems.get(patient, ()),
                *_other_count(patient, findings.get(patient, []), rows[patient], "series.csv"),
            ),
        )


def _picture(folder: Path, row: Row) -> ImageRef:
    name = row["series"]
    lies = name in _ON_THEIR_HEAD
    spacing = {"spacing": row["PixelSpacing"].strip("[]").split(",")[0]}
    return ImageRef(
        name, folder / "sagittal" / f"{name}.png", "picture", _role(row["sequence"]),
        spacing_mm=number(folder / "series.csv", spacing, "spacing"), upside_down=lies, mirrored=lies,
    )  # fmt: skip


def _role(sequence: str) -> Role:
    return "sagittal_t1" if sequence.lower().startswith("t1") else "sagittal_t2"


def _disc_boxes(path: Path) -> dict[str, list[Shape]]:
    """Boxes by series. Those without a grade are often off by one in their count: their level is in doubt."""
    boxes: dict[str, list[Shape]] = defaultdict(list)
    for row in read_table(path, ("series", "disc_from_bottom", "x0", "x1", "y0", "y1", "pfirrmann")):
        top, bottom, left, right = (number(path, row, column) for column in ("y0", "y1", "x0", "x1"))
        boxes[row["series"]].append(
            Shape(
                "box",
                ((top, left), (bottom, right)),
                row["series"],
                structure="disc",
                level=level_from_bottom(whole_number(path, row, "disc_from_bottom")),
                is_certain=row["pfirrmann"] != "",
            )
        )
    return boxes


def read_spider_space(folder: Path, names: LabelNames) -> Iterator[LabelledStudy]:
    """Sagittal T2-SPACE pictures, middle and lateral, with masks of disc, vertebra and canal: `images/`, `masks/`."""
    images: dict[str, list[ImageRef]] = defaultdict(list)
    for path in sorted((folder / "images").glob("*.png")):
        patient, _, series = path.stem.split("_slice")[0].partition("_")
        spacing_mm = _letterboxed_mm(folder.parent / "spider" / "sagittal" / f"{patient}_{series}.png")
        images[patient].append(ImageRef(path.stem, path, "picture", "sagittal_t2", spacing_mm=spacing_mm))
    for patient, pictures in images.items():
        yield LabelledStudy(
            source="spider_space",
            patient=f"spider:{patient}",
            name=patient,
            images=tuple(pictures),
            truth=truth_of(patient, ()),
            shapes=tuple(
                Shape("mask", image=image.name, mask=folder / "masks" / image.path.name, values=_PICTURE_VALUES)
                for image in pictures
            ),
        )


def _letterboxed_mm(original: Path) -> float:
    """Pixel size of a SPACE slice after it was shrunk to fit 512 x 640; the original of its series tells the factor."""
    size = picture_size(original)
    if size is None:
        return _SPACE_MM
    rows, columns = size
    return _SPACE_MM * max(rows / _SPACE_ROWS, columns / _SPACE_COLUMNS)


def read_spider_original(folder: Path, names: LabelNames) -> Iterator[LabelledStudy]:
    """The download: `images/<patient>_<t1|t2|t2_SPACE>.mha`, `masks/` of the same names, `radiological_gradings.csv`,
    `overview.csv`.

    Its arrays are stored in several axis orders; the direction matrix of each file says which, and is followed.
    """
    findings, problems = _gradings(folder / "radiological_gradings.csv", _ORIGINAL)
    overview = {row["new_file_name"]: row for row in read_table(folder / "overview.csv", ("new_file_name",))}
    series: dict[str, list[str]] = defaultdict(list)
    lying = {stem_of(path) for path in (folder / "images").glob("*.mha")}
    for name in sorted(lying | set(overview), key=_by_number):
        series[name.partition("_")[0]].append(name)
    for patient in dict.fromkeys((*series, *findings)):
        graded = findings.get(patient, [])
        yield LabelledStudy(
            source="spider_original",
            patient=f"spider:{patient}",
            name=patient,
            images=tuple(_volume(folder, name) for name in series[patient]),
            truth=truth_of(patient, graded),
            shapes=tuple(_mask(folder, name) for name in series[patient] if name in lying),
            problems=(
                *problems.get(patient, ()),
                *_other_count(patient, graded, [overview[n] for n in series[patient] if n in overview], "overview.csv"),
            ),
        )


def _by_number(name: str) -> tuple[float, str]:
    head, _, tail = name.partition("_")
    return (float(head) if head.isdigit() else float("inf"), tail)


def _volume(folder: Path, name: str) -> ImageRef:
    return ImageRef(name, folder / "images" / f"{name}.mha", "metaimage", _role(name.partition("_")[2]))


def _mask(folder: Path, name: str) -> Shape:
    return Shape("mask", image=name, mask=folder / "masks" / f"{name}.mha", values=SPIDER_VALUES)


def _other_count(patient: str, graded: list[Finding], series: list[Row], table: str) -> Iterator[Problem]:
    """Masks and grades that count a different number of discs: a transitional spine, or a body that was left out."""
    counts = {row["num_discs"].removesuffix(".0") for row in series if row.get("num_discs", "").strip()}
    levels = {finding.level for finding in graded}
    if len(counts) > 1 or (levels and counts and str(len(levels)) not in counts):
        found = f"{' or '.join(sorted(counts))} discs drawn, {len(levels)} graded"
        yield Problem(
            "count_differs", patient, table, found,
            "the same number", "look whether the count from the sacrum is right; names of levels may be shifted",
        )  # fmt: skip
