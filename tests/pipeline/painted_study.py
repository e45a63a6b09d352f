"""The painted spine as DICOM files, and the studies read from them."""

from pathlib import Path
from typing import Any, Final

import numpy as np
from painted_spine import DISCS, T1, T2, Spine, axial_block, sagittal_volume
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset

from lumbago.dicom.volume import Volume

ROOT: Final = "1.2.826.0.1.3680043.10.9998."
TIMING: Final[dict[str, dict[str, Any]]] = {
    "t1": {"RepetitionTime": 550, "EchoTime": 11},
    "t2": {"RepetitionTime": 3500, "EchoTime": 100},
    "unknown": {"RepetitionTime": None, "EchoTime": None},
}


def write_volume(volume: Volume, folder: Path, number: int, timing: str, **fields: Any) -> Path:
    """One file a slice; `fields` are DICOM keywords."""
    folder.mkdir(parents=True, exist_ok=True)
    for index, picture in enumerate(volume.array):
        dataset = _slice(volume, index, number, timing, fields)
        dataset.PixelData = picture.astype("<u2").tobytes()
        dataset["PixelData"].VR = "OW"
        dataset.save_as(folder / f"IM{number}{index:03}", enforce_file_format=True)
    return folder


def _slice(volume: Volume, index: int, number: int, timing: str, fields: dict[str, Any]) -> Dataset:
    dataset = Dataset()
    steps = volume.affine[:3, :3] / volume.spacing_mm
    place = volume.to_lps_mm(np.array([index, 0.0, 0.0]))
    values = {
        "SOPClassUID": uid.MRImageStorage, "SOPInstanceUID": f"{ROOT}{number}.{index + 1}",
        "StudyInstanceUID": f"{ROOT}1", "SeriesInstanceUID": f"{ROOT}2.{number}", "FrameOfReferenceUID": f"{ROOT}3",
        "Modality": "MR", "PatientID": "P1", "PatientName": "Doe^Jane", "PatientSex": "F", "PatientAge": "050Y",
        "StudyDate": "20240102", "StudyDescription": "L SPINE", "SeriesNumber": number, "InstanceNumber": index + 1,
        "Manufacturer": "Maker", "ManufacturerModelName": "Model", "MagneticFieldStrength": 1.5,
        "ScanningSequence": "SE", "ImageType": ["ORIGINAL", "PRIMARY", "M"], "SliceThickness": 4,
        "PixelSpacing": [f"{volume.spacing_mm[1]:.6f}", f"{volume.spacing_mm[2]:.6f}"],
        "ImageOrientationPatient": [f"{value:.8f}" for value in (*steps[:, 2], *steps[:, 1])],
        "ImagePositionPatient": [f"{value:.6f}" for value in place], "Rows": volume.array.shape[1],
        "Columns": volume.array.shape[2], "SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2",
        "BitsAllocated": 16, "BitsStored": 16, "HighBit": 15, "PixelRepresentation": 0, **TIMING[timing],
    }  # fmt: skip
    for keyword, value in {**values, **fields}.items():
        if value is not None:
            setattr(dataset, keyword, value)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    return dataset


def small_sagittal(greys: tuple[float, ...] = T2, spine: Spine | None = None) -> Volume:
    """Eleven slices, foramina in view."""
    return sagittal_volume(spine, first_x=-17.0, slices=11, greys=greys)


def write_study(folder: Path) -> Path:
    """Sagittal T1 (series 1) and T2 (2), and an axial block at each disc (3)."""
    write_volume(small_sagittal(T1), folder, 1, "t1")
    write_volume(small_sagittal(), folder, 2, "t2")
    for block, disc in enumerate(DISCS):
        number = 30 + block
        write_volume(axial_block(disc, disc.tilt, slices=3), folder, number, "t2", SeriesInstanceUID=f"{ROOT}2.3")
    return folder
