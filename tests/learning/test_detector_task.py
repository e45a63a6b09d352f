"""A locator is the network that its experiment names: refused, trained, exported and read like the others."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from lumbago.errors import SettingsRefused
from lumbago.inference.weights import load_model
from lumbago.learning.augment import Scanner
from lumbago.learning.detector_task import DetectorTask
from lumbago.learning.experiment import Experiment
from lumbago.learning.locator_network import LOCATORS, check_locator, fresh_locator, is_detector
from lumbago.learning.locator_targets import LocatorSample
from lumbago.learning.locator_task import LocatorTask, draw_view, look
from lumbago.learning.phantom_slices import phantom_samples
from lumbago.learning.places import Places
from lumbago.learning.run_training import train_model
from lumbago.learning.train import Course, train
from lumbago.learning.true_boxes import MOST_BOXES
from lumbago.learning.write_card import Training, write_card
from lumbago.networks.architectures import ARCHITECTURES
from lumbago.networks.spine_locator import SpineLocator
from lumbago.pipeline.locate_discs import CHANNELS, read_slice
from lumbago.pipeline.read_boxes import PLACES, classes_of

GRADED = ("pfirrmann", "herniation")
SMALL = Experiment("spine-locator", "locator", phantoms=1, steps=2, batch=2, pretrained=False, network="yolov8")
UNCHANGED = Scanner((0.0, 0.2, 0.4, 0.6, 0.8, 1.0), 1.0, (0.0,) * 4, 0.0, 0.0, 1, None)


@pytest.fixture(scope="module")
def samples() -> list[LocatorSample]:
    return [sample.open() for sample in phantom_samples(16, 1)]


def task_of(experiment: Experiment, samples: list[LocatorSample]) -> LocatorTask:
    return (DetectorTask if is_detector(experiment) else LocatorTask)(experiment, samples, samples[:2])


REFUSED = {
    "an unknown network": ({"network": "alexnet"}, "the network 'alexnet'; expected one of lite0, lite0-short"),
    "a grader's network": ({"network": "svm"}, "the network 'svm'; expected one of lite0"),
    "grades from maps": (
        {"network": "lite0", "conditions": GRADED}, "is to grade pfirrmann, herniation by the maps of lite0; expected"
    ),
    "grades of sides": ({"conditions": ("subarticular_stenosis",)}, "subarticular_stenosis by boxes of discs"),
    "several members": ({"members": 2}, "has 2 members; expected one"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_locate_is_refused(case: str, tmp_path: Path) -> None:
    settings, pattern = REFUSED[case]
    with pytest.raises(SettingsRefused, match=pattern) as refused:
        train_model(replace(SMALL, **settings), Places(tmp_path, tmp_path / "run"), lambda *_: None, resume=False)  # type: ignore[arg-type]
    assert str(refused.value).endswith(".") and "\n" not in str(refused.value)


def test_the_default_is_the_heat_map_locator() -> None:
    torch.manual_seed(3)
    network = fresh_locator(Experiment("x", "locator", pretrained=False))
    torch.manual_seed(3)
    wanted = SpineLocator(len(CHANNELS)).state_dict()
    assert all(torch.equal(value, wanted[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize("network", ["lite0", "yolov8"])
def test_validation_shows_slices_as_they_are(network: str, samples: list[LocatorSample]) -> None:
    """Windows are drawn by their number; grey values stay, and with them the tissues' order of brightness."""
    task = (DetectorTask if network == "yolov8" else LocatorTask)(replace(SMALL, network=network), [], samples)
    seen = torch.cat([images for images, *_ in task.validation()])
    for number, sample in enumerate(samples):
        view = draw_view(sample, np.random.default_rng(number), (0.0, 0.0), task.shape)
        plain, *_ = look(sample, replace(view, scanner=UNCHANGED))
        np.testing.assert_allclose(seen[number].numpy(), plain, atol=1e-3)


def test_whatever_draws_or_finds_is_a_locator() -> None:
    """A new segmenter needed a row of its own here."""
    assert {id(row) for row in LOCATORS.values()} == {id(row) for row in ARCHITECTURES.values() if row.kind != "grader"}
    assert len(LOCATORS) == len({row.name for row in LOCATORS.values()}) and "lite0" in LOCATORS


@pytest.mark.parametrize("network", LOCATORS)
def test_windows_fit_the_network(network: str, samples: list[LocatorSample]) -> None:
    check_locator(replace(SMALL, network=network))
    task = task_of(replace(SMALL, network=network), samples)
    images, *targets = task.batch(np.random.default_rng(1))
    stride = LOCATORS[network].stride
    assert images.shape == (2, 3, *task.shape) and all(side % stride == 0 and side >= 224 for side in task.shape)
    wanted = (MOST_BOXES, 5 + len(PLACES)) if is_detector(task.experiment) else (len(CHANNELS), *task.shape)
    assert targets[0].shape == (2, *wanted) and targets[1].shape[2:] == task.shape


def test_both_kinds_see_the_same_windows(samples: list[LocatorSample]) -> None:
    boxes, maps = (task_of(replace(SMALL, network=name), samples) for name in ("yolov8", "lite0"))
    assert torch.equal(boxes.batch(np.random.default_rng(1))[0], maps.batch(np.random.default_rng(1))[0])
    assert torch.equal(boxes.validation()[0][0], maps.validation()[0][0])


@pytest.mark.parametrize(
    "network", ["yolov8", *(pytest.param(name, marks=pytest.mark.slow) for name in LOCATORS if name != "yolov8")]
)
def test_from_two_steps_to_the_maps_of_a_slice(network: str, samples: list[LocatorSample], tmp_path: Path) -> None:
    wanted = replace(SMALL, network=network, validate_every=1, validation_phantoms=1)
    experiment = replace(wanted, conditions=GRADED if is_detector(wanted) else ())
    task = task_of(experiment, samples)
    state = train(experiment, task, tmp_path / "run", lambda *_: None, Course())
    folder = tmp_path / experiment.name
    facts = task.export([state.mean], folder)
    write_card(folder, facts, Training(experiment, "none", 1.0, task.sample_counts()))
    model = load_model(folder.name, tmp_path)
    assert model.card.kind == "locator" and model.card.proof["network"]["name"] == network
    assert model.card.proof["network"]["parameters"] > 700_000 and model.card.inputs["stride"] % 16 == 0
    if is_detector(experiment):
        assert model.card.outputs == {"boxes": classes_of(GRADED)} and model.card.conditions == GRADED
    maps = read_slice(model, samples[0].image[:201, :150], (1.0, 1.0))
    assert maps.shape == (len(CHANNELS), 201, 150) and maps.min() >= 0 and maps.max() <= 1
