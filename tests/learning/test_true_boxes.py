"""True boxes are where the target maps show places; what nobody labelled is told as unknown."""

from pathlib import Path

import numpy as np
import pytest

from lumbago.labels.picture_slices import LabelledSlice
from lumbago.learning.augment import Warp, warp
from lumbago.learning.label_tables import read_labels
from lumbago.learning.locator_targets import ONE, UNKNOWN, LocatorSample, locator_sample
from lumbago.learning.phantom_slices import phantom_samples
from lumbago.learning.true_boxes import known_places, place_of_class, true_boxes
from lumbago.pipeline.locate_discs import CHANNELS
from lumbago.pipeline.read_boxes import PLACES, classes_of
from made_up_labels import disc_middle, write_spider, write_spider_space, write_sudirman

CLASSES = classes_of(("pfirrmann", "herniation"))


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, LabelledSlice]:
    data: Path = tmp_path_factory.mktemp("data")
    write_sudirman(data)
    write_spider(data)
    write_spider_space(data)
    return {row.name: row for row in read_labels(data, ("sudirman", "spider", "spider_space"))}


@pytest.fixture(scope="module")
def phantom() -> list[LocatorSample]:
    return [sample.open() for sample in phantom_samples(16, 1)]


def boxes_of(sample: LocatorSample) -> tuple[np.ndarray, np.ndarray]:
    """True boxes of the whole slice, and where places are known."""
    known = (sample.targets != UNKNOWN).astype(np.float32)
    targets = np.where(sample.targets == UNKNOWN, 0, sample.targets).astype(np.float32) / ONE
    marks = [(disc.row, disc.column, disc.grades) for disc in sample.graded]
    found = true_boxes(targets, known, marks, CLASSES)
    return found[found[:, 4] >= 0], known_places(known)


def opened(row: LabelledSlice) -> LocatorSample:
    sample = locator_sample(row)
    assert sample is not None
    return sample


def of_kind(found: np.ndarray, kind: str) -> np.ndarray:
    return found[found[:, 4] == CLASSES.index(kind)]


def middles(found: np.ndarray) -> np.ndarray:
    """(row, column), sorted from the top down."""
    places = (found[:, [1, 0]] + found[:, [3, 2]]) / 2 - 0.5
    return places[np.argsort(places[:, 0])]


def test_polygons_make_boxes_of_discs(rows: dict[str, LabelledSlice]) -> None:
    row = rows["sudirman:001_t2"]
    found, known = boxes_of(opened(row))
    discs, wanted = of_kind(found, "disc"), np.array([disc_middle(n) for n in range(5, 0, -1)]) * row.spacing_mm
    assert len(found) == len(discs) == 5
    np.testing.assert_allclose(middles(discs), wanted, atol=1.5)
    lowest = discs[np.argmax(discs[:, 1])]
    assert discs[:, 5 + CLASSES.index("lumbosacral")].sum() == lowest[5 + CLASSES.index("lumbosacral")] == 1
    assert not known[PLACES.index("canal")][0].any(), "nobody drew the canal"
    assert known[PLACES.index("foramen")].all() and not known[PLACES.index("disc")][0].any()


def test_grades_go_with_their_disc(rows: dict[str, LabelledSlice]) -> None:
    row = rows["sudirman:001_t2"]
    found, _ = boxes_of(opened(row))
    grades = {level: grade for (name, level), grade in row.grades.items() if name == "pfirrmann"}
    assert grades
    ordered = of_kind(found, "disc")[np.argsort(of_kind(found, "disc")[:, 1])]
    for level, disc in zip(("L1/L2", "L2/L3", "L3/L4", "L4/L5", "L5/S1"), ordered, strict=True):
        told = disc[5 + CLASSES.index("pfirrmann=1") :][:5]
        wanted = [float(grade == grades[level]) for grade in "12345"] if level in grades else [-1.0] * 5
        assert told.tolist() == wanted
        assert disc[5 + CLASSES.index("herniation=present")] == -1, "nobody graded it here"


def test_grades_of_t2_are_not_those_of_t1(rows: dict[str, LabelledSlice]) -> None:
    assert not opened(rows["sudirman:001_t1"]).graded


def test_labelled_boxes_are_boxes_and_doubtful_ones_unknown(rows: dict[str, LabelledSlice]) -> None:
    row = rows["spider:7_t2"]
    found, known = boxes_of(opened(row))
    discs = of_kind(found, "disc")
    wanted = [box for box in row.boxes if box.is_certain]
    assert len(discs) == len(found) == len(wanted)
    for box in wanted:
        middle = np.array(box.center) * row.spacing_mm
        near = discs[np.argmin(np.linalg.norm((discs[:, [1, 0]] + discs[:, [3, 2]]) / 2 - middle, axis=1))]
        assert near[2] - near[0] == pytest.approx((box.columns[1] - box.columns[0]) * row.spacing_mm, abs=4)
    doubtful = next(box for box in row.boxes if not box.is_certain)
    at = tuple(int(value * row.spacing_mm) for value in doubtful.center)
    assert not known[PLACES.index("disc")][at]


def test_a_segmentation_also_shows_the_canal(rows: dict[str, LabelledSlice]) -> None:
    found, _ = boxes_of(opened(rows["spider_space:7_t2_SPACE_slice10"]))
    discs, canals = of_kind(found, "disc"), of_kind(found, "canal")
    assert len(canals) == len(discs) > 0
    np.testing.assert_allclose(middles(canals)[:, 0], middles(discs)[:, 0], atol=1.5)
    assert (canals[:, 0] > discs[:, 2].min()).all() and (canals[:, 3] - canals[:, 1] == 14).all()
    assert (discs[:, 5 + CLASSES.index("pfirrmann=1") :] == -1).all()


def test_phantoms_show_every_place(phantom: list[LocatorSample]) -> None:
    seen = {name: {str(kind) for kind in PLACES if len(of_kind(boxes_of(sample)[0], kind))}
            for sample in phantom for name in [sample.name.split(":")[0]]}  # fmt: skip
    assert {"disc", "canal"} <= seen["phantom_sagittal_t2"] and "foramen" in seen["phantom_sagittal_t1"]
    assert {"canal", "recess"} <= seen["phantom_axial_t2"]
    for sample in phantom:
        found, known = boxes_of(sample)
        assert known.all() and (len(of_kind(found, "disc")) >= len(sample.graded))
        graded = of_kind(found, "disc")[:, 5 + CLASSES.index("pfirrmann=1") :][:, :5]
        assert (graded >= 0).all(1).sum() == len(sample.graded)
        assert set(graded[(graded >= 0).all(1)].sum(1)) <= {1.0}


def test_a_place_goes_where_its_pixel_goes() -> None:
    spec = Warp((50.0, 40.0), 17.0, 1.3, 0.9, (96, 80))
    picture = np.zeros((1, 120, 100), np.float32)
    picture[0, 56:59, 30:33] = 1
    seen = warp(picture, spec)[0].astype(np.float64)
    rows, columns = np.indices(seen.shape)
    center = (rows * seen).sum() / seen.sum(), (columns * seen).sum() / seen.sum()
    assert spec.place(57.0, 31.0) == pytest.approx(center, abs=0.2)


def test_grades_are_known_where_discs_are() -> None:
    assert place_of_class(CLASSES) == [*range(len(PLACES)), *[PLACES.index("disc")] * 6]


def test_nothing_drawn_is_no_box() -> None:
    nothing = np.zeros((len(CHANNELS), 64, 64), np.float32)
    assert (true_boxes(nothing, nothing, (), CLASSES) == -1).all()
