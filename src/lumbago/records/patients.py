"""Patients: who a study is of, by PatientID and its issuer."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import Connection, select

from lumbago.records.rows import built, row_of
from lumbago.records.tables import PATIENTS, new_id, now


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
    """The patient of these facts, kept from now on if not already; without a PatientID it is always a new one."""
    unique = f"\\\\{new_id()}"  # a backslash stands in no PatientID: it parts values
    key = f"{facts.patient_id}\\{facts.issuer}" if facts.patient_id else unique
    row = db.execute(select(PATIENTS).where(PATIENTS.c.key == key)).first()
    if row is not None:
        return built(Patient, row)
    patient = Patient(new_id(), **asdict(facts))
    db.execute(PATIENTS.insert().values(**asdict(patient), key=key, created_at=now()))
    return patient


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
