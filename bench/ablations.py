"""What does each ingredient of the disc grader bring on patients? `make ablations ARGS="DATA --locators L --out DIR"`.

Each row is `experiments/disc-grader.toml` with one network, a few steps and one change (`ROWS`), or several rows pooled
(`JOINED`). It is trained four times, each time without a fold of patients, and scored on these, on the discs as the
fold's locator finds them: each picture is located once, for all rows. DIR gets a run for each row and fold, `cases/`
with every answer, `ablations.csv` with every figure, and `ablations.md`: tables of the figures and of their differences
to the base, with 95 % intervals by bootstrap over patients, and p (paired). What is trained and scored is not made
again, unless what the row is has changed; one DIR belongs to one DATA and its locators. A row of 150 steps takes five
minutes on one core.
"""

import argparse
import csv
import hashlib
import json
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, product
from math import isnan
from pathlib import Path
from typing import Any

from joined import joined

from lumbago.evaluation.case_table import read_cases, write_cases
from lumbago.evaluation.cases import OUT_OF_FOLD, GradedCase, Group, by_group
from lumbago.evaluation.figures_of_merit import compare_cases, score_cases
from lumbago.evaluation.intervals import Difference, Score
from lumbago.learning.experiment import Experiment, read_toml
from lumbago.learning.grader_samples import graded_rows
from lumbago.learning.places import Places, model_of
from lumbago.learning.run_training import train_model
from lumbago.learning.sample_cache import Preparation
from lumbago.learning.score_together import Wanted, score_pictures
from lumbago.learning.splits import fold_rule

EXPERIMENT = Path(__file__).parents[1] / "experiments" / "disc-grader.toml"
PRETRAINING = EXPERIMENT.parent / "pretrain" / "lite0.toml"
PHANTOMS = {"phantoms": 200, "phantom_seed": 2_000_000}
BASE = "base"
FOLDS = Experiment.read(EXPERIMENT).folds

ROWS: Mapping[str, Mapping[str, Any]] = {
    BASE: {},
    "base, another seed": {"seed": 2},
    "without the ImageNet start": {"pretrained": False},
    "without augmentation": {"augmentation": 0.0},
    "without shaking": {"shift_mm": 0.0, "turn_degrees": 0.0},
    "phantoms alone": {"sources": (), **PHANTOMS},
    "real and phantoms": PHANTOMS,
    "measurements alone": {"network": "measured", "views": "measured", "pretrained": False},
    "base, a third seed": {"seed": 3},
    "spider alone": {"sources": ("spider",)},
    "self-supervised start": {},
    "ImageNet, then self-supervised": {},
}
"""Name -> what is other than in the base."""

STARTS: Mapping[str, Mapping[str, Any]] = {
    "self-supervised start": {"pretrained": False},
    "ImageNet, then self-supervised": {"pretrained": True},
}
"""Name of a row that starts from features learned without labels -> what is other than in `PRETRAINING`. They are
learned for each fold anew, without its patients."""

JOINED: Mapping[str, Sequence[str]] = {
    "base with measurements": (BASE, "measurements alone"),
    "three members": (BASE, "base, another seed", "base, a third seed"),
    "three members with measurements": (BASE, "base, another seed", "base, a third seed", "measurements alone"),
}
"""Name -> rows whose answers are pooled, as several models' are in an analysis; nothing is trained for these. The mean
of logarithms is what a model of several members computes, too."""

KAPPA, BALANCED, AUC = "kappa", "balanced accuracy", "AUC"
TITLES = {"linear kappa": KAPPA, "kappa": KAPPA, "balanced accuracy": BALANCED, "AUC of any change": AUC}
FALSE_SHARE = 0.05

Told = Mapping[str, Mapping[Group, Mapping[str, Any]]]
"""By row, group of cases and figure: a score, or a difference."""


@dataclass(frozen=True)
class Row:
    """A row that is trained: its settings without a fold, and its run folder, `{fold}` standing for the fold, as in the
    run folder of its start, if it has one."""

    name: str
    settings: Mapping[str, Any]
    runs: str
    cases: Path

    @classmethod
    def of(cls, name: str, steps: int, out: Path, folds: Sequence[int]) -> "Row":
        """The row; the names of its files follow from all that it is."""
        settings = {"members": 1, "steps": steps, **ROWS[name]}
        start = [read_toml(PRETRAINING), STARTS[name]] if name in STARTS else []
        content = json.dumps([read_toml(EXPERIMENT), settings, *start], sort_keys=True)
        stem = f"{name.replace(',', '').replace(' ', '-')}-{hashlib.sha256(content.encode()).hexdigest()[:8]}"
        fold = "-{fold}" if settings.get("sources", True) else ""
        if start:
            settings["start"] = str(out / "runs" / f"start-{stem}{fold}")
        scored = "" if len(folds) == FOLDS else f"-of-{'-'.join(map(str, folds))}"
        return cls(name, settings, str(out / "runs" / f"{stem}{fold}"), out / "cases" / f"{stem}{scored}.csv")

    def experiment(self, fold: int) -> Experiment:
        """Its experiment without the patients of a fold."""
        return Experiment.read(EXPERIMENT, fold=fold, **self.settings)

    def runs_of(self, fold: int) -> Iterable[tuple[Path, Experiment]]:
        """What is trained for a fold, in this order."""
        if "start" in self.settings:
            start = Experiment.read(PRETRAINING, fold=fold, **STARTS[self.name])
            yield Path(self.settings["start"].format(fold=fold)), start
        yield Path(self.runs.format(fold=fold)), self.experiment(fold)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--locators", required=True, help="folder of a locator's model, {fold} for the patient's fold")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--rows", nargs="*", default=list(ROWS), choices=list(ROWS), help="those to make if missing")
    parser.add_argument("--folds", type=int, nargs="*", default=range(FOLDS), help="whose patients are scored")
    parser.add_argument("--cache", type=Path, help="folder that keeps located pictures and phantoms; DIR/cache if none")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--patients", type=int, help="score these many only, to try things out")
    wanted = parser.parse_args()
    rows = [Row.of(name, wanted.steps, wanted.out, wanted.folds) for name in ROWS]
    missing = [row for row in rows if row.name in wanted.rows and not row.cases.is_file()]
    preparing = Preparation(wanted.cache or wanted.out / "cache", tell=print)
    threads, workers = wanted.threads, wanted.threads - 1
    places = Places(wanted.data, Path(), wanted.locators, threads, "cpu", workers, preparing=preparing)
    for row in missing:
        train_row(row, places, wanted.folds)
    if missing:
        score_rows(missing, places, wanted.folds, wanted.patients)
    write_page(read_rows(rows), wanted.out, shlex.join(["python", "bench/ablations.py", *sys.argv[1:]]))


def train_row(row: Row, places: Places, folds: Sequence[int]) -> None:
    """Once for each fold; what saw no patient once for all."""
    for run, experiment in chain.from_iterable(map(row.runs_of, folds if "{fold}" in row.runs else (-1,))):
        if not (run / "training.json").is_file():
            train_model(experiment, replace(places, run=run), lambda *_: None, resume=True)
            print(run.name, json.loads((run / "training.json").read_text(encoding="utf8"))["seconds"], "s", flush=True)


def score_rows(rows: Sequence[Row], places: Places, folds: Sequence[int], patients: int | None) -> None:
    """The answers of the rows on patients that they have not seen."""
    base = rows[0].experiment(-1)
    fold_of, sources = fold_rule(base), Experiment.read(EXPERIMENT).sources
    pictures = [picture for picture in graded_rows(sources, places) if fold_of(picture.patient) in folds]
    some = set(sorted({picture.patient for picture in pictures})[:patients])
    wanted = {row.name: Wanted((model_of(f"{row.runs}/model", fold_of),), sources, OUT_OF_FOLD) for row in rows}
    locator = model_of(places.locators, fold_of)
    tables, _ = score_pictures(locator, wanted, (picture for picture in pictures if picture.patient in some))
    for row in rows:
        write_cases(tables[row.name], row.cases)


def read_rows(rows: Sequence[Row]) -> dict[str, list[GradedCase]]:
    """Answers of all rows that are there, and of those that can be joined from them."""
    cases = {row.name: read_cases(row.cases) for row in rows if row.cases.is_file()}
    joined = {name: parts for name, parts in JOINED.items() if cases.keys() >= set(parts)}
    return cases | {name: pooled([cases[part] for part in parts]) for name, parts in joined.items()}


def pooled(tables: Sequence[Sequence[GradedCase]]) -> list[GradedCase]:
    """The answers of several models as one, as an analysis joins them."""
    by_key = [{case.key: case for case in table} for table in tables]
    places = ([table[case.key] for table in by_key] for case in tables[0])
    return [joined([case for case in cases if case.probabilities] or cases) for cases in places]


# --- the page --------------------------------------------------------------------------------------------------------


def write_page(cases: Mapping[str, Sequence[GradedCase]], out: Path, command: str) -> None:
    """`ablations.md` and `ablations.csv`."""
    grouped = {name: by_group(rows) for name, rows in cases.items()}
    ours = grouped[BASE]
    scores: Told = {
        name: {group: chosen(score_cases(rows, brief=True)) for group, rows in groups.items()}
        for name, groups in grouped.items()
    }
    less_base: Told = {
        name: {group: difference(rows, ours[group]) for group, rows in groups.items()}
        for name, groups in grouped.items()
        if name != BASE
    }
    told = f"Command: `{command}`. Folds by patient; brackets: 95 % bootstrap over patients."
    parts = [told, counts(ours)]
    for figure in (KAPPA, BALANCED, AUC):
        parts += [f"## {figure}", table(scores, figure, list(ours)), f"## {figure} less the base's"]
        parts += [table(less_base, figure, list(ours)), counted(less_base, figure)]
    out.mkdir(parents=True, exist_ok=True)
    (out / "ablations.md").write_text("\n\n".join(parts) + "\n", encoding="utf8")
    write_figures(scores, less_base, out / "ablations.csv")
    print("\n\n".join(parts))


def counts(groups: Mapping[Group, Sequence[GradedCase]]) -> str:
    """Markdown: what the figures stand on, and what always the commonest grade has."""
    lines = [
        "| | discs | answered | patients | not of the lowest grade | balanced accuracy of always the commonest |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for (data, _, condition), cases in groups.items():
        answered = [case for case in cases if case.probabilities is not None]
        patients, grades = {case.patient for case in answered}, {case.truth for case in answered}
        changed = sum(case.truth_index > 0 for case in answered)
        numbers = (len(cases), len(answered), len(patients), changed, f"{1 / len(grades):.2f}")
        lines.append(f"| {condition}, {data} | " + " | ".join(map(str, numbers)) + " |")
    return "\n".join(lines)


def chosen(figures: Mapping[str, Any]) -> dict[str, Any]:
    """The figures that are shown, by their short names."""
    return {TITLES[name]: value for name, value in figures.items() if name in TITLES}


def difference(cases: Sequence[GradedCase], ours: Sequence[GradedCase]) -> dict[str, Difference]:
    """Less the base, on the discs that both answered."""
    base = {case.key: case for case in ours if case.probabilities is not None}
    both = [case for case in cases if case.probabilities is not None and case.key in base]
    return chosen(compare_cases(both, [base[case.key] for case in both])) if both else {}


def table(told: Told, figure: str, groups: Sequence[Group]) -> str:
    """Markdown: a line for each row, a column for each condition and data; bold what holds when all are counted."""
    shown = [group for group in groups if any(figure in row.get(group, {}) for row in told.values())]
    least = holds_below(ps(told, figure))
    lines = [
        "| | " + " | ".join(f"{condition}, {data}" for data, _, condition in shown) + " |",
        "| --- |" + " --- |" * len(shown),
    ]
    for name, row in told.items():
        lines.append(f"| {name} | " + " | ".join(cell(row.get(group, {}).get(figure), least) for group in shown) + " |")
    return "\n".join(lines)


def cell(value: Score | Difference | None, least: float) -> str:
    """Empty where a figure is undefined."""
    if isinstance(value, Difference):
        score = value.score
        text = f"{score.value:+.3f} [{score.low:+.3f}, {score.high:+.3f}] p {value.p:.3f}"
        return "" if isnan(score.value) else f"**{text}**" if value.p <= least else text
    return "" if value is None or isnan(value.value) else str(value)


def ps(told: Told, figure: str) -> list[float]:
    """All p of a table that there are."""
    each = chain.from_iterable(row.values() for row in told.values())
    found = [value[figure].p for value in each if isinstance(value.get(figure), Difference)]
    return [p for p in found if not isnan(p)]


def holds_below(values: Iterable[float]) -> float:
    """The highest p that holds when of all that do at most a twentieth may be chance's (Benjamini and Hochberg 1995);
    below 0 for none."""
    ordered = sorted(values)
    held = [p for rank, p in enumerate(ordered, 1) if p <= FALSE_SHARE * rank / len(ordered)]
    return max(held, default=-1.0)


def counted(told: Told, figure: str) -> str:
    found = ps(told, figure)
    return (
        f"{len(found)} differences, {sum(p < 0.05 for p in found)} of them with p below 0.05, where chance alone gives "
        f"{0.05 * len(found):.1f}; bold: those that hold when all are counted (Benjamini and Hochberg, 5 %)."
    )


def write_figures(scores: Told, less_base: Told, path: Path) -> None:
    """Every figure as a line."""
    with path.open("w", newline="", encoding="utf8") as file:
        lines = csv.writer(file)
        lines.writerow(
            ["row", "data", "condition", "figure", "value", "low", "high", "less_base", "less_low", "less_high", "p"]
        )
        for name, figure in product(scores, (KAPPA, BALANCED, AUC)):
            for group, found in scores[name].items():
                less = less_base.get(name, {}).get(group, {}).get(figure)
                numbers = [*triple(found.get(figure)), *triple(less.score if less else None), less.p if less else None]
                texts = ["" if number is None else f"{number:.4f}" for number in numbers]
                lines.writerow([name, group[0], group[2], figure, *texts])


def triple(score: Score | None) -> Sequence[float | None]:
    return (None, None, None) if score is None else (score.value, score.low, score.high)


if __name__ == "__main__":
    main()
