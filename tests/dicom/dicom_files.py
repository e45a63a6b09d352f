"""Small real DICOM files for the tests of reading."""

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pydicom.data
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset

SAGITTAL = [0.0, 1.0, 0.0, 0.0, 0.0, -1.0]
AXIAL = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]
CORONAL = [1.0, 0.0, 0.0, 0.0, 0.0, -1.0]
ROOT = "1.2.826.0.1.3680043.10.9999."


def make_slice(number: int = 1, pixels: np.ndarray | None = None, **fields: Any) -> Dataset:
    """A sagittal T2 slice, 4 mm from its neighbours; `fields` are DICOM keywords, None takes one away."""
    if pixels is None:
        pixels = np.random.default_rng(number).integers(0, 4096, (24, 20), dtype=np.uint16)
    dataset = Dataset()
    values = {
        "SOPClassUID": uid.MRImageStorage, "SOPInstanceUID": f"{ROOT}9.{number}", "StudyInstanceUID": f"{ROOT}1",
        "SeriesInstanceUID": f"{ROOT}2", "FrameOfReferenceUID": f"{ROOT}3", "Modality": "MR", "PatientID": "P1",
        "PatientName": "Doe^Jane", "StudyDate": "20240102", "SeriesNumber": 1, "InstanceNumber": number,
        "SeriesDescription": "T2 sag", "ImageType": ["ORIGINAL", "PRIMARY", "M"], "ScanningSequence": "SE",
        "RepetitionTime": 3000, "EchoTime": 100, "SliceThickness": 4, "PixelSpacing": [0.5, 0.75],
        "ImageOrientationPatient": SAGITTAL, "ImagePositionPatient": [4.0 * number - 20, -50.0, 60.0],
        "Rows": pixels.shape[-2], "Columns": pixels.shape[-1], "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2", "BitsAllocated": 8 * pixels.itemsize,
        "BitsStored": 8 * pixels.itemsize, "HighBit": 8 * pixels.itemsize - 1,
        "PixelRepresentation": int(pixels.dtype.kind == "i"),
    }  # fmt: skip
    for keyword, value in (values | fields).items():
        if value is not None:
            setattr(dataset, keyword, value)
    dataset.PixelData = pixels.tobytes() + b"\0" * (pixels.nbytes % 2)
    dataset["PixelData"].VR = "OW" if pixels.itemsize > 1 else "OB"
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.get("SOPClassUID", uid.MRImageStorage)
    dataset.file_meta.MediaStorageSOPInstanceUID = f"{ROOT}9.{number}"
    return dataset


def save(dataset: Dataset, path: Path) -> Path:
    """Writes a data set in the transfer syntax that it names."""
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)
    return path


def write_series(folder: Path, count: int = 3, **fields: Any) -> Path:
    """`count` slices as `folder/IM0001` and so on."""
    for number in range(1, count + 1):
        save(make_slice(number, **fields), folder / f"IM{number:04}")
    return folder


def public_files() -> list[Path]:
    """The test files inside pydicom, and those of the package pydicom-data where it is installed."""
    folders = [Path(pydicom.data.__file__).parent / "test_files"]
    further = importlib.util.find_spec("data_store")
    if further is not None and further.origin is not None:
        folders.append(Path(further.origin).parent / "data")
    return [path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()]
