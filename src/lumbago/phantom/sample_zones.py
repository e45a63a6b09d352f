"""High-intensity zones: where in the annulus they lie, and their form.

Drawn on top of a common spine with random numbers of its own, so that nothing else of it changes. Of those behind,
`sample_discs` has said which discs have one; here they get their place, and some discs one in front.
"""

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.random import Generator

from lumbago.phantom import degeneration_tables as tables
from lumbago.phantom.spine_spec import DiscSpec, SegmentSpec, SpineSpec, ZoneSpec

_THIRDS_BEHIND: Final = (0.16, 0.25, 0.59)
_THIRDS_IN_FRONT: Final = (0.06, 0.06, 0.88)
"""Shares of zones in the upper, middle and lower third of the annulus (39, 59 and 140 of those behind)."""
_ROUND: Final = 0.61
"""Share of round ones; the others are rims along the annulus (Wang and Hu 2021)."""


def with_zones(spec: SpineSpec) -> SpineSpec:
    """The spine with the high-intensity zones that its seed gives it."""
    rng = np.random.default_rng([spec.seed, 8])
    segments = tuple(replace(segment, disc=_with_zones(rng, segment)) for segment in spec.segments)
    return replace(spec, segments=segments)


def _with_zones(rng: Generator, segment: SegmentSpec) -> DiscSpec:
    disc = segment.disc
    behind, in_front = _form(rng, disc.height, _THIRDS_BEHIND), _form(rng, disc.height, _THIRDS_IN_FRONT)
    chance = tables.ANTERIOR_ZONE[disc.pfirrmann - 1] * tables.ANTERIOR_ZONE_BY_LEVEL.get(segment.name, 0.0)
    x, has_front = float(rng.normal(0, 4)), rng.random() < chance
    zones = [ZoneSpec(zone.x, behind[0], in_front=False, half=behind[1]) for zone in disc.zones]
    zones += [ZoneSpec(x, in_front[0], in_front=True, half=in_front[1])] if has_front else []
    return replace(disc, zones=tuple(zones))


def _form(
    rng: Generator, height: float, thirds: tuple[float, float, float]
) -> tuple[float, tuple[float, float, float]]:
    """How far below the middle of the disc it lies, and half its width, extent inward and height: round, 2 to 4 mm, or
    a rim of 1 to 2 by 4 to 8 mm, as far as the disc is high enough."""
    third, jitter, wide = rng.choice(3, p=thirds), rng.uniform(-0.35, 0.35), rng.uniform(3.0, 6.0)
    is_round, radius = rng.random() < _ROUND, rng.uniform(1.0, 2.0)
    thin, long = rng.uniform(0.6, 1.0), rng.uniform(2.0, 4.0)
    deep, high = (radius, radius) if is_round else (thin, long)
    high = min(high, 0.35 * height)
    room = max(0.5 * height - 0.8 * high, 0.0)
    down = float(np.clip((int(third) - 1 + jitter) / 3 * height, -room, room))
    return down, (float(wide), float(deep), float(high))
