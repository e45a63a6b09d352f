"""Pixels as the networks see them: resampled to millimetres and freed of the scanner's scale and coil shading.

Training and analysis both come through here, so that they cannot disagree.
"""

import numpy as np
from jaxtyping import Float32
from PIL import Image
from scipy import ndimage

Picture = Float32[np.ndarray, "rows columns"]

_NEAR_MM, _FAR_MM = 12.0, 40.0


def resample_image(
    image: Picture, spacing_mm: tuple[float, float], target_mm: float
) -> Float32[np.ndarray, "new_rows new_columns"]:
    """The image on square pixels of `target_mm`, anti-aliased when that is coarser.

    The outer edges of the first and last pixels stay where they were: pixel (r, c) of the result has its centre at
    ((r + 0.5) * rows / new_rows - 0.5, ...) of the old one.
    """
    rows, columns = image.shape
    size = (max(1, round(columns * spacing_mm[1] / target_mm)), max(1, round(rows * spacing_mm[0] / target_mm)))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR), np.float32)


def _smoothed(image: Picture, width: float) -> Picture:
    """Two box filters in a row: close to a Gaussian, at a cost that does not grow with its width."""
    size = max(3, round(width))
    blurred: Picture = ndimage.uniform_filter(ndimage.uniform_filter(image, size, mode="nearest"), size, mode="nearest")
    return blurred


def three_views(image: Picture, spacing_mm: float) -> Float32[np.ndarray, "3 rows columns"]:
    """An image as the three input channels of a network, each about -1 to 1.

    The grey values against their 99.5th percentile; the same with the slow shading of a surface coil divided out
    (window of 40 mm); and local contrast: the difference to the mean in units of the spread (window of 12 mm).
    """
    top = max(float(np.percentile(image, 99.5)), 1e-6)
    grey = np.clip(image / top, 0.0, 1.2)
    shading = _smoothed(grey, _FAR_MM / spacing_mm)
    flat = np.clip(grey / (2.5 * shading + 0.02), 0.0, 1.2)
    return np.stack([2.0 * np.sqrt(grey) - 1.0, 2.0 * flat - 1.0, local_contrast(grey, spacing_mm)]).astype(np.float32)


def local_contrast(grey: Picture, spacing_mm: float) -> Picture:
    """Difference to the mean of the surrounding 12 mm in units of the spread there, -1 to 1."""
    mean = _smoothed(grey, _NEAR_MM / spacing_mm)
    spread = np.sqrt(np.maximum(_smoothed(grey * grey, _NEAR_MM / spacing_mm) - mean * mean, 0.0))
    return np.asarray(np.clip((grey - mean) / (2.0 * spread + 0.01), -1.0, 1.0), np.float32)
