"""An experiment from its file to a model folder."""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

import torch

from lumbago.anatomy.conditions import CONDITIONS
from lumbago.errors import SettingsRefused, UnreadableInput
from lumbago.learning.choose_layers import AUTO, LayerChoice, choose_layers
from lumbago.learning.detector_task import DetectorTask
from lumbago.learning.experiment import Experiment, of_kind, require_samples
from lumbago.learning.few_shot import few_shot_sentence, train_few_shot
from lumbago.learning.grader_network import FITTED, LITE0
from lumbago.learning.grader_samples import data_of, grader_samples
from lumbago.learning.grader_task import GraderTask
from lumbago.learning.hardware import open_hardware
from lumbago.learning.keep_data import checked_data, data_digests, keep_data
from lumbago.learning.locator_network import check_locator, is_detector
from lumbago.learning.locator_task import LocatorTask
from lumbago.learning.places import Places
from lumbago.learning.pretrain_task import PretrainTask
from lumbago.learning.run_log import read_log
from lumbago.learning.run_pictures import draw_confusion, draw_curves
from lumbago.learning.run_state import RunState
from lumbago.learning.seen_patients import write_seen
from lumbago.learning.segmenter_task import SegmenterTask
from lumbago.learning.splits import is_begun, memberships, read_memberships, write_memberships
from lumbago.learning.starts import check_start, start_of
from lumbago.learning.study_grader_task import StudyGraderTask
from lumbago.learning.train import Course, Progress, Task, require_free, train
from lumbago.learning.train_fit import fit_sentence, train_fit
from lumbago.learning.write_card import Training, write_card
from lumbago.pipeline.crop_patches import PLACE

_MEMBER: Final = "member-{}"


def run_training(path: Path, places: Places, fold: int, progress: Progress, *, resume: bool, **changes: Any) -> Path:
    """Trains an experiment and writes `RUN/model` with its card; gives that folder.

    Args:
        changes: settings of the experiment to be others than in its file.

    Raises:
        SettingsRefused: an experiment that makes no sense, a run folder that is taken, or one that was begun with other
            labels, pictures or locators.
        ModelRefused: a locator that has seen the patients it is to place.
        UnreadableInput: label tables that are not there.
    """
    return train_model(Experiment.read(path, fold=fold, **changes), places, progress, resume=resume)


def train_model(experiment: Experiment, places: Places, progress: Progress, *, resume: bool) -> Path:
    """As `run_training`, from an experiment that was already read. Under torchrun the first process alone writes.
    With `places.few_shot` only heads are fitted, and a network of `FITTED` is fitted as a whole."""
    torch.set_num_threads(places.threads)
    if places.few_shot:
        return train_few_shot(experiment, places, resume=resume)
    if experiment.network in FITTED and experiment.kind == "grader":
        return train_fit(experiment, places, resume=resume)
    check_start(experiment, places.data)
    require_free(places.run / _MEMBER.format(0), resume=resume)
    with open_hardware(places.device, experiment.precision) as hardware:
        given = data_digests(experiment, places) if hardware.is_first else {}
        digests = checked_data(places.run, given, is_begun=is_begun(places.run))
        experiment, task, facts = _prepared(experiment, places)
        if hardware.is_first:
            keep_data(places.run, digests)
            write_memberships(places.run, list(memberships(experiment, places.data)))
        course = Course(hardware, places.workers, resume)
        states = [
            train(
                replace(experiment, seed=experiment.seed + member),
                task,
                places.run / _MEMBER.format(member),
                progress,
                course,
            )
            for member in range(experiment.members)
        ]
        if hardware.is_first:
            _finish(experiment, task, places, (states, facts))
        hardware.wait_for_all()
    return places.run / "model"


def _prepared(experiment: Experiment, places: Places) -> tuple[Experiment, Task, dict[str, Any]]:
    """The experiment with its feature layers chosen, its task, and what the card is to say of the choice."""
    facts: dict[str, Any] = {}
    if experiment.feature_layers == AUTO:
        choice = chosen_layers(experiment, places)
        facts = {"feature_choice": asdict(choice)}
        experiment = replace(experiment, feature_layers=choice.layers)
    return experiment, open_task(experiment, places), facts


def open_task(experiment: Experiment, places: Places) -> Task:
    """What the experiment learns, with its samples.

    Raises:
        SettingsRefused: there are none, or none to validate on where it is to validate.
    """
    task = of_kind(TASKS, experiment)(experiment, places)
    require_samples(experiment, task.sample_counts())
    if experiment.validate_every and not task.validation():
        raise SettingsRefused(
            f"{experiment.name} validates on no one: nothing is labelled of what it is to validate on",
            "labelled patients in its validation_fold, or validation_phantoms",
        )  # fmt: skip
    return task


def chosen_layers(experiment: Experiment, places: Places) -> LayerChoice:
    """The feature layers that validation chooses; those that a run was begun with stand in its folder.

    Raises:
        SettingsRefused: the experiment is no grader's, or has too little to choose by.
    """
    if experiment.kind != "grader":
        raise SettingsRefused(f"{experiment.name} is a {experiment.kind}", "a grader", "leave out --feature-layers")
    if experiment.network != LITE0:
        raise SettingsRefused(
            f"{experiment.name} is of the network {experiment.network}", LITE0, "name no feature layers"
        )
    path = places.run / "feature-layers.json"
    if path.is_file() and is_begun(places.run):
        told = json.loads(path.read_text(encoding="utf8"))
        return LayerChoice(**{**told, "layers": tuple(told["layers"])})
    choice = choose_layers(experiment, *grader_samples(data_of(experiment), places.sources), places.run / "features")
    part = path.with_suffix(f".{os.getpid()}.part")
    part.write_text(json.dumps(asdict(choice), indent=1), encoding="utf8")
    part.replace(path)
    return choice


def _finish(experiment: Experiment, task: Task, places: Places, made: tuple[list[RunState], dict[str, Any]]) -> None:
    """Exports the model, writes its card, `training.json` and the pictures."""
    states, told = made
    facts = task.export([state.mean.cpu() for state in states], places.run / "model")
    seconds = sum(state.seconds for state in states)
    waited = sum(state.waited for state in states)
    course = {
        "steps_done": [state.step for state in states],
        "waiting_share": round(waited / max(seconds, 1e-9), 4),
        **({"best_steps": [state.best_step for state in states]} if experiment.validate_every else {}),
        **({"validation_loss": [round(state.best_loss, 5) for state in states]} if experiment.validate_every else {}),
        **told,
    }
    start = start_of(experiment)
    seen = {"patients": write_seen(places.run / "model", read_memberships(places.run), start)}
    card = None if start is None else start.card
    training = Training(experiment, places.command, seconds, task.sample_counts(), {**course, **seen}, card)
    write_card(places.run / "model", facts, training)
    (places.run / "training.json").write_text(json.dumps({"seconds": seconds, **course}, indent=1), encoding="utf8")
    for member, state in enumerate(states):
        folder = places.run / _MEMBER.format(member)
        draw_curves(read_log(folder), folder / "curves.png")
        for name, counts in task.confusions(state.mean).items():
            draw_confusion(counts, CONDITIONS[name].scale.grades, folder / f"confusion-{name}.png")


def training_sentence(run: Path) -> str:
    """How a finished training went, in a sentence.

    Raises:
        UnreadableInput: none has finished there.
    """
    try:
        told = json.loads((run / "training.json").read_text(encoding="utf8"))
    except OSError as error:
        raise UnreadableInput(f"no finished training in {run}", "training.json") from error
    if "few_shot" in told:
        return few_shot_sentence(told)
    if sentence := fit_sentence(told):
        return sentence
    steps = ", ".join(map(str, told["steps_done"]))
    return f"{steps} steps in {told['seconds']:.0f} s, {told['waiting_share']:.1%} of it waiting for data"


def _locator_task(experiment: Experiment, places: Places) -> Task:
    check_locator(experiment)
    task = DetectorTask if is_detector(experiment) else LocatorTask
    return task.read(experiment, places.data, places.preparing)


def _grader_task(experiment: Experiment, places: Places) -> Task:
    if not experiment.conditions:
        raise SettingsRefused(f"{experiment.name} grades nothing", "one or more conditions")
    task = GraderTask if experiment.sees == PLACE else StudyGraderTask
    return task(experiment, *grader_samples(data_of(experiment), places.sources))


TASKS: Final[Mapping[str, Callable[[Experiment, Places], Task]]] = {
    "locator": _locator_task,
    "grader": _grader_task,
    "segmenter": SegmenterTask.of_phantoms,
    "pretrain": PretrainTask.read,
}
"""What can be trained, by the kind of an experiment: how its task is made."""
