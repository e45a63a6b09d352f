"""Every row of the table of conditions is whole, and whatever lists conditions lists them all."""

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from lumbago.anatomy.conditions import CONDITIONS, ROLE_TITLES, ROLES, Condition, expected_sites
from lumbago.anatomy.findings import Finding, StudyFindings, StudySummary
from lumbago.anatomy.levels import LEVELS, SIDES
from lumbago.report.table import WIDTH, findings_report

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "reference" / "findings.md").read_text(encoding="utf8")
DESIGNED = {
    "spinal_canal_stenosis", "neural_foraminal_narrowing", "subarticular_stenosis", "pfirrmann", "herniation",
    "high_intensity_zone", "narrowing", "bulging", "spondylolisthesis", "endplate_upper", "endplate_lower", "modic",
    "disc_degeneration",
}  # fmt: skip
every_condition = pytest.mark.parametrize("condition", CONDITIONS.values(), ids=CONDITIONS)


def test_the_conditions_are_the_published_ones() -> None:
    assert set(CONDITIONS) == DESIGNED


@every_condition
def test_a_row_is_found_by_its_name(condition: Condition) -> None:
    assert CONDITIONS[condition.name] is condition
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", condition.name)


@every_condition
def test_texts_are_there(condition: Condition) -> None:
    assert condition.title.strip() == condition.title != ""
    assert 0 < len(condition.short) <= 16
    assert len(condition.definition) > 15


def test_titles_and_column_heads_tell_conditions_apart() -> None:
    for texts in ([row.title for row in CONDITIONS.values()], [row.short for row in CONDITIONS.values()]):
        assert len(set(texts)) == len(CONDITIONS)


@every_condition
def test_a_scale_says_everything_of_every_grade(condition: Condition) -> None:
    scale = condition.scale
    count = len(scale.grades)
    assert len(scale.titles) == len(scale.values) == len(scale.colours) == count == len(set(scale.grades)) >= 2
    assert len(set(scale.colours)) == count
    assert all(re.fullmatch(r"#[0-9A-F]{6}", colour) for colour in scale.colours)
    assert list(scale.values) == sorted(set(scale.values))
    assert 0 < scale.abnormal_from < count


@every_condition
def test_the_source_is_a_role(condition: Condition) -> None:
    assert set(condition.roles) <= set(ROLES)
    assert condition.roles[0] == condition.source
    assert len(set(condition.roles)) == len(condition.roles)
    assert all(ROLE_TITLES[role] for role in condition.roles)


@every_condition
def test_sides(condition: Condition) -> None:
    assert condition.sides == (SIDES if condition.sided else (None,))
    sites = expected_sites(condition)
    assert len(sites) == len(set(sites)) == len(LEVELS) * len(condition.sides)
    assert [level for level, _ in sites][:: len(condition.sides)] == list(LEVELS)


@every_condition
def test_the_reference_says_where_it_is_read_from(condition: Condition) -> None:
    (row,) = re.findall(rf"^\| `{condition.name}` \|(.*)\|$", PAGE, re.M)
    joined = " and ".join(ROLE_TITLES[role] for role in (condition.source, *condition.also_from))
    instead = "".join(f", else {ROLE_TITLES[role]}" for role in condition.instead_from)
    assert row.split("|")[-1].strip() == joined + instead


def shown(findings: StudyFindings) -> str:
    """What the terminal says, in one line, so that no line break hides a word."""
    console = Console(file=io.StringIO(), width=WIDTH)
    console.print(findings_report(findings))
    assert isinstance(console.file, io.StringIO)
    return " ".join(console.file.getvalue().split())


@every_condition
def test_the_report_shows_its_worst_grade(condition: Condition) -> None:
    scale, side = condition.scale, condition.sides[-1]
    sure = {grade: float(grade == scale.grades[-1]) for grade in scale.grades}
    worst = Finding(condition.name, "L3/L4", side, scale.grades[-1], sure, scale.expected_grade(sure))
    text = shown(StudyFindings(StudySummary("case", "1.2"), (), (worst,)))
    place = " ".join(part for part in ("L3/L4", side, condition.title) if part)
    assert f"Most severe: {place}, {scale.titles[-1]} (>99%)" in text
    table = text.split("Below each grade")[0]
    assert condition.short in table.replace(place, "")


@every_condition
def test_the_report_says_why_it_has_no_grade(condition: Condition) -> None:
    scale, side = condition.scale, condition.sides[0]
    even = dict.fromkeys(scale.grades, 1 / len(scale.grades))
    withheld = Finding(condition.name, "L3/L4", side, None, even, abstained=True, reason="it was hidden by fog")
    text = shown(StudyFindings(StudySummary("case", "1.2"), (), (withheld,)))
    assert f"{condition.title[:1].upper()}{condition.title[1:]} withheld at L3/L4" in text
    assert "it was hidden by fog." in text
