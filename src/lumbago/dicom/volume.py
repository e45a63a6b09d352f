"""The one object that images travel in."""

from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float32, Float64

from lumbago.dicom.study import SliceHeader


@dataclass(frozen=True, eq=False)
class Volume:
    """A regular grid of intensities in patient space.

    Attributes:
        array: intensities after rescale, bright is high, axes (slice, row, column); `ijk` means an index in this order.
        affine: maps (i, j, k, 1) of a voxel's centre to patient millimetres (LPS).
        headers: one header per slice i, in the array's order.
        geometry_is_assumed: the files state no usable geometry; the frame is made up, sides and sizes mean nothing.
        remarks: what the builder noticed and a reader should know.
    """

    array: Float32[np.ndarray, "slices rows columns"]
    affine: Float64[np.ndarray, "4 4"]
    headers: tuple[SliceHeader, ...]
    geometry_is_assumed: bool = False
    remarks: tuple[str, ...] = field(default=())

    @property
    def spacing_mm(self) -> Float64[np.ndarray, "3"]:
        """Distance between neighbours along slice, row and column axes; along slices it includes the gap."""
        spacing: np.ndarray = np.linalg.norm(self.affine[:3, :3], axis=0)
        return spacing

    def to_lps_mm(self, ijk: Float64[np.ndarray, "*points 3"]) -> Float64[np.ndarray, "*points 3"]:
        """Patient millimetres of (fractional) indices."""
        points: Float64[np.ndarray, "*points 3"] = ijk @ self.affine[:3, :3].T + self.affine[:3, 3]
        return points

    def to_ijk(self, lps_mm: Float64[np.ndarray, "*points 3"]) -> Float64[np.ndarray, "*points 3"]:
        """(Fractional) indices of patient points."""
        indices: Float64[np.ndarray, "*points 3"] = (lps_mm - self.affine[:3, 3]) @ np.linalg.inv(self.affine[:3, :3]).T
        return indices

    def reordered(self, axes: tuple[int, int, int], flips: tuple[bool, bool, bool]) -> "Volume":
        """The same volume with its axes permuted, then flipped; every voxel keeps its place in the patient.

        Headers follow the slice axis, which must stay first.
        """
        if axes[0] != 0:
            raise ValueError("the slice axis stays first: slices of other planes are resampled, not reordered")
        array, affine = np.transpose(self.array, axes), self.affine.copy()
        affine[:3, :3] = affine[:3, list(axes)]
        headers = self.headers
        for axis, flip in enumerate(flips):
            if flip:
                array = np.flip(array, axis)
                affine[:3, 3] += affine[:3, axis] * (array.shape[axis] - 1)
                affine[:3, axis] *= -1
        if flips[0]:
            headers = headers[::-1]
        return replace(self, array=np.ascontiguousarray(array), affine=affine, headers=headers)
