"""`lumbago labels split`: patients into folds that are alike in what is graded, written as a table for people."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from lumbago.errors import SettingsRefused, UsageError
from lumbago.labels.labelled_study import LabelledStudy
from lumbago.labels.sources import read_source
from lumbago.labels.tables import write_table
from lumbago.learning.splits import COLUMNS


@dataclass
class Holding:
    """What is known of a patient: the sources that have him, and his traits: sources and grades that he has."""

    sources: dict[str, None] = field(default_factory=dict)
    traits: set[str] = field(default_factory=set)


def write_split(places: Mapping[str, Path], folds: int, seed: int, out: Path) -> list[int]:
    """Splits the patients of label sources, given with their folders; gives the number of patients by fold.

    Raises:
        SettingsRefused: fewer than two folds, or fewer patients than folds.
        UnreadableInput: labels that cannot be read. UsageError: no such source; `out` cannot be written.
    """
    holdings = read_holdings(study for name, folder in places.items() for study in read_source(name, folder))
    if not 2 <= folds <= len(holdings):
        raise SettingsRefused(f"{folds} folds for {len(holdings)} patients", "2 or more, none of them empty")
    fold = draw_folds({patient: holding.traits for patient, holding in holdings.items()}, folds, seed)
    rows = [(patient, " ".join(holding.sources), fold[patient]) for patient, holding in holdings.items()]
    try:
        write_table(out, COLUMNS, rows)
    except OSError as error:
        raise UsageError(f"{out} cannot be written ({error.strerror})", "a file", "choose another --out") from error
    return [count for _, count in sorted(Counter(fold.values()).items())]


def read_holdings(studies: Iterable[LabelledStudy]) -> dict[str, Holding]:
    """What the studies hold, by patient."""
    found: dict[str, Holding] = {}
    for study in studies:
        holding = found.setdefault(study.patient, Holding())
        holding.sources[study.source] = None
        holding.traits |= {study.source, *(f"{row.condition} {row.grade}" for row in study.truth.findings)}
    return found


def draw_folds(traits: Mapping[str, set[str]], folds: int, seed: int) -> dict[str, int]:
    """Fold by patient, each trait spread evenly: iterative stratification (Sechidis, Tsoumakas and Vlahavas 2011).

    The rarest trait is dealt out first, each of its patients to the fold that lacks it most, then to the one that
    lacks patients most; among equals the seed decides.
    """
    rng = np.random.default_rng(seed)
    left = [str(patient) for patient in rng.permutation(sorted(traits))]
    lacking = {trait: np.full(folds, count / folds) for trait, count in _counts(traits, left).items()}
    room = np.full(folds, len(left) / folds)
    chosen: dict[str, int] = {}
    while left:
        counts = _counts(traits, left)
        rarest = min(counts, key=lambda trait: (counts[trait], trait))
        for patient in [one for one in left if rarest in traits[one]]:
            fold = int(np.lexsort((rng.random(folds), -room, -lacking[rarest]))[0])
            chosen[patient] = fold
            room[fold] -= 1
            for trait in traits[patient]:
                lacking[trait][fold] -= 1
        left = [patient for patient in left if patient not in chosen]
    return chosen


def _counts(traits: Mapping[str, set[str]], patients: Sequence[str]) -> Counter[str]:
    return Counter(trait for patient in patients for trait in sorted(traits[patient]))
