"""How far two sets of grades agree: share of equal grades, and linearly weighted kappa."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from lumbago.anatomy.conditions import CONDITIONS
from lumbago.anatomy.findings import Site
from lumbago.evaluation.metrics import weighted_kappa
from lumbago.review.readings import Opinion, Reading, StudyReading

Pair = tuple[str, str, str]
"""Condition, one grade, the other."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Of one condition, or of all (`condition` ""). `kappa` is None where it is not defined: no pairs, or one grade
    alone. Over all conditions kappa is the mean of theirs, weighted by their numbers of pairs."""

    condition: str
    pairs: int
    equal: int
    kappa: float | None

    @property
    def title(self) -> str:
        """As a reader sees it."""
        return CONDITIONS[self.condition].title if self.condition else "all conditions"


def grades_of(reading: Reading, whole: StudyReading) -> Mapping[Site, str | None]:
    """Every grade that a signed reader stands for: what was said, else the machine's."""
    machine = {site: opinion.machine.grade for site, opinion in whole.opinions.items() if opinion.machine is not None}
    return machine | {site: opinion.grade for site, opinion in reading.said.items()}


def reader_pairs(whole: StudyReading) -> list[Pair]:
    """The grades of every two signed readers of a study, place by place; of whom one is always the first, whoever spoke
    sooner: a kappa over several studies compares what each of them tends to say."""
    return [
        pair
        for one, other in combinations(sorted(whole.signed, key=lambda reading: reading.reader), 2)
        for pair in pairs_of(grades_of(one, whole), grades_of(other, whole))
    ]


def machine_pairs(whole: StudyReading) -> list[Pair]:
    """The settled grade of every place of a signed study, beside the machine's."""
    if not whole.signed:
        return []
    settled = {site: _settled(opinion) for site, opinion in whole.opinions.items()}
    machine = {site: opinion.machine.grade for site, opinion in whole.opinions.items() if opinion.machine is not None}
    return pairs_of(settled, machine)


def _settled(opinion: Opinion) -> str | None:
    return None if opinion.state == "disputed" else opinion.grade


def pairs_of(one: Mapping[Site, str | None], other: Mapping[Site, str | None]) -> list[Pair]:
    """The places that both graded."""
    return [
        (site[0], grade, second)
        for site, grade in one.items()
        if grade is not None and (second := other.get(site)) is not None
    ]


def agreement(pairs: Iterable[Pair]) -> list[Agreement]:
    """All conditions together, then one by one; empty without pairs."""
    found: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for condition, one, other in pairs:
        found[condition].append((one, other))
    rows = [_row(name, found[name]) for name in CONDITIONS if name in found]
    return [_all(rows), *rows] if rows else []


def _row(condition: str, pairs: list[tuple[str, str]]) -> Agreement:
    grades = CONDITIONS[condition].scale.grades
    one, other = (np.array([grades.index(pair[side]) for pair in pairs]) for side in (0, 1))
    kappa = weighted_kappa(one, other, len(grades)) if len({*one, *other}) > 1 else math.nan
    return Agreement(condition, len(pairs), int((one == other).sum()), None if math.isnan(kappa) else float(kappa))


def _all(rows: list[Agreement]) -> Agreement:
    known = [(row.kappa, row.pairs) for row in rows if row.kappa is not None]
    weight = sum(pairs for _, pairs in known)
    kappa = sum(kappa * pairs for kappa, pairs in known) / weight if weight else None
    return Agreement("", sum(row.pairs for row in rows), sum(row.equal for row in rows), kappa)
