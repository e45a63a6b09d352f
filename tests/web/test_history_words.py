"""What the history says of a grade that changed: how sure is said of machines alone, and never whole."""

from dataclasses import replace

from lumbago.anatomy.findings import Finding, StudyFindings
from lumbago.labels.labelled_study import label
from lumbago.review.changes import courses

PLACE = ("spinal_canal_stenosis", "L4/L5", None)
MACHINE = Finding(*PLACE, "normal_mild", {"normal_mild": 0.999, "moderate": 0.001, "severe": 0.0})


def said(found: StudyFindings, first: Finding, last: Finding) -> str:
    dated = [(str(year), str(year), replace(found, findings=(row,))) for year, row in ((2025, first), (2026, last))]
    (course,) = courses(dated)
    return course.what


def test_no_change_is_wholly_sure_and_readers_are_not_asked(found: StudyFindings) -> None:
    severe, mild = label(*PLACE, "severe"), label(*PLACE, "normal_mild")
    assert said(found, MACHINE, severe) == "normal/mild to severe (>99% sure)"
    assert said(found, mild, severe) == "normal/mild to severe (reader)"
