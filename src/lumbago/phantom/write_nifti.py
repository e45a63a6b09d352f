"""Writes phantom series as NIfTI, each with its voxel labels: for tools that know no DICOM."""

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import nibabel as nib
import numpy as np
from jaxtyping import Float64, UInt8

from lumbago.dicom.volume import Volume
from lumbago.phantom.scan_spine import Scanned
from lumbago.phantom.tissues import (
    EXITING_LEFT,
    EXITING_RIGHT,
    FLAVUM_PART,
    FORAMEN,
    LABELS,
    SAC,
    TRAVERSING_LEFT,
    TRAVERSING_RIGHT,
    training_labels,
)

_LEFT_RIGHT: Final = ((EXITING_LEFT, EXITING_RIGHT), (TRAVERSING_LEFT, TRAVERSING_RIGHT))
_FINER: Final = {
    SAC: "dural sac",
    FORAMEN: "foramen",
    EXITING_LEFT: "exiting root left",
    EXITING_RIGHT: "exiting root right",
    TRAVERSING_LEFT: "traversing root left",
    TRAVERSING_RIGHT: "traversing root right",
    FLAVUM_PART: "flavum",
}
NIFTI_LABELS: Final[tuple[str, ...]] = (*LABELS, *_FINER.values())
"""Names of the values in label files, by number. What `tissues.LABELS` calls canal is here what remains of it around
the dural sac. Sides are the patient's."""

_COMPRESSION: Final = 3


def nifti_labels(part: UInt8[np.ndarray, "*grid"], handedness: int) -> UInt8[np.ndarray, "*grid"]:
    """Values of `NIFTI_LABELS` for codes of structures; in a mirror image (handedness -1) sides change places."""
    table = training_labels(np.arange(256, dtype=np.uint8))
    for number, code in enumerate(_FINER):
        table[code] = len(LABELS) + number
    if handedness != 1:
        for left, right in _LEFT_RIGHT:
            table[[left, right]] = table[[right, left]]
    labels: UInt8[np.ndarray, "*grid"] = table[part]
    return labels


def ras_affine(volume: Volume) -> Float64[np.ndarray, "4 4"]:
    """Affine from (column, row, slice, 1) to millimetres to the right, forward and up (RAS), as NIfTI has it."""
    lps = volume.affine[:, [2, 1, 0, 3]]
    ras: Float64[np.ndarray, "4 4"] = np.diag([-1.0, -1.0, 1.0, 1.0]) @ lps
    return ras


def write_nifti_series(folder: Path, name: str, scanned: Sequence[Scanned], handedness: int) -> None:
    """Writes `<name>.nii.gz` and `<name>_labels.nii.gz`, and `labels.json` with the names of the labels.

    NIfTI holds one grid a file: a series of several groups of parallel slices becomes `<name>-1`, `<name>-2`, ...
    Axes are (column, row, slice). The same series gives the same bytes.

    Raises:
        OSError: the folder cannot be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "labels.json").write_text(
        json.dumps({str(value): label for value, label in enumerate(NIFTI_LABELS)}, indent=1) + "\n", encoding="utf8"
    )
    for number, group in enumerate(scanned, 1):
        stem = name if len(scanned) == 1 else f"{name}-{number}"
        affine = ras_affine(group.volume)
        pixels = np.clip(np.rint(group.volume.array), 0, 4095).astype(np.int16)
        _write(folder / f"{stem}.nii.gz", pixels, affine)
        _write(folder / f"{stem}_labels.nii.gz", nifti_labels(group.part, handedness), affine)


def _write(path: Path, grid: np.ndarray, affine: Float64[np.ndarray, "4 4"]) -> None:
    made: Any = nib.Nifti1Image
    image = made(np.ascontiguousarray(grid.transpose(2, 1, 0)), affine)
    image.header.set_xyzt_units("mm")
    image.set_sform(affine, code=1)
    image.set_qform(affine, code=1)
    path.write_bytes(gzip.compress(image.to_bytes(), _COMPRESSION, mtime=0))
