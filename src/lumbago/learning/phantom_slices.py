"""Phantom slices as the locator's training samples: every channel is known on them."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import numpy as np
from jaxtyping import Float64, UInt8
from numpy.random import Generator
from PIL import Image

from lumbago.anatomy.conditions import CONDITIONS, Role
from lumbago.anatomy.levels import SIDES
from lumbago.dicom.volume import Volume
from lumbago.learning.locator_targets import ONE, GradedDisc, LocatorSample, Maps, StoredSlice, point_map
from lumbago.learning.phantom_patches import true_grades
from lumbago.learning.sample_cache import ALONE, Piece, Preparation, kept_samples
from lumbago.phantom.landmarks import landmarks
from lumbago.phantom.sample_spine import sample_spine
from lumbago.phantom.scan_spec import ScanSpec, SliceGroup, draw_scanner, sample_scan
from lumbago.phantom.scan_spine import Scanned, scan_slices
from lumbago.phantom.spine_spec import SpineSpec
from lumbago.phantom.tissues import DISC_LABELS, LABELS, VERTEBRA_LABELS, training_labels
from lumbago.pipeline.locate_discs import CHANNELS, PIXEL_MM
from lumbago.pipeline.normalise import resample_image

_ROWS: Final = 320
_SLICES_OF: Final[dict[Role, int]] = {"sagittal_t2": 3, "sagittal_t1": 4, "axial_t2": 3}
_NEAR_MM: Final = 3.0
_GRADED: Final = tuple(row.name for row in CONDITIONS.values() if row.source == "sagittal_t2" and not row.sided)
"""What a sagittal T2 slice shows of its discs."""

_LEAST_DISC_MM2: Final = 60.0

Labels = UInt8[np.ndarray, "rows columns"]


def phantom_samples(first_seed: int, count: int, how: Preparation = ALONE) -> list[LocatorSample | StoredSlice]:
    """About ten slices of each phantom: sagittal ones in the middle and at the foramina, axial ones at discs.

    Contrast is physical for half of the phantoms and drawn freely for the others (domain randomisation, Billot et al.
    2023).
    """
    pieces = [Piece(_slices_of, (seed,), (seed,)) for seed in range(first_seed, first_seed + count)]
    return kept_samples(pieces, StoredSlice.of_parts, how, "phantom slices")


def _slices_of(seed: int) -> Iterator[LocatorSample]:
    rng = np.random.default_rng([seed, 7])
    spine = sample_spine(seed)
    choice = draw_scanner(rng, randomised=bool(rng.random() < 0.5))
    grades = {level: row for (level, side), row in true_grades(spine, _GRADED).items() if side is None}
    for role, slices in _SLICES_OF.items():
        scan = _coarser(sample_scan(seed, spine, role, choice))
        for group, index in _draw_slices(rng, spine, scan, slices):
            sample, centers = _sample(spine, scan, scan_slices(spine, scan, group, [index]))
            seen = {level: centers[level] for level in grades if role == "sagittal_t2" and level in centers}
            yield replace(sample, graded=tuple(GradedDisc(*seen[level], grades[level]) for level in seen))


def _coarser(scan: ScanSpec) -> ScanSpec:
    """The series on fewer pixels: the locator works at 1 mm, so finer ones would cost time for nothing."""
    factor = min(1.0, _ROWS / scan.rows)
    rows, columns = round(scan.rows * factor), round(scan.columns * factor)
    return replace(scan, rows=rows, columns=columns, pixel_mm=scan.pixel_mm * scan.rows / rows)


def _draw_slices(rng: Generator, spine: SpineSpec, scan: ScanSpec, count: int) -> list[tuple[int, int]]:
    """(group, slice) pairs through random places: the canal's middle, foramina, or discs of axial groups."""
    discs = landmarks(spine).discs[:-1]
    chosen = []
    for number in range(count):
        disc = discs[rng.integers(len(discs))]
        if scan.role == "axial_t2":
            chosen.append(_nearest(scan.groups, np.array(disc.canal_lps_mm)))
        elif number == 0 or (scan.role == "sagittal_t2" and number == 1):
            chosen.append((0, scan.groups[0].offset_to(np.array(disc.canal_lps_mm))))
        else:
            side = SIDES[rng.integers(2)]
            chosen.append((0, scan.groups[0].offset_to(np.array(disc.foramen_lps_mm[side]))))
    return sorted(set(chosen))


def _nearest(groups: tuple[SliceGroup, ...], point: Float64[np.ndarray, "3"]) -> tuple[int, int]:
    def distance(group: SliceGroup) -> float:
        center = np.array(group.center_lps_mm) + group.offset_to(point) * group.spacing * np.array(group.normal)
        return abs(float((point - center) @ np.array(group.normal)))

    number = min(range(len(groups)), key=lambda n: distance(groups[n]))
    return number, groups[number].offset_to(point)


Centers = dict[str, tuple[float, float]]
"""(row, column) of the middle of each disc that a slice cuts well, by name."""


def _sample(spine: SpineSpec, scan: ScanSpec, scanned: Scanned) -> tuple[LocatorSample, Centers]:
    volume = scanned.volume
    spacing = (float(volume.spacing_mm[1]), float(volume.spacing_mm[2]))
    image = resample_image(volume.array[0], spacing, PIXEL_MM)
    shape = (image.shape[0], image.shape[1])
    classes = Image.fromarray(training_labels(scanned.part[0]))
    labels = np.asarray(classes.resize(shape[::-1], Image.Resampling.NEAREST))
    targets = _masks(labels)
    places, centers = landmarks(spine), _disc_centers(labels)
    if scan.role == "axial_t2":
        points = [point for disc in places.discs for point in disc.recess_lps_mm.values()]
        targets[CHANNELS.index("recess")] = point_map(shape, _on_slice(volume, points, shape))
    else:
        lumbar = [disc for disc in places.discs if not disc.level.startswith("S")]
        points = [point for disc in lumbar for point in disc.foramen_lps_mm.values()]
        targets[CHANNELS.index("disc_center")] = point_map(shape, list(centers.values()))
        lowest = [centers["L5/S1"]] if "L5/S1" in centers else []
        targets[CHANNELS.index("lumbosacral_center")] = point_map(shape, lowest)
        targets[CHANNELS.index("foramen")] = point_map(shape, _on_slice(volume, points, shape))
    return LocatorSample(f"phantom_{scan.role}:{spine.seed}", f"phantom:{spine.seed}", image, targets), centers


def _masks(labels: Labels) -> Maps:
    targets = np.zeros((len(CHANNELS), *labels.shape), np.uint8)
    drawn = {"disc": DISC_LABELS, "vertebra": VERTEBRA_LABELS, "sacrum": ("S1",), "canal": ("canal",)}
    for channel, names in drawn.items():
        targets[CHANNELS.index(channel)] = np.isin(labels, [LABELS.index(name) for name in names]) * ONE
    return targets


def _disc_centers(labels: Labels) -> Centers:
    """Middle of each disc that the slice cuts well, by name."""
    centers = {}
    for name in DISC_LABELS:
        rows, columns = np.nonzero(labels == LABELS.index(name))
        if rows.size * PIXEL_MM**2 >= _LEAST_DISC_MM2:
            centers[name] = (float(rows.mean()), float(columns.mean()))
    return centers


def _on_slice(
    volume: Volume, points: list[tuple[float, float, float]], shape: tuple[int, int]
) -> list[tuple[float, float]]:
    """(row, column) on the network's grid of the points that lie within 3 mm of the slice."""
    _, rows, columns = volume.array.shape
    found = []
    for ijk in volume.to_ijk(np.array(points)):
        if abs(ijk[0]) * volume.spacing_mm[0] <= _NEAR_MM:
            found.append(((ijk[1] + 0.5) * shape[0] / rows - 0.5, (ijk[2] + 0.5) * shape[1] / columns - 0.5))
    return [(float(row), float(column)) for row, column in found]
