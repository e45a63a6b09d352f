"""Rows side by side: the same places, the same reader, the difference paired."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_up_cases import made_up

from lumbago.evaluation.comparison import COMMONEST, READER, Compared, RowFacts
from lumbago.evaluation.figures_of_merit import score_cases
from lumbago.evaluation.intervals import Score
from lumbago.evaluation.write_comparison import write_comparison
from lumbago.systems import OURS

PART = {
    "network": "lite0", "parameters": 718_980, "mebibytes": 2.8, "picture": "1 x 80 x 112", "steps": 40,
    "epochs": 1.5, "seconds": 60.0, "losses": [[step, 2 / step] for step in range(1, 41)],
}  # fmt: skip
FACTS = RowFacts({"disc-grader": PART}, 1200.0, {"clinic t2: found within half a disc height": Score(0.9, 0.8, 1.0)})
PLACE = ("clinic", "test", "pfirrmann")


@pytest.fixture(scope="module")
def compared() -> Compared:
    good, poor = made_up(skill=6.0), made_up(skill=0.5)
    return Compared({OURS: good, "svm": poor}, {OURS: FACTS, "svm": FACTS}, "two folds")


def test_every_row_and_what_needs_no_picture_stand_in_a_table(compared: Compared) -> None:
    assert compared.groups == [PLACE]
    rows = {row.name: row for row in compared.table(PLACE)}
    assert list(rows) == [OURS, "svm", COMMONEST, READER]
    assert rows[COMMONEST].figures["kappa"].value == 0
    assert rows[COMMONEST].figures["balanced accuracy"].value == pytest.approx(0.2)
    assert rows[OURS].figures["kappa"] == score_cases(compared.cases[OURS])["linear kappa"]


def test_a_row_that_is_worse_is_told_apart(compared: Compared) -> None:
    ours, other, *_ = compared.table(PLACE)
    assert ours.difference is None and other.difference is not None
    assert other.difference.score.high < 0 and other.difference.p < 0.01


def test_a_row_against_itself_differs_by_nothing() -> None:
    same = made_up()
    table = Compared({OURS: same, "twin": same}, {OURS: FACTS, "twin": FACTS}, "").table(PLACE)
    assert table[1].difference is not None and table[1].difference.score == Score(0.0, 0.0, 0.0)


def test_patients_stand_before_phantoms() -> None:
    cases = [*made_up(source="phantoms", patients=4), *made_up(patients=4)]
    groups = Compared({OURS: cases}, {OURS: FACTS}, "").groups
    assert [data.startswith("phantoms") for data, *_ in groups] == [False, True]


def test_the_rsna_score_wants_all_its_conditions() -> None:
    names = ("spinal_canal_stenosis", "neural_foraminal_narrowing", "subarticular_stenosis")
    whole = [case for name in names for case in made_up(name, patients=6)]
    part = [replace(case) for case in whole if case.condition != names[1]]
    assert set(Compared({OURS: whole, "svm": part}, {}, "").rsna()) == {OURS}


@pytest.mark.parametrize(
    "condition, heading", [("pfirrmann", "linear kappa"), ("modic", "kappa"), ("bulging", "kappa")]
)
def test_the_heading_names_the_kappa_that_was_computed(condition: str, heading: str, tmp_path: Path) -> None:
    cases = made_up(condition, patients=8)
    page = write_comparison(Compared({OURS: cases}, {OURS: FACTS}, ""), tmp_path, "").read_text(encoding="utf8")
    assert f"| row | found | balanced accuracy | {heading} | AUC |" in page and heading in score_cases(cases)


def test_the_page_says_what_was_compared_and_how(compared: Compared, tmp_path: Path) -> None:
    page = write_comparison(compared, tmp_path, "lumbago compare --labels clinic").read_text(encoding="utf8")
    assert "lumbago compare --labels clinic" in page and "two folds" in page
    assert "| `svm` | disc-grader | lite0 | 718,980 | 2.8 | 1 x 80 x 112 | 40 | 1.5 | 1.0 | 1200 |" in page
    assert "## Disc degeneration (Pfirrmann): clinic, test; 150 places of 30 patients" in page and COMMONEST in page
    for picture in ("results-kappas.svg", "results-losses.svg"):
        assert f"]({picture})" in page and (tmp_path / picture).read_bytes().startswith(b"<?xml")
    rows = list(csv.DictReader((tmp_path / "results.csv").read_text(encoding="utf8").splitlines()))
    worse = [row for row in rows if row["row"] == "svm" and row["figure"] == "kappa less ours"]
    assert len(worse) == 1 and float(worse[0]["value"]) < 0 and np.isfinite(float(worse[0]["p"]))
