"""All places of phantoms together, for graders that see a whole study at once."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.random import Generator

from lumbago.anatomy.conditions import CONDITIONS, ROLES, Role
from lumbago.learning.disc_samples import GradedPatch
from lumbago.learning.experiment import Experiment
from lumbago.learning.phantom_patches import (
    FINE,
    SITES,
    PatchScan,
    Site,
    patch_on,
    read_grades,
    scan_around,
    slice_alone,
    true_grades,
)  # fmt: skip
from lumbago.learning.sample_cache import ALONE, Piece, Preparation, kept_samples
from lumbago.phantom.phantom_study import PhantomStudy, phantom_study
from lumbago.phantom.scan_spine import Scanned
from lumbago.pipeline.crop_patches import PICTURE

_WIDE: Final = PatchScan(1.0, 3, field_mm=250.0)
"""For pictures of the whole lumbar spine."""


def phantom_studies(experiment: Experiment, how: Preparation = ALONE) -> list[GradedPatch]:
    """Every site of the experiment's anchor on its phantoms, on each series that the grader looks at, with the
    phantom's true grades or a reader's. Contrast is as in `phantom_patches`; no normal site is left out."""
    wanted = replace(
        Experiment("", "grader"),
        **{name: getattr(experiment, name) for name in ("conditions", "anchor", "sees", "also_on", "reader_noise")},
        slices=max(FINE.slices, experiment.slices),
    )
    seeds = range(experiment.phantom_seed, experiment.phantom_seed + experiment.phantoms)
    known_by = (wanted.conditions, (wanted.anchor, wanted.slices), wanted.sees, wanted.also_on, wanted.reader_noise)
    pieces = [Piece(_places, (seed, wanted), (seed, *known_by)) for seed in seeds]
    return kept_samples(pieces, GradedPatch.of_parts, how, "phantom studies")


def _places(seed: int, wanted: Experiment) -> Iterator[GradedPatch]:
    rng = np.random.default_rng([seed, 8])
    study = phantom_study(seed, randomised=bool(rng.random() < 0.5))
    sites = SITES[wanted.anchor](study)
    grades = (read_grades if wanted.reader_noise else true_grades)(study.spine, wanted.conditions)
    roles = (CONDITIONS[wanted.conditions[0]].source, *(role for role in ROLES if role in wanted.also_on))
    for series, role in enumerate(roles):
        is_wide = wanted.sees == PICTURE and role != "axial_t2"
        scanned = _wide(study, role, sites, rng) if is_wide else _each(study, role, wanted.slices, (sites, rng))
        for site, seen in zip(sites, scanned, strict=True):
            patch = patch_on(study, role, site, (seen, grades[site.level, site.side]), series)
            yield _own_slice(patch) if is_wide else patch


def _each(study: PhantomStudy, role: Role, slices: int, where: tuple[list[Site], Generator]) -> Iterator[Scanned]:
    """Every site on a small field of its own, of as many slices as the grader sees."""
    sites, rng = where
    how = replace(FINE, slices=slices)
    return (scan_around(study, role, how, (site.point_lps_mm, rng)) for site in sites)


def _wide(study: PhantomStudy, role: Role, sites: list[Site], rng: Generator) -> list[Scanned]:
    """The sites of a side on one field, of as many slices as they need."""
    planes, scans = study.scans[role].groups[0], {}
    for side in dict.fromkeys(site.side for site in sites):
        points = np.array([site.point_lps_mm for site in sites if site.side == side])
        middle = points.mean(0)
        away = np.abs((points - middle) @ np.array(planes.normal)).max() / planes.spacing
        how = replace(_WIDE, slices=3 + 2 * int(np.ceil(away)))
        scans[side] = scan_around(study, role, how, (middle, rng))
    return [scans[site.side] for site in sites]


def _own_slice(patch: GradedPatch) -> GradedPatch:
    """With the slice through it alone: a picture shows no other."""
    number = patch.frame.slice_index
    alone = slice_alone(patch.volume, number, patch.volume.array[number])
    return replace(patch, held=alone, frame=replace(patch.frame, slice_index=0))
