"""Tables of places and folders of masks, from file to scores."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from lumbago.dicom.decoder import Decoder, open_decoder
from lumbago.errors import UnreadableInput
from lumbago.evaluation.detection import Marked
from lumbago.evaluation.mask_folders import read_mask_pairs
from lumbago.evaluation.place_table import PlaceTable, is_place_table, read_places, write_places
from lumbago.evaluation.score_places import PlaceScore, score_masks, score_places, write_place_scores

BOXES = PlaceTable(
    "hospital",
    "px",
    (Marked("a", "a1", "disc", (0.0, 0.0, 10.0, 10.0)), Marked("b", "b1", "disc", (0.0, 0.0, 10.0, 10.0))),
    (Marked("a", "a1", "disc", (0.0, 0.0, 10.0, 10.0), 0.9), Marked("b", "b1", "disc", (50.0, 50.0, 60.0, 60.0), 0.4)),
)
POINTS = PlaceTable(
    "phantoms",
    "mm",
    (Marked("a", "a1", "L4/L5", (0.0, 0.0, 0.0)), Marked("a", "a1", "L5/S1", (0.0, 0.0, 30.0))),
    (Marked("a", "a1", "L4/L5", (0.0, 3.0, 0.0), 0.9), Marked("a", "a1", "L4/L5", (0.0, 0.0, 30.0), 0.8)),
)


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    with open_decoder() as opened:
        yield opened


def figures(rows: list[PlaceScore]) -> dict[tuple[str, str], float]:
    return {(row.label, row.figure): row.score.value for row in rows}


def test_a_table_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "places.csv"
    write_places([BOXES, POINTS], path)
    assert is_place_table(path)
    assert read_places(path) == [BOXES, POINTS]


def test_half_of_the_boxes_are_found() -> None:
    found = figures(score_places(BOXES))
    assert found["disc", "AP, overlap 0.5"] == pytest.approx(51 / 101)
    assert found["mean", "AP, overlap 0.5 to 0.95"] == pytest.approx(51 / 101)


def test_what_is_found_on_another_patient_is_not_found() -> None:
    """Images of several patients may have the same name."""
    near, far = (0.0, 0.0, 10.0, 10.0), (50.0, 50.0, 60.0, 60.0)
    truths = Marked("a", "sagittal", "disc", near), Marked("b", "sagittal", "disc", far)
    found = Marked("a", "sagittal", "disc", far, 0.9), Marked("b", "sagittal", "disc", near, 0.9)
    assert set(figures(score_places(PlaceTable("hospital", "px", truths, found))).values()) == {0.0}
    points = [tuple(replace(mark, place=mark.place[:2]) for mark in marks) for marks in (truths, found)]
    rows = figures(score_places(PlaceTable("hospital", "px", *points)))
    assert {value for (_, name), value in rows.items() if "within" in name} == {0.0}


def test_points_have_distances_in_their_unit_and_phantoms_are_called_so() -> None:
    rows = score_places(POINTS)
    found = figures(rows)
    assert found["L4/L5", "mean error of the found, mm"] == 3.0
    assert (found["L4/L5", "within 2 mm"], found["L4/L5", "within 5 mm"]) == (0.0, 1.0)
    assert found["L5/S1", "within 5 mm"] == 0.0, "another label's detection does not count"
    assert found["mean", "within 5 mm"] == 0.5
    assert found["L4/L5", "AP within 5 mm"] == 1.0
    assert {row.source for row in rows} == {"phantoms (computer-made, not patients)"}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("h,a,a1,disc,1 2 3 4 5,px,", "5 numbers"),
        ("h,a,a1,disc,one two,px,", "could not convert"),
        ("h,a,a1,disc,1 2,inch,", "unit 'inch'"),
        ("h,a,a1,disc,1 2,mm,nan", "a number that is none"),
        ("h,a,a1,disc,1 inf,mm,", "a number that is none"),
        ("h,,a1,disc,1 2,mm,", "no patient"),
    ],
)
def test_a_row_that_cannot_be_meant(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "places.csv"
    path.write_text(f"source,patient,image,label,place,unit,score\n{line}\n")
    with pytest.raises(UnreadableInput, match=said) as caught:
        read_places(path)
    assert "line 2" in caught.value.found


def test_boxes_and_points_are_not_compared() -> None:
    with pytest.raises(UnreadableInput, match="cannot be compared"):
        score_places(PlaceTable("hospital", "px", BOXES.truths, POINTS.found))


def mask(path: Path, ones: int) -> None:
    path.parent.mkdir(exist_ok=True)
    values = np.zeros((4, 5), np.uint8)
    values[0, :ones] = 1
    values[3] = 2
    Image.fromarray(values).save(path)


def test_dice_of_two_folders(tmp_path: Path, decoder: Decoder) -> None:
    for name, found in (("a_1.png", 4), ("b_1.png", 2)):
        mask(tmp_path / "truth" / name, 4)
        mask(tmp_path / "found" / name, found)
    rows = score_masks("hospital", read_mask_pairs(tmp_path, decoder))
    assert figures(rows) == {("1", "Dice"): pytest.approx((1 + 2 * 2 / 6) / 2), ("2", "Dice"): 1.0}
    assert {row.patients for row in rows} == {2}
    text = write_place_scores(rows, tmp_path / "out", "lumbago evaluate")
    assert "| hospital | 1 | Dice |" in text
    assert (tmp_path / "out" / "place-scores.csv").read_text().count("lumbago evaluate") == 2


def test_masks_without_namesake_or_of_other_size(tmp_path: Path, decoder: Decoder) -> None:
    with pytest.raises(UnreadableInput, match="no masks"):
        read_mask_pairs(tmp_path, decoder)
    mask(tmp_path / "truth" / "a.png", 1)
    with pytest.raises(UnreadableInput, match="no a"):
        read_mask_pairs(tmp_path, decoder)
    (tmp_path / "found").mkdir()
    Image.fromarray(np.zeros((2, 2), np.uint8)).save(tmp_path / "found" / "a.png")
    with pytest.raises(UnreadableInput, match="the same grid"):
        read_mask_pairs(tmp_path, decoder)


def test_masks_on_other_grids_of_one_size_are_refused(tmp_path: Path, decoder: Decoder) -> None:
    """Voxel by voxel they were compared with what lies elsewhere, or mirrored."""
    labels = np.zeros((6, 8, 4), np.int16)
    labels[1:3, 2:5, 0] = 1
    for part in ("truth", "found"):
        (tmp_path / part).mkdir()
        nib.Nifti1Image(labels, np.diag([1.0, 1.0, 4.0, 1.0])).to_filename(tmp_path / part / "a.nii.gz")
    (row,) = score_masks("hospital", read_mask_pairs(tmp_path, decoder))
    assert row.score.value == 1.0
    mirrored, shifted = np.diag([-1.0, 1.0, 4.0, 1.0]), np.diag([1.0, 1.0, 4.0, 1.0])
    shifted[2, 3] = 4.0
    for moved in (mirrored, shifted):
        nib.Nifti1Image(labels, moved).to_filename(tmp_path / "found" / "a.nii.gz")
        with pytest.raises(
            UnreadableInput, match=r"a.nii.gz in truth and found have voxels .* mm apart; expected the same"
        ):
            read_mask_pairs(tmp_path, decoder)
