"""A parsed DICOM data set as the fields of one `SliceHeader` per frame (limited child only).

Classic and enhanced images (PS3.3 sections A.4 and A.36) come out in the same words.
"""

import math
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset

from lumbago.dicom.check_image import PixelFormat, check_rescale
from lumbago.dicom.open_source import BadImageError

_MAX_TEXT: Final = 1024

_TEXTS: Final = {
    "sop_instance_uid": "SOPInstanceUID", "sop_class_uid": "SOPClassUID", "series_instance_uid": "SeriesInstanceUID",
    "study_instance_uid": "StudyInstanceUID", "frame_of_reference_uid": "FrameOfReferenceUID", "modality": "Modality",
    "series_description": "SeriesDescription", "protocol_name": "ProtocolName", "study_description": "StudyDescription",
    "body_part_examined": "BodyPartExamined", "scanning_sequence": "ScanningSequence",
    "sequence_variant": "SequenceVariant", "sequence_name": "SequenceName", "scan_options": "ScanOptions",
    "contrast_agent": "ContrastBolusAgent", "manufacturer": "Manufacturer", "model_name": "ManufacturerModelName",
    "laterality": "Laterality", "patient_position": "PatientPosition", "patient_id": "PatientID",
    "patient_name": "PatientName", "patient_birth_date": "PatientBirthDate", "patient_sex": "PatientSex",
    "patient_age": "PatientAge", "study_date": "StudyDate", "burned_in_annotation": "BurnedInAnnotation",
    "acquisition_contrast": "AcquisitionContrast", "mr_acquisition_type": "MRAcquisitionType",
    "issuer_of_patient_id": "IssuerOfPatientID",
}  # fmt: skip
_NUMBERS: Final = {
    "slice_thickness": "SliceThickness", "spacing_between_slices": "SpacingBetweenSlices",
    "repetition_time": "RepetitionTime", "echo_time": "EchoTime", "inversion_time": "InversionTime",
    "flip_angle": "FlipAngle", "magnetic_field_strength": "MagneticFieldStrength",
    "diffusion_b_value": "DiffusionBValue",
}  # fmt: skip
_WHOLE_NUMBERS: Final = {
    "instance_number": "InstanceNumber", "series_number": "SeriesNumber", "echo_train_length": "EchoTrainLength",
    "acquisition_number": "AcquisitionNumber", "temporal_position": "TemporalPositionIdentifier",
}  # fmt: skip
_OF_THE_PICTURE: Final = (
    "series_description", "protocol_name", "body_part_examined", "scanning_sequence", "sequence_variant",
    "sequence_name", "scan_options", "laterality", "patient_position", "burned_in_annotation", "acquisition_contrast",
    "mr_acquisition_type",
)  # fmt: skip
"""Texts that a converter may have put down for each frame."""
_IDENTITY: Final = ("study_instance_uid", "patient_id", "patient_name", "patient_birth_date", "patient_sex")
_OTHER_KEYWORDS: Final = (
    "ImageType", "Rows", "Columns", "NumberOfFrames", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation",
    "PhotometricInterpretation", "SamplesPerPixel", "RescaleSlope", "RescaleIntercept", "ImagePositionPatient",
    "ImageOrientationPatient", "PixelSpacing", "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence",
    "EchoPulseSequence", "InversionRecovery", "PulseSequenceName", "SpecificCharacterSet", "ContrastBolusAgentSequence",
    "PixelPaddingValue", "ImagerPixelSpacing", "PlanarConfiguration",
)  # fmt: skip


def tags_of(keywords: Iterable[str]) -> list[int]:
    """The tags of DICOM keywords."""
    return [tag for keyword in keywords if (tag := tag_for_keyword(keyword)) is not None]


HEADER_TAGS: Final = tags_of((*_TEXTS.values(), *_NUMBERS.values(), *_WHOLE_NUMBERS.values(), *_OTHER_KEYWORDS))
PIXEL_TAGS: Final = tags_of(_OTHER_KEYWORDS)


def _values(dataset: Dataset, keyword: str) -> list[Any]:
    """All values of an attribute; none when it is absent, empty, or not to be understood."""
    try:
        value = dataset.get(keyword)
    except (TypeError, ValueError, OverflowError, LookupError):
        return []
    if value is None or isinstance(value, str | bytes | int | float) or not isinstance(value, Iterable):
        return [] if value in (None, "", b"") else [value]
    return list(value)


def text(dataset: Dataset, keyword: str) -> str:
    """An attribute as one line; several values joined by the backslash that DICOM itself puts between them."""
    value = dataset.get(keyword) if keyword == "PatientName" else None
    joined = str(value) if value is not None else "\\".join(str(item) for item in _values(dataset, keyword))
    line = joined[:_MAX_TEXT].strip(" \0\r\n\t")
    return line if line.isprintable() else "".join(c for c in line if unicodedata.category(c) != "Cc").strip()


def numbers(dataset: Dataset, keyword: str) -> tuple[float, ...]:
    """An attribute as numbers; empty when any of them is none."""
    try:
        return tuple(float(value) for value in _values(dataset, keyword))
    except (TypeError, ValueError, OverflowError):
        return ()


def number(dataset: Dataset, keyword: str) -> float | None:
    """The first finite number of an attribute, or None."""
    values = numbers(dataset, keyword)
    return values[0] if values and math.isfinite(values[0]) else None


def _whole(dataset: Dataset, keyword: str) -> int | None:
    value = number(dataset, keyword)
    return None if value is None else int(value)


def _vector(dataset: Dataset, keyword: str, length: int) -> tuple[float, ...] | None:
    """A geometry attribute: absent is None, but what cannot be numbers makes the image untrustworthy."""
    if not text(dataset, keyword):
        return None
    values = numbers(dataset, keyword)
    if len(values) != length or not all(math.isfinite(value) and abs(value) < 1e6 for value in values):
        raise BadImageError(f"its {keyword} is not {length} finite numbers")
    return values


def _geometry(position: Dataset, orientation: Dataset, measures: Dataset) -> dict[str, Any]:
    """Some converters move PixelSpacing to ImagerPixelSpacing, which is the same where nothing magnifies."""
    stated = (_vector(measures, "PixelSpacing", 2) or (), numbers(measures, "ImagerPixelSpacing"))
    return {
        "image_position": _vector(position, "ImagePositionPatient", 3),
        "image_orientation": _vector(orientation, "ImageOrientationPatient", 6),
        "pixel_spacing": next((pair for pair in stated if len(pair) == 2 and all(0 < mm < 1e6 for mm in pair)), None),
    }


def _contrast_agent(dataset: Dataset) -> str:
    """As it is called, else as its code means; classic images state the one, enhanced ones the other."""
    codes = [code for code in _values(dataset, "ContrastBolusAgentSequence") if isinstance(code, Dataset)]
    return text(dataset, _TEXTS["contrast_agent"]) or "\\".join(text(code, "CodeMeaning") for code in codes)


def identity(dataset: Dataset) -> dict[str, str]:
    """Which study and whose: of any DICOM object."""
    return {field: text(dataset, _TEXTS[field]) for field in _IDENTITY}


def _image_type(dataset: Dataset, keyword: str) -> list[str]:
    return [str(value).strip() for value in _values(dataset, keyword)]


def _shared_fields(dataset: Dataset, pixel_format: PixelFormat, transfer_syntax: str) -> dict[str, Any]:
    fields: dict[str, Any] = {field: text(dataset, keyword) for field, keyword in _TEXTS.items()}
    fields |= {field: number(dataset, keyword) for field, keyword in _NUMBERS.items()}
    fields |= {field: _whole(dataset, keyword) for field, keyword in _WHOLE_NUMBERS.items()}
    return fields | {
        "transfer_syntax_uid": transfer_syntax,
        "contrast_agent": _contrast_agent(dataset),
        "rows": pixel_format.rows,
        "columns": pixel_format.columns,
        "photometric_interpretation": pixel_format.photometric_interpretation,
        "image_type": _image_type(dataset, "ImageType"),
        "frame": None,
    }


def rescale(dataset: Dataset) -> tuple[float, float]:
    """Checked slope and intercept; absent they are 1 and 0."""

    def stated(keyword: str, default: float) -> float:
        values = numbers(dataset, keyword)
        if not values and text(dataset, keyword):
            raise BadImageError(f"its {keyword} is no number")
        return next(iter(values), default)

    return check_rescale(stated("RescaleSlope", 1.0), stated("RescaleIntercept", 0.0))


class FunctionalGroups:
    """The per-frame groups of an enhanced image, each falling back on the shared ones."""

    def __init__(self, dataset: Dataset) -> None:
        shared: Any = dataset.get("SharedFunctionalGroupsSequence") or ()
        self._dataset = dataset
        self._shared = shared[0] if len(shared) else Dataset()
        self._frames: Any = dataset.get("PerFrameFunctionalGroupsSequence") or ()

    def __bool__(self) -> bool:
        return bool(len(self._frames) or len(self._shared))

    def check_count(self, frames: int) -> None:
        """Raises BadImageError unless every frame has its groups."""
        if len(self._frames) not in (0, frames):
            raise BadImageError(f"declares {frames} frames, but describes {len(self._frames)}")

    def find_all(self, index: int, keyword: str) -> Sequence[Dataset]:
        """The items of a group of a frame; none when nobody states it."""
        own = self._frames[index] if len(self._frames) else Dataset()
        for place in (own, self._shared):
            group: Sequence[Dataset] | None = place.get(keyword)
            if group is not None and len(group):
                return group
        return ()

    def find(self, index: int, keyword: str) -> Dataset:
        """The group of a frame, or its first item; empty when nobody states it."""
        return next(iter(self.find_all(index, keyword)), Dataset())

    def rescale(self, index: int) -> tuple[float, float]:
        """Checked slope and intercept of a frame."""
        group = self.find(index, "PixelValueTransformationSequence")
        return rescale(group if len(group) else self._dataset)


def _timing(groups: FunctionalGroups, index: int) -> dict[str, Any]:
    """MR timing and contrast of a frame (PS3.3 sections C.8.13.5.1 to .6), in the words of classic images."""
    timing = groups.find(index, "MRTimingAndRelatedParametersSequence")
    echo = groups.find(index, "MREchoSequence")
    modifier = groups.find(index, "MRModifierSequence")
    measures = groups.find(index, "PixelMeasuresSequence")
    suppression = text(modifier, "SpectrallySelectedSuppression")
    found = {
        "repetition_time": number(timing, "RepetitionTime"),
        "flip_angle": number(timing, "FlipAngle"),
        "echo_train_length": _whole(timing, "EchoTrainLength"),
        "echo_time": number(echo, "EffectiveEchoTime"),
        "inversion_time": number(modifier, "InversionTimes"),
        "slice_thickness": number(measures, "SliceThickness"),
        "spacing_between_slices": number(measures, "SpacingBetweenSlices"),
        "diffusion_b_value": number(groups.find(index, "MRDiffusionSequence"), "DiffusionBValue"),
        "scan_options": "FS" if suppression in ("FAT", "WATER", "FAT_AND_WATER") else suppression,
        "_inversion": text(modifier, "InversionRecovery"),
    }
    return {field: value for field, value in found.items() if value not in (None, "")}


_SEQUENCE_WORDS: Final = {"SPIN": "SE", "GRADIENT": "GR", "BOTH": "SE\\GR"}


def _sequence_words(dataset: Dataset, inversion: str) -> dict[str, str]:
    words = _SEQUENCE_WORDS.get(text(dataset, "EchoPulseSequence"), "")
    if "YES" in (inversion, text(dataset, "InversionRecovery")):
        words = f"{words}\\IR".strip("\\")
    found = {"scanning_sequence": words, "sequence_name": text(dataset, "PulseSequenceName")}
    return {field: value for field, value in found.items() if value}


def _converted(groups: FunctionalGroups, index: int) -> dict[str, Any]:
    """What an archive that made an enhanced image of classic ones found no other place for (PS3.3 section
    C.7.6.16.2), which may be all their timing."""
    found: dict[str, Any] = {}
    for frames in ("Shared", "PerFrame"):
        group = groups.find(index, f"Unassigned{frames}ConvertedAttributesSequence")
        fields: dict[str, Any] = {field: text(group, _TEXTS[field]) for field in _OF_THE_PICTURE}
        fields |= {field: number(group, keyword) for field, keyword in _NUMBERS.items()}
        fields |= {field: _whole(group, keyword) for field, keyword in _WHOLE_NUMBERS.items()}
        fields |= {"contrast_agent": _contrast_agent(group), "image_type": _image_type(group, "ImageType")}
        found |= {field: value for field, value in fields.items() if value not in (None, "", [])}
    return found


def _agent_in_frame(groups: FunctionalGroups, index: int) -> str | None:
    """Empty when none had been given yet; None when nothing says so."""
    usages = groups.find_all(index, "ContrastBolusUsageSequence")
    return "" if {text(usage, "ContrastBolusAgentAdministered") for usage in usages} == {"NO"} else None


def _frame_content(groups: FunctionalGroups, index: int) -> dict[str, Any]:
    content = groups.find(index, "FrameContentSequence")
    found = {
        "temporal_position": _whole(content, "TemporalPositionIndex"),
        "acquisition_number": _whole(content, "FrameAcquisitionNumber"),
        "image_type": _image_type(groups.find(index, "MRImageFrameTypeSequence"), "FrameType"),
        "contrast_agent": _agent_in_frame(groups, index),
    }
    return {field: value for field, value in found.items() if value not in (None, [])}


def _enhanced_frame(dataset: Dataset, groups: FunctionalGroups, index: int) -> dict[str, Any]:
    groups.rescale(index)
    geometry = _geometry(
        groups.find(index, "PlanePositionSequence"),
        groups.find(index, "PlaneOrientationSequence"),
        groups.find(index, "PixelMeasuresSequence"),
    )
    timing = _timing(groups, index)
    words = _sequence_words(dataset, timing.pop("_inversion", ""))
    stated = geometry | timing | words | _frame_content(groups, index)
    return _converted(groups, index) | stated | {"frame": index + 1, "instance_number": index + 1}


def read_frame_headers(
    dataset: Dataset, pixel_format: PixelFormat, transfer_syntax: str
) -> tuple[Mapping[str, Any], list[Mapping[str, Any]]]:
    """(fields that all frames share, one mapping per frame with the fields that are its own).

    Raises:
        BadImageError: geometry or scaling that is no finite number, a missing UID, frames that nothing describes.
    """
    shared = _shared_fields(dataset, pixel_format, transfer_syntax)
    for field in ("sop_instance_uid", "series_instance_uid", "study_instance_uid"):
        if not shared[field]:
            raise BadImageError(f"states no {_TEXTS[field]}")
    groups = FunctionalGroups(dataset)
    if groups:
        groups.check_count(pixel_format.frames)
        return shared, [_enhanced_frame(dataset, groups, index) for index in range(pixel_format.frames)]
    rescale(dataset)
    if pixel_format.frames == 1:
        return shared, [_geometry(dataset, dataset, dataset)]
    nowhere = {"image_position": None, "image_orientation": None, "pixel_spacing": None}
    return shared, [nowhere | {"frame": index + 1} for index in range(pixel_format.frames)]
