"""How good is a Pfirrmann grader of few patients? `make few-shot-check ARGS="DATA --locators ... --out DIR"`.

One fold of a label source is held out; from the others 10, 20, 50 and 100 patients are drawn, several times, the fewer
ones being among the more. On each draw learn: a grader from scratch (every weight trained, its encoder starting from
ImageNet), and few-shot heads on the frozen networks of `--starts`, which must not have seen a patient of the source.
`as it is` means such a network without anything learned here. Predictions lie in DIR, one table for each training; what
is there is not made again. Ends with a Markdown table of all that is there: linear kappa and balanced accuracy, the
mean over draws with its 95 % interval over held-out patients, the lowest and highest draw, and the difference in kappa
from scratch on the same draws (paired).
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import torch

from lumbago.anatomy.conditions import CONDITIONS
from lumbago.evaluation.case_table import read_cases, write_cases
from lumbago.evaluation.cases import GradedCase
from lumbago.evaluation.figures_of_merit import Sample, main_figures
from lumbago.evaluation.intervals import WeightedFigure, weighted_differences, weighted_scores
from lumbago.learning.disc_samples import GradedPatch, graded_patches
from lumbago.learning.experiment import Experiment
from lumbago.learning.feature_store import JOINED, FeatureTable, JoinedFeatures, stored_features
from lumbago.learning.few_shot import fit_heads, frozen_network
from lumbago.learning.few_shot_heads import logits_of
from lumbago.learning.grader_samples import graded_rows
from lumbago.learning.grader_task import GraderTask, still_patch
from lumbago.learning.label_tables import fold_of
from lumbago.learning.places import Places, model_of
from lumbago.learning.sample_cache import Preparation
from lumbago.learning.train import Course, train
from lumbago.networks.patch_grader import PatchGrader

FOLDS, HELD_OUT, SIZES = 4, 1, (10, 20, 50, 100)
COURSE = Experiment("few-shot-check", "grader", conditions=("pfirrmann",), batch=32, save_every=10_000)
FIGURES = ("linear kappa", "balanced accuracy")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--locators", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--source", default="sudirman")
    parser.add_argument("--starts", nargs="*", default=["imagenet"])
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--steps", type=int, default=200, help="from scratch; 0 leaves that out")
    parser.add_argument("--scratch-draws", type=int, default=3)
    wanted = parser.parse_args()
    torch.set_num_threads(1)
    samples = read_samples(wanted.data, wanted.locators, wanted.source, wanted.out)
    for start in wanted.starts:
        fit_all(start, samples, wanted.draws, wanted.out)
    for draw, size in product(range(wanted.scratch_draws if wanted.steps else 0), SIZES):
        path = wanted.out / f"{wanted.source}-from-scratch-{size}-{draw}.csv"
        learned = [sample for sample, is_drawn in zip(samples, drawn(samples, size, draw), strict=True) if is_drawn]
        if learned and not path.is_file():
            experiment = replace(COURSE, steps=wanted.steps, seed=draw + 1)
            network = from_scratch(experiment, learned, wanted.out / "runs" / path.stem)
            write_cases(cases_of(held_out(samples), said(network, held_out(samples))), path)
            print(path.stem, flush=True)
    print(table(wanted.out, wanted.source))


def fit_all(start: str, samples: Sequence[GradedPatch], draws: int, out: Path) -> None:
    """Heads on a frozen network, which sees every patch once; and the network as it is where it grades Pfirrmann."""
    frozen = frozen_network(start, COURSE)
    name = frozen.seen.card.name if frozen.seen is not None else start
    if frozen.seen is not None:
        for patient in dict.fromkeys(sample.patient for sample in samples):
            frozen.seen.require_unseen(patient)
    recipe = GraderTask(COURSE, samples).recipe
    seen = stored_features(samples, recipe, COURSE.conditions, JoinedFeatures(frozen.graders), out / "features")
    is_judge = np.array([is_held_out(sample.patient) for sample in samples])
    features = torch.from_numpy(seen.stages[JOINED][is_judge])
    for draw, size in product(range(draws), SIZES):
        rows = drawn(samples, size, draw)
        if not rows.any():
            continue
        patients = tuple(np.array(seen.patients)[rows])
        learned = FeatureTable({JOINED: seen.stages[JOINED][rows]}, seen.grades[rows], patients)
        heads, choices = fit_heads(frozen, learned, {"pfirrmann": 5})
        print(start, size, draw, choices["pfirrmann"], flush=True)
        told = {f"few-shot-on-{name}": heads["pfirrmann"]}
        if "pfirrmann" in frozen.given:
            told[f"{name}-as-it-is"] = frozen.given["pfirrmann"]
        for label, head in told.items():
            path = out / f"{samples[0].source}-{label}-{size}-{draw}.csv"
            write_cases(cases_of(held_out(samples), logits_of(head, features)), path)


def read_samples(data: Path, locators: str, source: str, out: Path) -> list[GradedPatch]:
    """The source's graded discs in frames of locators that have not seen the patient, kept in the folder."""
    rows = graded_rows((source,), Places(data, Path()))
    found = graded_patches(
        model_of(locators, lambda patient: fold_of(patient, FOLDS)), rows, Preparation(out / "cache")
    )
    return [sample for sample in found if "pfirrmann" in sample.grades]


def is_held_out(patient: str) -> bool:
    return fold_of(patient, FOLDS) == HELD_OUT


def held_out(samples: Sequence[GradedPatch]) -> list[GradedPatch]:
    return [sample for sample in samples if is_held_out(sample.patient)]


def drawn(samples: Sequence[GradedPatch], size: int, draw: int) -> np.ndarray:
    """Which samples are of the patients drawn; none when there are not so many patients."""
    patients = sorted({sample.patient for sample in samples if not is_held_out(sample.patient)})
    chosen = {patients[index] for index in np.random.default_rng(draw).permutation(len(patients))[:size]}
    return np.array([len(chosen) == size and sample.patient in chosen for sample in samples])


def from_scratch(experiment: Experiment, learned: Sequence[GradedPatch], run: Path) -> PatchGrader:
    """Every weight trained."""
    state = train(experiment, GraderTask(experiment, learned), run, lambda *_: None, Course(workers=0, resume=True))
    assert isinstance(state.mean, PatchGrader)
    return state.mean


@torch.no_grad()
def said(network: PatchGrader, samples: Sequence[GradedPatch]) -> torch.Tensor:
    """Logits of each disc."""
    recipe = GraderTask(COURSE, samples).recipe
    return torch.cat([network(torch.from_numpy(still_patch(sample, recipe)[None])) for sample in samples])


def cases_of(samples: Sequence[GradedPatch], logits: torch.Tensor) -> list[GradedCase]:
    grades = CONDITIONS["pfirrmann"].scale.grades
    return [
        GradedCase(
            sample.source, sample.patient, sample.name, "pfirrmann", sample.level, None,
            grades[sample.grades["pfirrmann"]], tuple(float(value) for value in row.softmax(0)),
        )
        for sample, row in zip(samples, logits, strict=True)
    ]  # fmt: skip


def table(out: Path, source: str) -> str:
    """Markdown, by number of patients."""
    tables: dict[tuple[int, str], dict[int, list[GradedCase]]] = {}
    for path in sorted(out.glob(f"{source}-*.csv")):
        name, size, draw = path.stem.removeprefix(f"{source}-").rsplit("-", 2)
        tables.setdefault((int(size), name), {})[int(draw)] = read_cases(path)
    lines = [
        "| patients | learned | draws | linear kappa | by draw | balanced accuracy | by draw | kappa less scratch's |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for (size, name), draws in sorted(tables.items()):
        cells = [str(size), name.replace("-", " "), str(len(draws))]
        scores = weighted_scores({figure: mean_of(list(draws.values()), figure) for figure in FIGURES}, keys_of(draws))
        for figure in FIGURES:
            each = [weighted_scores({figure: mean_of([one], figure)}, keys_of(draws))[figure].value
                    for one in draws.values()]  # fmt: skip
            cells += [str(scores[figure]), f"{min(each):.2f} to {max(each):.2f}"]
        lines.append("| " + " | ".join([*cells, less_scratch(draws, tables.get((size, "from-scratch"), {}))]) + " |")
    return "\n".join(lines)


def less_scratch(draws: dict[int, list[GradedCase]], scratch: dict[int, list[GradedCase]]) -> str:
    """Difference in kappa on the draws that both have."""
    common = sorted(set(draws) & set(scratch))
    if not common or draws == scratch:
        return ""
    one, other = ({"kappa": mean_of([cases[draw] for draw in common], FIGURES[0])} for cases in (draws, scratch))
    return str(weighted_differences(one, other, keys_of(draws))["kappa"].score)


def keys_of(draws: dict[int, list[GradedCase]]) -> np.ndarray:
    """Patients of the cases, which are the same in every draw."""
    return np.asarray(Sample.of(next(iter(draws.values()))).patients)


def mean_of(draws: Sequence[Sequence[GradedCase]], figure: str) -> WeightedFigure:
    """A figure averaged over draws."""
    figures = [main_figures(Sample.of(cases))[figure] for cases in draws]
    return lambda weights: np.asarray(np.mean([one(weights) for one in figures], axis=0))


if __name__ == "__main__":
    main()
