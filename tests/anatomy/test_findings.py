"""Findings: what is written is what is read, and what a reader asks of them."""

import json
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lumbago.anatomy.conditions import CONDITIONS, ROLES, Condition
from lumbago.anatomy.findings import (
    RESEARCH_USE,
    SCHEMA,
    Evidence,
    Finding,
    LevelLocation,
    Measurement,
    ModelUse,
    NotAssessed,
    QualityRemark,
    SeriesSummary,
    StudyFindings,
    StudySummary,
)
from lumbago.anatomy.levels import LEVELS

numbers = st.floats(allow_nan=False, allow_infinity=False, width=32)
shares = st.floats(0, 1)
text = st.text(max_size=12)
points = st.tuples(numbers, numbers, numbers)
levels = st.sampled_from(LEVELS)
sides = st.sampled_from([None, "left", "right"])
roles = st.sampled_from(ROLES)
details = st.dictionaries(text, st.none() | st.booleans() | st.integers() | text, max_size=2)


def plan(kind: type, *parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """An object to be made: types are checked when objects are made, which must not happen while values are drawn."""
    return st.builds(partial, st.just(kind), *parts)


def many(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(strategy, max_size=2).map(tuple)


def made(drawn: Any) -> Any:
    """The object that was planned, and all within it."""
    if isinstance(drawn, partial):
        return drawn.func(*(made(part) for part in drawn.args))
    if isinstance(drawn, tuple):
        return tuple(made(part) for part in drawn)
    return {name: made(part) for name, part in drawn.items()} if isinstance(drawn, dict) else drawn


evidence = plan(
    Evidence, text, text, st.none() | st.integers(1, 9), roles, points, st.none() | st.tuples(points, points),
    many(points), st.none() | text,
)  # fmt: skip
measurements = st.dictionaries(text, plan(Measurement, numbers, numbers), max_size=2)


def finding_of(condition: Condition) -> st.SearchStrategy[Any]:
    grades = condition.scale.grades
    return plan(
        Finding, st.just(condition.name), levels, sides, st.sampled_from([None, *grades]),
        st.fixed_dictionaries(dict.fromkeys(grades, shares)), st.none() | numbers, st.booleans(), st.none() | text,
        st.none() | evidence, details, measurements, st.none() | text, st.none() | text,
    )  # fmt: skip


series = plan(SeriesSummary, text, text, st.none() | roles, text, text, st.integers(0, 99), text)
studies = plan(
    StudyFindings,
    plan(StudySummary, *[text] * 9, many(series)),
    many(plan(LevelLocation, levels, points, shares, st.booleans())),
    many(st.sampled_from(list(CONDITIONS.values())).flatmap(finding_of)),
    many(plan(NotAssessed, text, text, st.none() | levels, sides)),
    many(plan(QualityRemark, text, text)),
    many(plan(ModelUse, text, text, text, many(text), text, text)),
)


@settings(max_examples=40, deadline=None)
@given(studies)
def test_json_round_trip(drawn: Any) -> None:
    study = made(drawn)
    assert StudyFindings.from_json(study.to_json()) == study


EMPTY = StudyFindings(StudySummary("case", "1.2"), (), ())
PFIRRMANN = Finding("pfirrmann", "L4/L5", None, "4", {"1": 0.0, "2": 0.1, "3": 0.2, "4": 0.6, "5": 0.1})


def test_json_names_its_schema_first() -> None:
    assert next(iter(json.loads(EMPTY.to_json()).items())) == ("schema", SCHEMA)


def test_json_says_what_it_is_not() -> None:
    assert json.loads(EMPTY.to_json())["notice"] == RESEARCH_USE


def test_names_of_patients_stay_readable_in_json() -> None:
    named = replace(EMPTY, study=replace(EMPTY.study, patient_name="Müller^Jörg"))
    assert "Müller^Jörg" in named.to_json()


def test_a_number_that_is_none_is_not_written() -> None:
    broken = replace(EMPTY, levels=(LevelLocation("L4/L5", (0.0, float("nan"), 0.0), 1.0, name_is_sure=True),))
    with pytest.raises(ValueError, match="not JSON compliant"):
        broken.to_json()


def test_unknown_fields_of_a_later_version_are_left_out() -> None:
    data = json.loads(EMPTY.to_json())
    data["invented"] = data["study"]["invented"] = 1
    assert StudyFindings.from_json(json.dumps(data)) == EMPTY


@pytest.mark.parametrize("content", ["[]", "{}", '{"schema": "lumbago/findings/2"}', "1", "no JSON"])
def test_something_else_is_refused(content: str) -> None:
    with pytest.raises(ValueError, match=r"expected a findings file|Expecting value"):
        StudyFindings.from_json(content)


def test_a_finding_is_found_by_its_place() -> None:
    left, right = (replace(PFIRRMANN, condition="subarticular_stenosis", side=side) for side in ("left", "right"))
    study = replace(EMPTY, findings=(PFIRRMANN, left, right))
    assert study.find("subarticular_stenosis", "L4/L5", "right") is right
    assert study.find("pfirrmann", "L4/L5") is PFIRRMANN
    assert study.find("pfirrmann", "L3/L4") is None


def test_confidence_is_the_probability_of_the_grade() -> None:
    assert PFIRRMANN.confidence == 0.6
    assert replace(PFIRRMANN, grade=None, abstained=True).confidence is None


@pytest.mark.parametrize("condition", CONDITIONS.values(), ids=lambda row: row.name)
def test_abnormal_begins_where_the_scale_says(condition: Condition) -> None:
    scale = condition.scale
    graded = [replace(PFIRRMANN, condition=condition.name, grade=grade).is_abnormal for grade in scale.grades]
    assert graded == [index >= scale.abnormal_from for index in range(len(scale.grades))]


def test_a_withheld_grade_is_not_abnormal() -> None:
    assert not replace(PFIRRMANN, grade=None).is_abnormal
