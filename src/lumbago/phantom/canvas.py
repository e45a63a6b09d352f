"""The arrays that shapes are painted into, one after the other; later paint covers earlier."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from lumbago.phantom.tissues import Tissue


@dataclass(frozen=True, eq=False)
class Canvas:
    """Tissue, structure code, and `shade`: a share from 0 to 1 whose meaning is the tissue's (gel in a disc, below 0
    its fibre; fat in muscle; bowel in the belly's fat; changed marrow)."""

    tissue: UInt8[np.ndarray, " points"]
    part: UInt8[np.ndarray, " points"]
    shade: Float32[np.ndarray, " points"]

    @classmethod
    def blank(cls, count: int) -> "Canvas":
        """Air."""
        return cls(np.zeros(count, np.uint8), np.zeros(count, np.uint8), np.zeros(count, np.float32))

    def paint(
        self,
        mask: Bool[np.ndarray, " points"],
        tissue: Tissue,
        part: int | None = None,
        shade: Float32[np.ndarray, " points"] | float | None = None,
    ) -> None:
        """Covers the points of the mask; what is not given stays."""
        np.putmask(self.tissue, mask, tissue)
        if part is not None:
            np.putmask(self.part, mask, part)
        if shade is not None:
            np.copyto(self.shade, shade, where=mask)

    def taken(self, indices: np.ndarray | slice) -> "Canvas":
        """Some points: a copy, or for a slice a view."""
        return Canvas(self.tissue[indices], self.part[indices], self.shade[indices])

    def followed_by(self, other: "Canvas", times: int) -> "Canvas":
        """All points, and then those of another canvas some times over; a copy."""
        own, more = (self.tissue, self.part, self.shade), (other.tissue, other.part, other.shade)
        return Canvas(*(np.concatenate([a, np.tile(b, times)]) for a, b in zip(own, more, strict=True)))

    def put(self, indices: np.ndarray, other: "Canvas") -> None:
        """Writes points back."""
        self.tissue[indices], self.part[indices], self.shade[indices] = other.tissue, other.part, other.shade
