"""How a stored slice is laid out on the screen, and where its pixels then lie in the patient.

Sagittal: anterior on the left, head up; axial: the patient's left on the right, anterior up; coronal: the patient's
left on the right, head up. Slices run right to left, head to feet, and front to back. From the stated geometry; nothing
is resampled, so an oblique slice comes as near to that as turning and mirroring bring it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float32, Float64

from lumbago.anatomy.levels import Plane
from lumbago.dicom.study import SliceHeader

Picture = Float32[np.ndarray, "_rows _columns"]
Vector = Float64[np.ndarray, "3"]

_LEFTWARD, _BACKWARD, _FEETWARD = np.eye(3) * np.array([1.0, 1.0, -1.0])
_PLANES: Final[tuple[Plane, ...]] = ("sagittal", "coronal", "axial")
"""By the axis of LPS that their normal is nearest to."""
_SCREEN: Final = {
    "sagittal": (_BACKWARD, _FEETWARD, _LEFTWARD),
    "coronal": (_LEFTWARD, _FEETWARD, _BACKWARD),
    "axial": (_LEFTWARD, _BACKWARD, _FEETWARD),
}
"""Where the screen's right, the screen's bottom and the next slice are in the patient."""


@dataclass(frozen=True, eq=False, slots=True)
class Layout:
    """A slice on the screen: which way it is turned, and the place and directions of what is then its first pixel.

    Attributes:
        plane: the nearest patient plane.
        swaps_axes, flips_rows, flips_columns: what is done to the stored picture, in this order.
        rows, columns: size on the screen.
        position: centre of the upper left pixel, patient millimetres (LPS).
        right, down: unit vectors along a row and down a column, LPS.
        spacing_mm: between rows, between columns.
    """

    plane: Plane
    swaps_axes: bool
    flips_rows: bool
    flips_columns: bool
    rows: int
    columns: int
    position: Vector
    right: Vector
    down: Vector
    spacing_mm: tuple[float, float]

    def turn(self, picture: Picture) -> Picture:
        """The stored picture as it is shown."""
        shown = picture.T if self.swaps_axes else picture
        shown = shown[::-1] if self.flips_rows else shown
        return np.ascontiguousarray(shown[:, ::-1] if self.flips_columns else shown)

    @property
    def middle(self) -> Vector:
        """Centre of the picture, LPS."""
        row_mm, column_mm = self.spacing_mm
        middle: Vector = (
            self.position + self.down * row_mm * (self.rows - 1) / 2 + self.right * column_mm * (self.columns - 1) / 2
        )
        return middle


def lay_out(header: SliceHeader) -> Layout | None:
    """The layout of a slice; None when its files do not say how it lies in the patient, and it is shown as stored."""
    if header.image_orientation is None or header.image_position is None or header.pixel_spacing is None:
        return None
    along_row, along_column = np.array(header.image_orientation, np.float64).reshape(2, 3)
    plane = _PLANES[int(np.argmax(np.abs(np.cross(along_row, along_column))))]
    screen_right, screen_down, _ = _SCREEN[plane]
    keeps = abs(along_row @ screen_right) + abs(along_column @ screen_down)
    swaps = bool(keeps < abs(along_column @ screen_right) + abs(along_row @ screen_down))
    right, down = (along_column, along_row) if swaps else (along_row, along_column)
    rows, columns = (header.columns, header.rows) if swaps else (header.rows, header.columns)
    row_mm, column_mm = header.pixel_spacing[::-1] if swaps else header.pixel_spacing
    flips_rows, flips_columns = bool(down @ screen_down < 0), bool(right @ screen_right < 0)
    position = np.array(header.image_position, np.float64)
    position = position + down * row_mm * (rows - 1) * flips_rows + right * column_mm * (columns - 1) * flips_columns
    return Layout(
        plane, swaps, flips_rows, flips_columns, rows, columns, position,
        right=-right if flips_columns else right,
        down=-down if flips_rows else down,
        spacing_mm=(row_mm, column_mm),
    )  # fmt: skip


def in_shown_order(slices: Iterable[SliceHeader]) -> list[tuple[SliceHeader, Layout | None]]:
    """Slices with their layouts, plane by plane in reading order; those without a place come last, as they were."""
    laid = [(header, lay_out(header)) for header in slices]

    def place(row: tuple[SliceHeader, Layout | None]) -> tuple[int, float]:
        layout = row[1]
        if layout is None:
            return len(_PLANES), 0.0
        return _PLANES.index(layout.plane), float(layout.middle @ _SCREEN[layout.plane][2])

    return sorted(laid, key=place)
