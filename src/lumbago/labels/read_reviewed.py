"""Findings that a reader has looked at: `<name>/findings.json` as analyzed, `<name>/review.json` beside it.

`review.json` is

    {"schema": "lumbago/review/1", "study": "../archive/4711", "patient": "hospital:4711", "rest_confirmed": false,
     "corrections": [{"condition": "pfirrmann", "level": "L4/L5", "side": null, "grade": "4",
                      "reader": "dr-a", "date": "2026-11-21"}]}

`study` leads from this folder to the images; without it they lie in `<name>/dicom`. `patient` is the key for splits;
without it the PatientID. A correction is a label also when it agrees with the model; a grade null says that it cannot
be graded. What nobody corrected is a label only when `rest_confirmed` is true. `point_lps_mm`, `box_lps_mm` and
`box_down_lps` of a correction say where the reader saw it, in the place of the machine's evidence. The dashboard writes
such folders below `LUMBAGO_HOME/reviewed`; the home itself may be given, too.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from lumbago.anatomy.conditions import CONDITIONS
from lumbago.anatomy.findings import Finding, StudyFindings
from lumbago.errors import UnreadableInput
from lumbago.labels.companions import contradiction, unknown_name
from lumbago.labels.json_files import malformed, read_json, rows_of
from lumbago.labels.label_names import LabelNames
from lumbago.labels.labelled_study import ImageRef, LabelledStudy, Shape, ShapeKind, file_name, kind_of, label, truth_of
from lumbago.labels.problems import Problem
from lumbago.labels.read_phantoms import evidence_points, read_findings

SCHEMA: Final = "lumbago/review/1"
Site = tuple[str, str, Any]


def read_reviewed(folder: Path, names: LabelNames) -> Iterator[LabelledStudy]:
    """Reviewed studies below a folder; of several corrections of one place the latest counts."""
    place = folder / "reviewed" if (folder / "reviewed").is_dir() else folder
    for path in sorted(place.glob("*/review.json")):
        yield _study(path, read_findings(path.with_name("findings.json")), names)


def _study(path: Path, found: StudyFindings, names: LabelNames) -> LabelledStudy:
    review = read_json(path, ("corrections",))
    if review.get("schema", SCHEMA) != SCHEMA:
        raise UnreadableInput(f"{path} is of schema {review['schema']}", SCHEMA, "write the review again")
    rows = rows_of(path, review, "corrections")
    labels, problems = _labels(path, rows, names)
    placed = dict(_placed(path, sorted(rows, key=_date), names))
    if review.get("rest_confirmed") is True:
        labels = _as_found(found) | labels
    name = path.parent.name
    kept = [row for row in labels.values() if row is not None]
    return LabelledStudy(
        source="reviewed",
        patient=str(review.get("patient") or f"patient:{found.study.patient_id or name}"),
        name=file_name(name),
        images=tuple(_images(path.parent, review.get("study"))),
        truth=truth_of(name, kept, found.study.patient_id),
        shapes=tuple(
            replace(shape, grade=row.grade)
            for row in kept
            for shape in placed.get(_site_of(row)) or _points(found, row)
        ),
        problems=tuple(problems),
    )


def _as_found(found: StudyFindings) -> dict[Site, Finding | None]:
    graded = [row for row in found.findings if row.grade is not None]
    return {
        (row.condition, row.level, row.side): label(row.condition, row.level, row.side, str(row.grade))
        for row in graded
    }


def _labels(path: Path, rows: Sequence[Any], names: LabelNames) -> tuple[dict[Site, Finding | None], list[Problem]]:
    """By place the label that the latest correction gives, None where it takes the grade away."""
    study = path.parent.name
    latest: dict[Site, tuple[str, str | None]] = {}
    problems: list[Problem] = []
    for row in rows:
        if not isinstance(row, dict):
            raise malformed(path, "a correction that is no object")
        site = _site(study, row, names)
        grade = None if row.get("grade") is None else str(row["grade"])
        if isinstance(site, Problem):
            problems.append(site)
            continue
        known = None if grade is None else names.grade(site[0], grade)
        if grade is not None and known is None:
            problems.append(unknown_name(study, f"{site[0]} {site[1]}", "grade", grade))
            continue
        date = _date(row)
        before = latest.get(site)
        if before is not None and before[0] == date and before[1] != known:
            problems.append(contradiction(study, f"{site[0]} {site[1]}", (str(before[1]), str(known))))
        elif before is None or date >= before[0]:
            latest[site] = (date, known)
    return {site: None if grade is None else label(*site, grade) for site, (_, grade) in latest.items()}, problems


def _date(row: dict[str, Any]) -> str:
    return str(row.get("date", ""))


def _site(study: str, row: dict[str, Any], names: LabelNames) -> Site | Problem:
    texts = {name: str(row.get(name) or "") for name in ("condition", "level", "side")}
    meant, level, side = names.condition(texts["condition"]), names.level(texts["level"]), names.side(texts["side"])
    place = " ".join(text for text in texts.values() if text)
    if meant is None:
        return unknown_name(study, place, "condition", texts["condition"])
    if level is None:
        return unknown_name(study, place, "level", texts["level"])
    side = side or meant[1]
    if side not in CONDITIONS[meant[0]].sides:
        return unknown_name(study, place, "side", texts["side"])
    return meant[0], level, side


def _images(folder: Path, link: Any) -> Iterator[ImageRef]:
    """The linked study, as one image when it is a folder of one series or a file; else a folder each."""
    place = Path(os.path.normpath(folder.resolve() / str(link or "dicom")))
    if not place.exists():
        return
    folders = [path for path in sorted(place.iterdir()) if path.is_dir()] if place.is_dir() else []
    yield from (ImageRef(path.name, path, kind_of(path) or "dicom") for path in (folders or [place]))


def _site_of(row: Finding) -> Site:
    return row.condition, row.level, row.side


def _placed(path: Path, rows: Sequence[Any], names: LabelNames) -> Iterator[tuple[Site, list[Shape]]]:
    """What readers drew themselves, by place, without grade: the label's holds."""
    for row in rows:
        site = _site(path.parent.name, row, names)
        if isinstance(site, Problem):
            continue
        drawn: list[tuple[ShapeKind, Any]] = [("point", [row.get("point_lps_mm")]), ("box", row.get("box_lps_mm"))]
        shapes = [
            Shape(kind, tuple(_corner(path, corner) for corner in corners), frame="lps_mm", condition=site[0],
                  level=site[1], side=site[2])
            for kind, corners in drawn
            if corners and corners != [None]
        ]  # fmt: skip
        if shapes:
            yield site, shapes


def _corner(path: Path, value: Any) -> tuple[float, ...]:
    if isinstance(value, list) and len(value) == 3 and all(isinstance(one, int | float) for one in value):
        return tuple(float(one) for one in value)
    raise malformed(path, f"a corner {value!r} that is no x, y, z")


def _points(found: StudyFindings, row: Finding) -> Iterator[Shape]:
    """Where the model saw what the reader graded; the place holds for the corrected grade, too."""
    seen = found.find(row.condition, row.level, row.side)
    if seen is not None and seen.evidence is not None:
        yield from evidence_points(Finding(row.condition, row.level, row.side, row.grade, {}, evidence=seen.evidence))
