"""Training a support vector machine: a fit on the classical features of patches as an analysis cuts them, unshaken."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lumbago.anatomy.conditions import CONDITIONS
from lumbago.errors import SettingsRefused
from lumbago.learning.disc_samples import GradedPatch
from lumbago.learning.experiment import Experiment
from lumbago.learning.fit_svm import fit_svm
from lumbago.learning.grader_network import SVM, check_network
from lumbago.learning.grader_samples import data_of, grader_samples
from lumbago.learning.grader_task import grade_table, still_patch
from lumbago.learning.keep_fit import check_fit, keep_fit
from lumbago.learning.places import Places
from lumbago.learning.write_card import ModelFacts, Training
from lumbago.networks.export_onnx import export_onnx
from lumbago.networks.rbf_svm import RbfSvm, RbfSvmForExport


def train_svm(experiment: Experiment, places: Places, *, resume: bool) -> Path:
    """Fits the machines of an experiment's conditions; gives the model's folder.

    Settings of optimisation and augmentation do nothing here.

    Raises:
        SettingsRefused: an experiment that makes no sense so, or a run folder that is taken.
        ModelRefused: a locator that has seen the patients it is to place.
        UnreadableInput: label tables that are not there.
    """
    check_fit(experiment, places, resume=resume)
    check_network(experiment)
    start = time.perf_counter()
    samples, _ = grader_samples(data_of(experiment), places.sources)
    if not samples:
        raise SettingsRefused(f"{experiment.name} has nothing to learn from", "sources, phantoms or both")
    machine, facts = fit_and_export(experiment, samples, places.run / "model")
    told = {SVM: {"vectors": len(machine.vectors), "samples": len(samples)}}
    counts = dict(Counter(sample.source for sample in samples))
    training = Training(experiment, places.command, time.perf_counter() - start, counts, told)
    return keep_fit(facts, training, places)


def fit_and_export(experiment: Experiment, samples: Sequence[GradedPatch], folder: Path) -> tuple[RbfSvm, ModelFacts]:
    """The machines fitted on samples, written as ONNX; the golden input are the features of two of them."""
    outputs = {name: CONDITIONS[name].scale.grades for name in experiment.conditions}
    features = np.stack([still_patch(sample, experiment.recipe) for sample in samples])
    patients = [sample.patient for sample in samples]
    heads = {name: len(grades) for name, grades in outputs.items()}
    machine = fit_svm(features, grade_table(samples, experiment.conditions), patients, heads)
    example = torch.from_numpy(features[[0, -1]])
    sha256 = export_onnx(RbfSvmForExport(machine).eval(), example, list(outputs), {0: 1}, folder)
    network = {
        "name": SVM,
        "title": "support vector machine on classical features",
        "parameters": sum(value.numel() for value in machine.buffers()),
        "from_imagenet": False,
        "vectors": len(machine.vectors),
    }
    inputs = asdict(experiment.recipe)
    return machine, ModelFacts("grader", outputs, inputs, dict.fromkeys(outputs, 1.0), sha256, network)


def svm_sentence(told: Mapping[str, Any]) -> str:
    """How the fit went."""
    row = told[SVM]
    return f"{row['vectors']} support vectors of {row['samples']} places, fitted in {told['seconds']:.0f} s"
