"""Reviewed studies as pictures with shapes on them: what Labelme, COCO and YOLO can hold.

images/<study>_<role>_<slice>.png     a slice as it is shown
frames.json                           by picture: where its pixels lie in the patient, so that corrections come back
exported.json                         by study: the grades as they went out, so that it is seen which were corrected
labels/                               the labels in the form that was asked for
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from jaxtyping import Float32
from PIL import Image

from lumbago.anatomy.conditions import CONDITIONS, ROLES, Role
from lumbago.anatomy.findings import Point
from lumbago.dicom.decoder import open_decoder
from lumbago.dicom.volume import Volume
from lumbago.labels.companions import EXPORTED
from lumbago.labels.export_labels import export_labels
from lumbago.labels.labelled_study import ImageRef, LabelledStudy, Shape
from lumbago.labels.open_images import OpenedStudy, open_images
from lumbago.labels.sources import read_source

FRAMES: Final = "frames.json"
_DARKEST, _BRIGHTEST = 1.0, 99.7


@dataclass(frozen=True, slots=True)
class PictureFrame:
    """Where a picture's pixels lie: patient millimetres (LPS) of pixel (0, 0), of one step down and of one to the
    right; and how many there are."""

    origin: Point
    down: Point
    right: Point
    rows: int
    columns: int

    @classmethod
    def of(cls, row: Any) -> "PictureFrame":
        """As `frames.json` has it.

        Raises:
            KeyError, TypeError, ValueError: it has not.
        """
        origin, down, right = (_vector(row[name]) for name in ("origin", "down", "right"))
        if not any(down) or not any(right) or not all(map(math.isfinite, (*origin, *down, *right))):
            raise ValueError("steps of no length")
        return cls(origin, down, right, int(row["rows"]), int(row["columns"]))

    def to_lps_mm(self, row: float, column: float) -> list[float]:
        """Where a pixel lies, in patient millimetres."""
        axes = zip(self.origin, self.down, self.right, strict=True)
        return [round(start + row * down + column * right, 3) for start, down, right in axes]

    def apart_mm(self, one: Sequence[float], other: Sequence[float]) -> float:
        """Distance of two places along the picture alone: across it nothing can be drawn."""
        between = [a - b for a, b in zip(one, other, strict=True)]
        steps = (self.down, self.right)
        along = [sum(a * b for a, b in zip(between, step, strict=True)) / math.hypot(*step) for step in steps]
        return math.hypot(*along)


def _vector(values: Any) -> Point:
    x, y, z = values
    return float(x), float(y), float(z)


@dataclass(frozen=True, eq=False)
class _Drawn:
    """A slice that a shape lies on."""

    volume: Volume
    index: int
    image: ImageRef


def export_pictures(home: Path, out: Path, form: str) -> Mapping[str, Any]:
    """Writes the reviewed studies of a home below `out`; gives how many studies and shapes, and what was left out.

    Raises:
        UnreadableInput: no study is reviewed; UsageError: no such form.
    """
    pictures = out / "images"
    pictures.mkdir()
    frames: dict[str, Any] = {}
    with open_decoder() as decoder:
        studies = [
            _draw(study, open_images(study, decoder), pictures, frames) for study in read_source("reviewed", home)
        ]
        report = export_labels(studies, out / "labels", form, decoder)
    (out / FRAMES).write_text(json.dumps(frames, indent=1), encoding="utf8")
    grades = {study.name: [[*site, grade] for site, grade in study.grades.items()] for study in studies}
    (out / EXPORTED).write_text(json.dumps(grades, indent=1), encoding="utf8")
    return {"studies": report.studies, "shapes": report.shapes, "left_out": dict(report.left_out)}


def _draw(study: LabelledStudy, opened: OpenedStudy, folder: Path, frames: dict[str, Any]) -> LabelledStudy:
    """The study with pictures in the place of its images, and its shapes in their pixels."""
    images: dict[str, ImageRef] = {}
    shapes = []
    shown = {role: opened.by_role(role) for role in ROLES}
    for shape in study.shapes:
        drawn = _find(study, shape, shown, folder)
        if drawn is None:
            continue
        name = drawn.image.name
        if name not in images:
            _save(drawn.volume.array[drawn.index], drawn.image.path)
            frames[drawn.image.path.name] = _frame(drawn.volume, drawn.index) | {"study": study.name}
            images[name] = drawn.image
        shapes.append(_in_pixels(shape, drawn))
    return replace(study, images=tuple(images.values()), shapes=tuple(shapes))


def _find(study: LabelledStudy, shape: Shape, shown: Mapping[Role, tuple[Volume, ...]], folder: Path) -> _Drawn | None:
    """The slice of its condition's series that lies nearest to a shape."""
    if shape.condition not in CONDITIONS:
        return None
    role = CONDITIONS[shape.condition].source
    places = [(*_nearest(volume, shape), number) for number, volume in enumerate(shown[role])]
    if not places:
        return None
    _, index, number = min(places)
    volume = shown[role][number]
    name = f"{study.name}_{role}_{number}-{index:03d}"
    image = ImageRef(name, folder / f"{name}.png", "picture", role, "", float(volume.spacing_mm[1]))
    return _Drawn(volume, index, image)


def _nearest(volume: Volume, shape: Shape) -> tuple[float, int]:
    """Millimetres from a shape to the nearest slice, and which one that is."""
    position = float(volume.to_ijk(np.array(shape.middle))[0])
    index = min(max(round(position), 0), len(volume.array) - 1)
    return abs(position - index) * float(volume.spacing_mm[0]), index


def _in_pixels(shape: Shape, drawn: _Drawn) -> Shape:
    corners = drawn.volume.to_ijk(np.array(shape.points))
    points = tuple((round(float(row), 2), round(float(column), 2)) for _, row, column in corners)
    return replace(shape, points=points, image=drawn.image.name, frame="pixels", instance=None)


def _frame(volume: Volume, index: int) -> dict[str, Any]:
    """What `PictureFrame.of` reads."""
    rows = ((index, 0, 0), (index, 1, 0), (index, 0, 1))
    origin, down, right = volume.to_lps_mm(np.array(rows, np.float64))
    _, height, width = volume.array.shape
    return {"origin": origin.tolist(), "down": (down - origin).tolist(), "right": (right - origin).tolist(),
            "rows": height, "columns": width}  # fmt: skip


def _save(pixels: Float32[np.ndarray, "rows columns"], path: Path) -> None:
    low, high = np.percentile(pixels, (_DARKEST, _BRIGHTEST))
    grey = np.clip((pixels - low) / max(float(high - low), 1e-6), 0, 1) * 255
    Image.fromarray(grey.astype(np.uint8)).save(path)
