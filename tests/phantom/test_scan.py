"""Images: bright where physics says so, the same whichever slices are asked for, and lying where their affine says."""

from dataclasses import replace

import numpy as np
import pytest

from lumbago.anatomy.conditions import ROLES
from lumbago.anatomy.levels import LEVELS
from lumbago.phantom.mr_signal import Contrast, tissue_signals
from lumbago.phantom.phantom_study import PhantomStudy, phantom_study
from lumbago.phantom.render_spine import render
from lumbago.phantom.scan_protocols import SCANNERS
from lumbago.phantom.scan_spec import ScanSpec
from lumbago.phantom.scan_spine import scan_slices
from lumbago.phantom.tissues import SAC, Tissue

T1 = Contrast("T1", 1.5, 506.0, 9.8, 0.0, 3, False, 1)
T2 = Contrast("T2", 1.5, 3715.0, 106.0, 0.0, 17, False, 1)


def small(scan_spec: ScanSpec) -> ScanSpec:
    """The same series on few pixels, without noise."""
    field = scan_spec.pixel_mm * scan_spec.rows
    return replace(
        scan_spec,
        rows=128,
        columns=128,
        pixel_mm=field / 128,
        acquired_mm=field / 128,
        disturbance=replace(scan_spec.disturbance, noise=0.0),
    )


@pytest.fixture(scope="module")
def study() -> PhantomStudy:
    made = phantom_study(31)
    return replace(made, scans={role: small(made.scans[role]) for role in ROLES})


def test_signals_follow_the_weighting() -> None:
    first, second = tissue_signals(T1), tissue_signals(T2)
    fat, fluid, muscle = Tissue.SUBCUTANEOUS_FAT, Tissue.CSF, Tissue.MUSCLE
    assert first.by_tissue[fat] > 2 * first.by_tissue[muscle] > 2 * first.by_tissue[fluid]
    assert second.by_tissue[fluid] > second.by_tissue[fat] > 3 * second.by_tissue[muscle]
    assert first.yellow_marrow > first.red_marrow


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("free", [0.0, 1.0])
def test_nucleus_darkens_with_its_grade_on_t2(seed: int, free: float) -> None:
    nucleus = tissue_signals(replace(T2, variation_seed=seed, free=free)).nucleus
    assert np.all(np.diff(nucleus) <= 0)
    assert nucleus[4] < 0.6 * nucleus[0]


def test_relative_signals_are_those_of_the_equations() -> None:
    """Expected values of phantom facts, section 5.2, means over 40 drawn persons, within a quarter."""
    drawn = [tissue_signals(replace(T2, variation_seed=seed)) for seed in range(40)]
    nucleus = np.mean([signals.nucleus for signals in drawn], axis=0)
    assert nucleus == pytest.approx([0.96, 0.69, 0.41, 0.16, 0.07], rel=0.25)
    muscle = np.mean([tissue_signals(replace(T1, variation_seed=seed)).by_tissue[Tissue.MUSCLE] for seed in range(40)])
    assert muscle == pytest.approx(0.32, rel=0.25)


@pytest.mark.parametrize("role", ROLES)
def test_a_slice_does_not_depend_on_the_others(study: PhantomStudy, role: str) -> None:
    spec = study.scans[role]  # type: ignore[index]
    many, one = scan_slices(study.spine, spec, 0, [1, 2]), scan_slices(study.spine, spec, 0, [2])
    assert np.array_equal(many.volume.array[1], one.volume.array[0])
    assert np.array_equal(many.part[1], one.part[0])
    assert many.volume.headers[1] == one.volume.headers[0]


@pytest.mark.parametrize("role", ROLES)
def test_labels_lie_where_the_affine_says(study: PhantomStudy, role: str) -> None:
    scanned = study.scan_near(role, study.landmarks.disc("L4/L5").canal_lps_mm)  # type: ignore[arg-type]
    rows, columns = np.indices(scanned.part.shape[1:])
    ijk = np.stack([np.zeros_like(rows), rows, columns], axis=-1).astype(float)
    again = render(study.spine, scanned.volume.to_lps_mm(ijk).astype(np.float32))
    assert np.mean(again.part == scanned.part[0]) > 0.98


def test_landmark_of_the_canal_is_bright_fluid_on_t2(study: PhantomStudy) -> None:
    point = study.landmarks.disc("L2/L3").canal_lps_mm
    scanned = study.scan_near("sagittal_t2", point)
    ijk = np.rint(scanned.volume.to_ijk(np.array(point))).astype(int)
    assert scanned.part[0, ijk[1], ijk[2]] == SAC
    image = scanned.volume.array[0]
    assert image[scanned.part[0] == SAC].mean() > 2 * image[scanned.tissue[0] == Tissue.MUSCLE].mean()


def test_affine_and_headers_agree(study: PhantomStudy) -> None:
    for role in ROLES:
        scanned = scan_slices(study.spine, study.scans[role], 0, [1, 2])
        for index, header in enumerate(scanned.volume.headers):
            corner = scanned.volume.to_lps_mm(np.array([index, 0.0, 0.0]))
            assert header.image_position == pytest.approx(tuple(corner), abs=1e-6)
        numbers = [header.instance_number for header in scanned.volume.headers]
        assert len(set(numbers)) == len(numbers)


def test_same_seed_same_pixels() -> None:
    first, second = phantom_study(40), phantom_study(40)
    assert first.scans == second.scans
    point = first.landmarks.disc("L4/L5").canal_lps_mm
    images = [
        replace(made, scans={"axial_t2": small(made.scans["axial_t2"])}).scan_near("axial_t2", point)
        for made in (first, second)
    ]
    assert np.array_equal(images[0].volume.array, images[1].volume.array)


def test_plans_vary_as_they_do_in_patients() -> None:
    studies = [phantom_study(seed) for seed in range(20)]
    layouts = {min(len(made.scans["axial_t2"].groups), 3) for made in studies}
    assert layouts == {1, 2, 3}
    assert {made.scans["axial_t2"].instance_order for made in studies} == {1, -1}
    assert len({made.scans["sagittal_t2"].maker.models for made in studies}) >= 4
    assert {made.scans["sagittal_t2"].contrast.weighting for made in studies} == {"T2", "STIR"}
    fields = [made.scans["sagittal_t2"].pixel_mm * made.scans["sagittal_t2"].rows for made in studies]
    assert 249.9 <= min(fields) < 275
    assert 325 < max(fields) <= 380.1


def test_slices_reach_both_foramina_and_all_planned_discs() -> None:
    for seed in range(8):
        made = phantom_study(seed)
        for level in LEVELS:
            place = made.landmarks.disc(level)
            planes = made.scans["sagittal_t1"].groups[0]
            assert all(planes.distance_to(np.array(point)) < planes.spacing for point in place.foramen_lps_mm.values())
        lowest = np.array(made.landmarks.disc("L5/S1").canal_lps_mm)
        assert min(group.distance_to(lowest) for group in made.scans["axial_t2"].groups) < 6


def test_scanners_are_described_for_every_role() -> None:
    assert all(set(scanner.sequences) == set(ROLES) for scanner in SCANNERS)
    assert sum(scanner.share for scanner in SCANNERS) == pytest.approx(1.0)


def test_free_contrast_varies_more_than_physics() -> None:
    def spread(free: float) -> float:
        drawn = [
            tissue_signals(replace(T2, variation_seed=seed, free=free)).by_tissue[Tissue.ORGAN] for seed in range(40)
        ]
        return float(np.std(np.log(drawn)))

    assert spread(1.0) > 1.3 * spread(0.0)
