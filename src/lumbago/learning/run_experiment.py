"""An experiment from its file to a model folder, and the scores of its folds."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Final

import torch

from lumbago.dicom.decoder import open_decoder
from lumbago.errors import SettingsRefused, UsageError
from lumbago.evaluation.cases import GradedCase
from lumbago.evaluation.evaluate_cases import evaluate_cases
from lumbago.evaluation.gallery import PictureOf
from lumbago.evaluation.intervals import Score
from lumbago.evaluation.write_evaluation import write_evaluation
from lumbago.inference.weights import Model, load_model
from lumbago.labels.picture_slices import LabelledSlice
from lumbago.learning.case_pictures import labelled_pictures, phantom_pictures
from lumbago.learning.disc_samples import graded_patches
from lumbago.learning.experiment import Experiment
from lumbago.learning.grader_task import GraderTask
from lumbago.learning.label_tables import fold_of, read_labels
from lumbago.learning.locator_task import LocatorTask
from lumbago.learning.phantom_patches import phantom_patches
from lumbago.learning.score_grader import predict_pictures, score_grades
from lumbago.learning.score_locator import score_locator
from lumbago.learning.score_phantoms import predict_phantoms
from lumbago.learning.seen_patients import require_unseen
from lumbago.learning.train import Progress, Task, train
from lumbago.learning.write_card import Training, add_scores, write_card
from lumbago.pipeline.analyze_study import Models

ModelOf = Callable[[str], Model]
"""Gives the model for a patient: of the fold that has not seen him."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where things lie.

    Attributes:
        data: folder with the label sources; run: folder of the run.
        locators: folder with the locator's model, `{fold}` in it standing for a patient's fold.
        threads: processor threads.
        command: how this was called, for the card.
        card: model folder whose card is to hold the scores, or None.
    """

    data: Path
    run: Path
    locators: str = ""
    threads: int = 2
    command: str = ""
    card: Path | None = None


def run_training(path: Path, places: Places, fold: int, progress: Progress, *, resume: bool) -> Path:
    """Trains an experiment and writes `RUN/model` with its card; gives that folder.

    Raises:
        SettingsRefused: an experiment that makes no sense, or a run folder that is taken.
        ModelRefused: a locator that has seen the patients it is to place.
        UnreadableInput: label tables that are not there.
    """
    experiment = Experiment.read(path, fold=fold)
    torch.set_num_threads(places.threads)
    task = _row(experiment)[0](experiment, places)
    if not task.sample_counts():
        raise SettingsRefused(f"{experiment.name} has nothing to learn from", "sources, phantoms or both")
    states = [
        train(
            replace(experiment, seed=experiment.seed + member), task, places.run / f"member-{member}", progress, resume
        )
        for member in range(experiment.members)
    ]
    facts = task.export([state.mean for state in states], places.run / "model")
    seconds = sum(state.seconds for state in states)
    write_card(places.run / "model", facts, Training(experiment, places.command, seconds, task.sample_counts()))
    return places.run / "model"


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
    rows = [
        row
        for row in _graded_rows(experiment.sources, places)
        if fold_of(row.patient, experiment.folds) != experiment.fold
    ]
    real = graded_patches(model_of(places.locators, experiment.folds), rows) if rows else ()
    return GraderTask(experiment, [*real, *phantom_patches(experiment)])


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
