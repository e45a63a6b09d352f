"""What the locator is to draw: points and areas where labels say so, and "unknown" where they say nothing."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lumbago.errors import SettingsRefused
from lumbago.labels.labelled_study import ImageRef, LabelledStudy, Shape, truth_of
from lumbago.labels.picture_slices import LabelledSlice, flipped, labelled_slices, read_picture
from lumbago.learning.label_tables import read_labels
from lumbago.learning.locator_targets import (
    ONE,
    UNKNOWN,
    LocatorSample,
    disc_between,
    locator_sample,
    point_map,
    true_discs,
)
from lumbago.pipeline.locate_discs import CHANNELS, PIXEL_MM
from made_up_labels import LEFT, RIGHT, SIZE, body_rows, disc_middle, write_spider, write_spider_space, write_sudirman


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, LabelledSlice]:
    data = tmp_path_factory.mktemp("data")
    write_sudirman(data)
    write_spider(data)
    write_spider_space(data)
    return {row.name: row for row in read_labels(data, ("sudirman", "spider", "spider_space"))}


def sampled(row: LabelledSlice) -> LocatorSample:
    sample = locator_sample(row)
    assert sample is not None
    return sample


def target(sample: LocatorSample, channel: str) -> np.ndarray:
    return sample.targets[CHANNELS.index(channel)]


def rectangle(top: float, bottom: float, left: float = 0.0, right: float = 60.0) -> np.ndarray:
    corners = [(top, left), (top, right), (bottom, right), (bottom, left)]
    return np.array(corners, np.float64)


def test_the_disc_lies_between_the_facing_edges() -> None:
    disc = disc_between(rectangle(0, 40), rectangle(52, 90))
    assert disc is not None
    assert disc[:, 0].min() == pytest.approx(40) and disc[:, 0].max() == pytest.approx(52)
    assert disc[:, 1].min() < 5 and disc[:, 1].max() > 55


def test_the_disc_follows_a_tilt() -> None:
    turn = np.array([[np.cos(0.4), np.sin(0.4)], [-np.sin(0.4), np.cos(0.4)]])
    disc = disc_between(rectangle(0, 40) @ turn.T, rectangle(52, 90) @ turn.T)
    assert disc is not None
    np.testing.assert_allclose(disc.mean(0), turn @ [46, 30], atol=1.0)


@pytest.mark.parametrize(
    "lower", [rectangle(52, 90, left=80, right=140), rectangle(200, 240)], ids=["beside", "a body further"]
)
def test_bodies_that_do_not_face_each_other_have_no_disc(lower: np.ndarray) -> None:
    assert disc_between(rectangle(0, 40), lower) is None


def test_a_point_is_a_bump() -> None:
    heat = point_map((40, 50), [(10.0, 20.0), (30.0, 40.0)])
    assert heat.dtype == np.uint8
    assert heat[10, 20] == heat[30, 40] == ONE == heat.max()
    assert heat[10, 20 + round(3 / PIXEL_MM)] == pytest.approx(ONE * np.exp(-0.5), abs=12)
    assert heat[20, 5] == 0


def test_polygons_draw_discs_bodies_and_sacrum(rows: dict[str, LabelledSlice]) -> None:
    row = rows["sudirman:001_t2"]
    sample, to_grid = sampled(row), row.spacing_mm / PIXEL_MM
    assert sample.image.shape == sample.targets.shape[1:] == (round(SIZE * to_grid),) * 2
    for count in range(1, 6):
        r, c = (round(value * to_grid) for value in disc_middle(count))
        assert target(sample, "disc_center")[r, c] > 0.9 * ONE
        assert target(sample, "disc")[r, c] == ONE and target(sample, "vertebra")[r, c] == 0
    middle = round((LEFT + RIGHT) / 2 * to_grid)
    for index, channel in ((2, "vertebra"), (5, "sacrum")):
        assert target(sample, channel)[round(np.mean(body_rows(index)) * to_grid), middle] == ONE
    lowest = target(sample, "lumbosacral_center")
    assert np.argwhere(lowest > 0.9 * ONE).mean(0) == pytest.approx(np.array(disc_middle(1)) * to_grid, abs=1)


def test_polygons_leave_unknown_what_was_not_drawn(rows: dict[str, LabelledSlice]) -> None:
    row = rows["sudirman:001_t2"]
    sample, to_grid = sampled(row), row.spacing_mm / PIXEL_MM
    above, below = round(body_rows(0)[0] * to_grid) - 3, round(body_rows(5)[1] * to_grid) + 3
    for channel in ("disc", "vertebra", "disc_center"):
        assert (target(sample, channel)[:above] == UNKNOWN).all()
    assert (target(sample, "sacrum")[below:] == UNKNOWN).all()
    assert (target(sample, "canal") == UNKNOWN).mean() > 0.5
    assert set(np.unique(target(sample, "recess"))) == {0}, "there is none on a sagittal slice"


def test_a_slice_with_a_skipped_body_is_left_out(rows: dict[str, LabelledSlice]) -> None:
    row = rows["sudirman:001_t2"]
    assert locator_sample(replace(row, bodies={k: v for k, v in row.bodies.items() if k != "L3"})) is None
    moved = {name: corners + (0 if name in ("L1", "L2") else 48) for name, corners in row.bodies.items()}
    assert locator_sample(replace(row, bodies=moved)) is None


def test_a_slice_without_labels_is_left_out(rows: dict[str, LabelledSlice]) -> None:
    assert locator_sample(rows["sudirman:003_t2"]) is None
    assert locator_sample(rows["spider:57_t1"]) is None


def test_boxes_draw_points_and_hide_what_is_in_doubt(rows: dict[str, LabelledSlice]) -> None:
    row = rows["spider:7_t2"]
    sample, to_grid = sampled(row), row.spacing_mm / PIXEL_MM / 2
    centers = target(sample, "disc_center")
    for count, wanted in ((1, ONE), (2, UNKNOWN), (3, ONE)):
        r, c = (round(value * to_grid) for value in disc_middle(count))
        assert centers[r, c] == pytest.approx(wanted, abs=0.1 * ONE if wanted == ONE else 0), count
    assert (centers[: round(disc_middle(3)[0] * to_grid) - 20] == UNKNOWN).all()
    assert target(sample, "lumbosacral_center").max() > 0.9 * ONE
    assert (target(sample, "vertebra") == UNKNOWN).all()


def test_boxes_beside_a_body_or_two_are_used(rows: dict[str, LabelledSlice]) -> None:
    """One outline of anything, and the boxes of that slice were lost."""
    row = rows["spider:7_t2"]
    both = replace(row, bodies={"L1": rectangle(10, 20)})
    np.testing.assert_array_equal(sampled(both).targets, sampled(row).targets)
    assert true_discs(both) == true_discs(row) != {}


def test_a_disc_that_nobody_boxed_is_unknown(rows: dict[str, LabelledSlice]) -> None:
    """Sets that box some discs alone taught that the others are none."""
    row = rows["spider:7_t2"]
    first, second, third = (replace(box, is_certain=True) for box in row.boxes)
    at = {
        count: tuple(round(value * row.spacing_mm / PIXEL_MM / 2) for value in disc_middle(count))
        for count in (1, 2, 3)
    }
    for boxes, hidden in (((first, second, third), ()), ((first, third), (2,)), ((second, third), (1,))):
        centers = target(sampled(replace(row, boxes=boxes)), "disc_center")
        for count, place in at.items():
            assert (centers[place] == UNKNOWN) == (count in hidden), (boxes, count)
            assert (centers[place[0], 0] == UNKNOWN) == (count in hidden), (boxes, count)


def test_masks_draw_everything_but_the_sacrum(rows: dict[str, LabelledSlice]) -> None:
    row = rows["spider_space:7_t2_SPACE_slice10"]
    sample, to_grid = sampled(row), row.spacing_mm / PIXEL_MM

    def at(channel: str, row_px: int, column_px: int) -> int:
        return int(target(sample, channel)[int(row_px * to_grid), int(column_px * to_grid)])

    assert at("disc", 250, 230) == at("vertebra", 130, 230) == at("canal", 130, 278) == ONE
    assert at("vertebra", 170, 315) == 0, "an arch behind the canal is no body"
    assert at("sacrum", 130, 230) == 0 and at("sacrum", 400, 230) == UNKNOWN
    lowest = np.argwhere(target(sample, "lumbosacral_center") > 0.9 * ONE).mean(0)
    assert lowest == pytest.approx(np.array([250, 230]) * to_grid, abs=1.5)


def test_pictures_on_their_heads_are_turned(rows: dict[str, LabelledSlice]) -> None:
    upright, turned = read_picture(rows["spider:7_t2"]), read_picture(rows["spider:57_t1"])
    assert np.abs(upright - turned).mean() < 1
    assert np.abs(upright - turned[::-1]).mean() > 5


def test_true_discs(rows: dict[str, LabelledSlice]) -> None:
    from_bodies = true_discs(rows["sudirman:001_t2"])
    assert sorted(from_bodies) == [1, 2, 3, 4, 5]
    for count, disc in from_bodies.items():
        assert disc.center == pytest.approx(disc_middle(count), abs=1)
        assert disc.half_height == pytest.approx(7, abs=0.5)
    from_boxes = true_discs(rows["spider:7_t2"])
    assert sorted(from_boxes) == [1, 3], "the doubtful one cannot be trusted"
    assert from_boxes[3].half_height == pytest.approx(3.5)
    assert true_discs(rows["spider:57_t1"]) == {}


def test_masks_of_other_values_are_refused(tmp_path: Path) -> None:
    """They were read as SPIDER's greys: here vertebrae were drawn as discs."""
    for part in ("images", "masks"):
        (tmp_path / "masks" / part).mkdir(parents=True)
        Image.new("L", (64, 64), 29).save(tmp_path / "masks" / part / "ann_t2.png")
    for names, told in (('{"29": "L4"}', "29 L4"), (None, "values that nothing names")):
        if names:
            (tmp_path / "masks" / "labels.json").write_text(names)
        else:
            (tmp_path / "masks" / "labels.json").unlink()
        (row,) = read_labels(tmp_path, ("masks",))
        wanted = "29 disc, 76 vertebra, 150 canal, as SPIDER's pictures; leave masks out of the sources"
        with pytest.raises(SettingsRefused, match=f"ann_t2.png, which has {told}; expected {wanted}"):
            locator_sample(row)
    (tmp_path / "masks" / "labels.json").write_text('{"29": "disc", "76": "vertebra", "150": "canal"}')
    (row,) = read_labels(tmp_path, ("masks",))
    assert (target(sampled(row), "disc") == ONE).all()


MEANT = {"yes,": {"upside_down": True}, "yes,yes": {"upside_down": True, "mirrored": True}, ",yes": {"mirrored": True}}


@pytest.mark.parametrize(
    ("lies", "flips"),
    [("yes,", (True, True)), ("yes,yes", (True, False)), (",yes", (False, True))],
    ids=["turned", "on its head", "mirrored"],
)
def test_what_is_drawn_on_a_picture_that_lies_otherwise_is_turned_with_it(
    tmp_path: Path, lies: str, flips: tuple[bool, bool]
) -> None:
    """Targets lay where the file has the disc, and the picture was turned."""
    picture = np.zeros((60, 80), np.uint8)
    picture[10:14, 20:40] = 29
    for place, stated in (("upright", ","), ("turned", lies)):
        for part in ("images", "masks"):
            (tmp_path / place / "masks" / part).mkdir(parents=True)
            shown = flipped(picture, flips) if place == "turned" else picture
            Image.fromarray(shown).save(tmp_path / place / "masks" / part / "ann_t2.png")
        (tmp_path / place / "masks" / "labels.json").write_text('{"29": "disc", "76": "vertebra", "150": "canal"}')
        (tmp_path / place / "masks" / "images.csv").write_text(
            f"file,study,role,spacing_mm,upside_down,mirrored\nimages/ann_t2.png,ann,sagittal_t2,1.0,{stated}\n"
        )
    upright, turned = (read_labels(tmp_path / place, ("masks",))[0] for place in ("upright", "turned"))
    np.testing.assert_array_equal(sampled(turned).image, sampled(upright).image)
    np.testing.assert_array_equal(sampled(turned).targets, sampled(upright).targets)
    rows = (46.0, 49.0) if flips[0] else (10.0, 13.0)
    columns = (40.0, 59.0) if flips[1] else (20.0, 39.0)
    box = Shape("box", tuple(zip(rows, columns, strict=True)), "ann_t2", structure="disc", level="L5/S1")
    line = Shape("polygon", (*box.points, (rows[0], columns[1])), "ann_t2", structure="L5")
    image = replace(ImageRef("ann_t2", turned.image, "picture", "sagittal_t2", spacing_mm=1.0), **MEANT[lies])
    mask = Shape("mask", (), "ann_t2", mask=turned.mask)
    study = LabelledStudy("any", "ann", "ann", (image,), truth_of("ann", ()), shapes=(mask, box, line))
    (row,) = labelled_slices(study)
    assert (row.boxes[0].rows, row.boxes[0].columns) == ((10.0, 13.0), (20.0, 39.0))
    drawn = {(float(r), float(c)) for r, c in row.bodies["L5"]}
    assert drawn <= {(10.0, 20.0), (10.0, 39.0), (13.0, 20.0), (13.0, 39.0)} and len(drawn) == 3
