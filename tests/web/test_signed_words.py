"""What a signed report says of the grades that its reader gave."""

from lumbago.anatomy.findings import CALLED_FROM, Finding, StudyFindings, StudySummary
from lumbago.report import wording
from lumbago.report.page_content import page_content
from lumbago.report.table import findings_report
from lumbago.review.readings import Opinion, StudyReading
from lumbago.review.signed_findings import signed_findings
from lumbago.terminal import console

CANAL = Finding("spinal_canal_stenosis", "L4/L5", None, "normal_mild",
                {"normal_mild": 0.9, "moderate": 0.06, "severe": 0.04}, 0.14)  # fmt: skip
HERNIATION = Finding("herniation", "L4/L5", None, "absent", {"absent": 0.9, "present": 0.1}, 0.1,
                     details={CALLED_FROM: 0.17})  # fmt: skip
PFIRRMANN = Finding("pfirrmann", "L4/L5", None, "4", {"1": 0.0, "2": 0.0, "3": 0.2, "4": 0.8, "5": 0.0}, 3.8)


def signed(*said: tuple[Finding, str]) -> StudyFindings:
    """As one reader changed or accepted the machine's grades."""
    opinions = {
        (machine.condition, machine.level, machine.side): Opinion(
            grade, "changed" if grade != machine.grade else "accepted", ("anna",), machine
        )
        for machine, grade in said
    }
    findings = StudyFindings(StudySummary("s", "1.2.3"), (), tuple(machine for machine, _ in said))
    return signed_findings(StudyReading(findings, 0, opinions, {}), "anna", "2026-01-02")


def test_differences_are_told_in_the_words_of_the_scale() -> None:
    (_, difference) = (remark.text for remark in signed((CANAL, "severe")).quality)
    assert difference == "L4/L5 spinal canal stenosis: machine normal/mild, reader severe"


def test_what_a_reader_says_is_not_called_from_a_probability() -> None:
    (finding,) = signed((HERNIATION, "present")).findings
    assert CALLED_FROM not in finding.details
    assert wording.graded(finding, "L4/L5") == "L4/L5 disc herniation, present (reader)"
    (accepted,) = signed((HERNIATION, "absent")).findings
    assert accepted.details[CALLED_FROM] == 0.17


def test_no_probability_is_made_up_for_a_reader() -> None:
    findings = signed((CANAL, "severe"), (HERNIATION, "present"), (PFIRRMANN, "4"))
    assert wording.headline(findings) == "Most severe: L4/L5 spinal canal stenosis, severe (reader)"
    (row,) = (row for row in page_content(findings, ())["rows"] if row["label"] == "L4/L5")
    assert row["cells"][0]["numbers"] == "reader" and row["cells"][-1]["numbers"] == "80% · 3.8"
    assert row["further"] == [{"title": "herniation", "numbers": "reader"}]
    terminal = console()
    with terminal.capture() as printed:
        terminal.print(findings_report(findings))
    assert ">99%" not in printed.get() and "herniation reader" in printed.get()
    assert "canal severe (reader)" in " ".join(wording.level_lines(findings))
