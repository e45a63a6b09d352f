"""Named places of a drawn spine in patient millimetres (LPS)."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from lumbago.anatomy.findings import Point
from lumbago.anatomy.levels import Side
from lumbago.phantom.canal_section import front_at
from lumbago.phantom.render_foramen import foramen_shape
from lumbago.phantom.spine_frames import direction_to_lps, inner_point, to_lps_mm, vertebra_frames
from lumbago.phantom.spine_spec import SegmentSpec, SideSpec, SpineSpec


@dataclass(frozen=True, slots=True)
class DiscPlace:
    """A disc: its centre, the middle of the dural sac behind it, foramina (the root under the pedicle) and recesses,
    and the normal of its plane.

    Sides are the patient's. `up` points to the head, `back` backward in the plane of the disc, both unit vectors.
    """

    level: str
    center_lps_mm: Point
    canal_lps_mm: Point
    foramen_lps_mm: dict[Side, Point]
    recess_lps_mm: dict[Side, Point]
    up: Point
    back: Point


@dataclass(frozen=True, slots=True)
class Landmarks:
    """All discs from the top down, rudimentary sacral ones too, and the centres of the bodies by name."""

    discs: tuple[DiscPlace, ...]
    bodies_lps_mm: dict[str, Point]

    def disc(self, level: str) -> DiscPlace:
        """The disc of a level, as `L4/L5`."""
        return next(disc for disc in self.discs if disc.level == level)


@lru_cache(maxsize=16)
def landmarks(spec: SpineSpec) -> Landmarks:
    """Places of a spine."""
    discs = tuple(_disc_place(spec, index) for index in range(len(spec.segments)))
    frames = zip(spec.vertebrae, vertebra_frames(spec), strict=True)
    return Landmarks(discs, {v.name: _point(to_lps_mm(spec, frame.center)) for v, frame in frames})


def point_at(spec: SpineSpec, level: str, place: tuple[float, float, float]) -> Point:
    """The patient point whose blended coordinates about a disc (left in the spec's own frame, behind the wall, above
    the middle of the disc) are given."""
    return _at(spec, [segment.name for segment in spec.segments].index(level), place)


def _point(vector: np.ndarray) -> Point:
    return float(vector[0]), float(vector[1]), float(vector[2])


def _disc_place(spec: SpineSpec, index: int) -> DiscPlace:
    segment, above, below = spec.segments[index], spec.vertebrae[index], spec.vertebrae[index + 1]
    frames = vertebra_frames(spec)[index : index + 2]
    mean = frames[0].axes + frames[1].axes
    ends = (
        frames[0].to_inner(np.array([0, 0, -above.height / 2])),
        frames[1].to_inner(np.array([0, 0, below.height / 2])),
    )
    canal = segment.canal
    front = front_at(0.0, segment) + canal.front_gap
    sides = _sides(spec, segment)
    return DiscPlace(
        level=segment.name,
        center_lps_mm=_point(to_lps_mm(spec, (ends[0] + ends[1]) / 2)),
        canal_lps_mm=_at(spec, index, (0.0, front + canal.sac_depth / 2, 0.0)),
        foramen_lps_mm={side: _foramen(spec, index, (own, sign)) for side, own, sign in sides},
        recess_lps_mm={side: _recess(spec, index, (own, sign)) for side, own, sign in sides},
        up=_point(_unit(direction_to_lps(spec, mean[:, 2]))),
        back=_point(_unit(direction_to_lps(spec, mean[:, 1]))),
    )


def _unit(vector: np.ndarray) -> np.ndarray:
    return np.asarray(vector / np.linalg.norm(vector))


def _sides(spec: SpineSpec, segment: SegmentSpec) -> tuple[tuple[Side, SideSpec, int], tuple[Side, SideSpec, int]]:
    """(patient side, its spec, sign of x in the inner frame); in a mirror image the sides change places."""
    if spec.handedness == 1:
        return ("left", segment.left, 1), ("right", segment.right, -1)
    return ("left", segment.right, -1), ("right", segment.left, 1)


def _at(spec: SpineSpec, index: int, place: tuple[float, float, float]) -> Point:
    return _point(to_lps_mm(spec, inner_point(spec, index, place)))


def _foramen(spec: SpineSpec, index: int, side: tuple[SideSpec, int]) -> Point:
    root = foramen_shape(spec, index, side[1])
    return _at(spec, index, (side[1] * root.ax, root.behind, root.up))


def _recess(spec: SpineSpec, index: int, side: tuple[SideSpec, int]) -> Point:
    segment = spec.segments[index]
    x = side[1] * segment.canal.corner_x
    front = front_at(x, segment)
    return _at(spec, index, (x, front + side[0].recess_depth / 2, -1.0))
