"""Grades as a reader would give them: the measured sizes, misjudged a little. For training sets only; tests and scores
stand on the measured grades.

How far readers stray is set so that a reader agrees with the measured grades as readers of the LumbarDISC conditions
agree with one another (kappa about 0.70 for canals, 0.55 for foramina, 0.45 for recesses).
"""

from typing import Final

import numpy as np
from numpy.random import Generator

from lumbago.anatomy.levels import SIDES, Side
from lumbago.phantom.measure_truth import FAT_SHARE_CUTS, RECESS_CUTS_MM, SAC_RATIO_CUTS, LevelTruth, severity
from lumbago.phantom.spine_spec import SpineSpec

CANAL_NOISE: Final = 0.115
FORAMEN_NOISE: Final = 0.24
RECESS_NOISE_MM: Final = 1.4
"""Standard deviations of what a reader sees: of the area of the sac against the normal one, of the share of fat about
the ganglion, of the depth of a recess in mm of an adult of size 1."""


def read_with_noise(spec: SpineSpec, truths: tuple[LevelTruth, ...]) -> dict[tuple[str, str, Side | None], str]:
    """Grades by (condition, level, side) of one reader; the same spine is always misread alike."""
    rng = np.random.default_rng([spec.seed, 7])
    grades: dict[tuple[str, str, Side | None], str] = {}
    for truth in truths:
        seen = _misjudged(rng, truth.sac_ratio, CANAL_NOISE)
        grades["spinal_canal_stenosis", truth.level, None] = severity(seen, SAC_RATIO_CUTS)
        for side in SIDES:
            share = _misjudged(rng, truth.sides[side].fat_share, FORAMEN_NOISE)
            depth = _misjudged(rng, truth.sides[side].recess_depth_mm / spec.size, RECESS_NOISE_MM)
            grades["neural_foraminal_narrowing", truth.level, side] = severity(share, FAT_SHARE_CUTS)
            grades["subarticular_stenosis", truth.level, side] = severity(depth, RECESS_CUTS_MM)
    return grades


def _misjudged(rng: Generator, size: float, noise: float) -> float:
    return size + float(rng.normal(0, noise))
