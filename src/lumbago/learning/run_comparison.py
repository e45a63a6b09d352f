"""All systems on the same patients: trained with the same budget, scored out of fold and across sets, in one table.

Every model is a run of its own folder, made by the same training as any other; a comparison that was interrupted goes
on where it was. What is finished is not made again, and what was made on other terms is not mixed with it.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import torch

from lumbago.errors import SettingsRefused
from lumbago.evaluation.case_table import read_cases
from lumbago.evaluation.cases import GradedCase
from lumbago.evaluation.comparison import Compared, FoundShares, RowFacts
from lumbago.evaluation.intervals import Score
from lumbago.evaluation.write_comparison import write_comparison
from lumbago.learning.comparison_plan import Job, Terms, plan, runs_of
from lumbago.learning.end_with_parent import end_with_parent
from lumbago.learning.experiment import Experiment
from lumbago.learning.grader_network import FITTED
from lumbago.learning.keep_data import checked_data, keep_data, label_digests
from lumbago.learning.keep_terms import keep_terms
from lumbago.learning.label_tables import labelled_studies
from lumbago.learning.pace import PACES, steps_for
from lumbago.learning.places import Places
from lumbago.learning.run_training import train_model
from lumbago.learning.score_comparison import (
    FACTS,
    TIMED_FOLDER,
    RowsToScore,
    measure_rows,
    score_patients,
    score_phantoms,
)
from lumbago.learning.why_not import WHY, or_why_not, reasons
from lumbago.phantom.write_study import write_studies
from lumbago.systems import System

Tell = Callable[[str, int, int], None]
"""Called with what is done, how many are, and of how many."""

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
        SettingsRefused: an experiment or a label source that is not there, or a comparison on other terms in the
            folder.
        UnreadableInput: phantoms that are not there.
    """
    stages = _stages(wanted)
    keep_terms(wanted.terms, wanted.phantoms)
    labels = label_digests(wanted.places.data, wanted.terms.sources)
    keep_data(wanted.terms.out, checked_data(wanted.terms.out, labels, is_begun=True))
    for jobs in stages:
        work = [_Work(job, wanted.places, wanted.terms.out) for job in jobs]
        _do_all(_measure_pace, _firsts(work), replace(wanted, processes=1), tell)
        _do_all(_train, work, wanted, tell)
    write_studies(wanted.terms.out / TIMED_FOLDER, 1, _TIMED_SEED)
    _score(_rows_by_locator(wanted), wanted, tell)
    return write_comparison(gathered(wanted), wanted.terms.out, wanted.command)


def _stages(wanted: Comparison) -> list[list[Job]]:
    """What is to be trained, once all names are known ones: a slip of the pen is no term to keep."""
    for source in wanted.terms.sources:
        labelled_studies(wanted.places.data, source)
    return plan(wanted.systems, wanted.terms, on_phantoms=wanted.phantoms is not None)


def _firsts(work: Sequence["_Work"]) -> list["_Work"]:
    """The first of every kind: on it is measured how many steps the budget buys, for the others too."""
    return list({item.job.name: item for item in reversed(work)}.values())


def _rows_by_locator(wanted: Comparison) -> list[RowsToScore]:
    """Rows that share a locator are scored together, so that each picture is located once."""
    together: dict[str, list[System]] = {}
    for system in wanted.systems:
        together.setdefault(runs_of(system, wanted.terms).locator, []).append(system)
    return [RowsToScore(tuple(rows), wanted.terms, wanted.places, wanted.phantoms) for rows in together.values()]


def _score(rows: Sequence[RowsToScore], wanted: Comparison, tell: Tell) -> None:
    """Patients and phantoms side by side, then speed alone."""
    scores = (score_patients, score_phantoms) if wanted.phantoms else (score_patients,)
    _do_all(_call, [(score, work) for score in scores for work in rows], wanted, tell)
    _do_all(measure_rows, rows, replace(wanted, processes=1), tell)


def _call(scoring: tuple[Callable[[RowsToScore], str], RowsToScore]) -> str:
    score, work = scoring
    return score(work)


def _do_all(do: Callable[[Any], str], work: Sequence[Any], wanted: Comparison, tell: Tell) -> None:
    """Side by side, in as many processes as wished; when this one is killed, they go with it."""
    count = min(wanted.processes, max(1, len(work)))
    with ProcessPoolExecutor(count, get_context("spawn"), end_with_parent) as pool:
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


def _measure_pace(work: _Work) -> str:
    """Nothing else of the comparison runs beside it: every kind is measured on the same quiet machine."""
    torch.set_num_threads(work.places.threads)
    what = f"{work.job.name}, steps"
    with or_why_not(work.job.run / WHY, what):
        _budgeted(work)
    return what


def _train(work: _Work) -> str:
    """Trains a model, unless it is there; what keeps it from being trained costs the cells that need it."""
    torch.set_num_threads(work.places.threads)
    why, what = work.job.run / WHY, f"{work.job.name}, run {work.job.run.name}"
    with or_why_not(why, what):
        if not (work.job.run / "training.json").is_file():
            train_model(_budgeted(work), _places(work), lambda *_: None, resume=True)
    return why.read_text(encoding="utf8") if why.is_file() else what


def _budgeted(work: _Work) -> Experiment:
    """The job's experiment with as many steps as its minutes buy; what is fitted at once has none."""
    job = work.job
    if job.experiment.network in FITTED:
        return job.experiment
    kept = work.out / PACES / f"{job.name.replace(' ', '-')}.json"
    return replace(job.experiment, steps=steps_for(job.experiment, _places(work), job.minutes, kept))


def _places(work: _Work) -> Places:
    return replace(work.places, run=work.job.run, locators=work.job.locators)


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
        if tables and (folder / FACTS).is_file():
            cases[system.name] = [_with_origin(case, table.stem) for table in tables for case in read_cases(table)]
            facts[system.name] = _row_facts(folder)
    lacking = reasons(wanted.terms.out)
    if not cases:
        why = f" ({lacking[0].removesuffix('.')})" if lacking else ""
        raise SettingsRefused(f"nothing was compared in {wanted.terms.out}{why}", "rows with a grader")
    return Compared(_taught(cases), facts, _budget(wanted.terms), lacking)


_LEARNED_ON: Final = "external, learned on "


def _with_origin(case: GradedCase, table: str) -> GradedCase:
    """External cases say where the model learned."""
    source = table.removeprefix("from-")
    return replace(case, split=f"{_LEARNED_ON}{source}") if source != table else case


def _taught(cases: Mapping[str, list[GradedCase]]) -> dict[str, list[GradedCase]]:
    """Without what no reader of the source graded that a model has learned from: there its answer is chance."""
    graded = {(case.source, case.condition) for rows in cases.values() for case in rows}

    def is_taught(case: GradedCase) -> bool:
        source = case.split.removeprefix(_LEARNED_ON)
        return source == case.split or (source, case.condition) in graded

    return {name: [case for case in rows if is_taught(case)] for name, rows in cases.items()}


def _row_facts(folder: Path) -> RowFacts:
    told: Mapping[str, Any] = json.loads((folder / FACTS).read_text(encoding="utf8"))
    located = json.loads((folder / "locator.json").read_text(encoding="utf8"))
    found: FoundShares = {name: Score(*values) for name, values in located.items()}
    return RowFacts(told["parts"], told["milliseconds"], found)


def _budget(terms: Terms) -> str:
    return (
        f"{terms.folds} folds by patient; each locator {terms.locator_minutes:g}, each grader "
        f"{terms.grader_minutes:g} minutes of one processor; {terms.phantoms} phantoms for each model that learns from "
        "them; one network each, no search, no patience"
    )
