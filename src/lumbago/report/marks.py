"""What is drawn on a picture: smooth lines, text that reads on any background, a strip for what belongs beside it.

Coordinates are pixels of the picture, x to the right, y down.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import ceil, floor
from typing import Final, Literal

from PIL import Image, ImageDraw, ImageFont
from PIL.ImageFont import FreeTypeFont

from lumbago.report.level_grid import PHANTOM_MARK

Anchor = Literal["left", "middle", "right"]
PointPx = tuple[float, float]

WHITE: Final = "#FFFFFF"
GREY: Final = "#C0C0C0"
_HALO: Final = "#000000"
_STRIP: Final = "#101010"
_FINE: Final = 4
"""Shapes are drawn this much larger and averaged down, since the library draws lines without smoothing."""


@cache
def _font(size_px: int) -> FreeTypeFont:
    font = ImageFont.load_default(size_px)
    if not isinstance(font, FreeTypeFont):
        raise TypeError("this Pillow was built without FreeType; its wheels have it")
    return font


def text_width(text: str, size_px: int) -> float:
    """Width of a text in pixels; the mark of phantoms counts with the width it is drawn with."""
    plain = text.replace(PHANTOM_MARK, "")
    return _font(size_px).getlength(plain) + 0.5 * size_px * text.count(PHANTOM_MARK)


@dataclass(frozen=True, slots=True)
class Lettering:
    """Size and colour of a text, and which part of it stands at the place that is given."""

    size_px: int
    anchor: Anchor = "left"
    colour: str = WHITE


def draw_text(image: Image.Image, at: PointPx, text: str, style: Lettering) -> None:
    """One line of text, centred on `at` vertically, with a dark rim; kept inside the picture.

    The dagger that marks phantoms is drawn as a shape: the built-in font has none.
    """
    size_px, width = style.size_px, text_width(text, style.size_px)
    left = at[0] - {"left": 0.0, "middle": width / 2, "right": width}[style.anchor]
    left = max(3.0, min(left, image.width - width - 3.0))
    middle = max(0.6 * size_px, min(at[1], image.height - 0.6 * size_px))
    for number, part in enumerate(text.split(PHANTOM_MARK)):
        if number:
            _draw_dagger(image, (left + 0.25 * size_px, middle), style)
            left += 0.5 * size_px
        _draw_plain(image, (left, middle), part, style)
        left += _font(size_px).getlength(part)


def _draw_plain(image: Image.Image, at: PointPx, text: str, style: Lettering) -> None:
    pen, font, rim = ImageDraw.Draw(image), _font(style.size_px), max(1, style.size_px // 9)
    pen.text(at, text, style.colour, font, anchor="lm", stroke_width=rim, stroke_fill=_HALO)


def _draw_dagger(image: Image.Image, at: PointPx, style: Lettering) -> None:
    (x, y), size_px = at, style.size_px
    upright = [(x, y - 0.45 * size_px), (x, y + 0.3 * size_px)]
    bar = [(x - 0.17 * size_px, y - 0.22 * size_px), (x + 0.17 * size_px, y - 0.22 * size_px)]
    width = max(1.8, size_px / 9)
    for paint, thickness in ((_HALO, width + 2.4), (style.colour, width)):
        for points in (upright, bar):
            _paint(image, points, paint, thickness)


def draw_line(image: Image.Image, points: Sequence[PointPx], colour: str, width_px: float) -> None:
    """An open line with a thin dark rim, so that it shows on bright and dark alike."""
    for paint, width in ((_HALO, width_px + 1.6), (colour, width_px)):
        _paint(image, points, paint, width)


def draw_outline(image: Image.Image, points: Sequence[PointPx], colour: str, width_px: float) -> None:
    """A closed line."""
    _paint(image, [*points, *points[:2]], colour, width_px)


def draw_ring(image: Image.Image, at: PointPx, radius_px: float, colour: str, width_px: float) -> None:
    """A circle with a thin dark rim; what it surrounds stays visible."""
    x, y = at
    for paint, width in ((_HALO, width_px + 1.6), (colour, width_px)):
        reach = radius_px + width / 2
        corner, size = _tile((x - reach, y - reach), (x + reach, y + reach))
        tile = Image.new("L", size)
        ends = [(_fine(x + sign * reach, corner[0]), _fine(y + sign * reach, corner[1])) for sign in (-1, 1)]
        ImageDraw.Draw(tile).ellipse([*ends[0], *ends[1]], outline=255, width=round(width * _FINE))
        image.paste(paint, corner, tile.reduce(_FINE))


def _paint(image: Image.Image, points: Sequence[PointPx], colour: str, width_px: float) -> None:
    xs, ys = [x for x, _ in points], [y for _, y in points]
    corner, size = _tile((min(xs) - width_px, min(ys) - width_px), (max(xs) + width_px, max(ys) + width_px))
    tile = Image.new("L", size)
    fine = [(_fine(x, corner[0]), _fine(y, corner[1])) for x, y in points]
    ImageDraw.Draw(tile).line(fine, fill=255, width=max(1, round(width_px * _FINE)), joint="curve")
    image.paste(colour, corner, tile.reduce(_FINE))


def _tile(low: PointPx, high: PointPx) -> tuple[tuple[int, int], tuple[int, int]]:
    """Corner in the picture, and fine size, of the tile that a shape needs."""
    corner = floor(low[0]), floor(low[1])
    return corner, ((ceil(high[0]) - corner[0] + 1) * _FINE, (ceil(high[1]) - corner[1] + 1) * _FINE)


def _fine(value: float, start: int) -> float:
    return (value - start) * _FINE


def draw_scale_bar(image: Image.Image, px_per_mm: float, length_mm: int, size_px: int) -> None:
    """A bar of known length in the lower right corner."""
    right, y = image.width - 14.0, image.height - 12.0
    left = right - length_mm * px_per_mm
    for points in ([(left, y), (right, y)], [(left, y - 5), (left, y + 5)], [(right, y - 5), (right, y + 5)]):
        draw_line(image, points, WHITE, 2.0)
    draw_text(image, ((left + right) / 2, y - size_px), f"{length_mm} mm", Lettering(size_px, "middle"))


def draw_edge_letters(image: Image.Image, letters: tuple[str, str, str, str], size_px: int, side_y: float) -> None:
    """The patient's directions at the left, right, top and bottom edge, the first two so far down."""
    width, height, gap, middle_x = image.width, image.height, 0.8 * size_px, image.width / 2
    places = ((gap, side_y), (width - gap, side_y), (middle_x, gap), (middle_x, height - gap))
    for letter, at in zip(letters, places, strict=True):
        draw_text(image, at, letter, Lettering(size_px, "middle", GREY))


def with_strip(image: Image.Image, lines: Sequence[str], size_px: int) -> Image.Image:
    """The picture with lines of small text below it, broken to its width, outside of the anatomy."""
    broken = [part for line in lines for part in _broken(line, size_px, image.width - 12.0)]
    pitch = round(1.4 * size_px)
    whole = Image.new("RGB", (image.width, image.height + pitch * len(broken) + size_px // 2), _STRIP)
    whole.paste(image)
    for number, line in enumerate(broken):
        at = (6.0, image.height + size_px // 4 + pitch * (number + 0.5))
        draw_text(whole, at, line, Lettering(size_px, colour=GREY))
    return whole


def _broken(line: str, size_px: int, width_px: float) -> list[str]:
    rows = [""]
    for word in line.split():
        longer = f"{rows[-1]} {word}".strip()
        if rows[-1] and text_width(longer, size_px) > width_px:
            rows.append(word)
        else:
            rows[-1] = longer
    return rows
