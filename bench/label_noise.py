"""How noisy are the Pfirrmann labels, and what could a grader without error reach against them?

`python bench/label_noise.py OWN.csv --across ACROSS.csv... --measures MEASURES.csv` takes predictions of a grader out
of fold, of graders learned on the other set, and of rules on measurements out of fold. Printed, for each set: what they
have; what one without error would have, by the ways of `lumbago.evaluation.label_noise`; whether kappa rises when
expected grades are cut anew; and the labels that all three doubt most. Brackets: 95 % bootstrap over patients.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from lumbago.anatomy.conditions import CONDITIONS
from lumbago.evaluation import label_noise as noise
from lumbago.evaluation.case_table import read_cases
from lumbago.evaluation.cases import GradedCase
from lumbago.evaluation.choices import patient_parts
from lumbago.evaluation.figures_of_merit import Sample, compare_cases
from lumbago.evaluation.intervals import over_patients
from lumbago.evaluation.metrics import plain_kappa_of, weighted_kappa

GRADES = len(CONDITIONS["pfirrmann"].scale.grades)
OWN, ACROSS, MEASURES = "learned on both sets, out of fold", "learned on the other set", "rules on measurements"
SHARINGS = (0.0, 0.2, 0.4)
READERS = {"the same reader twice": 0.8, "two readers": 0.6}
"""Published kappas of Pfirrmann's grades, as Niemeyer 2021 sums them up; whether weighted, it does not say."""
DOUBTED, FAR = 20, 1.5

Key = tuple[str, str, str, str]
Estimate = Callable[[np.ndarray], float]
"""Of chosen cases."""


@dataclass(frozen=True, eq=False)
class Readings:
    """The same discs of one set as its reader labelled them and as each grader has them."""

    cases: Mapping[str, Sequence[GradedCase]]
    samples: Mapping[str, Sample]

    @classmethod
    def of(cls, tables: Mapping[str, Mapping[Key, GradedCase]], source: str) -> "Readings":
        keys = sorted(key for key in set.intersection(*map(set, tables.values())) if key[0] == source)
        cases = {name: [table[key] for key in keys] for name, table in tables.items()}
        return cls(cases, {name: Sample.of(rows) for name, rows in cases.items()})

    @property
    def labels(self) -> np.ndarray:
        return self.samples[OWN].truth

    def shares(self, chosen: np.ndarray) -> np.ndarray:
        return np.bincount(self.labels[chosen], minlength=GRADES) / chosen.size

    def pairs(self, chosen: np.ndarray) -> tuple[float, float, float]:
        across, measures = (self.samples[name].expected[chosen] for name in (ACROSS, MEASURES))
        return noise.correlations(self.labels[chosen], across, measures)

    def off(self) -> np.ndarray:
        """The mean of the graders' expected grades less the label."""
        return np.asarray(np.mean([sample.expected for sample in self.samples.values()], axis=0) - 1 - self.labels)

    def told(self, estimate: Estimate) -> str:
        return str(over_patients(estimate, self.samples[OWN].patients))


def read(paths: Sequence[Path]) -> dict[Key, GradedCase]:
    """Answered discs by place."""
    cases = (case for path in paths for case in read_cases(path))
    return {
        (case.source, case.patient, case.study, case.level): case
        for case in cases
        if case.condition == "pfirrmann" and case.probabilities
    }


def kappas(readings: Readings) -> dict[str, Estimate]:
    """What each grader has, and how many labels all of them doubt."""
    is_far = np.abs(readings.off()) >= FAR

    def kappa(found: np.ndarray, chosen: np.ndarray) -> float:
        return weighted_kappa(readings.labels[chosen], found[chosen], GRADES)

    def above(sample: Sample, chosen: np.ndarray) -> float:
        return float((sample.expected[chosen] - 1 - sample.truth[chosen]).mean())

    each: dict[str, Estimate] = {
        f"kappa, {name}": partial(kappa, sample.found) for name, sample in readings.samples.items()
    }
    each[f"expected less labelled grade, {ACROSS}"] = partial(above, readings.samples[ACROSS])
    return each | {f"labels {FAR} grades or more from the graders' mean": lambda chosen: float(is_far[chosen].mean())}


def ceilings(readings: Readings) -> dict[str, Estimate]:
    """Kappa of a grader without error, by each way."""

    def confident(name: str, chosen: np.ndarray) -> float:
        sample = readings.samples[name]
        joint = noise.confident_joint(sample.truth[chosen], sample.probabilities[chosen])
        return float(noise.linear_kappa(joint))

    def triad(sharing: float, chosen: np.ndarray) -> float:
        return noise.ceiling(readings.shares(chosen), noise.label_truth(readings.pairs(chosen), sharing))

    def literature(kappa: float, figure: noise.Figure, chosen: np.ndarray) -> float:
        shares = readings.shares(chosen)
        return noise.ceiling(shares, noise.agreeing(shares, kappa, figure))

    found: dict[str, Estimate] = {
        f"confident learning, {name}": partial(confident, name) for name in (OWN, ACROSS, MEASURES)
    }
    found |= {f"triad, errors of graders correlate by {sharing}": partial(triad, sharing) for sharing in SHARINGS}
    found["(labels have no error where those correlate by)"] = lambda chosen: noise.needed_sharing(
        readings.pairs(chosen)
    )
    for name, kappa in READERS.items():
        for kind, figure in (("unweighted", plain_kappa_of), ("linear", noise.linear_kappa)):
            found[f"{name}, {kind} kappa of {kappa}"] = partial(literature, kappa, figure)
    return found


def cut_anew(cases: Sequence[GradedCase]) -> str:
    """What a grader gains when its expected grades are cut where the set's labels have their shares."""
    sample = Sample.of(cases)
    grades = sample.scale.grades
    found = noise.recut(sample.truth, sample.expected, patient_parts(sample))
    recut = [replace(case, called=grades[grade]) for case, grade in zip(cases, found, strict=True)]
    return str(compare_cases(recut, cases)["linear kappa"])


def doubted(readings: Sequence[Readings]) -> list[tuple[float, list[GradedCase]]]:
    """The discs whose label is farthest from the mean of the graders' expected grades."""
    rows = []
    for one in readings:
        rows += list(zip(one.off().tolist(), map(list, zip(*one.cases.values(), strict=True)), strict=True))
    return sorted(rows, key=lambda row: -abs(row[0]))[:DOUBTED]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("own", type=Path)
    parser.add_argument("--across", type=Path, nargs="+", required=True)
    parser.add_argument("--measures", type=Path, required=True)
    wanted = parser.parse_args()
    tables = {OWN: read([wanted.own]), ACROSS: read(wanted.across), MEASURES: read([wanted.measures])}
    sources = sorted({key[0] for key in set.intersection(*map(set, tables.values()))})
    sets = [Readings.of(tables, source) for source in sources]
    for source, readings in zip(sources, sets, strict=True):
        patients = np.unique(readings.samples[OWN].patients).size
        print(f"{source}: {readings.labels.size} discs, {patients} patients")
        for name, estimate in (kappas(readings) | ceilings(readings)).items():
            print(f"  {name}: {readings.told(estimate)}")
        for name, cases in readings.cases.items():
            print(f"  kappa gained when cut anew, {name}: {cut_anew(cases)}")
    print("labels that the graders doubt most: label, expected grades")
    for _, cases in doubted(sets):
        expected = " ".join(f"{Sample.of([case]).expected[0]:.1f}" for case in cases)
        print(f"  {cases[0].study} {cases[0].level}: {cases[0].truth}, {expected}")


if __name__ == "__main__":
    main()
