"""A grader's patch as another locator, another scanner and a mirrored patient would have given it.

Drawn first as a frozen spec, then applied, as in `augment`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float32
from numpy.random import Generator

from lumbago.learning.augment import Scanner, draw_scanner, rescan, tone
from lumbago.learning.experiment import Experiment
from lumbago.pipeline.crop_patches import PatchRecipe, crop_patch, patch_views
from lumbago.pipeline.measure_spine import SignalReference
from lumbago.pipeline.study_input import Croppable

Patch = Float32[np.ndarray, "slices rows columns"]
Views = Float32[np.ndarray, "slices 3 rows columns"]

_SCALE_SPREAD: Final = 0.08
_LONE_SLICE: Final = 0.2
"""Share of patches whose neighbouring slices are not there, as in a study of one slice."""


@dataclass(frozen=True, slots=True)
class Shake:
    """What happens to a patch.

    Attributes:
        shift_mm: (down, along) error of the point; turn_degrees: of the frame; zoom: of the patch's piece of the body.
        slices: error of the middle slice, in slices.
        scanner: what the picture would look like elsewhere.
        is_lone: the middle slice stands in for its neighbours; is_mirrored: the patient's left is the right.
    """

    shift_mm: tuple[float, float]
    turn_degrees: float
    zoom: float
    scanner: Scanner
    is_lone: bool
    slices: int = 0
    is_mirrored: bool = False


def draw_shake(rng: Generator, experiment: Experiment, slice_mm: float) -> Shake:
    """A shake by the experiment's settings; `slice_mm` is the distance of the volume's slices. Settings that are off
    draw nothing, so that batches of older experiments stay what they were."""
    freedom = experiment.shift_freedom
    shift = experiment.shift_mm * rng.standard_t(freedom, 2) if freedom else rng.normal(0, experiment.shift_mm, 2)
    return Shake(
        shift_mm=(float(shift[0]), float(shift[1])),
        turn_degrees=float(rng.normal(0, experiment.turn_degrees)),
        zoom=float(np.exp(rng.normal(0, _SCALE_SPREAD))),
        scanner=draw_scanner(
            rng,
            0.5 * experiment.augmentation,
            wild=0.0,
            resolution=experiment.resolution,
            sharpening=experiment.sharpening,
        ),
        is_lone=bool(rng.random() < _LONE_SLICE),
        slices=round(float(rng.normal(0, experiment.slice_shift_mm)) / slice_mm) if experiment.slice_shift_mm else 0,
        is_mirrored=bool(experiment.mirror and rng.random() < experiment.mirror),
    )


def shaken_patch(sample: Croppable, recipe: PatchRecipe, shake: Shake) -> Views:
    """Network input of a patch after the shake."""
    frame = sample.frame.shaken(shake.shift_mm, shake.turn_degrees, shake.slices)
    patch = crop_patch(sample.volume, frame, recipe.scaled(shake.zoom / sample.scale))
    if shake.is_lone:
        patch = np.repeat(patch[recipe.slices // 2][None], recipe.slices, axis=0)
    if shake.is_mirrored:
        patch = MIRRORED[recipe.anchor](patch)
    return rescanned_views(patch, sample.reference, shake.scanner, recipe)


def _slices_reversed(patch: Patch) -> Patch:
    return patch[::-1]


def _columns_reversed(patch: Patch) -> Patch:
    return patch[..., ::-1]


def _unchanged(patch: Patch) -> Patch:
    return patch


MIRRORED: Final[Mapping[str, Callable[[Patch], Patch]]] = {
    "disc": _slices_reversed,
    "disc_t1": _slices_reversed,
    "canal": _slices_reversed,
    "foramen": _slices_reversed,
    "recess": _unchanged,
    "axial_disc": _columns_reversed,
}
"""The same place of a patient whose left and right are exchanged, by anchor: a left foramen becomes a right one, with
the left one's grade. Sagittal slices come in the opposite order. A recess looks the same, because its frame runs
outward on both sides: right ones are mirrored wherever patches are placed. A disc on axial slices is turned
over in its picture."""


def rescanned_views(patch: Patch, reference: SignalReference | None, spec: Scanner, recipe: PatchRecipe) -> Views:
    """Network input of a patch seen by the drawn scanner; the references pass through the same contrast curve."""
    full = reference.bright if reference is not None else max(float(np.percentile(patch, 99)), 1e-6)
    seen = np.stack([rescan(picture / full, spec) for picture in patch])
    if reference is None:
        return patch_views(seen, None, recipe)
    bright, middle = tone(np.array([1.0, reference.middle / full], np.float32), spec)
    return patch_views(seen, SignalReference(float(bright), max(float(middle), 1e-3)), recipe)
