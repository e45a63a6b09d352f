"""Lumbar Spine MRI Dataset: mid-sagittal pictures with body polygons and Pfirrmann grades.

Sudirman, Al-Kafri et al. (Mendeley k57fr854j2, CC BY 4.0); polygons by Roboflow "backspine", Pfirrmann grades of
LSMA-PQR (Masood et al., CC BY 4.0).
"""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np

from lumbago.anatomy.conditions import CONDITIONS, Role
from lumbago.errors import UnreadableInput
from lumbago.labels.companions import read_grades
from lumbago.labels.label_names import LabelNames
from lumbago.labels.labelled_study import ImageRef, LabelledStudy, Shape, truth_of
from lumbago.labels.tables import Row, read_table, whole_number

_FIELD_MM, _PIXELS = 300.0, 384
"""The files state no spacing; a field of 300 mm is taken, which is what a viewer would assume."""

_CONDITION: Final = CONDITIONS["pfirrmann"].name


def read_sudirman(folder: Path, names: LabelNames) -> Iterator[LabelledStudy]:
    """T1 and T2 with body polygons L1 to S1 (drawn on T1, they fit T2) and Pfirrmann grades L3/L4 to L5/S1:
    `sagittal/<patient>_<t1|t2>.png`, `vertebrae.csv`, `pfirrmann.csv`."""
    bodies, grades = _polygons(folder / "vertebrae.csv"), _grades(folder / "pfirrmann.csv")
    images: dict[str, list[ImageRef]] = defaultdict(list)
    for path in sorted((folder / "sagittal").glob("*.png")):
        number, _, weighting = path.stem.partition("_")
        role: Role = "sagittal_t1" if weighting == "t1" else "sagittal_t2"
        patient = str(int(number)) if number.isdigit() else number
        images[patient].append(ImageRef(path.stem, path, "picture", role, spacing_mm=_FIELD_MM / _PIXELS))
    for patient in dict.fromkeys((*images, *grades)):
        findings, problems = read_grades(patient, grades.get(patient, ()), names)
        yield LabelledStudy(
            source="sudirman",
            patient=f"sudirman:{patient}",
            name=patient,
            images=tuple(images[patient]),
            truth=truth_of(patient, findings),
            shapes=tuple(
                Shape("polygon", points, image.name, structure=body)
                for image in images[patient]
                for body, points in bodies.get(patient, {}).items()
            ),
            problems=problems,
        )


def _polygons(path: Path) -> dict[str, dict[str, tuple[tuple[float, float], ...]]]:
    """Corners as (row, column) by body by patient."""
    bodies: dict[str, dict[str, tuple[tuple[float, float], ...]]] = defaultdict(dict)
    for row in read_table(path, ("patient", "level", "polygon_xy")):
        try:
            corners = np.array(row["polygon_xy"].split(), np.float64).reshape(-1, 2)[:, ::-1] * _PIXELS
        except ValueError as error:
            raise UnreadableInput(f"{path} has a polygon of {row['patient']} that is none", "x y pairs") from error
        bodies[row["patient"]][row["level"]] = tuple((float(y), float(x)) for y, x in corners)
    return bodies


def _grades(path: Path) -> dict[str, list[Row]]:
    grades: dict[str, list[Row]] = defaultdict(list)
    for row in read_table(path, ("patient", "level", "grade")):
        patient = str(whole_number(path, row, "patient"))
        grades[patient].append({"condition": _CONDITION, "side": "", "level": row["level"], "grade": row["grade"]})
    return grades
