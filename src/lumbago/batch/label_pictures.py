"""Reviewed studies as pictures with shapes on them: what Labelme, COCO and YOLO can hold.

pictures/<study>_<role>_<slice>.png   a slice as it is shown
frames.json                           by picture: where its pixels lie in the patient, so that corrections come back
labels/                               the labels in the form that was asked for
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from jaxtyping import Float32
from PIL import Image

from lumbago.anatomy.conditions import CONDITIONS, ROLES, Role
from lumbago.dicom.decoder import open_decoder
from lumbago.dicom.volume import Volume
from lumbago.labels.export_labels import export_labels
from lumbago.labels.labelled_study import ImageRef, LabelledStudy, Shape
from lumbago.labels.open_images import OpenedStudy, open_images
from lumbago.labels.sources import read_source

FRAMES: Final = "frames.json"
_DARKEST, _BRIGHTEST = 1.0, 99.7


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
    pictures = out / "pictures"
    pictures.mkdir()
    frames: dict[str, Any] = {}
    with open_decoder() as decoder:
        studies = [
            _draw(study, open_images(study, decoder), pictures, frames) for study in read_source("reviewed", home)
        ]
        report = export_labels(studies, out / "labels", form, decoder)
    (out / FRAMES).write_text(json.dumps(frames, indent=1), encoding="utf8")
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
    """Patient millimetres of pixel (0, 0), and of one step down and one to the right."""
    rows = ((index, 0, 0), (index, 1, 0), (index, 0, 1))
    origin, down, right = volume.to_lps_mm(np.array(rows, np.float64))
    return {"origin": origin.tolist(), "down": (down - origin).tolist(), "right": (right - origin).tolist()}


def _save(pixels: Float32[np.ndarray, "rows columns"], path: Path) -> None:
    low, high = np.percentile(pixels, (_DARKEST, _BRIGHTEST))
    grey = np.clip((pixels - low) / max(float(high - low), 1e-6), 0, 1) * 255
    Image.fromarray(grey.astype(np.uint8)).save(path)


def points_of(study: LabelledStudy, frames: Mapping[str, Any]) -> Iterator[tuple[Shape, list[float]]]:
    """The middles of shapes drawn on exported pictures, in patient millimetres (LPS)."""
    for shape in study.shapes:
        image = study.image(shape.image)
        frame = frames.get(image.path.name) if image is not None else None
        if frame is not None and shape.frame == "pixels" and shape.points:
            row, column = shape.middle
            lps = np.array(frame["origin"]) + row * np.array(frame["down"]) + column * np.array(frame["right"])
            yield shape, [round(float(value), 3) for value in lps]
