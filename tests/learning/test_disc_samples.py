"""A graded disc is learned from where the locator finds it, by the name that is known."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lumbago.anatomy.levels import level_from_bottom
from lumbago.inference.weights import SHIPPED, load_model
from lumbago.labels.picture_slices import Box, LabelledSlice, picture_volume
from lumbago.learning.disc_samples import graded_patches
from lumbago.pipeline.locate_discs import CHANNELS, DiscFrame, LocatedDisc, SpineLocation

NAMES = tuple(map(level_from_bottom, range(1, 6)))
ROWS = (210.0, 175.0, 140.0, 105.0, 70.0)
"""Of the discs, from the bottom up."""
COLUMN = 120.0
FRAME = DiscFrame(np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.0, -1.0]), 34.0, 9.0)


def labelled(folder: Path, boxes: Sequence[Box]) -> LabelledSlice:
    Image.fromarray(np.tile(np.arange(240, dtype=np.uint8), (280, 1))).save(folder / "p.png")
    grades = {("pfirrmann", level): str(count) for count, level in enumerate(NAMES, 1)}
    return LabelledSlice("made", "1", "p", folder / "p.png", 1.0, "t2", boxes=tuple(boxes), grades=grades)


def boxes_at(rows: Sequence[float]) -> list[Box]:
    return [Box((row - 5, row + 5), (COLUMN - 17, COLUMN + 17), count, True) for count, row in enumerate(rows, 1)]


def learned(row: LabelledSlice, monkeypatch: pytest.MonkeyPatch, lowest: int, *, is_sure: bool) -> dict[str, float]:
    """The row of each disc that is learned from, by its name, where a locator counts from `lowest`."""
    volume = picture_volume(row)
    discs = tuple(
        LocatedDisc(
            level_from_bottom(count), 0.9, 0, volume.to_lps_mm(np.array([0.0, at, COLUMN])), FRAME, (),
            volume.to_lps_mm(np.array([0.0, at, COLUMN + 25])), None,
        ) for count, at in enumerate(ROWS, lowest)
    )  # fmt: skip
    maps = {0: np.zeros((len(CHANNELS), *volume.array.shape[1:]), np.float32)}
    location = SpineLocation(volume, discs, is_sure, maps)
    monkeypatch.setattr("lumbago.learning.disc_samples.locate_discs", lambda *_: location)
    locator = load_model("spine-locator", SHIPPED)
    patches = graded_patches(lambda _: locator, [row])
    assert all(patch.grades == {"pfirrmann": NAMES.index(patch.level)} for patch in patches)
    return {patch.level: float(volume.to_ijk(patch.frame.center_lps_mm[None])[0, 1]) for patch in patches}


def test_sure_names_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = learned(labelled(tmp_path, ()), monkeypatch, 1, is_sure=True)
    assert found == pytest.approx(dict(zip(NAMES, ROWS, strict=True)))


def test_an_unsure_name_is_that_of_the_label_at_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A locator that has not learned the sacrum counts from a guess; the grades need not be lost."""
    found = learned(labelled(tmp_path, boxes_at(ROWS)), monkeypatch, 2, is_sure=False)
    assert found == pytest.approx(dict(zip(NAMES, ROWS, strict=True)))


def test_without_a_label_of_the_place_an_unsure_name_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert learned(labelled(tmp_path, ()), monkeypatch, 1, is_sure=False) == {}


def test_a_disc_far_from_its_label_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = (ROWS[0] + 15, *ROWS[1:])
    for is_sure in (True, False):
        assert "L5/S1" not in learned(labelled(tmp_path, boxes_at(rows)), monkeypatch, 1, is_sure=is_sure)
