"""How often discs degenerate, level by level: statistics of the SPIDER gradings (van der Graaf et al., Sci Data
2024;11:264, CC BY 4.0).

218 back-pain patients, one reader. Pfirrmann grades come from a joint normal latent; what else a disc shows depends on
its grade.
"""

from typing import Final

import numpy as np
from jaxtyping import Float64

PFIRRMANN_FROM: Final[dict[str, tuple[float, float, float, float]]] = {
    "L1/L2": (-0.76, 0.05, 0.68, 1.42),
    "L2/L3": (-0.92, -0.23, 0.60, 1.20),
    "L3/L4": (-1.07, -0.41, 0.43, 1.18),
    "L4/L5": (-1.28, -0.77, 0.13, 0.89),
    "L5/S1": (-1.25, -0.73, 0.01, 0.61),
}
"""Probit thresholds of grades 2 to 5."""

THORACIC_FROM: Final = (-0.61, 0.29, 1.09, 1.85)
"""The same for T12/L1; discs above it are drawn alike."""

PFIRRMANN_CORRELATION: Final[Float64[np.ndarray, "5 5"]] = np.array(
    [
        [1.00, 0.77, 0.71, 0.57, 0.43],
        [0.77, 1.00, 0.72, 0.51, 0.33],
        [0.71, 0.72, 1.00, 0.57, 0.42],
        [0.57, 0.51, 0.57, 1.00, 0.46],
        [0.43, 0.33, 0.42, 0.46, 1.00],
    ]
)

NARROWING: Final = (0.108, 0.081, 0.373, 0.716, 0.988)
BULGE: Final = (0.217, 0.280, 0.730, 0.889, 0.881)
HERNIATION: Final = (0.012, 0.005, 0.056, 0.093, 0.167)
SLIP: Final = (0.006, 0.0, 0.016, 0.058, 0.125)
MODIC: Final = (0.060, 0.147, 0.385, 0.538, 0.875)
ENDPLATE_UPPER: Final = (0.19, 0.18, 0.42, 0.55, 0.82)
ENDPLATE_LOWER: Final = (0.20, 0.18, 0.39, 0.60, 0.86)
"""Share of discs with the finding, by Pfirrmann grade 1 to 5."""

HERNIATION_BY_LEVEL: Final[dict[str, float]] = {"L1/L2": 0.08, "L2/L3": 0.25, "L3/L4": 0.6, "L4/L5": 1.9, "L5/S1": 1.1}
SLIP_BY_LEVEL: Final[dict[str, float]] = {"L1/L2": 0.5, "L2/L3": 0.4, "L3/L4": 0.45, "L4/L5": 0.65, "L5/S1": 1.6}
"""Factors on the share by grade, fitted so that the shares by level agree with SPIDER's as well."""
NARROWING_ODDS: Final[dict[str, float]] = {"L1/L2": 0.42, "L2/L3": 0.85, "L3/L4": 0.92, "L4/L5": 1.4, "L5/S1": 1.3}
BULGE_ODDS: Final[dict[str, float]] = {"L1/L2": 0.45, "L2/L3": 1.05, "L3/L4": 1.4, "L4/L5": 1.35, "L5/S1": 1.3}
"""The same as factors on the odds; discs above L1 take `THORACIC_ODDS`."""
THORACIC_ODDS: Final = 0.25

MODIC_TYPES: Final = (0.25, 0.70, 0.05)
"""Mix of types 1, 2 and 3 among discs with Modic change (between SPIDER, where type 2 rules, and Jensen 2009)."""

HIGH_INTENSITY_ZONE: Final = (0.0, 0.03, 0.12, 0.14, 0.06)
"""Posterior high-intensity zones by grade (Wang and Hu 2021: a third of patients have one, mostly at L4-S1)."""
HIGH_INTENSITY_BY_LEVEL: Final[dict[str, float]] = {
    "L1/L2": 0.3,
    "L2/L3": 0.4,
    "L3/L4": 0.8,
    "L4/L5": 1.8,
    "L5/S1": 1.6,
}
ANTERIOR_ZONE: Final = (0.0, 0.023, 0.09, 0.105, 0.045)
ANTERIOR_ZONE_BY_LEVEL: Final[dict[str, float]] = {
    "L1/L2": 0.5,
    "L2/L3": 0.9,
    "L3/L4": 2.3,
    "L4/L5": 0.9,
    "L5/S1": 0.4,
}
"""The same in front: three quarters as many, nearly half of them at L3/L4."""
