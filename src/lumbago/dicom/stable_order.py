"""Orders of slices, series and studies that come from their content: not from UIDs or names, nor from file order."""

import json
from collections.abc import Iterable
from dataclasses import fields
from hashlib import sha256
from typing import Any, Final

import numpy as np

from lumbago.dicom.study import Series, SliceHeader

_NAMES_ONLY: Final = (
    "source", "sop_instance_uid", "series_instance_uid", "study_instance_uid", "frame_of_reference_uid",
    "transfer_syntax_uid", "series_description", "protocol_name", "study_description", "issuer_of_patient_id",
)  # fmt: skip
_CONTENT: Final = tuple(field.name for field in fields(SliceHeader) if field.name not in _NAMES_ONLY)
_LAST: Final = 1 << 31


def content_hash(header: SliceHeader) -> str:
    """Of a header without its UIDs, free texts, encoding and place."""
    return sha256(json.dumps([getattr(header, field) for field in _CONTENT]).encode()).hexdigest()


def _numbered(number: int | None) -> int:
    return _LAST if number is None else number


def _place(header: SliceHeader) -> tuple[Any, ...]:
    """Orientation, and position along the normal of the slice; slices without geometry come last."""
    if header.image_orientation is None or header.image_position is None:
        return (1, (), 0.0)
    row, column = np.asarray(header.image_orientation[:3]), np.asarray(header.image_orientation[3:])
    along = float(np.cross(row, column) @ np.asarray(header.image_position))
    return (0, tuple(round(cosine, 2) + 0.0 for cosine in header.image_orientation), round(along, 3))


def slice_key(header: SliceHeader) -> tuple[Any, ...]:
    """Sorts the slices of a series: by place, instance number, content; UIDs only part what is otherwise alike."""
    return (
        _place(header),
        _numbered(header.instance_number),
        content_hash(header),
        header.frame or 0,
        header.sop_instance_uid,
    )


def _hash_of_all(headers: Iterable[SliceHeader]) -> str:
    return sha256("".join(sorted(content_hash(header) for header in headers)).encode()).hexdigest()


def series_key(series: Series) -> tuple[Any, ...]:
    """Sorts the series of a study."""
    return _numbered(series.first.series_number), _hash_of_all(series.slices), series.series_instance_uid


def study_key(series: Iterable[Series]) -> tuple[str, str, str]:
    """Sorts the studies of an input: by date, then content."""
    series = tuple(series)
    first = series[0].first
    content = sorted(_hash_of_all(one.slices) for one in series)
    return first.study_date, "".join(content), first.study_instance_uid
