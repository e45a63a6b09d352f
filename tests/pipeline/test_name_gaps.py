"""What has no grade is named, with its reason, once."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from made_up_discs import discs_every, location_of
from painted_spine import affine_of, make_header

from lumbago.anatomy.conditions import CONDITIONS, Role, expected_sites
from lumbago.anatomy.findings import Finding, NotAssessed
from lumbago.anatomy.levels import LEVELS, SIDES
from lumbago.dicom.volume import Volume
from lumbago.pipeline.locate_discs import SpineLocation
from lumbago.pipeline.locate_points import LocatedPoint
from lumbago.pipeline.name_gaps import not_assessed
from lumbago.pipeline.place_patches import LocatedSpine

STEPS = [35.0] * 4
WHOLE = location_of(discs_every(STEPS))
BOTH: dict[Role, SpineLocation] = {"sagittal_t2": WHOLE, "sagittal_t1": WHOLE}
POINT = LocatedPoint(WHOLE.volume, 0, WHOLE.discs[0].center_lps_mm, 1.0)
POINTS = {(level, side): POINT for level in LEVELS for side in SIDES}
SPINE = LocatedSpine(BOTH, POINTS, POINTS)


def finding(condition: str, level: str, side: str | None) -> Finding:
    return Finding(condition, level, side, None, {}, abstained=True, reason="x")  # type: ignore[arg-type]


ALL = [finding(row.name, level, side) for row in CONDITIONS.values() for level, side in expected_sites(row)]


def gaps(
    findings: Sequence[Finding],
    spine: LocatedSpine = SPINE,
    missing: Mapping[Role, str] | None = None,
    axials: Sequence[Volume] = (),
) -> tuple[NotAssessed, ...]:
    return not_assessed(findings, spine, missing or {}, axials)


def test_nothing_is_missing_when_all_is_there() -> None:
    assert gaps(ALL) == ()


@pytest.mark.parametrize("condition", CONDITIONS.values(), ids=CONDITIONS)
def test_every_site_is_either_found_or_named(condition: object) -> None:
    """Whatever part of the findings there is."""
    name = condition.name  # type: ignore[attr-defined]
    for kept in (ALL[::2], ALL[1::3], [f for f in ALL if f.condition != name]):
        entries = gaps(kept)
        for row in CONDITIONS.values():
            sites = Counter((f.level, f.side) for f in kept if f.condition == row.name)
            own = [entry for entry in entries if entry.condition == row.name]
            named = Counter(
                site for entry in own for site in
                ([(entry.level, entry.side)] if entry.level else expected_sites(row))
            )  # fmt: skip
            assert sites + named == Counter(expected_sites(row))


def test_one_entry_stands_for_all_of_a_condition() -> None:
    entries = gaps([f for f in ALL if f.condition != "modic"])
    assert entries == (NotAssessed("modic", "no model grades it in this version"),)


@pytest.mark.parametrize("role", ["sagittal_t1", "sagittal_t2", "axial_t2"])
def test_a_missing_series_is_the_reason_for_exactly_its_conditions(role: Role) -> None:
    kept = [f for f in ALL if CONDITIONS[f.condition].source != role]
    entries = gaps(kept, missing={role: "no such series"})
    assert {entry.condition for entry in entries} == {row.name for row in CONDITIONS.values() if row.source == role}
    assert {entry.reason for entry in entries} == {"no such series"}


def test_no_lateral_slices() -> None:
    kept = [f for f in ALL if f.condition != "neural_foraminal_narrowing"]
    (entry,) = gaps(kept, LocatedSpine(BOTH, {}, POINTS))
    assert entry.reason == "the sagittal T1 series has no slices beside the middle"


def test_no_axial_slice_through_a_disc() -> None:
    kept = [f for f in ALL if f.condition != "subarticular_stenosis"]
    (entry,) = gaps(kept, LocatedSpine(BOTH, POINTS, {}))
    assert entry.reason == "no axial slice passes through a located disc"


def axial_through(level: str, degrees: float) -> Volume:
    """Slices of 80 mm across about a disc, tilted to it."""
    disc = WHOLE.disc(level)
    assert disc is not None
    tilt = np.radians(degrees)
    across, back = np.array([1.0, 0.0, 0.0]), np.array([0.0, np.cos(tilt), np.sin(tilt)])
    affine = affine_of([4 * np.cross(back, across), back, across], disc.canal_lps_mm - 40 * (back + across))
    headers = tuple(make_header("1.3", n) for n in range(3))
    return Volume(np.zeros((3, 80, 80), np.float32), affine, headers)


def test_axial_slices_that_are_too_steep_are_called_so() -> None:
    steep, flat = axial_through("L5/S1", 45.0), axial_through("L5/S1", 35.0)
    kept = without("L5/S1", "subarticular_stenosis")
    assert {entry.reason for entry in gaps(kept, axials=[steep])} == {
        "the axial slices there are tilted more than 40 degrees to the disc"
    }
    assert {entry.reason for entry in gaps(kept, axials=[flat])} == {"no axial slice passes through the disc"}
    rest = [f for f in ALL if f.condition != "subarticular_stenosis"]
    (entry,) = gaps(rest, LocatedSpine(BOTH, POINTS, {}), axials=[steep])
    assert entry.reason == "the axial slices are tilted more than 40 degrees to the discs"


def without(level: str, condition: str | None = None) -> list[Finding]:
    return [f for f in ALL if f.level != level or (condition is not None and f.condition != condition)]


def test_a_disc_out_of_view_is_named_so_for_every_condition() -> None:
    shorter = location_of(discs_every(STEPS)[:4])
    entries = gaps(without("L1/L2"), LocatedSpine({"sagittal_t2": shorter, "sagittal_t1": shorter}, POINTS, POINTS))
    assert {entry.reason for entry in entries} == {"the disc was not found in view"}
    assert {entry.level for entry in entries} == {"L1/L2"}
    assert len(entries) == sum(len(row.sides) for row in CONDITIONS.values())


@pytest.mark.parametrize(
    ("condition", "reason"),
    [
        ("subarticular_stenosis", "no axial slice passes through the disc"),
        ("neural_foraminal_narrowing", "the sagittal T1 series has no slice there"),
    ],
)
def test_a_disc_that_is_seen_but_not_on_this_series(condition: str, reason: str) -> None:
    entries = gaps(without("L2/L3", condition))
    assert {(entry.level, entry.side, entry.reason) for entry in entries} == {
        ("L2/L3", side, reason) for side in SIDES
    }  # fmt: skip


def test_axial_levels_go_by_the_series_that_stands_for_the_study() -> None:
    """T1 was read first and sees one disc less; recesses were placed by T2."""
    shorter = location_of(discs_every(STEPS)[:4])
    spine = LocatedSpine({"sagittal_t1": shorter, "sagittal_t2": WHOLE}, POINTS, POINTS)
    entries = gaps(without("L1/L2", "subarticular_stenosis"), spine)
    assert {entry.reason for entry in entries} == {"no axial slice passes through the disc"}


def test_a_spine_seen_only_above_the_graded_levels_is_not_blamed_on_the_models() -> None:
    chest = location_of(discs_every(STEPS, first=6))
    entries = gaps([], LocatedSpine({"sagittal_t2": chest, "sagittal_t1": chest}, {}, {}))
    assert {entry.reason for entry in entries} == {"no disc from L1/L2 to L5/S1 was found in view"}
