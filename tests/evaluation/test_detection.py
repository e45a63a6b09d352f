"""Average precision is COCO's, checked against its own tool; overlap and distance."""

import contextlib
import io
from typing import Any

import numpy as np
import pytest

from lumbago.evaluation.detection import (
    COCO_OVERLAPS,
    Marked,
    average_precision,
    dice,
    distance_figures,
    mean_average_precision,
    nearness,
    overlap,
)

LABELS = ("disc", "herniation")


def marks(seed: int) -> tuple[list[Marked], list[Marked]]:
    """Truths and detections in 12 images: found ones shifted a little, some missed, some called falsely."""
    rng = np.random.default_rng(seed)
    truths, found = [], []
    for image in range(12):
        for _ in range(int(rng.integers(0, 6))):
            left, top, width, height = rng.uniform(30, 60, 4)
            label, name = LABELS[int(rng.integers(2))], f"image {image}"
            box = (left, top, left + width, top + height)
            truths.append(Marked(f"patient {image // 2}", name, label, box))
            if rng.random() < 0.8:
                moved = tuple(float(side) for side in np.array(box) + rng.normal(0, 4, 4))
                found.append(Marked(f"patient {image // 2}", name, label, moved, float(rng.random())))
        found.append(Marked(f"patient {image // 2}", f"image {image}", LABELS[0], (0.0, 0.0, 20.0, 20.0), rng.random()))
    return truths, found


def with_coco(truths: list[Marked], found: list[Marked]) -> tuple[float, float]:
    """(mAP over all overlaps, at 0.5) by the COCO tool."""
    coco, evaluation = pytest.importorskip("pycocotools.coco"), pytest.importorskip("pycocotools.cocoeval")
    images = sorted({mark.image for mark in (*truths, *found)})

    def row(number: int, mark: Marked) -> dict[str, Any]:
        left, top, right, bottom = mark.place
        return {
            "id": number, "image_id": images.index(mark.image), "category_id": LABELS.index(mark.label) + 1,
            "bbox": [left, top, right - left, bottom - top], "area": (right - left) * (bottom - top), "iscrowd": 0,
            "score": mark.score,
        }  # fmt: skip

    with contextlib.redirect_stdout(io.StringIO()):
        labelled = coco.COCO()
        labelled.dataset = {
            "images": [{"id": number} for number in range(len(images))],
            "categories": [{"id": 1}, {"id": 2}],
            "annotations": [row(number, mark) for number, mark in enumerate(truths, 1)],
            "info": {},
        }
        labelled.createIndex()
        run = evaluation.COCOeval(labelled, labelled.loadRes([row(n, m) for n, m in enumerate(found, 1)]), "bbox")
        run.evaluate()
        run.accumulate()
        run.summarize()
    return float(run.stats[0]), float(run.stats[1])


@pytest.mark.parametrize("seed", range(3))
def test_boxes_score_as_with_the_coco_tool(seed: int) -> None:
    truths, found = marks(seed)
    whole, half = with_coco(truths, found)
    assert mean_average_precision(truths, found, overlap, COCO_OVERLAPS)["mean"].value == pytest.approx(whole, abs=1e-9)
    assert mean_average_precision(truths, found, overlap, (0.5,))["mean"].value == pytest.approx(half, abs=1e-9)


def test_points_within_a_tolerance() -> None:
    truths = [Marked("a", "1", "disc", (0.0, 0.0)), Marked("a", "1", "disc", (20.0, 0.0))]
    found = [
        Marked("a", "1", "disc", (1.0, 1.0), 0.9),
        Marked("a", "1", "disc", (0.5, 0.0), 0.8),
        Marked("a", "1", "disc", (22.0, 0.0), 0.7),
    ]
    assert average_precision(truths, found, nearness, -3.0).value == pytest.approx((51 + 50 * 2 / 3) / 101)
    assert average_precision(truths, found, nearness, -0.1).value == 0.0
    assert average_precision(truths, [], nearness, -3.0).value == 0.0


def test_an_interval_is_over_patients() -> None:
    score = average_precision(*marks(1), overlap, 0.5)
    assert score.low < score.value < score.high


def test_dice() -> None:
    truth = np.array([[1, 1, 0], [2, 2, 0]])
    found = np.array([[1, 0, 0], [2, 2, 0]])
    scores = dice(truth, found, (1, 2, 3))
    assert scores[1] == pytest.approx(2 / 3) and scores[2] == 1.0 and np.isnan(scores[3])


def test_distances_count_what_was_not_found() -> None:
    errors = np.array([1.0, 3.0, np.inf, 8.0])
    scores = distance_figures(errors, np.array(["a", "b", "c", "d"]))
    assert scores["mean error of the found, mm"].value == 4.0
    assert scores["within 2 mm"].value == 0.25 and scores["within 5 mm"].value == 0.5
    lost = distance_figures(np.array([np.inf, np.inf]), np.array(["a", "b"]))
    assert np.isnan(lost["mean error of the found, mm"].value) and lost["within 5 mm"].value == 0
