"""What do mirroring, slices and finer pixels bring on phantoms? `python bench/phantom_ablations.py --out DIR`.

The sets of real slices hold single ones, so these are tried on phantoms alone, on the worst of our graders, that of the
recesses: `experiments/recess-grader.toml` with one network, fewer steps, the pixels that it had before (`COARSE`) and
one change (`ROWS`). Every row is scored on the same sites of phantoms that none has seen, where they truly are. DIR
gets a run for each row and `phantom-ablations.md`: kappa, balanced accuracy and AUC with 95 % intervals by bootstrap
over phantoms, and their differences to the base (paired). What is trained is not trained again. All figures are phantom
scores.
"""

import argparse
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from ablations import AUC, BALANCED, BASE, KAPPA, chosen, counted, difference, table

from lumbago.anatomy.conditions import CONDITIONS
from lumbago.evaluation.cases import OUT_OF_FOLD, GradedCase, by_group
from lumbago.evaluation.figures_of_merit import score_cases
from lumbago.learning.disc_samples import GradedPatch
from lumbago.learning.experiment import Experiment
from lumbago.learning.grader_task import GraderTask
from lumbago.learning.hardware import open_hardware
from lumbago.learning.phantom_patches import phantom_patches
from lumbago.learning.sample_cache import Preparation
from lumbago.learning.train import Course, train

EXPERIMENT = Path(__file__).parents[1] / "experiments" / "recess-grader.toml"
UNSEEN_SEED = 6_000_000
AS_THEY_LIE = "right ones as they lie, not mirrored"

COARSE: Mapping[str, Any] = {"patch": (64, 64), "pixel_mm": 0.6}

ROWS: Mapping[str, Mapping[str, Any]] = {
    BASE: {},
    "base, another seed": {"seed": 2},
    "base, a third seed": {"seed": 3},
    "one slice instead of three": {"slices": 1},
    AS_THEY_LIE: {},
    "finer pixels": {"patch": (80, 80), "pixel_mm": 0.4},
}
"""Name -> what is other than in the base."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--phantoms", type=int, default=100, help="that are scored")
    parser.add_argument("--rows", nargs="*", default=list(ROWS), choices=list(ROWS))
    parser.add_argument("--cache", type=Path, help="folder that keeps phantoms; DIR/cache if none")
    wanted = parser.parse_args()
    torch.set_num_threads(1)
    how = Preparation(wanted.cache or wanted.out / "cache", tell=print)
    base = Experiment.read(EXPERIMENT, members=1, steps=wanted.steps, **COARSE)
    learned = phantom_patches(base, how)
    unseen = phantom_patches(replace(base, phantom_seed=UNSEEN_SEED, phantoms=wanted.phantoms), how)
    answers = {}
    for name in wanted.rows:
        run = wanted.out / f"{name.replace(',', '').replace(' ', '-')}-{wanted.steps}"
        experiment = replace(base, **ROWS[name])
        answers[name] = list(answered(experiment, (laid(name, learned), laid(name, unseen)), run))
        print(name, score_cases(answers[name], brief=True)["linear kappa"], flush=True)
    write_page(answers, wanted.out, shlex.join(["python", "bench/phantom_ablations.py", *sys.argv[1:]]))


def laid(name: str, patches: Sequence[GradedPatch]) -> list[GradedPatch]:
    """The patches as a row sees them: columns run outward on both sides, or always to the patient's left."""
    turned = name == AS_THEY_LIE
    return [
        replace(patch, frame=replace(patch.frame, along=-patch.frame.along))
        if turned and patch.side == "right"
        else patch
        for patch in patches
    ]


def answered(
    experiment: Experiment, patches: tuple[Sequence[GradedPatch], Sequence[GradedPatch]], run: Path
) -> Iterator[GradedCase]:
    """What a network that has learned from the first says of the second."""
    task = GraderTask(experiment, *patches)
    with open_hardware("cpu", experiment.precision) as hardware:
        network = train(experiment, task, run, lambda *_: None, Course(hardware, 0, True)).mean
    (condition,) = experiment.conditions
    grades = CONDITIONS[condition].scale.grades
    with torch.no_grad():
        chances = torch.cat([network(views).softmax(1) for views, *_ in task.validation()])
    for patch, values in zip(patches[1], chances.tolist(), strict=True):
        truth = grades[patch.grades[condition]]
        place = ("unseen phantoms", patch.patient, patch.name, condition, patch.level, patch.side)
        yield GradedCase(*place, truth, tuple(values), split=OUT_OF_FOLD)


def write_page(answers: Mapping[str, Sequence[GradedCase]], out: Path, command: str) -> None:
    """`phantom-ablations.md`."""
    grouped = {name: by_group(cases) for name, cases in answers.items()}
    groups = list(grouped[BASE])
    scores = {
        name: {group: chosen(score_cases(cases, brief=True)) for group, cases in found.items()}
        for name, found in grouped.items()
    }
    less = {
        name: {group: difference(cases, grouped[BASE][group]) for group, cases in found.items()}
        for name, found in grouped.items()
        if name != BASE
    }
    sites, phantoms = len(answers[BASE]), len({case.patient for case in answers[BASE]})
    parts = [f"Command: `{command}`. Phantom scores: {sites} sites of {phantoms} unseen phantoms."]
    for figure in (KAPPA, BALANCED, AUC):
        parts += [f"## {figure}", table(scores, figure, groups), f"## {figure} less the base's"]
        parts += [table(less, figure, groups), counted(less, figure)]
    (out / "phantom-ablations.md").write_text("\n\n".join(parts) + "\n", encoding="utf8")
    print("\n\n".join(parts))


if __name__ == "__main__":
    main()
