"""The kit for RSNA 2024: its submission read by someone else, scored as the evaluation scores, and its script whole."""

import csv
import math
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from made_up_patches import made_up_patches
from rich.console import Console
from sklearn.metrics import log_loss

from lumbago.errors import UnreadableInput, UsageError
from lumbago.evaluation.case_table import read_cases
from lumbago.evaluation.rsna_score import RSNA_SCORE, rsna_scores
from lumbago.evaluation.rsna_submission import (
    read_submission,
    submission_cases,
    training_priors,
)
from lumbago.evaluation.submit_rsna import run_submission
from lumbago.inference.weights import SHIPPED
from lumbago.labels.sources import read_source
from lumbago.learning.experiment import Experiment
from lumbago.learning.grader_task import GraderTask
from lumbago.learning.places import Places
from lumbago.learning.run_evaluation import run_evaluation
from rsna_folder import change_table, write_rsna_folder

ROOT = Path(__file__).parents[2]
KIT = ROOT / "experiments" / "rsna"
QUIET = Console(quiet=True)
PARTS = {
    "canal": "spinal_canal_stenosis",
    "foramen": "neural_foraminal_narrowing",
    "recess": "subarticular_stenosis",
}
GRADES = {"Normal/Mild": 0, "Moderate": 1, "Severe": 2}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_rsna_folder(tmp_path_factory.mktemp("kit"), 22, 21).parent


@pytest.fixture(scope="module")
def submitted(data: Path) -> Path:
    """By the shipped models."""
    path = data / "submission.csv"
    submission = run_submission(data / "rsna", path, ("", SHIPPED / "spine-locator"), QUIET)
    assert submission.priors == {}
    return path


def official_rows(path: Path) -> dict[str, list[float]]:
    """The file by the letter of the challenge's page, with nothing of ours."""
    with path.open(encoding="ascii", newline="") as file:
        head, *rows = csv.reader(file)
    assert head == ["row_id", "normal_mild", "moderate", "severe"]
    return {row[0]: [float(cell) for cell in row[1:]] for row in rows}


def official_score(answers: dict[str, list[float]], solution: Path) -> float:
    """The published metric, written anew: three weighted log losses and the one of any severe canal."""
    groups: dict[str, list[tuple[int, list[float]]]] = {"canal": [], "foraminal": [], "subarticular": []}
    severe: list[tuple[bool, float, int]] = []
    with solution.open(encoding="utf8", newline="") as file:
        for study in csv.DictReader(file):
            name = study.pop("study_id")
            rows = {column: (GRADES[text], answers[f"{name}_{column}"]) for column, text in study.items() if text}
            for column, row in rows.items():
                next(members for group, members in groups.items() if group in column).append(row)
            canal = [row for column, row in rows.items() if "canal" in column]
            truth = max(grade for grade, _ in canal)
            severe.append((truth == 2, max(values[2] for _, values in canal), 2**truth))
    losses = [
        log_loss([g for g, _ in rows], [v for _, v in rows], sample_weight=[2**g for g, _ in rows], labels=[0, 1, 2])
        for rows in groups.values()
    ]
    label, chance, weight = zip(*severe, strict=True)
    return (sum(losses) + log_loss(label, chance, sample_weight=weight, labels=[False, True])) / 4


def test_every_row_of_every_test_study_is_there(submitted: Path) -> None:
    rows = official_rows(submitted)
    sides = [f"{side}_{name}" for name in (PARTS["foramen"], PARTS["recess"]) for side in ("left", "right")]
    levels = ("l1_l2", "l2_l3", "l3_l4", "l4_l5", "l5_s1")
    assert set(rows) == {f"1000021_{name}_{level}" for name in (PARTS["canal"], *sides) for level in levels}
    for values in rows.values():
        assert all(math.isfinite(value) and value > 0 for value in values) and abs(sum(values) - 1) < 1e-12


def test_the_evaluation_gives_the_same_score(data: Path, tmp_path: Path) -> None:
    """Of the same models on the same studies, by the labels of the truth; a model for each condition, as an evaluation
    is of one experiment and joins nothing."""
    cases = []
    for part, condition in PARTS.items():
        experiment = tmp_path / f"{part}.toml"
        experiment.write_text(f'kind = "grader"\nsources = ["rsna"]\nconditions = ["{condition}"]\nanchor = "{part}"\n')
        run = tmp_path / part
        shutil.copytree(SHIPPED / f"{part}-grader", run / "model")
        places = Places(data / "truth", tmp_path / f"scores-{part}", str(SHIPPED / "spine-locator"))
        run_evaluation(experiment, places, str(run), ())
        cases += read_cases(places.run / "predictions.csv")
    assert {case.source for case in cases} == {"phantoms"} and all(case.probabilities for case in cases)
    submitted, runs = tmp_path / "submission.csv", ",".join(str(tmp_path / part) for part in PARTS)
    run_submission(data / "rsna", submitted, (runs, SHIPPED / "spine-locator"), QUIET)
    wanted = official_score(official_rows(submitted), data / "truth" / "rsna" / "train.csv")
    studies = list(read_source("rsna", data / "truth" / "rsna"))
    by_submission = rsna_scores(list(submission_cases(read_submission(submitted), studies, "phantoms")))
    assert rsna_scores(cases)[RSNA_SCORE].value == pytest.approx(wanted, abs=1e-6)  # the table holds six decimals
    assert by_submission[RSNA_SCORE].value == pytest.approx(wanted, abs=1e-9)


def test_what_cannot_be_graded_holds_the_prior(data: Path, tmp_path: Path) -> None:
    """An unreadable test study, and one of which there are no images, cost no row."""
    rsna = shutil.copytree(data / "rsna", tmp_path / "rsna")
    for path in (rsna / "test_images").rglob("*.dcm"):
        path.write_bytes(b"spoiled")
    extra = {"study_id": "44036939", "series_id": "1", "series_description": "Sagittal T1"}
    change_table(rsna / "test_series_descriptions.csv", lambda rows: [*rows, extra])
    submission = run_submission(rsna, tmp_path / "out.csv", ("", SHIPPED / "spine-locator"), QUIET)
    assert submission.priors == {"the study cannot be read": 50}
    rows = official_rows(tmp_path / "out.csv")
    priors = training_priors(read_source("rsna", rsna))
    assert rows["44036939_left_subarticular_stenosis_l4_l5"] == list(priors["subarticular_stenosis", "L4/L5"])


def test_priors_are_weighted_shares(data: Path) -> None:
    """Nothing is impossible, and what is commoner, or weighs more, is likelier."""
    for values in training_priors(read_source("rsna", data / "rsna")).values():
        assert sum(values) == pytest.approx(1) and min(values) > 0
    assert all(values == pytest.approx((1 / 3, 1 / 3, 1 / 3)) for values in training_priors([]).values())


def test_folds_are_averaged(data: Path, tmp_path: Path) -> None:
    """Two runs of the same grader give what one gives; `{fold}` finds both and no run of another name."""
    for name in ("canal-0", "canal-1"):
        shutil.copytree(SHIPPED / "canal-grader", tmp_path / name / "model")
    (tmp_path / "canal-final" / "model").mkdir(parents=True)
    (tmp_path / "canal-final" / "model" / "card.toml").write_text("no card")
    locator = SHIPPED / "spine-locator"
    both = run_submission(data / "rsna", tmp_path / "both.csv", (f"{tmp_path}/canal-{{fold}}", locator), QUIET)
    one = run_submission(data / "rsna", tmp_path / "one.csv", (f"{tmp_path}/canal-0", locator), QUIET)
    assert sum(both.priors.values()) == 20 and both.rows.keys() == one.rows.keys()
    assert all(both.rows[row] == pytest.approx(values, abs=2e-4) for row, values in one.rows.items())
    with pytest.raises(UnreadableInput, match="no model in"):
        run_submission(data / "rsna", tmp_path / "none.csv", (f"{tmp_path}/recess-{{fold}}", locator), QUIET)


def test_a_row_twice_or_missing_is_refused(submitted: Path, data: Path, tmp_path: Path) -> None:
    lines = submitted.read_text().splitlines()
    (tmp_path / "twice.csv").write_text("\n".join([*lines, lines[1]]))
    with pytest.raises(UnreadableInput, match="twice"):
        read_submission(tmp_path / "twice.csv")
    rows = dict(list(read_submission(submitted).items())[1:])
    with pytest.raises(UnreadableInput, match="no row 1000021_spinal_canal_stenosis_l1_l2"):
        list(submission_cases(rows, read_source("rsna", data / "truth" / "rsna"), "phantoms"))


@pytest.mark.parametrize("path", sorted(KIT.glob("*/*.toml")), ids=lambda path: "-".join(path.parts[-2:]))
def test_recipes_can_be_trained(path: Path) -> None:
    experiment = Experiment.read(path, fold=4)
    assert experiment.sources == ("rsna",) and experiment.class_weights == (1, 2, 4) and experiment.folds == 5
    assert PARTS[experiment.anchor] in experiment.conditions and bool(experiment.phantoms) == ("mixed" in path.parts)
    grades = dict.fromkeys(experiment.conditions, 0)
    GraderTask(experiment, [replace(patch, grades=grades) for patch in made_up_patches()])


def test_the_script_takes_any_folder(tmp_path: Path) -> None:
    """Also one that holds the word that once stood for the part."""
    stub, out = tmp_path / "stub", tmp_path / "DEPARTMENT of x"
    stub.write_text(f'#!/bin/sh\nfor word in "$@"; do printf "%s|" "$word"; done >>"{tmp_path}/log"\n')
    stub.chmod(0o755)
    settings = {"PATH": os.environ["PATH"], "LUMBAGO": str(stub), "DATA": str(tmp_path), "OUT": str(out)}
    subprocess.run([str(KIT / "run.sh")], check=True, cwd=ROOT, env=settings, stdout=subprocess.DEVNULL)
    said = (tmp_path / "log").read_text()
    for before, after in (("scores-", "/predictions.csv"), ("", "-{fold}"), ("", "-final")):
        assert f"|{','.join(f'{out}/{before}{part}{after}' for part in PARTS)}|" in said


def test_a_place_that_cannot_be_written_is_told_before_the_grading(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for out in (tmp_path, tmp_path / "file" / "submission.csv"):
        with pytest.raises(UsageError, match="cannot be written"):
            run_submission(tmp_path / "no data yet", out, ("", None), QUIET)
