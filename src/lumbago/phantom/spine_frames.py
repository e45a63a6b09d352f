"""Where the bones of a drawn spine lie: one rigid frame per vertebra, and curved coordinates between neighbours.

The inner frame is that of an adult of size 1, upright, its middle body at the origin: +x left, +y backward, +z up.
Around a disc, points get blended coordinates of both neighbours: `x` to the left, `behind` backward from the posterior
wall, `part` from 0 (middle of the body above) to 1 (middle of the body below), `up` in millimetres above the middle of
the disc.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float32, Float64

from lumbago.phantom.anatomy_tables import ALONG_MIDDLE
from lumbago.phantom.spine_spec import SegmentSpec, SpineSpec, VertebraSpec

Points = Float32[np.ndarray, "points 3"]
Matrix = Float64[np.ndarray, "3 3"]


@dataclass(frozen=True, eq=False)
class Frame:
    """A rigid frame: its centre, and its axes (left, back, up) as columns."""

    center: Float64[np.ndarray, "3"]
    axes: Matrix

    def to_local(self, points: Points) -> Points:
        """Coordinates along the axes."""
        local: Points = (points - self.center.astype(np.float32)) @ self.axes.astype(np.float32)
        return local

    def to_inner(self, local: Float64[np.ndarray, "*points 3"]) -> Float64[np.ndarray, "*points 3"]:
        """The inner frame's coordinates of local ones."""
        inner: Float64[np.ndarray, "*points 3"] = local @ self.axes.T + self.center
        return inner


def rotation(left: float, back: float, up: float) -> Matrix:
    """Rotation by degrees about the axes to the left (positive: the front looks down), backward, and up."""
    a, b, c = np.radians((left, back, up))
    about_left = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_back = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    about_up = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    turned: Matrix = about_up @ about_back @ about_left
    return turned


@lru_cache(maxsize=16)
def vertebra_frames(spec: SpineSpec) -> tuple[Frame, ...]:
    """Frames of `spec.vertebrae` in the inner frame."""
    start = Frame(np.zeros(3), rotation(spec.middle_tilt, 0.0, 0.0))
    below, above = [start], [start]
    for index in range(ALONG_MIDDLE, len(spec.segments)):
        below.append(_next(below[-1], spec, index, down=True))
    for index in range(ALONG_MIDDLE - 1, -1, -1):
        above.append(_next(above[-1], spec, index, down=False))
    return (*above[:0:-1], *below)


def _next(frame: Frame, spec: SpineSpec, index: int, down: bool) -> Frame:
    """The frame below (or above) across segment `index`: half a body, the disc along the mean axis, half a body."""
    segment, upper, lower = spec.segments[index], spec.vertebrae[index], spec.vertebrae[index + 1]
    sign = 1.0 if down else -1.0
    near, far = (upper, lower) if down else (lower, upper)
    half, whole = (rotation(sign * s * segment.lordosis, sign * s * segment.lateral_tilt, 0.0) for s in (0.5, 1.0))
    middle, end = frame.axes @ half, frame.axes @ whole
    center = frame.center - sign * frame.axes[:, 2] * near.height / 2
    center = center - sign * middle[:, 2] * segment.disc.height + sign * middle[:, 1] * _setback(segment, upper, lower)
    return Frame(center - sign * end[:, 2] * far.height / 2, end)


def _setback(segment: SegmentSpec, upper: VertebraSpec, lower: VertebraSpec) -> float:
    """How far the centre below is set back so that the posterior walls meet, but for the slip."""
    return wall_at(upper, -upper.height / 2) - wall_at(lower, lower.height / 2) + segment.slip


def to_inner(spec: SpineSpec, points_lps_mm: Points) -> Points:
    """Patient millimetres to the inner frame."""
    moved = points_lps_mm.astype(np.float32) - np.array(spec.offset_lps_mm, np.float32)
    moved[:, 0] *= np.float32(spec.handedness)
    inner: Points = moved @ (rotation(*spec.tilt_degrees) / spec.size).astype(np.float32)
    return inner


def to_lps_mm(spec: SpineSpec, inner: Float64[np.ndarray, "*points 3"]) -> Float64[np.ndarray, "*points 3"]:
    """The inner frame to patient millimetres."""
    return np.asarray(direction_to_lps(spec, inner) * spec.size + np.array(spec.offset_lps_mm))


def direction_to_lps(spec: SpineSpec, vector: Float64[np.ndarray, "*points 3"]) -> Float64[np.ndarray, "*points 3"]:
    """A direction of the inner frame in patient axes."""
    turned: Float64[np.ndarray, "*points 3"] = vector @ rotation(*spec.tilt_degrees).T
    return np.asarray(turned * np.array([spec.handedness, 1, 1]))


def half_depth(vertebra: VertebraSpec, up: np.ndarray) -> np.ndarray:
    """Half the depth of a body at heights above its middle."""
    share = np.clip(up / np.float32(vertebra.height) + np.float32(0.5), 0, 1)
    half: np.ndarray = np.float32(vertebra.depth[1] / 2) + share * np.float32(
        (vertebra.depth[0] - vertebra.depth[1]) / 2
    )
    return half


def wall(vertebra: VertebraSpec, up: np.ndarray) -> np.ndarray:
    """How far behind the axis of a body its posterior wall lies, at heights above its middle. The sacrum tapers in
    front alone."""
    if vertebra.name.startswith("S"):
        return np.full_like(up, vertebra.depth[0] / 2)
    return half_depth(vertebra, up)


def wall_at(vertebra: VertebraSpec, up: float) -> float:
    """`wall` at one height."""
    return float(wall(vertebra, np.array([up], np.float32))[0])


@dataclass(frozen=True, eq=False)
class Between:
    """Points between the middles of two bodies: in the frame of each, and blended.

    `above` and `below` are (left, behind the wall, up) in the frames of the two vertebrae.
    """

    above: tuple[np.ndarray, np.ndarray, np.ndarray]
    below: tuple[np.ndarray, np.ndarray, np.ndarray]
    x: np.ndarray
    behind: np.ndarray
    part: np.ndarray
    up: np.ndarray

    def taken(self, rows: np.ndarray) -> "Between":
        """Some of the points."""
        above, below = ((x[rows], behind[rows], up[rows]) for x, behind, up in (self.above, self.below))
        return Between(above, below, self.x[rows], self.behind[rows], self.part[rows], self.up[rows])


def segment_length(spec: SpineSpec, index: int) -> float:
    """Millimetres from the middle of a body to the middle of the next, between their posterior walls."""
    upper, lower = spec.vertebrae[index], spec.vertebrae[index + 1]
    bodies = (upper.height + lower.height) / 2
    wedge = spec.segments[index].lordosis - (upper.wedge + lower.wedge) / 2
    disc = max(spec.segments[index].disc.height - np.tan(np.radians(wedge)) * upper.depth[1] / 2, 1.0)
    return float(bodies + disc)


def between(spec: SpineSpec, index: int, points: Points) -> Between:
    """Coordinates of inner points between vertebrae `index` and `index + 1`."""
    frames = vertebra_frames(spec)
    above = _behind_wall(spec.vertebrae[index], frames[index].to_local(points))
    below = _behind_wall(spec.vertebrae[index + 1], frames[index + 1].to_local(points))
    over = np.maximum(below[2], 1e-3)
    part = np.clip(-above[2] / (over - above[2] + 1e-6), 0, 1)
    x = above[0] + part * (below[0] - above[0])
    behind = above[1] + part * (below[1] - above[1])
    return Between(above, below, x, behind, part, (0.5 - part) * np.float32(segment_length(spec, index)))


def _behind_wall(vertebra: VertebraSpec, local: Points) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    x, y, z = np.ascontiguousarray(local.T)
    return x, y - wall(vertebra, z), z


def inner_point(spec: SpineSpec, index: int, place: tuple[float, float, float]) -> Float64[np.ndarray, "3"]:
    """The inner point whose blended coordinates (left, behind, up) about disc `index` are given, by a few Newton
    steps."""
    frames = vertebra_frames(spec)
    target = np.array(place)
    point = (frames[index].center + frames[index + 1].center) / 2 + frames[index].axes @ (
        target + np.array([0, spec.vertebrae[index].depth[1] / 2, 0])
    )
    for _ in range(6):
        probes = np.vstack([point, point + 0.5 * np.eye(3)]).astype(np.float32)
        b = between(spec, index, probes)
        values = np.stack([b.x, b.behind, b.up], axis=1).astype(np.float64)
        jacobian = (values[1:] - values[0]).T / 0.5
        point = point + np.linalg.solve(jacobian, target - values[0])
    return np.asarray(point)
