"""A scanned slice as a DICOM file: MR Image Storage with a vendor's habits, and plainly a phantom.

Attributes after DICOM PS3.3, section A.4 (MR Image IOD). Nothing in the file depends on time or machine: the same
slice gives the same bytes.
"""

from io import BytesIO
from typing import Final

import numpy as np
from jaxtyping import Float32, UInt16
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import UID

from lumbago.dicom.study import SliceHeader
from lumbago.phantom.scan_headers import made_uid

SYNTHETIC: Final = "Synthetic image of a made-up phantom. No patient."
_IMPLEMENTATION: Final = UID(made_uid("lumbago phantom writer", 1))

Image = Float32[np.ndarray, "rows columns"]


def window_of(image: Image, manufacturer: str) -> tuple[float, float]:
    """Display window (centre, width) by the vendor's habit: width 2.3 times the centre, at Philips 1.74 times."""
    bright = float(np.percentile(image, 99.0))
    factor = 1.74 if manufacturer.startswith("Philips") else 2.3
    center = max(bright / (0.5 + factor / 4), 1.0)
    return float(round(center)), float(round(center * factor))


def slice_bytes(header: SliceHeader, image: Image, window: tuple[float, float], states_thickness: bool) -> bytes:
    """The file of one slice. Grey values are rounded, and cut at 12 bits as scanners do."""
    dataset = Dataset()
    _add_patient(dataset, header)
    _add_series(dataset, header)
    _add_plane(dataset, header, states_thickness)
    _add_sequence(dataset, header)
    dataset.WindowCenter, dataset.WindowWidth = _decimal(window[0]), _decimal(window[1])
    _add_pixels(dataset, np.clip(np.rint(image), 0, 4095).astype(np.uint16))
    return _encoded(dataset, header)


def _decimal(value: float) -> str:
    """A decimal string of at most 16 characters."""
    text = f"{value:.10g}"
    return text if len(text) <= 16 else f"{value:.8f}"[:16]


def _add_patient(dataset: Dataset, header: SliceHeader) -> None:
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.PatientName = header.patient_name
    dataset.PatientID = header.patient_id
    dataset.PatientBirthDate = ""
    dataset.PatientSex = header.patient_sex
    dataset.PatientAge = header.patient_age
    dataset.PatientComments = SYNTHETIC
    dataset.StudyInstanceUID = header.study_instance_uid
    dataset.StudyDate = header.study_date
    dataset.StudyTime = "120000"
    dataset.StudyID = "1"
    dataset.AccessionNumber = ""
    dataset.ReferringPhysicianName = ""
    dataset.StudyDescription = header.study_description


def _add_series(dataset: Dataset, header: SliceHeader) -> None:
    dataset.SOPClassUID = header.sop_class_uid
    dataset.SOPInstanceUID = header.sop_instance_uid
    dataset.Modality = header.modality
    dataset.SeriesInstanceUID = header.series_instance_uid
    dataset.SeriesNumber = header.series_number
    dataset.SeriesDescription = header.series_description
    dataset.BodyPartExamined = header.body_part_examined
    dataset.PatientPosition = header.patient_position
    dataset.FrameOfReferenceUID = header.frame_of_reference_uid
    dataset.PositionReferenceIndicator = ""
    dataset.Manufacturer = header.manufacturer
    dataset.ManufacturerModelName = header.model_name
    dataset.InstitutionName = "PHANTOM"
    dataset.InstanceNumber = header.instance_number
    dataset.AcquisitionNumber = header.acquisition_number
    dataset.ImageType = list(header.image_type)
    dataset.ImageComments = SYNTHETIC
    dataset.BurnedInAnnotation = header.burned_in_annotation


def _add_plane(dataset: Dataset, header: SliceHeader, states_thickness: bool) -> None:
    assert header.image_orientation and header.image_position and header.pixel_spacing
    dataset.ImageOrientationPatient = [_decimal(value) for value in header.image_orientation]
    dataset.ImagePositionPatient = [_decimal(value) for value in header.image_position]
    dataset.PixelSpacing = [_decimal(value) for value in header.pixel_spacing]
    dataset.SliceThickness = _decimal(header.slice_thickness or 0) if states_thickness else ""
    if states_thickness and header.spacing_between_slices:
        dataset.SpacingBetweenSlices = _decimal(header.spacing_between_slices)


def _add_sequence(dataset: Dataset, header: SliceHeader) -> None:
    dataset.ScanningSequence = header.scanning_sequence.split("\\")
    dataset.SequenceVariant = header.sequence_variant
    dataset.ScanOptions = header.scan_options
    dataset.MRAcquisitionType = "2D"
    if header.sequence_name:
        dataset.SequenceName = header.sequence_name
    dataset.RepetitionTime = _decimal(header.repetition_time or 0)
    dataset.EchoTime = _decimal(header.echo_time or 0)
    if header.inversion_time:
        dataset.InversionTime = _decimal(header.inversion_time)
    dataset.EchoTrainLength = header.echo_train_length
    dataset.FlipAngle = _decimal(header.flip_angle or 0)
    dataset.MagneticFieldStrength = _decimal(header.magnetic_field_strength or 0)
    dataset.InPlanePhaseEncodingDirection = "COL"


def _add_pixels(dataset: Dataset, pixels: UInt16[np.ndarray, "rows columns"]) -> None:
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
    dataset.PixelRepresentation = 0
    dataset.PixelData = pixels.astype("<u2").tobytes()


def _encoded(dataset: Dataset, header: SliceHeader) -> bytes:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(header.sop_class_uid)
    meta.MediaStorageSOPInstanceUID = UID(header.sop_instance_uid)
    meta.TransferSyntaxUID = UID(header.transfer_syntax_uid)
    meta.ImplementationClassUID = _IMPLEMENTATION
    meta.ImplementationVersionName = "LUMBAGO_PHANTOM"
    dataset.file_meta = meta
    buffer = BytesIO()
    dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()
