"""Made-up cases: a model that knows something of the truth."""

from collections.abc import Sequence

import numpy as np

from lumbago.anatomy.conditions import CONDITIONS, Condition
from lumbago.anatomy.levels import LEVELS
from lumbago.evaluation.cases import GradedCase


def made_up(
    condition: str = "pfirrmann", patients: int = 30, seed: int = 0, skill: float = 2.0, source: str = "clinic"
) -> list[GradedCase]:
    """Every site of every patient, with all attributes; each fortieth place without an answer. Skill changes only the
    probabilities."""
    rng, own = np.random.default_rng(seed), np.random.default_rng([seed, 7])
    row = CONDITIONS[condition]
    return [
        _case(row, (rng, own), f"{source}:{number}", (level, side), skill)
        for number in range(patients)
        for level in LEVELS
        for side in row.sides
    ]


def _case(
    row: Condition,
    draws: tuple[np.random.Generator, np.random.Generator],
    patient: str,
    place: tuple[str, object],
    skill: float,
) -> GradedCase:
    rng, grades = draws[0], len(row.scale.grades)
    truth = int(rng.integers(grades))
    values = draws[1].dirichlet(1 + skill * (np.arange(grades) == truth))
    second = int(np.clip(truth + rng.integers(-1, 2), 0, grades - 1))
    source, _, number = patient.partition(":")
    return GradedCase(
        source=source,
        patient=patient,
        study=f"study {number}",
        condition=row.name,
        level=place[0],
        side=place[1],  # type: ignore[arg-type]
        truth=row.scale.grades[truth],
        probabilities=None if rng.random() < 1 / 40 else tuple(float(value) for value in values),
        split="test",
        scanner=("Maker A", "Maker B")[int(number) % 2],
        field_strength_t=(1.5, 3.0)[int(number) % 2],
        age_years=20.0 + int(number),
        sex="FM"[int(number) % 2],
        second_reader=row.scale.grades[second],
    )


def truths(cases: Sequence[GradedCase]) -> np.ndarray:
    """True grades as numbers."""
    return np.array([case.truth_index for case in cases], np.int64)


def values(cases: Sequence[GradedCase]) -> np.ndarray:
    """Probabilities of cases that have all an answer."""
    return np.array([case.probabilities for case in cases], np.float64)
