"""Where the pixels of an image's slices lie in the patient, from headers alone: what labels are checked against."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import Float64

from lumbago.dicom.decoder import Decoder, MrImage
from lumbago.dicom.find_files import find_files
from lumbago.dicom.study import SliceHeader, SourceFile
from lumbago.errors import LumbagoError
from lumbago.labels.companions import slice_file
from lumbago.labels.labelled_study import ImageKind, ImageRef
from lumbago.labels.metaimage import read_meta_header
from lumbago.labels.picture_slices import picture_size

Affine = Float64[np.ndarray, "4 4"]


@dataclass(frozen=True, eq=False, slots=True)
class SliceFrame:
    """One slice.

    Attributes:
        size: rows and columns.
        affine: from (0, row, column, 1) to patient millimetres (LPS); None when the image states no place.
        series_instance_uid, patient_id: as in the file, "" when it does not say.
    """

    size: tuple[int, int]
    affine: Affine | None = None
    series_instance_uid: str = ""
    patient_id: str = ""

    def to_lps_mm(self, row: float, column: float) -> Float64[np.ndarray, "3"] | None:
        """Where a pixel lies in the patient; None when the image states no place."""
        if self.affine is None:
            return None
        place: Float64[np.ndarray, 3] = (self.affine @ np.array([0.0, row, column, 1.0]))[:3]
        return place

    def holds(self, row: float, column: float) -> bool:
        """Whether a pixel is on the image; its very edge counts."""
        return -0.5 <= row <= self.size[0] and -0.5 <= column <= self.size[1]


@dataclass
class FrameReader:
    """Reads frames of slices, each file once."""

    decoder: Decoder
    _known: dict[tuple[Path, int | None], SliceFrame | None] = field(default_factory=dict)

    def frame(self, image: ImageRef, instance: int | None) -> SliceFrame | None:
        """The frame of a slice; None when there is no such slice, or it cannot be read."""
        key = image.path, instance
        if key not in self._known:
            try:
                self._known[key] = _FRAMES[image.kind](self, image, instance)
            except LumbagoError:
                self._known[key] = None
        return self._known[key]

    def headers(self, path: Path) -> tuple[SliceHeader, ...]:
        """Headers of the slices in a file; none when it is no image."""
        return self._slices(SourceFile(str(path), None, path.name))

    def first(self, image: ImageRef) -> SliceFrame | None:
        """The frame of any slice of an image."""
        if image.kind == "dicom":
            return self._first_of_files(image.path)
        return self.frame(image, None if image.kind == "picture" else 1)

    def _first_of_files(self, path: Path) -> SliceFrame | None:
        """Of a folder, a file, or a zip archive, as the dashboard keeps studies."""
        try:
            sources, _ = find_files(path, self.decoder)
        except LumbagoError:
            return None
        found = (self._slices(source) for source in sources)
        return next((_of_header(headers[0]) for headers in found if headers), None)

    def _slices(self, source: SourceFile) -> tuple[SliceHeader, ...]:
        content = self.decoder.read_content(source)
        return content.slices if isinstance(content, MrImage) else ()


def _dicom(reader: FrameReader, image: ImageRef, instance: int | None) -> SliceFrame | None:
    path = slice_file(image, instance)
    if path is None or not path.exists():
        return None
    headers = reader.headers(path) if path.is_file() else ()
    return _of_header(headers[0]) if headers else None


def _nifti(reader: FrameReader, image: ImageRef, instance: int | None) -> SliceFrame | None:
    headers = reader.headers(image.path)
    index = (instance or 1) - 1
    return _of_header(headers[index]) if 0 <= index < len(headers) else None


def _metaimage(reader: FrameReader, image: ImageRef, instance: int | None) -> SliceFrame | None:
    header = read_meta_header(image.path)
    slices, rows, columns = header.volume_shape
    index = (instance or 1) - 1
    if not 0 <= index < slices:
        return None
    affine = header.volume_affine.copy()
    affine[:3, 3] += affine[:3, 0] * index
    return SliceFrame((rows, columns), affine)


def _picture(reader: FrameReader, image: ImageRef, instance: int | None) -> SliceFrame | None:
    size = picture_size(image.path)
    return None if size is None else SliceFrame(size)


_FRAMES: Final[Mapping[ImageKind, Callable[[FrameReader, ImageRef, int | None], SliceFrame | None]]] = {
    "dicom": _dicom, "nifti": _nifti, "metaimage": _metaimage, "picture": _picture,
}  # fmt: skip


def _of_header(header: SliceHeader) -> SliceFrame:
    return SliceFrame((header.rows, header.columns), _affine(header), header.series_instance_uid, header.patient_id)


def _affine(header: SliceHeader) -> Affine | None:
    """PS3.3 section C.7.6.2.1.1."""
    if header.image_orientation is None or header.image_position is None or header.pixel_spacing is None:
        return None
    affine = np.eye(4)
    affine[:3, 1] = np.array(header.image_orientation[3:]) * header.pixel_spacing[0]
    affine[:3, 2] = np.array(header.image_orientation[:3]) * header.pixel_spacing[1]
    affine[:3, 3] = header.image_position
    return affine
