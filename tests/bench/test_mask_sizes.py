"""Sizes measured in a made-up mask of two bodies, their disc and the canal behind, as a reader would draw them."""

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

MM = 0.5
DISC, BONE, CANAL = 29, 76, 150
TURN = np.radians(12)


@pytest.fixture(scope="module")
def sizes() -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parents[2] / "bench"))
        from real import mask_sizes
    return mask_sizes


def mask(slip_mm: float = 0.0, pedicle: bool = False) -> np.ndarray:
    """Turned by 12 degrees about its middle: a disc of 36 x 8 mm with endplates of 1 mm, bodies of 34 x 25 mm, the one
    above `slip_mm` farther forward, and a canal of 15 mm from 3 mm behind the disc on."""
    rows, columns = (np.indices((240, 240)) - 119.5) * MM
    along, down = np.cos(TURN) * columns + np.sin(TURN) * rows, np.cos(TURN) * rows - np.sin(TURN) * columns
    drawn = np.zeros(rows.shape, np.float32)
    shift = np.where(down < 0, -slip_mm, 0.0)
    drawn[(np.abs(along - shift) < 17) & (np.abs(down) > 5) & (np.abs(down) < 30)] = BONE
    drawn[(np.abs(along) < 18) & (np.abs(down) < 4)] = DISC
    drawn[(along > 21) & (along < 36)] = CANAL
    drawn[(along > 38) & (along < 50) & (np.abs(down) > 10)] = BONE
    if pedicle:
        drawn[(along > 10) & (along < 50) & (down > 5) & (down < 30)] = BONE
    return drawn


def measured(sizes: ModuleType, drawn: np.ndarray) -> dict[str, float]:
    own = sizes.disc_at(drawn, (119.0, 121.0), MM)
    picture = sizes.smoothed(np.where(drawn == CANAL, 200.0, np.where(drawn == DISC, 100.0, 20.0)), MM)
    return dict(sizes.mask_sizes(sizes.lay(drawn, picture, own, MM), 200.0))


def test_sizes_of_a_turned_spine(sizes: ModuleType) -> None:
    found = measured(sizes, mask())
    assert found["disc_height"] == pytest.approx(8.0, abs=0.3)
    assert found["height_between_bodies"] == pytest.approx(10.0, abs=0.4)
    assert found["disc_depth"] == pytest.approx(36.0, abs=0.8)
    assert found["body_depth"] == pytest.approx(34.0, abs=0.4)
    assert found["height_index"] == pytest.approx(10 / 34, abs=0.01)
    assert found["canal_along"] == pytest.approx(15.0, abs=0.3)
    assert found["canal_to_usual"] == pytest.approx(1.0, abs=0.02)
    assert found["nucleus_to_fluid"] == pytest.approx(0.5, abs=0.01)
    assert found["slip"] == pytest.approx(0.0, abs=0.8)


@pytest.mark.parametrize("slip_mm", [5.1, -3.4])
def test_a_body_that_stands_in_front_has_slipped_forward(sizes: ModuleType, slip_mm: float) -> None:
    assert measured(sizes, mask(slip_mm))["slip"] == pytest.approx(100 * slip_mm / 34, abs=0.8)


def test_width_square_to_a_canal_that_runs_askew(sizes: ModuleType) -> None:
    drawn = np.where(mask() == CANAL, 0, mask())
    columns = (np.arange(240) - 119.5) * MM
    drawn[:, np.abs(columns - 28 / np.cos(TURN)) < 7.5] = CANAL
    found = measured(sizes, drawn)
    assert found["canal_across"] == pytest.approx(15.0, abs=0.4)
    assert found["canal_along"] == pytest.approx(15.0 / np.cos(TURN), abs=0.4)


def test_edges_rise_as_they_are_turned(sizes: ModuleType) -> None:
    drawn = mask()
    laid = sizes.lay(drawn, drawn, sizes.disc_at(drawn, (119.0, 121.0), MM), MM)
    for edge in ("body", "disc"):
        assert sizes.rise(laid, edge) == pytest.approx(-12.0, abs=0.5)


def test_nothing_is_told_of_what_is_not_there(sizes: ModuleType) -> None:
    no_sacrum = mask()
    no_sacrum[130:][no_sacrum[130:] == BONE] = 0
    assert "height_between_bodies" not in measured(sizes, no_sacrum)
    assert "disc_height" in measured(sizes, no_sacrum)
    joined = measured(sizes, mask(pedicle=True))
    assert "slip" not in joined
    assert "height_between_bodies" in joined
    assert "canal_along" not in measured(sizes, np.where(mask() == CANAL, 0, mask()))
    assert sizes.disc_at(mask(), (60.0, 121.0), MM) is None
