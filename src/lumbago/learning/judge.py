"""Good or Bad: what a model scored on cases that it has not seen, against criteria that were written before.

A TOML file holds the criteria: one `[[floor]]` for each figure that must be reached, and, if wished, `[compare]`: not
worse than the model in use. Every criterion is answered by one sentence; all must hold.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

import numpy as np

from lumbago.anatomy.conditions import CONDITIONS
from lumbago.errors import SettingsRefused
from lumbago.evaluation.cases import GradedCase
from lumbago.evaluation.figures_of_merit import Sample, compare_cases, main_figures
from lumbago.evaluation.intervals import Score, weighted_scores
from lumbago.learning.experiment import read_toml

LOSSES: Final = ("log loss", "calibration error")
METRICS: Final = ("accuracy", "balanced accuracy", "linear kappa", "quadratic kappa", "AUC of any change", *LOSSES)
"""The figures that criteria can name, of `figures_of_merit`; they count the places that were found. Of a loss, lower is
better."""

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


def judge(criteria: Criteria, predicted: Sequence[GradedCase], in_use: Sequence[GradedCase] | None) -> Verdict:
    """Judges a model by what it said of cases; `in_use` is what the model in use said of the same, None without one."""
    answers = [_judge_found(criteria.found, predicted)]
    answers += [_judge_floor(floor, predicted) for floor in criteria.floors]
    if criteria.compare is not None:
        answers += [_judge_difference(criteria.compare, pairs) for pairs in _paired(predicted, in_use)]
    missed = [shortfall for shortfall, _ in answers if shortfall > 0]
    return Verdict(not missed, tuple(sentence for _, sentence in answers), float(sum(missed)))


def _judge_found(least: float, predicted: Sequence[GradedCase]) -> tuple[float, str]:
    share = float(np.mean([row.probabilities is not None for row in predicted])) if predicted else 0.0
    return _answer(least - share, f"{share:.1%} of {len(predicted)} places were graded; at least {least:.0%} are asked")


def _answer(shortfall: float, sentence: str) -> tuple[float, str]:
    """A missed criterion that misses by next to nothing is missed all the same, as is one that cannot be computed."""
    if np.isnan(shortfall):
        return 1.0, f"Bad: {sentence}."
    return max(shortfall, 0.0), f"{'Bad' if shortfall > 0 else 'Good'}: {sentence}."


def _judge_floor(floor: Floor, predicted: Sequence[GradedCase]) -> tuple[float, str]:
    rows = [row for row in predicted if row.condition == floor.condition and row.probabilities is not None]
    if not rows:
        return 1.0, f"Bad: no {floor.condition} was graded."
    sample, name = Sample.of(rows), _figure_name(floor.metric, floor.condition)
    score = weighted_scores({name: main_figures(sample)[name]}, sample.patients)[name]
    is_loss = floor.metric in LOSSES
    counted = {"value": score.value, "interval": score.high if is_loss else score.low}[floor.bound]
    shortfall = counted - floor.limit if is_loss else floor.limit - counted
    asked = f"{'at most' if is_loss else 'at least'} {floor.limit:g} is asked of the {floor.bound}"
    return _answer(shortfall, f"{floor.metric} of {floor.condition} is {score} on {len(rows)} places; {asked}")


def _figure_name(metric: str, condition: str) -> str:
    """Scales of two grades, or without order, have one kappa, without weights."""
    scale = CONDITIONS[condition].scale
    has_one_kappa = not scale.ordinal or len(scale.grades) <= 2
    return "kappa" if metric.endswith("kappa") and has_one_kappa else metric


Pairs = tuple[str, list[GradedCase], list[GradedCase]]
"""A condition, and what two models said of the same places."""


def _paired(predicted: Sequence[GradedCase], in_use: Sequence[GradedCase] | None) -> list[Pairs]:
    if in_use is None:
        return [("", [], [])]
    others = {row.key: row for row in in_use if row.probabilities is not None}
    rows = [row for row in predicted if row.probabilities is not None and row.key in others]
    conditions = dict.fromkeys(row.condition for row in predicted)
    chosen = {name: [row for row in rows if row.condition == name] for name in conditions}
    return [(name, same, [others[row.key] for row in same]) for name, same in chosen.items()]


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


def difference(metric: str, new: Sequence[GradedCase], old: Sequence[GradedCase]) -> Score:
    """By how much the first model is better than the second on the same places, by a paired bootstrap over patients."""
    better, worse = (old, new) if metric in LOSSES else (new, old)
    return compare_cases(better, worse)[_figure_name(metric, new[0].condition)].score
