"""From tissue to image: signal, slice profile, coil shading, limited resolution, noise.

Every slice is rendered on the acquired grid, on a few sub-slices that are shifted against each other within the pixel
(so that both slice thickness and pixel size are averaged over), then interpolated to the image's matrix by zero-
filling k-space, as scanners do.
"""

from collections.abc import Sequence as Many
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Complex64, Float32, Float64, UInt8
from scipy import fft, ndimage

from lumbago.dicom.volume import Volume
from lumbago.phantom.coil_array import fermi_window, joined, noise_amplification, sensitivities
from lumbago.phantom.disturb_image import (
    around_metal,
    disturb_spectrum,
    with_ghosts,
    with_shifted_fat,
    without_flowing,
)
from lumbago.phantom.mr_signal import Signals, fat_shares, tissue_signals
from lumbago.phantom.noise_field import noise
from lumbago.phantom.render_spine import Rendered, SliceRenderer
from lumbago.phantom.render_trunk import trunk_place
from lumbago.phantom.scan_headers import slice_header
from lumbago.phantom.scan_spec import ScanSpec, SliceGroup
from lumbago.phantom.spine_frames import to_inner
from lumbago.phantom.spine_spec import SpineSpec
from lumbago.phantom.tissues import FIRST_BODY, FIRST_DISC, Tissue

Image = Float32[np.ndarray, "rows columns"]
Spectrum = Complex64[np.ndarray, "rows columns"]
Points = Float32[np.ndarray, "rows columns 3"]

_LEAST_FOLDED_MM = 140.0
_STAGGER = ((-0.34, 0.34), (0.34, -0.34), (-0.34, -0.34), (0.34, 0.34))


@dataclass(frozen=True, eq=False)
class Scanned:
    """A scanned group of slices: the images, and of every pixel the structure that lies in its middle (codes of
    `tissues`)."""

    volume: Volume
    part: UInt8[np.ndarray, "slices rows columns"]
    tissue: UInt8[np.ndarray, "slices rows columns"]


def scan(spine: SpineSpec, scan_spec: ScanSpec) -> tuple[Scanned, ...]:
    """All groups of a series."""
    return tuple(scan_slices(spine, scan_spec, number) for number in range(len(scan_spec.groups)))


def scan_slices(spine: SpineSpec, scan_spec: ScanSpec, group: int, indices: Many[int] | None = None) -> Scanned:
    """Some slices of a group (neighbours, or all); the volume has just these.

    A slice looks the same whichever others are scanned with it.
    """
    planes = scan_spec.groups[group]
    wanted = range(planes.count) if indices is None else indices
    signals = tissue_signals(scan_spec.contrast)
    slices = [_scan_slice(spine, scan_spec, (group, index), signals) for index in wanted]
    images, parts, tissues = (np.stack(part) for part in zip(*slices, strict=True))
    headers = tuple(slice_header(spine, scan_spec, group, index) for index in wanted)
    return Scanned(Volume(images, _affine(scan_spec, planes, wanted), headers), parts, tissues)


def slice_center(planes: SliceGroup, index: int) -> Float64[np.ndarray, "3"]:
    """The middle of a slice."""
    return np.array(planes.center_lps_mm) + index * planes.spacing * np.array(planes.normal)


def _affine(scan_spec: ScanSpec, planes: SliceGroup, wanted: Many[int]) -> Float64[np.ndarray, "4 4"]:
    affine = np.eye(4)
    step = wanted[1] - wanted[0] if len(wanted) > 1 else 1
    down, along = np.array(planes.down) * scan_spec.pixel_mm, np.array(planes.along) * scan_spec.pixel_mm
    affine[:3, 0] = np.array(planes.normal) * planes.spacing * step
    affine[:3, 1], affine[:3, 2] = down, along
    affine[:3, 3] = (
        slice_center(planes, wanted[0]) - (scan_spec.rows - 1) / 2 * down - (scan_spec.columns - 1) / 2 * along
    )
    return affine


def _scan_slice(
    spine: SpineSpec, scan_spec: ScanSpec, place: tuple[int, int], signals: Signals
) -> tuple[Image, UInt8[np.ndarray, "rows columns"], UInt8[np.ndarray, "rows columns"]]:
    planes, disturbance = scan_spec.groups[place[0]], scan_spec.disturbance
    shape = _acquired_shape(scan_spec)
    rng = np.random.default_rng([disturbance.seed, *place])
    points = _grid(scan_spec, planes, place[1], shape)
    renderer = SliceRenderer(spine, points.reshape(-1, 3))
    middle, around = renderer.render(_sub_slices(scan_spec, planes, points, renderer.thick))
    image = tissue_image(spine, middle, signals).reshape(shape)
    _average_through_slice(image, tissue_image(spine, around, signals), renderer.thick)
    image *= _texture(middle, points, signals, spine.texture)
    image = _flawed(image, middle, scan_spec, points)
    field = _field(spine, scan_spec, points)
    image *= field.gain
    _fold(image, (spine, signals), scan_spec, points)
    ghosted = with_ghosts(image, field.front, scan_spec.artefacts, scan_spec.acquired_mm)
    image = _received(ghosted, points, scan_spec, rng)
    rows, columns = (
        _nearest(size, count) for size, count in zip((scan_spec.rows, scan_spec.columns), shape, strict=True)
    )
    lookup = np.ix_(rows, columns)
    return image * np.float32(scan_spec.gain), middle.part.reshape(shape)[lookup], middle.tissue.reshape(shape)[lookup]


def _sub_slices(
    scan_spec: ScanSpec, planes: SliceGroup, points: Points, thick: np.ndarray
) -> Float32[np.ndarray, "slices thick 3"]:
    """Where sub-slices look, in which every pixel looks at its own depth."""
    count, near = scan_spec.disturbance.sub_slices, points.reshape(-1, 3)[thick]
    dither = _dither(points.shape[:2]).ravel()[thick]
    moved = np.empty((count, len(near), 3), np.float32)
    for number in range(count):
        depth = (number + dither) / count - np.float32(0.5)
        moved[number] = _moved(near, scan_spec, planes, depth) + _staggered(scan_spec, planes, number)
    return moved


def _average_through_slice(image: Image, around: Float32[np.ndarray, "slices thick"], thick: np.ndarray) -> None:
    """Mixes the middle of the slice, in place, with its sub-slices; the mean of these over 3 by 3 pixels, for which the
    depths are laid out, is the slice's average."""
    count = len(around)
    if not count:
        return
    averaged = image.copy()
    averaged.reshape(-1)[thick] = around.sum(axis=0) / count
    smooth = ndimage.uniform_filter(averaged, 3)
    flat = image.reshape(-1)
    flat[thick] += (smooth.reshape(-1)[thick] - flat[thick]) * np.float32(count / (count + 1))


def _nearest(size: int, count: int) -> np.ndarray:
    """For each of `size` pixels the acquired one at its middle."""
    return np.asarray(np.clip(np.rint((np.arange(size) + 0.5) * count / size - 0.5).astype(int), 0, count - 1))


def _acquired_shape(scan_spec: ScanSpec) -> tuple[int, int]:
    share = min(scan_spec.pixel_mm / scan_spec.acquired_mm, 1.0)
    rows, columns = (2 * round(size * share / 2) for size in (scan_spec.rows, scan_spec.columns))
    return fft.next_fast_len(rows, real=True) // 2 * 2, fft.next_fast_len(columns, real=True) // 2 * 2


def _grid(scan_spec: ScanSpec, planes: SliceGroup, index: int, shape: tuple[int, int]) -> Points:
    """Centres of the acquired pixels."""
    rows, columns = (
        ((np.arange(count) + 0.5) / count - 0.5) * size * scan_spec.pixel_mm
        for count, size in zip(shape, (scan_spec.rows, scan_spec.columns), strict=True)
    )
    center = slice_center(planes, index).astype(np.float32)
    down = rows[:, None, None].astype(np.float32) * np.array(planes.down, np.float32)
    along = columns[None, :, None].astype(np.float32) * np.array(planes.along, np.float32)
    return center + down + along


@lru_cache(maxsize=8)
def _dither(shape: tuple[int, int]) -> Image:
    """0 to 1, as different as can be between neighbours: interleaved gradient noise (Jimenez 2014)."""
    rows, columns = np.indices(shape, np.float32)
    wave = np.float32(0.06711056) * columns + np.float32(0.00583715) * rows
    return np.asarray((np.float32(52.9829189) * (wave % 1)) % 1)


def _moved(
    points: Float32[np.ndarray, "points 3"],
    scan_spec: ScanSpec,
    planes: SliceGroup,
    part: Float32[np.ndarray, " points"],
) -> Float32[np.ndarray, "points 3"]:
    """The same points at another depth in the slice (-0.5 to 0.5), each at its own, so that slanted surfaces blur
    instead of showing once per sub-slice."""
    return points + (part * np.float32(scan_spec.thickness))[:, None] * np.array(planes.normal, np.float32)


def _staggered(scan_spec: ScanSpec, planes: SliceGroup, number: int) -> Float32[np.ndarray, "3"]:
    """A shift by part of a pixel, different for each sub-slice."""
    down, along = (part * scan_spec.acquired_mm for part in _STAGGER[number % len(_STAGGER)])
    return np.asarray(down * np.array(planes.down) + along * np.array(planes.along), np.float32)


def tissue_image(spine: SpineSpec, rendered: Rendered, signals: Signals) -> Float32[np.ndarray, "*grid"]:
    """Signal of tissue: discs by grade and nucleus, marrow by its fat, and what is mixed by its share."""
    image = signals.by_tissue[rendered.tissue]
    flat, tissue = image.reshape(-1), rendered.tissue.reshape(-1)
    part, shade = rendered.part.reshape(-1), rendered.shade.reshape(-1)
    for mixed, (base, added) in _MIXED.items():
        rows = np.flatnonzero(tissue == mixed)
        low, high = signals.by_tissue[base], signals.by_tissue[added]
        flat[rows] = low + shade[rows] * (high - low)
    disc = np.flatnonzero(tissue == Tissue.DISC)
    nucleus = np.zeros(256, np.float32)
    for index, segment in enumerate(spine.segments):
        nucleus[FIRST_DISC + index] = signals.nucleus[segment.disc.pfirrmann - 1]
    annulus, fibre = np.float32(signals.annulus), signals.by_tissue[Tissue.OUTER_ANNULUS]
    gel = np.maximum(shade[disc], 0)
    flat[disc] = annulus + gel * (nucleus[part[disc]] - annulus) - np.minimum(shade[disc], 0) * (fibre - annulus)
    marrow = _marrow_signals(spine, signals)
    rows = np.flatnonzero(tissue == Tissue.MARROW)
    flat[rows] = marrow[part[rows]]
    for changed in (Tissue.MODIC_1, Tissue.MODIC_2, Tissue.MODIC_3):
        rows = np.flatnonzero(tissue == changed)
        sound = marrow[part[rows]]
        flat[rows] = sound + shade[rows] * (signals.by_tissue[changed] - sound)
    return np.asarray(image)


_MIXED = {
    Tissue.MUSCLE: (Tissue.MUSCLE, Tissue.FAT_STREAK),
    Tissue.FAT_STREAK: (Tissue.MUSCLE, Tissue.FAT_STREAK),
    Tissue.VISCERAL_FAT: (Tissue.VISCERAL_FAT, Tissue.ORGAN),
}
"""What these tissues are at a shade of 0 and of 1."""


def _marrow_signals(spine: SpineSpec, signals: Signals) -> Float32[np.ndarray, "256"]:
    """By structure, from the fat of its vertebra; arches hold a little less than bodies."""
    fat = np.full(256, spine.vertebrae[-1].marrow_fat, np.float32)
    for index, vertebra in enumerate(spine.vertebrae):
        fat[FIRST_BODY + index] = vertebra.marrow_fat
        fat[FIRST_BODY + index + 30] = 0.65 * vertebra.marrow_fat
    return np.asarray(signals.red_marrow + fat * (signals.yellow_marrow - signals.red_marrow), np.float32)


def _texture(middle: Rendered, points: Points, signals: Signals, seed: int) -> Image:
    x, y, z = (np.ascontiguousarray(points[..., axis]) for axis in range(3))
    fine = noise((x, y, z), (0.6, 0.6, 0.6), 1.5, seed + 11)
    coarse = noise((x, y, z), (1.6, 1.6, 1.6), 2.2, seed + 12)
    depth = signals.texture[middle.tissue].reshape(x.shape)
    return np.asarray(np.maximum(1 + depth * (np.float32(0.6) * fine + np.float32(0.7) * coarse), np.float32(0.05)))


def _flawed(image: Image, middle: Rendered, scan_spec: ScanSpec, points: Points) -> Image:
    """Signal as flow, failed suppression, metal and the chemical shift leave it."""
    artefacts, tissue = scan_spec.artefacts, middle.tissue.reshape(image.shape)
    fat = fat_shares()[tissue]
    image = without_flowing(image, points, tissue, artefacts)
    if artefacts.fat_left:
        far = np.abs(np.linspace(-1, 1, image.shape[0], dtype=np.float32))[:, None]
        image = image + np.float32(artefacts.fat_left) * fat * far**2
    return with_shifted_fat(around_metal(image, points, artefacts.metal), fat, artefacts)


def _fold(image: Image, what: tuple[SpineSpec, Signals], scan_spec: ScanSpec, points: Points) -> None:
    """Adds, in place, what lies beyond both ends of the phase axis onto the opposite end; not on small fields, which
    are cut from larger ones."""
    share, (spine, signals) = scan_spec.artefacts.wrap, what
    axis = 0 if scan_spec.artefacts.phase_down else 1
    count = round(share * image.shape[axis])
    if not count or scan_spec.rows * scan_spec.pixel_mm < _LEAST_FOLDED_MM:
        return
    planes = scan_spec.groups[0]
    step = np.array(planes.down if axis == 0 else planes.along, np.float32)
    whole = np.float32(image.shape[axis] * np.linalg.norm(np.diff(points, axis=axis)[0, 0])) * step
    for part, move in ((slice(0, count), whole), (slice(-count, None), -whole)):
        at = (part, slice(None)) if axis == 0 else (slice(None), part)
        beyond, _ = SliceRenderer(spine, (points[at] + move).reshape(-1, 3)).render()
        image[at] += np.float32(0.6) * tissue_image(spine, beyond, signals).reshape(image[at].shape)


@dataclass(frozen=True, eq=False)
class _Field:
    """How much of each pixel's signal is received, and how far it lies in the belly (0 to 1)."""

    gain: Image
    front: Image


def _field(spine: SpineSpec, scan_spec: ScanSpec, points: Points) -> _Field:
    """Surface coil behind the back, ends of the coil, saturation band in front, and a smooth rest; on a coarse grid,
    interpolated."""
    step = 8
    coarse = np.ascontiguousarray(points[::step, ::step])
    place = trunk_place(spine, to_inner(spine, coarse.reshape(-1, 3)))
    d = scan_spec.disturbance
    depth = np.maximum(place.deep + place.fat, -10)
    gain = np.exp(-np.float32(d.coil_left) * (depth - 60) / np.float32(d.coil_reach))
    ends = np.clip((165 - np.abs(place.up + 15)) / np.float32(d.roll_off), 0, 1)
    gain *= np.float32(0.35) + np.float32(0.65) * ends
    rng = np.random.default_rng(d.seed)
    waves = rng.normal(0, 1 / 95, (4, 3)), rng.uniform(0, 6.3, 4)
    phases = np.stack([place.x, place.behind, place.up], axis=1) @ waves[0].T.astype(np.float32) + waves[1].astype(
        np.float32
    )
    gain *= 1 + np.float32(d.bias / 2) * np.sin(phases).sum(axis=1)
    if d.band:
        gain *= np.float32(d.band_left) + np.float32(1 - d.band_left) / (
            1 + np.exp(-(place.behind + np.float32(d.band)) / 3.5)
        )
    front = np.clip((-place.behind - 40) / 20, 0, 1)
    return _Field(*(_stretched(part.reshape(coarse.shape[:2]), points, step) for part in (gain, front)))


def _stretched(
    grid: Image, points: Float32[np.ndarray, "down along 3"], step: int
) -> Float32[np.ndarray, "down along"]:
    """A coarse grid's values at all points."""
    return _stretch(_stretch(grid.astype(np.float32), points.shape[0], step).T, points.shape[1], step).T


def _stretch(grid: Image, size: int, step: int) -> Float32[np.ndarray, "size columns"]:
    """Linear interpolation of rows that lie `step` apart."""
    place = np.arange(size) / step
    low = np.minimum(place.astype(int), grid.shape[0] - 1)
    high = np.minimum(low + 1, grid.shape[0] - 1)
    part = (place - low).astype(np.float32)[:, None]
    return np.asarray(grid[low] * (1 - part) + grid[high] * part)


def _received(
    image: Spectrum, points: Points, scan_spec: ScanSpec, rng: np.random.Generator
) -> Float32[np.ndarray, "pixels across"]:
    """The image as one coil receives it, or as the elements of an array do together."""
    elements = sensitivities(points, scan_spec.disturbance.coils)
    if not elements:
        return _interpolate(image, scan_spec, rng)
    return joined([_interpolate(image * element, scan_spec, rng) for element in elements])


def _interpolate(
    image: Spectrum, scan_spec: ScanSpec, rng: np.random.Generator
) -> Float32[np.ndarray, "pixels across"]:
    """Noise and limited resolution in k-space, then zero-filling to the image's matrix, then magnitude."""
    d = scan_spec.disturbance
    rows, columns = image.shape
    noise_image = rng.standard_normal((2, rows, columns), dtype=np.float32) * np.float32(d.noise)
    if d.coils:
        noise_image *= noise_amplification(rows, columns)
    spectrum = fft.fft2(image + noise_image[0] + np.complex64(1j) * noise_image[1], workers=1)
    spectrum *= fermi_window(rows, columns, d.blur) if d.coils else _blurring(rows, columns, d.blur)
    spectrum = disturb_spectrum(spectrum, scan_spec.artefacts, scan_spec.acquired_mm)
    full = np.zeros((scan_spec.rows, scan_spec.columns), np.complex64)
    r, c = min(rows, scan_spec.rows) // 2, min(columns, scan_spec.columns) // 2
    for a in (slice(0, r), slice(-r, None)):
        for b in (slice(0, c), slice(-c, None)):
            full[a, b] = spectrum[a, b]
    shift = [(size / count - 1) / 2 for size, count in zip(full.shape, image.shape, strict=True)]
    full *= np.exp(-2j * np.pi * fft.fftfreq(full.shape[0]) * shift[0]).astype(np.complex64)[:, None]
    full *= np.exp(-2j * np.pi * fft.fftfreq(full.shape[1]) * shift[1]).astype(np.complex64)[None, :]
    scale = np.float32(full.size / image.size)
    return np.abs(fft.ifft2(full, workers=1)).astype(np.float32) * scale


@lru_cache(maxsize=8)
def _blurring(rows: int, columns: int, blur: float) -> Float32[np.ndarray, "rows columns"]:
    """What a Gaussian blur of that many pixels leaves of k-space."""
    down, along = fft.fftfreq(rows)[:, None], fft.fftfreq(columns)[None, :]
    return np.asarray(np.exp(-2 * (np.pi * blur) ** 2 * (down**2 + along**2)).astype(np.float32))
