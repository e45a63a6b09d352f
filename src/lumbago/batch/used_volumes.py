"""The volumes that findings were made of, read again without finding anything anew."""

from collections.abc import Container, Mapping, Sequence

from lumbago.anatomy.conditions import Role
from lumbago.anatomy.findings import StudyFindings
from lumbago.dicom.build_volume import build_volumes
from lumbago.dicom.decoder import Decoder
from lumbago.dicom.describe_series import without_strays
from lumbago.dicom.patient_geometry import canonical_axial, canonical_sagittal
from lumbago.dicom.study import Study
from lumbago.dicom.volume import Volume


def used_volumes(study: Study, findings: StudyFindings, decoder: Decoder) -> Mapping[Role, Sequence[Volume]]:
    """By role, in display orientation: of a sagittal series its largest part and those that findings point to, of axial
    series all."""
    shown = {finding.evidence.sop_instance_uid for finding in findings.findings if finding.evidence is not None}
    by_uid = {series.series_instance_uid: series for series in study.series}
    volumes: dict[Role, list[Volume]] = {}
    for used in findings.study.series:
        if used.role is None or used.series_instance_uid not in by_uid:
            continue
        built = build_volumes(without_strays(by_uid[used.series_instance_uid]), decoder).volumes
        if used.role == "axial_t2":
            volumes.setdefault(used.role, []).extend(canonical_axial(volume) for volume in built)
        elif built:
            largest = max(built, key=lambda volume: len(volume.array))
            kept = [largest, *(volume for volume in built if volume is not largest and _shows(volume, shown))]
            volumes[used.role] = [canonical_sagittal(volume) for volume in kept]
    return volumes


def _shows(volume: Volume, sop_instance_uids: Container[str]) -> bool:
    return any(header.sop_instance_uid in sop_instance_uids for header in volume.headers)
