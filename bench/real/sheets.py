"""Sheets of pictures with marks: what was looked at, what a model said, what a reader said."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from lumbago.labels.picture_slices import LabelledSlice, read_picture
from lumbago.report.marks import Lettering, draw_line, draw_ring, draw_text

TRUE, FOUND, PLAIN = "#56B4E9", "#E69F00", "#FFFFFF"
_TITLE_PX = 20


@dataclass(frozen=True)
class Window:
    """A rectangle of a picture, in pixels (row, column), and by how much it is enlarged."""

    top: float
    left: float
    rows: float
    columns: float
    scale: float

    @classmethod
    def about(cls, center: tuple[float, float], size: tuple[float, float], height_px: int) -> "Window":
        return cls(center[0] - size[0] / 2, center[1] - size[1] / 2, *size, height_px / size[0])

    def to_px(self, row: float, column: float) -> tuple[float, float]:
        """x, y on the tile, below its title."""
        return (column + 0.5 - self.left) * self.scale, (row + 0.5 - self.top) * self.scale + 2 * _TITLE_PX


class Tile:
    """A piece of a picture under two lines of text, to be drawn on."""

    def __init__(self, row: LabelledSlice, window: Window, title: Sequence[str]) -> None:
        grey = read_picture(row)
        grey = np.clip(grey * 255 / max(float(np.percentile(grey, 99.7)), 1.0), 0, 255)
        self.window = window
        cut = self._cut(grey.astype(np.uint8), Image.Resampling.BICUBIC)
        self.image = Image.new("RGB", (cut.width, cut.height + 2 * _TITLE_PX))
        self.image.paste(cut, (0, 2 * _TITLE_PX))
        self.title = title

    def _cut(self, picture: np.ndarray, resampling: Image.Resampling) -> Image.Image:
        window = self.window
        size = round(window.columns * window.scale), round(window.rows * window.scale)
        box = window.left, window.top, window.left + window.columns, window.top + window.rows
        return Image.fromarray(picture).transform(size, Image.Transform.EXTENT, box, resampling)

    def shade(self, mask: np.ndarray, colour: str) -> None:
        """Half a colour over the pixels of a mask."""
        cut = self._cut(mask.astype(np.uint8) * 128, Image.Resampling.NEAREST)
        self.image.paste(Image.new("RGB", cut.size, colour), (0, 2 * _TITLE_PX), cut)

    def ring(self, place: tuple[float, float], colour: str, text: str = "") -> None:
        """A ring, and a text to the left of it."""
        x, y = self.window.to_px(*place)
        draw_ring(self.image, (x, y), 5, colour, 1.5)
        draw_text(self.image, (x - 10, y), text, Lettering(13, "right", colour))

    def cross(self, place: tuple[float, float], colour: str, text: str = "") -> None:
        """A cross, and a text to the right of it."""
        x, y = self.window.to_px(*place)
        for step in (5, -5):
            draw_line(self.image, [(x - 5, y - step), (x + 5, y + step)], colour, 1.5)
        draw_text(self.image, (x + 10, y), text, Lettering(13, "left", colour))

    def box(self, edges: tuple[float, float, float, float], colour: str) -> None:
        """A rectangle by its top, bottom, left and right."""
        top, bottom, left, right = (edge - 0.5 for edge in edges)
        corners = [(top, left), (top, right), (bottom, right), (bottom, left), (top, left)]
        draw_line(self.image, [self.window.to_px(*corner) for corner in corners], colour, 1.5)


def titled(tile: Tile) -> Image.Image:
    """With its lines of text, on black, over whatever was drawn there."""
    image = tile.image.copy()
    image.paste("#000000", (0, 0, image.width, 2 * _TITLE_PX))
    for number, line in enumerate(tile.title):
        draw_text(image, (4, (number + 0.5) * _TITLE_PX), line, Lettering(14))
    return image


def write_sheet(tiles: Sequence[Tile], columns: int, path: Path) -> None:
    """Tiles side by side."""
    wide, high = (max((tile.image.size[axis] for tile in tiles), default=1) + 6 for axis in (0, 1))
    sheet = Image.new("RGB", (wide * columns, high * -(-len(tiles) // columns)))
    for number, tile in enumerate(tiles):
        sheet.paste(titled(tile), (number % columns * wide, number // columns * high))
    sheet.save(path)
