"""Classical features of a patch: intensity, texture, shape. What a support vector machine sees.

Texture: grey-level co-occurrence (Haralick et al. 1973) and local binary patterns (Ojala et al. 2002). Shape: the
size and moments of what is brighter than Otsu's threshold (1979), and directions of edges on a coarse grid (Dalal and
Triggs 2005). All are of the first view of a patch (`crop_patches.patch_views`), slice by slice, and averaged over
slices. They are a few lines of numpy each, so that analyzing needs no library more.
"""

from typing import Final

import numpy as np
from jaxtyping import Float32, Float64, Int64
from scipy import ndimage

from lumbago.errors import SettingsRefused

Picture = Float64[np.ndarray, "rows columns"]
"""Grey values between 0 and 1."""

_LEVELS: Final = 16
_STEPS: Final = ((0, 1), (1, 0), (1, 1), (1, -1))
_REACHES: Final = (1, 3)
_PERCENTILES: Final = (5, 25, 50, 75, 95)
_GRID: Final = (4, 6)
_DIRECTIONS: Final = 8
_LEAST: Final = 16

FEATURES: Final = 2 * 9 + 2 * 6 + 10 + 7 + _GRID[0] * _GRID[1] * _DIRECTIONS
"""How many there are."""


def classical_features(patch: Float32[np.ndarray, "slices 3 rows columns"]) -> Float32[np.ndarray, " features"]:
    """The `FEATURES` of a patch: intensity of all and of the middle, co-occurrence, patterns, shape, edges.

    Raises:
        SettingsRefused: a patch with a side below 16 pixels.
    """
    if min(patch.shape[2:]) < _LEAST:
        raise SettingsRefused(
            f"classical features were asked of a patch of {patch.shape[2]} x {patch.shape[3]} pixels",
            f"{_LEAST} or more a side",
        )
    pictures = np.clip((patch[:, 0].astype(np.float64) + 1) / 2, 0, 1)
    return np.asarray(np.stack([_of_picture(picture) for picture in pictures]).mean(0), np.float32)


def _of_picture(picture: Picture) -> Float64[np.ndarray, " features"]:
    rows, columns = picture.shape
    middle = picture[rows // 4 : rows - rows // 4, columns // 4 : columns - columns // 4]
    parts = [intensity(picture), intensity(middle)]
    parts += [co_occurrence(picture, reach) for reach in _REACHES]
    parts += [binary_patterns(picture), shape(middle), edges(picture)]
    return np.concatenate(parts)


def intensity(picture: Picture) -> Float64[np.ndarray, "9"]:
    """Mean, spread, skewness, kurtosis, five percentiles."""
    mean, spread = picture.mean(), picture.std()
    scaled = (picture - mean) / max(spread, 1e-6)
    return np.array([mean, spread, (scaled**3).mean(), (scaled**4).mean(), *np.percentile(picture, _PERCENTILES)])


def co_occurrence(picture: Picture, reach: int) -> Float64[np.ndarray, "6"]:
    """Contrast, dissimilarity, homogeneity, energy, correlation, entropy of pairs `reach` pixels apart in four
    directions, counted both ways together."""
    grey = np.minimum((picture * _LEVELS).astype(np.int64), _LEVELS - 1)
    counts = sum((_pairs(grey, down * reach, along * reach) for down, along in _STEPS), np.zeros((_LEVELS, _LEVELS)))
    chance = (counts + counts.T) / (2 * counts.sum())
    one, other = np.indices(chance.shape)
    apart = np.abs(one - other)
    mean, variance = (chance * one).sum(), (chance * one**2).sum() - (chance * one).sum() ** 2
    return np.array([
        (chance * apart**2).sum(),
        (chance * apart).sum(),
        (chance / (1 + apart**2)).sum(),
        np.sqrt((chance**2).sum()),
        (chance * (one - mean) * (other - mean)).sum() / variance if variance > 1e-12 else 1.0,
        -(chance * np.log2(np.where(chance > 0, chance, 1))).sum(),
    ])  # fmt: skip


def _pairs(grey: Int64[np.ndarray, "rows columns"], down: int, along: int) -> Float64[np.ndarray, "levels levels"]:
    rows, columns = grey.shape
    left, right = max(-along, 0), columns - max(along, 0)
    ones, others = grey[: rows - down, left:right], grey[down:, left + along : right + along]
    counts = np.bincount((ones * _LEVELS + others).ravel(), minlength=_LEVELS**2)
    return counts.reshape(_LEVELS, _LEVELS).astype(np.float64)


def binary_patterns(picture: Picture) -> Float64[np.ndarray, "10"]:
    """Share of each uniform pattern: by how many of the eight neighbours are at least as bright, where they lie in one
    run around the pixel; the last is of all others. The edge of the picture is left out."""
    rows, columns = picture.shape
    ring = ((-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1))
    middle = picture[1:-1, 1:-1]
    brighter = np.stack([picture[1 + y : rows - 1 + y, 1 + x : columns - 1 + x] >= middle for y, x in ring])
    changes = (brighter != np.roll(brighter, 1, axis=0)).sum(0)
    pattern = np.where(changes <= 2, brighter.sum(0), 9)
    return np.bincount(pattern.ravel(), minlength=10) / pattern.size


def shape(picture: Picture) -> Float64[np.ndarray, "7"]:
    """Of what is bright: its share; its centre, then its spread, down and along in sides of the picture; eccentricity;
    how much brighter it is than the rest."""
    is_bright = picture > otsu_threshold(picture)
    if not is_bright.any() or is_bright.all():
        return np.zeros(7)
    rows, columns = np.nonzero(is_bright)
    places = np.stack([rows / picture.shape[0], columns / picture.shape[1]])
    small, large = np.linalg.eigvalsh(np.cov(places, bias=True))
    eccentricity = np.sqrt(max(1 - small / large, 0.0)) if large > 0 else 0.0
    contrast = picture[is_bright].mean() - picture[~is_bright].mean()
    return np.array([is_bright.mean(), *places.mean(1), *places.std(1), eccentricity, contrast])


def otsu_threshold(picture: Picture) -> float:
    """The grey value that parts dark from bright with the largest variance between the two; of several, their mean."""
    counts, borders = np.histogram(picture, 64)
    centers = (borders[:-1] + borders[1:]) / 2
    below, above = np.cumsum(counts), counts.sum() - np.cumsum(counts)
    total = np.cumsum(counts * centers)
    apart = total / np.maximum(below, 1) - (total[-1] - total) / np.maximum(above, 1)
    variance = below * above * apart**2
    return float(borders[1:][variance == variance.max()].mean())


def edges(picture: Picture) -> Float64[np.ndarray, " values"]:
    """Strength of edges by direction (eight, without sign) in 4 x 6 fields, of unit length together."""
    down, along = ndimage.sobel(picture, 0), ndimage.sobel(picture, 1)
    strength, angle = np.hypot(down, along), np.arctan2(down, along) % np.pi
    direction = np.minimum((angle / np.pi * _DIRECTIONS).astype(np.int64), _DIRECTIONS - 1)
    row, column = (np.arange(side) * parts // side for side, parts in zip(picture.shape, _GRID, strict=True))
    field = row[:, None] * _GRID[1] + column[None]
    values = np.bincount(
        (field * _DIRECTIONS + direction).ravel(), strength.ravel(), minlength=_GRID[0] * _GRID[1] * _DIRECTIONS
    )
    return np.asarray(values / max(float(np.linalg.norm(values)), 1e-6))
