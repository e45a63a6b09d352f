"""What is drawn and measured on phantoms' axial slices and in their foramina, held against their tissue: for
`bench/sizes.py`."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from lumbago.anatomy.levels import SIDES
from lumbago.dicom.patient_geometry import canonical_axial, canonical_sagittal
from lumbago.dicom.volume import Volume
from lumbago.inference.weights import Model
from lumbago.learning.axial_samples import FINER, axial_targets
from lumbago.learning.foramen_samples import foramen_targets, grid_points
from lumbago.learning.locator_targets import ONE, Maps
from lumbago.phantom.measure_truth import LevelTruth
from lumbago.phantom.phantom_study import PhantomStudy
from lumbago.pipeline.draw_tissues import DRAWERS
from lumbago.pipeline.drawn_tissues import Drawing
from lumbago.pipeline.locate_discs import SpineLocation, locate_discs
from lumbago.pipeline.locate_study import locate_spine
from lumbago.pipeline.place_patches import LocatedSpine

Sizes = dict[tuple[str, str], float]


@dataclass(frozen=True, slots=True)
class Kind:
    """What is known of the tissue that a model draws: the sizes of a phantom, and the true maps of a drawing's level at
    points of its slice."""

    truth: Callable[[Sequence[LevelTruth]], Sizes]
    targets: Callable[[PhantomStudy, str, np.ndarray], Maps]


def _true_on_axial(truths: Sequence[LevelTruth]) -> Sizes:
    """In the plane of the disc: the sac where it is narrowest within 3 mm, the recess as in `measure_truth`."""
    names = ("sac_area_mm2", "sac_depth_mm", "sac_width_mm")
    sac = {(name, truth.level): float(getattr(truth, name)) for truth in truths for name in names}
    return sac | _of_sides(truths, ("recess_depth_mm",))


def _true_in_foramina(truths: Sequence[LevelTruth]) -> Sizes:
    """In the plane of the ganglion, as in `measure_truth`."""
    return _of_sides(truths, ("foramen_height_mm", "foramen_area_mm2"))


def _of_sides(truths: Sequence[LevelTruth], names: Sequence[str]) -> Sizes:
    return {
        (f"{side}_{name}", truth.level): float(getattr(truth.sides[side], name))
        for truth in truths
        for side in SIDES
        for name in names
    }


KINDS: Final[Mapping[str, Kind]] = {
    "axial-tissues": Kind(
        _true_on_axial, lambda study, level, points: axial_targets(study, study.landmarks.disc(level), points)
    ),
    "foramen-tissues": Kind(_true_in_foramina, lambda study, _, points: foramen_targets(study, points)),
}
"""By the name of the model, as `draw_tissues.DRAWERS`."""


def located_spine(
    locator: Model, study: PhantomStudy, t2: SpineLocation, *, is_turned: bool
) -> tuple[LocatedSpine, list[Volume]]:
    """What is located on a phantom, and its axial volumes, as an analysis has them; turned pictures show bright as
    dark, and are for drawing on alone."""
    t1 = locate_discs(locator, canonical_sagittal(study.scan("sagittal_t1")[0].volume))
    axials = [canonical_axial(part.volume) for part in study.scan("axial_t2")]
    spine = locate_spine(locator, {"sagittal_t2": t2, "sagittal_t1": t1}, ())
    if is_turned:
        axials, (shown,) = _turned(axials), _turned([spine.sagittal["sagittal_t1"].volume])
        foramina = {place: replace(point, volume=shown) for place, point in spine.foramina.items()}
        spine = replace(spine, foramina=foramina)
    return spine, axials


def _turned(series: Sequence[Volume]) -> list[Volume]:
    top = max(float(np.percentile(volume.array, 99.5)) for volume in series)
    return [replace(volume, array=np.clip(top - volume.array, 0, top).astype(np.float32)) for volume in series]


def drawn_sizes(name: str, drawings: Sequence[Drawing]) -> Sizes:
    """What a report would state."""
    return {
        (f"{side}_{size}" if side else size, level): measured.value
        for drawing in drawings
        for (_, level, side), sizes in DRAWERS[name].sizes(drawing).items()
        for size, measured in sizes.items()
    }


def overlaps(name: str, study: PhantomStudy, drawings: Sequence[Drawing]) -> Iterator[tuple[str, float]]:
    """(tissue, Dice) of every drawing against the tissue in the plane of its slice, where there is some."""
    for drawing in drawings:
        window = drawing.window
        points = grid_points(drawing.frame, FINER * window.size, window.pixel_mm / FINER)
        truth = KINDS[name].targets(study, drawing.disc.level, points) > ONE / 2
        for tissue, there in zip(window.channels, truth, strict=True):
            found = drawing.channel(tissue) > 0.5
            if there.sum() * window.pixel_mm**2 >= window.least_mm2[tissue]:
                yield tissue, 2 * float((found & there).sum()) / float(found.sum() + there.sum())
