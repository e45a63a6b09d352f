"""Draws the picture of docs/explanation/phantom-pictures.md: `python bench/phantom_pictures.py OUT.jpg`."""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from lumbago.phantom.phantom_study import phantom_study
from lumbago.phantom.scan_spec import ScanSpec
from lumbago.phantom.scan_spine import scan_slices

SEEDS, SIDE = range(900_010, 900_018), 200


def tile(image: np.ndarray, scan: ScanSpec, field_mm: float) -> np.ndarray:
    """The middle of a slice, window as on a light box."""
    half, middle = round(field_mm / scan.pixel_mm / 2), image.shape[0] // 2
    cut = image[max(middle - half, 0) : middle + half, max(middle - half, 0) : middle + half]
    shown = np.clip(cut / np.percentile(cut, 95) * 255, 0, 255).astype(np.uint8)
    return np.asarray(Image.fromarray(shown).resize((SIDE, SIDE), Image.Resampling.LANCZOS))


def main() -> None:
    """One column a person: sagittal T1, sagittal T2, axial T2 at L4/L5."""
    columns = []
    for seed in SEEDS:
        study = phantom_study(seed)
        place = study.landmarks.disc("L4/L5").canal_lps_mm
        tiles = []
        for role, field in (("sagittal_t1", 240), ("sagittal_t2", 240), ("axial_t2", 144)):
            scan = study.scans[role]  # type: ignore[index]
            group, index = study.nearest_slice(role, place)  # type: ignore[arg-type]
            tiles.append(tile(scan_slices(study.spine, scan, group, [index]).volume.array[0], scan, field))
        columns.append(np.concatenate(tiles))
    Image.fromarray(np.concatenate(columns, axis=1)).save(Path(sys.argv[1]), quality=80)


if __name__ == "__main__":
    main()
