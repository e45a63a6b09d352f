"""Tissues as a network draws them on a window of one slice, about a disc or beside it, and their outlines."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Final, TypeVar

import contourpy
import numpy as np
from jaxtyping import Bool, Float32, Float64
from scipy import ndimage

from lumbago.anatomy.findings import Measurement, Outline
from lumbago.anatomy.levels import Side
from lumbago.dicom.patient_geometry import sample_plane, slice_normal
from lumbago.dicom.volume import Volume
from lumbago.inference.weights import Model
from lumbago.pipeline.crop_patches import PatchFrame
from lumbago.pipeline.locate_discs import LocatedDisc
from lumbago.pipeline.normalise import three_views
from lumbago.pipeline.section_outline import largest

INSIDE: Final = 0.5
"""From this chance on a pixel lies in a structure."""

POSSIBLE, _SURE, _SURE_SHARE = 0.25, 0.75, 0.5
"""Of what could be a structure, so much must surely be it. On 30 phantoms (seeds from 5000) that leaves out no sac of
144, 5 of 287 recesses, narrow ones, and a tenth of the discs, which slices cut aslant; on 40 patients' slices 7 of 37
sacs, all of them drawn wrong. Chosen on these; foramina follow it."""

Map = Float32[np.ndarray, "rows columns"]
Maps = Float32[np.ndarray, "channels rows columns"]
Mask = Bool[np.ndarray, "rows columns"]
Place = tuple[str, str, Side | None]
"""Condition, level and side of the finding that a size stands beside."""
Sizes = Mapping[Place, Mapping[str, Measurement]]


@dataclass(frozen=True, slots=True)
class Window:
    """What a network draws, and on what.

    Attributes:
        channels: names of its maps, in order.
        pixel_mm: size of its pixels; size: its rows, and its columns.
        least_mm2: a structure that is smaller was not seen.
    """

    channels: tuple[str, ...]
    pixel_mm: float
    size: int
    least_mm2: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class Drawing:
    """The tissues on a window of a slice.

    Attributes:
        window: what every drawing of its kind shows.
        disc: whose level it shows.
        volume, frame: where it lies: on the frame's slice, in whose plane the unit vectors are.
        maps: chance of each of the window's channels, 0 to 1.
        seen: what lies on the picture.
    """

    window: ClassVar[Window]

    disc: LocatedDisc
    volume: Volume
    frame: PatchFrame
    maps: Maps = field(repr=False)
    seen: Mask = field(repr=False)

    def channel(self, name: str) -> Map:
        """One of the maps by name."""
        return np.asarray(self.maps[self.window.channels.index(name)])

    def whole(self, name: str, chance: Map) -> Mask | None:
        """The largest connected piece of a structure; None where it was not seen, is not sure, or is cut off by the
        picture's edge."""
        possible, piece = largest(chance > POSSIBLE), largest(chance > INSIDE)
        is_unsure = (possible & (chance > _SURE)).sum() < _SURE_SHARE * possible.sum()
        is_cut_off = (ndimage.binary_dilation(piece) & ~self.seen).any()
        is_small = piece.sum() * self.window.pixel_mm**2 < self.window.least_mm2[name]
        return None if is_small or is_unsure or is_cut_off else piece

    def filled(self, name: str, mask: Mask) -> Map:
        """The chances in a piece and along its edge, where they are the share of a pixel that is filled."""
        return np.asarray(np.where(ndimage.binary_dilation(mask, iterations=2), self.channel(name), 0), np.float32)

    def outline(self, structure: str, name: str, piece: Mask) -> Outline:
        """A closed polygon around a piece of a channel."""
        chance = np.where(ndimage.binary_dilation(piece), self.channel(name), 0)
        lines = contourpy.contour_generator(z=np.pad(chance, 1)).lines(INSIDE)
        longest = max((np.asarray(line, np.float64) - 1 for line in lines), key=len)[:, ::-1]
        header = self.volume.headers[self.frame.slice_index]
        return Outline(
            self.disc.level, structure, header.series_instance_uid, header.sop_instance_uid, header.frame,
            tuple((round(x, 2), round(y, 2), round(z, 2)) for x, y, z in self._points(longest).tolist()),
        )  # fmt: skip

    def _points(self, places: Float64[np.ndarray, "points 2"]) -> Float64[np.ndarray, "points 3"]:
        """Patient points of (row, column)."""
        offset = self.window.pixel_mm * (places - (self.window.size - 1) / 2)
        return np.asarray(self.frame.center_lps_mm + offset @ np.stack([self.frame.down, self.frame.along]))


_Kind = TypeVar("_Kind", bound=Drawing)


def draw_window(
    kind: type[_Kind], model: Model, disc: LocatedDisc, volume: Volume, frame: PatchFrame, *own: Any
) -> _Kind:
    """What the model draws about the middle of a frame, which is carried onto its slice; `own` attributes of the kind
    of drawing come last."""
    flat, pixel_mm, size = onto_slice(volume, frame), kind.window.pixel_mm, kind.window.size
    picture = cut_square(volume, flat, pixel_mm, size)
    seen = cut_square(replace(volume, array=np.ones_like(volume.array)), flat, pixel_mm, size) > INSIDE
    return kind(disc, volume, flat, draw_picture(model, picture, pixel_mm), seen, *own)


def cut_square(volume: Volume, frame: PatchFrame, pixel_mm: float, pixels: int) -> Map:
    """A square of the frame's slice about its middle; 0 beyond the picture."""
    down, along = pixel_mm * frame.down, pixel_mm * frame.along
    origin = frame.center_lps_mm - (pixels - 1) / 2 * (down + along)
    return sample_plane(volume, frame.slice_index, origin, down, along, (pixels, pixels))


def onto_slice(volume: Volume, frame: PatchFrame) -> PatchFrame:
    """The frame with its middle and its unit vectors carried onto its slice."""
    normal = slice_normal(volume)
    middle = volume.to_ijk(frame.center_lps_mm)
    middle[0] = frame.slice_index
    down = frame.down - (frame.down @ normal) * normal
    down /= np.linalg.norm(down)
    along = np.cross(normal, down) * np.sign(np.cross(normal, down) @ frame.along)
    return replace(frame, center_lps_mm=volume.to_lps_mm(middle), down=down, along=along)


def draw_picture(model: Model, picture: Map, pixel_mm: float) -> Maps:
    """Chances of the model's channels on a picture whose sides divide by the model's stride."""
    logits = model.run(three_views(picture, pixel_mm)[None])["maps"][0]
    return np.asarray(1 / (1 + np.exp(-logits)), np.float32)
