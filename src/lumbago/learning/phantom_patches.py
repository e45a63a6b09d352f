"""Phantom discs, canals, foramina and recesses as a grader's training samples, scanned only where it looks."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Final

import numpy as np
from jaxtyping import Float64, Shaped
from numpy.random import Generator

from lumbago.anatomy.conditions import CONDITIONS, Role
from lumbago.anatomy.findings import Point
from lumbago.anatomy.levels import LEVELS, SIDES, Side
from lumbago.dicom.patient_geometry import canonical_axial, canonical_sagittal
from lumbago.dicom.volume import Volume
from lumbago.learning.disc_samples import GradedPatch
from lumbago.learning.experiment import Experiment
from lumbago.learning.sample_cache import ALONE, Piece, Preparation, kept_samples
from lumbago.phantom.landmarks import DiscPlace
from lumbago.phantom.measure_truth import measure_truth
from lumbago.phantom.phantom_study import PhantomStudy, phantom_study
from lumbago.phantom.reader_noise import read_with_noise
from lumbago.phantom.sample_spine import sample_spine
from lumbago.phantom.scan_spec import SliceGroup
from lumbago.phantom.scan_spine import Scanned, scan_slices
from lumbago.phantom.spine_spec import SpineSpec
from lumbago.phantom.tissues import DISC_LABELS, LABELS, SAC, VERTEBRA_LABELS, Tissue, training_labels
from lumbago.pipeline.crop_patches import PatchFrame
from lumbago.pipeline.measure_spine import FAT_TO_MARROW, SignalReference
from lumbago.pipeline.measured_features import Measures, in_order, measure_section
from lumbago.pipeline.place_patches import BEHIND_DISC_MM, SEEN_ON
from lumbago.pipeline.tissue_section import SectionPlace, cut_section

Vector = Float64[np.ndarray, "3"]
Grades = dict[tuple[str, Side | None], dict[str, int]]
"""By (level, side) and condition: index into the condition's scale."""

_LEAST_PIXELS: Final = 30
_KEPT_NORMALS: Final = 0.35
"""Most sites are normal; leaving some out weighs the others two to four times as much, as the RSNA 2024 metric does."""


@dataclass(frozen=True, slots=True)
class PatchScan:
    """How closely phantoms are scanned around a site: the finest pixel, and the sub-slices that a slice is averaged
    over; how large a field, and how many slices."""

    finest_mm: float
    sub_slices: int
    field_mm: float = 72.0
    slices: int = 3


FINE: Final = PatchScan(0.55, 3)
LOW: Final = PatchScan(1.0, 0)
"""As scanners do, for training; and fast, for trying things out: thin slices on coarse pixels."""


@dataclass(frozen=True, slots=True)
class Site:
    """Something to grade on a phantom: where, on which series, and how its patch lies."""

    level: str
    side: Side | None
    point_lps_mm: Vector
    along: Vector
    down: Vector


def phantom_patches(experiment: Experiment, how: Preparation = ALONE) -> list[GradedPatch]:
    """All sites of the experiment's anchor on its phantoms, each with the phantom's true grades, or with a reader's
    (`Experiment.reader_noise`; sites and pictures are the same).

    Contrast is physical for half of the phantoms and drawn freely for the others.
    """
    slices = max(FINE.slices, experiment.slices)
    wanted = (experiment.conditions, (experiment.anchor, slices), experiment.reader_noise)
    seeds = range(experiment.phantom_seed, experiment.phantom_seed + experiment.phantoms)
    pieces = [Piece(_training_patches, (seed, *wanted), (seed, *wanted)) for seed in seeds]
    return kept_samples(pieces, GradedPatch.of_parts, how, "phantom patches")


def _training_patches(
    seed: int, conditions: tuple[str, ...], where: tuple[str, int], reader_noise: bool
) -> Iterator[GradedPatch]:
    """`where` is the anchor and how many slices a patch has."""
    anchor, slices = where
    how = replace(FINE, slices=max(FINE.slices, slices))
    for site, patch in _patches_of(seed, (conditions, anchor), how, _KEPT_NORMALS):
        if reader_noise:
            yield replace(patch, grades=read_grades(sample_spine(seed), conditions)[site.level, site.side])
        else:
            yield patch


def phantom_stream(first_seed: int, conditions: tuple[str, ...], anchor: str = "disc") -> Iterator[GradedPatch]:
    """Endless samples of the phantoms `first_seed`, `first_seed + 1`, ..., every site of the anchor (of `SITES`), at
    low resolution: straight into memory, without files. Grades are measured as finely as for written studies.
    """
    for seed in count(first_seed):
        yield from (patch for _, patch in _patches_of(seed, (conditions, anchor), LOW, 1.0))


def _patches_of(
    seed: int, what: tuple[tuple[str, ...], str], how: PatchScan, kept_normals: float
) -> Iterator[tuple[Site, GradedPatch]]:
    conditions, anchor = what
    rng = np.random.default_rng([seed, 8])
    study = phantom_study(seed, randomised=bool(rng.random() < 0.5))
    truth = true_grades(study.spine, conditions)
    for site in SITES[anchor](study):
        grades = truth[site.level, site.side]
        if any(grades.values()) or rng.random() < kept_normals:
            yield site, _patch(study, (SEEN_ON[anchor], how), site, grades, rng)


def true_grades(spine: SpineSpec, conditions: Sequence[str]) -> Grades:
    """The measured grades of a phantom by (level, side), as indices into their scales."""
    grades: Grades = {}
    for level in measure_truth(spine):
        for name in conditions:
            for side in CONDITIONS[name].sides:
                index = CONDITIONS[name].scale.grades.index(level.grade(name, side))
                grades.setdefault((level.level, side), {})[name] = index
    return grades


def read_grades(spine: SpineSpec, conditions: Sequence[str]) -> Grades:
    """`true_grades` with the stenoses as a reader who misjudges sizes a little would have graded them."""
    grades = true_grades(spine, conditions)
    for (name, level, side), grade in read_with_noise(spine, measure_truth(spine)).items():
        if name in conditions:
            grades[level, side][name] = CONDITIONS[name].scale.grades.index(grade)
    return grades


def _patch(
    study: PhantomStudy, scan: tuple[Role, PatchScan], site: Site, grades: Mapping[str, int], rng: Generator
) -> GradedPatch:
    role, how = scan
    return patch_on(study, role, site, (scan_around(study, role, how, (site.point_lps_mm, rng)), grades))


def patch_on(
    study: PhantomStudy, role: Role, site: Site, seen: tuple[Scanned, Mapping[str, int]], series: int = 0
) -> GradedPatch:
    """A site with its grades, on what was scanned of a series."""
    scanned, grades = seen
    upright = canonical_axial if role == "axial_t2" else canonical_sagittal
    volume = upright(scanned.volume)
    index = int(np.clip(round(float(volume.to_ijk(site.point_lps_mm)[0])), 0, volume.array.shape[0] - 1))
    frame = PatchFrame(index, site.point_lps_mm, site.along, site.down)
    name = f"phantom:{study.spine.seed}"
    reference = _REFERENCES[role](scanned)
    measures = _measured(scanned, study.landmarks.disc(site.level), reference) if role == "sagittal_t2" else None
    return GradedPatch(
        "phantoms", name, name, site.level, volume, frame, reference, grades,
        side=site.side, series=series, measures=measures,
    )  # fmt: skip


def _measured(scanned: Scanned, disc: DiscPlace, reference: SignalReference | None) -> Measures | None:
    """What is measured of a disc where the truth stands in for the locator's maps; sizes that the small scan cuts off
    are unknown."""
    if reference is None:
        return None
    center, back, down = np.array(disc.center_lps_mm), np.array(disc.back), -np.array(disc.up)
    index = int(np.clip(round(float(scanned.volume.to_ijk(center)[0])), 0, len(scanned.part) - 1))
    classes = training_labels(scanned.part[index])
    tissues = {name: slice_alone(scanned.volume, index, np.isin(classes, of)) for name, of in _TISSUES.items()}
    section = cut_section(scanned.volume, tissues, SectionPlace(index, center, back, down))
    return in_order(measure_section(section, reference))


def slice_alone(volume: Volume, index: int, values: Shaped[np.ndarray, "rows columns"]) -> Volume:
    """A volume of these values alone, where a slice of another lies."""
    affine = volume.affine.copy()
    affine[:3, 3] = volume.to_lps_mm(np.array([index, 0.0, 0.0]))
    return Volume(np.ascontiguousarray(values[None], np.float32), affine, headers=())


_TISSUES: Final[Mapping[str, list[int]]] = {
    "disc": [LABELS.index(name) for name in DISC_LABELS],
    "body": [LABELS.index(name) for name in (*VERTEBRA_LABELS, "S1")],
    "canal": [LABELS.index("canal")],
}
"""Classes of the phantom that the locator's maps show."""


def scan_around(study: PhantomStudy, role: Role, how: PatchScan, where: tuple[Vector, Generator]) -> Scanned:
    """A few slices of the series' own kind, on a field of view about a point, the middle one passing near it."""
    point, rng = where
    scan = study.scans[role]
    group, _ = study.nearest_slice(role, (float(point[0]), float(point[1]), float(point[2])))
    planes = scan.groups[group]
    pixel_mm = max(scan.pixel_mm, how.finest_mm)
    pixels = round(how.field_mm / pixel_mm / 2) * 2
    shift = float(rng.uniform(-0.5, 0.5)) - (how.slices - 1) / 2
    center = point + shift * planes.spacing * np.array(planes.normal)
    near = SliceGroup(_triple(center), planes.along, planes.down, planes.normal, how.slices, planes.spacing)
    disturbance = replace(scan.disturbance, sub_slices=min(scan.disturbance.sub_slices, how.sub_slices))
    small = replace(scan, rows=pixels, columns=pixels, pixel_mm=pixel_mm, groups=(near,), disturbance=disturbance)
    return scan_slices(study.spine, small, 0)


def _triple(vector: Vector) -> Point:
    return float(vector[0]), float(vector[1]), float(vector[2])


# --- how bright things are -------------------------------------------------------------------------------------------


def _fluid_and_marrow(scanned: Scanned) -> SignalReference:
    """As `measure_spine.signal_references` has it: the canal's 90th percentile and the bodies' median."""
    values = scanned.volume.array
    marrow = _percentile(values[scanned.tissue == Tissue.MARROW], 50, float(np.median(values)))
    fluid = _percentile(values[scanned.part == SAC], 90, float(np.percentile(values, 99)))
    return SignalReference(max(fluid, 1e-6), max(marrow, 1e-6))


def _fat_and_marrow(scanned: Scanned) -> SignalReference:
    marrow = _fluid_and_marrow(scanned).middle
    return SignalReference(FAT_TO_MARROW * marrow, marrow)


def _none(scanned: Scanned) -> None:
    """Axial patches are judged by their own percentiles."""


def _percentile(values: np.ndarray, share: int, otherwise: float) -> float:
    return float(np.percentile(values, share)) if values.size >= _LEAST_PIXELS else otherwise


_REFERENCES: Final[Mapping[Role, Callable[[Scanned], SignalReference | None]]] = {
    "sagittal_t2": _fluid_and_marrow,
    "sagittal_t1": _fat_and_marrow,
    "axial_t2": _none,
}


# --- where to look ---------------------------------------------------------------------------------------------------


def _graded_discs(study: PhantomStudy) -> list[DiscPlace]:
    return [disc for disc in study.landmarks.discs if disc.level in LEVELS]


def _disc_sites(study: PhantomStudy) -> list[Site]:
    return [
        _middle_site(disc, np.array(disc.center_lps_mm) + BEHIND_DISC_MM * np.array(disc.back))
        for disc in _graded_discs(study)
    ]


def _canal_sites(study: PhantomStudy) -> list[Site]:
    return [_middle_site(disc, np.array(disc.canal_lps_mm)) for disc in _graded_discs(study)]


def _middle_site(disc: DiscPlace, point: Vector) -> Site:
    return Site(disc.level, None, point, np.array(disc.back), -np.array(disc.up))


def _foramen_sites(study: PhantomStudy) -> list[Site]:
    return [
        Site(disc.level, side, np.array(disc.foramen_lps_mm[side]), np.array(disc.back), -np.array(disc.up))
        for disc in _graded_discs(study)
        for side in SIDES
    ]


def _recess_sites(study: PhantomStudy) -> list[Site]:
    """On the planes of the axial series; columns run outward on both sides."""
    sites = []
    for disc in _graded_discs(study):
        for side in SIDES:
            point = disc.recess_lps_mm[side]
            group, _ = study.nearest_slice("axial_t2", point)
            planes = study.scans["axial_t2"].groups[group]
            outward = 1.0 if side == "left" else -1.0
            sites.append(
                Site(disc.level, side, np.array(point), outward * np.array(planes.along), np.array(planes.down))
            )
    return sites


def _axial_disc_sites(study: PhantomStudy) -> list[Site]:
    """On the planes of the axial series, as they are displayed."""
    sites = []
    for disc in _graded_discs(study):
        group, _ = study.nearest_slice("axial_t2", disc.center_lps_mm)
        planes = study.scans["axial_t2"].groups[group]
        sites.append(
            Site(disc.level, None, np.array(disc.center_lps_mm), np.array(planes.along), np.array(planes.down))
        )
    return sites


SITES: Final[Mapping[str, Callable[[PhantomStudy], list[Site]]]] = {
    "disc": _disc_sites,
    "disc_t1": _disc_sites,
    "canal": _canal_sites,
    "foramen": _foramen_sites,
    "recess": _recess_sites,
    "axial_disc": _axial_disc_sites,
}
"""The sites of each anchor of a grader's card."""
