"""Of overlapping boxes of one class the surest stays: as the plain rule says, and on boxes that are none."""

import numpy as np
import pytest

from lumbago.pipeline.decode_boxes import ThinningRule, found_boxes


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    wide, high = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    shared = max(wide, 0) * max(high, 0)
    return float(shared / ((one[2:] - one[:2]).prod() + (other[2:] - other[:2]).prod() - shared))


def plainly(detections: np.ndarray, rule: ThinningRule) -> list[tuple[float, ...]]:
    """Every class by itself, every pair compared, one after another."""
    kept: list[tuple[float, ...]] = []
    for label in range(detections.shape[1] - 4):
        rows = sorted((row for row in detections if row[4 + label] >= rule.least_score), key=lambda r: -r[4 + label])
        own: list[np.ndarray] = []
        for row in rows:
            if all(overlap(row[:4], other[:4]) <= rule.most_overlap for other in own):
                own.append(row)
        kept += [(float(row[4 + label]), float(label), *map(float, row[:4])) for row in own]
    return sorted(kept, reverse=True)


@pytest.mark.parametrize("seed", range(5))
def test_as_the_plain_rule(seed: int) -> None:
    rng = np.random.default_rng(seed)
    first = rng.uniform(0, 60, (80, 2))
    detections = np.hstack([first, first + rng.uniform(4, 40, (80, 2)), rng.uniform(0, 1, (80, 3))]).astype(np.float32)
    rule = ThinningRule(least_score=0.3, most_overlap=0.4, most=1000)
    found = found_boxes(detections, rule)
    seen = zip(found.scores, found.labels, *found.boxes.T, strict=True)
    assert [tuple(map(float, row)) for row in seen] == plainly(detections, rule)
    assert len(found.boxes) < (detections[:, 4:] >= 0.3).sum(), "something was thinned out"
    few = found_boxes(detections, ThinningRule(0.3, 0.4, 5))
    assert np.array_equal(few.boxes, found.boxes[:5])


def test_one_anchor_can_find_two_classes() -> None:
    found = found_boxes(np.array([[0, 0, 4, 4, 0.9, 0.8]], np.float32))
    assert found.labels.tolist() == [0, 1]


@pytest.mark.parametrize(
    "box", [(3, 3, 3, 9), (5, 5, 2, 2), (np.nan, 0, 4, 4), (0, 0, np.inf, 4)], ids=["flat", "turned", "nan", "infinite"]
)
def test_what_is_no_box_is_left_out(box: tuple[float, ...]) -> None:
    rows = np.array([(*box, 0.9), (0, 0, 8, 8, 0.5)], np.float32)
    assert found_boxes(rows).scores.tolist() == [0.5]


def test_nothing_gives_nothing() -> None:
    found = found_boxes(np.zeros((0, 6), np.float32))
    assert found.boxes.shape == (0, 4) and found.labels.shape == found.scores.shape == (0,)


def test_the_same_box_twice_is_one() -> None:
    rows = np.array([(0, 0, 8, 8, 0.5), (0, 0, 8, 8, 0.5)], np.float32)
    assert len(found_boxes(rows).boxes) == 1
