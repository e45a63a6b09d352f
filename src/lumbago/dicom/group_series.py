"""Series whose SeriesInstanceUIDs were lost, as some programs that remove identities leave them: one UID for all series
of a study, or one for every image."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Final

import numpy as np

from lumbago.dicom.describe_series import describe_series, timed_weighting
from lumbago.dicom.stable_order import slice_key
from lumbago.dicom.study import Series, SliceHeader
from lumbago.dicom.timing_units import in_milliseconds

_FEW: Final = 10
"""Fewer images may each be a series, as in studies of single slices."""
_PLANNING: Final = 15
"""So many slices that cross each other may be a localizer."""
_BY_NUMBER: Final = "SeriesNumber"
_BY_PROTOCOL: Final = "name, size and timing"

_Groups = dict[Hashable, list[SliceHeader]]


def group_series(slices: Sequence[SliceHeader]) -> list[Series]:
    """The series of a study, each with its slices in order.

    Slices of one SeriesInstanceUID are a series, with two exceptions. Where a UID is given to slices of several
    SeriesNumbers that differ in plane, name, size or timing, these are series of their own; so are slices of several
    names, sizes and timings, where most are of one and others cross them, or where all slices of a study have one UID
    and cross each other or show T1 and T2. Where most of many slices have a UID of their own, those of one
    SeriesNumber, else of one plane, name, size and timing, are a series. Such a series has a made-up UID, and a remark.
    """
    by_uid = _grouped(slices, lambda header: header.series_instance_uid)
    if len(slices) >= _FEW and 2 * len(by_uid) > len(slices):
        return _brought_together(slices) or list(map(_series, by_uid.values()))
    return [one for members in by_uid.values() for one in _parted(members, is_alone=len(by_uid) == 1)]


def _grouped(slices: Sequence[SliceHeader], key: Callable[[SliceHeader], Hashable]) -> _Groups:
    groups: _Groups = defaultdict(list)
    for header in slices:
        groups[key(header)].append(header)
    return groups


def _series(slices: Sequence[SliceHeader]) -> Series:
    return Series(slices[0].series_instance_uid, tuple(sorted(slices, key=slice_key)))


def _number(header: SliceHeader) -> Hashable:
    return header.series_number


def _protocol(header: SliceHeader) -> Hashable:
    """What slices of a series share, several echoes of a place among them."""
    spacing = header.pixel_spacing and tuple(round(value, 4) for value in header.pixel_spacing)
    return (
        header.series_description, header.protocol_name, header.rows, header.columns, spacing,
        header.scanning_sequence, header.repetition_time, header.inversion_time,
    )  # fmt: skip


def _kind(header: SliceHeader) -> Hashable:
    if header.image_orientation is None:
        return None, _protocol(header)
    row, column = header.image_orientation[:3], header.image_orientation[3:]
    return int(np.argmax(np.abs(np.cross(row, column)))), _protocol(header)


def _may_be_series(groups: _Groups, slices: Sequence[SliceHeader]) -> bool:
    """Several, and not a number for every slice or two."""
    return 1 < len(groups) <= len(slices) // 2


def _parted(slices: Sequence[SliceHeader], *, is_alone: bool) -> list[Series]:
    numbers, protocols = _grouped(slices, _number), _grouped(slices, _protocol)
    if _may_be_series(numbers, slices) and len({frozenset(map(_kind, part)) for part in numbers.values()}) > 1:
        return _made_up(numbers, f"{len(numbers)} series share one SeriesInstanceUID; they were parted by {_BY_NUMBER}")
    if _may_be_series(protocols, slices) and _are_several(slices, protocols, is_alone=is_alone):
        text = f"{len(protocols)} series share one SeriesInstanceUID; they were parted by {_BY_PROTOCOL}"
        return _made_up(protocols, text)
    return [_series(slices)]


def _are_several(slices: Sequence[SliceHeader], protocols: _Groups, *, is_alone: bool) -> bool:
    """Whether slices cannot be one series: they cross each other, or some show T1 and some T2; beside other series only
    where most are of one protocol and do not cross each other, as those of a localizer do."""
    if len(slices) > _PLANNING and _cross(slices):
        most = max(protocols.values(), key=len)
        return is_alone or (2 * len(most) > len(slices) and not _cross(most))
    return is_alone and {"t1", "t2"} <= {timed_weighting(in_milliseconds(part[0])) for part in protocols.values()}


def _cross(slices: Sequence[SliceHeader]) -> bool:
    return describe_series(_series(slices)).plane == "unknown"


def _brought_together(slices: Sequence[SliceHeader]) -> list[Series]:
    """None where neither number nor protocol is common to several slices, or one without a place may stand alone."""
    if any(header.image_position is None for header in slices):
        return []
    remark = "most slices have a SeriesInstanceUID of their own; they were joined by"
    numbers, kinds = _grouped(slices, _number), _grouped(slices, _kind)
    if _may_be_series(numbers, slices) and None not in numbers:
        return _made_up(numbers, f"{remark} {_BY_NUMBER}")
    return _made_up(kinds, f"{remark} {_BY_PROTOCOL}") if len(kinds) <= len(slices) // 2 else []


def _made_up(groups: _Groups, remark: str) -> list[Series]:
    """Series with UIDs that depend on what they have in common."""

    def series(key: Hashable, slices: Sequence[SliceHeader]) -> Series:
        first = min(slices, key=slice_key)
        digest = sha256(repr((first.study_instance_uid, key)).encode()).digest()
        uid = f"2.25.{int.from_bytes(digest[:16], 'big')}"
        renamed = [replace(header, series_instance_uid=uid) for header in slices]
        return replace(_series(renamed), remarks=(remark,))

    return [series(key, slices) for key, slices in groups.items()]
