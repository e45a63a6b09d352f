"""Grain in space: noise that belongs to the tissue, so that every series and slice of a person sees the same."""

from functools import lru_cache
from typing import Final

import numpy as np
from jaxtyping import Float32, Int32
from scipy import fft
from scipy.spatial import cKDTree

_EDGE: Final = 96
_SEED: Final = 20240611
CELLS_FROM: Final = 2**31
"""Seeds from here on give grain of cells with walls between them, instead of smooth noise."""

Cube = Float32[np.ndarray, "96 96 96"]


Scale = float | tuple[float, float, float]
"""Lattice steps over which noise is smooth, along all axes or along each."""


@lru_cache(maxsize=12)
def noise_cube(scale: Scale) -> Cube:
    """Periodic normal noise on a lattice, smooth over `scale` lattice steps; mean 0, deviation 1."""
    x, y, z = scale if isinstance(scale, tuple) else (scale, scale, scale)
    rng = np.random.default_rng(_SEED + int(x * 16))
    spectrum = fft.rfftn(rng.standard_normal((_EDGE, _EDGE, _EDGE), dtype=np.float32))
    whole, half = fft.fftfreq(_EDGE), fft.rfftfreq(_EDGE)
    square = (x * whole[:, None, None]) ** 2 + (y * whole[None, :, None]) ** 2 + (z * half[None, None, :]) ** 2
    cube = fft.irfftn(spectrum * np.exp(-2 * np.pi**2 * square), s=(_EDGE, _EDGE, _EDGE))
    cube = ((cube - cube.mean()) / cube.std()).astype(np.float32)
    return np.ascontiguousarray(cube)


@lru_cache(maxsize=16)
def cell_cube(scale: Scale) -> Cube:
    """Periodic cells about three times `scale` wide: the distance to the second next seed less that to the next (Worley
    1996), low on walls and high within cells; mean 0, deviation 1."""
    size = 3.0 * np.array(scale if isinstance(scale, tuple) else (scale, scale, scale))
    rng, box = np.random.default_rng(_SEED), _EDGE / size
    seeds = rng.uniform(0, 1, (max(int(np.prod(box)), 8), 3)) * box
    lattice = np.stack(np.meshgrid(*(np.arange(_EDGE) / width for width in size), indexing="ij"), axis=-1)
    near = np.asarray(cKDTree(seeds, boxsize=box).query(lattice.reshape(-1, 3), k=2)[0])
    cube = (near[:, 1] - near[:, 0]).reshape(_EDGE, _EDGE, _EDGE)
    return np.ascontiguousarray((cube - cube.mean()) / cube.std(), dtype=np.float32)


def noise(
    points: tuple[np.ndarray, np.ndarray, np.ndarray], step_mm: tuple[float, float, float], scale: Scale, seed: int
) -> Float32[np.ndarray, "*points"]:
    """Noise at points, one lattice step every `step_mm` along each coordinate (nearest lattice point): smooth, or of
    cells when the seed says so."""
    axes = [
        _wrapped((coordinate * np.float32(1 / step)).astype(np.int32) + np.int32(shift))
        for coordinate, step, shift in zip(points, step_mm, _shifts(seed), strict=True)
    ]
    flat = (axes[0] * _EDGE + axes[1]) * _EDGE + axes[2]
    cube = cell_cube(scale) if seed >= CELLS_FROM else noise_cube(scale)
    values: Float32[np.ndarray, "*points"] = cube.ravel().take(flat)
    return values


@lru_cache(maxsize=1024)
def _shifts(seed: int) -> tuple[int, int, int]:
    x, y, z = np.random.default_rng(seed).integers(0, _EDGE, 3).tolist()
    return x, y, z


def _wrapped(index: Int32[np.ndarray, "*points"]) -> Int32[np.ndarray, "*points"]:
    """`index % _EDGE`; numpy divides many numbers at once, but takes remainders one by one."""
    return np.asarray(index - index // _EDGE * _EDGE)
