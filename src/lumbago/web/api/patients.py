"""Patients over time; models; scores."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends

from lumbago.inference.deployed import models_in_use
from lumbago.inference.weights import read_card
from lumbago.records.audit import Event
from lumbago.records.patients import find_patient
from lumbago.records.studies import studies_of_patient
from lumbago.web.access import Visitor, audited
from lumbago.web.api.studies import study_view
from lumbago.web.pages.history import patient_courses
from lumbago.web.pages.models import card_view
from lumbago.web.scores import evaluate_here
from lumbago.web.visitors import Here, Viewer

router = APIRouter(prefix="/api/v1", tags=["patients and models"])
Opening = Annotated[Visitor, Depends(audited("viewer", Event.PATIENT_RECORD, "read history"))]


@router.get("/patients/{patient_id}")
def history(patient_id: str, visitor: Opening, site: Here) -> dict[str, Any]:
    """A patient's studies, every grade and measurement over time, and what changed beyond error."""
    with site.store.read() as records:
        patient = find_patient(records, patient_id)
        studies = list(studies_of_patient(records, patient_id))
        found = patient_courses(records, studies)
    return asdict(patient) | {
        "studies": [study_view(study) for study in studies], "courses": [asdict(course) for course in found],
    }  # fmt: skip


@router.get("/models")
def models(visitor: Viewer, site: Here) -> list[dict[str, Any]]:
    """The cards of the models in use."""
    return [dict(card_view(read_card(folder))) for folder in models_in_use(site.settings).values()]


@router.get("/evaluation")
def evaluation(visitor: Viewer, site: Here) -> dict[str, Any]:
    """The machine against signed readings, readers among themselves."""
    with site.store.read() as records:
        return asdict(evaluate_here(records))
