"""From a correction to the next model: the label changes, the machine's grade stays, the card names the data."""

import json
from pathlib import Path
from typing import Any

import pytest
from dashboard import Dashboard, upload, zipped
from test_uploads import work_once

from lumbago.cli import main
from lumbago.inference.weights import SHIPPED, load_model

LOCATOR = SHIPPED / "spine-locator"
EXPERIMENT = """\
kind = "grader"
sources = ["reviewed"]
conditions = ["pfirrmann"]
patch = [32, 32]
steps = 2
batch = 2
pretrained = false
"""


def run(*arguments: str | Path) -> int:
    """The command line in this process; gives its exit code."""
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as exit_of:
        patch.setattr("sys.argv", ["lumbago", *map(str, arguments)])
        main()
    return int(exit_of.value.code or 0)


def labels_of(home: Path, out: Path) -> dict[str, dict[str, int]]:
    """The Pfirrmann grades that `lumbago labels check` counts, by level."""
    path = out / "check.json"
    assert run("labels", "check", "reviewed", home, "--json", path) == 0
    shares = json.loads(path.read_text(encoding="utf8"))["shares"]
    return {
        row["level"]: {grade: count for grade, count in row["grades"].items() if count}
        for row in shares
        if row["condition"] == "pfirrmann" and any(row["grades"].values())
    }


def machine_grades(client: Any, study: str) -> dict[str, str | None]:
    rows = client.get(f"/api/v1/studies/{study}/findings.json").json()["findings"]
    return {row["level"]: row["grade"] for row in rows if row["condition"] == "pfirrmann"}


def analyzed_study(dashboard: Dashboard, phantom: Path) -> str:
    """The phantom as it is received and analyzed by a worker."""
    assert upload(dashboard.signed_in("reader"), "phantom.zip", zipped(phantom / "dicom")).status_code == 202
    (study,) = work_once(dashboard)["studies"]
    assert work_once(dashboard)["state"] == "done"
    return str(study)


def test_a_correction_teaches_the_next_model(dashboard: Dashboard, phantom: Path, tmp_path: Path) -> None:
    home, client = dashboard.settings.home_folder, dashboard.signed_in("reader")
    study = analyzed_study(dashboard, phantom)
    machine = machine_grades(client, study)
    level = next(level for level, grade in machine.items() if grade is not None)
    corrected = "1" if machine[level] != "1" else "5"

    assert dashboard.review(client, study, "accept", ("pfirrmann", level, "")).status_code == 201
    assert labels_of(home, tmp_path)[level] == {machine[level]: 1}
    assert dashboard.review(client, study, "grade", ("pfirrmann", level, ""), grade=corrected).status_code == 201
    assert labels_of(home, tmp_path)[level] == {corrected: 1}
    assert dashboard.review(client, study, "sign").status_code == 201
    assert labels_of(home, tmp_path) == {
        one: {corrected if one == level else grade: 1} for one, grade in machine.items() if grade is not None
    }
    (kept,) = (row for row in dashboard.review_file(study)["corrections"] if row["level"] == level)
    assert (kept["grade"], kept["machine_grade"], kept["reader"]) == (corrected, machine[level], "reader")
    analyzed = json.loads((home / "reviewed" / study / "findings.json").read_text(encoding="utf8"))["findings"]
    assert machine == {row["level"]: row["grade"] for row in analyzed if row["condition"] == "pfirrmann"}

    experiment, out = tmp_path / "next.toml", tmp_path / "run"
    experiment.write_text(EXPERIMENT, encoding="utf8")
    told = ("--data", home, "--out", out, "--locators", LOCATOR, "--device", "cpu", "--threads", "1")
    assert run("train", experiment, *told) == 0
    card = load_model("model", out).card
    assert [row["name"] for row in card.proof["data"]] == ["reviewed"]
    assert sum(card.proof["samples"].values()) == sum(grade is not None for grade in machine.values())
    assert "reviewed" in card.proof["settings"]["sources"]
