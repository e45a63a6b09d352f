"""What goes wrong in a scan goes wrong at its rate, and only where it should."""

from dataclasses import replace

import numpy as np
import pytest

from lumbago.phantom.disturb_image import (
    around_metal,
    disturb_spectrum,
    echo_weights,
    with_ghosts,
    with_shifted_fat,
    without_flowing,
)
from lumbago.phantom.phantom_study import phantom_study
from lumbago.phantom.sample_spine import sample_spine
from lumbago.phantom.scan_artefacts import NO_ARTEFACTS, Artefacts, Circumstances, Screw, draw_artefacts, draw_screws
from lumbago.phantom.scan_spine import scan_slices
from lumbago.phantom.tissues import Tissue

AXIAL = Circumstances("axial_t2", "T2", 1.5, 190.0, 17)
DRAWN = [draw_artefacts(np.random.default_rng(seed), AXIAL, ()) for seed in range(3000)]


@pytest.mark.parametrize(
    ("name", "rate"), [("flow", 0.45), ("ghost", 0.30), ("motion_mm", 0.13), ("wrap", 0.03), ("fat_left", 0.0)]
)
def test_rates(name: str, rate: float) -> None:
    share = float(np.mean([getattr(drawn, name) > 0 for drawn in DRAWN]))
    assert share == pytest.approx(rate, abs=3 * (rate * (1 - rate) / len(DRAWN)) ** 0.5 + 1e-9)


def test_screws_are_rare_and_come_in_fours() -> None:
    spine = sample_spine(1)
    counts = [len(draw_screws(np.random.default_rng(seed), spine)) for seed in range(600)]
    assert set(counts) == {0, 4}
    assert 0.01 < np.mean(np.array(counts) > 0) < 0.05


def test_fat_is_shifted_by_field_over_bandwidth() -> None:
    """224 Hz at 1.5 T, so 1.0 to 1.4 pixels at the usual bandwidths."""
    assert abs(DRAWN[0].fat_shift) == pytest.approx(224 / 190, rel=0.01)
    image, fat = np.zeros((8, 8), np.float32), np.zeros((8, 8), np.float32)
    image[4, 2], image[4, 5], fat[4, 2] = 1, 1, 1
    moved = with_shifted_fat(image, fat, Artefacts(fat_shift=1.25))
    assert moved[4] == pytest.approx([0, 0, 0, 0.75, 0.25, 1, 0, 0])
    assert moved.sum() == image.sum()


def test_late_echoes_weigh_less() -> None:
    centric = echo_weights(64, Artefacts(decay=0.5, centric=True))
    assert centric[0] == 1
    assert centric[32] == centric.min() == pytest.approx(np.exp(-0.5))
    linear = echo_weights(64, Artefacts(decay=0.5))
    assert linear[31] < 1 < linear[33]


def test_flow_takes_only_from_fluid() -> None:
    points = np.stack(np.meshgrid(*(np.arange(40.0),) * 2, [3.0], indexing="ij"), axis=-1)[:, :, 0].astype(np.float32)
    tissue = np.full((40, 40), Tissue.MUSCLE, np.uint8)
    tissue[10:30] = Tissue.CSF
    image = np.ones((40, 40), np.float32)
    flowing = without_flowing(image, points, tissue, Artefacts(flow=0.8, seed=5))
    assert np.all(flowing[tissue == Tissue.MUSCLE] == 1)
    assert flowing[tissue == Tissue.CSF].min() < 0.6
    assert np.all(image == 1)


def test_metal_is_dark_with_a_bright_rim() -> None:
    line = np.zeros((1, 41, 3), np.float32)
    line[0, :, 0] = np.linspace(-20, 20, 41)
    image = around_metal(np.ones((1, 41), np.float32), line, (Screw((0.0, 0.0, 0.0), (0.0, 1.0, 0.0), 20.0, 8.0),))[0]
    assert image[20] == 0
    assert image.max() > 1.3
    assert image[0] == pytest.approx(1, abs=0.01)


def test_ghosts_lie_along_the_phase_axis() -> None:
    image = np.zeros((64, 64), np.float32)
    image[30, 30] = 1
    ghosted = np.abs(with_ghosts(image, np.ones_like(image), Artefacts(ghost=0.1, ghost_mm=10.0), 1.0))
    assert ghosted[40, 30] == pytest.approx(0.1, rel=0.01)
    assert np.count_nonzero(ghosted[:, 31:]) == 0


def test_motion_changes_lines_but_not_their_size() -> None:
    spectrum = np.ones((32, 16), np.complex64)
    moved = disturb_spectrum(spectrum, Artefacts(motion_mm=2.0, motion_parts=5, seed=1), 1.0)
    assert np.abs(moved) == pytest.approx(1, abs=1e-5)
    assert not np.allclose(moved, spectrum)
    assert np.array_equal(disturb_spectrum(spectrum, NO_ARTEFACTS, 1.0), spectrum)


def test_what_lies_beyond_folds_over_at_the_ends() -> None:
    scan = phantom_study(5).scans["sagittal_t1"]
    field = scan.pixel_mm * scan.rows
    plain = replace(
        scan,
        rows=96,
        columns=96,
        pixel_mm=field / 96,
        acquired_mm=field / 96,
        artefacts=NO_ARTEFACTS,
        disturbance=replace(scan.disturbance, noise=0.0, sub_slices=0),
    )
    folded = replace(plain, artefacts=Artefacts(wrap=0.05))
    spine, middle = sample_spine(5), [scan.groups[0].count // 2]
    without, with_ = (scan_slices(spine, spec, 0, middle).volume.array[0] for spec in (plain, folded))
    gain = (with_ - without) / without.max()
    assert gain[:4].max() > 0.05
    assert np.abs(gain[20:76]).max() < 0.05
