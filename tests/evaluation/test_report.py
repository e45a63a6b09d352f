"""An evaluation as files: every score with its data, split and command; a phantom's called one; nothing left out."""

import csv
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from made_up_cases import made_up
from PIL import Image

from lumbago.anatomy.conditions import CONDITIONS
from lumbago.errors import UsageError
from lumbago.evaluation import intervals
from lumbago.evaluation.cases import GradedCase
from lumbago.evaluation.evaluate_cases import Evaluation, evaluate_cases
from lumbago.evaluation.gallery import choose_shelves
from lumbago.evaluation.score_tables import markdown
from lumbago.evaluation.write_evaluation import pictures_beside, write_evaluation

COMMAND = "lumbago evaluate --cases <mine>.csv --out scores"


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intervals, "RESAMPLES", 100)


def no_picture(case: GradedCase) -> None:
    return None


def grey(case: GradedCase) -> Image.Image:
    return Image.new("L", (40, 30), 90)


class Reader(HTMLParser):
    """Text and pictures of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.sources: list[str] = []
        self.feed(page)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.sources += [value or "" for name, value in attrs if name in ("src", "href")]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def phantoms(condition: str, patients: int = 10) -> list[GradedCase]:
    return [replace(case, source="phantoms") for case in made_up(condition, patients)]


@pytest.mark.parametrize("condition", CONDITIONS)
def test_every_condition_has_its_page(condition: str, tmp_path: Path) -> None:
    page = write_evaluation(evaluate_cases(made_up(condition, 12)), tmp_path, COMMAND, grey).read_text(encoding="utf8")
    text = Reader(page).text
    for wanted in (CONDITIONS[condition].title[1:], *CONDITIONS[condition].scale.titles, "always commonest"):
        assert wanted in text
    assert "second reader" in text and "Research use only" in text and COMMAND in text
    assert {path.suffix for path in (tmp_path / "figures").iterdir()} == {".png", ".svg"}
    with Image.open(next((tmp_path / "figures").glob("*.png"))) as picture:
        assert np.asarray(picture.convert("L")).std() > 10


def test_the_page_needs_nothing_beside_it(tmp_path: Path) -> None:
    page = write_evaluation(evaluate_cases(made_up(patients=12)), tmp_path, COMMAND, grey)
    sources = Reader(page.read_text(encoding="utf8")).sources
    assert {re.split("[:/;,]", source)[0] for source in sources} - {"data"} == {"#pfirrmann-clinic-test"}
    assert sum(source.startswith("data:image/jpeg") for source in sources) == 12


def test_what_others_wrote_is_text(tmp_path: Path) -> None:
    """A study's name, a scanner, a source can be anything."""
    evil = "<script>alert(1)</script>"
    cases = [replace(case, study=evil + case.study, scanner=evil, source=evil) for case in made_up(patients=8)]
    page = write_evaluation(evaluate_cases(cases), tmp_path, COMMAND, no_picture).read_text(encoding="utf8")
    assert "<script" not in page and "alert(1)" in Reader(page).text


def test_a_phantom_score_is_called_one_wherever_it_stands(tmp_path: Path) -> None:
    evaluation = evaluate_cases([*phantoms("pfirrmann"), *made_up("modic", 10)])
    page = write_evaluation(evaluation, tmp_path, COMMAND, no_picture).read_text(encoding="utf8")
    with (tmp_path / "scores.csv").open(newline="", encoding="utf8") as file:
        rows = list(csv.DictReader(file))
    assert {row["command"] for row in rows} == {COMMAND} and {row["split"] for row in rows} == {"test"}
    assert all("computer-made" in row["data"] for row in rows if row["condition"] == "pfirrmann")
    assert not any("computer-made" in row["data"] for row in rows if row["condition"] == "modic")
    lines = [line for line in markdown(evaluation, COMMAND).splitlines() if "phantoms" in line]
    assert lines and all("computer-made" in line for line in lines)
    assert "They say nothing about patients" in Reader(page).text
    assert page.count("<tr><td><a") == 2 and "of 10 phantoms" in page
    figure = (tmp_path / "figures" / "pfirrmann-phantoms-test.svg").read_text(encoding="utf8")
    assert "computer-made" in figure


def test_no_answer_at_all(tmp_path: Path) -> None:
    silent = [replace(case, probabilities=None) for case in made_up(patients=3)]
    page = write_evaluation(evaluate_cases(silent), tmp_path, COMMAND, grey).read_text(encoding="utf8")
    assert "No place has an answer" in Reader(page).text
    assert "0.00" in markdown(evaluate_cases(silent), COMMAND)


def test_one_case_is_enough(tmp_path: Path) -> None:
    (case, *_) = [case for case in made_up() if case.probabilities]
    assert write_evaluation(evaluate_cases([case]), tmp_path, COMMAND, grey).is_file()


def test_parts_by_what_is_known() -> None:
    evaluation = evaluate_cases(made_up("subarticular_stenosis", 40))
    groups = {row.by: {r.group for r in evaluation.rows if r.by == row.by} for row in evaluation.rows}
    assert groups["side"] == {"left", "right"} and groups["sex"] == {"F", "M"}
    assert groups["field strength"] == {"1.5 T", "3 T"} and groups["scanner"] == {"Maker A", "Maker B"}
    assert groups["age"] == {"20 to 39", "40 to 59"} and len(groups["level"]) == 5
    assert groups["reader"] == {"second reader", "model, same cases"}
    for row in evaluation.rows:
        assert row.cases > 0 and 0 < row.patients <= 40 and row.data == "clinic"


def test_slices_and_discs() -> None:
    twice = [replace(case, slice_name=name) for case in made_up("herniation", 10) for name in ("a", "b")]
    rows = {(row.by, row.group, row.figure): row for row in evaluate_cases(twice).rows}
    slice_wise, disc_wise = rows["", "", "accuracy"], rows["unit", "disc-wise", "accuracy"]
    assert slice_wise.cases == 2 * disc_wise.cases == 100
    assert slice_wise.score.value == disc_wise.score.value, "both slices say the same"


def test_two_models_on_the_same_cases(tmp_path: Path) -> None:
    good, poor = made_up(skill=20.0), made_up(skill=0.5)
    evaluation = evaluate_cases(good, against=poor[:-10])
    differences = {row.figure: row.difference for row in evaluation.differences}
    assert differences["accuracy"].score.low > 0 and differences["log loss"].score.high < 0
    assert differences["accuracy"].p < 0.05 and evaluation.left_out >= 10
    page = write_evaluation(evaluation, tmp_path, COMMAND, no_picture).read_text(encoding="utf8")
    assert "Compared with the other table" in page and (tmp_path / "differences.csv").is_file()
    write_evaluation(evaluate_cases(good), tmp_path, COMMAND, no_picture)
    assert not (tmp_path / "differences.csv").exists(), "it tells of another evaluation"


def test_validation_cases_are_no_places_left_out() -> None:
    cases = [replace(case, split="validation" if case.patient == "clinic:0" else "test") for case in made_up()]
    answered = sum(case.split == "test" and case.probabilities is not None for case in cases)
    found = evaluate_cases(cases, against=cases)
    assert found.left_out == sum(case.split == "test" for case in cases) - answered


def test_the_rsna_score_is_compared_too() -> None:
    names = [name for name, row in CONDITIONS.items() if row.scale.name == "severity"]
    good, poor = ([c for n in names for c in made_up(n, 8, skill=skill)] for skill in (20.0, 0.5))
    evaluation = evaluate_cases(good, against=poor)
    assert {row.figure for row in evaluation.rows} >= {"RSNA 2024 score"}
    (row,) = [row for row in evaluation.differences if row.figure == "RSNA 2024: RSNA 2024 score"]
    assert row.difference.score.high < 0


def test_tables_that_cannot_be_compared() -> None:
    cases = made_up(patients=3)
    with pytest.raises(UsageError, match="no place in common"):
        evaluate_cases(cases, against=made_up("modic", 3))
    with pytest.raises(UsageError, match="differ on the truth"):
        evaluate_cases(cases, against=[replace(case, truth="1") for case in cases])


def test_operating_points_stand_on_the_page(tmp_path: Path) -> None:
    other = [replace(case, split="validation") for case in made_up(seed=1, source="elsewhere")]
    inside = evaluate_cases([*made_up(), *other])
    beside = evaluate_cases(made_up(), validation=other)
    assert inside.points == beside.points != {}
    assert all(case.split == "test" for case in inside.cases)
    text = Reader(write_evaluation(beside, tmp_path, COMMAND, no_picture).read_text(encoding="utf8")).text
    assert "screening: 4 or worse" in text and "thresholds chosen on validation cases" in text
    with pytest.raises(UsageError, match="never choose on test cases"):
        evaluate_cases(made_up(), validation=made_up(seed=1, source="elsewhere"))


def test_validation_cases_alone_are_scored_as_such() -> None:
    evaluation = evaluate_cases([replace(case, split="validation") for case in made_up()])
    assert {row.split for row in evaluation.rows} == {"validation"} and evaluation.points == {}
    with pytest.raises(UsageError, match="no case to score"):
        evaluate_cases([])


def test_the_gallery_shows_what_it_says() -> None:
    cases = made_up("pfirrmann", 40)
    worst, best, random = choose_shelves(cases)
    assert all(case.found_index != case.truth_index for case in worst.cases)
    assert all(case.found_index == case.truth_index for case in best.cases)
    assert len({case.truth for case in best.cases}) == 4, "another grade each"
    for shelf in (worst, best, random):
        assert len({case.patient for case in shelf.cases}) == len(shelf.cases) == 4
    assert choose_shelves(cases) == (worst, best, random) != choose_shelves(cases, seed=1)


def test_pictures_lie_beside_the_table(tmp_path: Path) -> None:
    Image.new("L", (8, 6), 100).save(tmp_path / "disc.png")
    picture_of, case = pictures_beside(tmp_path), made_up(patients=1)[0]
    shown = picture_of(replace(case, picture="disc.png"))
    assert shown is not None and shown.size == (8, 6)
    assert picture_of(case) is None and picture_of(replace(case, picture="gone.png")) is None
    (tmp_path / "torn.png").write_bytes((tmp_path / "disc.png").read_bytes()[:40])
    assert picture_of(replace(case, picture="torn.png")) is None


def test_the_same_cases_give_the_same_files(tmp_path: Path) -> None:
    evaluation: Evaluation = evaluate_cases(made_up(patients=6))
    for name in ("one", "two"):
        write_evaluation(evaluation, tmp_path / name, COMMAND, grey)
    files = {
        name: {p.name: p.read_bytes() for p in (tmp_path / name).rglob("*") if p.is_file()} for name in ("one", "two")
    }
    assert files["one"] == files["two"]


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        write_evaluation(evaluate_cases(made_up(patients=2)), tmp_path / "taken", COMMAND, no_picture)
