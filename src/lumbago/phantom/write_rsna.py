"""Phantoms in the layout of the RSNA 2024 lumbar spine challenge, so that any code written for it runs on them.

Names of files, columns, conditions, levels and grades are those of its training set (LumbarDISC, arXiv 2506.09162):
`train_images/<study_id>/<series_id>/<instance>.dcm`, `train.csv`, `train_label_coordinates.csv`,
`train_series_descriptions.csv`. A point is (x, y) = (column, row) of the pixel in the instance. Points are true: the
set's own mistakes (swapped sides, points on wrong slices) are not imitated. What no slice shows has no grade, and
rarely a whole side has none, as there.
"""

import csv
import io
import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import numpy as np

from lumbago.anatomy.conditions import Role
from lumbago.anatomy.findings import Finding, StudyFindings
from lumbago.anatomy.levels import LEVELS, Side
from lumbago.phantom.scan_headers import instance_number, instance_uid, series_uid, slice_header
from lumbago.phantom.scan_spec import ScanSpec
from lumbago.phantom.truth_findings import PhantomSeries

Row = dict[str, str | int | float]

SERIES_DESCRIPTIONS: Final[Mapping[Role, str]] = {
    "sagittal_t1": "Sagittal T1",
    "sagittal_t2": "Sagittal T2/STIR",
    "axial_t2": "Axial T2",
}
GRADES: Final = {"normal_mild": "Normal/Mild", "moderate": "Moderate", "severe": "Severe"}
CONDITIONS_OF_RSNA: Final[Mapping[tuple[str, Side | None], str]] = {
    ("spinal_canal_stenosis", None): "Spinal Canal Stenosis",
    ("neural_foraminal_narrowing", "left"): "Left Neural Foraminal Narrowing",
    ("neural_foraminal_narrowing", "right"): "Right Neural Foraminal Narrowing",
    ("subarticular_stenosis", "left"): "Left Subarticular Stenosis",
    ("subarticular_stenosis", "right"): "Right Subarticular Stenosis",
}
"""Conditions and sides in the order of the columns of `train.csv`."""

_NOT_GRADED: Final[Mapping[tuple[str, Side | None], float]] = {
    ("spinal_canal_stenosis", None): 0.0005,
    ("neural_foraminal_narrowing", "left"): 0.001,
    ("neural_foraminal_narrowing", "right"): 0.0041,
    ("subarticular_stenosis", "left"): 0.0015,
    ("subarticular_stenosis", "right"): 0.001,
}
"""Share of studies in which a condition has no grade at any level."""

_FIRST_STUDY: Final = 1_000_000
_COORDINATES: Final = ("study_id", "series_id", "instance_number", "condition", "level", "x", "y")
_DESCRIPTIONS: Final = ("study_id", "series_id", "series_description")


def study_id(seed: int) -> int:
    """Number of a phantom among the studies."""
    return _FIRST_STUDY + seed


def series_id(seed: int, number: int) -> int:
    """Number of a study's series; no two studies share one."""
    return study_id(seed) * 10 + number


def rsna_instance(seed: int, series: int, instance: int) -> str:
    """Path of an image below `train_images`."""
    return f"{study_id(seed)}/{series_id(seed, series)}/{instance}.dcm"


def grade_column(condition: str, level: str) -> str:
    """Column of `train.csv`: `Spinal Canal Stenosis`, `L1/L2` is `spinal_canal_stenosis_l1_l2`."""
    return f"{condition} {level}".lower().replace(" ", "_").replace("/", "_")


GRADE_COLUMNS: Final = tuple(
    grade_column(condition, level) for condition in CONDITIONS_OF_RSNA.values() for level in LEVELS
)


def write_rsna_rows(path: Path, made: PhantomSeries, truth: StudyFindings) -> None:
    """Writes a study's rows of the three tables as JSON: keys `train`, `train_label_coordinates`,
    `train_series_descriptions`.

    Raises:
        OSError: the file cannot be written.
    """
    seed = made.spine.seed
    found = _graded(truth, seed)
    grades: Row = {"study_id": study_id(seed), **dict.fromkeys(GRADE_COLUMNS, "")}
    for finding in found:
        condition = CONDITIONS_OF_RSNA[finding.condition, finding.side]
        grades[grade_column(condition, finding.level)] = GRADES[str(finding.grade)]
    places = _instances(made)
    tables = {
        "train": [grades],
        "train_label_coordinates": [_coordinates(made, finding, places) for finding in found],
        "train_series_descriptions": [
            {
                "study_id": study_id(seed),
                "series_id": series_id(seed, number),
                "series_description": SERIES_DESCRIPTIONS[scan_spec.role],
            }
            for number, scan_spec in enumerate(made.scans)
        ],
    }
    path.write_text(json.dumps(tables, indent=1) + "\n", encoding="utf8")


def _graded(truth: StudyFindings, seed: int) -> list[Finding]:
    """Findings of the graded conditions in the order of the columns, less those that nobody graded."""
    rng = np.random.default_rng([seed, 9])
    graded = {site for site, missing in _NOT_GRADED.items() if rng.random() >= missing}
    order = list(CONDITIONS_OF_RSNA)
    chosen = [finding for finding in truth.findings if (finding.condition, finding.side) in graded]
    return sorted(chosen, key=lambda f: (order.index((f.condition, f.side)), LEVELS.index(f.level)))


def _instances(made: PhantomSeries) -> dict[str, tuple[int, int, int]]:
    """(series, group, slice) of every image by its UID."""
    return {
        instance_uid(series_uid(made.spine.person, scan_spec), instance_number(scan_spec, group, index)): (
            number,
            group,
            index,
        )
        for number, scan_spec in enumerate(made.scans)
        for group, planes in enumerate(scan_spec.groups)
        for index in range(planes.count)
    }


def _coordinates(made: PhantomSeries, finding: Finding, places: Mapping[str, tuple[int, int, int]]) -> Row:
    assert finding.evidence is not None
    number, group, index = places[str(finding.evidence.sop_instance_uid)]
    scan_spec = made.scans[number]
    x, y = _pixel(made, scan_spec, (group, index), np.array(finding.evidence.point_lps_mm))
    return {
        "study_id": study_id(made.spine.seed),
        "series_id": series_id(made.spine.seed, number),
        "instance_number": instance_number(scan_spec, group, index),
        "condition": CONDITIONS_OF_RSNA[finding.condition, finding.side],
        "level": finding.level,
        "x": round(x, 3),
        "y": round(y, 3),
    }


def _pixel(made: PhantomSeries, scan_spec: ScanSpec, place: tuple[int, int], point: np.ndarray) -> tuple[float, float]:
    """(column, row) of a patient point on an image."""
    corner = np.array(slice_header(made.spine, scan_spec, *place).image_position)
    planes = scan_spec.groups[place[0]]
    along, down = np.array(planes.along), np.array(planes.down)
    return float((point - corner) @ along / scan_spec.pixel_mm), float((point - corner) @ down / scan_spec.pixel_mm)


def gather_rsna(out: Path, studies: Iterable[Path]) -> None:
    """Moves the images of written studies to `out/train_images` and writes the three tables of all studies there.

    Raises:
        OSError: a folder cannot be written to.
    """
    images = out / "train_images"
    images.mkdir(parents=True, exist_ok=True)
    tables: dict[str, list[Row]] = {}
    for study in sorted(studies):
        _move_images(study / "rsna", images)
        for name, rows in json.loads((study / "rsna.json").read_text(encoding="utf8")).items():
            tables.setdefault(name, []).extend(rows)
    columns = {
        "train": ("study_id", *GRADE_COLUMNS),
        "train_label_coordinates": _COORDINATES,
        "train_series_descriptions": _DESCRIPTIONS,
    }
    for name, rows in tables.items():
        _write_table(out / f"{name}.csv", columns[name], rows)


def _move_images(source: Path, images: Path) -> None:
    """Moves a newly written study among the images, in the place of an older one."""
    for folder in source.glob("*"):
        if (images / folder.name).is_dir():
            shutil.rmtree(images / folder.name)
        folder.rename(images / folder.name)


def _write_table(path: Path, columns: tuple[str, ...], rows: list[Row]) -> None:
    text = io.StringIO()
    table = csv.DictWriter(text, columns, lineterminator="\n")
    table.writeheader()
    table.writerows(sorted(rows, key=lambda row: int(row["study_id"])))
    part = path.with_name(f".part-{path.name}")
    part.write_text(text.getvalue(), encoding="utf8")
    part.replace(path)
