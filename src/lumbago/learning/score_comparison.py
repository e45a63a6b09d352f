"""What the trained rows of a comparison say of every patient and phantom, kept in tables beside their models."""

import json
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch

from lumbago.dicom.decoder import Decoder, open_decoder
from lumbago.dicom.read_study import read_studies
from lumbago.errors import LumbagoError
from lumbago.evaluation.case_table import write_cases
from lumbago.evaluation.cases import OUT_OF_FOLD
from lumbago.inference.weights import Card, load_model, read_card
from lumbago.labels.sources import read_source
from lumbago.learning.comparison_plan import DISCS, LOCATING, Runs, Terms, runs_of
from lumbago.learning.experiment import Experiment
from lumbago.learning.grader_network import FITTED
from lumbago.learning.label_tables import read_labels
from lumbago.learning.noisy_readers import with_second_reader
from lumbago.learning.places import ModelOf, Places, model_of
from lumbago.learning.run_log import read_log
from lumbago.learning.score_locator import score_locator
from lumbago.learning.score_together import Tables, Wanted, score_pictures, score_studies
from lumbago.learning.splits import fold_rule
from lumbago.learning.study_samples import MADE, studies_with_volumes
from lumbago.learning.why_not import WHY, or_why_not
from lumbago.pipeline.analyze_study import Models, analyze_study
from lumbago.systems import System

EXTERNAL, UNSEEN = "external", "unseen seeds"
FACTS: Final = "facts.json"
TIMED_FOLDER: Final = "timed"
"""Holds the phantom study whose analysis is timed."""
_TIMED: Final = 3


@dataclass(frozen=True)
class RowsToScore:
    """Rows that share a locator.

    Attributes:
        systems: the rows; terms, places: of the comparison.
        phantoms: folder of phantom studies to test on, or None.
    """

    systems: tuple[System, ...]
    terms: Terms
    places: Places
    phantoms: Path | None


def score_patients(work: RowsToScore) -> str:
    """Scores the rows on patients where that is still to be done; gives a sentence."""
    return _or_why_not(_score_patients, work, "patients")


def score_phantoms(work: RowsToScore) -> str:
    """Scores the rows on phantoms where that is still to be done; gives a sentence."""
    return _or_why_not(_score_phantoms, work, "phantoms")


def measure_rows(work: RowsToScore) -> str:
    """Keeps parameters, curves and speed of the rows, anew where a part has come since; gives a sentence.

    Nothing else of the comparison runs beside it: all are timed on the same quiet machine.
    """
    torch.set_num_threads(work.places.threads)
    for system in work.systems:
        folder = work.terms.out / "scores" / system.name
        with or_why_not(folder / WHY, f"{system.name}, parameters and speed"):
            runs = _first_runs(runs_of(system, work.terms))
            if set(_kept_parts(folder)) != set(runs):
                _write_json(folder / FACTS, _facts(runs, work))
    return f"parameters and speed of {_names(work)}"


def _or_why_not(score: Callable[[RowsToScore, Path], None], work: RowsToScore, whom: str) -> str:
    torch.set_num_threads(work.places.threads)
    scores, what = work.terms.out / "scores", f"scores of {whom}"
    with or_why_not(scores / f"{_names(work)}-{whom}-{WHY}", f"{_names(work)}, {what}"):
        score(work, scores)
    return f"{what}, {_names(work)}"


def _names(work: RowsToScore) -> str:
    return ", ".join(system.name for system in work.systems)


def _score_patients(work: RowsToScore, scores: Path) -> None:
    wanted = _missing(
        {f"{row.name}/{file}": table for row in work.systems for file, table in _tables(row, work)}, scores
    )
    places = [scores / system.name / "locator.json" for system in work.systems]
    if not wanted and all(path.is_file() for path in places):
        return
    locator = _of_folds(runs_of(work.systems[0], work.terms).locator, work.terms)
    tables, located = score_pictures(locator, wanted, read_labels(work.places.data, work.terms.sources))
    studies = list(studies_with_volumes(work.places.data, work.terms.sources))
    if studies:
        with open_decoder() as decoder:
            _join(tables, score_studies(locator, wanted, studies, decoder))
    _write_tables(tables, scores)
    found = {name: [score.value, score.low, score.high] for name, score in score_locator(located).items()}
    for path in places:
        _write_json(path, found)


def _tables(system: System, work: RowsToScore) -> Iterator[tuple[str, Wanted]]:
    """Name of each table of patients that can be made, and what makes it."""
    runs, sources = runs_of(system, work.terms), work.terms.sources
    if runs.grader and all(_is_made(runs.grader.format(fold=fold)) for fold in range(work.terms.folds)):
        yield "out-of-fold.csv", Wanted((_of_folds(runs.grader, work.terms),), (), OUT_OF_FOLD)
    for source, run in runs.alone.items() if len(sources) > 1 else ():
        if _is_made(run):
            others = tuple(other for other in sources if other != source)
            yield f"from-{source}.csv", Wanted((_of_folds(run, work.terms),), others, EXTERNAL)


def _is_made(run: str) -> bool:
    return (Path(run) / "training.json").is_file()


def _of_folds(run: str, terms: Terms) -> ModelOf:
    return model_of(f"{run}/model", fold_rule(Experiment("", "grader", folds=terms.folds)))


def _missing(tables: Mapping[str, Wanted], scores: Path) -> dict[str, Wanted]:
    return {name: table for name, table in tables.items() if not (scores / name).is_file()}


def _join(tables: Tables, more: Tables) -> None:
    for name, cases in more.items():
        tables[name] += cases


def _write_tables(tables: Tables, scores: Path) -> None:
    for name, cases in tables.items():
        write_cases(cases, scores / name)


def _write_json(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(content, indent=1), encoding="utf8")
    part.replace(path)


def _score_phantoms(work: RowsToScore, scores: Path) -> None:
    """By the locator of the first fold: no phantom of the test was in any."""
    made = {system.name: _made(runs_of(system, work.terms)) for system in work.systems}
    wanted = _missing({
        f"{name}/phantoms.csv": Wanted([_of_folds(run, work.terms) for run in runs], (), UNSEEN)
        for name, runs in made.items() if runs
    }, scores)  # fmt: skip
    if work.phantoms is None or not wanted:
        return
    locator = _of_folds(runs_of(work.systems[0], work.terms).locator.format(fold=0), work.terms)
    with open_decoder() as decoder:
        tables = score_studies(locator, wanted, list(read_source(MADE, work.phantoms)), decoder)
    _write_tables({name: with_second_reader(cases, work.phantoms) for name, cases in tables.items()}, scores)


def _made(runs: Runs) -> list[str]:
    """What grades phantoms: the graders that learn from them, and a locator that grades."""
    locator = [runs.locator.format(fold=0)] if runs.grader == runs.locator else []
    return [run for run in (*locator, *runs.others.values()) if _is_made(run)]


# --- what else is told of a row --------------------------------------------------------------------------------------


def _first_runs(runs: Runs) -> dict[str, Path]:
    """The runs of a row's parts that are there, of the first fold."""
    folders = {LOCATING: runs.locator, **({DISCS: runs.grader} if runs.grader else {}), **runs.others}
    return {part: Path(run.format(fold=0)) for part, run in folders.items() if _is_made(run.format(fold=0))}


def _kept_parts(folder: Path) -> Iterable[str]:
    path = folder / FACTS
    return json.loads(path.read_text(encoding="utf8"))["parts"] if path.is_file() else ()


def _facts(runs: Mapping[str, Path], work: RowsToScore) -> dict[str, Any]:
    """Parameters, size, speed, and how far training came."""
    with open_decoder() as decoder:
        speed = _milliseconds(_models(runs.values(), work.places.threads), work, decoder)
    return {"parts": {part: _part_facts(run) for part, run in runs.items()}, "milliseconds": speed}


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


def _models(runs: Iterable[Path], threads: int) -> Models:
    locator, *graders = (load_model("model", run, threads) for run in runs)
    return Models(locator, tuple(graders))


def _milliseconds(models: Models, work: RowsToScore, decoder: Decoder) -> float:
    """Median time to analyze one phantom study, on the threads that the comparison is given; not-a-number when the
    locator finds no spine on it."""
    (folder,) = (work.terms.out / TIMED_FOLDER).glob("*/dicom")
    (study,) = read_studies(folder, decoder=decoder)
    times = []
    for _ in range(_TIMED):
        start = time.perf_counter()
        try:
            analyze_study(study, models, decoder)
        except LumbagoError:
            return float("nan")
        times.append(time.perf_counter() - start)
    return round(1000 * statistics.median(times), 1)
