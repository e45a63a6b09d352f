"""Two patches made one: mix-up (Zhang et al. 2018) adds them, CutMix (Yun et al. 2019) cuts one into the other.

The grades of both count, each by its share of the picture.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32
from numpy.random import Generator

from lumbago.learning.experiment import Experiment

Views = Float32[np.ndarray, "slices 3 rows columns"]


@dataclass(frozen=True, slots=True)
class Mix:
    """How a partner comes in: `partner` is its number among the samples; `box` (first row, first column, last row, last
    column, as fractions) is cut from it, or with None all of it is added; `kept` is the share of the first patch."""

    partner: int
    kept: float
    box: tuple[float, float, float, float] | None


def draw_mix(rng: Generator, experiment: Experiment, chances: np.ndarray) -> Mix | None:
    """A partner for the patch, for the shares `mixup` and `cutmix` of patches; None for the others."""
    chance = float(rng.random())
    if chance >= experiment.mixup + experiment.cutmix:
        return None
    partner = int(rng.choice(len(chances), p=chances))
    kept = float(rng.beta(experiment.mix_alpha, experiment.mix_alpha))
    if chance < experiment.mixup:
        return Mix(partner, kept, None)
    half = float(np.sqrt(1 - kept)) / 2
    row, column = (float(value) for value in rng.uniform(0, 1, 2))
    return Mix(partner, kept, (row - half, column - half, row + half, column + half))


def mixed(first: Views, second: Views, mix: Mix) -> tuple[Views, float]:
    """The patch of two, and the share of it that is the first; a box reaches to the border at most."""
    if mix.box is None:
        return (mix.kept * first + (1 - mix.kept) * second).astype(np.float32), mix.kept
    rows, columns = first.shape[2:]
    sizes = np.array([rows, columns, rows, columns])
    top, left, bottom, right = np.clip(np.round(np.array(mix.box) * sizes), 0, sizes).astype(int)
    patch = first.copy()
    patch[:, :, top:bottom, left:right] = second[:, :, top:bottom, left:right]
    return patch, 1 - float((bottom - top) * (right - left)) / (rows * columns)
