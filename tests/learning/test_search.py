"""The first try is the default, later ones are others, and a search that was interrupted asks for the same."""

from pathlib import Path
from typing import Any

import pytest

from lumbago.errors import SettingsRefused
from lumbago.learning.experiment import Experiment
from lumbago.learning.judge import read_criteria
from lumbago.learning.search import Tried, next_setting, read_search, told

EXPERIMENT = """kind = "grader"
conditions = ["modic"]
steps = 20
[search]
steps = [20, 40]
feature_layers = [["stride_8", "stride_16"], ["auto"]]
"""
RANGE = "learning_rate = {low = 1e-4, high = 1e-2, log = true}\nbatch = {low = 4, high = 16}\n"


LOOP = Path(__file__).parents[2] / "experiments" / "loop"


def test_the_small_loop_starts_with_its_default() -> None:
    path = LOOP / "canal-grader.toml"
    search, experiment = read_search(path), Experiment.read(path)
    assert next_setting(search, experiment, []) == {name: getattr(experiment, name) for name in search}
    conditions = {floor.condition for floor in read_criteria(LOOP / "criteria.toml").floors}
    assert conditions <= set(experiment.conditions)


def written(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text)
    return path


def settings(path: Path, count: int) -> list[dict[str, Any] | None]:
    """The first so many settings; each missed by as much as its steps fall short of 40."""
    search, experiment = read_search(path), Experiment.read(path)
    tried: list[Tried] = []
    asked = []
    for _ in range(count):
        setting = next_setting(search, experiment, tried)
        asked.append(setting)
        if setting is not None:
            tried.append(Tried(setting, (40 - setting["steps"]) / 40))
    return asked


def test_the_default_comes_first_and_every_choice_once(tmp_path: Path) -> None:
    *asked, end = settings(written(tmp_path, EXPERIMENT), 5)
    assert asked[0] == {"steps": 20, "feature_layers": ("stride_8", "stride_16")}
    assert len({str(setting) for setting in asked}) == 4 and end is None
    assert all(Experiment.read(tmp_path / "mine.toml", **(setting or {})) for setting in asked)


def test_ranges_are_kept(tmp_path: Path) -> None:
    asked = settings(written(tmp_path, EXPERIMENT + RANGE), 8)
    assert asked[0] is not None and asked[0]["learning_rate"] == 1e-3 and asked[0]["batch"] == 8
    assert all(one is not None and 1e-4 <= one["learning_rate"] <= 1e-2 and 4 <= one["batch"] <= 16 for one in asked)
    assert len({str(one) for one in asked}) == 8


def test_the_same_history_asks_for_the_same(tmp_path: Path) -> None:
    path = written(tmp_path, EXPERIMENT + RANGE)
    assert settings(path, 7) == settings(path, 7)


def test_without_a_search_only_the_default_is_tried(tmp_path: Path) -> None:
    path = written(tmp_path, EXPERIMENT.partition("[search]")[0])
    experiment = Experiment.read(path)
    assert next_setting(read_search(path), experiment, []) == {}
    assert next_setting({}, experiment, [Tried({}, 1.0)]) is None


def test_a_default_outside_its_search_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, EXPERIMENT.replace("steps = 20\n[", "steps = 30\n["))
    with pytest.raises(SettingsRefused, match="steps = 30, which its search leaves out"):
        next_setting(read_search(path), Experiment.read(path), [])


@pytest.mark.parametrize(
    "line", ["charm = [1]", 'conditions = [["modic"]]', "fold = [0, 1]", 'split = ["", "a.csv"]', "batch = 3",
             "batch = {low = 9, high = 2}", "batch = {low = 9}", "batch = []"]
)  # fmt: skip
def test_a_search_that_makes_no_sense(tmp_path: Path, line: str) -> None:
    with pytest.raises(SettingsRefused, match=line.split(" ", maxsplit=1)[0]):
        read_search(written(tmp_path, EXPERIMENT + line))


def test_in_words() -> None:
    words = "steps = 20, feature_layers = stride_8+stride_16"
    assert told({"steps": 20, "feature_layers": ("stride_8", "stride_16")}) == words
    assert told({}) == "the experiment's own settings"


def test_a_whole_number_is_a_value_of_a_setting_that_may_be_broken(tmp_path: Path) -> None:
    """0 and 0.0 are one choice, and a range from 0 to 1 has more than its ends; steps are whole."""
    lines = "mixup = [0, 0.2]\nmirror = {low = 0, high = 1}\nsteps = {low = 1e1, high = 4e1}\n"
    path = written(tmp_path, EXPERIMENT.partition("[search]")[0] + "[search]\n" + lines)
    asked = [one for one in settings(path, 8) if one is not None]
    assert asked[0] == {"mixup": 0.0, "mirror": 0.0, "steps": 20}
    assert any(0 < one["mirror"] < 1 for one in asked)
    assert all(type(one["steps"]) is int for one in asked)
