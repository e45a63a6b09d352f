"""Writes phantom studies: DICOM series as a scanner would have left them, and beside them the truth as findings."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.random import Generator

from lumbago.errors import UsageError
from lumbago.phantom.phantom_study import PhantomStudy, phantom_study
from lumbago.phantom.scan_spec import ScanSpec, SliceGroup
from lumbago.phantom.scan_spine import scan
from lumbago.phantom.slice_files import slice_bytes, window_of
from lumbago.phantom.spine_spec import SpineSpec
from lumbago.phantom.truth_findings import PhantomSeries, truth_findings

Progress = Callable[[int, int], None]

_SECOND_AXIAL = 0.17
_SILENT_ABOUT_THICKNESS = 0.04


def write_studies(out: Path, count: int, seed: int, progress: Progress | None = None) -> tuple[Path, ...]:
    """Writes `count` studies, of the phantoms `seed`, `seed + 1`, ..., to `out/phantom-<seed>-NNN`.

    Each folder holds `dicom/<series>/NNN.dcm`, `truth.json` (findings of the truth) and `spine.json` (the drawn spec).
    The same seed gives the same bytes. `progress` is called with (done, of how many).

    Raises:
        UsageError: `out` cannot be written to.
    """
    folders = []
    for number in range(count):
        folders.append(write_study(out / f"phantom-{seed}-{number:03d}", seed + number))
        if progress is not None:
            progress(number + 1, count)
    return tuple(folders)


def write_study(folder: Path, seed: int) -> Path:
    """Writes the phantom of a seed into a folder.

    Raises:
        UsageError: the folder cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        study = phantom_study(seed)
        made = PhantomSeries(study.spine, planned_series(study))
        for scan_spec in made.scans:
            _write_series(folder / "dicom", study.spine, scan_spec)
        (folder / "truth.json").write_text(truth_findings(folder.name, made).to_json(), encoding="utf8")
        (folder / "spine.json").write_text(study.spine.to_json() + "\n", encoding="utf8")
    except OSError as error:
        raise UsageError(
            f"{folder} cannot be written: {error.strerror}", "a folder to write to", "choose another"
        ) from error
    return folder


def planned_series(study: PhantomStudy) -> tuple[ScanSpec, ...]:
    """The series of a study as they are written: in 17 % of studies the axial slices come as two series."""
    rng = np.random.default_rng([study.spine.seed, 4])
    sagittal = (study.scans["sagittal_t2"], study.scans["sagittal_t1"])
    axial = study.scans["axial_t2"]
    return (*sagittal, *(_split(rng, axial) if rng.random() < _SECOND_AXIAL else (axial,)))


def _split(rng: Generator, axial: ScanSpec) -> tuple[ScanSpec, ...]:
    """Upper and lower part as series of their own; a single block is cut with a few slices in both."""
    if len(axial.groups) > 1:
        cut = int(rng.integers(1, len(axial.groups)))
        parts = axial.groups[:cut], axial.groups[cut:]
    else:
        (block,) = axial.groups
        cut = int(rng.integers(block.count // 3, 2 * block.count // 3))
        parts = (_part(block, 0, cut + 2),), (_part(block, cut, block.count),)
    seeds = axial.disturbance.seed, axial.disturbance.seed ^ 1
    return tuple(
        replace(axial, groups=groups, disturbance=replace(axial.disturbance, seed=seed))
        for groups, seed in zip(parts, seeds, strict=True)
    )


def _part(block: SliceGroup, first: int, last: int) -> SliceGroup:
    """Slices `first` to `last` (excluded) of a group."""
    start = np.array(block.center_lps_mm) + first * block.spacing * np.array(block.normal)
    return replace(block, center_lps_mm=(float(start[0]), float(start[1]), float(start[2])), count=last - first)


def _write_series(folder: Path, spine: SpineSpec, scan_spec: ScanSpec) -> None:
    scanned = [part.volume for part in scan(spine, scan_spec)]
    window = window_of(
        np.concatenate([volume.array for volume in scanned])[::2, ::4, ::4].reshape(-1, 1), scan_spec.maker.manufacturer
    )
    rng = np.random.default_rng([scan_spec.disturbance.seed, 5])
    states_thickness = bool(rng.random() >= _SILENT_ABOUT_THICKNESS)
    target = folder / f"{scan_spec.role}-{scan_spec.disturbance.seed % 10_000:04d}"
    target.mkdir(parents=True, exist_ok=True)
    for volume in scanned:
        for image, header in zip(volume.array, volume.headers, strict=True):
            data = slice_bytes(header, image, window, states_thickness)
            (target / f"{header.instance_number:03d}.dcm").write_bytes(data)
