"""DICOM segmentations, written here as scanners' workstations write them."""

from pathlib import Path

import numpy as np
import pytest
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.pixels.utils import pack_bits

from lumbago.errors import NotAGrid, UnreadableInput
from lumbago.labels.open_images import open_mask
from lumbago.labels.segmentation_file import read_segmentation, read_segments
from lumbago.labels.sources import read_source

SEGMENTS = {1: "Disc L4-L5", 2: "Spinal canal"}
X0, Y0, Z0, STEP = -8.0, -30.0, 50.0, 4.0


def item(**fields: object) -> Dataset:
    made = Dataset()
    for keyword, value in fields.items():
        setattr(made, keyword, value)
    return made


def write_segmentation(path: Path, frames: list[tuple[int, float, np.ndarray]], kind: str = "BINARY") -> Path:
    """Frames of (segment, x in mm, mask), sagittal; rows run down, columns to the back."""
    rows, columns = frames[0][2].shape
    stack = np.stack([mask for _, _, mask in frames])
    binary = kind == "BINARY"
    data = item(
        SOPClassUID=uid.SegmentationStorage, SOPInstanceUID="1.2.3", Modality="SEG", Rows=rows, Columns=columns,
        NumberOfFrames=len(frames), SamplesPerPixel=1, PhotometricInterpretation="MONOCHROME2", PixelRepresentation=0,
        BitsAllocated=1 if binary else 8, BitsStored=1 if binary else 8, HighBit=0 if binary else 7,
        SegmentationType=kind, MaximumFractionalValue=200,
        SegmentSequence=[item(SegmentNumber=number, SegmentLabel=label) for number, label in SEGMENTS.items()],
        SharedFunctionalGroupsSequence=[item(
            PlaneOrientationSequence=[item(ImageOrientationPatient=[0, 1, 0, 0, 0, -1])],
            PixelMeasuresSequence=[item(PixelSpacing=[0.5, 0.75], SliceThickness=4)],
        )],
        PerFrameFunctionalGroupsSequence=[item(
            PlanePositionSequence=[item(ImagePositionPatient=[x, Y0, Z0])],
            SegmentIdentificationSequence=[item(ReferencedSegmentNumber=number)],
        ) for number, x, _ in frames],
    )  # fmt: skip
    packed = pack_bits(stack.astype(np.uint8)) if binary else (stack * 200).astype(np.uint8).tobytes()
    data.PixelData = packed + b"\0" * (len(packed) % 2)
    data["PixelData"].VR = "OB"
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID, data.file_meta.MediaStorageSOPInstanceUID = uid.SegmentationStorage, "1.2.3"
    path.parent.mkdir(parents=True, exist_ok=True)
    data.save_as(path, enforce_file_format=True)
    return path


def square(row: int, column: int) -> np.ndarray:
    mask = np.zeros((12, 10), bool)
    mask[row : row + 3, column : column + 2] = True
    return mask


FRAMES = [
    (2, X0 + STEP, square(5, 7)),
    (1, X0, square(1, 1)),
    (1, X0 + 2 * STEP, square(2, 2)),
    (1, X0 + STEP, square(2, 1)),
]


@pytest.mark.parametrize("kind", ["BINARY", "FRACTIONAL"])
def test_frames_become_one_volume(tmp_path: Path, kind: str) -> None:
    path = write_segmentation(tmp_path / "seg.dcm", FRAMES, kind)
    assert read_segments(path) == SEGMENTS
    volume = read_segmentation(path)
    assert volume.array.shape == (3, 12, 10)
    for number, x, mask in FRAMES:
        for row, column in np.argwhere(mask):
            place = np.array([x, Y0 + 0.75 * column, Z0 - 0.5 * row])
            i, j, k = np.rint(volume.to_ijk(place)).astype(int)
            assert volume.array[i, j, k] == number
    assert np.count_nonzero(volume.array) == sum(mask.sum() for _, _, mask in FRAMES)


def test_it_is_a_mask_of_its_study(tmp_path: Path, decoder: object) -> None:
    write_segmentation(tmp_path / "masks" / "ann.dcm", FRAMES)
    (study,) = read_source("masks", tmp_path)
    (mask,) = study.shapes
    assert mask.values == ((1, "disc", "L4/L5"), (2, "canal", None))
    assert set(np.unique(open_mask(mask, decoder).array)) == {0, 1, 2}  # type: ignore[arg-type]


def test_uneven_planes_are_refused(tmp_path: Path) -> None:
    frames = [(1, x, square(1, 1)) for x in (0.0, 4.0, 8.0, 14.0)]
    with pytest.raises(NotAGrid, match="not evenly spaced"):
        read_segmentation(write_segmentation(tmp_path / "seg.dcm", frames))


def test_what_is_no_segmentation(tmp_path: Path) -> None:
    path = tmp_path / "x.dcm"
    path.write_bytes(b"nothing")
    with pytest.raises(UnreadableInput, match="cannot be read"):
        read_segments(path)
    whole = write_segmentation(tmp_path / "seg.dcm", FRAMES)
    whole.write_bytes(whole.read_bytes()[:-8])
    with pytest.raises(UnreadableInput, match=r"is damaged|cannot be read"):
        read_segmentation(whole)
