"""Every published system by enumeration: its experiments, its networks, from training to an analysis of a study."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from made_up_patches import made_up_patches

from lumbago.anatomy.levels import LEVELS
from lumbago.cli import main
from lumbago.errors import ModelRefused, SettingsRefused
from lumbago.inference.deployed import add_model, models_of
from lumbago.inference.weights import SHIPPED, load_model, read_card
from lumbago.learning.experiment import Experiment
from lumbago.learning.few_shot import train_few_shot
from lumbago.learning.fit_rules import NAMES
from lumbago.learning.grader_network import FITTED, GRADERS, check_network, starts_from_imagenet
from lumbago.learning.grader_task import GraderTask, still_patch
from lumbago.learning.locator_network import LOCATORS, check_locator
from lumbago.learning.places import Places
from lumbago.learning.run_training import chosen_layers, run_training, training_sentence
from lumbago.learning.sample_cache import Preparation
from lumbago.learning.train import Course, train
from lumbago.learning.train_fit import fit_and_export
from lumbago.networks.patch_grader import PatchGrader
from lumbago.networks.spinenet import SpineNet
from lumbago.phantom.write_study import write_studies
from lumbago.pipeline.crop_patches import VIEWS
from lumbago.settings import Settings
from lumbago.systems import OURS, SYSTEMS, Part, System
from tiny_model import NAME, write_model

FOLDER = Path(__file__).parents[2] / "experiments" / "systems"
OTHERS = [system for system in SYSTEMS.values() if system.name != OURS]
PARTS = [
    pytest.param(system, part, id=f"{system.name}/{part.name}")
    for system in OTHERS
    for part in system.parts
    if part.is_own
]
SMALL = Experiment(
    "disc-grader", "grader", conditions=("pfirrmann", "bulging"), patch=(32, 32), steps=2, batch=4, pretrained=False
)


def run(*arguments: str | Path) -> int:
    """The command line in this process; gives its exit code."""
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as exit_of:
        patch.setattr("sys.argv", ["lumbago", *map(str, arguments)])
        main()
    return int(exit_of.value.code or 0)


def experiment_of(system: System, part: Part) -> Path:
    return FOLDER / system.name / f"{part.name}.toml"


@pytest.mark.parametrize("system, part", PARTS)
def test_every_part_has_its_experiment(system: System, part: Part) -> None:
    path = experiment_of(system, part)
    experiment = Experiment.read(path)
    kind = "locator" if part is system.parts[0] else "grader"
    (check_network if kind == "grader" else check_locator)(experiment)
    assert (experiment.name, experiment.kind, experiment.network) == (part.name, kind, part.network)
    assert (experiment.sources or experiment.phantoms) and experiment.fold == -1
    assert f"lumbago train experiments/systems/{system.name}/{path.name}" in path.read_text(encoding="utf8")
    if experiment.network not in FITTED:
        networks = GRADERS if kind == "grader" else LOCATORS
        assert experiment.pretrained == networks[experiment.network].has_encoder, "asks for what there is"


def test_rows_of_one_detector_train_the_same() -> None:
    ones, others = (FOLDER / row / "spine-locator.toml" for row in ("yolov8+deepscorenet", "yolov8+vgg19"))
    assert Experiment.read(ones) == Experiment.read(others)


def test_no_experiment_is_of_no_system() -> None:
    wanted = {experiment_of(*case.values) for case in PARTS}
    assert set(FOLDER.rglob("*.toml")) == wanted


@pytest.mark.parametrize("system", OTHERS, ids=lambda row: row.name)
def test_a_row_grades_what_its_paper_does_and_says_where_it_differs(system: System) -> None:
    taught = {name for part in system.parts if part.is_own
              for name in Experiment.read(experiment_of(system, part)).conditions}  # fmt: skip
    assert set(system.grades) <= taught
    assert any(part.borrowed for part in system.parts) == ("our locator" in system.differs.lower())


REFUSED = {
    "an unknown network": ({"network": "alexnet"}, r"the network 'alexnet'; expected one of lite0, deepscorenet"),
    "a network over a whole study": (
        {"network": "spine-transformer"}, "'spine-transformer' and sees a place; expected one of lite0"
    ),
    "a patch that cannot be halved": (
        {"network": "vgg19", "patch": (32, 48)}, "1 slices of 32 x 48 pixels; expected .* sides that divide by 32"
    ),
    "two slices": ({"network": "spinenet", "slices": 2}, "spinenet 2 slices .*; expected an odd number of slices"),
    "pictures for machines": ({"network": "svm"}, "the network svm the views three; expected classical for svm"),
    "pictures for rules": ({"network": "measured"}, "the network measured the views three; .*measured for measured"),
    "features for rules": ({"network": "measured", "views": "classical"}, "the network measured the views classical"),
    "features for a network": ({"views": "classical"}, "the network lite0 the views classical"),
    "feature layers of another": (
        {"network": "resnet50", "feature_layers": ("stride_8",)}, "feature layers of resnet50; expected those of lite0"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_go_together_is_refused(case: str) -> None:
    settings, pattern = REFUSED[case]
    with pytest.raises(SettingsRefused, match=pattern) as refused:
        GraderTask(replace(SMALL, **settings), made_up_patches())  # type: ignore[arg-type]
    assert str(refused.value).endswith(".") and "\n" not in str(refused.value)


def test_unknown_views_are_refused() -> None:
    with pytest.raises(SettingsRefused, match="views 'colour'; expected one of three, byte, classical, measured"):
        replace(SMALL, views="colour")


def test_what_only_ours_has_is_refused_of_others(tmp_path: Path) -> None:
    other, places = replace(SMALL, network="deepscorenet"), Places(data=tmp_path, run=tmp_path / "run")
    with pytest.raises(SettingsRefused, match=r"deepscorenet; expected lite0; leave out --few-shot\."):
        train_few_shot(other, places, resume=False)
    with pytest.raises(SettingsRefused, match="deepscorenet; expected lite0; name no feature layers"):
        chosen_layers(other, places)


def test_imagenet_is_said_only_of_what_starts_from_it() -> None:
    assert starts_from_imagenet(replace(SMALL, pretrained=True))
    assert not starts_from_imagenet(SMALL)
    assert not starts_from_imagenet(replace(SMALL, network="vgg19", pretrained=True))


def test_the_default_is_ours() -> None:
    torch.manual_seed(3)
    network = GraderTask(SMALL, made_up_patches()).network()
    torch.manual_seed(3)
    wanted = PatchGrader({"pfirrmann": 5, "bulging": 2}).state_dict()
    assert SMALL.network == "lite0" and SMALL.recipe.views == "three"
    assert all(torch.equal(value, wanted[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize("views", [name for name in VIEWS if name not in FITTED.values()])
def test_a_batch_has_the_views_that_are_asked_for(views: str) -> None:
    task = GraderTask(replace(SMALL, views=views), made_up_patches())
    shaken, *_ = task.batch(np.random.default_rng(1))
    still = still_patch(task.samples[4], task.recipe)
    assert shaken.shape == (4, 1, 3, 32, 32) and still.shape == (1, 3, 32, 32)
    is_byte = bool(still.max() > 2) and bool((still == still.round()).all()) and bool((shaken >= 0).all())
    assert is_byte == (views == "byte")


def test_deepscorenet_from_training_to_its_grades(tmp_path: Path) -> None:
    experiment = replace(SMALL, network="deepscorenet", views="byte")
    task = GraderTask(experiment, made_up_patches())
    state = train(experiment, task, tmp_path / "run", lambda *_: None, Course())
    facts = task.export([state.mean], tmp_path / "model")
    assert facts.inputs["views"] == "byte" and facts.network["name"] == "deepscorenet"
    assert facts.network["parameters"] == 2_784_259 + 4 * 129 and not facts.network["from_imagenet"]
    learned, *_ = task.batch(np.random.default_rng(1))
    with np.load(tmp_path / "model" / "golden.npz") as golden, torch.no_grad():
        assert not any(np.array_equal(row, own) for row in golden["input"] for own in learned.numpy()), "no patient's"
        wanted = state.mean(torch.from_numpy(golden["input"])).numpy()
        found = np.concatenate([golden["output_pfirrmann"], golden["output_bulging"]], axis=1)
        assert golden["output_maps"].shape == (2, 7, 4, 4)
    np.testing.assert_allclose(found, wanted, atol=1e-4)


class VolumeTask(GraderTask):
    """Learns a network over volumes, narrow so that it is quick."""

    def network(self) -> SpineNet:
        return SpineNet(self.heads, width=2)


def test_a_network_over_volumes_runs_through_the_loop(tmp_path: Path) -> None:
    task = VolumeTask(replace(SMALL, network="spinenet", slices=3), made_up_patches())
    state = train(task.experiment, task, tmp_path, lambda *_: None, Course())
    assert state.step == 2 and torch.isfinite(state.mean(task.batch(np.random.default_rng(1))[0])).all()


def test_machines_are_exported_without_maps(tmp_path: Path) -> None:
    experiment, samples = replace(SMALL, network="svm", views="classical"), made_up_patches()
    machine, facts = fit_and_export(experiment, samples, tmp_path)
    assert facts.network["name"] == "svm" and facts.network["vectors"] == machine.size > 0
    with np.load(tmp_path / "golden.npz") as golden:
        assert set(golden.files) == {"input", "output_pfirrmann", "output_bulging"}
        own = [still_patch(sample, experiment.recipe) for sample in samples]
        assert golden["input"].shape == (2, own[0].size)
        assert not any((row == features).all() for row in golden["input"] for features in own), "no patient's"


def test_rules_are_exported_without_maps(tmp_path: Path) -> None:
    experiment, samples = replace(SMALL, network="measured", views="measured"), made_up_patches()
    fitted, facts = fit_and_export(experiment, samples, tmp_path)
    assert facts.network["name"] == "measured" and fitted.sized == "weights"
    with np.load(tmp_path / "golden.npz") as golden, torch.no_grad():
        assert golden["input"].shape == (2, len(NAMES)) and np.isnan(golden["input"]).any()
        wanted = torch.cat(fitted.network(torch.from_numpy(golden["input"])), dim=1).numpy()
        found = np.concatenate([golden["output_pfirrmann"], golden["output_bulging"]], axis=1)
    np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_a_model_is_added_where_an_analysis_looks(tmp_path: Path) -> None:
    model, home = write_model(tmp_path), tmp_path / "home"
    system = System("made-up", "t", "s", "f", ("bulging",), ("sagittal_t2",), (Part(NAME, "grades"),))
    for _ in range(2):
        place = add_model(system, model, home)
        assert models_of(system, Settings(home=str(home))) == {NAME: place}
        assert read_card(place).name == NAME
    with pytest.raises(ModelRefused, match="holds the network another; expected vgg19, as the system made-up has"):
        add_model(replace(system, parts=(Part(NAME, "grades", network="vgg19"),)), model, home)
    with pytest.raises(ModelRefused, match=f"{NAME} is no model of its own of the system svm; expected one of disc-gr"):
        add_model(SYSTEMS["svm"], model, home)
    with pytest.raises(ModelRefused, match="expected one of none; models of our own row are deployed"):
        add_model(SYSTEMS[OURS], model, home)


@pytest.fixture(scope="session")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    (study,) = write_studies(tmp_path_factory.mktemp("phantom"), 1, 4100)
    return study


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Preparation:
    return Preparation(tmp_path_factory.mktemp("cache"))


@pytest.mark.slow
@pytest.mark.parametrize("system", OTHERS, ids=lambda row: row.name)
def test_from_training_to_a_report(
    system: System, phantom: Path, cache: Preparation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two steps on two phantoms: each part trains, proves itself, is added, and all of them analyze a study."""
    monkeypatch.setenv("LUMBAGO_HOME", str(tmp_path / "home"))
    small = {"sources": (), "phantoms": 2, "steps": 2, "batch": 2}
    for part in system.parts:
        if not part.is_own:
            continue
        places = Places(data=tmp_path, run=tmp_path / part.name, threads=1, device="cpu", preparing=cache)
        model = run_training(experiment_of(system, part), places, -1, lambda *_: None, resume=False, **small)
        card = load_model(model.name, model.parent).card
        assert card.proof["network"]["name"] == part.network and card.proof["network"]["parameters"] > 0
        assert training_sentence(places.run)
        assert run("systems", "add", system.name, places.run) == 0
    analysis = ("analyze", phantom / "dicom", "--out", tmp_path / "out", "--system", system.name)
    if system.parts[0].is_own:
        assert run(*analysis) == 4, "boxes of two steps show no spine; of perfect ones: pipeline/test_read_boxes"
        if any(part.same_as for part in system.parts):
            return
        place = tmp_path / "home" / "systems" / system.name / "spine-locator"
        shutil.rmtree(place)
        shutil.copytree(SHIPPED / "spine-locator", place)
    assert run(*analysis) == 0
    (found,) = (tmp_path / "out").rglob("findings.json")
    rows = json.loads(found.read_text(encoding="utf8"))["findings"]
    told = {(row["condition"], row["level"], row["side"]) for row in rows}
    assert {(name, level) for name in system.grades for level in LEVELS} <= {(name, level) for name, level, _ in told}
    assert all(abs(sum(row["probabilities"].values()) - 1) < 2e-3 for row in rows)
    is_fitted = any(part.network in FITTED for part in system.parts)
    assert not is_fitted or not any(row["evidence"]["heat_map"] for row in rows)
