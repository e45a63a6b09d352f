"""What is told of sizes stated and measured, on numbers whose answers are known, and which series are left out."""

from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from lumbago.labels.picture_slices import LabelledSlice


@pytest.fixture(scope="module")
def sizes() -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parents[2] / "bench"))
        from real import sizes
    return sizes


def test_figures_of_sizes_that_are_all_one_too_large(sizes: ModuleType) -> None:
    pairs = [sizes.Pair(value + 1.0, 0.6, float(value)) for value in (8, 9, 10, 11)]
    found = {name: score.value for name, score in sizes.figures_of(["a", "a", "b", "c"], pairs).items()}
    assert list(found.values()) == pytest.approx([10.5, 9.5, 1.0, 1.0, 0.0, np.sqrt(1.25), 1.0, 0.0, 1.0])


def discs(step_px: int) -> np.ndarray:
    """Three discs of 60 pixels, so far apart."""
    drawn = np.zeros((200, 100), np.uint8)
    for number in range(3):
        drawn[20 + number * step_px : 30 + number * step_px, 20:80] = 29
    return drawn


def test_series_whose_pixels_are_in_doubt_are_left_out(sizes: ModuleType, tmp_path: Path) -> None:
    row = LabelledSlice("spider_space", "spider:7", "spider_space:7_t2_slice3", tmp_path / "7_t2_slice3.png", 0.5, "t2")
    row = replace(row, mask=tmp_path / "mask.png")
    Image.fromarray(discs(60)).save(row.mask)
    for path in (row.image, tmp_path / "7_t2.png"):
        Image.fromarray(np.zeros((200, 100), np.uint8)).save(path)
    assert sizes.doubt_of([row], tmp_path) == ""
    Image.fromarray(discs(30)).save(row.mask)
    assert sizes.doubt_of([row], tmp_path) == "discs lie 0.50 of their depth apart"
    Image.fromarray(np.zeros((240, 100), np.uint8)).save(tmp_path / "7_t2.png")
    assert sizes.doubt_of([row], tmp_path) == "its picture in `spider` is 100 x 240, its slices are 100 x 200"
    assert "not there" in sizes.doubt_of([row], tmp_path / "elsewhere")
