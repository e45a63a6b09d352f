"""Settings of phantoms: the usual one draws what it always drew, and each factor can be switched alone."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pydicom
import pytest

from coarse_study import coarse_study
from lumbago.anatomy.conditions import ROLES
from lumbago.anatomy.findings import StudyFindings
from lumbago.dicom.describe_series import describe_series
from lumbago.dicom.study import Series
from lumbago.errors import UsageError
from lumbago.phantom import write_study as writer
from lumbago.phantom.coil_array import fermi_window, joined, noise_amplification, sensitivities
from lumbago.phantom.measure_truth import COARSE, measure_truth, measure_voxels
from lumbago.phantom.mr_signal import Contrast, tissue_signals
from lumbago.phantom.noise_field import CELLS_FROM, cell_cube, noise, noise_cube
from lumbago.phantom.other_scanners import OTHER_SCANNERS
from lumbago.phantom.phantom_settings import SETTINGS, USUAL, setting_named
from lumbago.phantom.phantom_study import phantom_study
from lumbago.phantom.population import scaled
from lumbago.phantom.sample_spine import sample_spine
from lumbago.phantom.scan_headers import slice_header
from lumbago.phantom.scan_protocols import Scanner
from lumbago.phantom.scan_spec import draw_scanner, sample_scan
from lumbago.phantom.scan_spine import scan_slices
from lumbago.phantom.spine_spec import SpineSpec
from lumbago.phantom.tissues import Tissue

SEED = 9000
WAS = (58.1, 0.9260646573719848, 7.680160242869077, 9.37013447318386, 70.0, -5.218428296607388)
WAS_SCANNED = ("SymphonyTim", 384, 17)
"""What the generator drew for that seed before there were settings."""


def test_the_usual_setting_draws_what_it_always_drew() -> None:
    spine, scan = sample_spine(SEED), phantom_study(SEED).scans["sagittal_t2"]
    low = spine.segment("L4/L5")
    found = (spine.age, spine.size, low.canal.sac_depth, low.lordosis, spine.trunk.fat_lower, spine.tilt_degrees[2])
    assert found == pytest.approx(WAS, rel=1e-6)
    assert (scan.model, scan.rows, scan.groups[0].count) == WAS_SCANNED
    assert "setting" not in spine.to_json() and spine.person == "9000"
    assert spine == phantom_study(SEED, setting=SETTINGS["usual"]).spine


def test_factors_are_switched_alone() -> None:
    usual, other, people, scanners, look = (
        phantom_study(SEED, setting=SETTINGS[name])
        for name in ("usual", "other", "other-anatomy", "other-protocols", "other-texture")
    )
    assert replace(scanners.spine, setting="usual") == usual.spine
    assert replace(look.spine, setting="usual", texture=look.spine.texture - CELLS_FROM) == usual.spine
    assert other.spine.segments == people.spine.segments != usual.spine.segments
    for role in ROLES:
        assert people.scans[role].maker == look.scans[role].maker == usual.scans[role].maker
        assert scanners.scans[role].maker == other.scans[role].maker in OTHER_SCANNERS
        assert people.scans[role].contrast == usual.scans[role].contrast
        assert look.scans[role].contrast == replace(usual.scans[role].contrast, other_tissues=True)
        assert (look.scans[role].disturbance.coils, scanners.scans[role].disturbance.coils) == (2, 0)


def test_unknown_setting() -> None:
    with pytest.raises(UsageError, match="no phantom setting 'x'"):
        setting_named("x")


def test_a_study_of_the_other_setting_has_its_truth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "phantom_study", partial(coarse_study, pixels=96))
    (folder,) = writer.write_studies(tmp_path, 1, SEED, plan=writer.WritePlan(setting="other"))
    spine = SpineSpec.from_json((folder / "spine.json").read_text(encoding="utf8"))
    assert spine == sample_spine(SEED, SETTINGS["other"])
    truth = StudyFindings.from_json((folder / "truth.json").read_text(encoding="utf8"))
    measured = {level.level: level for level in measure_truth(spine)}
    graded = [row for row in truth.findings if row.condition == "spinal_canal_stenosis"]
    assert len(graded) == 5 and all(row.grade == measured[row.level].grade(row.condition) for row in graded)
    images = [pydicom.dcmread(path) for path in folder.glob("dicom/*/*.dcm")]
    assert {str(image.PatientID) for image in images} == {"PHANTOM-9000-other"}
    assert {row.evidence.sop_instance_uid for row in truth.findings if row.evidence} <= {
        str(image.SOPInstanceUID) for image in images
    }
    assert writer.write_studies(tmp_path, 1, SEED)[0] == folder
    again = {str(pydicom.dcmread(path).SOPInstanceUID) for path in folder.glob("dicom/*/*.dcm")}
    assert not again & {str(image.SOPInstanceUID) for image in images}


@pytest.mark.slow
def test_truth_of_the_other_people_is_what_is_drawn() -> None:
    spine = sample_spine(SEED + 1, SETTINGS["other-anatomy"])
    pairs = list(zip(measure_truth(spine), measure_voxels(spine), strict=True))
    assert all(one.sac_area_mm2 == pytest.approx(again.sac_area_mm2, rel=0.1, abs=6) for one, again in pairs)
    assert all(one.disc_height_mm == pytest.approx(again.disc_height_mm, abs=2) for one, again in pairs)


def test_other_people_differ_as_a_crowd() -> None:
    sacs = {
        name: [
            level.sac_area_mm2 / spine.size**2
            for spine in (sample_spine(seed, SETTINGS[name]) for seed in range(SEED, SEED + 6))
            for level in measure_truth(spine, COARSE)
        ]
        for name in ("usual", "other-anatomy")
    }
    assert np.mean(sacs["other-anatomy"]) < 0.96 * np.mean(sacs["usual"])


def test_scaled_multiplies_fields() -> None:
    blob = sample_spine(SEED)
    assert scaled(blob, {}) is blob
    changed = scaled(blob, {"tilt_degrees": 2.0, "offset_lps_mm": (1.0, 0.0, 3.0), "conus": 0.5})
    assert changed.tilt_degrees == tuple(2 * value for value in blob.tilt_degrees)
    assert changed.offset_lps_mm == (blob.offset_lps_mm[0], 0.0, 3 * blob.offset_lps_mm[2])
    assert changed.conus == blob.conus / 2


@pytest.mark.parametrize("maker", OTHER_SCANNERS, ids=lambda maker: maker.models[0])
@pytest.mark.parametrize("stir", [False, True])
def test_series_of_other_scanners_are_described_as_what_they_are(maker: Scanner, stir: bool) -> None:
    setting, spine = SETTINGS["other-protocols"], sample_spine(SEED)
    drawn = draw_scanner(np.random.default_rng(1), setting=setting)
    choice = replace(drawn, maker=maker, model=maker.models[0], stir=stir)
    for role, wanted in (("sagittal_t1", "t1"), ("sagittal_t2", "t2"), ("axial_t2", "t2")):
        scan = sample_scan(SEED, spine, role, choice)
        headers = tuple(slice_header(spine, scan, 0, index) for index in range(scan.groups[0].count))
        said = describe_series(Series(headers[0].series_instance_uid, headers))
        suppressed = stir and role == "sagittal_t2"
        assert said.weighting == ("stir" if suppressed and not maker.stir.water else wanted)
        assert said.plane == role.split("_", maxsplit=1)[0]
        assert bool(said.fat_suppressed) == suppressed
        assert said.dixon_part == ("water" if suppressed and maker.stir.water else "")


# --- signal, texture, coils ------------------------------------------------------------------------------------------

T2 = Contrast("T2", 1.5, 3500.0, 95.0, 0.0, 15, False, 3)


def test_water_images_hold_no_fat() -> None:
    plain, water = tissue_signals(T2), tissue_signals(replace(T2, water=True))
    fat, cord = Tissue.EPIDURAL_FAT, Tissue.CORD
    assert water.by_tissue[fat] < 0.1 * plain.by_tissue[fat] and water.by_tissue[cord] == plain.by_tissue[cord]
    assert water.yellow_marrow < 0.15 * plain.yellow_marrow and water.red_marrow > 0.85 * plain.red_marrow


def test_inversion_makes_fluid_dark_on_t1() -> None:
    flair = tissue_signals(Contrast("T1", 3.0, 2150.0, 9.0, 860.0, 7, False, 3))
    plain = tissue_signals(Contrast("T1", 3.0, 620.0, 9.8, 0.0, 5, False, 3))
    ratio = [float(one.by_tissue[Tissue.CSF] / one.by_tissue[Tissue.CORD]) for one in (flair, plain)]
    assert ratio[0] < 0.5 * ratio[1]


def test_low_field_shortens_t1() -> None:
    low = Contrast("T1", 0.4, 400.0, 18.0, 0.0, 2, False, 3)
    muscle = [float(tissue_signals(replace(low, tesla=tesla)).by_tissue[Tissue.MUSCLE]) for tesla in (0.4, 1.5)]
    assert muscle[0] > muscle[1]


def test_cells_are_another_texture_than_smooth_noise() -> None:
    cells, smooth = cell_cube(3.0), noise_cube(3.0)
    for cube in (cells, smooth):
        assert cube.mean() == pytest.approx(0, abs=1e-3) and cube.std() == pytest.approx(1, abs=1e-3)
    assert abs(np.mean(smooth.astype(float) ** 3)) < 0.2 < np.mean(cells.astype(float) ** 3)
    assert np.abs(cells[0] - cells[-1]).mean() < 0.6
    line = tuple(np.linspace(0, 40, 200, dtype=np.float32) for _ in range(3))
    first, second = (noise(line, (1.0, 1.0, 1.0), 3.0, seed) for seed in (7, CELLS_FROM + 7))
    assert not np.array_equal(first, second)


def test_coil_elements_receive_one_together() -> None:
    points = np.stack(np.meshgrid(np.arange(-60, 60), 0, np.arange(80, -80, -1), indexing="ij"), -1)[:, 0]
    points = np.ascontiguousarray(points.transpose(1, 0, 2), np.float32)
    elements = sensitivities(points, 2)
    whole = joined(elements)
    assert whole[80, 60] == pytest.approx(1, abs=1e-5) and whole.max() - whole.min() > 0.1
    assert sensitivities(points, 0) == []
    assert noise_amplification(8, 8)[4, 4] > 1.2 > noise_amplification(8, 8)[0, 0] > 0.99
    window = fermi_window(64, 64, 0.5)
    assert window[0, 0] == pytest.approx(1, abs=1e-3) and window[32, 32] < 1e-3


def test_the_other_look_changes_images_but_no_structure() -> None:
    images = []
    for setting in (USUAL, SETTINGS["other-texture"]):
        study = coarse_study(SEED, setting=setting)
        group, index = study.nearest_slice("sagittal_t2", study.landmarks.disc("L3/L4").canal_lps_mm)
        images.append(scan_slices(study.spine, study.scans["sagittal_t2"], group, [index]))
    assert np.mean(images[0].part == images[1].part) > 0.97
    shown = [image.volume.array[0] / image.volume.array[0].mean() for image in images]
    assert np.abs(shown[0] - shown[1]).mean() > 0.1
