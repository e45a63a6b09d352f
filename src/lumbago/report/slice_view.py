"""One slice, cropped and enlarged for showing, that knows where points of the patient fall on it."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from lumbago.anatomy.conditions import Role
from lumbago.anatomy.findings import Evidence, Point
from lumbago.dicom.volume import Volume

Volumes = Mapping[Role, Sequence[Volume]]

_DARKEST_PERCENTILE, _BRIGHTEST_PERCENTILE = 1.0, 99.7
_LETTERS: Final = (("R", "L"), ("A", "P"), ("F", "H"))
"""Names of the low and the high end of x, y and z in LPS."""


@dataclass(frozen=True)
class Slice:
    """One slice of one volume."""

    volume: Volume
    index: int

    @property
    def spacing_mm(self) -> tuple[float, float]:
        """Distance between rows and between columns."""
        _, rows, columns = self.volume.spacing_mm
        return float(rows), float(columns)

    @property
    def filed_as(self) -> str:
        """The numbers that the files give it, by which a viewer lists it: `series 4, image 11`; "" without any."""
        header = self.volume.headers[self.index]
        image = ("image", header.instance_number) if header.frame is None else ("frame", header.frame)
        numbered = (("series", header.series_number), image)
        return ", ".join(f"{what} {number}" for what, number in numbered if number is not None)

    def row_column(self, point_lps_mm: Point) -> tuple[float, float]:
        """Fractional row and column of a point, dropped onto the slice along its normal."""
        _, row, column = self.volume.to_ijk(np.asarray(point_lps_mm, np.float64))
        return float(row), float(column)

    def distance_mm(self, point_lps_mm: Point) -> float:
        """How far a point lies from the plane of the slice."""
        position = self.volume.to_ijk(np.asarray(point_lps_mm, np.float64))[0]
        return float(abs(position - self.index) * self.volume.spacing_mm[0])


@dataclass(frozen=True)
class Crop:
    """A rectangle of a slice, in fractional rows and columns of its voxels' edges, clipped to the image."""

    top: float
    left: float
    bottom: float
    right: float


@dataclass(frozen=True)
class SliceView:
    """A shown slice.

    Attributes:
        image: 8-bit grey, windowed, square pixels.
        shown: the slice.
        crop: the part of it that is shown.
    """

    image: Image.Image
    shown: Slice
    crop: Crop

    @property
    def px_per_mm(self) -> float:
        """Picture pixels a millimetre, the same along both axes but for rounding."""
        return self.image.height / ((self.crop.bottom - self.crop.top) * self.shown.spacing_mm[0])

    def to_px(self, point_lps_mm: Point) -> tuple[float, float]:
        """Where a point of the patient falls: x to the right, y down, in pixels of the picture."""
        row, column = self.shown.row_column(point_lps_mm)
        crop = self.crop
        return (
            (column + 0.5 - crop.left) / (crop.right - crop.left) * self.image.width,
            (row + 0.5 - crop.top) / (crop.bottom - crop.top) * self.image.height,
        )

    def shows(self, point_lps_mm: Point) -> bool:
        """Whether a point falls inside the picture."""
        x, y = self.to_px(point_lps_mm)
        return 0 <= x < self.image.width and 0 <= y < self.image.height

    @property
    def runs_sideways(self) -> bool:
        """Whether the picture's rows run from one side of the patient to the other, as on axial slices."""
        return int(np.argmax(np.abs(self.shown.volume.affine[:3, 2]))) == 0

    @property
    def edge_letters(self) -> tuple[str, str, str, str] | None:
        """Names of the picture's left, right, top and bottom edge in the patient; None when geometry is assumed."""
        volume = self.shown.volume
        if volume.geometry_is_assumed:
            return None
        down, across = volume.affine[:3, 1], volume.affine[:3, 2]
        return _letter(-across), _letter(across), _letter(-down), _letter(down)


def _letter(direction_lps: Float[np.ndarray, "3"]) -> str:
    axis = int(np.argmax(np.abs(direction_lps)))
    return _LETTERS[axis][int(direction_lps[axis] > 0)]


def find_slice(volumes: Volumes, evidence: Evidence) -> Slice | None:
    """The slice that a finding points to, or None when it is not among the volumes. Where several share its UID, the
    one that its point lies on."""
    wanted = (evidence.sop_instance_uid, evidence.frame)
    found = [
        Slice(volume, index)
        for volume in volumes.get(evidence.role, ())
        for index, header in enumerate(volume.headers)
        if (header.sop_instance_uid, header.frame) == wanted
    ]
    return min(found, key=lambda piece: piece.distance_mm(evidence.point_lps_mm), default=None)


def most_used_slice(volumes: Volumes, evidences: Iterable[Evidence]) -> Slice | None:
    """The slice that most of the findings point to; of several, the one in their middle."""
    found = [piece for piece in (find_slice(volumes, evidence) for evidence in evidences) if piece is not None]
    counts = Counter((id(piece.volume), piece.index) for piece in found)
    most = max(counts.values(), default=0)
    best = [piece for piece in found if counts[id(piece.volume), piece.index] == most]
    return sorted(best, key=lambda piece: piece.index)[len(best) // 2] if best else None


def nearest_slice(volume: Volume, points_lps_mm: Sequence[Point]) -> Slice:
    """The slice nearest to the mean of the points; the middle one without points."""
    middle = (len(volume.array) - 1) / 2
    if points_lps_mm:
        middle = float(volume.to_ijk(np.asarray(points_lps_mm, np.float64)).mean(axis=0)[0])
    return Slice(volume, int(np.clip(round(middle), 0, len(volume.array) - 1)))


def crop_around(shown: Slice, points_lps_mm: Sequence[Point], margins_mm: tuple[float, float, float, float]) -> Crop:
    """The rectangle that holds the points with margins (above, right, below, left), clipped to the image."""
    _, rows, columns = shown.volume.array.shape
    if not points_lps_mm:
        return Crop(0.0, 0.0, float(rows), float(columns))
    places = np.array([shown.row_column(point) for point in points_lps_mm]) + 0.5
    (row_mm, column_mm), (above, right, below, left) = shown.spacing_mm, margins_mm
    low, high = places.min(axis=0), places.max(axis=0)
    top, bottom = _clipped(low[0] - above / row_mm, high[0] + below / row_mm, rows)
    start, end = _clipped(low[1] - left / column_mm, high[1] + right / column_mm, columns)
    return Crop(top, start, bottom, end)


def _clipped(low: float, high: float, size: int) -> tuple[float, float]:
    """The interval inside 0 to size; all of it when nothing would be left."""
    low, high = max(0.0, float(low)), min(float(size), float(high))
    return (low, high) if high - low >= 1 else (0.0, float(size))


def view_slice(shown: Slice, crop: Crop, height_px: int) -> SliceView:
    """The crop, windowed between robust percentiles of itself and enlarged to a height, pixels made square."""
    row_mm, column_mm = shown.spacing_mm
    width_mm, height_mm = (crop.right - crop.left) * column_mm, (crop.bottom - crop.top) * row_mm
    size = (max(1, round(height_px * width_mm / height_mm)), height_px)
    grey = Image.fromarray(_windowed(shown, crop))
    box = (crop.left, crop.top, crop.right, crop.bottom)
    return SliceView(grey.resize(size, Image.Resampling.BICUBIC, box=box), shown, crop)


def _windowed(shown: Slice, crop: Crop) -> UInt8[np.ndarray, "rows columns"]:
    image = shown.volume.array[shown.index]
    inside = image[int(crop.top) : int(np.ceil(crop.bottom)), int(crop.left) : int(np.ceil(crop.right))]
    low, high = np.percentile(inside, (_DARKEST_PERCENTILE, _BRIGHTEST_PERCENTILE))
    scaled = (image - low) * (255.0 / max(float(high - low), 1e-6))
    grey: UInt8[np.ndarray, "rows columns"] = np.clip(scaled + 0.5, 0.0, 255.0).astype(np.uint8)
    return grey
