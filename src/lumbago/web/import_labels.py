"""Labels that were corrected elsewhere come back as reviews: Labelme, COCO, YOLO or tables, as `export` wrote them."""

import io
import json
import math
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Literal, get_args

from lumbago.batch.label_pictures import FRAMES, points_of
from lumbago.errors import NotInRecords, UnreadableInput
from lumbago.labels.labelled_study import LabelledStudy
from lumbago.labels.sources import read_source
from lumbago.records.findings import machine_findings
from lumbago.records.reviews import Remark
from lumbago.records.users import User
from lumbago.review.acts import Site as Place
from lumbago.review.readings import Opinion, StudyReading
from lumbago.web.reviewing import review_study
from lumbago.web.site import Site
from lumbago.web.study_records import reading_in

Form = Literal["labelme", "coco", "yolo", "csv"]
FORMS: Final[tuple[str, ...]] = get_args(Form)
"""In which labels go out and come back."""
_MOST_BYTES: Final = 64 << 20
_MOST_FILES: Final = 20_000
_MOVED_MM: Final = 1.5
"""A point that lies nearer to where it was is rounding."""


def import_labels(site: Site, user: User, form: Form, archive: bytes) -> Counter[str]:
    """Appends to the reviews what a label archive says otherwise; gives how many of each kind, and studies left out.

    Raises:
        UnreadableInput: no archive of labels.
        UsageError: no such form.
    """
    done: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as place:
        folder = _unpacked(archive, Path(place))
        frames = json.loads((folder / FRAMES).read_text(encoding="utf8")) if (folder / FRAMES).is_file() else {}
        labels = folder / "labels" if (folder / "labels").is_dir() else folder
        for study in read_source(form, labels):
            done += _import_study(site, user, study, frames)
    return done


def _unpacked(archive: bytes, place: Path) -> Path:
    """The archive's files below a folder; names that lead elsewhere are cut to what lies inside."""
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as source:
            members = source.infolist()
            if len(members) > _MOST_FILES or sum(member.file_size for member in members) > _MOST_BYTES:
                raise UnreadableInput("the archive is too large", "labels alone, without pictures")
            for member in members:
                if not member.filename.lower().endswith((".png", ".jpg")):
                    source.extract(member, place)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, OSError, RuntimeError, NotImplementedError, EOFError) as error:
        raise UnreadableInput("this is no zip archive that can be read", "a zip of label files") from error
    return place


def _import_study(site: Site, user: User, study: LabelledStudy, frames: dict[str, Any]) -> Counter[str]:
    with site.store.read() as records:
        newest = machine_findings(records, study.name)
        whole = reading_in(records, study.name)
    if newest is None or whole is None:
        return Counter({"studies that are not kept here": 1})
    done: Counter[str] = Counter()
    for remark in (*_grades(study, whole), *_moves(study, whole, frames)):
        with suppress(NotInRecords):
            review_study(site, user, study.name, newest.id, remark)
            done[remark.kind] += 1
    return done


def _grades(study: LabelledStudy, whole: StudyReading) -> Iterator[Remark]:
    """Grades that differ from what is settled here."""
    for (condition, level, side), grade in study.grades.items():
        opinion = whole.opinions.get((condition, level, side))
        if opinion is None and grade is not None:
            yield Remark("add", condition, level, side or "", {"grade": grade})
        elif opinion is not None and opinion.grade != grade:
            yield Remark("grade", condition, level, side or "", {"grade": grade})


def _moves(study: LabelledStudy, whole: StudyReading, frames: dict[str, Any]) -> Iterator[Remark]:
    """Points that lie elsewhere than here."""
    for shape, point in points_of(study, frames):
        if shape.kind != "point" or shape.condition is None or shape.level is None:
            continue
        place: Place = (shape.condition, shape.level, shape.side)
        before = _point_of(whole.opinions.get(place))
        if before is not None and _in_plane(before, point, frames, study, shape.image) > _MOVED_MM:
            yield Remark("move", shape.condition, shape.level, shape.side or "", {"point_lps_mm": point})


def _point_of(opinion: Opinion | None) -> tuple[float, ...] | None:
    if opinion is None:
        return None
    if opinion.point_lps_mm is not None:
        return opinion.point_lps_mm
    evidence = opinion.machine.evidence if opinion.machine is not None else None
    return evidence.point_lps_mm if evidence is not None else None


def _in_plane(
    before: tuple[float, ...], point: list[float], frames: dict[str, Any], study: LabelledStudy, image: str
) -> float:
    """Distance along the picture alone: across it nothing can be drawn."""
    found = study.image(image)
    frame = frames[found.path.name] if found is not None else {}
    apart = [now - then for now, then in zip(point, before, strict=True)]
    steps = [frame[name] for name in ("down", "right")]
    along = [sum(a * b for a, b in zip(apart, step, strict=True)) / math.hypot(*step) for step in steps]
    return math.hypot(*along)
