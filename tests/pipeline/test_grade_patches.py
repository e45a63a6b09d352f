"""From located places to findings: what is graded, what is withheld, and what stands beside a grade."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from graders import RuleGrader, grader
from painted_spine import DISCS, PaintedLocator, axial_block

from lumbago.anatomy.conditions import CONDITIONS
from lumbago.anatomy.findings import CALLED_FROM, Finding
from lumbago.anatomy.levels import LEVELS, SIDES
from lumbago.dicom.patient_geometry import distance_to_slice_mm
from lumbago.pipeline.classical_features import FEATURES
from lumbago.pipeline.crop_patches import PatchRecipe, crop_patch
from lumbago.pipeline.explain_grades import explain_grades
from lumbago.pipeline.grade_patches import Graded, disc_outline, grade_patches, why_abstain
from lumbago.pipeline.join_series import stand_in_remarks
from lumbago.pipeline.locate_discs import CHANNELS, SpineLocation
from lumbago.pipeline.locate_points import locate_foramina, locate_recesses
from lumbago.pipeline.place_patches import ANCHORS, SEEN_ON, LocatedSpine, axial_disc_frame, disc_frame, recess_frame
from lumbago.report.wording import kind_texts

ANCHORED = {
    "disc": ("pfirrmann", "modic"), "canal": ("spinal_canal_stenosis",), "foramen": ("neural_foraminal_narrowing",),
    "disc_t1": ("modic", "narrowing"), "recess": ("subarticular_stenosis",),
    "axial_disc": ("herniation", "high_intensity_zone"),
}  # fmt: skip
FOUR = {"pfirrmann": tuple(np.log([0.02, 0.08, 0.2, 0.6, 0.1]))}


@pytest.fixture(scope="module")
def spine_found(locator: PaintedLocator, location: SpineLocation) -> LocatedSpine:
    """The same series plays T1 and T2."""
    axial = [axial_block(disc, disc.tilt) for disc in DISCS]
    return LocatedSpine(
        {"sagittal_t2": location, "sagittal_t1": location},
        locate_foramina(locator, location),
        locate_recesses(locator, location.discs, axial),
    )


def findings_of(graded: list[Graded], condition: str) -> dict[str, Finding]:
    """By level, and side where there is one."""
    found = [item.finding for item in graded if item.finding.condition == condition]
    return {" ".join(part for part in (finding.level, finding.side) if part): finding for finding in found}


def changed(spine: LocatedSpine, change: Callable[[np.ndarray], None]) -> LocatedSpine:
    """With other pixels on T2; the discs stay where they were found."""
    location = spine.sagittal["sagittal_t2"]
    array = location.volume.array.copy()
    change(array)
    darkened = replace(location, volume=replace(location.volume, array=array))
    return replace(spine, sagittal={"sagittal_t2": darkened})


def rows_of(level: str) -> slice:
    (z,) = [disc.center[2] for disc in DISCS if disc.level == level]
    return slice(round(110 - z) - 16, round(110 - z) + 17)


# --- where -----------------------------------------------------------------------------------------------------------


def test_every_anchor_of_a_condition_is_tested_here() -> None:
    assert set(ANCHORED) == set(ANCHORS) == set(SEEN_ON)


@pytest.mark.parametrize("anchor", ANCHORS)
def test_every_level_and_side_is_graded(spine_found: LocatedSpine, anchor: str) -> None:
    graded = grade_patches([grader(*ANCHORED[anchor], anchor=anchor)], spine_found)
    for name in ANCHORED[anchor]:
        sides = CONDITIONS[name].sides
        expected = {" ".join(part for part in (level, side) if part) for level in LEVELS for side in sides}
        assert set(findings_of(graded, name)) == expected


@pytest.mark.parametrize("anchor", ANCHORS)
def test_evidence_names_the_slice_that_was_graded(spine_found: LocatedSpine, anchor: str) -> None:
    graded = grade_patches([grader(*ANCHORED[anchor], anchor=anchor)], spine_found)
    patches = {(patch.level, patch.side): patch for patch in ANCHORS[anchor](spine_found)}
    for item in graded:
        finding = item.finding
        patch, evidence = patches[finding.level, finding.side], finding.evidence
        assert evidence is not None
        header = patch.volume.headers[patch.frame.slice_index]
        assert evidence.sop_instance_uid == header.sop_instance_uid
        assert evidence.role == SEEN_ON[anchor] and evidence.role in CONDITIONS[finding.condition].roles
        np.testing.assert_allclose(evidence.point_lps_mm, patch.point_lps_mm, atol=0.006)
        assert evidence.box_lps_mm is not None
        np.testing.assert_allclose(np.mean(evidence.box_lps_mm, axis=0), patch.frame.center_lps_mm, atol=0.01)
        assert bool(evidence.outline) == (finding.side is None and evidence.role != "axial_t2")


def test_a_disc_is_outlined_between_its_endplates(location: SpineLocation) -> None:
    disc = location.discs[0]
    drawn, shown = (np.array(line) - disc.center_lps_mm for line in (disc.outline_lps_mm, disc_outline(disc)))
    np.testing.assert_allclose(np.ptp(shown @ disc.frame.back), np.ptp(drawn @ disc.frame.back), atol=0.02)
    np.testing.assert_allclose(shown @ disc.frame.down, 0.7 * (drawn @ disc.frame.down), atol=0.02)
    assert disc_outline(replace(disc, outline_lps_mm=())) == ()


def test_a_disc_patch_looks_a_little_behind_the_disc(location: SpineLocation) -> None:
    disc = location.discs[0]
    offset = disc_frame(disc, 1.0).center_lps_mm - disc.center_lps_mm
    np.testing.assert_allclose(offset, 5.0 * disc.frame.back)
    np.testing.assert_allclose(disc_frame(disc, 0.5).center_lps_mm - disc.center_lps_mm, 10.0 * disc.frame.back)


def test_left_and_right_recess_look_alike_to_a_grader(spine_found: LocatedSpine) -> None:
    """The painted spine is symmetric; columns run outward on both sides."""
    rule = grader("subarticular_stenosis", anchor="recess")
    grade_patches([rule], spine_found)
    order = [(patch.level, patch.side) for patch in ANCHORS["recess"](spine_found)]
    views = dict(zip(order, rule.seen[0], strict=True))
    for level in LEVELS:
        difference = np.abs(views[level, "left"] - views[level, "right"]).mean()
        mirrored = np.abs(views[level, "left"] - views[level, "right"][..., ::-1]).mean()
        assert difference < 0.1 < mirrored


def test_recess_frames_point_outward(spine_found: LocatedSpine) -> None:
    for (_, side), point in spine_found.recesses.items():
        frame = recess_frame(side, point)
        assert frame.along[0] == pytest.approx(1.0 if side == "left" else -1.0)
        assert frame.down[1] > 0.9


def test_a_disc_on_axial_slices_lies_in_the_middle_of_its_patch(spine_found: LocatedSpine) -> None:
    """The painted discs lie 3 mm to the patient's left; sagittal slices, 4 mm apart, pass beside their middle."""
    for disc, patch in zip(DISCS, ANCHORS["axial_disc"](spine_found), strict=True):
        assert patch.level == disc.level
        off = patch.frame.center_lps_mm - np.array(disc.center)
        assert abs(off @ patch.frame.along) < 0.6
        assert abs(off @ patch.frame.down) < 1.5
        assert distance_to_slice_mm(patch.volume, patch.frame.slice_index, patch.frame.center_lps_mm) < 2.1


def test_a_disc_on_axial_slices_is_not_folded(spine_found: LocatedSpine) -> None:
    """Columns run to the patient's left, rows to the back, as the picture is displayed."""
    for patch in ANCHORS["axial_disc"](spine_found):
        assert patch.side is None
        assert patch.frame.along[0] > 0.9 and patch.frame.down[1] > 0.9


def test_an_unseen_sagittal_error_sideways_is_put_right(spine_found: LocatedSpine) -> None:
    """The recesses on the axial series say where its middle is."""
    disc = spine_found.reference.discs[0]
    recesses = [spine_found.recesses[disc.level, side] for side in SIDES]
    beside = replace(disc, center_lps_mm=disc.center_lps_mm + np.array([4.0, 0.0, 0.0]))
    centers = [axial_disc_frame(one, recesses).center_lps_mm for one in (disc, beside)]
    np.testing.assert_allclose(centers[0], centers[1], atol=0.01)


@pytest.mark.parametrize(
    ("role", "kept"),
    [("sagittal_t1", {"disc_t1", "foramen", "recess", "axial_disc"}), ("sagittal_t2", {"disc", "canal"})],
)
def test_a_missing_series_leaves_its_own_anchors_empty(
    spine_found: LocatedSpine, location: SpineLocation, role: str, kept: set[str]
) -> None:
    there = {"sagittal_t1": location} if role == "sagittal_t1" else {"sagittal_t2": location}
    recesses = spine_found.recesses if role == "sagittal_t1" else {}
    spine = LocatedSpine(there, spine_found.foramina, recesses)  # type: ignore[arg-type]
    assert {anchor for anchor, place in ANCHORS.items() if place(spine)} == kept


def test_levels_above_the_graded_ones_are_left_alone(spine_found: LocatedSpine, location: SpineLocation) -> None:
    names = dict(zip(LEVELS, ("T12/L1", *LEVELS[:4]), strict=True))
    discs = tuple(replace(disc, level=names[disc.level]) for disc in location.discs)
    higher = replace(location, discs=discs)
    spine = replace(spine_found, sagittal={"sagittal_t2": higher}, foramina={}, recesses={})
    graded = grade_patches([grader("modic", anchor="disc")], spine)
    assert set(findings_of(graded, "modic")) == set(LEVELS[:4])


# --- how -------------------------------------------------------------------------------------------------------------


def test_grade_probabilities_and_mean(spine_found: LocatedSpine) -> None:
    finding = findings_of(grade_patches([grader("pfirrmann", anchor="disc", logits=FOUR)], spine_found), "pfirrmann")[
        "L3/L4"
    ]
    assert finding.probabilities == {"1": 0.02, "2": 0.08, "3": 0.2, "4": 0.6, "5": 0.1}
    assert (finding.grade, finding.confidence, finding.abstained) == ("4", 0.6, False)
    assert finding.expected_grade == pytest.approx(0.02 + 0.16 + 0.6 + 2.4 + 0.5, abs=0.006)
    assert (finding.model, finding.trained_on) == ("disc-rule", "phantoms")


@pytest.mark.parametrize("anchor", ANCHORS)
def test_probabilities_sum_to_one(spine_found: LocatedSpine, anchor: str) -> None:
    for item in grade_patches([grader(*ANCHORED[anchor], anchor=anchor, slope=3.0)], spine_found):
        assert list(item.finding.probabilities) == list(item.finding.scale.grades)
        assert sum(item.finding.probabilities.values()) == pytest.approx(1.0, abs=3e-4)


def test_calibration_softens(spine_found: LocatedSpine) -> None:
    rule = grader("pfirrmann", anchor="disc", logits=FOUR, calibration=2.0)
    finding = findings_of(grade_patches([rule], spine_found), "pfirrmann")["L3/L4"]
    soft = np.sqrt([0.02, 0.08, 0.2, 0.6, 0.1])
    np.testing.assert_allclose(list(finding.probabilities.values()), soft / soft.sum(), atol=1e-4)


@pytest.mark.parametrize("least, grade", [(None, "0"), (0.46, "0"), (0.44, "2")])
def test_a_rare_grade_is_called_from_its_point_on(spine_found: LocatedSpine, least: float | None, grade: str) -> None:
    logits = tuple(float(value) for value in np.log([0.55, 0.1, 0.3, 0.05]))
    rule = grader("modic", anchor="disc", logits={"modic": logits}, calls=least)
    finding = findings_of(grade_patches([rule], spine_found), "modic")["L3/L4"]
    assert finding.grade == grade and finding.confidence == pytest.approx(0.55 if grade == "0" else 0.3, abs=1e-3)
    assert finding.details.get(CALLED_FROM) == least
    assert ("called from 44% on" in kind_texts(finding)) is (grade == "2")


def test_a_card_says_what_its_answers_count_for(spine_found: LocatedSpine) -> None:
    one = grader("bulging", anchor="disc", logits={"bulging": (0.0, 2.0)})
    other = grader("bulging", anchor="disc", logits={"bulging": (2.0, 0.0)}, weight=0.25)
    found = findings_of(grade_patches([one, other], spine_found), "bulging")["L3/L4"]
    assert found.probabilities["present"] == pytest.approx(1 / (1 + np.exp(-(0.8 * 2.0 - 0.2 * 2.0))), abs=1e-3)
    assert found.grade == "present"


def test_votes_are_averaged_over_neighbouring_slices(spine_found: LocatedSpine) -> None:
    lone, voting = (grader("narrowing", anchor="foramen", votes=n, slope=4.0) for n in (1, 3))
    place = ("L3/L4", "left")
    number = [(patch.level, patch.side) for patch in ANCHORS["foramen"](spine_found)].index(place)
    found = [
        findings_of(grade_patches([rule], spine_found), "narrowing")["L3/L4 left"].probabilities["present"]
        for rule in (lone, voting)
    ]
    assert voting.seen[0].shape[0] == 3 * lone.seen[0].shape[0]
    means = voting.seen[0][3 * number : 3 * number + 3, :, 0].mean((1, 2, 3))
    assert found[1] == pytest.approx(1 / (1 + np.exp(-4.0 * means.mean())), abs=2e-4)
    assert found[0] == pytest.approx(1 / (1 + np.exp(-4.0 * means[1])), abs=2e-4)
    assert abs(found[0] - found[1]) > 0.002


def test_a_scale_without_order_has_no_mean(spine_found: LocatedSpine) -> None:
    graded = findings_of(grade_patches([grader("modic", anchor="disc")], spine_found), "modic")
    assert {finding.expected_grade for finding in graded.values()} == {None}


def test_disc_degeneration_follows_from_pfirrmann(spine_found: LocatedSpine) -> None:
    graded = grade_patches([grader("pfirrmann", anchor="disc", logits=FOUR)], spine_found)
    derived = findings_of(graded, "disc_degeneration")["L3/L4"]
    assert derived.probabilities == pytest.approx({"normal": 0.1, "mild_moderate": 0.8, "severe": 0.1})
    assert derived.grade == "mild_moderate"
    assert derived.expected_grade == pytest.approx(1.0)
    assert derived.evidence == findings_of(graded, "pfirrmann")["L3/L4"].evidence


def test_nothing_else_brings_disc_degeneration(spine_found: LocatedSpine) -> None:
    graded = grade_patches([grader("modic", anchor="disc")], spine_found)
    assert findings_of(graded, "disc_degeneration") == {}


def test_sizes_stand_beside_grades_of_the_middle(spine_found: LocatedSpine) -> None:
    graded = grade_patches(
        [grader("pfirrmann", anchor="disc"), grader(*ANCHORED["recess"], anchor="recess")], spine_found
    )
    sizes = findings_of(graded, "pfirrmann")["L3/L4"].measurements
    assert sizes["disc_height_mm"].value == pytest.approx(9, abs=1)
    assert sizes["disc_depth_mm"].value == pytest.approx(34, abs=1.5)
    assert sizes["canal_depth_mm"].value == pytest.approx(14, abs=1.1)
    assert all(size.error > 0 for size in sizes.values())
    assert findings_of(graded, "subarticular_stenosis")["L3/L4 left"].measurements == {}


@pytest.mark.parametrize("doubt", ["assumed", "scaled"])
def test_shares_alone_without_true_millimetres(spine_found: LocatedSpine, location: SpineLocation, doubt: str) -> None:
    assumed = replace(location, volume=replace(location.volume, geometry_is_assumed=True))
    doubted = assumed if doubt == "assumed" else replace(location, scale=0.999999)
    graded = grade_patches(
        [grader("pfirrmann", anchor="disc")], replace(spine_found, sagittal={"sagittal_t2": doubted})
    )
    names = {name for item in graded for name in item.finding.measurements}
    assert "slip_percent" in names and not any(name.endswith("_mm") for name in names)


def test_no_canal_depth_on_the_last_slice(spine_found: LocatedSpine, location: SpineLocation) -> None:
    last = location.volume.array.shape[0] - 1
    discs = tuple(replace(disc, slice_index=last) if disc.level == "L2/L3" else disc for disc in location.discs)
    maps = {**location.maps, last: next(iter(location.maps.values()))}
    spine = replace(spine_found, sagittal={"sagittal_t2": replace(location, discs=discs, maps=maps)})
    found = findings_of(grade_patches([grader("pfirrmann", anchor="disc")], spine), "pfirrmann")
    kept = found["L2/L3"].measurements
    assert {"disc_height_mm", "disc_depth_mm"} <= set(kept) and not any(name.startswith("canal") for name in kept)
    assert "canal_depth_mm" in found["L3/L4"].measurements


# --- several series ---------------------------------------------------------------------------------------------------

ZONES = ("high_intensity_zone", "herniation")
LIKELY, UNSURE = ({name: tuple(np.log([1 - p, p])) for name in ZONES} for p in (0.9, 0.4))


def test_sagittal_and_axial_answers_become_one_finding(spine_found: LocatedSpine) -> None:
    sagittal, axial = grader(*ZONES, anchor="disc", logits=UNSURE), grader(*ZONES, anchor="axial_disc", logits=LIKELY)
    graded = grade_patches([sagittal, axial], spine_found)
    places = [(item.finding.condition, item.finding.level, item.finding.side) for item in graded]
    assert len(places) == len(set(places)) == len(ZONES) * len(LEVELS)
    finding = findings_of(graded, ZONES[0])["L4/L5"]
    odds = np.sqrt(9 * 0.4 / 0.6)
    assert finding.probabilities["present"] == pytest.approx(odds / (1 + odds), abs=1e-3)
    assert set(finding.details) == {"slices_counted", "on_two_consecutive_slices", "slices_looked_at", "series"}
    assert finding.details["series"] == pytest.approx({"sagittal_t2": 0.4, "axial_t2": 0.9})
    assert finding.evidence is not None and finding.evidence.role == "axial_t2"
    assert finding.model == "axial_disc-rule" and finding.grade == "present"
    assert finding.measurements


def test_without_axial_slices_the_sagittal_answer_stands_alone(spine_found: LocatedSpine) -> None:
    sagittal, axial = grader(*ZONES, anchor="disc", logits=UNSURE), grader(*ZONES, anchor="axial_disc", logits=LIKELY)
    lone = replace(spine_found, recesses={})
    both, one = ([item.finding for item in grade_patches(row, lone)] for row in ([sagittal, axial], [sagittal]))
    assert both == one and len(one) == len(ZONES) * len(LEVELS)


CHANGED = {name: tuple(np.log([0.2, 0.8])) for name in ("narrowing", "bulging")}


def test_t1_says_nothing_where_t2_gives_a_grade(spine_found: LocatedSpine) -> None:
    main, standing_in = (grader(*CHANGED, anchor=anchor, logits=CHANGED) for anchor in ("disc", "disc_t1"))
    both, alone = (
        [item.finding for item in grade_patches(rules, spine_found)] for rules in ([standing_in, main], [main])
    )
    assert both == alone


def test_t1_stands_in_where_t2_gives_none(spine_found: LocatedSpine) -> None:
    """On T2 the disc L3/L4 is black, and nobody grades bulging; Modic changes, not read on T1 here, stay withheld."""
    dark = changed(spine_found, lambda array: array[:, rows_of("L3/L4")].fill(0))
    spine = replace(spine_found, sagittal={**spine_found.sagittal, **dark.sagittal})
    main, standing_in = grader("narrowing", "modic", anchor="disc"), grader(*CHANGED, anchor="disc_t1", logits=CHANGED)
    graded = grade_patches([standing_in, main], spine)
    narrowing, bulging = (findings_of(graded, name) for name in CHANGED)
    assert {level for level, one in narrowing.items() if one.model == "disc_t1-rule"} == {"L3/L4"}
    assert not narrowing["L3/L4"].abstained and narrowing["L3/L4"].grade == "present"
    assert {one.evidence.role for one in bulging.values() if one.evidence} == {"sagittal_t1"}
    assert findings_of(graded, "modic")["L3/L4"].abstained
    assert len(bulging) == len(LEVELS)
    (remark,) = stand_in_remarks([item.finding for item in graded])
    assert remark.text.startswith(
        "sagittal T2 or STIR gave no grade of disc narrowing, disc bulging: read from sagittal T1"
    )
    assert stand_in_remarks([narrowing["L3/L4"]])[0].text.startswith(
        "sagittal T2 or STIR gave no grade of disc narrowing at L3/L4:"
    )


def test_modic_changes_are_read_on_t1_and_t2(spine_found: LocatedSpine) -> None:
    """The answers averaged as logarithms, as of any two series."""
    logits = ({"modic": (0.0, 0.0, 3.0, 0.0)}, {"modic": (1.0, 0.0, 0.0, 0.0)})
    rules = [
        grader("modic", anchor=anchor, logits=one) for anchor, one in zip(("disc", "disc_t1"), logits, strict=True)
    ]
    graded = grade_patches(rules, spine_found)
    found = findings_of(graded, "modic")["L3/L4"]
    powers = np.exp([0.5, 0.0, 1.5, 0.0])
    np.testing.assert_allclose(list(found.probabilities.values()), powers / powers.sum(), atol=2e-4)
    assert set(found.details["series"]) == {"sagittal_t2", "sagittal_t1"} and found.model == "disc-rule"
    assert stand_in_remarks([item.finding for item in graded]) == []


def test_on_t1_nothing_is_measured_against_fluid(spine_found: LocatedSpine) -> None:
    on_t2, on_t1 = (
        set(findings_of(grade_patches([grader("modic", anchor=anchor)], spine_found), "modic")["L3/L4"].measurements)
        for anchor in ("disc", "disc_t1")
    )
    assert on_t2 - on_t1 == {"nucleus_to_fluid_ratio"} and "slip_percent" in on_t1


def test_of_a_spot_its_part_and_slices_are_said(spine_found: LocatedSpine) -> None:
    """The rule says it is there on every slice; its map peaks in the upper left corner, in front of the disc."""
    graded = grade_patches([grader(*ZONES, anchor="disc", slices=3, logits=LIKELY)], spine_found)
    zone, hernia = (findings_of(graded, name)["L3/L4"] for name in ZONES)
    assert zone.details == {
        "slices_counted": 3, "on_two_consecutive_slices": True, "slices_looked_at": 3, "part": "anterior",
    }  # fmt: skip
    assert hernia.details == {}
    axial = findings_of(grade_patches([grader(*ZONES, anchor="axial_disc", logits=LIKELY)], spine_found), ZONES[0])
    assert "part" not in axial["L3/L4"].details


def test_of_a_herniation_on_axial_slices_its_zone_is_said(spine_found: LocatedSpine) -> None:
    """The rule's map peaks in the upper left corner, 36 mm to the patient's right."""
    graded = grade_patches([grader(*ZONES, anchor="axial_disc", logits=LIKELY)], spine_found)
    hernia = findings_of(graded, "herniation")["L3/L4"]
    assert hernia.details == {"zone": "right extraforaminal"}
    absent = grade_patches([grader(*ZONES, anchor="axial_disc", logits=UNSURE)], spine_found)
    assert findings_of(absent, "herniation")["L3/L4"].details == {}


def test_of_a_spot_that_is_not_there_nothing_is_said(spine_found: LocatedSpine) -> None:
    graded = grade_patches([grader(*ZONES, anchor="disc", slices=3, logits=UNSURE)], spine_found)
    assert {len(item.finding.details) for item in graded} == {0}


# --- what is withheld ------------------------------------------------------------------------------------------------


def withheld(spine: LocatedSpine, *, anchor: str = "disc") -> dict[str, str | None]:
    """Reason by place, of those without a grade."""
    graded = grade_patches([grader(*ANCHORED[anchor], anchor=anchor, logits=FOUR)], spine)
    for item in graded:
        finding = item.finding
        assert finding.abstained == (finding.grade is None) == (finding.reason is not None)
        if finding.abstained:
            assert finding.expected_grade is None
            assert sum(finding.probabilities.values()) == pytest.approx(1.0, abs=3e-4)
            assert item.heat is None
    found = findings_of(graded, ANCHORED[anchor][0])
    return {place: finding.reason for place, finding in found.items() if finding.abstained}


@pytest.mark.parametrize("anchor", ANCHORS)
def test_nothing_is_withheld_where_all_is_seen(spine_found: LocatedSpine, anchor: str) -> None:
    assert withheld(spine_found, anchor=anchor) == {}


def test_a_disc_that_was_not_seen_gets_no_grade(spine_found: LocatedSpine, location: SpineLocation) -> None:
    discs = tuple(replace(disc, confidence=0.2) if disc.level == "L2/L3" else disc for disc in location.discs)
    spine = replace(spine_found, sagittal={"sagittal_t2": replace(location, discs=discs)})
    assert withheld(spine) == {"L2/L3": "the disc is not clearly seen"}


def without_canal(location: SpineLocation, level: str, reach_mm: float) -> SpineLocation:
    """The location with nothing drawn of the canal so far above and below a disc."""
    closed = location.disc(level)
    assert closed is not None
    row = round(float(location.volume.to_ijk(closed.canal_lps_mm)[1]))
    maps = {index: drawn.copy() for index, drawn in location.maps.items()}
    for drawn in maps.values():
        drawn[CHANNELS.index("canal"), max(row - round(reach_mm), 0) : row + round(reach_mm)] = 0.0
    discs = tuple(replace(disc, canal_mm=None) if disc is closed else disc for disc in location.discs)
    return replace(location, discs=discs, maps=maps)


def test_a_slice_beside_the_canal_gets_no_grade_of_it(spine_found: LocatedSpine, location: SpineLocation) -> None:
    spine = replace(spine_found, sagittal={"sagittal_t2": without_canal(location, "L2/L3", 300.0)})
    assert withheld(spine, anchor="canal") == {"L2/L3": "the slice does not pass through the canal"}
    assert withheld(spine, anchor="disc") == {}


def test_a_canal_that_is_closed_at_the_disc_is_graded(spine_found: LocatedSpine, location: SpineLocation) -> None:
    spine = replace(spine_found, sagittal={"sagittal_t2": without_canal(location, "L2/L3", 8.0)})
    assert withheld(spine, anchor="canal") == {}


def test_a_blackened_disc_gets_no_grade(spine_found: LocatedSpine) -> None:
    def blacken(array: np.ndarray) -> None:
        array[:, rows_of("L3/L4")] = 0

    assert withheld(changed(spine_found, blacken)) == {"L3/L4": "no signal there"}


def test_a_disc_painted_over_in_grey_gets_no_grade(spine_found: LocatedSpine) -> None:
    def flatten(array: np.ndarray) -> None:
        array[:, rows_of("L3/L4")] = 300

    assert withheld(changed(spine_found, flatten)) == {"L3/L4": "no structure is seen there"}


def test_a_disc_at_the_edge_of_the_image_gets_no_grade(spine_found: LocatedSpine, location: SpineLocation) -> None:
    """The image begins 7 mm above the middle of L1/L2."""
    affine = location.volume.affine.copy()
    affine[2, 3] -= 33
    cut = replace(location.volume, array=np.ascontiguousarray(location.volume.array[:, 33:]), affine=affine)
    maps = {index: np.ascontiguousarray(drawn[:, 33:]) for index, drawn in location.maps.items()}
    spine = replace(spine_found, sagittal={"sagittal_t2": replace(location, volume=cut, maps=maps)})
    assert withheld(spine) == {"L1/L2": "the place is cut off at the edge of the image"}


def test_a_withheld_pfirrmann_withholds_what_follows_from_it(spine_found: LocatedSpine) -> None:
    def blacken(array: np.ndarray) -> None:
        array[:, rows_of("L3/L4")] = 0

    graded = grade_patches([grader("pfirrmann", anchor="disc", logits=FOUR)], changed(spine_found, blacken))
    derived = findings_of(graded, "disc_degeneration")["L3/L4"]
    assert (derived.grade, derived.expected_grade, derived.reason) == (None, None, "no signal there")
    assert derived.probabilities["mild_moderate"] == pytest.approx(0.8)


@pytest.mark.parametrize("grey", [0.0, 250.0])
def test_axial_slices_that_show_nothing_get_no_grade(spine_found: LocatedSpine, grey: float) -> None:
    blank = {
        place: replace(point, volume=replace(point.volume, array=np.full_like(point.volume.array, grey)))
        for place, point in spine_found.recesses.items()
    }
    reason = "no structure is seen there" if grey else "no signal there"
    assert set(withheld(replace(spine_found, recesses=blank), anchor="recess").values()) == {reason}


def test_one_hot_pixel_costs_no_grade(spine_found: LocatedSpine) -> None:
    """One of 65535 in a corner of every axial volume."""

    def heated(array: np.ndarray) -> np.ndarray:
        hot = array.copy()
        hot[0, 3, 3] = 65535.0
        return hot

    recesses = {
        place: replace(point, volume=replace(point.volume, array=heated(point.volume.array)))
        for place, point in spine_found.recesses.items()
    }
    assert withheld(replace(spine_found, recesses=recesses), anchor="recess") == {}


@pytest.mark.parametrize(("anchor", "points"), [("foramen", "foramina"), ("recess", "recesses")])
def test_a_blind_guess_gets_no_grade_but_may_be_learned(spine_found: LocatedSpine, anchor: str, points: str) -> None:
    found = getattr(spine_found, points)
    place = ("L3/L4", "left")
    spine = replace(spine_found, **{points: {**found, place: replace(found[place], confidence=0.0, is_blind=True)}})
    assert withheld(spine, anchor=anchor) == {"L3/L4 left": f"the {anchor} is not seen there"}
    recipe = PatchRecipe.of(grader(*ANCHORED[anchor], anchor=anchor).card.inputs)
    for patch in ANCHORS[anchor](spine):
        assert why_abstain(patch, crop_patch(patch.volume, patch.frame, recipe), recipe) == ""


def test_a_guess_beside_what_is_seen_is_graded(spine_found: LocatedSpine) -> None:
    guessed = {place: replace(point, confidence=0.0) for place, point in spine_found.recesses.items()}
    assert withheld(replace(spine_found, recesses=guessed), anchor="recess") == {}


def test_a_black_sagittal_series_gets_no_grade(spine_found: LocatedSpine) -> None:
    def blacken(array: np.ndarray) -> None:
        array[:] = 0

    assert set(withheld(changed(spine_found, blacken)).values()) == {"no signal there"}


# --- why -------------------------------------------------------------------------------------------------------------


def test_abnormal_grades_are_explained(spine_found: LocatedSpine) -> None:
    graded = grade_patches([grader("pfirrmann", anchor="disc", logits=FOUR)], spine_found)
    findings, maps = explain_grades(graded)
    named = {f.level: f.evidence.heat_map for f in findings if f.condition == "pfirrmann" and f.evidence is not None}
    assert named["L4/L5"] == "heat_pfirrmann_L4-L5.png"
    assert set(named.values()) == set(maps)
    picture = maps["heat_pfirrmann_L4-L5.png"]
    assert (picture.dtype, picture[0, 0], picture[1:].max()) == (np.uint8, 255, 0)


def test_normal_and_withheld_grades_are_not_explained(spine_found: LocatedSpine) -> None:
    normal = {"pfirrmann": (9.0, 0.0, 0.0, 0.0, 0.0)}
    findings, maps = explain_grades(grade_patches([grader("pfirrmann", anchor="disc", logits=normal)], spine_found))
    assert maps == {}
    assert {f.evidence.heat_map for f in findings if f.evidence is not None} == {None}


def test_sides_have_their_own_pictures(spine_found: LocatedSpine) -> None:
    severe = {"subarticular_stenosis": (0.0, 0.0, 9.0)}
    rule = grader("subarticular_stenosis", anchor="recess", logits=severe)
    _, maps = explain_grades(grade_patches([rule], spine_found))
    assert len(maps) == 10
    assert "heat_subarticular_stenosis_L5-S1_left.png" in maps


def test_a_map_that_speaks_against_everywhere_is_black(spine_found: LocatedSpine) -> None:
    graded = grade_patches([grader("pfirrmann", anchor="disc", logits=FOUR)], spine_found)
    against = [replace(item, heat=None if item.heat is None else item.heat - 5) for item in graded]
    _, maps = explain_grades(against)
    assert maps
    assert all((picture == 0).all() for picture in maps.values())


def test_what_speaks_for_a_grade_everywhere_shows_no_place(spine_found: LocatedSpine) -> None:
    graded = grade_patches([grader("pfirrmann", anchor="disc", logits=FOUR)], spine_found)
    raised = [replace(item, heat=None if item.heat is None else item.heat + 5) for item in graded]
    before, after = explain_grades(graded)[1], explain_grades(raised)[1]
    assert set(before) == set(after)
    assert all((before[name] == after[name]).all() for name in before)


class FeatureGrader(RuleGrader):
    """Sees features instead of pictures, and so has no maps."""

    def run(self, batch: np.ndarray) -> dict[str, np.ndarray]:
        self.seen.append(batch)
        return {
            name: np.tile(np.arange(len(g), dtype=np.float32), (len(batch), 1)) for name, g in self.card.outputs.items()
        }


def test_a_grader_of_features_is_given_them_and_has_no_heat_map(spine_found: LocatedSpine) -> None:
    plain = grader("pfirrmann", "modic", anchor="disc")
    machine = FeatureGrader(replace(plain.card, inputs={**plain.card.inputs, "views": "classical"}))
    graded = grade_patches([machine], spine_found)
    assert [batch.shape for batch in machine.seen] == [(len(LEVELS), FEATURES)]
    assert set(findings_of(graded, "modic")) == set(LEVELS)
    assert {item.finding.grade for item in graded if item.finding.condition == "modic"} == {"3"}
    assert all(item.heat is None for item in graded)
    assert explain_grades(graded)[1] == {}
