"""Doing to an image what went wrong in its scan: some of it to tissue's signal, some in k-space.

Arrays are images on the acquired grid; echo trains, motion and the chemical shift follow
Bernstein, King and Zhou, Handbook of MRI Pulse Sequences (2004).
"""

import numpy as np
from jaxtyping import Complex64, Float32, UInt8
from scipy import fft

from lumbago.phantom.noise_field import noise
from lumbago.phantom.scan_artefacts import Artefacts, Screw
from lumbago.phantom.tissues import Tissue

Image = Float32[np.ndarray, "rows columns"]
Points = Float32[np.ndarray, "rows columns 3"]
Spectrum = Complex64[np.ndarray, "rows columns"]


def with_shifted_fat(image: Image, fat: Image, artefacts: Artefacts) -> Float32[np.ndarray, "rows columns"]:
    """Fat, which spins slower than water, drawn some pixels away along the frequency axis: gaps and bright seams where
    fat meets water. `fat` is the share of each pixel's signal."""
    if not artefacts.fat_shift:
        return image
    axis = 1 if artefacts.phase_down else 0
    part = image * fat
    whole = int(np.floor(artefacts.fat_shift))
    rest = np.float32(artefacts.fat_shift - whole)
    moved = np.roll(part, whole, axis) * (1 - rest) + np.roll(part, whole + 1, axis) * rest
    return np.asarray(image - part + moved)


def without_flowing(
    image: Image, points: Points, tissue: UInt8[np.ndarray, "rows columns"], artefacts: Artefacts
) -> Float32[np.ndarray, "rows columns"]:
    """Fluid that moves between excitation and echo gives less signal, in patches of a few millimetres."""
    fluid = tissue == Tissue.CSF
    if not artefacts.flow or not fluid.any():
        return image
    x, y, z = (np.ascontiguousarray(points[fluid][:, axis]) for axis in range(3))
    patch = np.clip(noise((x, y, z), (1.0, 1.0, 4.0), 3.0, artefacts.seed) * 1.5 - 0.2, 0, 1)
    found = image.copy()
    found[fluid] *= 1 - np.float32(artefacts.flow) * patch
    return found


def around_metal(image: Image, points: Points, screws: tuple[Screw, ...]) -> Float32[np.ndarray, "rows columns"]:
    """No signal around metal, and a bright rim where signal from within piles up."""
    for screw in screws:
        apart = points - np.array(screw.center_lps_mm, np.float32)
        length = apart @ np.array(screw.along, np.float32)
        aside = np.maximum((apart**2).sum(axis=-1) - length**2, 0)
        reach = np.sqrt((length / np.float32(screw.half_length)) ** 2 + aside / np.float32(screw.radius) ** 2)
        rim = np.exp(-(((reach - np.float32(1.12)) / np.float32(0.09)) ** 2))
        image = image * np.clip((reach - 1) / np.float32(0.12), 0, 1) * (1 + np.float32(0.9) * rim)
    return np.asarray(image, np.float32)


def with_ghosts(
    image: Image, front: Image, artefacts: Artefacts, pixel_mm: float
) -> Complex64[np.ndarray, "rows columns"]:
    """The belly moves with breath, so copies of it lie along the phase axis; their phase differs from the image's."""
    if not artefacts.ghost:
        return image.astype(np.complex64)
    axis, step = 0 if artefacts.phase_down else 1, round(artefacts.ghost_mm / pixel_mm)
    part = image * front * np.float32(artefacts.ghost)
    copies = np.roll(part, step, axis) + np.roll(part, -step, axis) + np.float32(0.4) * np.roll(part, 2 * step, axis)
    turn = np.exp(1j * (artefacts.seed % 628) / 100)
    return np.asarray(image + copies * np.complex64(turn), np.complex64)


def echo_weights(count: int, artefacts: Artefacts) -> Float32[np.ndarray, "count"]:
    """Weight of each line of k-space (in FFT order) by the echo that read it, 1 in the middle."""
    place = fft.fftfreq(count) * 2
    late = np.abs(place) if artefacts.centric else place / 2
    return np.asarray(np.exp(-artefacts.decay * late), np.float32)


def shifts_of_motion(count: int, artefacts: Artefacts, pixel_mm: float) -> Complex64[np.ndarray, "count"]:
    """Phase of each line of k-space: parts of the scan lie shifted along the phase axis, the middle part at rest."""
    if not artefacts.motion_mm:
        return np.ones(count, np.complex64)
    rng = np.random.default_rng(artefacts.seed)
    place = fft.fftfreq(count)
    part = np.minimum(((place + 0.5) * artefacts.motion_parts).astype(int), artefacts.motion_parts - 1)
    shifts = rng.normal(0, artefacts.motion_mm / pixel_mm, artefacts.motion_parts)
    shifts[artefacts.motion_parts // 2] = 0
    return np.asarray(np.exp(-2j * np.pi * place * shifts[part]), np.complex64)


def disturb_spectrum(
    spectrum: Spectrum, artefacts: Artefacts, pixel_mm: float
) -> Complex64[np.ndarray, "rows columns"]:
    """What happens line by line along the phase axis: decay over the echo train, and motion."""
    count = spectrum.shape[0 if artefacts.phase_down else 1]
    lines = echo_weights(count, artefacts) * shifts_of_motion(count, artefacts, pixel_mm)
    return np.asarray(spectrum * (lines[:, None] if artefacts.phase_down else lines[None, :]), np.complex64)
