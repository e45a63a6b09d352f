"""Graded places on a made-up volume: blobs whose brightness goes with their grade."""

import numpy as np

from lumbago.dicom.volume import Volume
from lumbago.learning.disc_samples import GradedPatch
from lumbago.pipeline.crop_patches import PatchFrame
from lumbago.pipeline.measure_spine import SignalReference

BACK, DOWN = np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.0, -1.0])
LEVELS = ("L3/L4", "L4/L5", "L5/S1")


def made_up_volume(brightness: float, slices: int = 3) -> Volume:
    """Sagittal slices 4 mm apart of 60 x 60 pixels of 1 mm, a blob in the middle, some texture."""
    rows, columns = np.indices((60, 60)) - 29.5
    picture = 200 + 20 * np.sin(rows / 3) + brightness * np.exp(-(rows**2 + columns**2) / 60)
    array = np.stack([picture + 5 * number for number in range(slices)]).astype(np.float32)
    affine = np.array([[4.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
    return Volume(array, affine, headers=())


def made_up_patches() -> list[GradedPatch]:
    """Six places of two sources; the last knows no `bulging`."""
    patches = []
    for number in range(6):
        volume = made_up_volume(100.0 * number)
        center = volume.to_lps_mm(np.array([1.0, 29.5, 29.5]))
        grades = {"pfirrmann": min(number, 4), "bulging": number % 2}
        if number == 5:
            del grades["bulging"]
        source = "sudirman" if number < 4 else "spider"
        patches.append(
            GradedPatch(
                source, f"{source}:{number}", f"{source}:{number}", LEVELS[number % 3], volume,
                PatchFrame(1, center, BACK, DOWN), SignalReference(600.0, 200.0), grades,
            )
        )  # fmt: skip
    return patches
