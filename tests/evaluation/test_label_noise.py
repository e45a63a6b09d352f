"""Estimators of label noise find the noise that made-up labels were given, and say so when they cannot know."""

from functools import partial

import numpy as np
import pytest

from lumbago.evaluation import label_noise as noise
from lumbago.evaluation.metrics import Grades, plain_kappa_of, weighted_kappa

SHARES = np.array([0.12, 0.22, 0.30, 0.21, 0.15])
DISCS = 40_000


def seen(
    hidden: np.ndarray, correlation: float, rng: np.random.Generator, shared: np.ndarray | None = None
) -> np.ndarray:
    """What one sees of a hidden degeneration, with an error of one's own, or half of one that is shared."""
    error = rng.normal(size=hidden.size)
    if shared is not None:
        error = np.sqrt(0.5) * (error + shared)
    return np.asarray(correlation * hidden + np.sqrt(1 - correlation**2) * error)


def cut(values: np.ndarray) -> Grades:
    return np.searchsorted(np.quantile(values, np.cumsum(SHARES)[:-1]), values).astype(np.int64)


def test_a_triad_finds_what_a_grader_without_error_has() -> None:
    rng = np.random.default_rng(1)
    hidden = rng.normal(size=DISCS)
    labels, one, other = cut(seen(hidden, 0.9, rng)), np.exp(seen(hidden, 0.85, rng)), seen(hidden, 0.75, rng)
    pairs = noise.correlations(labels, one, other)
    assert noise.label_truth(pairs) == pytest.approx(0.9, abs=0.01)
    reached = weighted_kappa(labels, cut(hidden), 5)
    assert noise.ceiling(SHARES, noise.label_truth(pairs)) == pytest.approx(reached, abs=0.02)


def test_errors_that_graders_share_are_laid_on_the_labels_unless_told() -> None:
    rng = np.random.default_rng(2)
    hidden, shared = rng.normal(size=(2, DISCS))
    labels, one, other = cut(seen(hidden, 0.95, rng)), *(seen(hidden, 0.85, rng, shared) for _ in range(2))
    pairs = noise.correlations(labels, one, other)
    assert noise.label_truth(pairs) < 0.9
    assert noise.label_truth(pairs, 0.5) == pytest.approx(0.95, abs=0.01)
    assert 0.5 < noise.needed_sharing(pairs) < 1
    assert noise.label_truth(pairs, noise.needed_sharing(pairs) + 0.01) == 1


def test_labels_without_error_are_found_so() -> None:
    rng = np.random.default_rng(3)
    hidden = rng.normal(size=DISCS)
    pairs = noise.correlations(cut(hidden), seen(hidden, 0.8, rng), seen(hidden, 0.8, rng))
    assert noise.label_truth(pairs) > 0.99 and noise.needed_sharing(pairs) == pytest.approx(0, abs=0.02)


def test_confident_learning_finds_labels_exchanged_by_chance() -> None:
    rng = np.random.default_rng(4)
    truth = rng.choice(5, DISCS, p=SHARES)
    labels = np.where(rng.random(DISCS) < 0.2, np.clip(truth + rng.choice([-1, 1], DISCS), 0, 4), truth)
    logits = 4 * np.eye(5)[truth] + rng.normal(0, 0.7, (DISCS, 5))
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    joint = noise.confident_joint(labels, probabilities)
    assert joint.sum() == pytest.approx(1) and joint.sum(1) == pytest.approx(np.bincount(labels) / DISCS)
    assert np.trace(joint) == pytest.approx((labels == truth).mean(), abs=0.02)
    assert float(noise.linear_kappa(joint)) == pytest.approx(weighted_kappa(labels, truth, 5), abs=0.02)


def test_confident_learning_lays_a_poor_graders_errors_on_the_labels() -> None:
    rng = np.random.default_rng(5)
    truth = rng.choice(5, DISCS, p=SHARES)
    logits = np.eye(5)[truth] + rng.normal(0, 1, (DISCS, 5))
    joint = noise.confident_joint(truth, np.exp(logits) / np.exp(logits).sum(1, keepdims=True))
    assert np.trace(joint) < 0.8


@pytest.mark.parametrize("figure", [noise.linear_kappa, plain_kappa_of])
def test_two_readings_that_agree_so(figure: noise.Figure) -> None:
    rng = np.random.default_rng(6)
    correlation = noise.agreeing(SHARES, 0.6, figure)
    hidden = rng.normal(size=DISCS)
    first, second = (cut(seen(hidden, correlation, rng)) for _ in range(2))
    counts = np.bincount(first * 5 + second, minlength=25).reshape(5, 5).astype(np.float64)
    assert float(figure(counts)) == pytest.approx(0.6, abs=0.02)
    assert noise.ceiling(SHARES, correlation) == pytest.approx(weighted_kappa(first, cut(hidden), 5), abs=0.02)


def test_grades_cut_anew_follow_another_readers_habits() -> None:
    rng = np.random.default_rng(7)
    labels = rng.choice(5, 2000, p=SHARES)
    expected = labels + 1 + 0.7 + rng.normal(0, 0.2, 2000)
    recut = partial(noise.recut, labels, part=np.arange(2000) % 5)
    assert (
        weighted_kappa(labels, recut(expected), 5)
        > 0.9
        > weighted_kappa(labels, np.round(expected - 1).clip(0, 4).astype(np.int64), 5)
    )
    assert abs(weighted_kappa(labels, recut(rng.permutation(expected)), 5)) < 0.05
