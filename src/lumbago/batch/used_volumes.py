"""The volumes that findings were made of, read again without finding anything anew."""

from collections.abc import Mapping, Sequence

from lumbago.anatomy.conditions import Role
from lumbago.anatomy.findings import StudyFindings
from lumbago.dicom.build_volume import build_volumes
from lumbago.dicom.decoder import Decoder
from lumbago.dicom.describe_series import without_strays
from lumbago.dicom.patient_geometry import canonical_axial, canonical_sagittal
from lumbago.dicom.study import Study
from lumbago.dicom.volume import Volume


def used_volumes(study: Study, findings: StudyFindings, decoder: Decoder) -> Mapping[Role, Sequence[Volume]]:
    """By role, in display orientation: of a sagittal series its largest part, of axial series all."""
    by_uid = {series.series_instance_uid: series for series in study.series}
    volumes: dict[Role, list[Volume]] = {}
    for used in findings.study.series:
        if used.role is None or used.series_instance_uid not in by_uid:
            continue
        built = build_volumes(without_strays(by_uid[used.series_instance_uid]), decoder).volumes
        if used.role == "axial_t2":
            volumes.setdefault(used.role, []).extend(canonical_axial(volume) for volume in built)
        elif built:
            volumes[used.role] = [canonical_sagittal(max(built, key=lambda volume: len(volume.array)))]
    return volumes
