"""`--feature-layers auto`: which stages of the encoder feed a grader's head.

Each choice of stages is judged by a linear probe (Alain and Bengio 2017) on features of the frozen encoder that the
grader starts from: fitted on some patients, its log loss taken on others. That is quick and says which stages hold what
the grades are told by; how much training would change that it does not say.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import Float32, Int64
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from lumbago.errors import SettingsRefused
from lumbago.learning.disc_samples import GradedPatch
from lumbago.learning.experiment import Experiment
from lumbago.learning.feature_store import FeatureTable, frozen_encoder, stored_features
from lumbago.learning.label_tables import fold_of
from lumbago.networks.patch_grader import STAGES

AUTO: Final = ("auto",)
_FOLDS: Final = 4
_LEAST: Final = 1e-6
_STRENGTH: Final = 0.05
"""Inverse of the probe's weight decay: strong, because features are many and patients few."""


@dataclass(frozen=True, slots=True)
class LayerChoice:
    """The stages chosen, and the validation log loss of every choice, lowest first.

    `probed_on` counts samples that the probes were fitted on, `validated_on` those that they were judged on.
    """

    layers: tuple[str, ...]
    log_loss: Mapping[str, float]
    probed_on: int
    validated_on: int


def candidates(patch: tuple[int, int]) -> list[tuple[str, ...]]:
    """Every stage alone, and every two neighbours, of those whose stride divides the patch; finest first."""
    fits = [name for name in STAGES if all(side % int(name.removeprefix("stride_")) == 0 for side in patch)]
    return [*((name,) for name in fits), *pairwise(fits)]


def choose_layers(
    experiment: Experiment, samples: Sequence[GradedPatch], unseen: Sequence[GradedPatch], folder: Path
) -> LayerChoice:
    """Chooses by the validation samples, or when there are none by a quarter of the patients; features go to `folder`.

    Raises:
        SettingsRefused: too few patients, or no known grade, to choose by.
    """
    everyone = [*samples, *unseen]
    if not everyone:
        raise SettingsRefused(
            f"{experiment.name} has no samples to choose its feature layers by", "sources or phantoms"
        )
    table = stored_features(
        everyone, experiment.recipe, experiment.conditions, frozen_encoder(experiment.pretrained), folder
    )
    is_judge = np.arange(len(everyone)) >= len(samples)
    if not unseen:
        is_judge = np.array([fold_of(patient, _FOLDS) == 0 for patient in table.patients])
    losses = {choice: probe_loss(table, choice, is_judge) for choice in candidates(experiment.patch)}
    best = min(losses, key=lambda choice: losses[choice])
    if not np.isfinite(losses[best]):
        raise SettingsRefused(
            f"{experiment.name} has too few graded patients to choose feature layers by",
            "two grades or more on both sides of the split", "name the layers",
        )  # fmt: skip
    told = {"+".join(choice): round(losses[choice], 4) for choice in sorted(losses, key=lambda choice: losses[choice])}
    return LayerChoice(best, told, int((~is_judge).sum()), int(is_judge.sum()))


def probe_loss(table: FeatureTable, stages: Sequence[str], is_judge: np.ndarray) -> float:
    """Log loss of a linear probe on the judging rows, the mean over conditions; infinite where none can be fitted."""
    features, losses = table.of(stages), []
    for grades in table.grades.T:
        fit, judge = (grades >= 0) & ~is_judge, (grades >= 0) & is_judge
        if np.unique(grades[fit]).size > 1 and judge.any():
            losses.append(_log_loss(features, grades, (fit, judge)))
    return float(np.mean(losses)) if losses else float("inf")


def _log_loss(
    features: Float32[np.ndarray, "samples width"],
    grades: Int64[np.ndarray, " samples"],
    parts: tuple[np.ndarray, np.ndarray],
) -> float:
    fit, judge = parts
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=_STRENGTH, max_iter=2000))
    probe.fit(features[fit], grades[fit])
    given = np.full((int(judge.sum()), int(grades.max()) + 1), _LEAST)
    given[:, probe.classes_] = probe.predict_proba(features[judge])
    of_truth = given[np.arange(len(given)), grades[judge]]
    return float(-np.log(np.clip(of_truth, _LEAST, 1)).mean())
