"""The shape of one disc on the maps of its slice, and the canal behind it.

Places are (row, column) and sizes pixels of the maps, which are 1 mm.
"""

from typing import Final

import contourpy
import numpy as np
from jaxtyping import Float32, Float64
from scipy import ndimage

from lumbago.pipeline.disc_chain import DiscPoint

Map = Float32[np.ndarray, "rows columns"]

_SURE: Final = 0.5


def outline_near(disc: Map, point: DiscPoint) -> Float64[np.ndarray, "points 2"]:
    """Contour of the disc that holds (or is nearest to) the point, as (row, column); empty when there is none."""
    reach = 40
    top, left = max(0, round(point.row) - reach), max(0, round(point.column) - reach)
    window = disc[top : top + 2 * reach + 1, left : left + 2 * reach + 1]
    labels, count = ndimage.label(window > _SURE)
    if not count:
        return np.zeros((0, 2))
    at = (min(round(point.row) - top, window.shape[0] - 1), min(round(point.column) - left, window.shape[1] - 1))
    distance, nearest = ndimage.distance_transform_edt(labels == 0, return_indices=True)
    if distance[at] > 4:
        return np.zeros((0, 2))
    own = labels == labels[tuple(nearest[:, at[0], at[1]])]
    lines = contourpy.contour_generator(z=np.pad(np.where(own, window, 0.0), 1)).lines(_SURE)
    longest = max((np.asarray(line, np.float64) for line in lines), key=len)
    return np.asarray(longest[:, ::-1] - 1 + (top, left))


def shape_of(
    outline: Float64[np.ndarray, "points 2"], point: DiscPoint, down: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray, float, float]:
    """(centre, direction to the back, depth, height) of an outlined disc, all in the picture's plane.

    The direction is the long axis of the outline when that is clear and agrees with the spine's course to 35 degrees.
    """
    across = np.array([-down[1], down[0]])
    if len(outline) < 8:
        return np.array([point.row, point.column]), across, 34.0, 8.0
    center = outline.mean(0)
    _, spread, axes = np.linalg.svd(outline - center, full_matrices=False)
    back = axes[0] * np.sign(axes[0] @ across + 1e-9)
    if spread[0] < 1.4 * spread[1] or back @ across < np.cos(np.radians(35)):
        back = across
    along, upright = (outline - center) @ back, (outline - center) @ towards_feet(back)
    middle = np.abs(along - (along.max() + along.min()) / 2) < np.ptp(along) / 4
    lower, upper = upright[middle & (upright > 0)], upright[middle & (upright <= 0)]
    height = float(np.median(lower) - np.median(upper)) if lower.size and upper.size else float(np.ptp(upright))
    shift = (along.max() + along.min()) / 2
    return center + shift * back, back, float(np.ptp(along)), height


def canal_behind(canal: Map, center: np.ndarray, back: np.ndarray, depth_mm: float) -> tuple[np.ndarray, float | None]:
    """Middle and front-to-back width of the canal on the line through the disc; a guess and None when it is not
    seen."""
    distance = np.arange(0.3 * depth_mm, 0.5 * depth_mm + 32.0, 0.5)
    line = center[:, None] + back[:, None] * distance
    values = ndimage.map_coordinates(canal, line, order=1, mode="constant")
    inside = values > _SURE
    if not inside.any():
        return center + back * (0.5 * depth_mm + 8.0), None
    labels, _ = ndimage.label(inside)
    run = np.nonzero(labels == labels[int(np.argmax(values))])[0]
    width = 0.5 * float(run.size)
    return center + back * distance[run].mean(), width


def towards_feet(back: np.ndarray) -> np.ndarray:
    """The (row, column) direction square to `back` that points to the feet."""
    return np.array([back[1], -back[0]])
