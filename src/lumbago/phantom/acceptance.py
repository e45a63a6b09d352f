"""What the drawn phantoms must look like as a crowd: their measured grades, signals, points and series, each compared
with the published statistic that it stands for.

`check` functions take what was counted and give `Check` rows; nothing here is needed to make a phantom. Statistics of
RSNA 2024 (LumbarDISC, arXiv 2506.09162) are those of `rsna_latents`, those of discs are SPIDER's (Sci Data
2024;11:264).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np
from jaxtyping import Bool, Float64, Int8

from lumbago.anatomy.levels import LEVELS
from lumbago.phantom.degeneration_tables import PFIRRMANN_FROM
from lumbago.phantom.measure_truth import (
    COARSE,
    FAT_SHARE_CUTS,
    RECESS_CUTS_MM,
    SAC_RATIO_CUTS,
    LevelTruth,
    MeasuringGrid,
    measure_truth,
    measure_voxels,
    severity,
)
from lumbago.phantom.rsna_latents import ROWS
from lumbago.phantom.sample_spine import sample_spine

Counted = Int8[np.ndarray, "spines 6 5"]
"""Grades 0, 1, 2 by row of `rsna_latents.ROWS`, then Pfirrmann 1 to 5, each from L1/L2 down."""

_GRADES: Final = ("normal_mild", "moderate", "severe")
_CANAL, _FORAMEN, _RECESS, _PFIRRMANN = slice(0, 1), slice(1, 3), slice(3, 5), 5


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the table: what was wanted, what was found, and whether that is near enough."""

    name: str
    wanted: str
    found: str
    passed: bool


def count_spine(seed: int, grid: MeasuringGrid = COARSE) -> Int8[np.ndarray, "6 5"]:
    """Measured grades of one spine, in the form of one row of `Counted`."""
    return grades_of(measure_truth(sample_spine(seed), grid))


def grades_of(truths: Sequence[LevelTruth]) -> Int8[np.ndarray, "6 5"]:
    """Measured grades of a spine in numbers."""
    rows = [[_GRADES.index(truth.grade(row.condition, row.side)) for truth in truths] for row in ROWS]
    return np.array([*rows, [int(truth.grade("pfirrmann")) for truth in truths]], np.int8)


# --- grades ----------------------------------------------------------------------------------------------------------


def check_prevalences(counted: Counted) -> list[Check]:
    """Share of each grade by condition, side and level, within the larger of 1 point and 3 standard errors."""
    checks = []
    for number, row in enumerate(ROWS):
        for place, level in enumerate(LEVELS):
            wanted = _shares((row.moderate_from[place], row.severe_from[place]))
            found = np.array([np.mean(counted[:, number, place] == grade) for grade in range(3)])
            name = f"{row.condition} {row.side or ''} {level}".replace("  ", " ")
            checks.append(_shares_check(name, wanted, found, (0.01, len(counted))))
    return checks


def check_pfirrmann(counted: Counted) -> list[Check]:
    """Share of each Pfirrmann grade by level, within 3 points or 3 standard errors."""
    checks = []
    for place, level in enumerate(LEVELS):
        found = np.array([np.mean(counted[:, _PFIRRMANN, place] == grade) for grade in range(1, 6)])
        checks.append(_shares_check(f"pfirrmann {level}", _shares(PFIRRMANN_FROM[level]), found, (0.03, len(counted))))
    return checks


def _shares(thresholds: Iterable[float]) -> Float64[np.ndarray, "grades"]:
    """Shares of the grades that probit thresholds stand for."""
    return np.diff([0.0, *(NormalDist().cdf(value) for value in thresholds), 1.0])


def _shares_check(
    name: str, wanted: Float64[np.ndarray, " grades"], found: Float64[np.ndarray, " grades"], near: tuple[float, int]
) -> Check:
    passed = all(abs(a - b) <= _slack(a, *near) for a, b in zip(wanted, found, strict=True))
    return Check(name, _percent(wanted), _percent(found), passed)


def _slack(share: float, least: float, count: int) -> float:
    """The larger of a least distance and three standard errors of a share."""
    return max(least, 3 * float(np.sqrt(share * (1 - share) / max(count, 1))))


def _percent(shares: Iterable[float]) -> str:
    return " / ".join(f"{100 * share:.1f}" for share in shares) + " %"


JOINT: Final[dict[str, float]] = {
    "all 25 grades normal": 0.129,
    "any severe": 0.498,
    "any severe canal": 0.176,
    "no canal above normal": 0.630,
    "one canal above normal": 0.207,
    "two canals above normal": 0.103,
    "three canals or more above normal": 0.061,
    "worse recess normal, canal normal": 0.696,
    "worse recess moderate, canal normal": 0.229,
    "worse recess severe, canal normal": 0.075,
    "worse recess normal, canal moderate": 0.104,
    "worse recess moderate, canal moderate": 0.396,
    "worse recess severe, canal moderate": 0.500,
    "worse recess normal, canal severe": 0.014,
    "worse recess moderate, canal severe": 0.156,
    "worse recess severe, canal severe": 0.829,
    "foramina alike left and right": 0.757,
    "recesses alike left and right": 0.737,
}
"""What the grades of RSNA 2024 have in common: shares of studies; of levels, given the canal; of pairs of sides.
As the latents of `rsna_latents` give them; the training labels themselves lie within 0.015 of these, but for recesses
beside severe canals (0.009, 0.119, 0.872)."""


def check_joint(counted: Counted) -> list[Check]:
    """`JOINT` within 0.03 or 3 standard errors."""
    shares = _joint_shares(counted)
    return [
        Check(name, f"{wanted:.3f}", f"{np.mean(found):.3f}", _near_share(wanted, found))
        for (name, wanted), found in zip(JOINT.items(), shares, strict=True)
    ]


def _near_share(wanted: float, found: Bool[np.ndarray, "*_"]) -> bool:
    return bool(found.size) and abs(float(np.mean(found)) - wanted) <= _slack(wanted, 0.03, found.size)


def _joint_shares(counted: Counted) -> list[Bool[np.ndarray, "*_"]]:
    canal, foramen, recess = counted[:, 0], counted[:, _FORAMEN], counted[:, _RECESS]
    grades, narrow, worse = counted[:, :5], (counted[:, 0] > 0).sum(axis=1), counted[:, _RECESS].max(axis=1)
    given_canal = [worse[canal == state] == grade for state in range(3) for grade in range(3)]
    return [
        (grades == 0).all(axis=(1, 2)),
        (grades == 2).any(axis=(1, 2)),
        (canal == 2).any(axis=1),
        *(narrow == count for count in range(3)),
        narrow >= 3,
        *given_canal,
        foramen[:, 0] == foramen[:, 1],
        recess[:, 0] == recess[:, 1],
    ]


# --- truth -----------------------------------------------------------------------------------------------------------


def check_grids(fine: Counted, coarse: Counted) -> list[Check]:
    """How often the coarse grid gives the grade of the full one, and whether it leans to one side."""
    checks = []
    for name, rows in (("canal", _CANAL), ("foramina", _FORAMEN), ("recesses", _RECESS)):
        same = float(np.mean(fine[:, rows] == coarse[:, rows]))
        lean = float(np.mean(coarse[:, rows].astype(float) - fine[:, rows]))
        checks.append(
            Check(f"coarse grid agrees, {name}", ">= 95 %, leaning < 0.02", f"{100 * same:.1f} %, leaning {lean:+.3f}",
                  same >= 0.95 and abs(lean) < 0.02)
        )  # fmt: skip
    return checks


def check_mirror(seeds: Iterable[int]) -> Check:
    """A mirrored person has the mirrored grades; sides change places."""
    order, wrong, total = [0, 2, 1, 4, 3, 5], 0, 0
    for seed in seeds:
        spec = sample_spine(seed)
        here, there = grades_of(measure_truth(spec)), grades_of(measure_truth(spec.mirrored()))
        wrong, total = wrong + int(np.sum(here != there[order])), total + here.size
    return Check("grades of a mirrored person are mirrored", ">= 99 %", f"{100 - 100 * wrong / total:.1f} % of {total}",
                 wrong <= 0.01 * total)  # fmt: skip


_VOXEL_MM: Final = 0.5
_BLUR: Final = {"canals": 0.04, "foramina": 0.06, "recesses": 0.6}
"""What voxels of that size leave open: share of a sac's area, share of a ganglion's circumference, mm."""


def check_voxels(seeds: Iterable[int]) -> list[Check]:
    """Grades measured again on voxels of 0.5 mm: the same, or so near a cut that voxels cannot tell."""
    pairs = [
        pair
        for spec in map(sample_spine, seeds)
        for truth, again in zip(measure_truth(spec), measure_voxels(spec, _VOXEL_MM), strict=True)
        for pair in _pairs(truth, again, spec.size)
    ]
    return [_voxel_check(name, [pair for pair in pairs if pair[0] == name]) for name in _BLUR]


Pair = tuple[str, float, float, tuple[float, float]]
"""A kind of place, its size as measured and from voxels, and the cuts."""


def _pairs(truth: LevelTruth, again: LevelTruth, size: float) -> list[Pair]:
    found: list[Pair] = [("canals", truth.sac_ratio, again.sac_ratio, SAC_RATIO_CUTS)]
    for side, one in truth.sides.items():
        other = again.sides[side]
        found.append(("foramina", one.fat_share, other.fat_share, FAT_SHARE_CUTS))
        found.append(("recesses", one.recess_depth_mm / size, other.recess_depth_mm / size, RECESS_CUTS_MM))
    return found


def _voxel_check(name: str, pairs: list[Pair]) -> Check:
    same = [severity(one, cuts) == severity(other, cuts) for _, one, other, cuts in pairs]
    open_ = [min(abs(one - cut) for cut in cuts) <= _BLUR[name] for _, one, _, cuts in pairs]
    explained = float(np.mean(np.logical_or(same, open_)))
    return Check(f"grades again from voxels, {name}", ">= 99 % the same or at a cut",
                 f"{100 * explained:.1f} % of {len(pairs)}, the same {100 * np.mean(same):.1f} %",
                 explained >= 0.99)  # fmt: skip
