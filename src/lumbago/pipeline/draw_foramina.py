"""What a network draws on the parasagittal slice through each foramen: its opening, and the ganglion in it."""

from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np

from lumbago.anatomy.findings import Outline
from lumbago.anatomy.levels import LEVELS, Side
from lumbago.inference.weights import Model
from lumbago.pipeline.drawn_tissues import Drawing, Map, Mask, Window, draw_window
from lumbago.pipeline.place_patches import LocatedSpine, foramen_frame

FORAMINA: Final = Window(("foramen", "ganglion"), 0.5, 96, {"foramen": 15.0, "ganglion": 4.0})
"""A foramen is all that its bones, disc and flavum leave open, ganglion and vessels with the fat; a ganglion is the
root where it leaves."""
_REACH_MM: Final = 18.0
"""How far from the middle a foramen, or a ganglion, is that of this level; the truth of an adult of size 1 ends there,
too. What a large one has beyond is left out, as the next one begins there in a small one."""


@dataclass(frozen=True, eq=False)
class ForamenDrawing(Drawing):
    """One foramen on a sagittal slice; rows run down across the disc of its level, columns backward along it.

    Attributes:
        side: the patient's.
    """

    window: ClassVar[Window] = FORAMINA

    side: Side

    def near(self, name: str) -> Map:
        """A map without what lies at other levels."""
        return np.asarray(np.where(_NEAR, self.channel(name), 0), np.float32)

    def piece(self, name: str) -> Mask | None:
        """A tissue, as `whole` has it."""
        return self.whole(name, self.near(name))

    def outlines(self) -> tuple[Outline, ...]:
        """Closed polygons around what was seen: the foramen, and the ganglion where a foramen is."""
        if self.piece("foramen") is None:
            return ()
        drawn = [(name, self.piece(name)) for name in FORAMINA.channels]
        return tuple(self.outline(f"{self.side} {name}", name, piece) for name, piece in drawn if piece is not None)


def _near() -> Mask:
    away = (np.arange(FORAMINA.size) - (FORAMINA.size - 1) / 2) * FORAMINA.pixel_mm
    return np.asarray(np.hypot(away[:, None], away) <= _REACH_MM)


_NEAR: Final = _near()


def draw_foramina(model: Model, spine: LocatedSpine) -> tuple[ForamenDrawing, ...]:
    """The drawing of each foramen that was seen on sagittal T1; none where the stated pixel size is not believed."""
    location = spine.sagittal.get("sagittal_t1")
    if location is None or location.scale != 1.0:
        return ()
    places = [(location.disc(level), side, point) for (level, side), point in spine.foramina.items() if level in LEVELS]
    return tuple(
        draw_window(ForamenDrawing, model, disc, point.volume, foramen_frame(disc, point), side)
        for disc, side, point in places
        if disc is not None and disc.confidence > 0 and point.confidence > 0
    )
