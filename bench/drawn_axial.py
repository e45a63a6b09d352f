"""What is drawn and measured on phantoms' axial slices, held against their tissue: for `bench/sizes.py`."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from lumbago.anatomy.levels import SIDES
from lumbago.dicom.patient_geometry import canonical_axial
from lumbago.dicom.volume import Volume
from lumbago.inference.weights import Model
from lumbago.learning.axial_samples import FINER, axial_targets
from lumbago.learning.locator_targets import ONE
from lumbago.phantom.measure_truth import measure_truth
from lumbago.phantom.phantom_study import PhantomStudy
from lumbago.pipeline.axial_sizes import axial_sizes
from lumbago.pipeline.draw_axial import AXIAL_MM, CHANNELS, LEAST_MM2, WINDOW, AxialDrawing, draw_axial
from lumbago.pipeline.locate_discs import SpineLocation
from lumbago.pipeline.place_patches import LocatedSpine

Sizes = dict[tuple[str, str], float]


def axial_volumes(study: PhantomStudy, *, turned: bool) -> list[Volume]:
    """The axial series as an analysis has it; `turned` shows bright as dark."""
    volumes = [canonical_axial(part.volume) for part in study.scan("axial_t2")]
    if not turned:
        return volumes
    top = max(float(np.percentile(volume.array, 99.5)) for volume in volumes)
    return [replace(volume, array=np.clip(top - volume.array, 0, top).astype(np.float32)) for volume in volumes]


def drawn(model: Model, location: SpineLocation, volumes: list[Volume]) -> tuple[AxialDrawing, ...]:
    """What an analysis draws."""
    return draw_axial(model, LocatedSpine({"sagittal_t2": location}, {}, {}), volumes)


def true_axial_sizes(study: PhantomStudy) -> Sizes:
    """In the plane of the disc: the sac where it is narrowest within 3 mm, the recess as in `measure_truth`."""
    truths = measure_truth(study.spine)
    sac = {
        (name, truth.level): float(getattr(truth, name))
        for truth in truths
        for name in ("sac_area_mm2", "sac_depth_mm", "sac_width_mm")
    }
    recess = {
        (f"{side}_recess_depth_mm", truth.level): truth.sides[side].recess_depth_mm
        for truth in truths
        for side in SIDES
    }
    return sac | recess


def drawn_sizes(drawings: tuple[AxialDrawing, ...]) -> Sizes:
    """What a report would state."""
    return {
        (f"{side}_{name}" if side else name, drawing.disc.level): size.value
        for drawing in drawings
        for side in (None, *SIDES)
        for name, size in axial_sizes(drawing, side).items()
    }


def overlaps(study: PhantomStudy, drawings: tuple[AxialDrawing, ...]) -> Iterator[tuple[str, float]]:
    """(tissue, Dice) of every drawing against the tissue in the plane of its slice, where there is some."""
    for drawing in drawings:
        truth = axial_targets(study, study.landmarks.disc(drawing.disc.level), _points(drawing)) > ONE / 2
        for name, there in zip(CHANNELS, truth, strict=True):
            found = drawing.channel(name) > 0.5
            if there.sum() * AXIAL_MM**2 >= LEAST_MM2[name]:
                yield name, 2 * float((found & there).sum()) / float(found.sum() + there.sum())


def _points(drawing: AxialDrawing) -> np.ndarray:
    place = ((np.arange(FINER * WINDOW) + 0.5) / FINER - 0.5) * AXIAL_MM
    rows, columns = place[:, None, None] * drawing.down, place[None, :, None] * drawing.along
    return np.asarray(drawing.origin_lps_mm + rows + columns, np.float32)
