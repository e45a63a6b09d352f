"""All systems on the same patients: trained with the same budget, scored out of fold and across sets, in one table.

Every model is a run of its own folder, made by the same training as any other; a comparison that was interrupted goes
on where it was. What is finished is not made again.
"""

import json
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import torch

from lumbago.dicom.decoder import open_decoder
from lumbago.dicom.read_study import read_studies
from lumbago.errors import LumbagoError, SettingsRefused
from lumbago.evaluation.case_table import read_cases, write_cases
from lumbago.evaluation.cases import GradedCase
from lumbago.evaluation.comparison import Compared, FoundShares, RowFacts
from lumbago.evaluation.intervals import Score
from lumbago.evaluation.write_comparison import write_comparison
from lumbago.inference.weights import Card, load_model, read_card
from lumbago.learning.comparison_plan import DISCS, LOCATING, Job, Runs, Terms, plan, runs_of
from lumbago.learning.experiment import Experiment
from lumbago.learning.grader_network import FITTED
from lumbago.learning.label_tables import read_labels
from lumbago.learning.noisy_readers import with_second_reader
from lumbago.learning.pace import steps_for
from lumbago.learning.places import Places, model_of
from lumbago.learning.run_evaluation import Scored, predict_sources
from lumbago.learning.run_log import read_log
from lumbago.learning.run_training import train_model
from lumbago.learning.score_locator import locate_pictures, score_locator
from lumbago.learning.score_studies import predict_phantoms
from lumbago.learning.splits import fold_rule
from lumbago.phantom.write_study import write_studies
from lumbago.pipeline.analyze_study import Models, analyze_study
from lumbago.systems import System

Tell = Callable[[str, int, int], None]
"""Called with what is done, how many are, and of how many."""

OUT_OF_FOLD, EXTERNAL, UNSEEN = "out of fold", "external", "unseen seeds"
_WHY: Final = "why-not.txt"
"""Why something could not be trained or scored, beside what it is not there for."""

_TIMED: Final = 3
_TIMED_SEED: Final = 9_000_001


@dataclass(frozen=True)
class Comparison:
    """What is compared, on what.

    Attributes:
        systems: the rows; terms: what each is given.
        places: `data` holds the label sources; threads and cache as for a training.
        phantoms: folder of phantom studies to test on, or None.
        processes: that train and score side by side.
        command: how this was called.
    """

    systems: tuple[System, ...]
    terms: Terms
    places: Places
    phantoms: Path | None
    processes: int
    command: str


def run_comparison(wanted: Comparison, tell: Tell) -> Path:
    """Trains what is missing, scores every row, and writes the page; gives its path.

    Raises:
        SettingsRefused: an experiment that is not there, or a run of other settings in the folder.
        UnreadableInput: labels that are not there.
    """
    locators, graders = plan(wanted.systems, wanted.terms)
    if wanted.phantoms is None:
        graders = [job for job in graders if job.experiment.sources]
    work = [_Work(job, wanted.places, wanted.terms.out) for job in (*locators, *graders)]
    middle = len(locators)
    _do_all(_train, _firsts(work[:middle]), wanted, tell)
    _do_all(_train, work[:middle], wanted, tell)
    _do_all(_train, _firsts(work[middle:]), wanted, tell)
    _do_all(_train, work[middle:], wanted, tell)
    _do_all(_score, [_Scoring(system, wanted) for system in wanted.systems], wanted, tell)
    return write_comparison(gathered(wanted), wanted.terms.out, wanted.command)


def _firsts(work: Sequence["_Work"]) -> list["_Work"]:
    """The first of every kind: it measures how many steps the budget buys, for the others too."""
    return list({item.job.name: item for item in reversed(work)}.values())


def _do_all(do: Callable[[Any], str], work: Sequence[Any], wanted: Comparison, tell: Tell) -> None:
    """Each in a process of its own, as many at a time as wished."""
    context = get_context("spawn")
    with ProcessPoolExecutor(min(wanted.processes, max(1, len(work))), context, max_tasks_per_child=8) as pool:
        waiting = [pool.submit(do, item) for item in work]
        try:
            for done, future in enumerate(as_completed(waiting), 1):
                tell(future.result(), done, len(work))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


# --- training --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Work:
    job: Job
    places: Places
    out: Path


def _train(work: _Work) -> str:
    """Trains a model, unless it is there; what keeps it from being trained costs the cells that need it."""
    job = work.job
    with _or_why_not(job.run / _WHY, f"{job.name}, run {job.run.name}"):
        _train_missing(work)
    return f"{job.name}, run {job.run.name}"


def _train_missing(work: _Work) -> None:
    job = work.job
    places = replace(work.places, run=job.run, locators=job.locators)
    if not (job.run / "training.json").is_file():
        torch.set_num_threads(places.threads)
        experiment = job.experiment
        if experiment.network not in FITTED:
            kept = work.out / "pace" / f"{job.name.replace(' ', '-')}.json"
            experiment = replace(experiment, steps=steps_for(experiment, places, job.minutes, kept))
        train_model(experiment, places, lambda *_: None, resume=True)


@contextmanager
def _or_why_not(path: Path, what: str) -> Iterator[None]:
    """Runs the body; an error of ours becomes a sentence in the file, that is read when the page is written."""
    path.unlink(missing_ok=True)
    try:
        yield
    except LumbagoError as error:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{what}: {error}", encoding="utf8")


# --- scoring ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Scoring:
    system: System
    wanted: Comparison


def _score(work: _Scoring) -> str:
    """What a row says of every patient and phantom, kept in tables beside its models."""
    wanted, name = work.wanted, work.system.name
    runs, folder = runs_of(work.system, wanted.terms), wanted.terms.out / "scores" / name
    torch.set_num_threads(wanted.places.threads)
    for file, cases in _tables(runs, wanted):
        with _or_why_not(folder / f"{file}.{_WHY}", f"{name}, {file.removesuffix('.csv')}"):
            if not (folder / file).is_file():
                write_cases(cases(), folder / file)
    with _or_why_not(folder / f"facts.{_WHY}", f"{name}, locator and facts"):
        if not (folder / "locator.json").is_file():
            _write_json(folder / "locator.json", _located(runs, wanted))
        if not (folder / "facts.json").is_file():
            _write_json(folder / "facts.json", _facts(runs, wanted))
    return f"scores of {name}"


def _write_json(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(content, indent=1), encoding="utf8")
    part.replace(path)


def _tables(runs: Runs, wanted: Comparison) -> Iterator[tuple[str, Callable[[], list[GradedCase]]]]:
    """Name of each table of cases, and how it is made."""
    sources = wanted.terms.sources
    if runs.grader:
        yield "out-of-fold.csv", lambda: _on_pictures(runs.locator, runs.grader, sources, wanted, OUT_OF_FOLD)
        for source in sources if len(sources) > 1 and runs.alone else ():
            others = tuple(other for other in sources if other != source)
            alone = runs.alone[source]
            yield (
                f"from-{source}.csv",
                lambda alone=alone, others=others: _on_pictures(runs.locator, alone, others, wanted, EXTERNAL),  # type: ignore[misc]
            )
    if wanted.phantoms is not None and runs.others:
        yield "phantoms.csv", lambda: _on_phantoms(runs, wanted)


def _on_pictures(
    locator: str, grader: str, sources: tuple[str, ...], wanted: Comparison, split: str
) -> list[GradedCase]:
    rule = fold_rule(_folds(wanted))
    locators, graders = model_of(f"{locator}/model", rule), model_of(f"{grader}/model", rule)
    with open_decoder() as decoder:
        cases, _ = predict_sources(Scored(sources, wanted.places), (locators, graders), decoder)
    return [replace(case, split=split) for case in cases]


def _folds(wanted: Comparison) -> Experiment:
    return Experiment("", "grader", folds=wanted.terms.folds)


def _on_phantoms(runs: Runs, wanted: Comparison) -> list[GradedCase]:
    """By the models of the first fold: no phantom of the test was in any."""
    assert wanted.phantoms is not None
    models = _models([run for part, run in runs.others.items()], runs, wanted)
    with open_decoder() as decoder:
        cases = predict_phantoms(models, wanted.phantoms, decoder).cases
    return [replace(case, split=UNSEEN) for case in with_second_reader(cases, wanted.phantoms)]


def _models(graders: Iterable[str], runs: Runs, wanted: Comparison) -> Models:
    folders = [Path(f"{run.format(fold=0)}/model") for run in (runs.locator, *graders)]
    locator, *others = (load_model(folder.name, folder.parent, wanted.places.threads) for folder in folders)
    return Models(locator, tuple(others))


def _located(runs: Runs, wanted: Comparison) -> dict[str, Any]:
    """How well the row's locator finds and names discs, each patient's by the model that has not seen him."""
    models = model_of(f"{runs.locator}/model", fold_rule(_folds(wanted)))
    scores = score_locator(locate_pictures(models, read_labels(wanted.places.data, wanted.terms.sources)))
    return {name: [score.value, score.low, score.high] for name, score in scores.items()}


# --- what else is told of a row --------------------------------------------------------------------------------------


def _facts(runs: Runs, wanted: Comparison) -> dict[str, Any]:
    """Parameters, size, speed, and how far training came."""
    folders = {LOCATING: runs.locator, **({DISCS: runs.grader} if runs.grader else {}), **runs.others}
    there = {part: Path(run.format(fold=0)) for part, run in folders.items()}
    there = {part: run for part, run in there.items() if (run / "model" / "card.toml").is_file()}
    graders = [run for part, run in folders.items() if part != LOCATING and part in there]
    return {
        "parts": {part: _part_facts(run) for part, run in there.items()},
        "milliseconds": _milliseconds(graders, runs, wanted),
    }


def _part_facts(run: Path) -> dict[str, Any]:
    card = read_card(run / "model")
    told, settings, samples = card.proof, card.proof["settings"], sum(card.proof["samples"].values())
    is_fitted = settings.get("network") in FITTED
    steps = 0 if is_fitted else sum(told["steps_done"])
    losses = [[line["step"], line["loss"]] for line in read_log(run / "member-0") if "loss" in line]
    return {
        "network": told.get("network", {}).get("name", ""),
        "parameters": told.get("network", {}).get("parameters", 0),
        "mebibytes": round((run / "model" / "model.onnx").stat().st_size / 2**20, 1),
        "picture": _picture(card),
        "steps": steps,
        "epochs": round(steps * settings["batch"] / max(1, samples), 2),
        "seconds": told["seconds"],
        "losses": losses,
    }


def _picture(card: Card) -> str:
    """Size of what the network is given."""
    if "rows" not in card.inputs:
        return f"slices of {card.inputs['pixel_mm']:g} mm pixels"
    if card.inputs.get("views") in FITTED.values():
        return "features"
    return f"{card.inputs['slices']} x {card.inputs['rows']} x {card.inputs['columns']}"


def _milliseconds(graders: list[str], runs: Runs, wanted: Comparison) -> float:
    """Median time to analyze one phantom study, on the threads that the comparison is given."""
    folder = wanted.terms.out / "timed"
    if not folder.is_dir():
        write_studies(folder, 1, _TIMED_SEED)
    models = _models(graders, runs, wanted)
    times = []
    with open_decoder() as decoder:
        (study, *_) = read_studies(next(iter(sorted(folder.glob("*/dicom")))), decoder=decoder)
        for _ in range(_TIMED):
            start = time.perf_counter()
            try:
                analyze_study(study, models, decoder)
            except LumbagoError:
                return float("nan")
            times.append(time.perf_counter() - start)
    return round(1000 * statistics.median(times))


# --- the table -------------------------------------------------------------------------------------------------------


def gathered(wanted: Comparison) -> Compared:
    """Everything that was kept of all rows.

    Raises:
        SettingsRefused: nothing is there.
    """
    cases: dict[str, list[GradedCase]] = {}
    facts: dict[str, RowFacts] = {}
    for system in wanted.systems:
        folder = wanted.terms.out / "scores" / system.name
        tables = sorted(folder.glob("*.csv"))
        if tables and (folder / "facts.json").is_file():
            cases[system.name] = [_with_origin(case, table.stem) for table in tables for case in read_cases(table)]
            facts[system.name] = _row_facts(folder)
    if not cases:
        raise SettingsRefused(f"nothing was compared in {wanted.terms.out}", "rows with a grader")
    reasons = [path.read_text(encoding="utf8") for path in sorted(wanted.terms.out.rglob(f"*{_WHY}"))]
    return Compared(cases, facts, _budget(wanted.terms), reasons)


def _with_origin(case: GradedCase, table: str) -> GradedCase:
    """External cases say where the model learned."""
    source = table.removeprefix("from-")
    return replace(case, split=f"external, learned on {source}") if source != table else case


def _row_facts(folder: Path) -> RowFacts:
    told: Mapping[str, Any] = json.loads((folder / "facts.json").read_text(encoding="utf8"))
    located = json.loads((folder / "locator.json").read_text(encoding="utf8"))
    found: FoundShares = {name: Score(*values) for name, values in located.items()}
    return RowFacts(told["parts"], told["milliseconds"], found)


def _budget(terms: Terms) -> str:
    return (
        f"{terms.folds} folds by patient; each locator {terms.locator_minutes:g}, each grader "
        f"{terms.grader_minutes:g} minutes of one processor; {terms.phantoms} phantoms for each model that learns from "
        "them; one network each, no search, no patience"
    )
