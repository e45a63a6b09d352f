"""Sagittal slices of phantoms at their foramina, with what is to be drawn on them: the opening, and the ganglion in it.

Pictures lie straight with the disc of their level, as an analysis has them. The tissue is rendered in the middle plane
of the slice, twice as finely as the network's pixels.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
from jaxtyping import Float32

from lumbago.anatomy.levels import SIDES
from lumbago.dicom.patient_geometry import canonical_sagittal
from lumbago.learning.axial_samples import FINER, FREELY, shares_filled
from lumbago.learning.locator_targets import LocatorSample, Maps, StoredSlice
from lumbago.learning.phantom_patches import SITES, PatchScan, scan_around
from lumbago.learning.sample_cache import ALONE, Piece, Preparation, kept_samples
from lumbago.phantom.phantom_study import PhantomStudy, phantom_study
from lumbago.phantom.render_spine import render
from lumbago.phantom.tissues import EXITING_LEFT, EXITING_RIGHT, FORAMEN
from lumbago.pipeline.crop_patches import PatchFrame
from lumbago.pipeline.draw_foramina import FORAMINA
from lumbago.pipeline.drawn_tissues import cut_square, onto_slice

SCAN: Final = PatchScan(finest_mm=FORAMINA.pixel_mm, sub_slices=3, field_mm=84.0, slices=1)
_PIXELS: Final = 128
_BESIDE_MM, _ALONG_MM, _ACROSS_MM = 9.0, 18.0, 16.0
"""How far from its middle a foramen reaches backward, up or down, and sideways, in mm of an adult of size 1: the plane
on which `measure_truth` measures it."""
_EXITING: Final = (EXITING_LEFT, EXITING_RIGHT)


def foramen_samples(first_seed: int, count: int, how: Preparation = ALONE) -> list[LocatorSample | StoredSlice]:
    """A sagittal T1 slice at each foramen of each phantom."""
    pieces = [Piece(_slices_of, (seed,), (seed,)) for seed in range(first_seed, first_seed + count)]
    return kept_samples(pieces, StoredSlice.of_parts, how, "phantom foramina")


def _slices_of(seed: int) -> Iterator[LocatorSample]:
    rng = np.random.default_rng([seed, 10])
    study = phantom_study(seed, randomised=bool(rng.random() < FREELY))
    for site in SITES["foramen"](study):
        scanned = scan_around(study, "sagittal_t1", SCAN, (site.point_lps_mm, rng))
        volume = canonical_sagittal(scanned.volume)
        frame = onto_slice(volume, PatchFrame(0, site.point_lps_mm, site.along, site.down))
        targets = foramen_targets(study, grid_points(frame, FINER * _PIXELS, FORAMINA.pixel_mm / FINER))
        yield LocatorSample(
            f"phantom_foramen_t1:{seed}",
            f"phantom:{seed}",
            cut_square(volume, frame, FORAMINA.pixel_mm, _PIXELS),
            targets,
        )


def grid_points(frame: PatchFrame, pixels: int, pixel_mm: float) -> Float32[np.ndarray, "rows columns 3"]:
    """Patient points of a square grid about the middle of a frame, `pixels` wide."""
    away = ((np.arange(pixels) - (pixels - 1) / 2) * pixel_mm)[:, None]
    down, along = away * frame.down, away * frame.along
    return np.asarray(frame.center_lps_mm + down[:, None] + along[None], np.float32)


def foramen_targets(study: PhantomStudy, points: Float32[np.ndarray, "fine_rows fine_columns 3"]) -> Maps:
    """How much of each pixel foramen and ganglion fill (the channels of `draw_foramina.FORAMINA`), 0 to `ONE`."""
    part = render(study.spine, points).part
    size, near = study.spine.size, np.zeros(part.shape, bool)
    for disc in study.landmarks.discs:
        up, back = np.array(disc.up), np.array(disc.back)
        axes = np.stack([back, up, np.cross(back, up)]).astype(np.float32)
        for side in SIDES:
            away = np.abs((points - np.array(disc.foramen_lps_mm[side], np.float32)) @ axes.T) / size
            near |= (away <= (_BESIDE_MM, _ALONG_MM, _ACROSS_MM)).all(axis=-1)
    root = near & np.isin(part, _EXITING)
    return shares_filled(np.stack([root | near & (part == FORAMEN), root]).astype(np.float32))
