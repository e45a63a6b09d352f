"""Which ends of bodies are marked, and where."""

from dataclasses import replace

import numpy as np
import pytest
from report_cases import CASES

from lumbago.report.affected_bodies import ABOVE, BELOW, affected_ends, end_line


@pytest.mark.parametrize(
    ("condition", "grade", "ends"),
    [("modic", "2", {ABOVE, BELOW}), ("endplate_upper", "present", {ABOVE}), ("endplate_lower", "present", {BELOW}),
     ("modic", "0", set()), ("narrowing", "present", set())],
)  # fmt: skip
def test_each_condition_marks_its_ends(condition: str, grade: str, ends: set[int]) -> None:
    findings = CASES["full"]()[0]
    row = next(finding for finding in findings.findings if finding.condition == condition)
    alone = replace(findings, findings=(replace(row, grade=grade),))
    assert set(affected_ends(alone, row.level)) == ends


@pytest.mark.parametrize("degrees", [-30.0, 0.0, 20.0])
@pytest.mark.parametrize("end", [ABOVE, BELOW])
def test_a_bar_lies_beyond_its_edge(degrees: float, end: int) -> None:
    """An ellipse of 40 by 10 pixels: the bar is as long as its middle part and everywhere 3 pixels outside."""
    angle, turn = np.linspace(0, 2 * np.pi, 80, endpoint=False), np.radians(degrees)
    ellipse = np.stack([20 * np.cos(angle), 5 * np.sin(angle)], axis=1)
    rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    outline = [(float(x), float(y)) for x, y in ellipse @ rotation + 100.0]
    line = (np.array(end_line(outline, end, 3.0)) - 100.0) @ rotation.T
    assert (np.diff(line[:, 0]) > 0).all() and np.ptp(line[:, 0]) == pytest.approx(2 * 0.8 * 20, abs=3)
    assert end * line[:, 1] == pytest.approx(5 * np.sqrt(1 - (line[:, 0] / 20) ** 2) + 3.0, abs=0.1)
