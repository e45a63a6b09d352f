"""What stands where in the printed report, as plain data for its template `report.typ`."""

from collections.abc import Collection
from dataclasses import asdict, replace
from typing import Any, Final

from PIL import ImageColor

from lumbago.anatomy.conditions import CONDITIONS, ROLE_TITLES
from lumbago.anatomy.findings import Finding, ModelUse, SeriesSummary, StudyFindings, StudySummary
from lumbago.report import wording
from lumbago.report.level_grid import (
    COLUMNS,
    PHANTOM_MARK,
    Cell,
    GridRow,
    abnormal_first,
    grade_title,
    level_grid,
    level_label,
    phantom_mark,
)
from lumbago.report.measurement_table import measurement_table
from lumbago.report.picture_files import OVERVIEW_ROLES, evidence_name, overview_name
from lumbago.report.visible_text import iso_date, person_name, visible

Json = dict[str, Any]

LARGEST_EVIDENCE: Final = 12
"""Evidence pictures that the second page has room for; the others lie beside the report."""

_SERIES, _MODELS, _REMARKS = 6, 13, 8
"""Rows that the second page has room for."""
_PALEST: Final = 0.16
_QUIET_COLOUR: Final = "#8A8A8A"
_UNGRADED: Final = {"abstained": "withheld", "not_assessed": "not assessed"}
_LEGEND: Final = (
    "Below each grade: its probability and, on scales of more than two grades, the expected grade "
    "(stenosis: 0 normal/mild, 1 moderate, 2 severe; Pfirrmann: 1 to 5). Beside each further finding: its probability, "
    "not its size. R and L are the patient's right and left. Hatched: no grade was given."
)
_EVIDENCE_LEGEND: Final = (
    "70 mm around each finding. Yellow tint: what the grade rests on; coloured line: outline of the disc; "
    "ring: the place that was graded."
)


def wanted_pictures(findings: StudyFindings) -> tuple[str, ...]:
    """File names of all pictures that the report could show."""
    return (*map(overview_name, OVERVIEW_ROLES), *map(evidence_name, abnormal_first(findings)))


def page_content(findings: StudyFindings, pictures: Collection[str]) -> Json:
    """Everything that the report says, in the order of the page.

    `pictures` are the file names of those at hand.
    """
    rows = level_grid(findings)
    reasons = _reasons(rows)
    abnormal = abnormal_first(findings)
    return {
        "title": "Lumbar spine MRI: automatic grading",
        "warning": "Research use only. Not a diagnosis.",
        "notice": visible(findings.notice, 200),
        "identity": _identity(findings.study),
        "study": _study_fields(findings),
        "headline": wording.headline(findings),
        "also": wording.further_headline(findings),
        "headline_colour": _full_colour(abnormal[0]) if abnormal else _QUIET_COLOUR,
        "overview": _overview(findings, pictures),
        "heads": [_head(findings, number) for number in range(len(COLUMNS))],
        "rows": [_row(row, reasons) for row in rows],
        "reasons": [{"mark": mark, "text": visible(reason, 200)} for reason, mark in reasons.items()],
        "legend": _LEGEND,
        "limits": wording.limits(findings),
        "not_assessed": wording.not_assessed_lines(_without_columns(findings)),
        "cautions": wording.cautions(findings),
        "evidence": _evidence(findings, abnormal, pictures),
        "evidence_legend": _EVIDENCE_LEGEND + _left_out(abnormal, pictures),
        "series": _series(findings.study.series),
        "models": [_model(model) for model in findings.models[:_MODELS]],
        "measurements": asdict(measurement_table(findings)),
        "remarks": wording.remarks(findings)[:_REMARKS],
    }


def _study_fields(findings: StudyFindings) -> list[tuple[str, str]]:
    """(label, value) of what identifies the study, without what the files leave open."""
    study = findings.study
    fields = (
        ("patient", person_name(study.patient_name)),
        ("ID", visible(study.patient_id, 40)),
        ("sex", visible(study.patient_sex, 10)),
        ("age", visible(study.patient_age, 10).lstrip("0")),
        ("study of", iso_date(study.study_date)),
        ("examination", visible(study.study_description, 60)),
        ("scanner", visible(study.scanner, 60)),
        ("input", visible(study.name, 60)),
    )
    return [(label, value) for label, value in fields if value]


def _identity(study: StudySummary) -> list[str]:
    """What ties every page to its patient."""
    texts = (person_name(study.patient_name), visible(study.patient_id, 40), iso_date(study.study_date))
    return [text for text in texts if text] or [visible(study.name, 60)]


def _overview(findings: StudyFindings, pictures: Collection[str]) -> Json | None:
    name = next((overview_name(role) for role in OVERVIEW_ROLES if overview_name(role) in pictures), None)
    if name is None:
        return None
    said = " ".join(wording.level_lines(findings))
    return {"file": name, "alt": f"Sagittal slice with the levels named and graded. {said}"}


def _head(findings: StudyFindings, number: int) -> str:
    """The column's head, marked when a grade of its condition is."""
    name = COLUMNS[number].condition.name
    marks = (phantom_mark(finding) for finding in findings.findings if finding.condition == name)
    return COLUMNS[number].head + max(marks, default="")


def _reasons(rows: tuple[GridRow, ...]) -> dict[str, str]:
    """A small letter for each reason why a cell of the grid has no grade."""
    given = dict.fromkeys(cell.reason for row in rows for cell in row.cells if cell.state != "graded" and cell.reason)
    return {reason: _letter(number) for number, reason in enumerate(given)}


def _letter(number: int) -> str:
    letters = "abcdefghijklmnopqrstuvwxyz"
    return letters[number] if number < len(letters) else str(number + 1)


def _row(row: GridRow, reasons: dict[str, str]) -> Json:
    return {
        "label": row.label,
        "cells": [_graded_cell(cell.finding) if cell.finding and cell.finding.grade else
                  _ungraded_cell(cell, reasons) for cell in row.cells],
        "further": [{"title": wording.short_graded(f),
                     "numbers": wording.how_sure(f)} for f in row.further],
        "further_was_graded": row.further_graded > 0,
        "further_none": _UNGRADED.get(row.further_state, f"none abnormal of {row.further_graded}"),
    }  # fmt: skip


def _ungraded_cell(cell: Cell, reasons: dict[str, str]) -> Json:
    return {"state": cell.state, "title": _UNGRADED[cell.state], "note": reasons.get(cell.reason, "")}


def _graded_cell(finding: Finding) -> Json:
    numbers = [wording.how_sure(finding), wording.expected_text(finding)]
    fill = cell_fill(finding)
    return {
        "state": "graded",
        "title": grade_title(finding),
        "numbers": " · ".join(part for part in numbers if part),
        "fill": fill,
        "ink": readable_ink(fill),
        "loud": finding.is_abnormal,
    }


def cell_fill(finding: Finding) -> str:
    """The grade's colour, paler for the better grades, so that the order of grades survives printing in grey."""
    scale = finding.scale
    place = scale.grades.index(finding.grade or "") / (len(scale.grades) - 1)
    share = _PALEST + (1 - _PALEST) * place
    rgb = ImageColor.getrgb(_full_colour(finding))[:3]
    return "#" + "".join(f"{round(255 + share * (value - 255)):02X}" for value in rgb)


def _full_colour(finding: Finding) -> str:
    return finding.scale.colours[finding.scale.grades.index(finding.grade or "")]


def readable_ink(fill: str) -> str:
    """Black or white, whichever contrasts more with a fill (relative luminance, WCAG 2.2)."""
    return "#000000" if _luminance(fill) > 0.18 else "#FFFFFF"


def _luminance(colour: str) -> float:
    linear = [_linear(value / 255) for value in ImageColor.getrgb(colour)[:3]]
    return sum(share * value for share, value in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def _linear(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)


def _without_columns(findings: StudyFindings) -> StudyFindings:
    """The same, less the conditions whose reasons stand in the grid."""
    own = {column.condition.name for column in COLUMNS}
    return replace(
        findings,
        findings=tuple(finding for finding in findings.findings if finding.condition not in own),
        not_assessed=tuple(entry for entry in findings.not_assessed if entry.condition not in own),
    )


def _evidence(findings: StudyFindings, abnormal: list[Finding], pictures: Collection[str]) -> list[Json]:
    shown = [finding for finding in abnormal if evidence_name(finding) in pictures][:LARGEST_EVIDENCE]
    captions = [wording.graded(finding, level_label(findings, finding.level)) for finding in shown]
    return [
        {"file": evidence_name(finding), "caption": caption, "alt": f"Slice at {caption}"}
        for finding, caption in zip(shown, captions, strict=True)
    ]


def _left_out(abnormal: list[Finding], pictures: Collection[str]) -> str:
    more = sum(evidence_name(finding) in pictures for finding in abnormal) - LARGEST_EVIDENCE
    return f" {more} more picture{' lies' if more == 1 else 's lie'} beside this report." if more > 0 else ""


def _series(series: tuple[SeriesSummary, ...]) -> list[tuple[str, str, str]]:
    """(use, description, reason): the used ones first, as many as fit, then how many are left."""
    ordered = sorted(series, key=lambda one: one.role is None)
    rest = [("", f"{len(ordered) - _SERIES} more", "")] if len(ordered) > _SERIES else []
    return [_series_row(one) for one in ordered[:_SERIES]] + rest


def _series_row(one: SeriesSummary) -> tuple[str, str, str]:
    use = ROLE_TITLES[one.role] if one.role else "not used"
    count = "1 slice" if one.slices == 1 else f"{one.slices} slices"
    return use, f"{visible(one.description, 40)} ({count})", visible(one.reason, 160)


def _model(model: ModelUse) -> tuple[str, str, str]:
    mark = PHANTOM_MARK if model.trained_on == "phantoms" else ""
    names = ", ".join(CONDITIONS[name].short for name in model.conditions if name in CONDITIONS)
    title = f"{visible(model.name, 40)} {visible(model.version, 20)}, SHA-256 {visible(model.sha256[:12])}"
    return title, visible(model.trained_on, 80) + mark, names
