"""Grades that a one-stage detector gives together with its boxes: read off the surest box about each disc."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from jaxtyping import Float32

from lumbago.anatomy.conditions import CONDITIONS
from lumbago.inference.weights import Model
from lumbago.pipeline.locate_discs import SliceReader, run_slice
from lumbago.pipeline.place_patches import PlacedPatch
from lumbago.pipeline.read_boxes import IS, PLACES

_NEAR_PX: Final = 10.0
_LEAST: Final = 1e-6

Detections = Float32[np.ndarray, "anchors values"]


def grades_of_boxes(model: Model, patches: Sequence[PlacedPatch]) -> dict[str, Float32[np.ndarray, "_ grades"]]:
    """The chances of each grade of each condition on the card, a row for each patch.

    The box is the one surest to be a disc about the disc's middle, on the disc's own slice. Scores of a condition's
    grades are divided by their sum; of a condition that only its presence has a class for, the score is divided by
    that of the box being a disc, and the rest is the chance of absence.
    """
    classes = model.card.outputs["boxes"]
    slices: dict[tuple[int, int], Detections] = {}
    best = [_best(model, patch, slices) for patch in patches]
    return {name: np.stack([_chances(name, classes, row) for row in best]) for name in model.card.conditions}


def _best(
    model: Model, patch: PlacedPatch, slices: dict[tuple[int, int], Detections]
) -> Float32[np.ndarray, " classes"]:
    """The class scores of the surest disc about the patch's disc; zeros without an anchor there."""
    reader = SliceReader(model, patch.volume, patch.scale)
    index = patch.disc.slice_index
    place = id(patch.volume), index
    if place not in slices:
        slices[place] = run_slice(model, patch.volume.array[index], reader.spacing_mm).outputs["boxes"][0]
    detections = slices[place]
    row, column = reader.to_grid(patch.disc.center_lps_mm)
    middle = (detections[:, :2] + detections[:, 2:4]) / 2 - 0.5
    near = detections[np.hypot(middle[:, 0] - column, middle[:, 1] - row) < _NEAR_PX, 4:]
    none = np.zeros(detections.shape[1] - 4, np.float32)
    return max(near, key=lambda scores: float(scores[PLACES.index("disc")]), default=none)


def _chances(name: str, classes: Sequence[str], scores: np.ndarray) -> Float32[np.ndarray, " grades"]:
    grades = CONDITIONS[name].scale.grades
    own = [float(scores[number]) for number, label in enumerate(classes) if label.partition(IS)[0] == name]
    if len(own) < len(grades):
        present = min(own[0] / max(float(scores[PLACES.index("disc")]), _LEAST), 1.0)
        return np.array([1 - present, present], np.float32)
    return (np.array(own, np.float32) + _LEAST) / (sum(own) + len(own) * _LEAST)
