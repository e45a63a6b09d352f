"""The files of one study in one zip: what is kept of what was received.

Files are numbered, never named by what came from outside; the 128 bytes before `DICM`, which may hold anything (also a
program), are zeroed. The same files give the same bytes, so that a study received twice is kept once.
"""

import zipfile
from pathlib import Path
from typing import Any, Final

from lumbago.dicom.describe_series import describe_series
from lumbago.dicom.open_source import open_source
from lumbago.dicom.study import SourceFile, Study

_PREAMBLE: Final = 128
_LONG_AGO: Final = (1980, 1, 1, 0, 0, 0)
_SUFFIXES: Final = (".nii.gz", ".nii")
_CHUNK: Final = 1 << 20


def pack_study(study: Study, target: Path) -> Path:
    """Writes the files of a study, each once, in the order of their series.

    Raises:
        OSError: the zip cannot be written.
        BadImageError: a file is gone.
    """
    sources = dict.fromkeys(header.source for series in study.series for header in series.slices)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for number, source in enumerate(sources, start=1):
            _copy(source, archive, f"{number:06d}{_suffix(source)}")
    return target


def _suffix(source: SourceFile) -> str:
    name = source.name.lower()
    return next((suffix for suffix in _SUFFIXES if name.endswith(suffix)), ".dcm")


def _copy(source: SourceFile, archive: zipfile.ZipFile, name: str) -> None:
    stream, size = open_source(source.path, source.member)
    with stream, archive.open(zipfile.ZipInfo(name, _LONG_AGO), "w", force_zip64=size >= 1 << 31) as target:
        head = stream.read(_PREAMBLE + 4)
        target.write(bytes(_PREAMBLE) + head[_PREAMBLE:] if head[_PREAMBLE:] == b"DICM" else head)
        while chunk := stream.read(_CHUNK):
            target.write(chunk)


def describe(study: Study, path: Path) -> dict[str, Any]:
    """What the records keep of a study before anybody has looked at its images."""
    first = study.first
    series = []
    for one in study.series:
        what = describe_series(one)
        row = {"series_instance_uid": one.series_instance_uid, "description": one.first.series_description,
               "plane": what.plane, "weighting": what.weighting, "slices": len(one.slices)}  # fmt: skip
        series.append(row)
    return {
        "path": str(path), "study_instance_uid": study.study_instance_uid, "name": study.name,
        "patient_id": first.patient_id, "patient_name": first.patient_name, "patient_sex": first.patient_sex,
        "patient_birth_date": first.patient_birth_date, "study_date": first.study_date,
        "study_description": first.study_description, "series": series, "issuer_of_patient_id": _issuer(study),
        "skipped": [{"name": file.name, "reason": file.reason, "is_damage": file.is_damage} for file in study.skipped],
    }  # fmt: skip


def _issuer(study: Study) -> str:
    """Who gave the PatientID, as the first series says that says it: not every machine does. Of several values the
    first."""
    stated = (one.first.issuer_of_patient_id.partition("\\")[0].strip() for one in study.series)
    return next((issuer for issuer in stated if issuer), "")
