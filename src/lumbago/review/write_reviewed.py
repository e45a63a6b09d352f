"""Reviews as training labels: a folder for each reviewed study, which the label source `reviewed` reads.

    LUMBAGO_HOME/reviewed/<study id>/findings.json   the machine's, under the numbering that readers settled
    LUMBAGO_HOME/reviewed/<study id>/review.json     what readers said, with the machine's grade beside each

Places where readers differ and nobody decided are no labels.
"""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lumbago.labels.read_reviewed import SCHEMA
from lumbago.labels.tables import write_whole
from lumbago.review.readings import Opinion, StudyReading


@dataclass(frozen=True, slots=True)
class ReviewedStudy:
    """What a reviewed study is called, whose it is, where its images lie, and who its readers are by id."""

    name: str
    patient: str
    images: Path
    readers: Mapping[str, str]


def write_reviewed(folder: Path, study: ReviewedStudy, whole: StudyReading) -> Path | None:
    """Writes a study's labels; while no reader says anything there are none, and those of what was taken back go.

    Raises:
        OSError: the folder cannot be written.
    """
    corrections = list(_corrections(study, whole))
    place = folder / study.name
    if not corrections and not whole.signed:
        if place.exists():
            shutil.rmtree(place)
        return None
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    review = {
        "schema": SCHEMA,
        "study": os.path.relpath(study.images, place),
        "patient": study.patient,
        "rest_confirmed": bool(whole.signed) and not whole.disputed,
        "numbering_shift": whole.shift,
        "signed": [{"reader": study.readers.get(one.reader, one.reader), "date": _text(one.signed_at)}
                   for one in whole.signed],
        "disputed": [list(site) for site in whole.disputed],
        "corrections": corrections,
    }  # fmt: skip
    write_whole(place / "findings.json", whole.findings.to_json())
    write_whole(place / "review.json", json.dumps(review, indent=1, ensure_ascii=False) + "\n")
    return place


def _corrections(study: ReviewedStudy, whole: StudyReading) -> Iterator[dict[str, Any]]:
    for (condition, level, side), opinion in whole.opinions.items():
        said = any((condition, level, side) in reading.said for reading in whole.readings.values())
        if opinion.state == "disputed" or not (said or opinion.state == "adjudicated"):
            continue
        machine = opinion.machine
        yield {
            "condition": condition, "level": level, "side": side, "grade": opinion.grade,
            "reader": ", ".join(study.readers.get(reader, reader) for reader in opinion.readers),
            "date": _text(opinion.made_at), "state": opinion.state,
            "machine_grade": machine.grade if machine is not None else None,
            "machine_probabilities": dict(machine.probabilities) if machine is not None else {},
            **_place(opinion),
        }  # fmt: skip


def _place(opinion: Opinion) -> dict[str, Any]:
    places = {name: getattr(opinion, name) for name in ("point_lps_mm", "box_lps_mm", "box_down_lps")}
    return {name: value for name, value in places.items() if value is not None}


def _text(moment: Any) -> str:
    return "" if moment is None else moment.isoformat(timespec="microseconds")
