"""Drawing what goes wrong in a scan: chemical shift, echo-train blur, flow, ghosts, motion, wrap, metal, failed fat
suppression.

Chemical shift comes from field and bandwidth (SPIDER's scanner table, van der Graaf 2024); how often and how much the
rest goes wrong is general knowledge, not measured.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.random import Generator

from lumbago.anatomy.conditions import Role
from lumbago.anatomy.findings import Point
from lumbago.phantom.landmarks import DiscPlace, landmarks
from lumbago.phantom.spine_spec import SpineSpec

_FAT_HZ_PER_TESLA: Final = 149.3
_ECHO_MS: Final = 9.0
_T2_MS: Final = 110.0


@dataclass(frozen=True, slots=True)
class Screw:
    """A void around metal: its middle, the direction of its length, half its length and its radius in mm."""

    center_lps_mm: Point
    along: Point
    half_length: float
    radius: float


@dataclass(frozen=True, slots=True)
class Artefacts:
    """What goes wrong in one series; zeros where nothing does.

    Phase is encoded from row to row (`phase_down`) or from column to column, frequency along the other axis.
    `fat_shift` is in acquired pixels along frequency; `decay` the echo train's length over T2, its middle echo at the
    middle of k-space unless `centric`. `flow` is the share of fluid signal lost in patches; `ghost` the share of
    the belly's signal that is repeated `ghost_mm` away along phase; `motion_mm` the spread of shifts between
    `motion_parts` parts of the scan; `wrap` the share of the field that folds over at both ends of phase; `fat_left`
    the share of fat's signal that failed suppression leaves at the ends of the field.
    """

    phase_down: bool = True
    fat_shift: float = 0.0
    decay: float = 0.0
    centric: bool = False
    flow: float = 0.0
    ghost: float = 0.0
    ghost_mm: float = 0.0
    motion_mm: float = 0.0
    motion_parts: int = 1
    wrap: float = 0.0
    fat_left: float = 0.0
    metal: tuple[Screw, ...] = ()
    seed: int = 0


NO_ARTEFACTS: Final = Artefacts()


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What artefacts depend on: role and weighting, field in tesla, Hz per pixel, echo train."""

    role: Role
    weighting: str
    tesla: float
    bandwidth: float
    echo_train: int


def draw_artefacts(rng: Generator, of: Circumstances, metal: tuple[Screw, ...]) -> Artefacts:
    """Artefacts at their rates: ghosts in 20 % (axial 30 %), flow in 45 % of axial T2 (sagittal T2 25 %), motion mild
    in 10 % and strong in 3 %, wrap in 3 %, failed suppression in 5 %; chemical shift and echo-train blur always."""
    axial = of.role == "axial_t2"
    chance = rng.random(5)
    motion = rng.uniform(1.0, 3.0) if chance[0] < 0.03 else rng.uniform(0.3, 1.0) if chance[0] < 0.13 else 0.0
    flows = of.weighting == "T2" and chance[1] < (0.45 if axial else 0.25)
    shift = _FAT_HZ_PER_TESLA * of.tesla / of.bandwidth * float(rng.choice((-1, 1)))
    return Artefacts(
        phase_down=not axial or bool(rng.random() < 0.6),
        fat_shift=round(shift, 3),
        decay=round(of.echo_train * _ECHO_MS / _T2_MS, 3),
        centric=of.weighting == "T1",
        flow=float(rng.uniform(0.2, 0.8)) * (1.0 if axial else 0.6) * flows,
        ghost=float(rng.uniform(0.02, 0.10)) * bool(chance[2] < (0.3 if axial else 0.2)),
        ghost_mm=float(rng.uniform(20, 90)),
        motion_mm=float(motion),
        motion_parts=int(rng.integers(3, 9)),
        wrap=float(rng.uniform(0.01, 0.05)) * bool(chance[3] < 0.03),
        fat_left=float(rng.uniform(0.1, 0.6)) * (of.weighting == "STIR" and bool(chance[4] < 0.05)),
        metal=metal,
        seed=int(rng.integers(2**31)),
    )


def draw_screws(rng: Generator, spine: SpineSpec) -> tuple[Screw, ...]:
    """Screws through the pedicles beside one of the two lowest discs, in 3 % of persons."""
    if rng.random() >= 0.03:
        return ()
    places = {place.level: place for place in landmarks(spine).discs}
    place = places["L4/L5" if rng.random() < 0.6 else "L5/S1"]
    return tuple(_screw(rng, place, side, rise) for rise in (17.0, -17.0) for side in (-1, 1))


def _screw(rng: Generator, place: DiscPlace, side: int, rise: float) -> Screw:
    up, back = np.array(place.up), np.array(place.back)
    left = np.cross(back, up)
    along = back + side * rng.uniform(0.15, 0.35) * left
    center = np.array(place.canal_lps_mm) + rise * up + side * 15 * left - 6 * back
    return Screw(_point(center), _point(along / np.linalg.norm(along)), rng.uniform(19, 26), rng.uniform(5, 9))


def _point(vector: np.ndarray) -> Point:
    return float(vector[0]), float(vector[1]), float(vector[2])
