"""Good or Bad: what a model scored on cases that it has not seen, against criteria that were written before.

A TOML file holds the criteria: one `[[floor]]` for each figure that must be reached, and, if wished, `[compare]`: not
worse than the model in use. Every criterion is answered by one sentence; all must hold.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

import numpy as np

from lumbago.anatomy.conditions import CONDITIONS
from lumbago.errors import SettingsRefused
from lumbago.learning import metrics
from lumbago.learning.experiment import read_toml
from lumbago.learning.metrics import Grades, Probabilities, Score, over_patients
from lumbago.learning.score_grader import PredictedGrade


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure of graded cases: from truth, probabilities and the number of grades; of a loss, lower is better."""

    figure: Callable[[Grades, Probabilities, int], float]
    is_loss: bool = False


METRICS: Final[Mapping[str, Metric]] = {
    "accuracy": Metric(lambda truth, given, _: metrics.accuracy(truth, given.argmax(1))),
    "balanced accuracy": Metric(lambda truth, given, _: metrics.balanced_accuracy(truth, given.argmax(1))),
    "linear kappa": Metric(lambda truth, given, grades: metrics.weighted_kappa(truth, given.argmax(1), grades, 1)),
    "quadratic kappa": Metric(lambda truth, given, grades: metrics.weighted_kappa(truth, given.argmax(1), grades, 2)),
    "AUC of any change": Metric(lambda truth, given, _: metrics.auc(truth > 0, 1 - given[:, 0])),
    "log loss": Metric(lambda truth, given, _: metrics.log_loss(truth, given), is_loss=True),
    "calibration error": Metric(lambda truth, given, _: metrics.calibration_error(truth, given), is_loss=True),
}
"""The figures that criteria can name; they count the places that were found."""

BOUNDS: Final = ("value", "interval")
DEPLOYED: Final = "deployed"
_FOUND: Final = 0.9


@dataclass(frozen=True, slots=True)
class Floor:
    """A figure to be reached: at least so much, or, of a loss, at most. With the bound `interval` the worse end of the
    95 % interval over patients must reach it, else the figure itself."""

    condition: str
    metric: str
    limit: float
    bound: str = "value"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Not worse than the model in use: on the same cases, the 95 % interval over patients of the difference must lie
    above minus the margin (a test of non-inferiority)."""

    not_worse_than: str
    metric: str
    margin: float = 0.0


@dataclass(frozen=True, slots=True)
class Criteria:
    """What is Good, and the share of places that must be found at all."""

    floors: tuple[Floor, ...]
    compare: Comparison | None = None
    found: float = _FOUND


@dataclass(frozen=True, slots=True)
class Verdict:
    """Good or Bad, a sentence for each criterion, and by how much criteria were missed, summed: 0 when Good."""

    is_good: bool
    sentences: tuple[str, ...]
    shortfall: float


def read_criteria(path: Path) -> Criteria:
    """The criteria in a TOML file.

    Raises:
        SettingsRefused: no such file, or a criterion that makes no sense.
    """
    content = read_toml(path)
    unknown = set(content) - {"floor", "compare", "found"}
    if unknown or not content.get("floor"):
        raise SettingsRefused(f"{path} sets {', '.join(sorted(unknown)) or 'no floor'}", "[[floor]], [compare], found")
    floors = tuple(_row(path, Floor, row) for row in content["floor"])
    compare = _row(path, Comparison, content["compare"]) if "compare" in content else None
    for floor in floors:
        if floor.condition not in CONDITIONS or floor.bound not in BOUNDS:
            raise SettingsRefused(
                f"{path} has a floor for {floor.condition!r} by {floor.bound!r}", "see experiments/loop/"
            )
    if compare is not None and compare.not_worse_than != DEPLOYED:
        raise SettingsRefused(f"{path} compares with {compare.not_worse_than!r}", f'"{DEPLOYED}"')
    return Criteria(floors, compare, float(content.get("found", _FOUND)))


def _row(path: Path, kind: type[Any], row: Mapping[str, Any]) -> Any:
    names = {item.name for item in fields(kind)}
    if not set(row) <= names or row.get("metric") not in METRICS:
        raise SettingsRefused(
            f"{path} has the criterion {dict(row)}",
            f"some of {', '.join(sorted(names))}, metric of {', '.join(METRICS)}",
        )
    try:
        return kind(**row)
    except TypeError as error:
        raise SettingsRefused(f"{path} has the criterion {dict(row)}", f"also {error}") from error


def judge(criteria: Criteria, predicted: Sequence[PredictedGrade], in_use: Sequence[PredictedGrade] | None) -> Verdict:
    """Judges a model by what it said of cases; `in_use` is what the model in use said of the same, None without one."""
    answers = [_judge_found(criteria.found, predicted)]
    answers += [_judge_floor(floor, predicted) for floor in criteria.floors]
    if criteria.compare is not None:
        answers += [_judge_difference(criteria.compare, pairs) for pairs in _paired(predicted, in_use)]
    missed = [shortfall for shortfall, _ in answers if shortfall > 0]
    return Verdict(not missed, tuple(sentence for _, sentence in answers), float(sum(missed)))


def _judge_found(least: float, predicted: Sequence[PredictedGrade]) -> tuple[float, str]:
    share = float(np.mean([row.probabilities is not None for row in predicted])) if predicted else 0.0
    return _answer(least - share, f"{share:.1%} of {len(predicted)} places were graded; at least {least:.0%} are asked")


def _answer(shortfall: float, sentence: str) -> tuple[float, str]:
    """A missed criterion that misses by next to nothing is missed all the same, as is one that cannot be computed."""
    if np.isnan(shortfall):
        return 1.0, f"Bad: {sentence}."
    return max(shortfall, 0.0), f"{'Bad' if shortfall > 0 else 'Good'}: {sentence}."


def _judge_floor(floor: Floor, predicted: Sequence[PredictedGrade]) -> tuple[float, str]:
    rows = [row for row in predicted if row.condition == floor.condition and row.probabilities is not None]
    if not rows:
        return 1.0, f"Bad: no {floor.condition} was graded."
    metric, (truth, given) = METRICS[floor.metric], _arrays(rows)
    grades = given.shape[1]
    score = over_patients(lambda index: metric.figure(truth[index], given[index], grades), _patients(rows))
    counted = {"value": score.value, "interval": score.high if metric.is_loss else score.low}[floor.bound]
    shortfall = counted - floor.limit if metric.is_loss else floor.limit - counted
    asked = f"{'at most' if metric.is_loss else 'at least'} {floor.limit:g} is asked of the {floor.bound}"
    return _answer(shortfall, f"{floor.metric} of {floor.condition} is {score} on {len(rows)} places; {asked}")


def _arrays(rows: Sequence[PredictedGrade]) -> tuple[Grades, Probabilities]:
    return np.array([row.truth for row in rows], np.int64), np.array([row.probabilities for row in rows], np.float64)


def _patients(rows: Sequence[PredictedGrade]) -> np.ndarray:
    return np.array([row.patient for row in rows])


Pairs = tuple[str, list[PredictedGrade], list[PredictedGrade]]
"""A condition, and what two models said of the same places."""


def _paired(predicted: Sequence[PredictedGrade], in_use: Sequence[PredictedGrade] | None) -> list[Pairs]:
    if in_use is None:
        return [("", [], [])]
    others = {_place(row): row for row in in_use if row.probabilities is not None}
    rows = [row for row in predicted if row.probabilities is not None and _place(row) in others]
    conditions = dict.fromkeys(row.condition for row in predicted)
    chosen = {name: [row for row in rows if row.condition == name] for name in conditions}
    return [(name, same, [others[_place(row)] for row in same]) for name, same in chosen.items()]


def _place(row: PredictedGrade) -> tuple[str, str, str, str]:
    return row.source, row.name, row.level, row.condition


def _judge_difference(compare: Comparison, pairs: Pairs) -> tuple[float, str]:
    condition, new, old = pairs
    if not condition:
        return 0.0, "Good: no model of that name is in use that it could be worse than."
    if not new:
        return 1.0, f"Bad: no place of {condition} was graded by both models."
    score = difference(compare.metric, new, old)
    sentence = (
        f"{compare.metric} of {condition} is better than that of the model in use by {score} on the same {len(new)} "
        f"places; the interval must not fall below {-compare.margin:g}"
    )
    return _answer(-compare.margin - score.low, sentence)


def difference(metric: str, new: Sequence[PredictedGrade], old: Sequence[PredictedGrade]) -> Score:
    """By how much the first model is better than the second on the same places, by a paired bootstrap over patients."""
    row, (truth, one), (_, other) = METRICS[metric], _arrays(new), _arrays(old)
    sign, grades = -1 if row.is_loss else 1, one.shape[1]

    def better_by(index: np.ndarray) -> float:
        found = row.figure(truth[index], one[index], grades), row.figure(truth[index], other[index], grades)
        return sign * (found[0] - found[1])

    return over_patients(better_by, _patients(new))
