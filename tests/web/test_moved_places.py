"""What a reader moved or added is shown where it was put: the page loads anew after each, and would show it gone."""

import pytest
from dashboard import Dashboard

from lumbago.anatomy.findings import StudyFindings
from lumbago.records.users import user_named
from lumbago.web.access import Visitor
from lumbago.web.viewer_access import reading_of

TURNED = {
    "point_lps_mm": [2.0, 3.0, 4.0], "box_lps_mm": [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], "box_down_lps": [0.0, 0.6, -0.8],
}  # fmt: skip


def seen_by(dashboard: Dashboard, study: str) -> StudyFindings:
    """What the viewer shows to a reader."""
    with dashboard.store.read() as records:
        user = user_named(records, "reader")
    assert user is not None
    shown = reading_of(study, Visitor(user, ""), dashboard.site).findings
    assert shown is not None
    return shown


@pytest.mark.parametrize(("shift", "level"), [(0, "L4/L5"), (1, "L3/L4")])
def test_the_viewer_is_told_where_a_reader_put_a_place(
    dashboard: Dashboard, found: StudyFindings, shift: int, level: str
) -> None:
    study, reader = dashboard.add_study(found), dashboard.signed_in("reader")
    assert dashboard.review(reader, study, "move", ("pfirrmann", "L4/L5", ""), **TURNED).status_code == 201
    dashboard.review(reader, study, "numbering", shift=shift)
    shown, machine = seen_by(dashboard, study), found.find("pfirrmann", "L4/L5")
    moved = shown.find("pfirrmann", level)
    assert machine is not None and moved is not None and moved.evidence is not None
    assert moved.evidence.point_lps_mm == (2.0, 3.0, 4.0) and moved.evidence.box_down_lps == (0.0, 0.6, -0.8)
    assert moved.evidence.box_lps_mm == ((1.0, 2.0, 3.0), (4.0, 5.0, 6.0))
    assert moved.grade == machine.grade
    others = [row for row in shown.findings if row.evidence is not None and row is not moved]
    assert all(row.evidence.point_lps_mm != (2.0, 3.0, 4.0) for row in others if row.evidence is not None)


@pytest.mark.parametrize("point", [None, [4.0, 5.0, 6.0]])
def test_the_viewer_is_told_of_a_lesion_that_a_reader_added(
    dashboard: Dashboard, found: StudyFindings, point: list[float] | None
) -> None:
    """Its cell leads there, and would else be called not assessed."""
    study, reader = dashboard.add_study(found), dashboard.signed_in("reader")
    place = ("high_intensity_zone", "T12/L1", "")
    added = dashboard.review(reader, study, "add", place, grade="present", point_lps_mm=point)
    assert added.status_code == 201
    shown = seen_by(dashboard, study).find("high_intensity_zone", "T12/L1")
    assert shown is not None and (shown.grade, shown.probabilities) == ("present", {})
    assert (shown.evidence.point_lps_mm if shown.evidence else None) == (tuple(point) if point else None)


def test_the_viewer_is_told_the_grade_that_readers_gave(dashboard: Dashboard, found: StudyFindings) -> None:
    """Else its mark says another grade than the table beside it."""
    study, place = dashboard.add_study(found), ("pfirrmann", "L4/L5", "")
    machine = found.find("pfirrmann", "L4/L5")
    assert machine is not None
    other = next(grade for grade in machine.scale.grades if grade != machine.grade)
    dashboard.review(dashboard.signed_in("reader"), study, "grade", place, grade=other)
    shown = seen_by(dashboard, study).find("pfirrmann", "L4/L5")
    assert shown is not None and (shown.grade, shown.probabilities, shown.trained_on) == (other, {}, None)
    assert shown.evidence == machine.evidence
    dashboard.review(dashboard.signed_in("reader", "second"), study, "grade", place, grade=machine.grade)
    disputed = seen_by(dashboard, study).find("pfirrmann", "L4/L5")
    assert disputed is not None and disputed.grade is None
    dashboard.review(dashboard.signed_in("reader"), study, "accept", place)
    assert seen_by(dashboard, study).find("pfirrmann", "L4/L5") == machine
