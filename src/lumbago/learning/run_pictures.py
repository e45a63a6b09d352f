"""Pictures of a run: its curves and its confusion tables, drawn without a plotting library."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import Int64
from PIL import Image, ImageDraw, ImageFont

_SIZE: Final = (900, 520)
_FRAME: Final = (70, 30, 880, 470)
"""Left, top, right, bottom of the plot in pixels."""

_COLOURS: Final = {"loss": (150, 170, 200), "validation_loss": (200, 60, 40)}
_INK: Final = (30, 30, 30)
_CELL: Final = 86
_SMOOTHED_OVER: Final = 15
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def draw_curves(lines: Sequence[Mapping[str, int | float]], path: Path) -> None:
    """Training loss (thin: as it was; thick: running mean) and validation loss over steps."""
    image = Image.new("RGB", _SIZE, "white")
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(14)
    points = {name: [(line["step"], line[name]) for line in lines if name in line] for name in _COLOURS}
    shown = [point for row in points.values() for point in row]
    if shown:
        most = (max(step for step, _ in shown), 1.05 * max(loss for _, loss in shown))
        _draw_axes(draw, font, most)
        for name, row in points.items():
            _draw_line(draw, row, most, (_COLOURS[name], 1 if name == "loss" else 3))
        _draw_line(draw, _smoothed(points["loss"]), most, ((40, 90, 160), 3))
    draw.text((90, 8), "loss on training batches (blue) and on validation (red), by step", _INK, font)
    image.save(path)


def _smoothed(points: Sequence[tuple[int | float, float]]) -> list[tuple[int | float, float]]:
    values = [value for _, value in points]
    return [
        (step, float(np.mean(values[max(0, number - _SMOOTHED_OVER) : number + 1])))
        for number, (step, _) in enumerate(points)
    ]


def _place(point: tuple[int | float, float], most: tuple[int | float, float]) -> tuple[float, float]:
    left, top, right, bottom = _FRAME
    return left + (right - left) * point[0] / max(most[0], 1), bottom - (bottom - top) * point[1] / max(most[1], 1e-9)


def _draw_axes(draw: ImageDraw.ImageDraw, font: Font, most: tuple[int | float, float]) -> None:
    draw.rectangle(_FRAME, outline=_INK)
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        column, row = _place((share * most[0], share * most[1]), most)
        draw.text((column, _FRAME[3] + 6), f"{share * most[0]:.0f}", _INK, font, anchor="ma")
        draw.text((_FRAME[0] - 6, row), f"{share * most[1]:.2f}", _INK, font, anchor="rm")


def _draw_line(
    draw: ImageDraw.ImageDraw,
    points: Sequence[tuple[int | float, float]],
    most: tuple[int | float, float],
    pen: tuple[tuple[int, int, int], int],
) -> None:
    colour, width = pen
    draw.line([_place(point, most) for point in points], colour, width)


def draw_confusion(counts: Int64[np.ndarray, "grades grades"], grades: Sequence[str], path: Path) -> None:
    """Counts, truth down and prediction across; the darker, the larger its share of the true grade."""
    size = len(grades) * _CELL
    image = Image.new("RGB", (size + 130, size + 70), "white")
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(14)
    draw.text((10, 8), "true grade down, given grade across", _INK, font)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    for row, grade in enumerate(grades):
        draw.text((120, 70 + (row + 0.5) * _CELL), grade, _INK, font, anchor="rm")
        draw.text((130 + (row + 0.5) * _CELL, 60), grade, _INK, font, anchor="ms")
        for column in range(len(grades)):
            left, top, share = 130 + column * _CELL, 70 + row * _CELL, float(shares[row, column])
            shade = round(255 - 175 * share)
            draw.rectangle((left, top, left + _CELL - 2, top + _CELL - 2), fill=(shade, shade, 255))
            middle = (left + _CELL / 2, top + _CELL / 2)
            draw.text(middle, f"{counts[row, column]}\n{share:.0%}", _INK, font, anchor="mm")
    image.save(path)
