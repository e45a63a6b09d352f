"""A number chosen on cases for choosing, such as a temperature, judged by cross-fitting over patients."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Int64

from lumbago.errors import UsageError
from lumbago.evaluation.cases import GradedCase
from lumbago.evaluation.figures_of_merit import Sample
from lumbago.evaluation.intervals import Difference, Score, WeightedFigure, weighted_differences, weighted_scores

PARTS: Final = 5
_LEAST_PATIENTS: Final = 2 * PARTS

Figures = Mapping[str, WeightedFigure]


@dataclass(frozen=True, slots=True)
class Choice:
    """A number chosen for one condition, and what it does to patients that it was not chosen on.

    Attributes:
        condition, data, split: what it was chosen on; cases, patients: how many.
        value: the number.
        before, after: figures without it and with it, by name; `after` by cross-fitting over patients.
        gain: the figure that it is to better, after less before, paired.
        is_better: whether it does.
    """

    condition: str
    data: str
    split: str
    value: float
    cases: int
    patients: int
    before: dict[str, Score]
    after: dict[str, Score]
    gain: Difference
    is_better: bool


def weigh_choice(
    cases: Sequence[GradedCase], value: float, effect: tuple[Figures, Figures], is_gain: Callable[[Score], bool]
) -> Choice:
    """What a number chosen on cases of one condition does.

    Args:
        effect: figures of the answered cases before and after; the first is the one to better.
        is_gain: whether a difference of that one is one for the better.
    """
    sample = Sample.of(cases)
    before, after = (dict(figures) for figures in effect)
    gain = weighted_differences(after, before, sample.patients)[next(iter(after))]
    return Choice(
        condition=cases[0].condition,
        data=", ".join(dict.fromkeys(case.data for case in cases)),
        split=cases[0].split,
        value=value,
        cases=sample.truth.size,
        patients=np.unique(sample.patients).size,
        before=weighted_scores(before, sample.patients),
        after=weighted_scores(after, sample.patients),
        gain=gain,
        is_better=is_gain(gain.score),
    )


def patient_parts(sample: Sample) -> Int64[np.ndarray, " n"]:
    """The part of cross-fitting that each case is in, whole patients together.

    Raises:
        UsageError: too few patients.
    """
    unique, owner = np.unique(sample.patients, return_inverse=True)
    if unique.size < _LEAST_PATIENTS:
        raise UsageError(f"{unique.size} validation patients are too few to calibrate on", f"{_LEAST_PATIENTS} or more")
    return np.asarray(np.random.default_rng(0).permutation(unique.size)[owner] % PARTS, np.int64)
