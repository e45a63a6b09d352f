"""An experiment from its file to a model folder, and the scores of its folds."""

import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final

import torch

from lumbago.anatomy.conditions import CONDITIONS
from lumbago.dicom.decoder import open_decoder
from lumbago.errors import SettingsRefused, UnreadableInput, UsageError
from lumbago.evaluation.cases import VALIDATION, GradedCase
from lumbago.evaluation.evaluate_cases import evaluate_cases
from lumbago.evaluation.gallery import PictureOf
from lumbago.evaluation.intervals import Score
from lumbago.evaluation.write_evaluation import write_evaluation
from lumbago.inference.deployed import models_in_use
from lumbago.inference.weights import Model, load_model
from lumbago.labels.picture_slices import LabelledSlice
from lumbago.learning.case_pictures import labelled_pictures, phantom_pictures
from lumbago.learning.choose_layers import AUTO, LayerChoice, choose_layers
from lumbago.learning.disc_samples import GradedPatch, graded_patches
from lumbago.learning.experiment import Experiment
from lumbago.learning.grader_task import GraderTask
from lumbago.learning.hardware import open_hardware
from lumbago.learning.label_tables import fold_of, read_labels
from lumbago.learning.locator_task import LocatorTask
from lumbago.learning.phantom_patches import phantom_patches
from lumbago.learning.run_log import read_log
from lumbago.learning.run_pictures import draw_confusion, draw_curves
from lumbago.learning.run_state import RunState
from lumbago.learning.score_grader import predict_pictures, score_grades
from lumbago.learning.score_locator import score_locator
from lumbago.learning.score_phantoms import predict_phantoms
from lumbago.learning.seen_patients import require_unseen
from lumbago.learning.train import Course, Progress, Task, train
from lumbago.learning.write_card import Training, add_scores, write_card
from lumbago.pipeline.analyze_study import LOCATOR, Models
from lumbago.settings import Settings

ModelOf = Callable[[str], Model]
"""Gives the model for a patient: of the fold that has not seen him."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where things lie.

    Attributes:
        data: folder with the label sources; run: folder of the run.
        locators: folder with the locator's model, `{fold}` in it standing for a patient's fold.
        threads: processor threads.
        device: what to train on, see `hardware.DEVICES`; workers: threads that make batches.
        command: how this was called, for the card.
        card: model folder whose card is to hold the scores, or None.
    """

    data: Path
    run: Path
    locators: str = ""
    threads: int = 2
    device: str = "auto"
    workers: int = 1
    command: str = ""
    card: Path | None = None

    @property
    def sources(self) -> "Places":
        """What samples are read from, alone."""
        return Places(self.data, Path(), self.locators)


def run_training(path: Path, places: Places, fold: int, progress: Progress, *, resume: bool, **changes: Any) -> Path:
    """Trains an experiment and writes `RUN/model` with its card; gives that folder.

    Args:
        changes: settings of the experiment to be others than in its file.

    Raises:
        SettingsRefused: an experiment that makes no sense, or a run folder that is taken.
        ModelRefused: a locator that has seen the patients it is to place.
        UnreadableInput: label tables that are not there.
    """
    return train_model(Experiment.read(path, fold=fold, **changes), places, progress, resume=resume)


def train_model(experiment: Experiment, places: Places, progress: Progress, *, resume: bool) -> Path:
    """As `run_training`, from an experiment that was already read. Under torchrun the first process alone writes."""
    torch.set_num_threads(places.threads)
    with open_hardware(places.device, experiment.precision) as hardware:
        experiment, task, facts = _prepared(experiment, places)
        course = Course(hardware, places.workers, resume)
        states = [
            train(
                replace(experiment, seed=experiment.seed + member),
                task,
                places.run / f"member-{member}",
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
    task = _row(experiment)[0](experiment, places)
    if not task.sample_counts():
        raise SettingsRefused(f"{experiment.name} has nothing to learn from", "sources, phantoms or both")
    return experiment, task, facts


def chosen_layers(experiment: Experiment, places: Places) -> LayerChoice:
    """The feature layers that validation chooses; once chosen they stand in the run folder.

    Raises:
        SettingsRefused: the experiment is no grader's, or has too little to choose by.
    """
    if experiment.kind != "grader":
        raise SettingsRefused(f"{experiment.name} is a {experiment.kind}", "a grader", "leave out --feature-layers")
    path = places.run / "feature-layers.json"
    if path.is_file():
        told = json.loads(path.read_text(encoding="utf8"))
        return LayerChoice(**{**told, "layers": tuple(told["layers"])})
    choice = choose_layers(experiment, *_grader_samples(_data_of(experiment), places.sources), places.run / "features")
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
    write_card(places.run / "model", facts, Training(experiment, places.command, seconds, task.sample_counts(), course))
    (places.run / "training.json").write_text(json.dumps({"seconds": seconds, **course}, indent=1), encoding="utf8")
    for member, state in enumerate(states):
        folder = places.run / f"member-{member}"
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
    steps = ", ".join(map(str, told["steps_done"]))
    return f"{steps} steps in {told['seconds']:.0f} s, {told['waiting_share']:.1%} of it waiting for data"


def run_evaluation(path: Path, places: Places, runs: str, sources: tuple[str, ...]) -> dict[str, Score]:
    """Scores of an experiment's models on label sources, each patient by a model that has not seen him.

    An experiment without label sources is scored on the phantom studies in the data folder.

    Args:
        runs: run folder; `{fold}` in it stands for a patient's fold. Without it one model is scored on all patients.
        sources: label sources to score on; empty for the experiment's own.

    Raises:
        SettingsRefused: an experiment that makes no sense, or an unknown label source.
        ModelRefused: a model that has seen the patients it is to be scored on.
        UnreadableInput: label tables that are not there.
    """
    experiment = Experiment.read(path)
    scores = _row(experiment)[1](
        experiment, places, model_of(f"{runs}/model", experiment.folds), sources or experiment.sources
    )
    places.run.mkdir(parents=True, exist_ok=True)
    (places.run / "scores.json").write_text(
        json.dumps({name: asdict(score) for name, score in scores.items()}, indent=1)
    )
    if places.card is not None:
        add_scores(places.card, scores, places.command)
    return scores


def model_of(folder: str, folds: int) -> ModelOf:
    """The model in a folder, or, with `{fold}` in its name, for each patient that of his fold.

    Raises:
        UsageError: no folder.
        ModelRefused, when called with a patient: by its card, the model has seen him.
    """
    if not folder:
        raise UsageError("places are found by a locator, and none is given", "its folder", "add --locators")

    @cache
    def load(fold: int) -> Model:
        place = Path(folder.format(fold=fold))
        return load_model(place.name, place.parent)

    def unseen(patient: str) -> Model:
        model = load(fold_of(patient, folds))
        require_unseen(model.card, patient)
        return model

    return unseen


def _locator_task(experiment: Experiment, places: Places) -> Task:
    return LocatorTask.read(experiment, places.data)


def _grader_task(experiment: Experiment, places: Places) -> Task:
    if not experiment.conditions:
        raise SettingsRefused(f"{experiment.name} grades nothing", "one or more conditions")
    return GraderTask(experiment, *_grader_samples(_data_of(experiment), places.sources))


_COURSE: Final = Experiment("", "grader")
_NOT_DATA: Final = (
    "name", "members", "steps", "batch", "learning_rate", "weight_decay", "pretrained", "feature_layers", "loss",
    "class_weights", "precision", "save_every", "validate_every", "patience", "augmentation", "seed",
)  # fmt: skip


def _data_of(experiment: Experiment) -> Experiment:
    """The experiment without what its samples do not depend on, so that tries over one data set share them."""
    return replace(experiment, **{name: getattr(_COURSE, name) for name in _NOT_DATA})


@lru_cache(maxsize=1)
def _grader_samples(data: Experiment, places: Places) -> tuple[tuple[GradedPatch, ...], tuple[GradedPatch, ...]]:
    """Samples to learn from, and those to validate on."""
    rows: dict[bool, list[LabelledSlice]] = {True: [], False: []}
    for row in _graded_rows(data.sources, places):
        fold = fold_of(row.patient, data.folds)
        if fold != data.fold:
            rows[fold == data.validation_fold].append(row)
    unseen = replace(
        data,
        phantom_seed=data.phantom_seed + data.phantoms,
        phantoms=data.validation_phantoms,
        validation_phantoms=0,
        reader_noise=False,
    )
    locators = model_of(places.locators, data.folds) if data.sources else None
    return (
        (*(graded_patches(locators, rows[False]) if locators else ()), *phantom_patches(data)),
        (*(graded_patches(locators, rows[True]) if locators else ()), *phantom_patches(unseen)),
    )


def _graded_rows(sources: tuple[str, ...], places: Places) -> Iterable[LabelledSlice]:
    return [row for row in read_labels(places.data, sources) if row.weighting == "t2" and row.grades]


def _score_locator(
    experiment: Experiment, places: Places, models: ModelOf, sources: tuple[str, ...]
) -> dict[str, Score]:
    return score_locator(models, read_labels(places.data, sources))


def _score_grader(
    experiment: Experiment, places: Places, models: ModelOf, sources: tuple[str, ...]
) -> dict[str, Score]:
    locators = model_of(places.locators, experiment.folds)
    if not sources:
        with open_decoder() as decoder:
            cases = predict_phantoms(Models(locators(""), (models(""),)), places.data, decoder)
            cases = _in_split(cases, "unseen seeds")
            return _score_cases(cases, places, phantom_pictures(places.data, decoder))
    rows = _graded_rows(sources, places)
    split = "out of fold" if set(sources) & set(experiment.sources) else "external"
    cases = _in_split(predict_pictures(locators, models, rows), split)
    return _score_cases(cases, places, labelled_pictures(locators, rows))


def _in_split(cases: Iterable[GradedCase], split: str) -> list[GradedCase]:
    return [replace(case, split=split) for case in cases]


def _score_cases(cases: list[GradedCase], places: Places, picture_of: PictureOf) -> dict[str, Score]:
    scores = score_grades(cases, places.run)
    write_evaluation(evaluate_cases(cases), places.run, places.command, picture_of)
    return scores


def predict_left_out(experiment: Experiment, places: Places, model: Path) -> list[GradedCase]:
    """What a grader says of the patients of the left-out fold, or, without label sources, of the phantom studies in the
    data folder. Without a folder of locators the one in use places phantoms. A search chooses on these cases: they are
    flagged for validation.

    Raises:
        ModelRefused: by its card the model has seen these patients; UnreadableInput: nothing there to judge on.
    """
    grader = load_model(model.name, model.parent, places.threads)
    if not experiment.sources:
        locator = Path(places.locators) if places.locators else models_in_use(Settings.read())[LOCATOR]
        with open_decoder() as decoder:
            models = Models(load_model(locator.name, locator.parent), (grader,))
            return _in_split(predict_phantoms(models, places.data, decoder), VALIDATION)
    rows = [
        row
        for row in _graded_rows(experiment.sources, places)
        if fold_of(row.patient, experiment.folds) == experiment.fold
    ]
    for row in rows:
        require_unseen(grader.card, row.patient)
    cases = predict_pictures(model_of(places.locators, experiment.folds), lambda _: grader, rows)
    return _in_split(cases, VALIDATION)


_Maker = Callable[[Experiment, Places], Task]
_Scorer = Callable[[Experiment, Places, ModelOf, tuple[str, ...]], dict[str, Score]]

KINDS: Final[Mapping[str, tuple[_Maker, _Scorer]]] = {
    "locator": (_locator_task, _score_locator),
    "grader": (_grader_task, _score_grader),
}
"""What can be trained: how its task is made, and how its models are scored."""


def _row(experiment: Experiment) -> tuple[_Maker, _Scorer]:
    if experiment.kind not in KINDS:
        raise SettingsRefused(f"{experiment.name} is of kind {experiment.kind!r}", f"one of {', '.join(KINDS)}")
    return KINDS[experiment.kind]
