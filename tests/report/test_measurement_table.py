"""The table of what was measured."""

from dataclasses import replace

from report_cases import CASES

from lumbago.anatomy.findings import Measurement, StudyFindings
from lumbago.report.measurement_table import measurement_table, value_text


def measured(findings: StudyFindings, **sizes: Measurement) -> StudyFindings:
    """The findings with these sizes beside the first grade of each level, none elsewhere."""
    rows, seen = [], set()
    for row in findings.findings:
        rows.append(replace(row, measurements={} if row.level in seen else sizes))
        seen.add(row.level)
    return replace(findings, findings=tuple(rows))


def test_a_row_a_size_and_a_column_a_level() -> None:
    findings = measured(CASES["full"]()[0], disc_height_mm=Measurement(8.04, 0.6), slip_percent=Measurement(-3.0, 2.6))
    table = measurement_table(findings)
    assert table.heads == ("", "L1/L2", "L2/L3", "L3/L4", "L4/L5", "L5/S1")
    assert [row[0] for row in table.rows] == ["disc height, mm ± 0.6", "slip, % ± 2.6"]
    assert set(table.rows[0][1:]) == {"8.0"} and set(table.rows[1][1:]) == {"-3.0"}


def test_what_a_level_lacks_is_a_dash() -> None:
    findings = measured(CASES["full"]()[0], canal_depth_mm=Measurement(14.0, 1.0))
    last = findings.findings[-1].level
    more = tuple(
        replace(row, measurements={**row.measurements, "disc_height_mm": Measurement(8.0, 1.0)}) if row.measurements
        and row.level != last else row for row in findings.findings
    )  # fmt: skip
    table = measurement_table(replace(findings, findings=more))
    (heights,) = (row for row in table.rows if row[0] == "disc height, mm ± 1.0")
    assert heights[table.heads.index(last)] == "–" and heights.count("–") == 1


def of_sides(findings: StudyFindings, **depths: Measurement) -> list[tuple[str, ...]]:
    """Rows of the table where recesses alone have sizes."""
    rows = tuple(
        replace(row, measurements={"recess_depth_mm": depths[row.side]})
        if row.condition == "subarticular_stenosis" and row.side in depths else replace(row, measurements={})
        for row in findings.findings
    )  # fmt: skip
    return list(measurement_table(replace(findings, findings=rows)).rows)


def test_sizes_of_sides_are_told_in_one_row() -> None:
    findings, left, right = CASES["full"]()[0], Measurement(4.2, 1.0), Measurement(2.4, 1.0)
    ((head, *cells),) = of_sides(findings, left=left, right=right)
    assert head == "recess depth R / L, mm ± 1.0" and set(cells) == {"2.4 / 4.2"}
    ((head, *cells),) = of_sides(findings, left=left, right=replace(right, error=2.0))
    assert head == "recess depth R / L, mm" and set(cells) == {"2.4 ± 2.0 / 4.2 ± 1.0"}
    ((_, *cells),) = of_sides(findings, right=right)
    assert set(cells) == {"2.4 / –"}


def test_units_and_decimals() -> None:
    assert value_text("disc_height_mm", Measurement(7.94, 0.6)) == "7.9 ± 0.6 mm"
    assert value_text("disc_height_index_ratio", Measurement(0.314, 0.03)) == "0.31 ± 0.03"
    assert value_text("sac_area_mm2", Measurement(177.6, 13.0)) == "178 ± 13 mm²"
    assert value_text("lordosis_degrees", Measurement(42.5, 4.2)) == "42.5 ± 4.2°"


def test_a_slip_of_nothing_leads_nowhere() -> None:
    assert value_text("slip_percent", Measurement(-0.04, 4.6)) == "0.0 ± 4.6 %"
    assert value_text("slip_percent", Measurement(-0.06, 4.6)) == "-0.1 ± 4.6 %"


def test_the_spine_as_a_whole() -> None:
    findings = replace(CASES["full"]()[0], measurements={"lordosis_degrees": Measurement(42.5, 4.2)})
    assert measurement_table(findings).spine == "Lordosis 42.5 ± 4.2°"
    assert measurement_table(replace(findings, measurements={})).spine == ""
