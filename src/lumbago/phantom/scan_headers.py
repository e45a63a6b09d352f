"""Headers of scanned slices, as a reader would have found them in files."""

import hashlib
from typing import Any

import numpy as np

from lumbago.dicom.study import SliceHeader, SourceFile
from lumbago.phantom.scan_spec import ScanSpec
from lumbago.phantom.spine_spec import SpineSpec

MR_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.4"
EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
STUDY_DATE = "20250101"
_IMAGE_TYPE = ("ORIGINAL", "PRIMARY", "M", "ND")


def made_uid(*parts: object) -> str:
    """A valid UID (UUID-derived arc 2.25) that depends on the parts alone."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"


def series_uid(person: str, scan_spec: ScanSpec) -> str:
    """UID of the series that a scan of a person (`SpineSpec.person`) makes."""
    return made_uid("series", person, scan_spec.role, scan_spec.disturbance.seed)


def instance_uid(series: str, number: int) -> str:
    """UID of an image by its number in its series."""
    return made_uid("instance", series, number)


def instance_number(scan_spec: ScanSpec, group: int, index: int) -> int:
    """Counted from 1 through all groups, along the slices or against them."""
    total = sum(planes.count for planes in scan_spec.groups)
    place = sum(planes.count for planes in scan_spec.groups[:group]) + index
    return place + 1 if scan_spec.instance_order == 1 else total - place


def slice_header(spine: SpineSpec, scan_spec: ScanSpec, group: int, index: int) -> SliceHeader:
    """The header of one slice of a phantom."""
    planes = scan_spec.groups[group]
    down, along = np.array(planes.down), np.array(planes.along)
    corner = np.array(planes.center_lps_mm) + index * planes.spacing * np.array(planes.normal)
    corner = corner - ((scan_spec.rows - 1) / 2 * down + (scan_spec.columns - 1) / 2 * along) * scan_spec.pixel_mm
    return SliceHeader(
        **_identity(spine, scan_spec, instance_number(scan_spec, group, index)),
        **_sequence(scan_spec),
        rows=scan_spec.rows,
        columns=scan_spec.columns,
        image_orientation=(*planes.along, *planes.down),
        image_position=(float(corner[0]), float(corner[1]), float(corner[2])),
        pixel_spacing=(scan_spec.pixel_mm, scan_spec.pixel_mm),
        slice_thickness=scan_spec.thickness,
        spacing_between_slices=planes.spacing,
        image_type=("DERIVED", "PRIMARY", "DIXON", "WATER") if scan_spec.contrast.water else _IMAGE_TYPE,
        photometric_interpretation="MONOCHROME2",
        patient_position="HFS",
        laterality="",
        temporal_position=None,
        burned_in_annotation="NO",
    )


def _identity(spine: SpineSpec, scan_spec: ScanSpec, number: int) -> dict[str, Any]:
    """Whose image it is, and which one: plainly a phantom's."""
    series = series_uid(spine.person, scan_spec)
    return {
        "source": SourceFile("", None, f"phantom-{spine.person}"),
        "frame": None,
        "sop_instance_uid": instance_uid(series, number),
        "sop_class_uid": MR_IMAGE_STORAGE,
        "series_instance_uid": series,
        "study_instance_uid": made_uid("study", spine.person),
        "frame_of_reference_uid": made_uid("frame", spine.person),
        "transfer_syntax_uid": EXPLICIT_LITTLE_ENDIAN,
        "instance_number": number,
        "acquisition_number": 1,
        "series_number": ("sagittal_t2", "sagittal_t1", "axial_t2").index(scan_spec.role) + 2,
        "study_description": "PHANTOM lumbar spine, synthetic",
        "patient_id": f"PHANTOM-{spine.person}",
        "patient_name": f"PHANTOM^{spine.person}",
        "patient_birth_date": "",
        "patient_sex": spine.sex,
        "patient_age": f"{int(spine.age):03d}Y",
        "study_date": STUDY_DATE,
    }


def _sequence(scan_spec: ScanSpec) -> dict[str, Any]:
    """How it was taken, in the vendor's words."""
    contrast, sequence, maker = scan_spec.contrast, scan_spec.sequence, scan_spec.maker
    return {
        "modality": "MR",
        "series_description": sequence.description[scan_spec.disturbance.seed % len(sequence.description)],
        "protocol_name": "",
        "body_part_examined": "LSPINE",
        "scanning_sequence": "SE\\IR" if contrast.inversion_time else "SE",
        "sequence_variant": "SK",
        "sequence_name": sequence.name,
        "scan_options": "",
        "contrast_agent": "",
        "repetition_time": contrast.repetition_time,
        "echo_time": contrast.echo_time,
        "inversion_time": contrast.inversion_time or None,
        "echo_train_length": contrast.echo_train,
        "flip_angle": sequence.flip_angle,
        "magnetic_field_strength": maker.tesla,
        "manufacturer": maker.manufacturer,
        "model_name": scan_spec.model,
    }
