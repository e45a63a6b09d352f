"""The quickest study that can be graded: one sagittal T2 slice of a phantom, through the middle of the canal."""

from pathlib import Path

from lumbago.phantom.phantom_study import phantom_study
from lumbago.phantom.scan_spine import scan_slices
from lumbago.phantom.slice_files import slice_bytes, window_of

SEED = 4100
"""Not among the seeds that the shipped models were trained on."""


def write_slice(path: Path) -> Path:
    """Gives the file, `path`."""
    study = phantom_study(SEED)
    scan = study.scans["sagittal_t2"]
    middle = study.landmarks.discs[2].canal_lps_mm
    group, index = study.nearest_slice("sagittal_t2", middle)
    volume = scan_slices(study.spine, scan, group, [index]).volume
    window = window_of(volume.array[0].reshape(-1, 1), scan.maker.manufacturer)
    path.write_bytes(slice_bytes(volume.headers[0], volume.array[0], window, True))
    return path
