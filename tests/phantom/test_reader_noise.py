"""Readers stray from the measured grades, always in the same way for the same spine, and mostly to the next grade."""

import numpy as np

from lumbago.phantom.measure_truth import COARSE, measure_truth
from lumbago.phantom.reader_noise import read_with_noise
from lumbago.phantom.sample_spine import sample_spine

GRADES = ("normal_mild", "moderate", "severe")


def test_readers_agree_with_the_truth_more_often_than_not() -> None:
    strayed = []
    for seed in range(500, 506):
        spec = sample_spine(seed)
        truths = measure_truth(spec, COARSE)
        read = read_with_noise(spec, truths)
        assert read == read_with_noise(spec, truths)
        by_level = {truth.level: truth for truth in truths}
        strayed += [
            abs(GRADES.index(grade) - GRADES.index(by_level[level].grade(condition, side)))
            for (condition, level, side), grade in read.items()
        ]
    assert len(strayed) == 6 * 25
    assert 0.6 < np.mean(np.array(strayed) == 0) < 0.98
    assert np.mean(np.array(strayed) == 2) < 0.08
