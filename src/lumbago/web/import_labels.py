"""Labels that were corrected elsewhere come back as reviews: Labelme, COCO, YOLO or tables, see `label_archives`."""

import math
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Literal, get_args

from lumbago.anatomy.findings import Site as Place
from lumbago.errors import NotInRecords
from lumbago.records.findings import machine_findings
from lumbago.records.reviews import Remark
from lumbago.review.readings import Opinion, StudyReading
from lumbago.web.access import Visitor
from lumbago.web.label_archives import Said, known_frames, read_archive
from lumbago.web.reviewing import review_study
from lumbago.web.site import Site
from lumbago.web.study_records import reading_in

Form = Literal["labelme", "coco", "yolo", "csv"]
FORMS: Final[tuple[str, ...]] = get_args(Form)
"""In which labels go out and come back."""
_MOVED_MM: Final = 1.5
"""A point that lies nearer to where it was is rounding."""


def import_labels(site: Site, visitor: Visitor, form: Form, archive: Path) -> Counter[str]:
    """Appends to the reviews what a label archive says otherwise; gives how many of each kind, and studies left out.

    Raises:
        UnreadableInput: no archive of labels.
        UsageError: no such form.
    """
    done: Counter[str] = Counter()
    for study, said in read_archive(archive, form, known_frames(site.store)).items():
        done += _import_study(site, visitor, study, said)
    return done


def _import_study(site: Site, visitor: Visitor, study: str, said: Said) -> Counter[str]:
    with site.store.read() as records:
        newest = machine_findings(records, study)
        whole = reading_in(records, study)
    if newest is None or whole is None:
        return Counter({"studies that are not kept here": 1})
    if _is_numbered_otherwise(said, whole):
        return Counter({"studies that were renumbered since": 1})
    done: Counter[str] = Counter()
    for remark in (*_grades(said, whole), *_moves(said, whole)):
        with suppress(NotInRecords):
            review_study(site, visitor, study, newest.id, remark, shift_seen=whole.shift)
            done[remark.kind] += 1
    return done


def _is_numbered_otherwise(said: Said, whole: StudyReading) -> bool:
    """Whether most drawings lie at another disc than the one that they name: they went out before a renumbering, or
    before an analysis that counts otherwise, and their words would be taken for those of the disc beside."""
    discs = {row.level: row.disc_center_lps_mm for row in whole.findings.levels}
    drawn = [
        (place[1], frame.to_lps_mm(*shape.middle))
        for place, shapes in said.shapes.items()
        for shape, frame in shapes
        if place[1] in discs
    ]
    beside = [level for level, point in drawn if level != min(discs, key=lambda one: math.dist(discs[one], point))]
    return 2 * len(beside) > len(drawn)


def _grades(said: Said, whole: StudyReading) -> Iterator[Remark]:
    """Grades that differ from what is settled here. Some correct the drawing, others the table: what is no longer as it
    went out is the correction; where nobody knows how it went out, the drawing counts."""
    for place in dict.fromkeys((*said.drawn, *said.table)):
        opinion = whole.opinions.get(place)
        told = [grades[place] for grades in (said.drawn, said.table) if place in grades]
        told = [grade for grade in told if grade != said.before[place]] if place in said.before else told[:1]
        other = [grade for grade in told if opinion is None or grade != opinion.grade]
        if other:
            payload: dict[str, Any] = {"grade": other[0]}
            if opinion is None and said.shapes.get(place):
                shape, frame = said.shapes[place][0]
                payload["point_lps_mm"] = frame.to_lps_mm(*shape.middle)
            yield _remark("add" if opinion is None else "grade", place, payload)


def _moves(said: Said, whole: StudyReading) -> Iterator[Remark]:
    """Drawings whose middles lie elsewhere than here; one of each place, a point sooner than a box."""
    for place, shapes in said.shapes.items():
        known = _places_of(whole.opinions.get(place))
        points = [(shape.kind != "point", frame.to_lps_mm(*shape.middle), frame) for shape, frame in shapes]
        moved = [
            (is_box, point)
            for is_box, point, frame in points
            if known and min(frame.apart_mm(point, one) for one in known) > _MOVED_MM
        ]
        if moved:
            yield _remark("move", place, {"point_lps_mm": min(moved)[1]})


def _remark(kind: Literal["add", "grade", "move"], place: Place, payload: dict[str, Any]) -> Remark:
    condition, level, side = place
    return Remark(kind, condition, level, side or "", payload)


def _places_of(opinion: Opinion | None) -> list[tuple[float, ...]]:
    """The point that is known of a place, and the middle of its box."""
    if opinion is None:
        return []
    evidence = opinion.machine.evidence if opinion.machine is not None else None
    point = opinion.point_lps_mm or (evidence.point_lps_mm if evidence is not None else None)
    box = opinion.box_lps_mm
    middle = tuple((a + b) / 2 for a, b in zip(*box, strict=True)) if box else None
    return [place for place in (point, middle) if place is not None]
