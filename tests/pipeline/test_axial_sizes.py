"""What is drawn and measured on axial slices: of ellipses and strips whose sizes are known."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from painted_spine import DISCS, axial_block

from lumbago.anatomy.findings import Finding
from lumbago.anatomy.levels import SIDES
from lumbago.dicom.patient_geometry import canonical_axial
from lumbago.dicom.volume import Volume
from lumbago.inference.weights import Card, Model
from lumbago.pipeline.axial_sizes import axial_sizes
from lumbago.pipeline.draw_axial import AXIAL, AxialDrawing, draw_axial
from lumbago.pipeline.draw_tissues import draw_tissues, with_sizes
from lumbago.pipeline.locate_discs import SpineLocation
from lumbago.pipeline.place_patches import LocatedSpine

SAC_MM, DEPTHS = (8.0, 6.0), {"left": 4.2, "right": 2.4}
"""Half width and half depth of the sac; depth of each recess."""
TOLERANCES = {"sac_area_mm2": 6.0, "sac_depth_mm": 0.7, "sac_width_mm": 0.7, "recess_depth_mm": 0.3}


CARD = Card("axial-tissues", "1", "", "segmenter", "phantoms", "", {"maps": AXIAL.channels}, {}, {}, {})


@dataclass(frozen=True, eq=False)
class EllipseArtist(Model):
    """Draws the same wherever it looks: a sac in the middle of the window, a disc in front, a recess on each side."""

    card: Card = CARD
    session: Any = None
    without: str = ""

    def run(self, batch: np.ndarray) -> dict[str, np.ndarray]:
        rows, columns = (np.arange(size) - (size - 1) / 2 for size in batch.shape[2:])
        down, left = rows[:, None] * AXIAL.pixel_mm, columns[None] * AXIAL.pixel_mm
        edge = (1 - np.hypot(left / SAC_MM[0], down / SAC_MM[1])) * min(SAC_MM)
        recess = [
            np.minimum(depth / 2 - np.abs(down), 1.5 - np.abs(left - sign * 11.0))
            for depth, sign in ((DEPTHS["left"], 1), (DEPTHS["right"], -1))
        ]
        disc = 16.0 - np.hypot(left / 1.4, down + 24.0)
        drawn = {"sac": edge, "disc": disc, "recess": np.maximum(*recess)}
        maps = [np.full_like(drawn[name], -9.0) if name == self.without else drawn[name] for name in AXIAL.channels]
        return {"maps": np.stack(maps)[None].clip(-2, 2).astype(np.float32) * 10}


@pytest.fixture(scope="module")
def axials() -> list[Volume]:
    return [canonical_axial(axial_block(disc, disc.tilt, slices=3)) for disc in DISCS]


def drawings(location: SpineLocation, axials: list[Volume], **how: Any) -> tuple[AxialDrawing, ...]:
    return draw_axial(EllipseArtist(**how), LocatedSpine({"sagittal_t2": location}, {}, {}), axials)


def test_sizes_are_those_that_were_drawn(location: SpineLocation, axials: list[Volume]) -> None:
    found = drawings(location, axials)
    assert {one.disc.level for one in found} == {disc.level for disc in DISCS}
    truth = {
        "sac_area_mm2": np.pi * SAC_MM[0] * SAC_MM[1],
        "sac_depth_mm": 2 * SAC_MM[1],
        "sac_width_mm": 2 * SAC_MM[0],
    }
    for drawing in found:
        for side, wanted in (
            (None, truth),
            *((side, {"recess_depth_mm": 0.94 * DEPTHS[side] - 1.0}) for side in SIDES),
        ):
            sizes = axial_sizes(drawing, side)
            assert set(sizes) == set(wanted)
            for name, size in sizes.items():
                assert abs(size.value - wanted[name]) < TOLERANCES[name] and size.error > 0, (side, name)


def test_left_is_the_patients(location: SpineLocation, axials: list[Volume]) -> None:
    for drawing in drawings(location, axials):
        outlines = {one.structure: np.array(one.points_lps_mm) for one in drawing.outlines()}
        assert set(outlines) == {"sac", "disc", "left recess", "right recess"}
        middle = outlines["sac"][:, 0].mean()
        assert outlines["left recess"][:, 0].mean() - middle == pytest.approx(11.0, abs=0.6)
        assert outlines["right recess"][:, 0].mean() - middle == pytest.approx(-11.0, abs=0.6)
        assert outlines["disc"][:, 1].mean() < outlines["sac"][:, 1].mean(), "a disc lies in front of the sac"


def test_outlines_lie_on_their_slice(location: SpineLocation, axials: list[Volume]) -> None:
    for drawing in drawings(location, axials):
        for outline in drawing.outlines():
            indices = drawing.volume.to_ijk(np.array(outline.points_lps_mm))[:, 0]
            assert np.abs(indices - drawing.frame.slice_index).max() < 0.05
            assert outline.sop_instance_uid == drawing.volume.headers[drawing.frame.slice_index].sop_instance_uid


def test_what_is_cut_off_is_not_measured(location: SpineLocation, axials: list[Volume]) -> None:
    narrow = [replace(one, array=one.array[:, :, : one.array.shape[2] // 2]) for one in axials]
    for drawing in drawings(location, narrow):
        assert axial_sizes(drawing, None) == {}


@pytest.mark.parametrize("without", AXIAL.channels)
def test_what_is_not_seen_costs_itself_alone(location: SpineLocation, axials: list[Volume], without: str) -> None:
    for drawing in drawings(location, axials, without=without):
        names = {name for side in (None, *SIDES) for name in axial_sizes(drawing, side)}
        outlined = {one.structure for one in drawing.outlines()}
        if without == "sac":  # sides are told by the middle of the sac
            assert not names and outlined == {"disc"}
        else:
            assert ("recess_depth_mm" in names) == (without != "recess") and "sac_area_mm2" in names
            assert not any(without in structure for structure in outlined)


def test_what_is_not_sure_is_not_measured(location: SpineLocation, axials: list[Volume]) -> None:
    for drawing in drawings(location, axials):
        unsure = replace(drawing, maps=np.asarray(0.6 * drawing.maps, np.float32))
        assert unsure.outlines() == () and axial_sizes(unsure, None) == {}


def test_nothing_without_slices_or_millimetres(location: SpineLocation, axials: list[Volume]) -> None:
    assert drawings(location, []) == ()
    assert drawings(replace(location, scale=0.7), axials) == ()
    far = [replace(one, affine=_moved(one.affine, 300.0)) for one in axials]
    assert drawings(location, far) == ()
    assumed = [replace(one, geometry_is_assumed=True) for one in axials]
    outlines, sizes = draw_tissues(
        {"axial-tissues": EllipseArtist()}, LocatedSpine({"sagittal_t2": location}, {}, {}), assumed
    )
    assert outlines and not sizes


def _moved(affine: np.ndarray, up_mm: float) -> np.ndarray:
    moved = affine.copy()
    moved[2, 3] += up_mm
    return moved


def _finding(condition: str, level: str, side: Any = None) -> Finding:
    return Finding(condition, level, side, None, {})


def test_sizes_stand_beside_the_grade_of_their_structure(location: SpineLocation, axials: list[Volume]) -> None:
    spine = LocatedSpine({"sagittal_t2": location}, {}, {})
    _, sizes = draw_tissues({"axial-tissues": EllipseArtist()}, spine, axials)
    level = DISCS[0].level
    rows = [_finding("spinal_canal_stenosis", level), _finding("pfirrmann", level)]
    rows += [_finding("subarticular_stenosis", level, side) for side in SIDES]
    rows += [_finding("neural_foraminal_narrowing", level, side) for side in SIDES]
    canal, disc, *sided = with_sizes(rows, sizes)
    assert set(canal.measurements) == {"sac_area_mm2", "sac_depth_mm", "sac_width_mm"} and not disc.measurements
    left, right, *foramina = sided
    assert left.measurements["recess_depth_mm"].value > right.measurements["recess_depth_mm"].value
    assert set(left.sizes) == {"left_recess_depth_mm"} and not any(one.measurements for one in foramina)
