"""The cross-section of the canal at a disc, shared by drawing (which fits the dural sac to a wanted area) and
rendering.

Coordinates: `x` to the left, `behind` backward from the posterior wall, both in mm of an adult of size 1.
"""

import numpy as np
from jaxtyping import Float32

from lumbago.phantom.shapes import bump
from lumbago.phantom.spine_spec import CanalSpec, SegmentSpec

Coordinates = Float32[np.ndarray, "*points"]

_SETTLES_BY = 11.0
_STEP_OF_SLIP = 0.4
"""Share of a slip by which one of the two bodies stands out where their curved coordinates are blended."""


def bulge_of(segment: SegmentSpec) -> float:
    """How far the disc stands out all along: its bulge, and in a slip the disc that the step uncovers."""
    return segment.disc.bulge + (_STEP_OF_SLIP * abs(segment.slip) if segment.is_slipped else 0.0)


def canal_front(x: Coordinates, segment: SegmentSpec) -> Coordinates:
    """How far disc and bones stand out behind the posterior wall at the disc: bulge, and herniation at its place."""
    disc = segment.disc
    hernia = disc.hernia_depth * bump(x, disc.hernia_x, disc.hernia_width)
    settle = np.clip(1 - (np.abs(x) / (2.2 * _SETTLES_BY)) ** 2, 0, 1)
    front: Coordinates = bulge_of(segment) * settle + hernia
    return front


def front_at(x: float, segment: SegmentSpec) -> float:
    """`canal_front` at one place."""
    return float(canal_front(np.array([x], np.float32), segment)[0])


def ceiling(
    ax: Coordinates, apex: Coordinates | float, corner: tuple[float, Coordinates | float], power: float
) -> Coordinates:
    """Where flavum and facets begin behind the canal: `apex` in the middle, down to `corner` (to the side, behind)."""
    return apex - (apex - corner[1]) * (ax / corner[0]) ** power


def sac_profile(place: Coordinates, front: Coordinates | float, back: Coordinates | float) -> Coordinates:
    """Half width of the sac, 0 to 1, at `place` 0 (front) to 1 (back); equal exponents of 0.5 give an ellipse."""
    inside = np.clip(place, 1e-4, 1 - 1e-4)
    peak = front / (front + back)
    logarithm = front * np.log(inside / peak) + back * np.log((1 - inside) / (1 - peak))
    return np.asarray(np.exp(logarithm))


def sac_apex(segment: SegmentSpec) -> float:
    """How far behind the wall the canal reaches in the middle of the disc."""
    canal = segment.canal
    return front_at(0.0, segment) + canal.front_gap + canal.sac_depth + canal.dorsal_fat


def recess_corners(segment: SegmentSpec) -> tuple[float, float]:
    """How far behind the wall the ceiling of the left and right recess lies: the disc there, and the depth of the
    recess."""
    x = segment.canal.corner_x
    return front_at(x, segment) + segment.left.recess_depth, front_at(-x, segment) + segment.right.recess_depth


def sac_area(segment: SegmentSpec, step: float = 0.5) -> float:
    """Area of the dural sac in the plane of the disc, in mm2 of an adult of size 1."""
    canal, corners = segment.canal, recess_corners(segment)
    x, behind = np.meshgrid(np.arange(-14, 14, step, dtype=np.float32), np.arange(0, 24, step, dtype=np.float32))
    front = canal_front(x, segment) + canal.front_gap
    corner = np.where(x > 0, *corners).astype(np.float32)
    top = ceiling(np.abs(x), sac_apex(segment), (canal.corner_x, corner), canal.ceiling_power)
    inside = in_sac(x, behind - sac_apex(segment) + canal.dorsal_fat + canal.sac_depth, canal)
    return float(np.sum(inside & (behind > front) & (behind < top - 0.4)) * step**2)


def in_sac(x: Coordinates, behind: Coordinates, canal: CanalSpec) -> np.ndarray:
    """Whether points (`behind` counted from the front of the sac) lie in the undisturbed sac."""
    place = behind / canal.sac_depth
    width = canal.sac_half_width * sac_profile(place, canal.sac_front, canal.sac_back)
    return np.asarray((place > 0) & (place < 1) & (np.abs(x) < width))
