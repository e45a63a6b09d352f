"""Studies and their series: what came, when, from where, and how far it is."""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final, Literal, get_args

from sqlalchemy import Connection, Row, Select, select

from lumbago.errors import UsageError
from lumbago.records.patients import Patient, PatientFacts, add_patient, may_be
from lumbago.records.rows import built, only
from lumbago.records.tables import PATIENTS, SERIES, STUDIES, new_id, now

State = Literal["received", "waiting", "running", "analyzed", "failed", "refused", "held", "reviewed", "signed"]
"""`refused` is no lumbar MR study; `held` waits for a person, for instance as it mixes patients."""
STATES: Final[tuple[str, ...]] = get_args(State)


@dataclass(frozen=True, slots=True)
class StudyFacts:
    """A study as DICOM names it; `date` is `2026-11-21` or empty, `received_from` a user's name or an AE title."""

    study_instance_uid: str
    date: str = ""
    description: str = ""
    accession_number: str = ""
    received_from: str = ""


@dataclass(frozen=True, slots=True)
class Study:
    """A study that is kept.

    Attributes:
        id: ours; state: one of STATES; reason: why it is there, for a person.
        severity, uncertainty: 0 to 1, of its newest findings; None before the first. See `priority`.
    """

    id: str
    patient: Patient
    study_instance_uid: str
    date: str
    description: str
    accession_number: str
    received_at: datetime
    received_from: str
    state: str
    reason: str
    severity: float | None
    uncertainty: float | None


@dataclass(frozen=True, slots=True)
class SeriesFacts:
    """A series of a study, and what it is used for (`role`, empty for nothing)."""

    series_instance_uid: str
    description: str = ""
    role: str = ""
    plane: str = ""
    weighting: str = ""
    slices: int = 0
    reason: str = ""


def add_study(db: Connection, patient: PatientFacts, facts: StudyFacts) -> Study:
    """The study of this patient and StudyInstanceUID, kept from now on if not already; a part of a study that names no
    issuer of the PatientID belongs to the parts that do, and one without a PatientID to the parts without one. Where it
    may belong to several it belongs to one whose patient is told by the very same facts."""
    parts = studies_with_uid(db, facts.study_instance_uid) if facts.study_instance_uid else ()
    same = [study for study in parts if may_be(study.patient, patient)]
    alike = [study for study in same if asdict(patient).items() <= asdict(study.patient).items()]
    owner = (alike or same)[0].patient if alike or len(same) == 1 else add_patient(db, patient)
    known = (STUDIES.c.patient_id == owner.id) & (STUDIES.c.study_instance_uid == facts.study_instance_uid)
    row = db.execute(select_studies().where(known)).first()
    if row is not None:
        return study_of(row)
    study_id = new_id()
    values: dict[str, Any] = {"received_at": now(), "state": "received", "search": search_text(owner, facts)}
    db.execute(STUDIES.insert().values(id=study_id, patient_id=owner.id, **asdict(facts), **values))
    return find_study(db, study_id)


def find_study(db: Connection, study: str) -> Study:
    """The study of an id of ours.

    Raises:
        NotInRecords: there is none.
    """
    return study_of(only(db, select_studies().where(STUDIES.c.id == study), "study"))


def studies_with_uid(db: Connection, study_instance_uid: str) -> Sequence[Study]:
    """Studies of this StudyInstanceUID: more than one when patients were mixed up."""
    query = select_studies().where(STUDIES.c.study_instance_uid == study_instance_uid).order_by(STUDIES.c.received_at)
    return [study_of(row) for row in db.execute(query)]


def studies_of_patient(db: Connection, patient: str) -> Sequence[Study]:
    """A patient's studies, oldest first; one without a date is as old as its receiving."""
    query = select_studies().where(STUDIES.c.patient_id == patient).order_by(STUDIES.c.received_at)
    found = [study_of(row) for row in db.execute(query)]
    return sorted(found, key=lambda study: study.date or study.received_at.date().isoformat())


def set_state(db: Connection, study: str, state: State, reason: str = "") -> None:
    """Says how far a study is, and why.

    Raises:
        UsageError: there is no such state.
    """
    if state not in STATES:
        raise UsageError(f"a study has no state {state}", f"one of {', '.join(STATES)}")
    db.execute(STUDIES.update().where(STUDIES.c.id == study).values(state=state, reason=reason))


def put_series(db: Connection, study: str, series: Iterable[SeriesFacts]) -> None:
    """Sets the series of a study; those said before are forgotten."""
    db.execute(SERIES.delete().where(SERIES.c.study_id == study))
    rows = [{"id": new_id(), "study_id": study, **asdict(one)} for one in series]
    if rows:
        db.execute(SERIES.insert(), rows)


def series_of(db: Connection, study: str) -> Sequence[SeriesFacts]:
    """A study's series."""
    query = select(SERIES).where(SERIES.c.study_id == study).order_by(SERIES.c.series_instance_uid)
    return [built(SeriesFacts, row) for row in db.execute(query)]


def search_text(patient: Patient, facts: StudyFacts) -> str:
    """What the worklist's search looks into."""
    words = (patient.name, patient.patient_id, facts.description, facts.accession_number, facts.study_instance_uid)
    return folded("\n".join(words))


def folded(text: str) -> str:
    """Text whose capitals, widths and caret between names make no difference."""
    return unicodedata.normalize("NFKC", text).casefold().replace("^", " ")


_PATIENT: Final = [column.label(f"of_{column.name}") for column in PATIENTS.c]


def select_studies() -> Select[Any]:
    """Studies beside their patients, for `study_of`."""
    return select(STUDIES, *_PATIENT).join(PATIENTS, STUDIES.c.patient_id == PATIENTS.c.id)


def study_of(row: Row[Any]) -> Study:
    """A row of `select_studies`."""
    found = row._mapping
    patient = Patient(**{name: found[f"of_{name}"] for name in Patient.__slots__})
    return built(Study, row, patient=patient)
