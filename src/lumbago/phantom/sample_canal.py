"""Drawing canal, recesses and foramina from the latents: each latent moves its geometry monotonically.

The map from latent to geometry follows the published scales (Lurie 2008 for the canal, Bartynski for the recess, Lee
2010 for the foramen); its anchors are the thresholds of the latent. What fills the lost room (disc, flavum, fat,
facet) is drawn apart.
"""

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.random import Generator

from lumbago.phantom.anatomy_tables import SegmentRow
from lumbago.phantom.canal_section import sac_area
from lumbago.phantom.spine_spec import CanalSpec, DiscSpec, SegmentSpec, SideSpec

Thresholds = tuple[float, float]

_RATIO = (1.22, 1.0, 0.67, 0.36, 0.15)
_RECESS_MM = (8.0, 5.4, 3.5, 2.0, 0.5)
_OPENNESS = (1.2, 0.85, 0.5, 0.2, 0.0)
_OPENNESS_AT_CUTS = {"L2/L3": (0.47, 0.2), "L3/L4": (0.475, 0.2), "L5/S1": (0.51, 0.175)}
_RECESS_LESS = {"L1/L2": 0.12, "L5/S1": -0.06}
"""Where a level's tissue leaves more or less room than the drawn size says: what makes measured grades as frequent as
wanted."""
_CUT_SHIFT: Final[dict[str, dict[str, Thresholds]]] = {
    "canal": {
        "L1/L2": (0.04, 0.01),
        "L2/L3": (0.02, 0.05),
        "L3/L4": (0.00, 0.02),
        "L4/L5": (0.03, 0.01),
        "L5/S1": (0.01, 0.01),
    },
    "foramen": {
        "L1/L2": (-0.05, -0.11),
        "L2/L3": (0.03, 0.35),
        "L3/L4": (0.05, 0.20),
        "L4/L5": (-0.02, 0.00),
        "L5/S1": (0.03, -0.20),
    },
    "recess": {
        "L1/L2": (0.00, 0.02),
        "L2/L3": (-0.02, -0.03),
        "L3/L4": (-0.02, 0.00),
        "L4/L5": (0.00, 0.01),
        "L5/S1": (0.01, -0.04),
    },
}
"""By how much of the latent the anchors lie off its thresholds (moderate, severe), so that measured grades are as
frequent as the latents': rendering scatters sizes about the drawn ones, which makes rare grades more frequent. Fitted
by probit regression of measured grades on latents over 1,000 spines (seeds 600000 to 600999); severe foramina of
L3/L4 to L5/S1 once more over 3,000 (seeds 601000 to 603999)."""
_FULL_GAPS = (2.0, 3.2, 2.6, 6.0)
_MORE_IN_FRONT = {"L1/L2": 2.0, "L2/L3": 1.8, "L3/L4": 1.2, "L4/L5": 0.5}
_ROOT_SHARE = {"L1/L2": 0.34, "L2/L3": 0.31, "L3/L4": 0.28, "L4/L5": 0.25, "L5/S1": 0.2}
_CORNER_X = {"L1/L2": 8.7, "L2/L3": 8.5, "L3/L4": 8.3, "L4/L5": 8.4, "L5/S1": 9.6}
_RECESS_ROOT = {"L1/L2": 1.1, "L2/L3": 1.3, "L3/L4": 1.5, "L4/L5": 1.9, "L5/S1": 2.3}
_REACH_MM = 18.5
"""How far behind the wall the canal reaches at most in the middle of a disc: where the laminae begin."""
_CEILING_POWER = {"L1/L2": 3.0, "L2/L3": 2.8, "L3/L4": 2.4, "L4/L5": 2.0, "L5/S1": 2.0}
_DORSAL_FAT = {"L1/L2": 2.0, "L2/L3": 2.8, "L3/L4": 3.6, "L4/L5": 4.2, "L5/S1": 4.5}


def _driven(latent: float, thresholds: Thresholds, values: tuple[float, ...]) -> float:
    """The value at a latent: class borders at the thresholds, linear in between."""
    moderate, severe = thresholds
    knots = (moderate - 2.6, moderate - 1.1, moderate, severe, severe + 1.3)
    return float(np.interp(latent, knots, values))


def _calibrated(latent: tuple[float, Thresholds], condition: str, level: str) -> tuple[float, Thresholds]:
    """A latent with the thresholds where its geometry is anchored."""
    value, (moderate, severe) = latent
    shift = _CUT_SHIFT[condition].get(level, (0.0, 0.0))
    return value, (moderate + shift[0], severe + shift[1])


def expected_sac_area(row: SegmentRow, age: float) -> float:
    """Normal area of the sac at a disc in mm2 of an adult of size 1, shrinking from 30 to 75 years (Spine, 629 healthy
    persons)."""
    return row.sac_area * float(np.interp(age, (30, 75), (1.0, row.sac_at_75)))


def draw_canal(
    rng: Generator, row: SegmentRow, latent: tuple[float, Thresholds], disc: DiscSpec
) -> tuple[CanalSpec, DiscSpec]:
    """Canal at a disc, and the disc with the bulge that helps to narrow it."""
    ratio = _driven(*_calibrated(latent, "canal", row.name), _RATIO)
    lost = row.sac_depth * (1 - min(ratio, 1.0) ** 0.6)
    bulge = max(disc.bulge, min(lost * rng.uniform(0.15, 0.6), 4.5 if disc.is_bulging else 1.3))
    fat = _DORSAL_FAT.get(row.name, 1.5) * rng.uniform(0.5, 1.5) * min(ratio, 1.1) ** 1.2
    if ratio < 0.4 and rng.random() < 0.5:
        fat = 0.3
    gap = rng.uniform(0.5, 1.2) * ratio**0.5 + (rng.uniform(1, 5) * ratio if row.name == "L5/S1" else 0)
    room = max(_REACH_MM - bulge - row.sac_depth * min(ratio, 1.0) ** 0.6, 1.0)
    gap, fat = min(gap, 0.5 * room), max(min(fat, room - min(gap, 0.5 * room)), 0.3)
    triangle = {"L3/L4": 0.1, "L4/L5": 0.22, "L5/S1": 0.15}.get(row.name, 0.0) * rng.uniform(0, 1.6)
    canal = CanalSpec(
        latent=latent[0],
        area_ratio=ratio,
        front_gap=float(gap),
        sac_depth=row.sac_depth,
        sac_half_width=row.sac_area / row.sac_depth / 1.57,
        sac_front=0.5 - 0.5 * triangle,
        sac_back=0.5 + triangle + 0.3 * max(1 - ratio, 0),
        dorsal_fat=float(fat),
        corner_x=_CORNER_X.get(row.name, 8.0) * float(np.exp(rng.normal(0, 0.05))),
        ceiling_power=_CEILING_POWER.get(row.name, 3.0) * float(rng.uniform(0.85, 1.15)),
        flavum=float(3.0 + 2.5 * max(1 - ratio, 0) + rng.uniform(-0.6, 1.0)),
        root_share=float(min(_ROOT_SHARE.get(row.name, 0.3) / ratio**1.6 * rng.uniform(0.85, 1.15), 1.0)),
        waviness=float(rng.uniform(0, 0.3) if ratio < 0.45 else rng.uniform(0, 0.06)),
    )
    return canal, replace(disc, bulge=float(bulge))


def draw_side(
    rng: Generator, row: SegmentRow, recess: tuple[float, Thresholds], foramen: tuple[float, Thresholds]
) -> SideSpec:
    """Recess, foramen and facet joint of one side."""
    anchors = (*_OPENNESS[:2], *_OPENNESS_AT_CUTS.get(row.name, _OPENNESS[2:4]), 0.0)
    openness = _driven(*_calibrated(foramen, "foramen", row.name), anchors)
    depth = _driven(*_calibrated(recess, "recess", row.name), _RECESS_MM)
    wear = float(np.clip(rng.normal(1 - openness, 0.3), 0, 1.3))
    radius = row.ganglion_radius * float(np.exp(rng.normal(0, 0.08)))
    flat = min(openness / 0.2, 1.0)
    return SideSpec(
        recess_latent=recess[0],
        recess_depth=max(depth - _RECESS_LESS.get(row.name, 0.0), 0.4),
        recess_root=_RECESS_ROOT.get(row.name, 1.0) * float(rng.uniform(0.85, 1.15)),
        foramen_latent=foramen[0],
        gaps=_draw_gaps(rng, openness, _MORE_IN_FRONT.get(row.name, 0.0)),
        ganglion=(radius * (0.55 + 0.45 * flat), radius * (0.9 + 0.2 * rng.uniform(0, 1)) * (0.75 + 0.25 * flat)),
        ganglion_x=row.ganglion_x + float(rng.normal(0, 0.5)),
        slit=float(max(4.6 * openness + rng.normal(-0.4, 0.5), 0.0)),
        facet_angle=row.facet_angle + float(rng.normal(0, 5)),
        facet_gap=float(rng.uniform(0.9, 2.0) * (1 - 0.35 * min(wear, 1))),
        facet_fluid=bool(rng.random() < 0.12 + 0.25 * (wear > 0.6)),
        overgrowth=float(3.0 * wear * rng.uniform(0.4, 1)),
    )


def _draw_gaps(rng: Generator, openness: float, more_in_front: float) -> tuple[float, float, float, float]:
    """Room before, behind, above and below the ganglion; two opposite sides are lost first, as in Lee's grade 1."""
    early, late = rng.uniform(0.42, 0.6, 2), rng.uniform(0.15, 0.34, 2)
    gone = (early[0], early[1], late[0], late[1]) if rng.random() < 0.5 else (late[0], late[1], early[0], early[1])
    full_gaps = (_FULL_GAPS[0] + more_in_front, *_FULL_GAPS[1:])
    room = [full * np.clip((openness - lost) / (1 - lost), 0, 1.3) for full, lost in zip(full_gaps, gone, strict=True)]
    jittered = [float(value * rng.uniform(0.85, 1.15)) for value in room]
    return jittered[0], jittered[1], jittered[2], jittered[3]


def fit_sac(segment: SegmentSpec, area: float) -> SegmentSpec:
    """The segment with its sac scaled to an area, within the canal that it has; depth shrinks more than width."""
    low, high = 0.03, 2.5
    for _ in range(12):
        middle = (low * high) ** 0.5
        low, high = (middle, high) if sac_area(_scaled(segment, middle)) < area else (low, middle)
    return _scaled(segment, (low * high) ** 0.5)


_SHRINK, _GROW = 0.6, 0.2


def _scaled(segment: SegmentSpec, factor: float) -> SegmentSpec:
    canal = segment.canal
    share = _SHRINK if factor < 1 else _GROW
    depth, width = canal.sac_depth * factor**share, canal.sac_half_width * factor ** (1 - share)
    return replace(segment, canal=replace(canal, sac_depth=depth, sac_half_width=width))
