"""The signals that grades are judged against, read off the segmentation."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float32

from lumbago.pipeline.locate_discs import PIXEL_MM, LocatedDisc, SpineLocation, channel, grid_spacing, slice_on_grid

_INSIDE: Final = 0.5
_LEAST_PIXELS: Final = 30
_NEAR_MM: Final = 30.0
FAT_TO_MARROW: Final = 1.6


@dataclass(frozen=True, slots=True)
class SignalReference:
    """What bright and middling mean on this series near one disc: cerebrospinal fluid and marrow on T2, fat and marrow
    on T1."""

    bright: float
    middle: float


def signal_references(location: SpineLocation) -> dict[str, SignalReference]:
    """Reference signals near each disc, by level.

    Bright: the 90th percentile in the canal within 30 mm of the disc; a canal that is closed there shows no fluid, so
    it is never taken below 60 % of the whole spine's. Middle: the median of the bodies within 30 mm. Where nothing was
    segmented, the picture's own percentiles stand in.
    """
    return {disc.level: _reference(location, disc) for disc in location.discs}


def fat_references(location: SpineLocation) -> dict[str, SignalReference]:
    """Reference signals on T1, by level: marrow as in `signal_references`, and fat as 1.6 times marrow.

    Fluid is dark on T1, and fat is not segmented; at a marrow fat fraction of 0.45 fat is about 1.5 times as bright
    (signal equation of a spin echo at TR 500 to 700 ms).
    """
    return {
        level: SignalReference(FAT_TO_MARROW * reference.middle, reference.middle)
        for level, reference in signal_references(location).items()
    }


def _reference(location: SpineLocation, disc: LocatedDisc) -> SignalReference:
    maps = location.maps[disc.slice_index]
    image = slice_on_grid(location, disc.slice_index)
    near = _near_rows(location, disc, image.shape[0])
    canal, body = channel(maps, "canal") > _INSIDE, channel(maps, "vertebra") > _INSIDE
    whole = _percentile(image, canal, 90, float(np.percentile(image, 99)))
    bright = max(_percentile(image, canal & near, 90, whole), 0.6 * whole)
    fallback = _percentile(image, body, 50, float(np.percentile(image, 90)))
    return SignalReference(max(bright, 1e-6), max(_percentile(image, body & near, 50, fallback), 1e-6))


def _near_rows(location: SpineLocation, disc: LocatedDisc, rows: int) -> np.ndarray:
    row_mm, _ = grid_spacing(location.volume, location.scale)
    row = float(location.volume.to_ijk(disc.center_lps_mm)[1]) * row_mm / PIXEL_MM
    return np.asarray(np.abs(np.arange(rows) - row)[:, None] < _NEAR_MM / PIXEL_MM)


def _percentile(image: Float32[np.ndarray, "rows columns"], mask: np.ndarray, share: int, otherwise: float) -> float:
    inside = image[mask]
    return float(np.percentile(inside, share)) if inside.size >= _LEAST_PIXELS else otherwise
