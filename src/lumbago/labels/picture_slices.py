"""Labelled sagittal pictures, the form in which networks that learn from single slices take their labels."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import Float32, Float64
from PIL import ExifTags, Image, ImageOps

from lumbago.anatomy.conditions import CONDITIONS
from lumbago.anatomy.findings import Site
from lumbago.anatomy.levels import LEVELS, bottom_count
from lumbago.dicom.build_volume import ASSUMED_FIELD_OF_VIEW_MM
from lumbago.dicom.volume import Volume
from lumbago.errors import UnreadableInput
from lumbago.labels.labelled_study import Flips, ImageRef, LabelledStudy, Shape, site_of, worst_grade

Polygon = Float64[np.ndarray, "_points 2"]
"""Corners as (row, column) in pixels of the picture, head up; each polygon has its own number of them."""

Picture = Float32[np.ndarray, "rows columns"]

_ON_THEIR_SIDE: Final = (5, 6, 7, 8)
"""Values of the EXIF tag Orientation that exchange rows and columns."""
_OUTLINES: Final = ("box", "polygon")
"""Shapes that a disc's box is read off."""
_DEEP: Final = ("I;16", "I;16L", "I;16B", "I", "F")


@dataclass(frozen=True, slots=True)
class Box:
    """A disc's box in pixels of the picture, head up, and its number from the sacrum up; `is_certain` is False when the
    count is in doubt."""

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
        image: picture file; `flips` says which of its axes must be turned round before it stands upright.
        spacing_mm: pixel size.
        weighting: `t1` or `t2`.
        bodies: polygons of vertebral bodies by name, empty when not drawn.
        boxes: of discs, about the outline where that is drawn; empty when not drawn.
        mask, mask_values: picture file of the segmentation, None when there is none, and what its values mean, as in
            `Shape`.
        grades: grade of a condition at a level.
        study: name of the study that it is of, unique within the source.
    """

    source: str
    patient: str
    name: str
    image: Path
    spacing_mm: float
    weighting: str
    flips: Flips = (False, False)
    bodies: dict[str, Polygon] = field(default_factory=dict)
    boxes: tuple[Box, ...] = ()
    mask: Path | None = None
    mask_values: tuple[tuple[int, str, str | None], ...] = ()
    grades: dict[tuple[str, str], str] = field(default_factory=dict)
    study: str = ""


def labelled_slices(study: LabelledStudy) -> Iterator[LabelledSlice]:
    """The sagittal pictures of a study, in its order.

    Grades without side are those of every picture; but where drawings alone tell the grade of a place, a picture with
    one of them has the grade that is drawn on it. Of what is drawn wherever it is seen, a place drawn on a picture is
    absent from one of the same role that has other drawings alone, and unknown on one that has none. A picture whose
    spacing nobody states is taken for one of 300 mm across.

    Raises:
        UnreadableInput: a picture whose size is needed cannot be read.
    """
    for image in study.images:
        if image.kind == "picture" and image.role is not None and image.role.startswith("sagittal"):
            yield _slice(study, image)


def _slice(study: LabelledStudy, image: ImageRef) -> LabelledSlice:
    shapes = _head_up([shape for shape in study.shapes if shape.image == image.name], image)
    discs = [shape for shape in shapes if shape.kind in _OUTLINES and shape.structure == "disc" and shape.level]
    outlines = [shape for shape in shapes if shape.kind == "polygon" and shape.structure]
    mask = next((shape for shape in shapes if shape.kind == "mask"), None)
    return LabelledSlice(
        source=study.source,
        patient=study.patient,
        name=f"{study.source}:{image.name}",
        image=image.path,
        spacing_mm=assumed_spacing_mm(image) if image.spacing_mm is None else image.spacing_mm,
        weighting=str(image.role).rpartition("_")[2],
        flips=image.flips,
        bodies={str(shape.structure): np.array(shape.points, np.float64) for shape in outlines},
        boxes=tuple(_box(shape) for shape in discs),
        mask=mask.mask if mask else None,
        mask_values=mask.values if mask else (),
        grades=_picture_grades(study, image),
        study=study.name,
    )


def _head_up(shapes: list[Shape], image: ImageRef) -> list[Shape]:
    """What is drawn on a picture that stands on its head, as on the turned one."""
    if not (any(image.flips) and any(shape.points for shape in shapes)):
        return shapes
    size = picture_size(image.path)
    if size is None:
        raise _unreadable(image.path, "no picture")
    return [
        _turned(shape, (size[0] - 1, size[1] - 1), image.flips) if shape.frame == "pixels" else shape
        for shape in shapes
    ]


def _turned(shape: Shape, last: tuple[int, int], flips: Flips) -> Shape:
    """On a picture of these last pixels; a box keeps its upper left corner first, a mask is turned when it is read."""
    if not shape.points:
        return shape
    points = np.where(flips, np.array(last) - np.array(shape.points), np.array(shape.points))
    if shape.kind == "box":
        points = np.stack([points.min(axis=0), points.max(axis=0)])
    return replace(shape, points=tuple((float(row), float(column)) for row, column in points))


def _unsided_grades(study: LabelledStudy) -> dict[tuple[str, str], str]:
    """Grades of the middle, and those that absence stands for."""
    graded = [row for row in study.truth.findings if row.side is None]
    grades = {(row.condition, row.level): row.grade for row in graded if row.grade is not None}
    known = {(row.condition, row.level) for row in graded}
    for condition in (CONDITIONS[name] for name, absence in study.absence.items() if absence == "negative"):
        sites = [(condition.name, level) for level in LEVELS if not condition.sided]
        grades |= {site: condition.scale.grades[0] for site in sites if site not in known}
    return grades


def _picture_grades(study: LabelledStudy, image: ImageRef) -> dict[tuple[str, str], str]:
    """The study's grades, but of places in the middle that are as bad as their worst drawing what is drawn on the
    picture; where a table says otherwise, it holds."""
    alike = [other.name for other in study.images if other.role == image.role]
    everywhere, on_alike, here = (_drawn_grades(study.shapes, names) for names in (None, alike, [image.name]))
    is_drawn_on = any(shape.image == image.name for shape in study.shapes)
    grades = _unsided_grades(study)
    for site in (site for site, worst in everywhere.items() if study.grade(*site) == worst):
        if site in here:
            grades[site[:2]] = here[site]
        elif site in on_alike and study.absence.get(site[0]) == "negative":
            del grades[site[:2]]
            grades |= {site[:2]: CONDITIONS[site[0]].scale.grades[0]} if is_drawn_on else {}
    return grades


def _drawn_grades(shapes: Iterable[Shape], images: Collection[str] | None) -> dict[Site, str]:
    """The worst grade drawn of each place in the middle, on these pictures or, when None, on all."""
    drawn = [(site_of(shape), str(shape.grade)) for shape in shapes if images is None or shape.image in images]
    unsided = {site for site, _ in drawn if site is not None and site[2] is None}
    return {site: worst_grade(site, (grade for at, grade in drawn if at == site)) for site in unsided}


def _box(shape: Shape) -> Box:
    (top, left), (bottom, right) = np.min(shape.points, axis=0).tolist(), np.max(shape.points, axis=0).tolist()
    return Box((top, bottom), (left, right), bottom_count(str(shape.level)), shape.is_certain)


def assumed_spacing_mm(image: ImageRef) -> float:
    """Pixel size of a picture that states none.

    Raises:
        UnreadableInput: it cannot be read.
    """
    size = picture_size(image.path)
    if size is None:
        raise _unreadable(image.path, "no picture")
    return ASSUMED_FIELD_OF_VIEW_MM / max(size)


def picture_size(path: Path) -> tuple[int, int] | None:
    """(rows, columns) of a picture file, as it is shown; None when there is none."""
    try:
        with Image.open(path) as picture:
            size = picture.height, picture.width
            return size[::-1] if _orientation(picture) in _ON_THEIR_SIDE else size
    except (OSError, ValueError, Image.DecompressionBombError):
        return None


def read_picture(row: LabelledSlice) -> Picture:
    """The grey values of a labelled slice, head up.

    Raises:
        UnreadableInput: it cannot be read.
    """
    return read_grey(row.image, row.flips)


def read_grey(path: Path, flips: Flips = (False, False)) -> Picture:
    """The grey values of a picture with these axes turned round.

    Raises:
        UnreadableInput: it cannot be read.
    """
    image = _read(path, _DEEP)
    return flipped(image, flips)


def flipped(picture: np.ndarray, flips: Flips) -> np.ndarray:
    """A picture with its rows, its columns or both turned round."""
    return np.ascontiguousarray(np.flip(picture, tuple(axis for axis, flip in enumerate(flips) if flip)))


def read_label_values(path: Path) -> Picture:
    """The values of a label mask that is a picture; of one with a palette their numbers, not the colours.

    Raises:
        UnreadableInput: it cannot be read.
    """
    return _read(path, (*_DEEP, "P"))


def _read(path: Path, as_stored: tuple[str, ...]) -> Picture:
    """Values as they are stored in these modes of Pillow, which would clip them at 255; else as 8 bits of grey. Pillow
    turns TIFF itself, but scrambles one that it maps into memory by its name."""
    try:
        with path.open("rb") as file, Image.open(file) as picture:
            shown = ImageOps.exif_transpose(picture) if _orientation(picture) > 1 else picture
            stored = shown if shown.mode in as_stored else shown.convert("L")
            return np.nan_to_num(np.asarray(stored, np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise _unreadable(path, str(error)) from error


def _orientation(picture: Image.Image) -> int:
    """How a JPEG says that it is to be shown; annotators draw on it as shown. Pillow turns a TIFF when it reads it."""
    return int(picture.getexif().get(ExifTags.Base.Orientation, 1)) if picture.format == "JPEG" else 1


def _unreadable(path: Path, why: str) -> UnreadableInput:
    return UnreadableInput(f"{path} cannot be read ({why})", "a picture file", "add it again")


def picture_volume(row: LabelledSlice) -> Volume:
    """A labelled picture as a volume of one sagittal slice, in an assumed patient frame."""
    return flat_volume(read_picture(row), row.spacing_mm)


def flat_volume(image: Picture, spacing_mm: float) -> Volume:
    """Grey values as a volume of one sagittal slice, in an assumed patient frame."""
    affine = np.eye(4)
    affine[:3, :3] = [[4.0, 0, 0], [0, 0, spacing_mm], [0, -spacing_mm, 0]]
    return Volume(image[None], affine, headers=())
