"""The findings' dataclasses, their JSON Schema and their reference page say the same."""

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from report_cases import CASES

from lumbago.anatomy import findings as vocabulary
from lumbago.anatomy.conditions import CONDITIONS, ROLES
from lumbago.anatomy.findings import SCHEMA, StudyFindings
from lumbago.anatomy.levels import LEVELS, SIDES, level_from_bottom

DOCS = Path(__file__).parents[2] / "docs" / "reference"
DOCUMENT: dict[str, Any] = json.loads((DOCS / "findings.schema.json").read_text(encoding="utf8"))
PAGE = (DOCS / "findings.md").read_text(encoding="utf8")
CLASSES = [
    item
    for item in vars(vocabulary).values()
    if dataclasses.is_dataclass(item) and isinstance(item, type) and item.__module__ == vocabulary.__name__
]
VALIDATOR = jsonschema.Draft202012Validator(DOCUMENT)


def described(kind: type) -> dict[str, Any]:
    own: dict[str, Any] = DOCUMENT if kind is StudyFindings else DOCUMENT["$defs"][kind.__name__]
    return own


def own_fields(kind: type) -> set[str]:
    return {field.name for field in dataclasses.fields(kind)}


def without_default(kind: type) -> set[str]:
    missing = dataclasses.MISSING
    return {f.name for f in dataclasses.fields(kind) if f.default is missing and f.default_factory is missing}


def first_column(section: str) -> list[str]:
    (body,) = re.findall(rf"^## {section}\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S)
    return re.findall(r"^\| `(\w+)` \|", body, re.M)


def test_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(DOCUMENT)
    assert DOCUMENT["properties"]["schema"]["const"] == SCHEMA


@pytest.mark.parametrize("kind", CLASSES)
def test_schema_has_every_field(kind: type) -> None:
    assert set(described(kind)["properties"]) == own_fields(kind)
    always = {"schema"} if kind is StudyFindings else set()
    assert set(described(kind)["required"]) == without_default(kind) | always


@pytest.mark.parametrize("kind", CLASSES)
def test_page_has_every_field(kind: type) -> None:
    assert sorted(first_column(kind.__name__)) == sorted(own_fields(kind))


def test_page_has_every_condition_with_its_grades() -> None:
    assert first_column("Conditions") == list(CONDITIONS)
    for row in CONDITIONS.values():
        grades = ", ".join(f"`{grade}`" for grade in row.scale.grades)
        assert f"| `{row.name}` | {'left, right' if row.sided else 'middle'} | {grades} |" in PAGE


@pytest.mark.parametrize("case", CASES)
def test_findings_are_valid(case: str) -> None:
    VALIDATOR.validate(json.loads(CASES[case]()[0].to_json()))


def test_added_fields_are_allowed(findings: StudyFindings) -> None:
    data = json.loads(findings.to_json()) | {"new": 1}
    data["findings"][0]["new"] = data["study"]["new"] = {"any": "thing"}
    VALIDATOR.validate(data)


def set_at(data: Any, path: tuple[str | int, ...], value: Any) -> None:
    for step in path[:-1]:
        data = data[step]
    data[path[-1]] = value


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("schema",), "lumbago/findings/2"),
        (("levels", 0, "level"), "L5-S1"),
        (("levels", 0, "disc_center_lps_mm"), [1, 2]),
        (("findings", 0, "side"), "R"),
        (("findings", 0, "probabilities"), {"severe": 1.5}),
        (("findings", 0, "abstained"), True),
        (("findings", 0, "evidence", "frame"), 0),
        (("quality", 0, "severity"), "bad"),
        (("study", "name"), None),
    ],
)
def test_wrong_values_are_refused(findings: StudyFindings, path: tuple[str | int, ...], value: Any) -> None:
    data = json.loads(findings.to_json())
    set_at(data, path, value)
    with pytest.raises(jsonschema.ValidationError):
        VALIDATOR.validate(data)


def test_vocabulary_is_that_of_the_package() -> None:
    definitions = DOCUMENT["$defs"]
    assert definitions["role"]["examples"] == list(ROLES)
    assert set(definitions["side"]["enum"]) == {*SIDES, None}
    levels = {*LEVELS, *(level_from_bottom(count) for count in range(1, 17))}
    assert [level for level in levels if not re.search(definitions["level"]["pattern"], level)] == []
