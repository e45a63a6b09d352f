"""What is measured of a patch without any drawn tissue: how much around its middle is bright, and how far that reaches.

Bright is fat on T1, so in a foramen, and fluid and fat on T2, so in a recess. All are shares of the piece looked at.
"""

from typing import Final

import numpy as np
from jaxtyping import Float32, Float64

from lumbago.pipeline.section_outline import largest

_RADII_MM: Final = (4.0, 8.0)
_BRIGHT: Final = (0.35, 0.5, 0.7)
_NAMES: Final = ("mean", "spread", "low", "high", *(f"share_{round(100 * level)}" for level in _BRIGHT), "area", "tall",
                 "wide")  # fmt: skip
AREAS: Final = tuple(f"{name}_{round(radius)}" for radius in _RADII_MM for name in _NAMES)
"""Names of the numbers, in their order: of the pixels within 4, then 8 mm."""


def bright_areas(patch: Float32[np.ndarray, "slices rows columns"], pixel_mm: float) -> Float32[np.ndarray, " areas"]:
    """The numbers of `AREAS` of the middle slice of a patch whose bright reference is 1."""
    picture = patch[len(patch) // 2]
    rows, columns = np.indices(picture.shape, np.float64)
    away = pixel_mm * np.hypot(rows - (picture.shape[0] - 1) / 2, columns - (picture.shape[1] - 1) / 2)
    parts = [_within(np.where(away <= radius, picture, np.nan)) for radius in _RADII_MM]
    return np.concatenate(parts).astype(np.float32)


def _within(picture: Float32[np.ndarray, "rows columns"]) -> Float64[np.ndarray, " numbers"]:
    inside = picture[~np.isnan(picture)].astype(np.float64)
    shares = [float((inside > level).mean()) for level in _BRIGHT]
    own, across = largest(np.nan_to_num(picture) > _BRIGHT[1]), np.sqrt(inside.size)
    sizes = own.sum() / inside.size, own.any(1).sum() / across, own.any(0).sum() / across
    return np.array([inside.mean(), inside.std(), *np.percentile(inside, (10, 90)), *shares, *sizes])
