"""What is measured in drawn tissues: boxes of known sizes."""

import numpy as np
import pytest

from lumbago.pipeline.bright_areas import AREAS, bright_areas
from lumbago.pipeline.measure_spine import SignalReference
from lumbago.pipeline.measured_features import MEASURES, UNKNOWN, in_order, measure_section
from lumbago.pipeline.tissue_section import CENTER, SECTION_MM, Section

REFERENCE = SignalReference(1000.0, 500.0)
DEPTH_MM, HEIGHT_MM, CANAL_MM = 34.0, 9.0, 14.0


def section_of(
    height_mm: float = HEIGHT_MM, slip_mm: float = 0.0, bulge_mm: float = 0.0, squeeze_mm: float = 0.0
) -> Section:
    """A box for a disc between two boxes for bodies, the upper one `slip_mm` too far in front, and a canal behind
    them, narrower behind the disc."""
    shape = (181, 151)
    down, back = ((index - at) * SECTION_MM for index, at in zip(np.indices(shape), CENTER, strict=True))
    is_level = np.abs(down) < height_mm / 2
    disc = is_level & (back > -DEPTH_MM / 2) & (back < DEPTH_MM / 2 + bulge_mm)
    above = (down <= -height_mm / 2) & (down > -height_mm / 2 - 25) & (np.abs(back + slip_mm) < DEPTH_MM / 2)
    below = (down >= height_mm / 2) & (down < height_mm / 2 + 25) & (np.abs(back) < DEPTH_MM / 2)
    behind = back - DEPTH_MM / 2 - 4
    canal = (behind > np.where(np.abs(down) < 4, squeeze_mm, 0.0)) & (behind < CANAL_MM)
    image = np.select([disc, above | below, canal], [300.0, 500.0, 1000.0], 50.0).astype(np.float32)
    return Section(image, disc, above | below, canal, np.ones(shape, bool))


def measured(section: Section) -> dict[str, float]:
    values = in_order(measure_section(section, REFERENCE))
    assert values.shape == (len(MEASURES),) and values.dtype == np.float32
    return dict(zip(MEASURES, values.tolist(), strict=True))


@pytest.mark.parametrize("height_mm", [4.0, 9.0, 12.0])
def test_height_is_a_share_of_the_depth_of_the_bodies(height_mm: float) -> None:
    found = measured(section_of(height_mm))
    for name in ("height_index", "front_height_index", "back_height_index"):
        assert found[name] * DEPTH_MM == pytest.approx(height_mm, abs=SECTION_MM)


def test_a_healthy_place_is_unremarkable() -> None:
    found = measured(section_of())
    assert found["slip_size"] < 0.02 and abs(found["bulge_back"]) < 0.04 and found["upper_rough"] < 0.001
    assert found["canal_ratio"] == pytest.approx(1.0) and found["canal_mm"] == pytest.approx(CANAL_MM, abs=SECTION_MM)
    assert found["nucleus"] == pytest.approx(0.3) and found["nucleus_to_marrow"] == pytest.approx(np.log(0.6), abs=1e-4)
    assert found["marrow_bright"] == pytest.approx(0.0) and found["marrow_spread"] == pytest.approx(0.0)
    assert np.isnan(found["height_to_neighbours"])


@pytest.mark.parametrize("slip_mm", [3.4, 8.5])
def test_slip_is_a_share_of_the_body_below(slip_mm: float) -> None:
    found = measured(section_of(slip_mm=slip_mm))
    for name in ("slip_size", "slip_forward", "slip_front"):
        assert found[name] * DEPTH_MM == pytest.approx(slip_mm, abs=SECTION_MM)
    back = measured(section_of(slip_mm=-slip_mm))
    assert back["slip_forward"] == back["slip_front"] == 0.0
    assert back["slip_size"] * DEPTH_MM == pytest.approx(slip_mm, abs=2 * SECTION_MM)


def test_no_body_stands_half_a_body_behind() -> None:
    found = measured(section_of(slip_mm=-0.5 * DEPTH_MM, bulge_mm=0.5 * DEPTH_MM))
    assert np.isnan([found[name] for name in ("slip_size", "slip_forward", "slip_front")]).all()


def test_a_bulge_and_a_narrow_canal_are_seen() -> None:
    found = measured(section_of(bulge_mm=3.0, squeeze_mm=7.0))
    assert found["bulge_back"] * DEPTH_MM == pytest.approx(3.0, abs=2 * SECTION_MM)
    assert found["canal_ratio"] == pytest.approx(0.5, abs=0.05)
    assert found["fluid_least_ratio"] == pytest.approx(0.5, abs=0.05)
    assert found["canal_mm"] == pytest.approx(7.0, abs=SECTION_MM)


def test_a_disc_that_is_cut_off_has_no_sizes_but_its_canal_has() -> None:
    whole = section_of()
    seen = np.zeros_like(whole.seen)
    seen[:, CENTER[1] - 20 :] = True
    found = measured(Section(whole.image, whole.disc & seen, whole.body & seen, whole.canal, seen))
    assert np.isnan([found[name] for name in ("height_index", "slip_size", "nucleus", "canal_to_body")]).all()
    assert found["canal_ratio"] == pytest.approx(1.0)


def test_nothing_drawn_is_unknown() -> None:
    whole = section_of()
    empty = np.zeros_like(whole.disc)
    found = measure_section(Section(whole.image, empty, empty, empty, whole.seen), REFERENCE)
    np.testing.assert_array_equal(in_order(found), UNKNOWN)


def test_more_fat_about_the_middle_is_a_larger_bright_area() -> None:
    rows, columns = np.indices((60, 60)) - 29.5
    away = 0.5 * np.hypot(rows, columns)
    found = [
        dict(zip(AREAS, bright_areas((away < radius)[None].astype(np.float32), 0.5).tolist(), strict=True))
        for radius in (0.0, 2.0, 6.0)
    ]
    assert [row["area_4"] for row in found] == pytest.approx([0.0, 0.25, 1.0], abs=0.05)
    assert [row["share_50_8"] for row in found] == pytest.approx([0.0, 1 / 16, 36 / 64], abs=0.05)
    assert found[0]["tall_8"] == 0.0 < found[1]["tall_8"] < found[2]["tall_8"]
