import io
from dataclasses import replace

import pytest
from report_cases import CASES, HOSTILE, hostile_text, no_axial
from rich.console import Console

from lumbago.anatomy.findings import StudyFindings
from lumbago.report import wording
from lumbago.report.table import WIDTH, findings_report


def printed(findings: StudyFindings, **options: bool) -> str:
    console = Console(file=io.StringIO(), width=WIDTH, **options)  # type: ignore[arg-type]
    console.print(findings_report(findings))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("case", CASES)
def test_it_fits_and_loses_nothing(case: str) -> None:
    findings = CASES[case]()[0]
    text = printed(findings)
    assert max(len(line.rstrip()) for line in text.splitlines()) <= WIDTH
    assert "\x1b" not in text
    lines = (
        wording.headline(findings),
        *wording.limits(findings),
        *wording.not_assessed_lines(findings),
        *wording.cautions(findings),
        findings.notice,
    )
    assert [line for line in lines if "".join(line.split()) not in "".join(text.split())] == []
    table = text.split("Below each grade")[0]
    assert "mild†" in table or "normal/mil…" not in table
    assert "…" not in table


def test_grades_stand_with_probability_and_expected_grade(findings: StudyFindings) -> None:
    lines = printed(findings).splitlines()
    (row,) = (number for number, line in enumerate(lines) if line.startswith(" L4/L5"))
    assert lines[row].split() == ["L4/L5", "severe†", "moderate†", "normal/mild†", "normal/mild†", "severe†", "5",
                                  "herniation", "80%"]  # fmt: skip
    assert lines[row + 1].split() == [
        "80%",
        "1.7",
        "80%",
        "1.0",
        "80%",
        "0.3",
        "80%",
        "0.3",
        "80%",
        "1.7",
        "80%",
        "4.5",
    ]


def test_a_probability_is_not_taken_for_the_size_of_a_slip(findings: StudyFindings) -> None:
    slipped = replace(findings.findings[0], condition="spondylolisthesis", level="L4/L5", side=None,
                      grade="present", probabilities={"absent": 0.45, "present": 0.55}, trained_on="real")  # fmt: skip
    text = printed(replace(findings, findings=(slipped,)))
    assert "listhesis 55%" in text and "slip 55%" not in text
    assert "Beside each further finding: its probability." in " ".join(text.split())


def test_what_has_no_grade_is_not_left_blank() -> None:
    (row,) = (line for line in printed(no_axial()[0]).splitlines() if line.startswith(" L1/L2"))
    assert row.split() == ["L1/L2", "normal/mild†", "normal/mild†", "normal/mild†", "-", "-", "1", "0", "of", "8"]
    assert "0 of 8: 8 were graded, none is abnormal." in " ".join(printed(no_axial()[0]).split())
    withheld = printed(CASES["all_abstained"]()[0])
    assert withheld.count("withheld") >= 30


def test_a_terminal_gets_colours(findings: StudyFindings) -> None:
    assert "\x1b[" in printed(findings, force_terminal=True)


def test_markup_in_the_files_is_text() -> None:
    assert f"Disc herniation not assessed at L1/L2: {HOSTILE}." in printed(hostile_text()[0])
