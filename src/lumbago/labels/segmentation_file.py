"""DICOM segmentations (PS3.3 section A.51): their segments, and their frames as one label volume."""

from pathlib import Path
from typing import Any, Final

import numpy as np
import pydicom
from jaxtyping import Float64
from pydicom.errors import InvalidDicomError

from lumbago.dicom.volume import Volume
from lumbago.errors import NotAGrid, UnreadableInput

_MOST_VOXELS: Final = 1 << 28
_SEG: Final = "1.2.840.10008.5.1.4.1.1.66.4"


def _read(path: Path, *, pixels: bool) -> Any:
    try:
        data = pydicom.dcmread(path, stop_before_pixels=not pixels)
    except (OSError, InvalidDicomError, ValueError, EOFError) as error:
        raise UnreadableInput(f"{path} cannot be read ({error})", "a DICOM segmentation", "write it again") from error
    if data.get("SOPClassUID") != _SEG:
        raise UnreadableInput(f"{path} is no DICOM segmentation", "SOP class Segmentation Storage", "check the folder")
    return data


def read_segments(path: Path) -> dict[int, str]:
    """Label of every segment by its number.

    Raises:
        UnreadableInput: no DICOM segmentation.
    """
    rows = _read(path, pixels=False).SegmentSequence
    return {int(row.SegmentNumber): str(row.get("SegmentLabel", "")) for row in rows}


def read_segmentation(path: Path) -> Volume:
    """The numbers of the segments as a label volume, over all planes that any segment has a frame on.

    Where segments overlap, the higher number stays. Fractional segmentations count from one half.

    Raises:
        UnreadableInput: no DICOM segmentation, or one too large.
        NotAGrid: its planes are not parallel and evenly spaced.
    """
    data = _read(path, pixels=True)
    if int(data.NumberOfFrames) * int(data.Rows) * int(data.Columns) > _MOST_VOXELS:
        raise UnreadableInput(f"{path} has {data.NumberOfFrames} frames", f"at most {_MOST_VOXELS} voxels")
    try:
        return _volume(data)
    except (AttributeError, KeyError, IndexError, TypeError, ValueError) as error:
        raise UnreadableInput(f"{path} is damaged ({error})", "a whole DICOM segmentation", "write it again") from error


def _volume(data: Any) -> Volume:
    frames = np.asarray(data.pixel_array).reshape(-1, int(data.Rows), int(data.Columns))
    if data.SegmentationType == "FRACTIONAL":
        frames = frames >= int(data.MaximumFractionalValue) / 2
    groups = list(data.PerFrameFunctionalGroupsSequence)
    along, down, spacing = _plane(data, groups[0])
    corners = np.array([list(row.PlanePositionSequence[0].ImagePositionPatient) for row in groups], np.float64)
    normal = np.cross(along, down)
    offsets = corners @ normal
    planes = np.unique(np.round(offsets, 2))
    step = float(np.median(np.diff(planes))) if len(planes) > 1 else 1.0
    slots = np.rint((offsets - planes[0]) / step).astype(int)
    if np.abs(planes[0] + slots * step - offsets).max() > 0.1 * step:
        raise NotAGrid("the planes of a segmentation are not evenly spaced", "one distance between all of them")
    array = np.zeros((int(slots.max()) + 1, *frames.shape[1:]), np.float32)
    for slot, frame, row in sorted(zip(slots, frames, groups, strict=True), key=lambda item: _segment(item[2])):
        array[slot][frame > 0] = _segment(row)
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1], affine[:3, 2] = normal * step, down * spacing[0], along * spacing[1]
    affine[:3, 3] = corners[int(np.argmin(slots))]
    return Volume(array, affine, headers=())


def _segment(group: Any) -> int:
    return int(group.SegmentIdentificationSequence[0].ReferencedSegmentNumber)


_Vector = Float64[np.ndarray, "3"]


def _plane(data: Any, first: Any) -> tuple[_Vector, _Vector, _Vector]:
    """Directions along rows and down columns, and (between rows, between columns, 0): shared, or of the first frame."""
    shared = data.SharedFunctionalGroupsSequence[0] if data.get("SharedFunctionalGroupsSequence") else first

    def one(keyword: str) -> Any:
        return (shared if keyword in shared else first)[keyword].value[0]

    orientation = np.array(list(one("PlaneOrientationSequence").ImageOrientationPatient), np.float64)
    between = [float(value) for value in one("PixelMeasuresSequence").PixelSpacing]
    return orientation[:3], orientation[3:], np.array([*between, 0.0])
