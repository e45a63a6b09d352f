"""Located discs made up from a few numbers, for what is decided from places alone."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from painted_spine import affine_of, make_header

from lumbago.anatomy.levels import level_from_bottom
from lumbago.dicom.volume import Volume
from lumbago.pipeline.locate_discs import CHANNELS, DiscFrame, LocatedDisc, SpineLocation


def small_volume(slices: int = 9, pixel_mm: float = 1.0, frame_of_reference: str = "1", **fields: object) -> Volume:
    affine = affine_of([(4.0, 0, 0), (0, 0, -pixel_mm), (0, pixel_mm, 0)], (-16.0, -50.0, 100.0))
    headers = tuple(make_header("1.1", n, frame_of_reference_uid=frame_of_reference) for n in range(slices))
    return replace(Volume(np.zeros((slices, 12, 10), np.float32), affine, headers), **fields)  # type: ignore[arg-type]


def discs_every(
    steps_mm: Sequence[float], depth_mm: float = 34.0, confidences: Sequence[float] | None = None, first: int = 1
) -> tuple[LocatedDisc, ...]:
    """From the bottom up at these distances; the lowest lies at z = -70 and is number `first` from the sacrum."""
    frame = DiscFrame(np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.0, -1.0]), depth_mm, 9.0)
    heights = -70 + np.cumsum([0.0, *steps_mm])
    certain = confidences or [0.95] * len(heights)
    return tuple(
        LocatedDisc(
            level_from_bottom(first + n), confidence, 4, np.array([0.0, 0.0, z]), frame, (),
            np.array([0.0, 27.0, z]), None,
        )
        for n, (z, confidence) in enumerate(zip(heights.tolist(), certain, strict=True))
    )  # fmt: skip


def location_of(
    discs: Sequence[LocatedDisc], *, name_is_sure: bool = True, scale: float = 1.0, volume: Volume | None = None
) -> SpineLocation:
    blank = np.zeros((len(CHANNELS), 12, 10), np.float32)
    return SpineLocation(volume or small_volume(), tuple(discs), name_is_sure, {4: blank}, scale)
