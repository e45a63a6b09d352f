"""How the machine does against what readers signed here, and readers among themselves."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from sqlalchemy import Connection

from lumbago.anatomy.conditions import CONDITIONS
from lumbago.evaluation.metrics import balanced_accuracy, confusion, recalls_of
from lumbago.records.files import files_of_study
from lumbago.records.worklist import WorklistQuery, worklist
from lumbago.review.agreement import Agreement, Pair, agreement, machine_pairs, reader_pairs
from lumbago.web.study_records import reading_in

MOST_STUDIES: Final = 500
"""Signed studies that are looked at: the newest."""


@dataclass(frozen=True, slots=True)
class ConditionScore:
    """The machine at one condition; `always_best` is the accuracy of always saying the best grade."""

    condition: str
    title: str
    places: int
    accuracy: float
    always_best: float
    balanced: float
    recalls: str
    kappa: float | None


@dataclass(frozen=True, slots=True)
class EvaluationHere:
    """Scores against signed readings, `phantoms` of them of simulated images; `readers` among themselves."""

    studies: int
    patients: int
    phantoms: int
    scores: list[ConditionScore]
    readers: list[Agreement]


def evaluate_here(records: Connection) -> EvaluationHere:
    """Over the newest signed studies."""
    found = worklist(records, WorklistQuery(states=("signed",), limit=MOST_STUDIES)).studies
    machine: list[Pair] = []
    readers: list[Pair] = []
    for study in found:
        whole = reading_in(records, study.id)
        if whole is not None:
            machine += machine_pairs(whole)
            readers += reader_pairs(whole)
    kappas = {row.condition: row.kappa for row in agreement(machine)}
    scores = [_score(name, [pair for pair in machine if pair[0] == name], kappas.get(name)) for name in CONDITIONS]
    patients = len({study.patient.id for study in found})
    phantoms = sum(bool(files_of_study(records, study.id, ("truth",))) for study in found)
    return EvaluationHere(len(found), patients, phantoms, [row for row in scores if row.places], agreement(readers))


def _score(name: str, pairs: list[Pair], kappa: float | None) -> ConditionScore:
    row = CONDITIONS[name]
    grades = row.scale.grades
    truth, seen = (np.array([grades.index(pair[side]) for pair in pairs], np.int64) for side in (1, 2))
    if not pairs:
        return ConditionScore(name, row.title, 0, 0.0, 0.0, 0.0, "", None)
    recalls = recalls_of(confusion(truth, seen, len(grades)).astype(np.float64))
    counts = np.bincount(truth, minlength=len(grades))
    rows = zip(row.scale.titles, recalls, counts, strict=True)
    told = ", ".join(f"{title} {share:.2f} of {count}" for title, share, count in rows if count)
    return ConditionScore(
        name, row.title, len(pairs), float((truth == seen).mean()), float((truth == 0).mean()),
        balanced_accuracy(truth, seen), told, kappa,
    )  # fmt: skip
