"""Patients: who a study is of, by PatientID and its issuer."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

from sqlalchemy import Connection, select

from lumbago.records.rows import built, row_of
from lumbago.records.tables import PATIENTS, new_id, now

_SEXES: Final = frozenset({"F", "M"})


@dataclass(frozen=True, slots=True)
class PatientFacts:
    """A patient as DICOM names one: PatientID, IssuerOfPatientID, PatientName, PatientSex, and the day of birth
    (`1970-12-31`); empty where it is not known."""

    patient_id: str
    issuer: str = ""
    name: str = ""
    sex: str = ""
    birth_date: str = ""


@dataclass(frozen=True, slots=True)
class Patient:
    """A patient that is kept; `id` is ours."""

    id: str
    patient_id: str
    issuer: str
    name: str
    sex: str
    birth_date: str


def add_patient(db: Connection, facts: PatientFacts) -> Patient:
    """The patient of these facts, kept from now on if not already; without a PatientID, or where everybody of that
    PatientID is somebody else, it is a new one.

    One issuer's number is no other's. Where only one of two names an issuer, they are one person when the day of birth
    and the name say so, and two when these are not known.
    """
    known = _of_number(db, facts) if facts.patient_id else []
    here = [patient for patient in known if patient.issuer == facts.issuer]
    same = next((patient for patient in here if not _is_another(patient, facts)), None)
    if same is None or not _is_surely(same, facts):
        sure = [patient for patient in known if may_be(patient, facts) and _is_surely(patient, facts)]
        same = sure[0] if len(sure) == 1 else same
    if same is not None:
        return same
    is_first = facts.patient_id and not here
    unique = f"\\\\{new_id()}"  # a backslash stands in no PatientID: it parts values
    key = f"{facts.patient_id}\\{facts.issuer}" + ("" if is_first else unique)
    patient = Patient(new_id(), **asdict(facts))
    db.execute(PATIENTS.insert().values(**asdict(patient), key=key, created_at=now()))
    return patient


def _of_number(db: Connection, facts: PatientFacts) -> Sequence[Patient]:
    number = PATIENTS.c.patient_id == facts.patient_id
    query = select(PATIENTS).where(number).order_by(PATIENTS.c.created_at, PATIENTS.c.id)
    return [built(Patient, row) for row in db.execute(query)]


def may_be(known: Patient, facts: PatientFacts) -> bool:
    """Whether a patient who is kept can be the one of these facts, by number, issuer and person; where one of the two
    names no issuer, or neither a number, it may be the same."""
    issuers = {known.issuer, facts.issuer} - {""}
    return known.patient_id == facts.patient_id and len(issuers) < 2 and not _is_another(known, facts)


def _is_surely(known: Patient, facts: PatientFacts) -> bool:
    return bool(known.birth_date) and known.birth_date == facts.birth_date and _share_a_word(known.name, facts.name)


def _is_another(known: Patient, facts: PatientFacts) -> bool:
    """Whether two of one PatientID cannot be one person: two hospitals count from 1, and few files name the issuer.

    The dates of birth decide; where one is missing, another sex, or a name that shares no word.
    """
    if known.birth_date and facts.birth_date:
        return known.birth_date != facts.birth_date
    is_named = bool(_words(known.name) and _words(facts.name))
    return {known.sex, facts.sex} == _SEXES or (is_named and not _share_a_word(known.name, facts.name))


def _share_a_word(name: str, other: str) -> bool:
    return not _words(name).isdisjoint(_words(other))


def _words(name: str) -> set[str]:
    return set(re.findall(r"\w+", unicodedata.normalize("NFKC", name).casefold()))


def find_patient(db: Connection, patient: str) -> Patient:
    """The patient of an id of ours.

    Raises:
        NotInRecords: there is none.
    """
    return built(Patient, row_of(db, PATIENTS, patient, "patient"))


def patients_named(db: Connection, name: str) -> Sequence[Patient]:
    """Patients of this PatientID, or of this id of ours."""
    query = select(PATIENTS).where((PATIENTS.c.patient_id == name) | (PATIENTS.c.id == name)).order_by(PATIENTS.c.id)
    return [built(Patient, row) for row in db.execute(query)]
