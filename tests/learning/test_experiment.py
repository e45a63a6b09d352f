"""An experiment that makes no sense is refused before anything is trained, with one sentence."""

from pathlib import Path

import pytest

from lumbago.anatomy.conditions import CONDITIONS
from lumbago.errors import LumbagoError, SettingsRefused, UsageError
from lumbago.labels.sources import SOURCES
from lumbago.learning.experiment import Experiment
from lumbago.learning.places import Places
from lumbago.learning.run_evaluation import SCORERS, run_evaluation
from lumbago.learning.run_training import TASKS, run_training
from lumbago.pipeline.place_patches import ANCHORS, SEEN_ON
from made_up_labels import write_spider

EXPERIMENTS = sorted((Path(__file__).parents[2] / "experiments").glob("*.toml"))


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_every_experiment_can_be_read(path: Path) -> None:
    experiment = Experiment.read(path)
    assert experiment.name == path.stem
    assert experiment.kind in TASKS.keys() & {*SCORERS, "segmenter"}, "what draws is scored by bench/sizes.py"
    assert experiment.anchor in ANCHORS
    assert set(experiment.sources) <= set(SOURCES)
    assert experiment.sources or experiment.phantoms
    assert bool(experiment.conditions) == (experiment.kind == "grader")
    assert all(SEEN_ON[experiment.anchor] in CONDITIONS[name].roles for name in experiment.conditions)
    assert experiment.fold == -1, "the left-out fold is said on the command line"


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_every_experiment_states_its_command(path: Path) -> None:
    header = [line for line in path.read_text(encoding="utf8").splitlines() if line.startswith("#")]
    assert any(f"lumbago train experiments/{path.name}" in line for line in header)


def test_there_are_experiments() -> None:
    assert len(EXPERIMENTS) >= 5


def written(folder: Path, *lines: str) -> Path:
    path = folder / "mine.toml"
    path.write_text("\n".join(lines), encoding="utf8")
    return path


def test_what_is_not_said_stays_as_usual(tmp_path: Path) -> None:
    experiment = Experiment.read(written(tmp_path, 'kind = "grader"', "steps = 7", "patch = [32, 48]"), fold=2)
    assert (experiment.name, experiment.kind, experiment.fold) == ("mine", "grader", 2)
    assert (experiment.steps, experiment.patch) == (7, (32, 48))
    assert experiment.batch == Experiment("x", "grader").batch


def refusal(folder: Path, *lines: str) -> str:
    with pytest.raises(SettingsRefused) as refused:
        Experiment.read(written(folder, *lines))
    sentence = str(refused.value)
    assert sentence.endswith(".") and "mine" in sentence
    return sentence


def test_an_unknown_setting(tmp_path: Path) -> None:
    sentence = refusal(tmp_path, 'kind = "grader"', "learning_rates = 1e-3")
    assert "learning_rates" in sentence and "weight_decay" in sentence


def test_an_unknown_condition(tmp_path: Path) -> None:
    sentence = refusal(tmp_path, 'kind = "grader"', 'conditions = ["pfirrmann", "scoliosis"]')
    assert "scoliosis" in sentence and "spinal_canal_stenosis" in sentence


def test_no_kind(tmp_path: Path) -> None:
    assert "kind" in refusal(tmp_path, "steps = 3")


@pytest.mark.parametrize(
    "line", ['steps = "many"', "steps = 1.5", "pretrained = 1", "steps = true", "patch = 80", "learning_rate = []"]
)
def test_a_value_of_another_kind(tmp_path: Path, line: str) -> None:
    assert line.split(" ", maxsplit=1)[0] in refusal(tmp_path, 'kind = "grader"', line)


@pytest.mark.parametrize(
    "line",
    [
        "learning_rate = 0.0", "learning_rate = nan", "pixel_mm = -0.6", "seed = -1", "phantoms = -5", "folds = 0",
        "slices = 0", "phantom_share = 1.5", 'anchor = "head"',
    ],
)  # fmt: skip
def test_a_value_out_of_range(tmp_path: Path, line: str) -> None:
    """Each broke a training off as our own fault, or, pixels below 0, mirrored what it learned from."""
    assert line.split(" ", maxsplit=1)[0] in refusal(tmp_path, 'kind = "grader"', line)


@pytest.mark.parametrize("patch", ["[80, 100]", "[0, 80]"])
def test_a_patch_that_cannot_be_halved_to_the_coarsest_features(tmp_path: Path, patch: str) -> None:
    assert "multiples of 16" in refusal(tmp_path, 'kind = "grader"', f"patch = {patch}")


@pytest.mark.parametrize("fold", [-2, 4, 17])
def test_a_fold_that_there_is_not(tmp_path: Path, fold: int) -> None:
    """It would leave out no one, and the model would have seen the patients it is scored on."""
    assert f"fold {fold} of 4" in refusal(tmp_path, 'kind = "locator"', f"fold = {fold}")


def test_not_toml(tmp_path: Path) -> None:
    assert "not TOML" in refusal(tmp_path, "kind: grader")
    path = tmp_path / "mine.toml"
    path.write_bytes(b'kind = "\xff"')
    with pytest.raises(SettingsRefused, match="not TOML"):
        Experiment.read(path)


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(SettingsRefused, match=r"no experiment .*missing\.toml"):
        Experiment.read(tmp_path / "missing.toml")


RUNS: dict[str, tuple[list[str], type[LumbagoError], str]] = {
    "an unknown kind": (['kind = "oracle"'], SettingsRefused, "'oracle'.*locator, grader"),
    "an unknown label source": (['kind = "locator"', 'sources = ["atlantis"]'], SettingsRefused, "atlantis.*sudirman"),
    "nothing to learn from": (['kind = "locator"'], SettingsRefused, "nothing to learn from"),
    "no phantoms": (['kind = "grader"', 'conditions = ["modic"]'], SettingsRefused, "nothing to learn from"),
    "nothing to grade": (['kind = "grader"', "phantoms = 1"], SettingsRefused, "grades nothing"),
}


def test_labels_that_teach_nothing_are_named(tmp_path: Path) -> None:
    """It was told to name sources, which it did."""
    write_spider(tmp_path)
    boxes = tmp_path / "spider" / "disc_boxes.csv"
    boxes.write_text(boxes.read_text().partition("\n")[0])
    places = Places(data=tmp_path, run=tmp_path / "run", threads=1)
    path = written(tmp_path, 'kind = "locator"', 'sources = ["spider"]')
    with pytest.raises(SettingsRefused, match="finds nothing to learn from in spider; expected bodies or boxes"):
        run_training(path, places, -1, lambda *_: None, resume=False)


@pytest.mark.parametrize("case", RUNS)
def test_a_run_that_makes_no_sense(tmp_path: Path, case: str) -> None:
    lines, error, pattern = RUNS[case]
    places = Places(data=tmp_path, run=tmp_path / "run", threads=1)
    with pytest.raises(error, match=pattern):
        run_training(written(tmp_path, *lines), places, -1, lambda *_: None, resume=False)
    assert not (tmp_path / "run").exists()


def test_places_need_a_locator(tmp_path: Path) -> None:
    path = written(tmp_path, 'kind = "grader"', 'conditions = ["modic"]', 'sources = ["spider"]')
    with pytest.raises(UsageError, match="--locators"):
        run_evaluation(path, Places(data=tmp_path, run=tmp_path / "run"), "runs", ())
