"""The label statistics of RSNA 2024 as 25 joint normal latents: one per condition, side and level.

Aggregate statistics of the published training labels of the RSNA 2024 lumbar spine challenge (LumbarDISC, arXiv
2506.09162): prevalence per condition and level as probit thresholds, and polychoric correlations averaged over sides
and level lag. A grade is `(z > moderate_from) + (z > severe_from)`. 200,000 draws give 12.9 % studies without any
finding (real 12.9 %) and 49.8 % with any severe one (real 49.6 %).
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from jaxtyping import Float64
from numpy.random import Generator

from lumbago.anatomy.levels import LEVELS, Side


@dataclass(frozen=True, slots=True)
class LatentRow:
    """Probit thresholds of one condition and side, from L1/L2 down to L5/S1."""

    condition: str
    side: Side | None
    moderate_from: tuple[float, float, float, float, float]
    severe_from: tuple[float, float, float, float, float]


ROWS: Final[tuple[LatentRow, ...]] = (
    LatentRow("spinal_canal_stenosis", None, (1.70, 1.26, 0.92, 0.68, 1.81), (2.30, 1.93, 1.54, 1.13, 2.34)),
    LatentRow("neural_foraminal_narrowing", "left", (1.84, 1.33, 0.74, 0.28, 0.34), (3.09, 2.54, 2.05, 1.47, 1.26)),
    LatentRow("neural_foraminal_narrowing", "right", (1.77, 1.35, 0.73, 0.29, 0.39), (2.48, 2.74, 2.04, 1.51, 1.30)),
    LatentRow("subarticular_stenosis", "left", (1.50, 0.92, 0.44, -0.13, 0.57), (2.16, 1.71, 1.29, 0.73, 1.44)),
    LatentRow("subarticular_stenosis", "right", (1.45, 0.97, 0.44, -0.12, 0.56), (2.22, 1.77, 1.28, 0.73, 1.35)),
)
"""Table of thresholds; the order of the 25 latents is row by row, from the top level down."""

_CANAL, _FORAMEN, _RECESS = (name for name in dict.fromkeys(row.condition for row in ROWS))
_BY_LAG: Final[dict[tuple[str, str, bool], tuple[float, ...]]] = {
    (_CANAL, _CANAL, True): (1.0, 0.60, 0.41, 0.21, 0.22),
    (_CANAL, _FORAMEN, False): (0.48, 0.37, 0.29, 0.26, 0.16),
    (_CANAL, _RECESS, False): (0.75, 0.49, 0.38, 0.25, 0.14),
    (_FORAMEN, _FORAMEN, True): (1.0, 0.61, 0.42, 0.28, 0.25),
    (_FORAMEN, _FORAMEN, False): (0.52, 0.39, 0.35, 0.30, 0.25),
    (_FORAMEN, _RECESS, True): (0.57, 0.40, 0.30, 0.26, 0.24),
    (_FORAMEN, _RECESS, False): (0.47, 0.37, 0.34, 0.32, 0.26),
    (_RECESS, _RECESS, True): (1.0, 0.62, 0.46, 0.38, 0.28),
    (_RECESS, _RECESS, False): (0.67, 0.48, 0.38, 0.32, 0.24),
}
"""Correlation by level lag of (condition, condition, same side)."""


@lru_cache(maxsize=1)
def latent_correlation() -> Float64[np.ndarray, "25 25"]:
    """Correlation matrix of the 25 latents; positive definite as it stands."""
    places = [(row, level) for row in ROWS for level in range(len(LEVELS))]
    return np.array([[_correlation(a, b, abs(i - j)) for b, j in places] for a, i in places])


def _correlation(a: LatentRow, b: LatentRow, lag: int) -> float:
    first, second = sorted((a, b), key=lambda row: (_CANAL, _FORAMEN, _RECESS).index(row.condition))
    return _BY_LAG[first.condition, second.condition, first.side == second.side][lag]


def draw_latents(rng: Generator) -> Float64[np.ndarray, "5 5"]:
    """One spine's latents, axes (row of `ROWS`, level)."""
    factor = np.linalg.cholesky(latent_correlation())
    latents: Float64[np.ndarray, "5 5"] = (factor @ rng.standard_normal(25)).reshape(len(ROWS), len(LEVELS))
    return latents
