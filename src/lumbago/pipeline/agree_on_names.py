"""One name for one disc: the sagittal series of a study must not call it differently."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from lumbago.anatomy.conditions import Role
from lumbago.anatomy.levels import MOST_DISCS, bottom_count, level_from_bottom
from lumbago.dicom.patient_geometry import share_frame
from lumbago.pipeline.locate_discs import SpineLocation

_SAME_DISC_MM = 14.0


def agree_on_names(sagittal: Mapping[Role, SpineLocation]) -> dict[Role, SpineLocation]:
    """Renames the discs of the less sure series after the surer one, by their places in the patient.

    When both are sure and still disagree, T2's names stand and none is sure any more. Series without a common frame of
    reference, or without known positions, keep their own names.
    """
    agreed = dict(sagittal)
    t2, t1 = sagittal.get("sagittal_t2"), sagittal.get("sagittal_t1")
    if t2 is None or t1 is None or not _share_frame(t2, t1):
        return agreed
    offset = _offset(t2, t1)
    if offset is None:
        return agreed
    if offset == 0:
        is_sure = t2.name_is_sure or t1.name_is_sure
        return {"sagittal_t2": replace(t2, name_is_sure=is_sure), "sagittal_t1": replace(t1, name_is_sure=is_sure)}
    if t1.name_is_sure and not t2.name_is_sure:
        return {"sagittal_t2": _renamed(t2, -offset, is_sure=True), "sagittal_t1": t1}
    is_sure = t2.name_is_sure and not t1.name_is_sure
    return {"sagittal_t2": replace(t2, name_is_sure=is_sure), "sagittal_t1": _renamed(t1, offset, is_sure=is_sure)}


def _share_frame(first: SpineLocation, second: SpineLocation) -> bool:
    if first.volume.geometry_is_assumed or second.volume.geometry_is_assumed:
        return False
    return share_frame(first.volume, second.volume)


def _offset(t2: SpineLocation, t1: SpineLocation) -> int | None:
    """How many discs further up T2 counts the same disc than T1 does, by the most common verdict; None when none
    match."""
    offsets = []
    for disc in t1.discs:
        distances = [float(np.linalg.norm(disc.center_lps_mm - other.center_lps_mm)) for other in t2.discs]
        if distances and min(distances) < _SAME_DISC_MM:
            other = t2.discs[int(np.argmin(distances))]
            offsets.append(bottom_count(other.level) - bottom_count(disc.level))
    return max(set(offsets), key=offsets.count) if offsets else None


def _renamed(location: SpineLocation, offset: int, *, is_sure: bool) -> SpineLocation:
    """Every disc counted `offset` further up; discs that would fall below L5/S1 are sacral and go, as do cervical
    ones."""
    counted = [(disc, bottom_count(disc.level) + offset) for disc in location.discs]
    discs = tuple(replace(disc, level=level_from_bottom(count)) for disc, count in counted if 1 <= count <= MOST_DISCS)
    return replace(location, discs=discs, name_is_sure=is_sure)
