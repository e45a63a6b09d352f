"""The stream of low-resolution samples: endless, true, the same for a seed."""

from itertools import islice

import numpy as np

from lumbago.anatomy.levels import LEVELS
from lumbago.learning.phantom_patches import phantom_stream, true_grades
from lumbago.phantom.sample_spine import sample_spine

CONDITIONS = ("pfirrmann", "bulging")


def test_stream_gives_every_disc_with_its_true_grades() -> None:
    samples = list(islice(phantom_stream(31, CONDITIONS), 10))
    assert [sample.level for sample in samples] == [*LEVELS, *LEVELS]
    assert [sample.patient for sample in samples] == ["phantom:31"] * 5 + ["phantom:32"] * 5
    for sample in samples[:5]:
        assert dict(sample.grades) == true_grades(sample_spine(31), CONDITIONS)[sample.level, None]
        assert sample.volume.array.shape == (3, 72, 72)


def test_stream_is_the_same_for_a_seed() -> None:
    first, again = (list(islice(phantom_stream(31, CONDITIONS), 2)) for _ in range(2))
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.volume.array, other.volume.array)
