"""What is drawn and measured in foramina: of keyholes whose sizes are known."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from painted_spine import DISCS, PaintedLocator, Spine

from lumbago.anatomy.findings import Finding
from lumbago.anatomy.levels import SIDES
from lumbago.dicom.patient_geometry import slice_normal
from lumbago.dicom.volume import Volume
from lumbago.inference.weights import SHIPPED, Card, Model, read_card
from lumbago.pipeline.analyze_study import TISSUES
from lumbago.pipeline.crop_patches import PatchFrame
from lumbago.pipeline.draw_axial import AXIAL
from lumbago.pipeline.draw_foramina import FORAMINA, ForamenDrawing, draw_foramina
from lumbago.pipeline.draw_tissues import DRAWERS, draw_tissues, with_sizes
from lumbago.pipeline.drawn_tissues import onto_slice
from lumbago.pipeline.foramen_sizes import drawn_sizes, foramen_sizes
from lumbago.pipeline.locate_discs import SpineLocation
from lumbago.pipeline.locate_points import locate_foramina
from lumbago.pipeline.place_patches import LocatedSpine

HALF_MM, ROOT_MM = (9.0, 4.0), 2.5
"""Half height and half width of the opening; radius of the ganglion in it."""
CARD = Card("foramen-tissues", "1", "", "segmenter", "phantoms", "", {"maps": FORAMINA.channels}, {}, {}, {})


@dataclass(frozen=True, eq=False)
class KeyholeArtist(Model):
    """Draws the same wherever it looks: an ellipse in the middle with a ball in its upper part, and one of the next
    level below."""

    card: Card = CARD
    session: Any = None
    without: str = ""
    sure: float = 10.0

    def run(self, batch: np.ndarray) -> dict[str, np.ndarray]:
        rows, columns = (FORAMINA.pixel_mm * (np.arange(size) - (size - 1) / 2) for size in batch.shape[2:])
        down, back = rows[:, None], columns[None]
        openings = [(1 - np.hypot((down - off) / HALF_MM[0], back / HALF_MM[1])) * min(HALF_MM) for off in (0.0, 29.0)]
        drawn = {"foramen": np.maximum(*openings), "ganglion": ROOT_MM - np.hypot(down + 4.0, back)}
        maps = [np.full_like(drawn[name], -1.0) if name == self.without else drawn[name] for name in FORAMINA.channels]
        return {"maps": np.stack(maps)[None].clip(-1, 1).astype(np.float32) * self.sure}


@pytest.fixture(scope="module")
def spine(location: SpineLocation) -> LocatedSpine:
    return LocatedSpine({"sagittal_t1": location}, locate_foramina(PaintedLocator(), location), {})


def by_place(spine: LocatedSpine, **how: Any) -> dict[tuple[str, str], ForamenDrawing]:
    return {(one.disc.level, one.side): one for one in draw_foramina(KeyholeArtist(**how), spine)}


def test_sizes_are_those_that_were_drawn(spine: LocatedSpine) -> None:
    found = by_place(spine)
    assert set(found) == {(disc.level, side) for disc in DISCS for side in SIDES}
    for drawing in found.values():
        sizes = drawn_sizes(drawing)
        assert sizes["foramen_height_mm"] == pytest.approx(2 * HALF_MM[0], abs=0.7)
        assert sizes["foramen_area_mm2"] == pytest.approx(np.pi * HALF_MM[0] * HALF_MM[1], rel=0.04)


def test_what_is_stated_is_drawn_to_the_usual(spine: LocatedSpine) -> None:
    """A usual foramen is stated as drawn; a taller one as taller, but by less, for the slice may lie beside it."""
    drawing = next(iter(by_place(spine).values()))
    taller = replace(drawing, maps=np.roll(drawing.maps, 8, axis=1).clip(drawing.maps))
    for name, usual in (("foramen_height_mm", 21.0), ("foramen_area_mm2", 72.0)):
        drawn, stated = (
            [sizes(one)[name] for one in (drawing, taller)]
            for sizes in (drawn_sizes, lambda one: {key: size.value for key, size in foramen_sizes(one).items()})
        )
        assert 0 < stated[1] - stated[0] < drawn[1] - drawn[0]
        assert abs(stated[0] - usual) < abs(drawn[0] - usual) + 0.1 and foramen_sizes(drawing)[name].error > 0


def test_outlines_lie_about_the_foramen_of_their_side(spine: LocatedSpine) -> None:
    truth = Spine()
    for (level, side), drawing in by_place(spine).items():
        disc = next(disc for disc in DISCS if disc.level == level)
        middle = truth.foramen(disc, 1.0 if side == "left" else -1.0)
        outlines = {one.structure: np.array(one.points_lps_mm) for one in drawing.outlines()}
        assert set(outlines) == {f"{side} foramen", f"{side} ganglion"}
        opening = outlines[f"{side} foramen"]
        assert np.linalg.norm((opening.max(0) + opening.min(0)) / 2 - middle) < 4.0, "within a slice and a pixel"
        lengths = (opening - opening.mean(0)) @ disc.down
        assert np.ptp(lengths) == pytest.approx(2 * HALF_MM[0], abs=0.6), "it lies straight with the disc"
        (on_slice,) = {drawing.volume.headers[drawing.frame.slice_index].sop_instance_uid}
        assert {one.sop_instance_uid for one in drawing.outlines()} == {on_slice}
        indices = drawing.volume.to_ijk(opening)[:, 0]
        assert np.abs(indices - drawing.frame.slice_index).max() < 0.05


@pytest.mark.parametrize("without", FORAMINA.channels)
def test_what_is_not_seen_costs_itself_and_what_lies_in_it(spine: LocatedSpine, without: str) -> None:
    for (_, side), drawing in by_place(spine, without=without).items():
        outlined = {one.structure for one in drawing.outlines()}
        assert outlined == ({f"{side} foramen"} if without == "ganglion" else set())
        assert bool(foramen_sizes(drawing)) == (without == "ganglion")


def test_what_is_not_sure_is_not_measured(spine: LocatedSpine) -> None:
    for drawing in by_place(spine, sure=0.5).values():
        assert foramen_sizes(drawing) == {} and drawing.outlines() == ()


def test_a_slit_in_pieces_counts_and_a_faint_glow_does_not(spine: LocatedSpine) -> None:
    drawing = next(iter(by_place(spine).values()))
    before = drawn_sizes(drawing)
    glowing = replace(drawing, maps=np.maximum(drawing.maps, 0.05).astype(np.float32))
    for name, size in drawn_sizes(glowing).items():
        assert size == pytest.approx(before[name], rel=0.06)
    maps = drawing.maps.copy()
    middle = FORAMINA.size // 2
    maps[0, middle + 4 : middle + 8] = 0.0
    broken = drawn_sizes(replace(drawing, maps=maps))
    assert broken["foramen_height_mm"] == pytest.approx(before["foramen_height_mm"] - 2.0, abs=0.5)


def test_frames_lie_in_their_slice_however_oblique() -> None:
    """Unit vectors at right angles, as near to the given ones as the slice allows."""
    affine = np.eye(4)
    affine[:3, :3] = np.array([[3.6, 0.4, 0.9], [0.3, 0.1, 0.7], [0.8, -0.8, 0.2]])
    affine[:3, 1:3] /= np.linalg.norm(affine[:3, 1:3], axis=0)
    affine[:3, 2] -= (affine[:3, 2] @ affine[:3, 1]) * affine[:3, 1]
    affine[:3, 3] = (-20.0, 5.0, 40.0)
    volume = Volume(np.ones((9, 60, 50), np.float32), affine, ())
    given = PatchFrame(4, np.array([2.0, 30.0, 20.0]), np.array([0.1, 1.0, 0.2]), np.array([0.05, 0.2, -1.0]))
    flat, normal = onto_slice(volume, given), slice_normal(volume)
    assert volume.to_ijk(flat.center_lps_mm)[0] == pytest.approx(4)
    for own, wanted in ((flat.down, given.down), (flat.along, given.along)):
        assert np.linalg.norm(own) == pytest.approx(1) and abs(own @ normal) < 1e-9 and own @ wanted > 0.5
    assert abs(flat.down @ flat.along) < 1e-9


def test_whatever_draws_is_known_everywhere() -> None:
    """A part, a way to use it, and on its card what it draws."""
    windows = {"axial-tissues": AXIAL, "foramen-tissues": FORAMINA}
    assert set(DRAWERS) == set(TISSUES) == set(windows)
    for name, window in windows.items():
        card = read_card(SHIPPED / name)
        assert card.outputs == {"maps": window.channels} and card.inputs["pixel_mm"] == window.pixel_mm
        assert window.size % card.inputs["stride"] == 0


def test_nothing_without_t1_millimetres_or_a_place(spine: LocatedSpine, location: SpineLocation) -> None:
    assert by_place(replace(spine, sagittal={"sagittal_t2": location})) == {}
    assert by_place(replace(spine, sagittal={"sagittal_t1": replace(location, scale=0.7)})) == {}
    guessed = {place: replace(point, confidence=0.0) for place, point in spine.foramina.items()}
    assert by_place(replace(spine, foramina=guessed)) == {}
    unseen = replace(location, discs=tuple(replace(disc, confidence=0.0) for disc in location.discs))
    assert by_place(replace(spine, sagittal={"sagittal_t1": unseen})) == {}


def test_sizes_stand_beside_the_grade_of_their_foramen(spine: LocatedSpine) -> None:
    outlines, sizes = draw_tissues({"foramen-tissues": KeyholeArtist()}, spine, ())
    level = DISCS[0].level
    rows = [Finding("neural_foraminal_narrowing", level, side, None, {}) for side in SIDES]
    canal, *foramina = with_sizes([Finding("spinal_canal_stenosis", level, None, None, {}), *rows], sizes)
    assert not canal.measurements and len(outlines) == 2 * len(spine.foramina)
    for finding in foramina:
        assert set(finding.measurements) == {"foramen_height_mm", "foramen_area_mm2"}
        assert f"{finding.side}_foramen_height_mm" in finding.sizes
