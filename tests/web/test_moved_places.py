"""What a reader moved is shown where it was put: the page loads anew after each move, and would show it moved back."""

import pytest
from dashboard import Dashboard

from lumbago.anatomy.findings import StudyFindings
from lumbago.records.users import user_named
from lumbago.web.access import Visitor
from lumbago.web.viewer_access import reading_of

TURNED = {
    "point_lps_mm": [2.0, 3.0, 4.0], "box_lps_mm": [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], "box_down_lps": [0.0, 0.6, -0.8],
}  # fmt: skip


@pytest.mark.parametrize(("shift", "level"), [(0, "L4/L5"), (1, "L3/L4")])
def test_the_viewer_is_told_where_a_reader_put_a_place(
    dashboard: Dashboard, found: StudyFindings, shift: int, level: str
) -> None:
    study, reader = dashboard.add_study(found), dashboard.signed_in("reader")
    assert dashboard.review(reader, study, "move", ("pfirrmann", "L4/L5", ""), **TURNED).status_code == 201
    dashboard.review(reader, study, "numbering", shift=shift)
    with dashboard.store.read() as records:
        user = user_named(records, "reader")
    assert user is not None
    shown = reading_of(study, Visitor(user, ""), dashboard.site).findings
    machine, moved = found.find("pfirrmann", "L4/L5"), shown.find("pfirrmann", level) if shown else None
    assert machine is not None and moved is not None and moved.evidence is not None and shown is not None
    assert moved.evidence.point_lps_mm == (2.0, 3.0, 4.0) and moved.evidence.box_down_lps == (0.0, 0.6, -0.8)
    assert moved.evidence.box_lps_mm == ((1.0, 2.0, 3.0), (4.0, 5.0, 6.0))
    assert moved.grade == machine.grade
    others = [row for row in shown.findings if row.evidence is not None and row is not moved]
    assert all(row.evidence.point_lps_mm != (2.0, 3.0, 4.0) for row in others if row.evidence is not None)
