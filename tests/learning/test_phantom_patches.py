"""What a grader is shown of phantoms: deep enough, in the right place, with the lesion in view."""

from dataclasses import replace

import numpy as np
import pytest

from lumbago.dicom.patient_geometry import canonical_axial
from lumbago.learning.phantom_patches import FINE, SITES, _patch, _training_patches
from lumbago.phantom.phantom_study import PhantomStudy, phantom_study
from lumbago.phantom.spine_spec import ZoneSpec
from lumbago.phantom.truth_details import finding_details
from lumbago.pipeline.crop_patches import PatchRecipe, crop_patch
from lumbago.pipeline.locate_discs import DiscFrame, LocatedDisc
from lumbago.pipeline.locate_points import LocatedPoint
from lumbago.pipeline.place_patches import SEEN_ON, axial_disc_frame

LEVEL = "L4/L5"
ZONE = "high_intensity_zone"
PIXEL_MM = 0.6
SEED = 5


def with_zone(study: PhantomStudy, zones: tuple[ZoneSpec, ...]) -> PhantomStudy:
    """The study's person with these zones in one disc, all being dark and sound otherwise."""
    segments = tuple(
        replace(
            segment,
            disc=replace(
                segment.disc, zones=zones if segment.name == LEVEL else (), pfirrmann=4, hernia_depth=0.0,
                is_herniated=False, vacuum=False,
            ),
        )
        for segment in study.spine.segments
    )  # fmt: skip
    return replace(study, spine=replace(study.spine, segments=segments))


@pytest.mark.parametrize("in_front", [False, True])
@pytest.mark.parametrize("anchor, slices", [("disc", 5), ("axial_disc", 3)])
def test_a_zone_shines_where_the_truth_says(anchor: str, slices: int, in_front: bool) -> None:
    """What the zone adds to the patch is brightest within 2.5 mm of its place, in the plane of its slice."""
    sound = phantom_study(SEED)
    recipe = PatchRecipe(anchor, 96, 96, PIXEL_MM, slices)
    patches = []
    zone = ZoneSpec(0.0, 0.0, in_front, half=(5.0, 1.5, 1.5))
    for zones in ((zone,), ()):
        study = with_zone(sound, zones)
        (site,) = [site for site in SITES[anchor](study) if site.level == LEVEL]
        how = replace(FINE, slices=slices)
        patch = _patch(study, (SEEN_ON[anchor], how), site, {}, np.random.default_rng(1))
        patches.append((patch, crop_patch(patch.volume, patch.frame, recipe)))
    frame, added = patches[0][0].frame, patches[0][1] - patches[1][1]
    assert added.shape == (slices, 96, 96)
    seen, row, column = np.unravel_index(int(np.argmax(added)), added.shape)
    assert added.max() > 0.2 * float(np.percentile(patches[0][1], 99)) and 0 < seen < slices - 1
    details = finding_details(with_zone(sound, (zone,)).spine, ZONE, LEVEL)
    assert details["part"] == ("anterior" if in_front else "posterior")
    place = np.array(details["point_lps_mm"]) - frame.center_lps_mm
    assert (row - 47.5) * PIXEL_MM == pytest.approx(place @ frame.down, abs=2.5)
    if anchor == "disc":
        assert (column - 47.5) * PIXEL_MM == pytest.approx(place @ frame.along, abs=2.5)


@pytest.mark.parametrize("level", ["L2/L3", "L4/L5", "L5/S1"])
def test_an_axial_disc_is_placed_on_the_true_one(level: str) -> None:
    """From the true places of disc and recesses, to a pixel of the patch in its plane, and on the nearest slice."""
    study = phantom_study(SEED)
    place = study.landmarks.disc(level)
    center = np.array(place.center_lps_mm)
    volume = canonical_axial(study.scan_near("axial_t2", place.center_lps_mm, 1).volume)
    frame = DiscFrame(np.array(place.back), -np.array(place.up), 34.0, 9.0)
    disc = LocatedDisc(level, 1.0, 0, center, frame, (), np.array(place.canal_lps_mm), 14.0)
    recesses = [LocatedPoint(volume, 0, np.array(point), 1.0) for point in place.recess_lps_mm.values()]
    found = axial_disc_frame(disc, recesses)
    off = found.center_lps_mm - center
    assert abs(off @ found.along) < PIXEL_MM and abs(off @ found.down) < PIXEL_MM
    assert abs(float(volume.to_ijk(center)[0]) - found.slice_index) <= 0.51
    assert found.along[0] > 0.8 and found.down[1] > 0.8


@pytest.mark.parametrize("anchor, slices", [("disc", 5), ("axial_disc", 3), ("axial_disc", 1)])
def test_a_phantom_is_scanned_as_deep_as_the_grader_looks(anchor: str, slices: int) -> None:
    """At least three slices, the middle one being the patch's own."""
    patch = next(iter(_training_patches(SEED, (ZONE, "pfirrmann"), (anchor, slices), False)))
    depth = max(3, slices)
    assert patch.volume.array.shape[0] == depth and patch.frame.slice_index == depth // 2
    assert set(patch.grades) == {ZONE, "pfirrmann"}
