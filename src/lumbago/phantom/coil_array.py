"""Another way from signal to image: a few coil elements, each with noise of its own, joined by root sum of squares.

Parallel imaging makes noise uneven, strongest in the middle of the field (Pruessmann, Magn Reson Med 1999;42:952), and
the joined magnitude's noise is no longer Rician (Constantinides, Magn Reson Med 1997;38:852). K-space is cut to an
ellipse by a Fermi window instead of a Gaussian.
"""

import numpy as np
from jaxtyping import Float32

Image = Float32[np.ndarray, "rows columns"]
Points = Float32[np.ndarray, "rows columns 3"]

_PLACES = (((0.0, 70.0), 110.0), ((30.0, -70.0), 120.0), ((-40.0, 0.0), 110.0))
_MOST_NOISE = 1.4


def sensitivities(points: Points, count: int) -> list[Image]:
    """How well each of up to three elements receives, by its place (to the left, up) and reach in mm; together they
    receive 1 in the middle of the image."""
    found = []
    for (left, up), reach in _PLACES[:count]:
        away = (points[..., 0] - np.float32(left)) ** 2 + (points[..., 2] - np.float32(up)) ** 2
        found.append((1 / (1 + away / np.float32(reach**2))).astype(np.float32))
    middle = tuple(size // 2 for size in points.shape[:2])
    whole = np.sqrt(np.sum([element[middle] ** 2 for element in found]))
    return [np.asarray(element / whole, np.float32) for element in found]


def joined(images: list[Image]) -> Float32[np.ndarray, "rows columns"]:
    """Root sum of squares."""
    return np.asarray(np.sqrt(np.sum(np.square(images), axis=0)), np.float32)


def noise_amplification(rows: int, columns: int) -> Float32[np.ndarray, "rows columns"]:
    """Factor on the noise of an accelerated scan: 1 at the border, most in the middle."""
    down, along = (np.sin(np.pi * (np.arange(count) + 0.5) / count) ** 2 for count in (rows, columns))
    return np.asarray(1 + (_MOST_NOISE - 1) * down[:, None] * along[None, :], np.float32)


def fermi_window(rows: int, columns: int, blur: float) -> Float32[np.ndarray, "rows columns"]:
    """What is kept of k-space (in FFT order): nearly all within an ellipse, the smaller the greater the blur."""
    down, along = np.fft.fftfreq(rows)[:, None], np.fft.fftfreq(columns)[None, :]
    edge = np.clip(0.62 - 0.35 * blur, 0.3, 0.5)
    return np.asarray(1 / (1 + np.exp((np.hypot(down, along) - edge) / 0.02)), np.float32)
