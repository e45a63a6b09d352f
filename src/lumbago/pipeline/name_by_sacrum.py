"""Which disc is L5/S1, told by the bone below it: for networks that draw tissues before they can tell points apart."""

from typing import Final

import numpy as np
from jaxtyping import Float32
from scipy import ndimage

Map = Float32[np.ndarray, "rows columns"]

NAMES_BY: Final = "names_by"
"""What a card calls it; without it a network's own map of L5/S1 counts."""
SACRUM: Final = "sacrum"

_SIZE_PX: Final = (23, 37)
_BELOW_PX, _BEHIND_PX = 15, 4
"""Size of the window that is looked at, and how far its middle lies below and behind the point: about a vertebral body,
which tilts backward at the sacrum."""
_LEAST: Final = 0.05
_ENOUGH: Final = 0.8


def sacrum_below(vertebra: Map, sacrum: Map) -> Map:
    """How much of the bone below each point is sacrum, 0 to 1: 1 from four fifths on, 0 where there is next to no bone.

    Args:
        vertebra, sacrum: chances of a pixel, pixels of 1 mm; S1 may count as a vertebra too.
    """
    bodies, own = (_window(tissue) for tissue in (vertebra, sacrum))
    bone = np.maximum(bodies, own)
    share = np.divide(own, bone, out=np.zeros_like(own), where=bone > _LEAST)
    return np.asarray(np.clip(share / _ENOUGH, 0, 1), np.float32)


def _window(tissue: Map) -> Map:
    """Mean over the window of each point."""
    mean = ndimage.uniform_filter(tissue, _SIZE_PX, mode="constant")
    return np.asarray(ndimage.shift(mean, (-_BELOW_PX, -_BEHIND_PX), order=0, cval=0.0), np.float32)
