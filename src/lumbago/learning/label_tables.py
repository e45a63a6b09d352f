"""Label files of others, read into one form: a labelled sagittal slice.

Each reader takes the folder of its data set and gives `LabelledSlice` rows. A patient who is in several tables has one
key, so that splits by patient stay true. What a table does not say stays unknown: an empty field, not a negative.

Sources: `sudirman`: Sudirman, Al-Kafri et al., Lumbar Spine MRI Dataset (Mendeley k57fr854j2, CC BY 4.0), body
polygons by Roboflow "backspine", Pfirrmann grades of LSMA-PQR (Masood et al., CC BY 4.0). `spider`: van der Graaf et
al., Sci Data 2024;11:264 (Zenodo 10159290, CC BY 4.0).
"""

import csv
import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import Float64
from PIL import Image

from lumbago.anatomy.conditions import CONDITIONS
from lumbago.anatomy.levels import level_from_bottom
from lumbago.errors import SettingsRefused, UnreadableInput

Polygon = Float64[np.ndarray, "_points 2"]
"""Corners as (row, column) in pixels of the image file; each polygon has its own number of them."""

_SUDIRMAN_FIELD_MM, _SUDIRMAN_PIXELS = 300.0, 384
"""The files state no spacing; a field of 300 mm is taken, which is what a viewer would assume."""

_UPSIDE_DOWN = {"57_t1", "57_t2"}
_SPACE_MM, _SPACE_ROWS, _SPACE_COLUMNS = 0.46875, 640, 512


@dataclass(frozen=True, slots=True)
class Box:
    """A disc's box in pixels and its number from the sacrum up; `is_certain` is False when the count is in doubt."""

    rows: tuple[float, float]
    columns: tuple[float, float]
    count: int
    is_certain: bool

    @property
    def center(self) -> tuple[float, float]:
        """(row, column)."""
        return (sum(self.rows) / 2, sum(self.columns) / 2)


@dataclass(frozen=True, slots=True)
class LabelledSlice:
    """One sagittal slice and what is known of it.

    Attributes:
        source: the table it came from.
        patient: key of the patient, the same in every table that holds him.
        name: unique name of the slice.
        image: picture file; `upside_down` says that it must be turned by 180 degrees.
        spacing_mm: pixel size.
        weighting: `t1` or `t2`.
        bodies: polygons of vertebral bodies by name, empty when not drawn.
        boxes: boxes of discs, empty when not drawn.
        mask: picture file of the segmentation (29 disc, 76 vertebra, 150 canal), None when there is none.
        grades: grade of a condition at a level.
    """

    source: str
    patient: str
    name: str
    image: Path
    spacing_mm: float
    weighting: str
    upside_down: bool = False
    bodies: dict[str, Polygon] = field(default_factory=dict)
    boxes: tuple[Box, ...] = ()
    mask: Path | None = None
    grades: dict[tuple[str, str], str] = field(default_factory=dict)


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        raise UnreadableInput(f"no {path.name} in {path.parent}", "the folder of the label source", "check --data")
    with path.open(newline="", encoding="utf8") as lines:
        return list(csv.DictReader(lines))


def read_sudirman(folder: Path) -> Iterator[LabelledSlice]:
    """Mid-sagittal T1 and T2 with body polygons L1 to S1 (drawn on T1, they fit T2) and Pfirrmann grades L3/L4 to
    L5/S1."""
    bodies: dict[str, dict[str, Polygon]] = defaultdict(dict)
    for row in _rows(folder / "vertebrae.csv"):
        corners = np.array(row["polygon_xy"].split(), dtype=np.float64).reshape(-1, 2)[:, ::-1] * _SUDIRMAN_PIXELS
        bodies[row["patient"]][row["level"]] = corners
    grades: dict[str, dict[tuple[str, str], str]] = defaultdict(dict)
    for row in _rows(folder / "pfirrmann.csv"):
        grades[row["patient"]]["pfirrmann", row["level"].replace("-", "/")] = row["grade"]
    for image in sorted((folder / "sagittal").glob("*.png")):
        number, weighting = image.stem.split("_")
        patient = str(int(number))
        yield LabelledSlice(
            "sudirman", f"sudirman:{patient}", f"sudirman:{image.stem}", image, _SUDIRMAN_FIELD_MM / _SUDIRMAN_PIXELS,
            weighting, bodies=bodies[patient], grades=grades[patient],
        )  # fmt: skip


_SPIDER_PRESENCE = ("endplate_upper", "endplate_lower", "spondylolisthesis", "herniation", "narrowing", "bulging")


def _spider_grades(folder: Path) -> dict[str, dict[tuple[str, str], str]]:
    grades: dict[str, dict[tuple[str, str], str]] = defaultdict(dict)
    for row in _rows(folder / "gradings.csv"):
        level = level_from_bottom(int(row["disc_from_bottom"]))
        of_patient = grades[row["patient"]]
        of_patient["pfirrmann", level] = row["pfirrmann"]
        of_patient["modic", level] = row["modic"]
        for condition in _SPIDER_PRESENCE:
            of_patient[condition, level] = CONDITIONS[condition].scale.grades[int(row[condition])]
    return grades


def _spider_boxes(folder: Path) -> dict[str, tuple[Box, ...]]:
    boxes: dict[str, list[Box]] = defaultdict(list)
    for row in _rows(folder / "disc_boxes.csv"):
        boxes[row["series"]].append(
            Box(
                (float(row["y0"]), float(row["y1"])),
                (float(row["x0"]), float(row["x1"])),
                int(row["disc_from_bottom"]),
                is_certain=row["pfirrmann"] != "",
            )
        )
    return {series: tuple(rows) for series, rows in boxes.items()}


def read_spider(folder: Path) -> Iterator[LabelledSlice]:
    """Mid-sagittal T1, T2 and T2-SPACE with boxes of discs (some series) and eight gradings per disc (every
    patient)."""
    grades, boxes = _spider_grades(folder), _spider_boxes(folder)
    for row in _rows(folder / "series.csv"):
        series, patient = row["series"], row["patient"]
        yield LabelledSlice(
            "spider", f"spider:{patient}", f"spider:{series}", folder / "sagittal" / f"{series}.png",
            float(row["PixelSpacing"].strip("[]").split(",")[0]), row["sequence"].split("_")[0],
            upside_down=series in _UPSIDE_DOWN, boxes=boxes.get(series, ()), grades=grades[patient],
        )  # fmt: skip


def read_spider_space(folder: Path) -> Iterator[LabelledSlice]:
    """Sagittal T2-SPACE slices, middle and lateral, with masks of disc, vertebra and canal."""
    for image in sorted((folder / "images").glob("*.png")):
        patient, _, series = image.stem.split("_slice")[0].partition("_")
        spacing_mm = _letterboxed_mm(folder.parent / "spider" / "sagittal" / f"{patient}_{series}.png")
        yield LabelledSlice(
            "spider_space", f"spider:{patient}", f"spider_space:{image.stem}", image, spacing_mm, "t2",
            mask=folder / "masks" / image.name,
        )  # fmt: skip


def _letterboxed_mm(original: Path) -> float:
    """Pixel size of a SPACE slice after it was shrunk to fit 512 x 640; the original of its series tells the factor."""
    if not original.is_file():
        return _SPACE_MM
    with Image.open(original) as picture:
        columns, rows = picture.size
    return _SPACE_MM * max(rows / _SPACE_ROWS, columns / _SPACE_COLUMNS)


LABEL_SOURCES: Final[dict[str, Callable[[Path], Iterator[LabelledSlice]]]] = {
    "sudirman": read_sudirman,
    "spider": read_spider,
    "spider_space": read_spider_space,
}
"""One row per label source; the name is the folder's."""


def read_labels(data: Path, sources: tuple[str, ...]) -> list[LabelledSlice]:
    """All slices of the named sources under the folder `data`.

    Raises:
        SettingsRefused: a source of another name than these.
        UnreadableInput: a table of a source is not there.
    """
    unknown = sorted(set(sources) - set(LABEL_SOURCES))
    if unknown:
        raise SettingsRefused(f"there is no label source {', '.join(unknown)}", f"some of {', '.join(LABEL_SOURCES)}")
    return [row for source in sources for row in LABEL_SOURCES[source](data / source)]


def fold_of(patient: str, folds: int) -> int:
    """The fold a patient is in; it follows from his key alone, so every table and every run agree."""
    return int.from_bytes(hashlib.sha256(patient.encode()).digest()[:8], "big") % folds
