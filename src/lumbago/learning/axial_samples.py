"""Axial slices of phantoms at their discs, with what is to be drawn on them: sac, disc and lateral recesses.

The tissue is rendered in the middle plane of the slice, twice as finely as the network's pixels, so that a target says
how much of its pixel a structure fills.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
from jaxtyping import Bool, Float32

from lumbago.anatomy.levels import LEVELS
from lumbago.dicom.patient_geometry import canonical_axial
from lumbago.dicom.volume import Volume
from lumbago.learning.locator_targets import ONE, LocatorSample, Maps, StoredSlice
from lumbago.learning.phantom_patches import PatchScan, scan_around
from lumbago.learning.sample_cache import ALONE, Piece, Preparation, kept_samples
from lumbago.phantom.landmarks import DiscPlace
from lumbago.phantom.measure_truth import SOLID_TISSUES
from lumbago.phantom.phantom_study import PhantomStudy, phantom_study
from lumbago.phantom.render_spine import Rendered, render
from lumbago.phantom.tissues import FIRST_ARCH, FIRST_DISC, SAC
from lumbago.pipeline.draw_axial import AXIAL
from lumbago.pipeline.normalise import resample_image

SCAN: Final = PatchScan(finest_mm=AXIAL.pixel_mm, sub_slices=3, field_mm=120.0, slices=1)
FINER: Final = 2
FREELY: Final = 0.7
"""Share of phantoms whose contrast is drawn freely instead of by physics."""
_RECESS_HALF_MM: Final = 1.5
_NEAR_MM: Final = 14.0
_WIDEST_MM: Final = 12.0

Mask = Bool[np.ndarray, "rows columns"]
Points = Float32[np.ndarray, "fine_rows fine_columns 3"]


def axial_samples(first_seed: int, count: int, how: Preparation = ALONE) -> list[LocatorSample | StoredSlice]:
    """An axial slice at each lumbar disc of each phantom."""
    pieces = [Piece(_slices_of, (seed,), (seed,)) for seed in range(first_seed, first_seed + count)]
    return kept_samples(pieces, StoredSlice.of_parts, how, "phantom axial slices")


def _slices_of(seed: int) -> Iterator[LocatorSample]:
    rng = np.random.default_rng([seed, 9])
    study = phantom_study(seed, randomised=bool(rng.random() < FREELY))
    for level in LEVELS:
        disc = study.landmarks.disc(level)
        scanned = scan_around(study, "axial_t2", SCAN, (np.array(disc.canal_lps_mm), rng))
        volume = canonical_axial(scanned.volume)
        image = resample_image(
            volume.array[0], (float(volume.spacing_mm[1]), float(volume.spacing_mm[2])), AXIAL.pixel_mm
        )
        targets = axial_targets(study, disc, slice_points(volume, 0, (image.shape[0], image.shape[1])))
        yield LocatorSample(f"phantom_axial_t2:{seed}", f"phantom:{seed}", image, targets)


def slice_points(volume: Volume, index: int, shape: tuple[int, int]) -> Points:
    """Patient points of a grid that covers a slice edge to edge, `FINER` of them along each side of a pixel."""
    rows, columns = (
        (np.arange(FINER * count) + 0.5) * size / (FINER * count) - 0.5
        for count, size in zip(shape, volume.array.shape[1:], strict=True)
    )
    grid = np.stack(np.meshgrid([float(index)], rows, columns, indexing="ij"), axis=-1)[0]
    return np.asarray(volume.to_lps_mm(grid.reshape(-1, 3)).reshape(grid.shape), np.float32)


def axial_targets(study: PhantomStudy, disc: DiscPlace, points: Points) -> Maps:
    """How much of each pixel sac, disc and recess fill (the channels of `draw_axial.AXIAL`), 0 to `ONE`."""
    seen = render(study.spine, points)
    is_disc = (seen.part >= FIRST_DISC) & (seen.part < SAC)
    drawn = np.stack([seen.part == SAC, is_disc, _recesses(study, disc, points, seen)]).astype(np.float32)
    return shares_filled(drawn)


def shares_filled(drawn: Float32[np.ndarray, "channels fine_rows fine_columns"]) -> Maps:
    """From what a finer grid shows to how much of each pixel is filled, 0 to `ONE`."""
    rows, columns = (size // FINER for size in drawn.shape[1:])
    filled = drawn.reshape(len(drawn), rows, FINER, columns, FINER).mean((2, 4))
    return np.asarray(np.rint(filled * ONE), np.uint8)


def _recesses(study: PhantomStudy, disc: DiscPlace, points: Points, seen: Rendered) -> Mask:
    """The strip about each recess between what lies in front (disc or body) and the next solid tissue behind, where
    `measure_truth` measures its depth."""
    size, up, back = study.spine.size, np.array(disc.up), np.array(disc.back)
    offset = points - np.array(disc.canal_lps_mm, np.float32)
    sideways, behind = np.abs(offset @ np.cross(back, up)), offset @ back
    strip = np.abs(sideways - study.spine.segment(disc.level).canal.corner_x * size) <= _RECESS_HALF_MM * size
    near = strip & (np.abs(behind) <= _NEAR_MM * size)
    front = near & ((seen.part > 0) & (seen.part < FIRST_ARCH) | (seen.part >= FIRST_DISC) & (seen.part < SAC))
    return np.asarray(_between(front, near, np.isin(seen.tissue, SOLID_TISSUES)) & near)


def _between(front: Mask, near: Mask, solid: Mask) -> Mask:
    """On each column, the rows from the last of what lies in front to the next solid tissue."""
    rows = np.arange(len(front))[:, None]
    starts = np.where(front, rows, -1).max(axis=0)
    ends = np.where(solid & near & (rows > starts), rows, len(front)).min(axis=0)
    is_closed = (starts >= 0) & (ends < len(front)) & (ends - starts <= FINER * _WIDEST_MM / AXIAL.pixel_mm)
    return np.asarray((rows > starts) & (rows < ends) & is_closed)
