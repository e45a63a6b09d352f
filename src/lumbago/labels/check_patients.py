"""Whether a patient has one name: identifiers in DICOM headers, and pictures with the same content."""

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from lumbago.labels.image_frames import FrameReader
from lumbago.labels.labelled_study import ImageRef, LabelledStudy
from lumbago.labels.problems import Problem


@dataclass
class PatientLedger:
    """What was seen of each patient, over all studies of a source."""

    patients: dict[tuple[str, str], set[str]] = field(default_factory=lambda: defaultdict(set))

    def enter(self, study: LabelledStudy, frames: FrameReader) -> Iterator[Problem]:
        """Notes the images of a study; a problem when they are of several patients, or cannot be read."""
        ids: set[str] = set()
        for image in study.images:
            if not image.path.exists():
                continue
            for what, value in _marks(image, frames):
                if what == "unreadable":
                    yield Problem(
                        "damaged_image", study.name, f"image {image.name}", f"{value} cannot be read", "an image",
                        "export it again",
                    )  # fmt: skip
                    continue
                self.patients[what, value].add(study.patient)
                ids |= {value} if what == "PatientID" else set()
        if len(ids) > 1:
            yield Problem(
                "several_names", study.name, "PatientID", f"images of {len(ids)} patients ({', '.join(sorted(ids))})",
                "one patient", "take the images of the others out",
            )  # fmt: skip

    def shared(self) -> Iterator[Problem]:
        """Whatever stands under more than one patient."""
        for (what, value), patients in self.patients.items():
            if len(patients) > 1:
                shown = sorted(patients)[:5] + ["..."][: len(patients) > 5]
                yield Problem(
                    "several_names", "", f"{what} {value}", f"under {', '.join(shown)}",
                    "one patient", "give them one name in studies.csv, or folds will share a patient",
                )  # fmt: skip


def _marks(image: ImageRef, frames: FrameReader) -> Iterator[tuple[str, str]]:
    """(what, value) by which an image, or its patient, is known again."""
    if image.kind == "picture":
        try:
            yield "picture", hashlib.sha256(image.path.read_bytes()).hexdigest()[:16]
        except OSError:
            yield "unreadable", image.path.name
        return
    first = frames.first(image)
    if first is None:
        yield "unreadable", image.path.name
        return
    if first.series_instance_uid:
        yield "SeriesInstanceUID", first.series_instance_uid
    if first.patient_id:
        yield "PatientID", first.patient_id
