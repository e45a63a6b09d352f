"""Points and planes of the patient on slices: the shown orientation, the nearest slice, a patch of a slice.

All points are patient millimetres, LPS.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64
from scipy import ndimage

from lumbago.dicom.volume import Volume

Point = Float64[np.ndarray, " 3"]


def _shown(volume: Volume, towards: Float64[np.ndarray, "3 3"]) -> Volume:
    """The volume with its (slice, row, column) axes as near as flips allow to the three directions of `towards`."""
    directions = (volume.affine[:3, :3] / volume.spacing_mm).T
    keeps = abs(directions[1] @ towards[1]) + abs(directions[2] @ towards[2])
    swaps = abs(directions[2] @ towards[1]) + abs(directions[1] @ towards[2])
    axes = (0, 1, 2) if keeps >= swaps else (0, 2, 1)
    flips = tuple(bool(directions[axis] @ direction < 0) for axis, direction in zip(axes, towards, strict=True))
    return volume.reordered(axes, (flips[0], flips[1], flips[2]))


def canonical_sagittal(volume: Volume) -> Volume:
    """A sagittal volume as it is shown: slices right to left, rows head to feet, columns front to back.

    Axes are permuted and flipped only, so an oblique volume comes as near to that as it can.
    """
    return _shown(volume, np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]]))


def canonical_axial(volume: Volume) -> Volume:
    """An axial volume as it is shown: slices head to feet, rows front to back, columns right to left."""
    return _shown(volume, np.array([[0.0, 0.0, -1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]))


def slice_normal(volume: Volume) -> Point:
    """Unit normal of the slices, on the side of increasing slice index."""
    normal: Point = np.cross(volume.affine[:3, 1], volume.affine[:3, 2])
    normal /= np.linalg.norm(normal)
    return normal if normal @ volume.affine[:3, 0] > 0 else -normal


def nearest_slice(volume: Volume, point_lps_mm: Point) -> int:
    """The slice whose plane is nearest to a point; the first or last one for points beyond."""
    along = float(volume.to_ijk(np.asarray(point_lps_mm, np.float64))[0])
    return int(np.clip(round(along), 0, len(volume.array) - 1))


def distance_to_slice_mm(volume: Volume, slice_index: int, point_lps_mm: Point) -> float:
    """From a point to the plane of a slice; positive on the side of the next slice."""
    on_slice = volume.to_lps_mm(np.array([slice_index, 0.0, 0.0]))
    return float((np.asarray(point_lps_mm) - on_slice) @ slice_normal(volume))


def is_inside_slice(volume: Volume, point_lps_mm: Point, margin_mm: float = 0.0) -> bool:
    """Whether a point, carried onto a slice along its normal, is on the image, at least `margin_mm` from its edge."""
    row_column = volume.to_ijk(np.asarray(point_lps_mm, np.float64))[1:]
    margin = margin_mm / volume.spacing_mm[1:]
    last = np.array(volume.array.shape[1:]) - 1
    return bool((row_column >= margin - 0.5).all() and (row_column <= last - margin + 0.5).all())


@dataclass(frozen=True, slots=True)
class SliceChoice:
    """A slice of one of several volumes, how far it passes from the point, and its angle to the wanted plane."""

    volume: int
    slice: int
    distance_mm: float
    angle_degrees: float


def _choice(volumes: Sequence[Volume], number: int, point: Point, normal: Point) -> SliceChoice:
    volume = volumes[number]
    index = nearest_slice(volume, point)
    cosine = min(1.0, abs(float(slice_normal(volume) @ normal)) / float(np.linalg.norm(normal)))
    return SliceChoice(
        volume=number,
        slice=index,
        distance_mm=abs(distance_to_slice_mm(volume, index, point)),
        angle_degrees=float(np.degrees(np.arccos(cosine))),
    )


def share_frame(first: Volume, second: Volume) -> bool:
    """Whether two volumes may lie in the same frame of reference: one that is not stated, or is another in each slice
    of a grid, or was made up from the series as for NIfTI files, counts as common."""
    frames = {_stated_frame(volume) for volume in (first, second)}
    return len(frames) == 1 or "" in frames


def _stated_frame(volume: Volume) -> str:
    """Of all slices of a volume, "" for none."""
    frames = {header.frame_of_reference_uid for header in volume.headers}
    made_up = {header.series_instance_uid for header in volume.headers}
    return frames.pop() if len(frames) == 1 and not frames & made_up else ""


def choose_slice(volumes: Sequence[Volume], point_lps_mm: Point, normal: Point) -> SliceChoice | None:
    """The slice on which a structure at a point is best seen in its own plane: a disc on axial blocks, for instance.

    Of the volumes whose slices show the point and pass it within their slice distance, the one least tilted against the
    structure (degrees count as much as tenths of a millimetre); else the one that passes nearest.

    Args:
        volumes: for instance the axial blocks of a study.
        point_lps_mm: the middle of the structure.
        normal: of its plane, any length, either sign.

    Returns:
        None when no volume shows the point at all.
    """
    point, normal = np.asarray(point_lps_mm, np.float64), np.asarray(normal, np.float64)
    choices = [
        _choice(volumes, number, point, normal)
        for number, volume in enumerate(volumes)
        if is_inside_slice(volume, point)
    ]

    def cost(choice: SliceChoice) -> tuple[bool, float]:
        passes = choice.distance_mm <= float(volumes[choice.volume].spacing_mm[0])
        return not passes, choice.distance_mm + 0.1 * choice.angle_degrees

    return min(choices, key=cost, default=None)


def _smoothed(picture: Float32[np.ndarray, "rows columns"], steps_px: Float64[np.ndarray, "2 2"]) -> np.ndarray:
    """Blurred as far as a step of several pixels needs it, so that what lies between the samples does not alias."""
    reach = np.maximum(np.linalg.norm(steps_px, axis=1), 1.0)
    sigma = 0.5 * np.sqrt(reach**2 - 1.0)
    return picture if (sigma < 0.2).all() else ndimage.gaussian_filter(picture, sigma, mode="nearest")


def sample_plane(  # noqa: PLR0917 - a place and a grid, which callers have as they are
    volume: Volume,
    slice_index: int,
    origin_lps_mm: Point,
    row_step_lps_mm: Point,
    column_step_lps_mm: Point,
    shape: tuple[int, int],
) -> Float32[np.ndarray, "rows columns"]:
    """A rectangle of one slice on a grid of its own: bilinear, smoothed first where the grid is coarser than pixels.

    Sample (r, c) lies at `origin + r * row_step + c * column_step`, carried onto the slice along the slice's normal.
    Samples beyond the edge are 0.
    """
    to_pixels = np.linalg.pinv(volume.affine[:3, 1:3])
    corner = volume.to_lps_mm(np.array([slice_index, 0.0, 0.0]))
    steps_px = to_pixels @ np.stack([row_step_lps_mm, column_step_lps_mm], axis=1)
    start_px = to_pixels @ (np.asarray(origin_lps_mm) - corner)
    picture = _smoothed(volume.array[slice_index], steps_px)
    sampled = ndimage.affine_transform(picture, steps_px, start_px, shape, order=1, mode="constant", cval=0.0)
    return np.asarray(sampled, np.float32)
