"""Whether files belong to one patient, as far as they say."""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from lumbago.dicom.decoder import Identity, MrImage
from lumbago.dicom.study import SourceFile
from lumbago.errors import MixedPatients

_FIELDS: Final = {
    "patient_id": "PatientID",
    "patient_name": "PatientName",
    "patient_birth_date": "PatientBirthDate",
    "patient_sex": "PatientSex",
}


class IdentifiedFile(NamedTuple):
    """A file and whose it is."""

    source: SourceFile
    identity: Identity


def identified(image: MrImage) -> IdentifiedFile:
    """Whose an image is, by its first slice."""
    header = image.slices[0]
    return IdentifiedFile(image.source, Identity(*(getattr(header, field) for field in Identity.__dataclass_fields__)))


def folder_of(source: SourceFile) -> str:
    """The folder that a file lies in, relative to the input."""
    return source.name.rpartition("/")[0]


def _normalised(field: str, value: str) -> str:
    """Without what is mere spelling: case, and the separators and representations of a name (PS3.5 section 6.2)."""
    if field == "patient_name":
        value = " ".join(value.partition("=")[0].replace("^", " ").split())
    return unicodedata.normalize("NFKC", value).strip().casefold()


def contradiction(files: Iterable[IdentifiedFile]) -> tuple[str, SourceFile, SourceFile] | None:
    """The DICOM keyword in which two files contradict each other, and such files.

    What is empty is unknown, and contradicts nothing.
    """
    files = list(files)
    for field, keyword in _FIELDS.items():
        stated = {_normalised(field, getattr(identity, field)): source for source, identity in reversed(files)}
        stated.pop("", None)
        if len(stated) > 1:
            other, first = list(stated.values())[-2:]
            return keyword, first, other
    return None


def _refuse(groups: Mapping[str, list[IdentifiedFile]], where: str) -> None:
    for group in groups.values():
        found = contradiction(group)
        if found is not None:
            keyword, first, other = found
            raise MixedPatients(
                f"{where} holds more than one patient: {keyword} differs between {first.name} and {other.name}",
                "the images of one patient",
                "separate the patients, a folder for each",
            )


def refuse_mixed_patients(files: Iterable[IdentifiedFile]) -> None:
    """Checks every study, and every folder.

    Raises:
        MixedPatients: a StudyInstanceUID, or the files of one folder, belong to more than one patient. The message
            names files, no patients.
    """
    studies: dict[str, list[IdentifiedFile]] = defaultdict(list)
    folders: dict[str, list[IdentifiedFile]] = defaultdict(list)
    for file in files:
        if file.identity.study_instance_uid:
            studies[file.identity.study_instance_uid].append(file)
        folders[folder_of(file.source)].append(file)
    _refuse(studies, "one study")
    _refuse(folders, "one folder")
