"""Perfect boxes are read as the locator's maps: the discs, their names, the canal, and grades follow."""

import numpy as np
import pytest
from painted_boxes import GRADED, PaintedDetector
from painted_spine import CANAL_MM, DISCS, Spine, axial_block
from painted_study import small_sagittal

from lumbago.anatomy.levels import LEVELS
from lumbago.pipeline.disc_chain import find_chain
from lumbago.pipeline.disc_sizes import disc_sizes, spine_sizes
from lumbago.pipeline.grade_patches import grade_patches
from lumbago.pipeline.judge_quality import doubt_of, quality_remarks, seen_weighting
from lumbago.pipeline.locate_discs import locate_discs
from lumbago.pipeline.locate_points import locate_foramina, locate_recesses
from lumbago.pipeline.measure_spine import signal_references
from lumbago.pipeline.measured_features import measure_place
from lumbago.pipeline.place_patches import LocatedSpine
from lumbago.pipeline.read_boxes import PLACES, classes_of, maps_of_boxes

SHAPE = (300, 200)
MIDDLES = {"L1/L2": (60, 100), "L2/L3": (95, 96), "L3/L4": (130, 94), "L4/L5": (165, 97), "L5/S1": (198, 106)}


def row(kind: str, middle: tuple[float, float], size: tuple[float, float], score: float = 0.9) -> np.ndarray:
    """A detection about a (row, column), which is the middle of that pixel; size is (width, height)."""
    x, y = middle[1] + 0.5, middle[0] + 0.5
    box = [x - size[0] / 2, y - size[1] / 2, x + size[0] / 2, y + size[1] / 2]
    return np.array([*box, *(score * (name == kind) for name in PLACES)], np.float32)


def maps_of(*rows: np.ndarray) -> dict[str, np.ndarray]:
    return maps_of_boxes(np.stack(rows), PLACES, SHAPE)


def test_perfect_boxes_give_the_row_of_discs() -> None:
    discs = [row("disc", middle, (34, 12)) for middle in MIDDLES.values()]
    maps = maps_of(*discs, row("lumbosacral", MIDDLES["L5/S1"], (34, 12)))
    found = find_chain(maps["disc_center"], maps["lumbosacral_center"])
    assert found.name_is_sure and found.levels == tuple(reversed(LEVELS))
    for level, point in zip(found.levels, found.points, strict=True):
        assert (point.row, point.column) == pytest.approx(MIDDLES[level], abs=0.05)
        assert point.score == pytest.approx(0.9, abs=0.01)


def test_a_disc_is_the_ellipse_in_its_box() -> None:
    disc = maps_of(row("disc", (95, 96), (34, 12), 0.8))["disc"]
    rows, columns = np.nonzero(disc)
    assert (disc[rows, columns] == np.float32(0.8)).all()
    assert len(rows) == pytest.approx(np.pi * 17 * 6, rel=0.03)
    assert (np.ptp(rows), np.ptp(columns)) == (pytest.approx(12, abs=1), pytest.approx(34, abs=2))


def test_points_of_the_canal_are_joined() -> None:
    canal = maps_of(row("canal", (60, 120), (14, 14), 0.9), row("canal", (100, 130), (10, 14), 0.7))["canal"]
    assert canal[80, 125] == pytest.approx(0.8, abs=0.01)
    assert (canal[80] > 0).sum() in (11, 12) and (canal[54] > 0).sum() == 14 and not canal[110].any()
    apart = maps_of(row("canal", (60, 120), (14, 14)), row("canal", (200, 130), (14, 14)))["canal"]
    assert not apart[130].any(), "too far apart to be neighbours"


def test_what_lies_in_the_padding_is_not_seen() -> None:
    maps = maps_of(row("disc", (305, 90), (34, 12)), row("foramen", (100, 203), (14, 14)))
    assert all(not drawn.any() for drawn in maps.values())


def test_one_thing_found_twice_is_drawn_once() -> None:
    maps = maps_of(row("recess", (60, 70), (14, 14), 0.9), row("recess", (61, 71), (14, 14), 0.5))
    assert maps["recess"][60, 70] == pytest.approx(0.9) and maps["recess"].argmax() == 60 * SHAPE[1] + 70


def test_a_grade_is_a_class_and_absence_is_none() -> None:
    names = classes_of(("pfirrmann", "herniation"))
    assert names == (*PLACES, *(f"pfirrmann={grade}" for grade in "12345"), "herniation=present")
    assert PaintedDetector().card.conditions == GRADED


def test_boxes_are_enough_for_an_analysis() -> None:
    """Naming, canal, foramina, recesses, references and doubts go on from boxes as from maps."""
    model, spine = PaintedDetector(), Spine()
    location = locate_discs(model, small_sagittal())
    assert location.name_is_sure and doubt_of(location) == "" and location.scale == 1.0
    for disc in DISCS:
        found = location.disc(disc.level)
        assert found is not None and found.confidence == pytest.approx(0.9, abs=0.02)
        assert np.abs(found.center_lps_mm - disc.center)[1:].max() < 2.0
        assert found.canal_mm == pytest.approx(CANAL_MM, abs=2.0)
        assert np.abs(found.canal_lps_mm - spine.canal(disc))[1:].max() < 4.5
        assert found.frame.back @ disc.back > np.cos(np.radians(8))
        measures = measure_place(location, found, signal_references(location)[disc.level])
        assert not disc_sizes(found, measures, is_in_mm=True), "nothing is measured by boxes"
    assert not spine_sizes(location)
    assert all(reference.bright > reference.middle > 0 for reference in signal_references(location).values())
    assert seen_weighting(location) == "t2" and not quality_remarks("sagittal_t2", location)
    foramina = locate_foramina(model, location)
    assert all(point.confidence > 0.8 for point in foramina.values()) and len(foramina) == 10
    disc = DISCS[2]
    recesses = locate_recesses(model, location.discs, [axial_block(disc, disc.tilt)])
    for side, sign in (("left", 1.0), ("right", -1.0)):
        point = recesses[disc.level, side]  # type: ignore[index]
        assert point.confidence > 0.8
        assert np.linalg.norm((point.point_lps_mm - spine.recess(disc, sign))[:2]) < 2.0


def test_grades_are_read_off_the_box_of_each_disc() -> None:
    model = PaintedDetector()
    spine = LocatedSpine({"sagittal_t2": locate_discs(model, small_sagittal())}, {}, {})
    graded = grade_patches([model], spine)
    told = {(item.finding.condition, item.finding.level): item.finding for item in graded}
    assert {condition for condition, _ in told} == {"pfirrmann", "herniation", "disc_degeneration"}
    for level in LEVELS:
        assert told["pfirrmann", level].grade == "3"
        assert told["pfirrmann", level].probabilities == pytest.approx(
            {"1": 0, "2": 0, "3": 0.75, "4": 0.25, "5": 0}, abs=1e-3
        )
        assert told["herniation", level].probabilities == pytest.approx({"absent": 0.75, "present": 0.25}, abs=1e-3)
        evidence = told["pfirrmann", level].evidence
        assert evidence is not None and len(evidence.box_lps_mm) == 2
    assert all(item.heat is None for item in graded)
