"""A study whose truth is known: dark but for three beads, at the patient's left, front and head of its middle."""

from itertools import permutations, product
from pathlib import Path

import numpy as np
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage

BEADS = {"left": (24.0, 0.0, 0.0), "front": (0.0, -24.0, 0.0), "head": (0.0, 0.0, 24.0)}
"""Patient millimetres (LPS); each bead is two millimetres wide."""
SIZE, STEP_MM = 64, 1.0
DIRECTIONS = [
    (tuple(a * np.eye(3)[i]), tuple(b * np.eye(3)[j]))
    for i, j in permutations(range(3), 2)
    for a, b in product((1, -1), repeat=2)
]
"""Every way in which rows and columns can run along the patient's axes: 24 of them."""


def write_compass(folder: Path, along_row: tuple[float, ...], along_column: tuple[float, ...], name: str) -> Path:
    """A series of seven slices about the origin, 8 mm apart, one file each."""
    right, down = np.array(along_row), np.array(along_column)
    normal = np.cross(right, down)
    folder.mkdir(parents=True, exist_ok=True)
    for index, offset in enumerate(range(-24, 25, 8)):
        corner = normal * offset - (right + down) * STEP_MM * (SIZE - 1) / 2
        _write(folder / f"{index}.dcm", _picture(corner, right, down), corner, (right, down, name, index))
    return folder


def _picture(corner: np.ndarray, right: np.ndarray, down: np.ndarray) -> np.ndarray:
    steps = np.arange(SIZE) * STEP_MM
    places = corner + down * steps[:, None, None] + right * steps[None, :, None]
    picture = np.full((SIZE, SIZE), 20, np.uint16)
    for bead in BEADS.values():
        picture[np.abs(places - bead).max(axis=-1) <= 1.0] = 1000
    return picture


def _write(path: Path, picture: np.ndarray, corner: np.ndarray, about: tuple[np.ndarray, np.ndarray, str, int]) -> None:
    right, down, name, index = about
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID = MRImageStorage, ExplicitVRLittleEndian
    number = sum(map(ord, name))
    meta.MediaStorageSOPInstanceUID = f"1.2.3.{number}.{index + 1}"
    image = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    image.SOPClassUID, image.SOPInstanceUID = MRImageStorage, meta.MediaStorageSOPInstanceUID
    image.StudyInstanceUID, image.SeriesInstanceUID, image.FrameOfReferenceUID = "1.2.3", f"1.2.3.{number}", "1.2.4"
    image.PatientID = image.PatientName = "COMPASS"
    image.Modality, image.SeriesDescription, image.InstanceNumber = "MR", name, index + 1
    image.Rows = image.Columns = SIZE
    image.PixelSpacing, image.SliceThickness = [STEP_MM, STEP_MM], 8.0
    image.ImageOrientationPatient = [*right, *down]
    image.ImagePositionPatient = [float(value) for value in corner]
    image.RepetitionTime, image.EchoTime, image.ScanningSequence, image.SequenceVariant = 4000, 100, "SE", "NONE"
    image.BitsAllocated = image.BitsStored = 16
    image.HighBit, image.PixelRepresentation, image.SamplesPerPixel = 15, 0, 1
    image.PhotometricInterpretation = "MONOCHROME2"
    image.PixelData = picture.astype("<u2").tobytes()
    image.save_as(path, enforce_file_format=True)
