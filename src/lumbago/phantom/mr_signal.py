"""Spin-echo signal of every tissue: relaxation times and signal equations.

Times in ms, proton density relative to cerebrospinal fluid. Nucleus and annulus after 479 mapped discs (T2) and
synthetic MR of the spine (Drake-Perez, AJNR 2018;39:788), marrow and fat after de Bazelaire, Radiology 2004, muscle
between published values; the rest is textbook.
"""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from jaxtyping import Float32, Float64

from lumbago.phantom.tissues import Tissue

Weighting = Literal["T1", "T2", "STIR"]

_RELAXATION: Final[dict[Tissue, tuple[float, float, float, float, float]]] = {
    Tissue.AIR: (0.0, 1000, 1000, 50, 50),
    Tissue.SUBCUTANEOUS_FAT: (0.97, 300, 375, 125, 112),
    Tissue.MUSCLE: (0.78, 1000, 1200, 36, 34),
    Tissue.FASCIA: (0.35, 700, 850, 18, 16),
    Tissue.VISCERAL_FAT: (0.97, 300, 375, 120, 110),
    Tissue.ORGAN: (0.8, 700, 850, 55, 48),
    Tissue.BOWEL: (0.85, 900, 1100, 90, 80),
    Tissue.GAS: (0.02, 1000, 1000, 10, 8),
    Tissue.ARTERY: (0.04, 1440, 1900, 100, 90),
    Tissue.VEIN: (0.25, 1440, 1900, 90, 80),
    Tissue.KIDNEY: (0.85, 950, 1150, 95, 85),
    Tissue.CORTEX: (0.16, 500, 600, 8, 7),
    Tissue.MARROW: (0.85, 550, 600, 60, 55),
    Tissue.ENDPLATE: (0.30, 800, 950, 18, 16),
    Tissue.DISC: (0.70, 800, 950, 56, 52),
    Tissue.OUTER_ANNULUS: (0.50, 700, 850, 20, 18),
    Tissue.HIGH_INTENSITY_ZONE: (0.90, 1900, 2200, 230, 210),
    Tissue.VACUUM: (0.03, 800, 950, 8, 6),
    Tissue.LIGAMENT: (0.62, 700, 850, 42, 38),
    Tissue.FLAVUM: (0.55, 900, 1100, 28, 26),
    Tissue.EPIDURAL_FAT: (0.97, 300, 375, 120, 108),
    Tissue.CSF: (1.00, 4200, 4300, 1800, 1600),
    Tissue.CORD: (0.68, 780, 1000, 90, 78),
    Tissue.ROOT: (0.61, 780, 1000, 86, 76),
    Tissue.FACET_FLUID: (0.85, 1800, 2200, 180, 160),
    Tissue.MODIC_1: (0.85, 1100, 1350, 90, 85),
    Tissue.MODIC_2: (0.95, 330, 420, 100, 92),
    Tissue.MODIC_3: (0.24, 500, 600, 66, 62),
    Tissue.FAT_STREAK: (0.92, 340, 430, 100, 90),
    Tissue.SKIN: (0.6, 600, 750, 35, 30),
    Tissue.EPIDURAL_VEIN: (0.75, 1200, 1500, 130, 115),
    Tissue.CARTILAGE: (0.7, 900, 1050, 45, 42),
}
"""Proton density, T1 at 1.5 and 3 T, T2 at 1.5 and 3 T (effective in fast spin echo for fat)."""

_NUCLEUS: Final = (
    (0.88, 1250, 1400, 155, 145),
    (0.84, 1100, 1250, 104, 98),
    (0.76, 900, 1050, 74, 69),
    (0.56, 720, 850, 54, 50),
    (0.46, 580, 700, 42, 39),
)
"""The same for the nucleus at Pfirrmann 1 to 5."""
_ANNULUS: Final = (0.62, 800, 950, 58, 54)
_RED_MARROW: Final = (0.72, 800, 1000, 44, 42)
_YELLOW_MARROW: Final = (0.95, 300, 375, 145, 132)

_OTHER_RELAXATION: Final[dict[Tissue, tuple[float, float, float, float, float]]] = {
    **dict.fromkeys((Tissue.SUBCUTANEOUS_FAT, Tissue.VISCERAL_FAT, Tissue.EPIDURAL_FAT), (0.95, 343, 382, 88, 82)),
    Tissue.MUSCLE: (0.80, 1008, 1412, 44, 50),
    Tissue.CORD: (0.70, 745, 993, 74, 78),
    Tissue.ROOT: (0.64, 745, 993, 74, 78),
    Tissue.CSF: (1.00, 3700, 4100, 1100, 1000),
    Tissue.FLAVUM: (0.62, 950, 1150, 22, 20),
    Tissue.OUTER_ANNULUS: (0.55, 750, 900, 26, 24),
    Tissue.FAT_STREAK: (0.92, 343, 382, 80, 75),
    Tissue.HIGH_INTENSITY_ZONE: (0.88, 1500, 1800, 170, 155),
}
_OTHER_NUCLEUS: Final = (
    (0.86, 1150, 1300, 128, 120),
    (0.83, 1050, 1200, 98, 92),
    (0.78, 950, 1080, 80, 76),
    (0.64, 780, 900, 62, 58),
    (0.50, 620, 740, 48, 45),
)
_OTHER_MIXED: Final = ((0.58, 850, 1000, 48, 44), (0.75, 700, 870, 52, 48), (0.95, 340, 400, 95, 88))
"""Other published or midway times of the same tissues, for testing: muscle and cord after Stanisz, Magn Reson Med
2005;54:507, fat's T1 after de Bazelaire 2004; annulus, red and yellow marrow."""
_LEFT_OF_FAT: Final = 0.08
"""Share of fat's signal that a Dixon water image still shows."""

_FATS: Final = (Tissue.VISCERAL_FAT, Tissue.EPIDURAL_FAT, Tissue.FAT_STREAK)
"""They vary together with the fat under the skin."""

_TEXTURE: Final[dict[Tissue, float]] = {
    Tissue.MARROW: 0.09, Tissue.MUSCLE: 0.09, Tissue.SUBCUTANEOUS_FAT: 0.05, Tissue.VISCERAL_FAT: 0.06,
        Tissue.DISC: 0.06,
    Tissue.ORGAN: 0.10, Tissue.BOWEL: 0.25, Tissue.KIDNEY: 0.10, Tissue.CSF: 0.04, Tissue.FAT_STREAK: 0.12,
        Tissue.FLAVUM: 0.12,
    Tissue.CORD: 0.05, Tissue.ROOT: 0.08, Tissue.EPIDURAL_FAT: 0.06, Tissue.LIGAMENT: 0.15,
        Tissue.MODIC_1: 0.1, Tissue.MODIC_2: 0.1,
    Tissue.VEIN: 0.3, Tissue.EPIDURAL_VEIN: 0.12, Tissue.CORTEX: 0.1, Tissue.ENDPLATE: 0.1, Tissue.OUTER_ANNULUS: 0.1,
}  # fmt: skip
"""Relative deviation of the signal within a tissue."""


_FAT_SHARE: Final[dict[Tissue, float]] = {
    Tissue.SUBCUTANEOUS_FAT: 1.0,
    Tissue.VISCERAL_FAT: 1.0,
    Tissue.EPIDURAL_FAT: 1.0,
    Tissue.FAT_STREAK: 0.9,
    Tissue.MODIC_2: 0.85,
    Tissue.MARROW: 0.55,
}
_FAT_OF_MIXED: Final = (*(0.0,) * 6, 0.1, 0.95)
"""The same for nucleus and annulus, red and yellow marrow."""


def fat_shares() -> Float32[np.ndarray, "tissues"]:
    """Share of the signal that comes from fat, by tissue."""
    return np.array([_FAT_SHARE.get(tissue, 0.0) for tissue in Tissue], np.float32)


@dataclass(frozen=True, slots=True)
class Contrast:
    """How a sequence weights tissue: field in tesla, times in ms, echo train, driven equilibrium ("RESTORE", FRFSE,
    DRIVE).

    `variation_seed` draws this person's relaxation times about the means; `free` (0 to 1) draws signals freely instead,
    for training: 0 is physics, 1 keeps only what a weighting needs to be read (its bright and its dark tissues).
    `water` is the water image of a Dixon sequence; `other_tissues` takes other published relaxation times.
    """

    weighting: Weighting
    tesla: float
    repetition_time: float
    echo_time: float
    inversion_time: float
    echo_train: int
    restored: bool
    variation_seed: int
    free: float = 0.0
    water: bool = False
    other_tissues: bool = False


@dataclass(frozen=True, eq=False)
class Signals:
    """Signal by tissue; of the nucleus by Pfirrmann grade; of the annulus, of red and of yellow marrow; texture by
    tissue."""

    by_tissue: Float32[np.ndarray, "tissues"]
    nucleus: Float32[np.ndarray, "5"]
    annulus: float
    red_marrow: float
    yellow_marrow: float
    texture: Float32[np.ndarray, "tissues"]


def tissue_signals(contrast: Contrast) -> Signals:
    """The signals that a contrast gives, the brightest reference tissue (fluid on T2, fat on T1) at about 1."""
    rng = np.random.default_rng(contrast.variation_seed)
    table = _relaxation(contrast.other_tissues)
    spread = rng.normal(0, 1, (len(table), 3)) * (0.05, 0.12, 0.10)
    freely = rng.normal(0, 0.28, len(table))
    spread[list(_FATS)], freely[list(_FATS)] = spread[Tissue.SUBCUTANEOUS_FAT], freely[Tissue.SUBCUTANEOUS_FAT]
    values = spin_echo(contrast, _at_field(table, contrast.tesla) * np.exp(spread))
    values /= values[Tissue.SUBCUTANEOUS_FAT] if contrast.weighting == "T1" else values[Tissue.CSF]
    if contrast.water:
        values *= 1 - (1 - _LEFT_OF_FAT) * np.array([*fat_shares(), *_FAT_OF_MIXED])
    values *= np.exp(contrast.free * freely)
    values = values ** np.exp(contrast.free * rng.normal(0, 0.18))
    count = len(Tissue)
    nucleus = _falling(values[count : count + 5]) if contrast.weighting != "T1" else values[count : count + 5]
    texture = np.array([_TEXTURE.get(tissue, 0.0) for tissue in Tissue]) * np.exp(rng.normal(0, 0.25, count))
    annulus, red, yellow = (float(value) for value in values[count + 5 :])
    return Signals(
        values[:count].astype(np.float32), nucleus.astype(np.float32), annulus, red, yellow, texture.astype(np.float32)
    )


def _relaxation(other: bool) -> Float64[np.ndarray, "rows 5"]:
    """Rows of the tissues, of the nucleus by grade, of annulus, red and yellow marrow."""
    by_tissue = _RELAXATION | (_OTHER_RELAXATION if other else {})
    mixed = _OTHER_MIXED if other else (_ANNULUS, _RED_MARROW, _YELLOW_MARROW)
    rows = [*(by_tissue[tissue] for tissue in Tissue), *(_OTHER_NUCLEUS if other else _NUCLEUS), *mixed]
    return np.array(rows, np.float64)


def _falling(nucleus: Float64[np.ndarray, "5"]) -> Float64[np.ndarray, "5"]:
    """A higher grade is never the brighter one: that is what the grade means."""
    falling: Float64[np.ndarray, 5] = np.minimum.accumulate(nucleus)
    return falling


def _at_field(table: Float64[np.ndarray, "rows 5"], tesla: float) -> Float64[np.ndarray, "rows 3"]:
    share = np.clip((tesla - 1.5) / 1.5, -0.8, 1)
    return np.stack(
        [
            table[:, 0],
            table[:, 1] + share * (table[:, 2] - table[:, 1]),
            table[:, 3] + share * (table[:, 4] - table[:, 3]),
        ],
        axis=1,
    )


def spin_echo(contrast: Contrast, tissue: Float64[np.ndarray, "rows 3"]) -> Float64[np.ndarray, "rows"]:
    """Fast spin echo signal from (density, T1, T2): plain, with driven equilibrium, or with inversion (magnitude)."""
    density, t1, t2 = tissue.T
    train = contrast.echo_train * 9.0
    decay = np.exp(-contrast.echo_time / t2)
    if contrast.inversion_time:
        late = np.exp(-(contrast.repetition_time - train / 2) / t1)
        recovered = 1 - 2 * np.exp(-contrast.inversion_time / t1) + 2 * late - np.exp(-contrast.repetition_time / t1)
        return np.asarray(density * np.abs(recovered) * decay)
    recovery = np.exp(-np.maximum(contrast.repetition_time - train, 100) / t1)
    if contrast.restored:
        return np.asarray(density * (1 - recovery) / (1 - recovery * np.exp(-train / t2)) * decay)
    return np.asarray(density * (1 - recovery) * decay)
