"""Scores of an experiment's models, each patient by a model that has not seen him."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from lumbago.dicom.decoder import Decoder, open_decoder
from lumbago.errors import SettingsRefused
from lumbago.evaluation.cases import OUT_OF_FOLD, VALIDATION, GradedCase
from lumbago.evaluation.evaluate_cases import evaluate_cases
from lumbago.evaluation.gallery import PictureOf
from lumbago.evaluation.intervals import Score
from lumbago.evaluation.place_table import write_places
from lumbago.evaluation.score_places import score_places, write_place_scores
from lumbago.evaluation.write_evaluation import write_evaluation
from lumbago.inference.deployed import models_in_use
from lumbago.inference.weights import Model, load_model
from lumbago.learning.case_pictures import labelled_pictures, study_pictures
from lumbago.learning.experiment import Experiment, of_kind
from lumbago.learning.grader_samples import graded_rows
from lumbago.learning.label_tables import labelled_studies, read_labels
from lumbago.learning.places import ModelOf, Places, model_of
from lumbago.learning.score_grader import predict_pictures, score_grades
from lumbago.learning.score_locator import locate_pictures, places_of, score_locator
from lumbago.learning.score_studies import phantom_keys, predict_phantoms, predict_studies
from lumbago.learning.seen_patients import seen_by
from lumbago.learning.splits import HELD_OUT, fold_rule, part_of
from lumbago.learning.study_samples import studies_with_volumes
from lumbago.learning.write_card import add_scores
from lumbago.pipeline.analyze_study import LOCATOR, Models
from lumbago.settings import Settings


def run_evaluation(
    path: Path, places: Places, runs: str, sources: tuple[str, ...], fold: int | None = None
) -> dict[str, Score]:
    """Scores of an experiment's models on label sources, each patient by a model that has not seen him.

    An experiment without label sources is scored on the phantom studies in the data folder.

    Args:
        runs: run folder; `{fold}` in it stands for a patient's fold. Without it one model is scored on all patients.
        sources: label sources to score on; empty for the experiment's own.
        fold: the fold whose patients alone are scored, None for those of all.

    Raises:
        SettingsRefused: an experiment that makes no sense, an unknown label source, a fold that there is not, or one
            of phantoms.
        ModelRefused: a model that has seen the patients it is to be scored on.
        UnreadableInput: label tables that are not there.
    """
    experiment = Experiment.read(path) if fold is None else Experiment.read(path, fold=fold)
    fold_of, wanted = fold_rule(experiment), sources or experiment.told_by
    if fold is not None and not wanted:
        raise SettingsRefused(
            f"fold {fold} of phantoms", "label sources, whose patients have folds", "leave out --fold"
        )
    scored = Scored(wanted, places, lambda patient: fold is None or fold_of(patient) == fold, experiment.anchor)
    scores = of_kind(SCORERS, experiment)(experiment, scored, model_of(f"{runs}/model", fold_of))
    places.run.mkdir(parents=True, exist_ok=True)
    (places.run / "scores.json").write_text(
        json.dumps({name: asdict(score) for name, score in scores.items()}, indent=1)
    )
    if places.card is not None:
        add_scores(places.card, scores, places.command)
    return scores


def predict_left_out(experiment: Experiment, places: Places, model: Path) -> list[GradedCase]:
    """What a grader says of the patients of the left-out fold, or, without label sources, of the phantom studies in the
    data folder. Without a folder of locators the one in use places phantoms. A search chooses on these cases: they are
    flagged for validation.

    Raises:
        ModelRefused: by its card the model has seen these patients; UnreadableInput: nothing there to judge on.
    """
    grader = load_model(model.name, model.parent, places.threads)
    if not experiment.told_by:
        locator = Path(places.locators) if places.locators else models_in_use(Settings.read())[LOCATOR]
        for seen in (seen_by(model), seen_by(locator)):
            for key in phantom_keys(places.data):
                seen.require_unseen(key)
        with open_decoder() as decoder:
            models = Models(load_model(locator.name, locator.parent), (grader,))
            return _in_split(predict_phantoms(models, places.data, decoder).cases, VALIDATION)
    fold_of, seen_patients = fold_rule(experiment), seen_by(model)

    def unseen(patient: str) -> Model:
        seen_patients.require_unseen(patient)
        return grader

    def is_left_out(patient: str) -> bool:
        return part_of(experiment, fold_of(patient)) == HELD_OUT

    both = model_of(places.locators, fold_of), unseen
    with open_decoder() as decoder:
        cases, _ = predict_sources(Scored(experiment.sources, places, is_left_out, experiment.anchor), both, decoder)
    return _in_split(cases, VALIDATION)


@dataclass(frozen=True, slots=True)
class Scored:
    """What is scored: sources in the data folder, of the patients that are wanted, on pictures that show the anchor."""

    sources: tuple[str, ...]
    places: Places
    wants: Callable[[str], bool] = lambda _: True
    anchor: str = "disc"


def _score_locator(experiment: Experiment, scored: Scored, models: ModelOf) -> dict[str, Score]:
    """Discs; and what a detector grades by its boxes."""
    places = scored.places
    labelled = (row for row in read_labels(places.data, scored.sources) if scored.wants(row.patient))
    pictures = locate_pictures(models, labelled)
    found = places_of(pictures)
    write_places(found, places.run / "places.csv")
    write_place_scores([row for table in found for row in score_places(table)], places.run, places.command)
    scores = score_locator(pictures)
    if experiment.conditions:
        with open_decoder() as decoder:
            cases, picture_of = predict_sources(scored, (models, models), decoder)
            scores |= _score_cases(_in_own_split(cases, experiment, scored), places, picture_of)
    return scores


def _in_own_split(cases: Iterable[GradedCase], experiment: Experiment, scored: Scored) -> list[GradedCase]:
    """Patients of the sources that the experiment learned from are out of fold, those of others external."""
    learned = [source for source in scored.sources if source in experiment.sources]
    own = {study.patient for source in learned for study in labelled_studies(scored.places.data, source)}
    return [replace(case, split=OUT_OF_FOLD if case.patient in own else "external") for case in cases]


def _score_grader(experiment: Experiment, scored: Scored, models: ModelOf) -> dict[str, Score]:
    places = scored.places
    locators = model_of(places.locators, fold_rule(experiment))
    if not scored.sources:
        (*_, used) = [Models(locators(key), (models(key),)) for key in phantom_keys(places.data)]
        with open_decoder() as decoder:
            found = predict_phantoms(used, places.data, decoder)
            return _score_cases(_in_split(found.cases, "unseen seeds"), places, study_pictures(found, decoder))
    with open_decoder() as decoder:
        cases, picture_of = predict_sources(scored, (locators, models), decoder)
        return _score_cases(_in_own_split(cases, experiment, scored), places, picture_of)


def predict_sources(
    scored: Scored, models: tuple[ModelOf, ModelOf], decoder: Decoder
) -> tuple[list[GradedCase], PictureOf]:
    """What locators and graders say of labelled pictures and studies, and where to see it."""
    locators, graders = models
    pictures = graded_rows(scored.sources, scored.places, scored.anchor)
    rows = [row for row in pictures if scored.wants(row.patient)]
    cases, picture_of = predict_pictures(locators, graders, rows), labelled_pictures(locators, rows)
    studies = [
        study for study in studies_with_volumes(scored.places.data, scored.sources) if scored.wants(study.patient)
    ]
    if not studies:
        return cases, picture_of
    found = predict_studies(studies, lambda patient: Models(locators(patient), (graders(patient),)), decoder)
    of_study = study_pictures(found, decoder)
    return [*cases, *found.cases], lambda case: picture_of(case) if case.slice_name else of_study(case)


def _in_split(cases: Iterable[GradedCase], split: str) -> list[GradedCase]:
    return [replace(case, split=split) for case in cases]


def _score_cases(cases: list[GradedCase], places: Places, picture_of: PictureOf) -> dict[str, Score]:
    scores = score_grades(cases, places.run)
    write_evaluation(evaluate_cases(cases), places.run, places.command, picture_of)
    return scores


SCORERS: Final[Mapping[str, Callable[[Experiment, Scored, ModelOf], dict[str, Score]]]] = {
    "locator": _score_locator,
    "grader": _score_grader,
}
"""How models are scored, by the kind of an experiment."""
