"""What happens to a grader's patch: drawn and replayed, off unless asked for, and mirrored as a patient would be."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_up_patches import made_up_patches

from lumbago.dicom.patient_geometry import canonical_axial, canonical_sagittal
from lumbago.errors import SettingsRefused
from lumbago.learning.augment import Scanner
from lumbago.learning.disc_samples import GradedPatch
from lumbago.learning.experiment import Experiment
from lumbago.learning.grader_task import GraderTask
from lumbago.learning.phantom_patches import phantom_patches
from lumbago.learning.shake import MIRRORED, Shake, draw_shake, shaken_patch
from lumbago.pipeline.crop_patches import PatchFrame, PatchRecipe, crop_patch, patch_views
from lumbago.pipeline.place_patches import SEEN_ON

USUAL = Experiment("x", "grader", conditions=("pfirrmann", "bulging"), patch=(32, 48), slices=3, batch=4)
PLAIN = Scanner((0.0, 0.2, 0.4, 0.6, 0.8, 1.0), 1.0, (0.0,) * 4, 0.0, 0.0, 1, None)
STILL = Shake((0.0, 0.0), 0.0, 1.0, PLAIN, is_lone=False)
RECIPE = PatchRecipe("disc", 32, 48, 0.6, 3)


def shakes(experiment: Experiment, count: int = 400) -> list[Shake]:
    return [draw_shake(np.random.default_rng(seed), experiment, 4.0) for seed in range(count)]


def test_usual_batches_are_what_they_were() -> None:
    """The shipped recipes were trained on these draws: new settings, being off, draw nothing."""
    patches, grades = GraderTask(replace(USUAL, pretrained=False), made_up_patches()).batch(np.random.default_rng(5))
    np.testing.assert_allclose(patches.mean((1, 2, 3, 4)), [0.44514, 0.24984, 0.15068, 0.12163], atol=1e-3)
    np.testing.assert_allclose(patches[:, 1, 0, 16, 24], [1.25454, 0.85647, 0.73769, 0.47829], atol=5e-3)
    assert grades.tolist() == [[4, 0], [4, 0], [2, 0], [1, 1]]


def test_what_is_off_does_nothing() -> None:
    assert all(
        (one.slices, one.is_mirrored, one.scanner.coarseness, one.scanner.sharpening) == (0, False, 1.0, 0.0)
        for one in shakes(USUAL)
    )


def test_a_shake_follows_from_its_seed() -> None:
    busy = replace(USUAL, slice_shift_mm=4.0, mirror=0.5, resolution=0.3, shift_freedom=3.0)
    assert shakes(busy, 20) == shakes(busy, 20)
    assert len(set(shakes(busy, 20))) == 20


def test_slices_are_off_by_as_many_as_the_spread_and_their_distance_say() -> None:
    off = np.array([one.slices for one in shakes(replace(USUAL, slice_shift_mm=4.0))])
    assert off.std() == pytest.approx(1.0, abs=0.15) and abs(off.mean()) < 0.15
    wide = [
        draw_shake(np.random.default_rng(seed), replace(USUAL, slice_shift_mm=4.0), 40.0).slices for seed in range(50)
    ]
    assert set(wide) == {0}


def test_a_shifted_slice_is_the_neighbour() -> None:
    sample = made_up_patches()[2]
    lone = replace(RECIPE, slices=1)
    wanted = crop_patch(sample.volume, replace(sample.frame, slice_index=2), lone)
    found = shaken_patch(sample, lone, replace(STILL, slices=1))
    np.testing.assert_allclose(found, patch_views(wanted, sample.reference, RECIPE), atol=1e-4)
    assert np.abs(found - shaken_patch(sample, lone, STILL)).max() > 1e-3


def test_shifts_with_heavy_tails() -> None:
    """The same few are far off: with 3 degrees of freedom one in 20 beyond 3.2 spreads, against one in 700."""
    far = [np.mean([np.abs(one.shift_mm) > 3.2 * USUAL.shift_mm for one in shakes(experiment)])
           for experiment in (USUAL, replace(USUAL, shift_freedom=3.0))]  # fmt: skip
    assert far[0] < 0.01 and 0.03 < far[1] < 0.08


def test_shares_are_kept() -> None:
    assert np.mean([one.is_mirrored for one in shakes(replace(USUAL, mirror=0.3))]) == pytest.approx(0.3, abs=0.07)
    coarse = np.array([one.scanner.coarseness for one in shakes(replace(USUAL, resolution=0.4))])
    assert coarse.min() >= 1 and np.log(coarse).mean() == pytest.approx(0.4 * (2 / np.pi) ** 0.5, abs=0.04)


def mirrored_patient(sample: GradedPatch, anchor: str) -> GradedPatch:
    """The same place of the patient seen in a mirror: x, to his left, becomes x to his right."""
    mirror = np.diag([-1.0, 1.0, 1.0])
    upright = canonical_axial if SEEN_ON[anchor] == "axial_t2" else canonical_sagittal
    volume = upright(replace(sample.volume, affine=np.diag([-1.0, 1.0, 1.0, 1.0]) @ sample.volume.affine))
    frame = sample.frame
    center = mirror @ frame.center_lps_mm
    index = round(float(volume.to_ijk(volume.to_lps_mm(volume.to_ijk(center)))[0]))
    along = mirror @ frame.along * (-1.0 if anchor == "axial_disc" else 1.0)
    return replace(sample, held=volume, frame=PatchFrame(index, center, along, mirror @ frame.down))


@pytest.mark.parametrize(
    "condition, anchor",
    [
        ("neural_foraminal_narrowing", "foramen"),
        ("subarticular_stenosis", "recess"),
        ("pfirrmann", "disc"),
        ("herniation", "axial_disc"),
    ],
)
def test_a_mirrored_patch_is_that_of_the_mirrored_patient(condition: str, anchor: str) -> None:
    """Of phantoms, by turning the world around instead of the patch. Columns at a recess still run outward,
    those of an axial disc to his left."""
    experiment = Experiment("x", "grader", conditions=(condition,), anchor=anchor, phantoms=1, phantom_seed=11)
    sample = phantom_patches(experiment)[0]
    sample = replace(sample, frame=replace(sample.frame, slice_index=1))
    recipe = PatchRecipe(anchor, 48, 48, 0.6, 3)
    other = mirrored_patient(sample, anchor)
    other = replace(other, frame=replace(other.frame, slice_index=1))
    wanted = crop_patch(other.volume, other.frame, recipe)
    found = MIRRORED[anchor](crop_patch(sample.volume, sample.frame, recipe))
    np.testing.assert_allclose(found, wanted, atol=1e-3 * float(wanted.max()))
    for wrong in (wanted[:, :, ::-1], wanted[::-1]):
        assert np.abs(found - wrong).mean() > 5e-3 * float(wanted.max())
    if anchor == "recess":
        assert np.sign(other.frame.along[0]) == -np.sign(sample.frame.along[0])


@pytest.mark.parametrize(
    "changes, sentence",
    [
        ({"mirror": 1.2}, "shares of 0 to 1"),
        ({"mixup": 0.7, "cutmix": 0.5}, "together of 1"),
        ({"slice_shift_mm": -1.0}, "negative spread"),
        ({"resolution": -0.1}, "negative spread"),
        ({"sharpening": -0.1}, "negative spread"),
        ({"mixup": 0.5, "mix_alpha": 0.0}, "mix_alpha above 0"),
        ({"weight": 0.0}, "weight above 0"),
        ({"shift_freedom": 1.0}, "shift_freedom above 2"),
    ],
)
def test_senseless_settings(changes: dict[str, float], sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('kind = "grader"\n' + "".join(f"{name} = {value}\n" for name, value in changes.items()))
    with pytest.raises(SettingsRefused, match=sentence):
        Experiment.read(path)
