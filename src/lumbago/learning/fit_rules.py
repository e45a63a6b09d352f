"""Fitting rules on measurements (`networks.ordinal_rules`): which measures a condition looks at, and what they count.

Maximum likelihood with a small penalty on the weights; rare grades count more, by the root of how rare. A measure whose
direction is known from what the condition means can only count that way, so that no rule says the opposite of its
textbook: a lower disc is never less narrowed.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import torch
from jaxtyping import Float32, Float64, Int64
from scipy.optimize import minimize
from torch import Tensor

from lumbago.anatomy.conditions import CONDITIONS, Scale
from lumbago.errors import SettingsRefused
from lumbago.networks.ordinal_rules import FARTHEST, OrdinalRules, Rule, free_logs, ordered_logs
from lumbago.pipeline.bright_areas import AREAS
from lumbago.pipeline.measured_features import MEASURES

NAMES: Final = (*MEASURES, *AREAS)
"""What each number of the views `measured` is."""

_DISC: Final = (
    "-nucleus", "-nucleus_high", "-disc_signal", "-nucleus_to_marrow", "-nucleus_to_annulus", "nucleus_spread",
    "-height_index", "-height_to_neighbours",
)  # fmt: skip
_BEHIND: Final = ("+bulge_back", "+bulge_area", "-canal_least_ratio", "-fluid_least_ratio", "-height_index", "-nucleus")
_BRIGHT: Final = ("-mean_4", "-high_4", "-share_50_4", "-mean_8", "-high_8", "-share_50_8", "-area_8", "-tall_8",
                  "-wide_8")  # fmt: skip
_CANAL: Final = (
    "-canal_ratio", "-canal_least_ratio", "-fluid_ratio", "-fluid_least_ratio", "-canal_signal_ratio", "-canal_to_body",
    "-canal_mm",
)  # fmt: skip


def _endplate(side: str) -> tuple[str, ...]:
    return (f"+{side}_rough", f"+{side}_dent", f"{side}_bright", f"{side}_dark", f"+{side}_spread", "-height_index",
            "-nucleus")  # fmt: skip


RULES: Final[Mapping[str, tuple[str, ...]]] = {
    "spinal_canal_stenosis": _CANAL,
    "neural_foraminal_narrowing": _BRIGHT,
    "subarticular_stenosis": _BRIGHT,
    "pfirrmann": _DISC,
    "disc_degeneration": _DISC,
    "herniation": _BEHIND,
    "high_intensity_zone": ("+back_annulus_high", "-nucleus", "-disc_signal"),
    "narrowing": ("-height_index", "-front_height_index", "-back_height_index", "-height_to_neighbours", "-nucleus"),
    "bulging": ("+bulge_front", *_BEHIND),
    "modic": ("marrow_bright", "marrow_dark", "marrow_spread", "height_index", "nucleus", "upper_rough", "lower_rough"),
    "endplate_upper": _endplate("upper"),
    "endplate_lower": _endplate("lower"),
    "spondylolisthesis": ("+slip_size", "+slip_forward", "+slip_front", "-canal_least_ratio", "-height_index"),
}
"""The measures that a condition's rule looks at: `+` those that can only speak for a worse grade, `-` those that can
only speak against one, the others either way."""

PENALTY: Final = 1.0
"""On half the square of each weight."""
_DOUBT: Final = 0.5
"""Weight of a place of usual measures that is counted for each grade, so that one which nobody has shown keeps a
chance."""
_RARITY: Final = 0.5
"""Places of a grade count by how often it occurs to the minus this power, as `grader_task` draws them."""
_APART: Final = 0.01
"""Least distance of thresholds."""

Bound = tuple[float | None, float | None]


def fit_rules(
    measures: Float32[np.ndarray, "places measures"],
    grades: Int64[np.ndarray, "places conditions"],
    conditions: Sequence[str],
    names: Sequence[str] = NAMES,
) -> OrdinalRules:
    """The rules of the conditions.

    Args:
        measures: NaN where unknown; names: of each.
        grades: -1 where unknown, a column for each condition.

    Raises:
        SettingsRefused: no place.
    """
    if not len(measures):
        raise SettingsRefused("rules were given no place to be fitted on", "graded places to learn from")
    mean, spread = _usual(measures)
    known = np.where(np.isnan(measures), mean, measures)
    scaled = np.clip((known - mean) / spread, -FARTHEST, FARTHEST).astype(np.float64)
    rules = {
        name: _fit_rule(scaled, column, CONDITIONS[name].scale, _looked_at(name, names))
        for name, column in zip(conditions, grades.T, strict=True)
    }
    return OrdinalRules(rules, torch.from_numpy(mean), torch.from_numpy(spread)).eval()


def _usual(
    measures: Float32[np.ndarray, "places measures"],
) -> tuple[Float32[np.ndarray, " measures"], Float32[np.ndarray, " measures"]]:
    """Mean and spread of what is known of each measure; 0 and 1 of one that nobody knows."""
    known = ~np.isnan(measures)
    count = np.maximum(known.sum(0), 1)
    mean = np.where(known, measures, 0).sum(0) / count
    spread = np.sqrt((np.where(known, measures - mean, 0) ** 2).sum(0) / count)
    return mean.astype(np.float32), np.where(spread > 0, np.maximum(spread, 1e-6), 1).astype(np.float32)


def _looked_at(condition: str, names: Sequence[str]) -> dict[int, Bound]:
    """Numbers of the measures that a condition's rule looks at, and the bounds of their weights."""
    bounds: dict[str, Bound] = {"+": (0.0, None), "-": (None, 0.0)}
    return {names.index(row.lstrip("+-")): bounds.get(row[0], (None, None)) for row in RULES[condition]}


def _fit_rule(
    scaled: Float64[np.ndarray, "places measures"],
    grades: Int64[np.ndarray, " places"],
    scale: Scale,
    looked_at: Mapping[int, Bound],
) -> Rule:
    count, used, known = len(scale.grades), list(looked_at), grades != -1
    places = torch.from_numpy(np.concatenate([scaled[known][:, used], np.zeros((count, len(used)))]))
    truth = torch.from_numpy(np.concatenate([grades[known], np.arange(count)]))
    counts = torch.from_numpy(np.concatenate([_rarer(grades[known], count), np.full(count, _DOUBT)]))
    form = _Ordered if scale.ordinal else _Free

    def cost(numbers: Float64[np.ndarray, " numbers"]) -> tuple[float, Float64[np.ndarray, " numbers"]]:
        held = torch.from_numpy(numbers).requires_grad_()
        weights, thresholds = form.opened(held, len(used), count)
        logs = form.logs(places @ weights, thresholds).gather(1, truth[:, None])[:, 0]
        loss = -(counts * logs).sum() + PENALTY / 2 * weights.square().sum()
        (slope,) = torch.autograd.grad(loss, held)
        return float(loss.detach()), slope.numpy()

    start, bounds = form.start(list(looked_at.values()), count)
    found = minimize(cost, start, jac=True, bounds=bounds, method="L-BFGS-B", options={"maxiter": 2000, "ftol": 1e-12})
    weights, thresholds = form.opened(torch.from_numpy(found.x), len(used), count)
    whole = torch.zeros(scaled.shape[1], weights.shape[1])
    whole[used] = weights.float()
    return Rule(whole, thresholds.float(), scale.ordinal)


def _rarer(grades: Int64[np.ndarray, " places"], count: int) -> Float64[np.ndarray, " places"]:
    """What each place counts: those of rare grades more, by the inverse root of how often they occur; 1 on average."""
    often = np.maximum(np.bincount(grades, minlength=count), 1)
    weights = often[grades] ** -_RARITY
    return np.asarray(weights / max(float(weights.mean()), 1e-12)) if len(grades) else weights


class _Ordered:
    """Numbers of a rule with order: its weights, its first threshold, and the steps to the next ones."""

    logs = staticmethod(ordered_logs)

    @staticmethod
    def start(bounds: Sequence[Bound], count: int) -> tuple[Float64[np.ndarray, " numbers"], list[Bound]]:
        steps: list[Bound] = [(_APART, None)] * (count - 2)
        return np.array([0.0] * (len(bounds) + 1) + [1.0] * (count - 2)), [*bounds, (None, None), *steps]

    @staticmethod
    def opened(numbers: Tensor, looked_at: int, count: int) -> tuple[Tensor, Tensor]:
        return numbers[:looked_at, None], numbers[looked_at:].cumsum(0)


class _Free:
    """Numbers of a rule without order: weights of each grade, and what it begins with."""

    logs = staticmethod(free_logs)

    @staticmethod
    def start(bounds: Sequence[Bound], count: int) -> tuple[Float64[np.ndarray, " numbers"], list[Bound]]:
        size = (len(bounds) + 1) * count
        return np.zeros(size), [(None, None)] * size

    @staticmethod
    def opened(numbers: Tensor, looked_at: int, count: int) -> tuple[Tensor, Tensor]:
        return numbers[: looked_at * count].reshape(looked_at, count), numbers[looked_at * count :]
