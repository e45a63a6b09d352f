"""Where a high-intensity zone lies, once a grader says that there is one: the brightest small spot of the annulus.

A zone is a spot of high signal in the annulus with dark annulus all around it (Aprill and Bogduk 1992). So a spot is
judged by how far it stands out of the darkest that is met on the way out in every direction: the nucleus, which goes on
inward, marrow and fluid, which go on outward, stand out of nothing in one of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from jaxtyping import Bool, Float64
from PIL import Image, ImageDraw
from scipy import ndimage

from lumbago.dicom.patient_geometry import distance_to_slice_mm, nearest_slice, slice_normal
from lumbago.dicom.volume import Volume
from lumbago.pipeline.crop_patches import PatchFrame, PatchRecipe, Vector, crop_patch
from lumbago.pipeline.normalise import Picture
from lumbago.pipeline.place_patches import PlacedPatch

_RECIPE: Final = PatchRecipe("disc", 72, 112, 0.5, 1)
_SMOOTH_MM: Final = 0.4
_OVER_EDGE_MM: Final = 1.0
"""An outline may end a little inside the disc, in front and behind."""
_ANNULUS: Final = {"anterior": (0.0, 0.30), "posterior": (0.66, 1.0)}
"""Shares of the disc's depth, from its front."""
_ALONG, _ACROSS = 14, 10
_WAYS: Final = (
    (0, 1, _ALONG), (0, -1, _ALONG), (1, 0, _ACROSS), (-1, 0, _ACROSS),
    (1, 1, _ACROSS), (1, -1, _ACROSS), (-1, 1, _ACROSS), (-1, -1, _ACROSS),
)  # fmt: skip
"""Ways out of a spot: pixels down and along at each step, and how many steps far the dark around it is looked for."""

_T1_RECIPE: Final = PatchRecipe("disc", 7, 7, 0.5, 1)
_T1_BRIGHTER: Final = 1.25


@dataclass(frozen=True, eq=False)
class Spot:
    """A bright spot: the slice that shows it best, its place, and how far it stands out (1: as fluid out of black)."""

    slice_index: int
    point_lps_mm: Vector
    contrast: float


def find_spot(patch: PlacedPatch, part: str, slices: Sequence[int]) -> Spot | None:
    """The spot that stands out most in one part of a disc's annulus, `anterior` or `posterior`, on any of the slices;
    None where the disc has no outline or nothing stands out."""
    outline = np.array(patch.disc.outline_lps_mm, np.float64).reshape(-1, 3)
    if len(outline) < 3 or patch.reference is None:
        return None
    recipe = _RECIPE.scaled(1 / patch.scale)
    region = _annulus(outline, patch.frame, recipe, part)
    spots = [_spot_on(patch, replace(patch.frame, slice_index=index), recipe, region) for index in slices]
    return max((spot for spot in spots if spot is not None), key=lambda spot: spot.contrast, default=None)


def t1_signal(volume: Volume, spot_lps_mm: Vector, disc_lps_mm: Vector, frame: PatchFrame) -> float | None:
    """Signal of a spot on T1 against that of the middle of the disc, both as means over 3.5 mm on the nearest slices of
    the T1 series; None where there is no signal to compare with.

    Args:
        frame: directions of the disc.
    """
    frames = (
        PatchFrame(nearest_slice(volume, point), point, frame.along, frame.down) for point in (spot_lps_mm, disc_lps_mm)
    )
    spot, disc = (float(crop_patch(volume, one, _T1_RECIPE).mean()) for one in frames)
    return spot / disc if disc > 0 else None


def t1_words(ratio: float) -> str:
    """`bright on T1` from a quarter above the disc on, else `not bright on T1`."""
    return "bright on T1" if ratio >= _T1_BRIGHTER else "not bright on T1"


def _annulus(
    outline: Float64[np.ndarray, "corners 3"], frame: PatchFrame, recipe: PatchRecipe, part: str
) -> Bool[np.ndarray, "rows columns"]:
    """The part's share of the outlined disc, and a little over its edge in front and behind."""
    corners = np.stack([_to_px(outline, frame.down, frame, recipe.rows, recipe.pixel_mm),
                        _to_px(outline, frame.along, frame, recipe.columns, recipe.pixel_mm)], axis=1)  # fmt: skip
    mask = Image.new("1", (recipe.columns, recipe.rows))
    ImageDraw.Draw(mask).polygon([(float(column), float(row)) for row, column in corners], fill=1)
    inside, columns = np.array(mask, np.bool_), np.arange(recipe.columns)
    first, last = corners[:, 1].min(), corners[:, 1].max()
    share = np.clip((columns - first) / max(last - first, 1e-6), 0, 1)
    low, high = _ANNULUS[part]
    over = round(_OVER_EDGE_MM / _RECIPE.pixel_mm)
    widened = ndimage.binary_dilation(inside, np.ones((1, 2 * over + 1), np.bool_))
    return np.asarray(widened & (share >= low) & (share <= high))


def _to_px(
    points: Float64[np.ndarray, "n 3"], direction: Vector, frame: PatchFrame, size: int, pixel_mm: float
) -> Float64[np.ndarray, " n"]:
    return np.asarray((points - frame.center_lps_mm) @ direction / pixel_mm + (size - 1) / 2)


def _spot_on(
    patch: PlacedPatch, frame: PatchFrame, recipe: PatchRecipe, region: Bool[np.ndarray, "rows columns"]
) -> Spot | None:
    (picture,) = crop_patch(patch.volume, frame, recipe)
    assert patch.reference is not None
    grey = ndimage.gaussian_filter(picture / patch.reference.bright, _SMOOTH_MM / _RECIPE.pixel_mm)
    peaks = np.argwhere(region & (grey == ndimage.maximum_filter(grey, 3)))
    contrasts = [_contrast(grey, int(row), int(column)) for row, column in peaks]
    if not contrasts or max(contrasts) <= 0:
        return None
    row, column = peaks[int(np.argmax(contrasts))]
    down = (float(row) - (recipe.rows - 1) / 2) * recipe.pixel_mm
    along = (float(column) - (recipe.columns - 1) / 2) * recipe.pixel_mm
    point = frame.center_lps_mm + down * frame.down + along * frame.along
    off = distance_to_slice_mm(patch.volume, frame.slice_index, point)
    return Spot(frame.slice_index, point - off * slice_normal(patch.volume), max(contrasts))


def _contrast(grey: Picture, row: int, column: int) -> float:
    """Of a peak, against the brightest of the darkest places on all ways out."""
    darkest = []
    for down, along, reach in _WAYS:
        steps = np.arange(1, reach + 1)
        rows = np.clip(row + down * steps, 0, grey.shape[0] - 1)
        columns = np.clip(column + along * steps, 0, grey.shape[1] - 1)
        darkest.append(float(grey[rows, columns].min()))
    return float(grey[row, column]) - max(darkest)
