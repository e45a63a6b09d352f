from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pypdfium2
import pytest
from made_up_study import Volumes, withhold_all
from PIL import ImageColor
from report_cases import CASES, HOSTILE, cjk_name, hostile_text

from lumbago.anatomy.conditions import CONDITIONS
from lumbago.anatomy.findings import RESEARCH_USE, StudyFindings
from lumbago.report import wording
from lumbago.report.annotate_slices import write_pictures
from lumbago.report.level_grid import abnormal_first, grade_title
from lumbago.report.page_content import cell_fill, page_content, readable_ink
from lumbago.report.pdf import write_pdf
from lumbago.systems import OURS, SYSTEMS


@contextmanager
def opened(path: Path) -> Iterator[pypdfium2.PdfDocument]:
    document = pypdfium2.PdfDocument(path)
    try:
        yield document
    finally:
        document.close()


def texts(path: Path) -> list[str]:
    """The text of each page, without spaces, since lines are broken anywhere."""
    with opened(path) as document:
        return ["".join(page.get_textpage().get_text_range().split()) for page in document]


def squeezed(text: str) -> str:
    return "".join(text.split())


def is_tagged(path: Path) -> bool:
    return b"pdfuaid" in path.read_bytes()


@pytest.mark.parametrize("case", CASES)
def test_two_pages_that_say_it(case: str, tmp_path: Path) -> None:
    findings, volumes = CASES[case]()
    write_pictures(findings, {role: volumes[role] for role in volumes if role != "axial_t2"}, tmp_path)
    path = write_pdf(findings, tmp_path)
    first, second = texts(path)
    assert squeezed(wording.headline(findings)) in first
    assert [
        line for line in (*wording.limits(findings), *wording.cautions(findings)) if squeezed(line) not in first
    ] == []
    assert squeezed(RESEARCH_USE) in first
    assert squeezed(RESEARCH_USE) in second
    assert is_tagged(path) or case == "cjk_name"


def test_first_page_has_every_grade(findings: StudyFindings, tmp_path: Path) -> None:
    first, second = texts(write_pdf(findings, tmp_path))
    assert first.count("severe†80%·1.7") == 3
    assert first.count("moderate†80%·1.0") == 2
    assert "580%·4.5" in first
    assert "herniation80%" in first
    assert "noneabnormalof8" in first
    assert "stenosis1,SHA-256aaaaaaaaaaaa" in second
    assert "SAGITTAL_T2TSE(9slices)" in second


def test_every_model_of_our_row_is_named(findings: StudyFindings) -> None:
    models = tuple(replace(findings.models[0], name=part.name) for part in SYSTEMS[OURS].parts)
    named = page_content(replace(findings, models=models), ())["models"]
    assert [title.split()[0] for title, _, _ in named] == [model.name for model in models]


def test_reasons_lead_from_the_cell_to_the_text(tmp_path: Path) -> None:
    content = page_content(CASES["no_axial"]()[0], ())
    assert content["reasons"] == [{"mark": "a", "text": "no axial T2 series"}]
    assert content["rows"][0]["cells"][3] == {"state": "not_assessed", "title": "not assessed", "note": "a"}
    first = texts(write_pdf(CASES["no_axial"]()[0], tmp_path))[0]
    assert first.count("notassesseda") == 10
    assert "anoaxialT2series" in first


def test_a_wide_name_leaves_the_notice_alone(findings: StudyFindings, tmp_path: Path) -> None:
    wide = replace(findings, study=replace(findings.study, patient_name="Ж" * 64, patient_id="Ж" * 64))
    with opened(write_pdf(wide, tmp_path)) as document:
        page = document[0].get_textpage()
        hit = page.search(RESEARCH_USE).get_next()
        assert hit is not None
        boxes = [page.get_charbox(number) for number in range(hit[0], sum(hit))]
        lefts, bottoms, rights, tops = zip(*boxes, strict=True)
        left, bottom, right, top = min(lefts), min(bottoms), max(rights), max(tops)
        assert top - bottom < 10
        assert page.get_text_bounded(left, bottom, right, top).strip() == RESEARCH_USE


def test_further_findings_that_were_withheld_are_not_called_untried(findings: StudyFindings) -> None:
    rows = page_content(withhold_all(findings, "dark"), ())["rows"]
    assert {row["further_none"] for row in rows} == {"withheld"}


def test_text_from_files_is_never_markup(tmp_path: Path) -> None:
    first, second = texts(write_pdf(hostile_text()[0], tmp_path))
    assert first.count(squeezed(HOSTILE)) == 4
    assert "a<U+202E>b<U+0000>c<U+000A>=Heading" in first
    assert "#panic" in second


def test_names_without_a_font_still_give_a_report(tmp_path: Path) -> None:
    path = write_pdf(cjk_name()[0], tmp_path)
    first = texts(path)[0]
    assert "Yamada,Tarou" in first
    assert is_tagged(path) != ("standasemptyboxes" in first)


def test_the_same_findings_give_the_same_bytes(findings: StudyFindings, volumes: Volumes, tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
        write_pictures(findings, volumes, folder)
    one, two = (write_pdf(findings, folder).read_bytes() for folder in folders)
    assert one == two


def test_the_date_is_the_studys_unless_given(findings: StudyFindings, tmp_path: Path) -> None:
    def date_of(path: Path) -> str:
        with opened(path) as document:
            return str(document.get_metadata_dict()["CreationDate"])

    assert date_of(write_pdf(findings, tmp_path)).startswith("D:20240131")
    assert date_of(write_pdf(findings, tmp_path, datetime(2025, 2, 3, 4, 5, tzinfo=UTC))).startswith("D:20250203")
    undated = replace(findings, study=replace(findings.study, study_date="unknown"))
    assert date_of(write_pdf(undated, tmp_path)) == ""


def images_on(path: Path) -> list[int]:
    with opened(path) as document:
        return [sum(item.type == pypdfium2.raw.FPDF_PAGEOBJ_IMAGE for item in page.get_objects()) for page in document]


def test_pictures_are_shown_and_foreign_ones_are_not(findings: StudyFindings, volumes: Volumes, tmp_path: Path) -> None:
    write_pictures(findings, volumes, tmp_path)
    assert images_on(write_pdf(findings, tmp_path)) == [1, len(abnormal_first(findings))]
    other = replace(findings, study=replace(findings.study, study_instance_uid="2.0"))
    assert images_on(write_pdf(other, tmp_path)) == [0, 0]


def test_evidence_that_does_not_fit_is_counted(tmp_path: Path) -> None:
    findings, _ = CASES["everything_bad"]()
    names = {f"evidence_{f.level.replace('/', '-')}_{f.condition}.png" for f in abnormal_first(findings) if not f.side}
    content = page_content(findings, names)
    assert len(content["evidence"]) == 12
    assert content["evidence_legend"].endswith(f" {len(names) - 12} more pictures lie beside this report.")


def test_every_grade_is_readable_on_its_colour(findings: StudyFindings) -> None:
    example = findings.findings[0]
    for name, row in CONDITIONS.items():
        greys = []
        for grade in row.scale.grades:
            finding = replace(example, condition=name, grade=grade)
            fill = cell_fill(finding)
            assert contrast(fill, readable_ink(fill)) >= 4.5, f"{name} {grade}"
            greys.append(luminance(fill))
            assert grade_title(finding)
        assert greys == sorted(greys, reverse=True) or not row.scale.ordinal, f"{name}: order is lost in grey"


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2.2 defines it."""
    values = [value / 255 for value in ImageColor.getrgb(colour)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in values]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)
