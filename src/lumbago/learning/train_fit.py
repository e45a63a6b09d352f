"""Training without steps: a fit on what patches and places are given as an analysis cuts them, unshaken."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from jaxtyping import Float32, Int64
from torch import nn

from lumbago.anatomy.conditions import CONDITIONS
from lumbago.learning.disc_samples import GradedPatch
from lumbago.learning.experiment import Experiment, require_samples
from lumbago.learning.fit_rules import fit_rules
from lumbago.learning.fit_svm import fit_svm
from lumbago.learning.grader_network import RULES, SVM, check_network
from lumbago.learning.grader_samples import data_of, grader_samples
from lumbago.learning.grader_task import grade_table, require_graded, still_patch
from lumbago.learning.keep_fit import check_fit, keep_fit
from lumbago.learning.places import Places
from lumbago.learning.write_card import ModelFacts, Training
from lumbago.networks.export_onnx import export_onnx, golden_noise
from lumbago.networks.ordinal_rules import OrdinalRulesForExport
from lumbago.networks.rbf_svm import RbfSvmForExport


@dataclass(frozen=True, eq=False)
class GradedFeatures:
    """What a fit is given: features of places, their grades (-1 where unknown), patients, and the conditions."""

    features: Float32[np.ndarray, "places features"]
    grades: Int64[np.ndarray, "places conditions"]
    patients: Sequence[str]
    conditions: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Fitted:
    """A fit as it is exported, what it is called, and what is told of it: a number and of what."""

    network: nn.Module
    title: str
    size: int
    sized: str


def _svm(given: GradedFeatures) -> Fitted:
    heads = {name: len(CONDITIONS[name].scale.grades) for name in given.conditions}
    machine = fit_svm(given.features, given.grades, given.patients, heads)
    title = "support vector machine on classical features"
    return Fitted(RbfSvmForExport(machine), title, len(machine.vectors), "vectors")


def _rules(given: GradedFeatures) -> Fitted:
    rules = fit_rules(given.features, given.grades, given.conditions)
    weights = sum(int((value != 0).sum()) for name, value in rules.named_buffers() if name.startswith("weights"))
    title = "rules on measurements: proportional odds (McCullagh 1980)"
    return Fitted(OrdinalRulesForExport(rules), title, weights, "weights")


FITS: Final[Mapping[str, Callable[[GradedFeatures], Fitted]]] = {SVM: _svm, RULES: _rules}
"""What is fitted instead of trained, by the name of its network in an experiment."""


def train_fit(experiment: Experiment, places: Places, *, resume: bool) -> Path:
    """Fits an experiment's network; gives the model's folder. Settings of optimisation and augmentation do nothing.

    Raises:
        SettingsRefused: an experiment that makes no sense so, or a run folder that is taken.
        ModelRefused: a locator that has seen the patients it is to place.
        UnreadableInput: label tables that are not there.
    """
    check_fit(experiment, places, resume=resume)
    check_network(experiment)
    start = time.perf_counter()
    samples, _ = grader_samples(data_of(experiment), places.sources)
    require_samples(experiment, samples)
    require_graded(experiment, samples)
    fitted, facts = fit_and_export(experiment, samples, places.run / "model")
    told = {experiment.network: {fitted.sized: fitted.size, "samples": len(samples)}}
    counts = dict(Counter(sample.source for sample in samples))
    training = Training(experiment, places.command, time.perf_counter() - start, counts, told)
    return keep_fit(facts, training, places)


def fit_and_export(experiment: Experiment, samples: Sequence[GradedPatch], folder: Path) -> tuple[Fitted, ModelFacts]:
    """The fit on samples, written as ONNX; the golden input is noise that is spread as their features,
    without those that some samples lack in its second row."""
    features = np.stack([still_patch(sample, experiment.recipe) for sample in samples])
    patients = [sample.patient for sample in samples]
    grades = grade_table(samples, experiment.conditions)
    fitted = FITS[experiment.network](GradedFeatures(features, grades, patients, experiment.conditions))
    outputs = {name: CONDITIONS[name].scale.grades for name in experiment.conditions}
    example = golden_noise((2, features.shape[1]), *_mean_and_spread(features))
    example[1, np.isnan(features).any(axis=0)] = np.nan
    sha256 = export_onnx(fitted.network.eval(), example, list(outputs), {0: 1}, folder)
    network = {
        "name": experiment.network,
        "title": fitted.title,
        "parameters": sum(value.numel() for value in fitted.network.buffers()),
        "from_imagenet": False,
        fitted.sized: fitted.size,
    }
    inputs = asdict(experiment.recipe)
    return fitted, ModelFacts("grader", outputs, inputs, dict.fromkeys(outputs, 1.0), sha256, network)


def _mean_and_spread(features: Float32[np.ndarray, "samples values"]) -> tuple[np.ndarray, np.ndarray]:
    """Of each value over the samples that have it."""
    known = np.ma.masked_invalid(features)
    return known.mean(axis=0).filled(0.0), known.std(axis=0).filled(0.0)


def fit_sentence(told: Mapping[str, Any]) -> str:
    """How the fit went; "" when the training was none."""
    for name, sized, words in ((SVM, "vectors", "support vectors"), (RULES, "weights", "weights")):
        if name in told:
            row = told[name]
            return f"{row[sized]} {words} of {row['samples']} places, fitted in {told['seconds']:.0f} s"
    return ""
