"""Figures with an interval over patients, and differences of two models on the same patients.

A resample is a row of weights: how often each case's patient was drawn. A figure that takes many such rows at once
costs a matrix product; any other one is given the drawn cases themselves. Over one patient alone there is no interval:
all resamples are the same, and would look like certainty.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import comb
from typing import Final

import numpy as np
from jaxtyping import Float64, Shaped

Weights = Float64[np.ndarray, "resamples n"]
Values = Float64[np.ndarray, " resamples"]
WeightedFigure = Callable[[Weights], Values]
"""Gives a figure for each row of weights; not-a-number where it is undefined."""

RESAMPLES: Final = 1000
_CHUNK: Final = 4_000_000
"""Weights held at a time."""


@dataclass(frozen=True, slots=True)
class Score:
    """A figure with its 95 % interval; `low` and `high` are not-a-number where there is none, as over one patient."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return self.told(3)

    @property
    def has_interval(self) -> bool:
        """Whether it has one."""
        return not (math.isnan(self.low) or math.isnan(self.high))

    def told(self, places: int) -> str:
        """`0.61 [0.57, 0.65]` with so many decimal places, or `0.61 [no interval]`."""
        interval = f"{self.low:.{places}f}, {self.high:.{places}f}" if self.has_interval else "no interval"
        return f"{self.value:.{places}f} [{interval}]"


@dataclass(frozen=True, slots=True)
class Difference:
    """A figure of one model less that of another, with its 95 % interval and two-sided p."""

    score: Score
    p: float

    def __str__(self) -> str:
        return f"{self.score}, p {self.p:.3f}"


def over_patients(figure: Callable[[np.ndarray], float], patients: np.ndarray, seed: int = 0) -> Score:
    """A figure of chosen rows, with a percentile bootstrap over patients (Efron 1979).

    Args:
        figure: takes row indices, gives the figure; not-a-number where it is undefined, which the interval leaves out.
        patients: key of each row's patient.
    """
    unique, owner = np.unique(patients, return_inverse=True)
    rows_of = [np.nonzero(owner == index)[0] for index in range(unique.size)]
    values = [
        figure(np.concatenate([rows_of[index] for index in drawn])) for drawn in _draws(unique.size, RESAMPLES, seed)
    ]
    return _score(float(figure(np.arange(patients.size))), np.array(values, np.float64), unique.size)


def weighted_scores(
    figures: Mapping[str, WeightedFigure], patients: Shaped[np.ndarray, " n"], seed: int = 0
) -> dict[str, Score]:
    """`over_patients` for figures that take weights: the same resamples, the same intervals, a hundred times faster."""
    whole, owners = np.ones((1, patients.size)), np.unique(patients).size
    resampled = _resampled(figures, patients, seed)
    return {name: _score(float(figure(whole)[0]), resampled[name], owners) for name, figure in figures.items()}


def weighted_differences(
    first: Mapping[str, WeightedFigure],
    second: Mapping[str, WeightedFigure],
    patients: Shaped[np.ndarray, " n"],
    seed: int = 0,
) -> dict[str, Difference]:
    """First less second on the same cases, both resampled together (paired bootstrap, Efron and Tibshirani 1993).

    p is twice the smaller share of resamples on either side of no difference, one counted extra on each side, so that
    it is never zero. It is at least that of a sign test in which every patient says the same: resamples of two patients
    that agree never differ, and prove nothing.
    """
    whole, owners = np.ones((1, patients.size)), np.unique(patients).size
    least = 2.0 ** (1 - owners)
    one, other = _resampled(first, patients, seed), _resampled(second, patients, seed)
    return {
        name: _difference(float(figure(whole)[0] - second[name](whole)[0]), one[name] - other[name], (owners, least))
        for name, figure in first.items()
    }


def unpaired_differences(
    first: Mapping[str, WeightedFigure],
    second: Mapping[str, WeightedFigure],
    patients: tuple[Shaped[np.ndarray, " n"], Shaped[np.ndarray, " m"]],
) -> dict[str, Difference]:
    """First less second on different patients, each resampled alone; p as in `weighted_differences`, and at least that
    of the outermost of all ways to share the patients out."""
    one, other = (
        _resampled(part, of, seed) for seed, (part, of) in enumerate(zip((first, second), patients, strict=True))
    )
    whole = [np.ones((1, of.size)) for of in patients]
    counts = [np.unique(of).size for of in patients]
    least = min(counts), 2 / comb(sum(counts), counts[0])
    return {
        name: _difference(float(figure(whole[0])[0] - second[name](whole[1])[0]), one[name] - other[name], least)
        for name, figure in first.items()
    }


def _draws(patients: int, resamples: int, seed: int) -> Iterator[np.ndarray]:
    rng = np.random.default_rng(seed)
    return (rng.integers(patients, size=patients) for _ in range(resamples))


def _weights(patients: Shaped[np.ndarray, " n"], seed: int) -> Iterator[Weights]:
    """The resamples in pieces that fit in memory."""
    unique, owner = np.unique(patients, return_inverse=True)
    rows: list[np.ndarray] = []
    for drawn in _draws(unique.size, RESAMPLES, seed):
        rows.append(np.bincount(drawn, minlength=unique.size)[owner].astype(np.float64))
        if len(rows) * patients.size >= _CHUNK:
            yield np.array(rows)
            rows = []
    if rows:
        yield np.array(rows)


def _resampled(
    figures: Mapping[str, WeightedFigure], patients: Shaped[np.ndarray, " n"], seed: int
) -> dict[str, Values]:
    parts: dict[str, list[Values]] = {name: [] for name in figures}
    for weights in _weights(patients, seed):
        for name, figure in figures.items():
            parts[name].append(figure(weights))
    return {name: np.concatenate(values) for name, values in parts.items()}


def _score(value: float, resampled: Values, patients: int) -> Score:
    known = resampled[~np.isnan(resampled)]
    low, high = np.percentile(known, [2.5, 97.5]) if known.size and patients > 1 else (np.nan, np.nan)
    return Score(value, float(low), float(high))


def _difference(value: float, resampled: Values, least: tuple[int, float]) -> Difference:
    """`least` patients on either side, and p."""
    (patients, least_p), known = least, resampled[~np.isnan(resampled)]
    score = _score(value, resampled, patients)
    if not known.size:
        return Difference(score, float("nan"))
    side = min(int((known <= 0).sum()), int((known >= 0).sum()))
    return Difference(score, min(1.0, max(least_p, 2 * (side + 1) / (known.size + 1))))
