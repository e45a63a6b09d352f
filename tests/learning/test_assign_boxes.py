"""Which anchor answers for which truth, worked out by hand on a few of each."""

import numpy as np
import pytest
import torch

from lumbago.errors import SettingsRefused
from lumbago.learning.assign_boxes import (
    LEFT_OUT,
    NOTHING,
    by_overlap,
    by_shape,
    fit_shapes,
    targets,
    task_aligned,
    there,
)


def rows(*values: tuple[float, ...]) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float32)


NONE = torch.zeros(0, 5)


def test_rows_without_a_class_are_no_truths() -> None:
    assert there(rows((1, 2, 3, 4, 0), (0, 0, 0, 0, -1))).tolist() == [[1, 2, 3, 4, 0]]


def test_by_overlap() -> None:
    anchors = rows((0, 0, 10, 10), (0, 0, 10, 4.5), (20, 20, 30, 30), (0, 0, 10, 2), (41, 40, 50, 60))
    truths = rows((0, 0, 10, 10, 1), (40, 40, 44, 44, 0))
    assigned = by_overlap(anchors, truths)
    assert assigned.truth.tolist() == [0, LEFT_OUT, NOTHING, NOTHING, 1]
    assert assigned.share.tolist() == [1, 0, 0, 0, 1]


def test_by_shape_takes_like_anchors_in_near_cells() -> None:
    """A truth of 16 x 8 about (14, 12): in the middle cell of stride 8, nearer to the cell on its right."""
    places = [(x, y) for y in (4, 12, 20) for x in (4, 12, 20)]
    centers = rows(*((x, y, 8) for x, y in places))
    like = rows(*((x, y, 12, 12) for x, y in places))
    truth = rows((6, 8, 22, 16, 0))
    assert by_shape(like, centers, truth).truth.tolist() == [-1, -1, -1, -1, 0, 0, -1, -1, -1]
    unlike = rows(*((x, y, 3, 12) for x, y in places))
    assert by_shape(unlike, centers, truth).truth.tolist() == [-1] * 9


def test_by_shape_prefers_the_truth_most_like_the_anchor() -> None:
    anchor, center = rows((8, 8, 10, 10)), rows((8, 8, 16))
    truths = rows((0, 0, 16, 16, 0), (3, 3, 13, 13, 1))
    assert by_shape(anchor, center, truths).truth.tolist() == [1]


def test_task_aligned_takes_the_best_inside() -> None:
    centers = rows((4, 4, 8), (12, 4, 8), (20, 4, 8), (60, 60, 8))
    boxes = rows((0, 0, 16, 8), (0, 0, 16, 8), (0, 0, 16, 8), (0, 0, 16, 8))
    scores = rows((0.9, 0.1), (0.4, 0.1), (0.9, 0.9), (0.9, 0.9))
    truths = rows((0, 0, 16, 8, 0))
    assert task_aligned(scores, boxes, centers, truths).truth.tolist() == [0, 0, -1, -1]
    one = task_aligned(scores, boxes, centers, truths, candidates=1)
    assert one.truth.tolist() == [0, -1, -1, -1]
    assert one.share.tolist() == pytest.approx([1, 0, 0, 0])


def test_task_aligned_shares_follow_score_and_overlap() -> None:
    """IoU 1 and 0.5, scores 0.25 and 1: figures 0.5 and 0.5^6."""
    centers, boxes = rows((4, 4, 8), (12, 4, 8)), rows((0, 0, 16, 8), (0, 0, 16, 4))
    assigned = task_aligned(rows((0.25,), (1.0,)), boxes, centers, rows((0, 0, 16, 8, 0)))
    assert assigned.share.tolist() == pytest.approx([1.0, 0.5**6 / 0.5])


def test_task_aligned_boxes_that_hardly_overlap_still_learn() -> None:
    """A fresh detector's boxes are far too large: the best of a truth has its whole share nevertheless."""
    assigned = task_aligned(rows((0.01,)), rows((-60, -60, 68, 68)), rows((4, 4, 8)), rows((0, 0, 8, 8, 0)))
    assert float(assigned.share) == pytest.approx(64 / 128**2)


def test_task_aligned_gives_an_anchor_wanted_twice_to_its_better_box() -> None:
    centers, boxes = rows((8, 8, 8)), rows((0, 0, 16, 12))
    truths = rows((0, 0, 16, 30, 0), (0, 0, 16, 16, 1))
    assert task_aligned(rows((0.9, 0.1)), boxes, centers, truths).truth.tolist() == [1]


def test_without_truths_nothing_is_found() -> None:
    anchors, centers = rows((0, 0, 8, 8), (8, 0, 16, 8)), rows((4, 4, 8), (12, 4, 8))
    for assigned in (
        by_overlap(anchors, NONE),
        by_shape(anchors, centers, NONE),
        task_aligned(torch.ones(2, 1), anchors, centers, NONE),
    ):
        wanted = targets([assigned], [NONE], 1)
        assert not wanted.is_found.any() and float(wanted.scores.sum()) == 0 == float(wanted.boxes.sum())


def test_targets_of_a_batch() -> None:
    anchors = rows((0, 0, 10, 10), (0, 0, 10, 4.5), (20, 20, 30, 30))
    truths = [rows((0, 0, 10, 10, 1)), NONE]
    wanted = targets([by_overlap(anchors, each) for each in truths], truths, 2)
    assert wanted.is_found.tolist() == [[True, False, False], [False] * 3]
    assert wanted.is_left_out.tolist() == [[False, True, False], [False] * 3]
    assert wanted.scores[0].tolist() == [[0, 1], [0, 0], [0, 0]]
    assert wanted.boxes[0, 0].tolist() == [0, 0, 10, 10]


def test_shapes_are_those_of_the_boxes() -> None:
    rng = np.random.default_rng(1)
    kinds = np.array([(8.0, 4.0), (16.0, 8.0), (40.0, 12.0), (60.0, 60.0)])
    sizes = np.repeat(kinds, 50, axis=0) * np.exp(rng.normal(0, 0.02, (200, 2)))
    found = np.array(fit_shapes(sizes, scales=2, kinds=2)).reshape(-1, 2)
    np.testing.assert_allclose(found, kinds, rtol=0.05)


def test_too_few_boxes_are_refused() -> None:
    with pytest.raises(SettingsRefused, match="9 different ones or more"):
        fit_shapes(np.ones((20, 2)))
