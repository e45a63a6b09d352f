"""Slice headers made without files."""

from typing import Any

import numpy as np

from lumbago.dicom.decoder import DecodedSlices
from lumbago.dicom.study import SliceHeader, SourceFile

SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)


def make_header(number: int = 1, **fields: Any) -> SliceHeader:
    """A sagittal T2 slice of 8 x 10 pixels; `fields` replace what is said otherwise."""
    text = dict.fromkeys((n for n, kind in SliceHeader.__annotations__.items() if kind is str), "")
    absent = dict.fromkeys(n for n in SliceHeader.__annotations__ if n not in text)
    stated = {
        "source": SourceFile(f"/{number}", None, f"IM{number}"), "sop_instance_uid": f"1.{number}",
        "series_instance_uid": "1", "study_instance_uid": "2", "modality": "MR", "rows": 8, "columns": 10,
        "image_orientation": SAGITTAL, "image_position": (4.0 * number, 0.0, 0.0), "pixel_spacing": (0.5, 0.75),
        "slice_thickness": 4.0, "instance_number": number, "image_type": ("ORIGINAL", "PRIMARY", "M"),
        "repetition_time": 3000.0, "echo_time": 100.0, "scanning_sequence": "SE",
    }  # fmt: skip
    return SliceHeader(**{**absent, **text, **stated, **fields})


def decoded(headers: list[SliceHeader]) -> DecodedSlices:
    """Slices whose every pixel is the slice's place in the list."""
    arrays = tuple(np.full((h.rows, h.columns), place, np.float32) for place, h in enumerate(headers))
    return DecodedSlices(tuple(headers), arrays, ())
