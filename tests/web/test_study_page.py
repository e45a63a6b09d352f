"""The study page tells what the report tells, in its order and its words."""

import re
from dataclasses import replace

from dashboard import Dashboard

from lumbago.anatomy.findings import Finding, StudyFindings
from lumbago.anatomy.levels import LEVELS
from lumbago.records.studies import SeriesFacts, put_series
from lumbago.report.level_grid import abnormal_first


def graded(condition: str, level: str, grade: str, side: str | None = None) -> Finding:
    return Finding(condition, level, side, grade, {grade: 0.9})  # type: ignore[arg-type]


def chips(page: str) -> list[str]:
    """What each one leads to."""
    return re.findall(r'data-goto="([^"]*)"', page)


def test_small_things_hide_no_stenosis(dashboard: Dashboard, found: StudyFindings) -> None:
    small = ("narrowing", "bulging", "endplate_upper")
    rows = (
        *(graded(condition, level, "present") for level in LEVELS for condition in small),
        graded("pfirrmann", "L5/S1", "4"),
        graded("disc_degeneration", "L3/L4", "severe"),
        graded("pfirrmann", "L3/L4", "5"),
        graded("subarticular_stenosis", "L4/L5", "moderate", "left"),
        graded("spinal_canal_stenosis", "L4/L5", "moderate"),
    )
    findings = replace(found, findings=rows)
    reader, study = dashboard.signed_in("reader"), dashboard.add_study(findings)
    shown = chips(reader.get(f"/studies/{study}").text)
    assert shown == [f"{f.condition}|{f.level}|{f.side or ''}" for f in abnormal_first(findings)][:12]
    assert shown[:4] == [
        "pfirrmann|L3/L4|",
        "spinal_canal_stenosis|L4/L5|",
        "subarticular_stenosis|L4/L5|left",
        "pfirrmann|L5/S1|",
    ]
    dashboard.review(reader, study, "grade", ("spinal_canal_stenosis", "L4/L5"), grade="severe")
    assert chips(reader.get(f"/studies/{study}").text)[0] == "spinal_canal_stenosis|L4/L5|", "as the reader said it"


def test_series_are_used_for_what_the_report_says(dashboard: Dashboard, found: StudyFindings) -> None:
    study = dashboard.add_study(found)
    with dashboard.store.write() as records:
        put_series(records, study, [SeriesFacts("1.2.3", "tirm", "sagittal_t2", slices=15)])
    assert "<td>sagittal T2 or STIR</td>" in dashboard.signed_in("reader").get(f"/studies/{study}").text


def test_a_probability_stands_with_the_grade_that_it_is_of(dashboard: Dashboard, found: StudyFindings) -> None:
    """Not behind the grade that a reader gave instead."""
    study = dashboard.add_study(replace(found, findings=(graded("spinal_canal_stenosis", "L4/L5", "moderate"),)))
    reader, place = dashboard.signed_in("reader"), ("spinal_canal_stenosis", "L4/L5")
    dashboard.review(reader, study, "grade", place, grade="severe")
    page = reader.get(f"/studies/{study}").text
    assert "spinal canal stenosis: severe, machine: moderate, 90%, changed" in page
    assert page.index("was Mod") < page.index(">90%<")
