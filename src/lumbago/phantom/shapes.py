"""Implicit shapes: functions of coordinates, positive inside, about in millimetres from the surface."""

import numpy as np
from jaxtyping import Float32

Coordinates = Float32[np.ndarray, "*points"]


def smoothstep(value: Coordinates, start: float | Coordinates, end: float | Coordinates) -> Coordinates:
    """0 up to `start`, 1 from `end`, smooth in between."""
    part = np.asarray((value - start) / (end - start))
    np.clip(part, 0, 1, out=part)
    ramp: Coordinates = part * part * (3 - 2 * part)
    return ramp


def ellipse(*axes: tuple[Coordinates, float | Coordinates]) -> Coordinates:
    """Depth inside an ellipse or ellipsoid about the origin, from (coordinate, radius) pairs."""
    square = sum((coordinate / radius) ** 2 for coordinate, radius in axes)
    least = np.minimum.reduce([np.asarray(radius, np.float32) for _, radius in axes])
    depth: Coordinates = (1 - np.sqrt(square)) * least
    return depth


def capsule(
    point: tuple[Coordinates, ...], start: tuple[float, ...], end: tuple[float, ...], radii: tuple[float, float]
) -> Coordinates:
    """Depth inside a rod between two points whose radius changes from one end to the other."""
    along = [b - a for a, b in zip(start, end, strict=True)]
    offsets = [coordinate - np.float32(a) for coordinate, a in zip(point, start, strict=True)]
    length = sum(step * step for step in along)
    place = np.clip(sum(o * np.float32(step / length) for o, step in zip(offsets, along, strict=True)), 0, 1)
    square = sum((o - place * np.float32(step)) ** 2 for o, step in zip(offsets, along, strict=True))
    depth: Coordinates = np.float32(radii[0]) + place * np.float32(radii[1] - radii[0]) - np.sqrt(square)
    return depth


def bump(value: Coordinates, center: float | Coordinates, half_width: float | Coordinates) -> Coordinates:
    """1 at the centre, falling smoothly to 0 at `half_width` from it."""
    part = np.clip(1 - ((value - center) / half_width) ** 2, 0, 1)
    hill: Coordinates = part * part
    return hill
