"""Studies whose StudyInstanceUID was lost, as some programs that remove identities leave them: one for every series."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from lumbago.dicom.group_series import group_series
from lumbago.dicom.study import Series, SliceHeader

_JOINED: Final = (
    "every series has a StudyInstanceUID of its own; those of one patient, day and frame of reference were joined"
)

_Session = tuple[str, str, str]
"""PatientID, StudyDate, FrameOfReferenceUID."""


def group_studies(slices: Iterable[SliceHeader]) -> list[list[Series]]:
    """The series of each study.

    Slices of one StudyInstanceUID are a study. Studies of a single series each are one where they state the same
    patient, day and frame of reference, and most are not of a single slice; their series have a remark.
    """
    studies: dict[str, list[SliceHeader]] = defaultdict(list)
    for header in slices:
        studies[header.study_instance_uid].append(header)
    sessions: dict[_Session, list[str]] = defaultdict(list)
    for uid, headers in studies.items():
        if (session := _session_of(headers)) is not None:
            sessions[session].append(uid)
    lost = [
        uids
        for uids in sessions.values()
        if len(uids) > 1 and 2 * sum(len(studies[uid]) > 1 for uid in uids) > len(uids)
    ]
    joined = {uid for uids in lost for uid in uids}
    whole = [group_series(headers) for uid, headers in studies.items() if uid not in joined]
    return whole + [_joined(min(uids), [header for uid in uids for header in studies[uid]]) for uids in lost]


def _session_of(headers: list[SliceHeader]) -> _Session | None:
    """Of a study of a single series, None for others and where any of the three is not stated."""
    sessions = {(header.patient_id, header.study_date, header.frame_of_reference_uid) for header in headers}
    session = sessions.pop()
    is_lone = len({header.series_instance_uid for header in headers}) == 1
    return session if is_lone and not sessions and all(session) else None


def _joined(uid: str, headers: list[SliceHeader]) -> list[Series]:
    series = group_series([replace(header, study_instance_uid=uid) for header in headers])
    return [replace(one, remarks=(_JOINED, *one.remarks)) for one in series]
