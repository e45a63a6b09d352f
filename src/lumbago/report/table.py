"""The findings for a terminal: what matters most, the table of levels and conditions, and what limits them.

Returned as things that `rich` prints: coloured on a terminal, plain text elsewhere. Text from files is never read as
markup.
"""

from typing import Final

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from lumbago.anatomy.findings import Finding, StudyFindings
from lumbago.report import wording
from lumbago.report.level_grid import COLUMNS, Cell, GridRow, grade_title, level_grid

WIDTH: Final = 100
"""Columns that the table needs at most."""

_UNGRADED: Final = {"abstained": "withheld", "not_assessed": "-"}


def findings_report(findings: StudyFindings) -> Group:
    """All that the terminal says of a study, in 100 columns."""
    parts: list[RenderableType] = [
        Text(wording.headline(findings), style="bold"),
        *(Text(line) for line in (wording.further_headline(findings),) if line),
        findings_table(findings),
        Text(
            "Below each grade: its probability, and the expected grade. Beside each further finding: its probability. "
            "0 of 8: 8 were graded, none is abnormal. - not assessed. R, L: the patient's."
        ),
        *_section("Limits", wording.limits(findings)),
        *_section("No grade", wording.not_assessed_lines(findings)),
        *_section("Cautions", wording.cautions(findings)),
        Text(findings.notice, style="bold"),
    ]
    return Group(*parts)


def findings_table(findings: StudyFindings) -> Table:
    """Level by condition: each grade with its probability and expected grade below it."""
    table = Table(box=box.SIMPLE_HEAD, padding=0, pad_edge=False)
    for head in ("level", *(column.head for column in COLUMNS)):
        table.add_column(Text(head), no_wrap=True)
    table.add_column("further")
    for row in level_grid(findings):
        table.add_row(Text(row.label, style="bold"), *(_cell(cell) for cell in row.cells), _further(row))
    return table


def _cell(cell: Cell) -> Text:
    if cell.finding is None or cell.finding.grade is None:
        return Text(_UNGRADED[cell.state], style="dim")
    numbers = [wording.how_sure(cell.finding), wording.expected_text(cell.finding)]
    return _in_colours(cell.finding, grade_title(cell.finding), "\n", "  ".join(part for part in numbers if part))


def _further(row: GridRow) -> Text:
    if not row.further:
        return Text(_UNGRADED.get(row.further_state, f"0 of {row.further_graded}"), style="dim")
    texts = [_in_colours(f, wording.short_graded(f), " ", wording.how_sure(f)) for f in row.further]
    return Text("\n").join(texts)


def _in_colours(finding: Finding, title: str, gap: str, numbers: str) -> Text:
    colour = finding.scale.colours[finding.scale.grades.index(finding.grade or "")]
    return Text.assemble((title, f"bold {colour}" if finding.is_abnormal else ""), gap, (numbers, "dim"))


def _section(title: str, lines: tuple[str, ...]) -> list[RenderableType]:
    return [Text(f"{title}:", style="bold"), *(Padding(Text(line), (0, 0, 0, 2)) for line in lines)] if lines else []
