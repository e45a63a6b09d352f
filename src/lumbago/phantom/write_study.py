"""Writes phantom studies: DICOM series as a scanner would have left them, and beside them the truth as findings."""

import json
import shutil
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from errno import ENOTDIR
from functools import lru_cache
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import numpy as np
from numpy.random import Generator

from lumbago import __version__
from lumbago.errors import LumbagoError, UsageError
from lumbago.phantom.phantom_settings import setting_named
from lumbago.phantom.phantom_study import PhantomStudy, phantom_study
from lumbago.phantom.scan_spec import ScanSpec, SliceGroup
from lumbago.phantom.scan_spine import Scanned, scan
from lumbago.phantom.slice_files import slice_bytes, window_of
from lumbago.phantom.spine_spec import SpineSpec
from lumbago.phantom.truth_findings import PhantomSeries, truth_findings
from lumbago.phantom.write_nifti import write_nifti_series
from lumbago.phantom.write_rsna import gather_rsna, rsna_instance, write_rsna_rows

FORMATS: Final = ("dicom", "nifti", "rsna")
"""What a study can be written as: see `write_study`."""

Progress = Callable[[int, int], None]

_SECOND_AXIAL = 0.17
_SILENT_ABOUT_THICKNESS = 0.04


@dataclass(frozen=True, slots=True)
class WritePlan:
    """How studies are written: as what (`FORMATS`), and by how many processes, which do not change a study's bytes; and
    the setting that they are drawn in (`phantom_settings`)."""

    formats: tuple[str, ...] = ("dicom",)
    workers: int = 1
    setting: str = "usual"


def write_studies(
    out: Path, count: int, seed: int, progress: Progress | None = None, plan: WritePlan | None = None
) -> tuple[Path, ...]:
    """Writes `count` studies, of the phantoms `seed`, `seed + 1`, ..., to `out/phantom-<seed>-NNN`, see `write_study`.

    The same seed gives the same bytes. `progress` is called with (done, of how many). An interrupted call leaves whole
    studies only, and when repeated goes on: studies that this version wrote from the same seed are kept. As `rsna`,
    images and tables of all studies in `out` are gathered in `out/rsna`.

    Raises:
        UsageError: `out` cannot be written to; an unknown format or setting.
        LumbagoError: a process that wrote studies was ended from outside, as for lack of memory.
    """
    plan = plan or WritePlan()
    setting_named(plan.setting)
    folders = tuple(out / f"phantom-{seed}-{number:03d}" for number in range(count))
    jobs = [(folder, seed + number) for number, folder in enumerate(folders)]
    todo = [job for job in jobs if not _is_kept(*job, plan)]
    for done, _ in enumerate(_written(todo, plan), count - len(todo) + 1):
        if progress is not None:
            progress(done, count)
    if "rsna" in plan.formats:
        gather_rsna(out / "rsna", (rows.parent for rows in out.glob("phantom-*/rsna.json")))
    return folders


def _written(jobs: list[tuple[Path, int]], plan: WritePlan) -> Iterator[Path]:
    """Writes studies, here or in processes of their own; they come as they are done."""
    code = code_digest()
    if plan.workers == 1 or len(jobs) < 2:
        yield from (write_study(folder, seed, plan, code) for folder, seed in jobs)
        return
    pool = ProcessPoolExecutor(min(plan.workers, len(jobs)), get_context("spawn"), _leave_interrupts)
    try:
        tasks = [pool.submit(write_study, folder, seed, plan, code) for folder, seed in jobs]
        yield from (task.result() for task in as_completed(tasks))
    except BrokenProcessPool as error:
        raise LumbagoError(
            "a process that wrote phantoms was ended from outside", "about 0.5 GB of memory each", "use fewer --workers"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _leave_interrupts() -> None:
    """Lets the parent alone answer Ctrl-C, so that a study that is being written is finished."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _stamp(seed: int, plan: WritePlan, code: str) -> dict[str, object]:
    """What made a study; another version of this package's code is another maker."""
    made = {"seed": seed, "setting": plan.setting, "version": __version__, "code": code}
    return {**made, "formats": sorted(plan.formats)}


@lru_cache(maxsize=1)
def code_digest() -> str:
    """Of the phantom's source files as this process first found them; processes that it starts are given it."""
    sources = sorted(Path(__file__).parent.glob("*.py"))
    return sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:16]


def _is_kept(folder: Path, seed: int, plan: WritePlan) -> bool:
    """Whether a folder holds the whole study already; folders only get their name when they are whole."""
    try:
        stamp = json.loads((folder / "phantom.json").read_text(encoding="utf8"))
    except (OSError, ValueError):
        return False
    written = replace(plan, formats=tuple(stamp["formats"]))
    return bool(set(plan.formats) <= set(stamp["formats"]) and stamp == _stamp(seed, written, code_digest()))


def write_study(folder: Path, seed: int, plan: WritePlan | None = None, code: str | None = None) -> Path:
    """Writes the phantom of a seed into a folder, which appears only when all of it is there.

    `code` is the digest of the code for the stamp, where a parent process has taken it.

    The folder holds `truth.json` (findings of the truth), `spine.json` (the drawn spec), `phantom.json` (seed, setting,
    version, formats) and, by format:

    - `dicom`: `dicom/<series>/NNN.dcm`;
    - `nifti`: `nifti/<series>.nii.gz` and `..._labels.nii.gz`, one pair per group of parallel slices, `labels.json`;
    - `rsna`: `rsna/<study_id>/<series_id>/<instance>.dcm` and `rsna.json`, the study's rows of the RSNA 2024 tables.

    Until then its content lies in `.part-<name>` beside it. An empty folder, or an older phantom, is replaced.

    Raises:
        UsageError: the folder cannot be written to, or holds something else than a phantom; an unknown format or
            setting.
    """
    plan = plan or WritePlan()
    formats, setting = plan.formats, setting_named(plan.setting)
    if unknown := set(formats) - set(FORMATS):
        raise UsageError(f"no format {', '.join(sorted(unknown))}", f"some of {', '.join(FORMATS)}", "see --help")
    part = folder.parent / f".part-{folder.name}"
    try:
        _refuse_foreign(folder)
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        _write_all(part, folder.name, phantom_study(seed, setting=setting), formats)
        stamp = _stamp(seed, plan, code or code_digest())
        (part / "phantom.json").write_text(json.dumps(stamp) + "\n", encoding="utf8")
        if folder.is_dir():
            shutil.rmtree(folder)
        part.rename(folder)
    except OSError as error:
        raise UsageError(
            f"{folder} cannot be written: {error.strerror}", "a folder to write to", "choose another"
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder


def _refuse_foreign(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(ENOTDIR, "it is a file")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / "spine.json").is_file():
        raise UsageError(f"{folder} holds something that is no phantom", "a folder of its own", "choose another")


def _write_all(folder: Path, name: str, study: PhantomStudy, formats: Sequence[str]) -> None:
    made = PhantomSeries(study.spine, planned_series(study))
    for number, scan_spec in enumerate(made.scans):
        _write_series(folder, study.spine, scan_spec, (number, formats))
    truth = truth_findings(name, made)
    (folder / "truth.json").write_text(truth.to_json(), encoding="utf8")
    (folder / "spine.json").write_text(study.spine.to_json() + "\n", encoding="utf8")
    if "rsna" in formats:
        write_rsna_rows(folder / "rsna.json", made, truth)


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


def _write_series(folder: Path, spine: SpineSpec, scan_spec: ScanSpec, what: tuple[int, Sequence[str]]) -> None:
    number, formats = what
    scanned = scan(spine, scan_spec)
    name = f"{scan_spec.role}-{scan_spec.disturbance.seed % 10_000:04d}"
    if "nifti" in formats:
        write_nifti_series(folder / "nifti", name, scanned, spine.handedness)
    targets = [folder / "dicom" / name] if "dicom" in formats else []
    for instance, data in _files(scanned, scan_spec) if {"dicom", "rsna"} & set(formats) else ():
        for target in targets:
            _write(target / f"{instance:03d}.dcm", data)
        if "rsna" in formats:
            _write(folder / "rsna" / rsna_instance(spine.seed, number, instance), data)


def _files(scanned: tuple[Scanned, ...], scan_spec: ScanSpec) -> list[tuple[int, bytes]]:
    """Instance number and bytes of every slice."""
    volumes = [part.volume for part in scanned]
    window = window_of(
        np.concatenate([volume.array for volume in volumes])[::2, ::4, ::4].reshape(-1, 1), scan_spec.maker.manufacturer
    )
    rng = np.random.default_rng([scan_spec.disturbance.seed, 5])
    states_thickness = bool(rng.random() >= _SILENT_ABOUT_THICKNESS)
    return [
        (header.instance_number or 0, slice_bytes(header, image, window, states_thickness))
        for volume in volumes
        for image, header in zip(volume.array, volume.headers, strict=True)
    ]


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
