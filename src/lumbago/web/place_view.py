"""Every place of a study, as the study page's script and programs see it."""

from typing import Any, Final

from lumbago.anatomy.conditions import CONDITIONS
from lumbago.anatomy.findings import Finding, Site
from lumbago.report.wording import expected_text, kind_texts, percent
from lumbago.review.agreement import grades_of
from lumbago.review.readings import Opinion, StudyReading
from lumbago.review.signed_findings import settled_findings
from lumbago.review.study_table import STATE_WORDS, Cell, study_table

_CHIPS: Final = 12


def chips(whole: StudyReading) -> dict[str, Any]:
    """The abnormal places by which a reader begins, in the order of the report, and how many more there are."""
    abnormal = study_table(whole).abnormal(settled_findings(whole))
    shown = [
        {"place": f"{cell.condition}|{cell.level}|{cell.side or ''}", "class_name": cell.class_name,
         "text": f"{cell.level} {cell.short}: {cell.title}"}
        for cell in abnormal[:_CHIPS]
    ]  # fmt: skip
    return {"shown": shown, "more": len(abnormal) - len(shown)}


def place_views(whole: StudyReading) -> list[dict[str, Any]]:
    """One entry a place that anybody graded."""
    cells = [cell for _, _, row in study_table(whole).rows for cell in row]
    shown = {(cell.condition, cell.level, cell.side): cell for cell in cells}
    return [
        _view(site, one, _said(whole, site)) | {"cell": _shown(shown[site])} for site, one in whole.opinions.items()
    ]


def _said(whole: StudyReading, site: Site) -> list[str | None]:
    """What each reader stands for, one a reader: who signed stands for the machine's grade where they said nothing."""
    readings = [one for one in whole.readings.values() if site in one.said or one.signed_at is not None]
    return [grades_of(one, whole).get(site) for one in readings]


def _shown(cell: Cell) -> dict[str, Any]:
    """What stands in its cell of the table."""
    return {
        "title": cell.title, "brief": cell.brief, "class_name": cell.class_name, "abnormal": cell.abnormal,
        "label": cell.label, "state": cell.state, "said": cell.said,
        "said_brief": cell.said_brief,
        "machine_title": cell.machine_title, "machine_brief": cell.machine_brief,
    }  # fmt: skip


def _view(site: Site, opinion: Opinion, said: list[str | None]) -> dict[str, Any]:
    condition, level, side = site
    scale, machine = CONDITIONS[condition].scale, opinion.machine
    titles = dict(zip(scale.grades, scale.titles, strict=True))
    shares = dict(machine.probabilities) if machine is not None else {}
    return {
        "condition": condition, "level": level, "side": side, "grade": opinion.grade, "state": opinion.state,
        "readers": list(opinion.readers), "machine_grade": machine.grade if machine is not None else None,
        "point_lps_mm": opinion.point_lps_mm, "box_lps_mm": opinion.box_lps_mm,
        "box_down_lps": opinion.box_down_lps,
        "grades": [{"grade": grade, "title": title} for grade, title in titles.items()],
        "probabilities": [
            {"title": titles[grade], "probability": share, "percent": percent(share),
             "class_name": f"g-{scale.name}-{grade}"}
            for grade, share in shares.items()
        ],
        "about": _about(opinion, said, titles),
    }  # fmt: skip


def _about(opinion: Opinion, said: list[str | None], titles: dict[str, str]) -> str:
    machine, words = opinion.machine, [titles.get(grade or "", "no grade") for grade in said]
    if machine is None and opinion.state != "disputed":
        return "Added by a reader; the machine found nothing here."
    parts = [_machine_said(machine, titles)] if machine is not None else ["The machine found nothing here"]
    if opinion.readers:
        grade = ", ".join(words) if opinion.state == "disputed" else titles.get(opinion.grade or "", "no grade")
        parts.append(f"{STATE_WORDS[opinion.state].capitalize()}: {grade}")
    return ". ".join(parts) + "."


def _machine_said(machine: Finding, titles: dict[str, str]) -> str:
    own = titles[machine.grade] if machine.grade is not None else f"no grade: {machine.reason or 'withheld'}"
    expected = expected_text(machine)
    return ". ".join((f"Machine: {own}" + (f", expected grade {expected}" if expected else ""), *kind_texts(machine)))
