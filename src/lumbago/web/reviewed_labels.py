"""Training labels from the reviews of the records: written at each review, and all of them when records come back."""

from pathlib import Path
from threading import Lock
from typing import Final

from lumbago.records.reviews import reviewed_studies
from lumbago.records.store import Store
from lumbago.review.write_reviewed import ReviewedStudy, write_reviewed
from lumbago.web.study_records import study_record, user_names

_LOCK: Final = Lock()
"""Who reads the reviews later writes them later: no one's words are written over by what was known before them."""


def write_labels(store: Store, reviewed: Path, study_id: str) -> bool:
    """Writes a study's reviews into the folder where training reads them; says whether they are any labels.

    Raises:
        NotInRecords: no such study.
        OSError: the folder cannot be written.
    """
    with _LOCK:
        with store.read() as records:
            record, readers = study_record(records, study_id), user_names(records)
        images = record.newest("received")
        if record.whole is None or images is None:
            return False
        patient = record.study.patient
        # without the issuer, which not every file names: one person is never on both sides of a split
        key = f"patient:{patient.patient_id}" if patient.patient_id else f"lumbago:{patient.id}"
        labels = ReviewedStudy(study_id, key, store.blobs.place(images.sha256), readers)
        return write_reviewed(reviewed, labels, record.whole) is not None


def write_all_labels(store: Store, reviewed: Path) -> int:
    """Writes every study's reviews there; gives how many studies have labels.

    Raises:
        OSError: the folder cannot be written.
    """
    with store.read() as records:
        studies = reviewed_studies(records)
    return sum(write_labels(store, reviewed, study) for study in studies)
