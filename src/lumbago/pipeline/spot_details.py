"""What is said beyond its presence: of a spot in a disc, a high-intensity zone, front or back of the disc, and how many
slices show it; of a herniation, how far to the side it lies."""

from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64

from lumbago.dicom.volume import Volume
from lumbago.pipeline.crop_patches import Patch, PatchFrame, PatchRecipe, crop_patch

Heat = Float32[np.ndarray, "h w"]


def peak_lps_mm(heat: Heat, frame: PatchFrame, recipe: PatchRecipe) -> Float64[np.ndarray, "3"]:
    """Middle of the strongest cell of a map that covers a patch, in patient millimetres.

    Args:
        recipe: with the pixel size that the patch was cut with.
    """
    row, column = np.unravel_index(int(np.argmax(heat)), heat.shape)
    down_mm = ((int(row) + 0.5) / heat.shape[0] - 0.5) * recipe.rows * recipe.pixel_mm
    along_mm = ((int(column) + 0.5) / heat.shape[1] - 0.5) * recipe.columns * recipe.pixel_mm
    return np.asarray(frame.center_lps_mm + down_mm * frame.down + along_mm * frame.along)


def along_mm(heat: Heat, recipe: PatchRecipe) -> float:
    """How far along the columns from the middle of a patch lies what its map shows: the mean place of all that stands
    out more than half as far from the map's median as its peak does.

    Args:
        recipe: with the pixel size that the patch was cut with.
    """
    above = heat - float(np.median(heat))
    weight = np.where(above > above.max() / 2, above, 0.0).sum(axis=0)
    places = (np.arange(heat.shape[1]) + 0.5) / heat.shape[1] - 0.5
    return float(places @ weight / max(weight.sum(), 1e-6)) * recipe.columns * recipe.pixel_mm


def part_of_disc(point_lps_mm: Float64[np.ndarray, "3"], center: Float64[np.ndarray, "3"], back: np.ndarray) -> str:
    """`anterior` or `posterior`: on which side of the disc's middle a point lies; `back` is the disc's direction."""
    return "posterior" if float((point_lps_mm - center) @ back) > 0 else "anterior"


def each_alone(volume: Volume, frame: PatchFrame, recipe: PatchRecipe) -> list[Patch]:
    """Every slice that a grader sees of a place, as a patch in which it stands in for its neighbours, as in a study of
    one slice; at the ends of a series there are fewer."""
    lone = replace(recipe, slices=1)
    frames = [replace(frame, slice_index=index) for index in seen_alone(volume, frame, recipe)]
    return [np.repeat(crop_patch(volume, one, lone), recipe.slices, axis=0) for one in frames]


def seen_alone(volume: Volume, frame: PatchFrame, recipe: PatchRecipe) -> range:
    """The slices that a grader sees of a place."""
    reach = recipe.slices // 2 + recipe.votes // 2
    return range(max(frame.slice_index - reach, 0), min(frame.slice_index + reach, len(volume.array) - 1) + 1)


def slice_details(present: Float32[np.ndarray, " slices"]) -> dict[str, Any]:
    """How many neighbouring slices show it, and whether two in a row do.

    Args:
        present: its probability on every slice by itself.
    """
    shows = present >= 0.5
    return {
        "slices_counted": int(shows.sum()),
        "on_two_consecutive_slices": bool((shows[1:] & shows[:-1]).any()),
        "slices_looked_at": len(present),
    }
