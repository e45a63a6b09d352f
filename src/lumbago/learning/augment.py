"""Random change of training pictures: drawn first as a frozen spec, then applied.

The same spec on the same picture gives the same result, so every training batch can be replayed from its seed.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from jaxtyping import Float32
from numpy.random import Generator
from scipy import ndimage
from torch import Tensor

from lumbago.pipeline.normalise import Picture

_FINE_PX: Final = 1.5
"""Gaussian width: what it takes away is fine detail."""


@dataclass(frozen=True, slots=True)
class Warp:
    """A similarity about a point of the picture: rotation, scale, and the window that is cut out.

    `center` is the (row, column) that comes to lie in the middle of the window of `shape`; `scale` above 1 enlarges;
    `stretch` enlarges columns only.
    """

    center: tuple[float, float]
    rotation_degrees: float
    scale: float
    stretch: float
    shape: tuple[int, int]

    def grid(self, rows: int, columns: int) -> Tensor:
        """Sampling grid for `torch.nn.functional.grid_sample` (align_corners=False), shape (1, *shape, 2)."""
        out_rows, out_columns = self.shape
        r = torch.arange(out_rows, dtype=torch.float32)[:, None] - (out_rows - 1) / 2
        c = (torch.arange(out_columns, dtype=torch.float32)[None] - (out_columns - 1) / 2) / self.stretch
        angle = np.deg2rad(self.rotation_degrees)
        cosine, sine = float(np.cos(angle)) / self.scale, float(np.sin(angle)) / self.scale
        at_row = self.center[0] + cosine * r + sine * c
        at_column = self.center[1] - sine * r + cosine * c
        return torch.stack([(2 * at_column + 1) / columns - 1, (2 * at_row + 1) / rows - 1], dim=-1)[None]

    def place(self, row: float, column: float) -> tuple[float, float]:
        """Where in the window a (row, column) of the picture comes to lie."""
        angle = np.deg2rad(self.rotation_degrees)
        down, along = row - self.center[0], column - self.center[1]
        at_row = self.scale * (np.cos(angle) * down - np.sin(angle) * along)
        at_column = self.scale * self.stretch * (np.sin(angle) * down + np.cos(angle) * along)
        return float(at_row + (self.shape[0] - 1) / 2), float(at_column + (self.shape[1] - 1) / 2)


def warp(
    maps: Float32[np.ndarray, "channels rows columns"], spec: Warp
) -> Float32[np.ndarray, "channels out_rows out_columns"]:
    """The maps seen through the warp, bilinear, zero outside."""
    source = torch.from_numpy(np.array(maps, np.float32))[None]
    seen = torch.nn.functional.grid_sample(source, spec.grid(*maps.shape[1:]), align_corners=False)
    return seen[0].numpy()


@dataclass(frozen=True, slots=True)
class Scanner:
    """How another scanner would show the same tissue: contrast curve, shading, sharpness, noise, and a lost patch.

    Attributes:
        curve: new grey values at old greys 0, 0.2 ... 1; falling stretches turn the contrast around.
        gamma: power applied to the grey value.
        shading: exponents of a smooth field at the corners (top left, top right, bottom left, bottom right).
        blur_px: Gaussian width.
        noise: spread of the noise against full scale.
        noise_seed: replays the noise.
        void: (row, column, radius) as fractions of the picture, signal lost there; None for no loss.
        coarseness: how many times as large the scanner's pixels are; 1 leaves them.
        sharpening: share of its fine detail (under some 3 pixels) that is added once more, as scanners enhance edges.
    """

    curve: tuple[float, ...]
    gamma: float
    shading: tuple[float, float, float, float]
    blur_px: float
    noise: float
    noise_seed: int
    void: tuple[float, float, float] | None
    coarseness: float = 1.0
    sharpening: float = 0.0


def draw_scanner(
    rng: Generator, strength: float = 1.0, wild: float = 0.17, resolution: float = 0.0, sharpening: float = 0.0
) -> Scanner:
    """Mild changes mostly; in a share `wild` of pictures the contrast is made up. `strength` 0 changes next to
    nothing, and makes up no contrast. `resolution` is the spread of the logarithm of coarseness, `sharpening` that of
    edge enhancement; with 0 nothing is drawn for it."""
    steps = np.linspace(0, 1, 6)
    if rng.random() < wild and strength:
        curve = rng.uniform(0, 1, 6)
    else:
        curve = np.maximum.accumulate(np.clip(steps + rng.normal(0, 0.05 * strength, 6), 0, 1))
    shading = rng.normal(0, 0.5 * strength, 4)
    return Scanner(
        curve=tuple(float(value) for value in curve),
        gamma=float(np.exp(rng.normal(0, 0.25 * strength))),
        shading=(float(shading[0]), float(shading[1]), float(shading[2]), float(shading[3])),
        blur_px=float(max(0.0, rng.normal(0, 0.6 * strength))),
        noise=float(abs(rng.normal(0, 0.03 * strength))),
        noise_seed=int(rng.integers(2**31)),
        void=_draw_void(rng) if rng.random() < 0.08 * strength else None,
        coarseness=float(np.exp(abs(rng.normal(0, resolution)))) if resolution else 1.0,
        sharpening=float(abs(rng.normal(0, sharpening))) if sharpening else 0.0,
    )


def _draw_void(rng: Generator) -> tuple[float, float, float]:
    return float(rng.uniform(0.1, 0.9)), float(rng.uniform(0.1, 0.9)), float(rng.uniform(0.03, 0.1))


def tone(grey: Float32[np.ndarray, "*any"], spec: Scanner) -> Float32[np.ndarray, "*any"]:
    """Grey values (0 to about 1) through the drawn contrast curve and gamma."""
    curved = np.interp(grey, np.linspace(0, 1, len(spec.curve)), spec.curve) + np.maximum(grey - 1, 0)
    return np.asarray(curved**spec.gamma, np.float32)


def rescan(grey: Picture, spec: Scanner) -> Picture:
    """The picture (grey values 0 to about 1) as the drawn scanner would have it."""
    shown = tone(grey, spec) * np.exp(_field(grey.shape, spec.shading))
    if spec.void is not None:
        shown = shown * _hole(grey.shape, spec.void)
    if spec.blur_px > 0.2:
        shown = ndimage.gaussian_filter(shown, spec.blur_px)
    shown = _on_coarse_pixels(shown, spec.coarseness)
    if spec.sharpening:
        fine = shown - ndimage.gaussian_filter(shown, _FINE_PX)
        shown = np.maximum(shown + spec.sharpening * fine, 0)
    noise = np.random.default_rng(spec.noise_seed).normal(0, spec.noise, (2, *grey.shape))
    return np.asarray(np.hypot(shown + noise[0], noise[1]), np.float32)


def _on_coarse_pixels(picture: np.ndarray, coarseness: float) -> np.ndarray:
    """Averaged over larger pixels, and interpolated back."""
    sizes = tuple(max(2, round(side / coarseness)) for side in picture.shape)
    if sizes == picture.shape:
        return picture
    source = torch.from_numpy(np.asarray(picture, np.float32))[None, None]
    coarse = torch.nn.functional.interpolate(source, sizes, mode="area")
    return torch.nn.functional.interpolate(coarse, picture.shape, mode="bilinear", align_corners=False)[0, 0].numpy()


def _field(shape: tuple[int, ...], corners: tuple[float, float, float, float]) -> np.ndarray:
    row, column = np.linspace(0, 1, shape[0])[:, None], np.linspace(0, 1, shape[1])[None]
    top = corners[0] * (1 - column) + corners[1] * column
    bottom = corners[2] * (1 - column) + corners[3] * column
    return np.asarray(top * (1 - row) + bottom * row)


def _hole(shape: tuple[int, ...], void: tuple[float, float, float]) -> np.ndarray:
    row, column = np.linspace(0, 1, shape[0])[:, None], np.linspace(0, 1, shape[1])[None]
    distance = np.hypot(row - void[0], column - void[1]) / void[2]
    return np.asarray(np.clip((distance - 0.8) / 0.4, 0, 1))
