"""Pictures of one study are slices of it: each is scored by itself, and its discs by the worst of their slices."""

from pathlib import Path

from lumbago.evaluation.case_table import read_cases
from lumbago.evaluation.evaluate_cases import evaluate_cases
from lumbago.inference.weights import load_model
from lumbago.labels.picture_slices import LabelledSlice
from lumbago.learning.score_grader import picture_cases, score_grades
from lumbago.pipeline.place_patches import LocatedSpine


def graded_slice(study: str, name: str, grade: str) -> LabelledSlice:
    grades = {("herniation", "L4/L5"): grade}
    return LabelledSlice("yolo", "yolo:ann", name, Path(name), 1.0, "t2", grades=grades, study=study)


def test_a_disc_on_several_pictures_is_scored_once_more_as_a_whole(tmp_path: Path) -> None:
    rows = [
        graded_slice("ann", "yolo:t2_1", "absent"), graded_slice("ann", "yolo:t2_2", "present"),
        graded_slice("ann-later", "yolo:t2_1", "absent"),
    ]  # fmt: skip
    grader, nowhere = load_model("disc-grader"), LocatedSpine({}, {}, {})
    score_grades([case for row in rows for case in picture_cases(nowhere, grader, row)], tmp_path)
    cases = read_cases(tmp_path / "predictions.csv")
    assert [(case.study, case.slice_name) for case in cases] == [(row.study, row.name) for row in rows]
    found = {(row.by, row.group): row.cases for row in evaluate_cases(cases).rows if row.condition == "herniation"}
    assert found["", ""] == 3 and found["unit", "disc-wise"] == 2
