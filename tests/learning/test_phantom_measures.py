"""What is measured of phantoms, where the truth stands in for the locator's maps, is what they were drawn with."""

import json
from pathlib import Path

import numpy as np
import pytest

from lumbago.learning.array_files import StoredArray
from lumbago.learning.disc_samples import GradedPatch
from lumbago.learning.phantom_patches import phantom_stream
from lumbago.phantom.measure_truth import measure_truth
from lumbago.phantom.sample_spine import sample_spine
from lumbago.pipeline.measured_features import MEASURES, OF_CANAL

SEED = 3_000_000
"""Its discs are 3.6 to 13.3 mm high, L4/L5 slips and squeezes the canal."""


def measured(patch: GradedPatch) -> dict[str, float]:
    assert patch.measures is not None
    return dict(zip(MEASURES, patch.measures.tolist(), strict=True))


@pytest.fixture(scope="module")
def discs() -> dict[str, GradedPatch]:
    stream = phantom_stream(SEED, ("pfirrmann",))
    return {patch.level: patch for patch in (next(stream) for _ in range(5))}


def test_heights_are_those_that_were_drawn(discs: dict[str, GradedPatch]) -> None:
    truth = {level.level: level.disc_height_mm for level in measure_truth(sample_spine(SEED))}
    found = {level: measured(patch) for level, patch in discs.items()}
    depths = {level: row["canal_mm"] / row["canal_to_body"] for level, row in found.items()}
    heights = np.array([found[level]["height_index"] * depths[level] for level in truth])
    np.testing.assert_allclose(heights, list(truth.values()), atol=0.8, rtol=0.1)  # wedges differ along their depth
    assert np.corrcoef(heights, list(truth.values()))[0, 1] > 0.95


def test_a_slip_and_a_narrow_canal_stand_out(discs: dict[str, GradedPatch]) -> None:
    found = {level: measured(patch) for level, patch in discs.items()}
    assert max(found, key=lambda level: found[level]["slip_forward"]) == "L4/L5"
    assert min(found, key=lambda level: found[level]["fluid_least_ratio"]) == "L4/L5"


def test_measures_come_back_out_of_their_parts(discs: dict[str, GradedPatch]) -> None:
    patch = discs["L4/L5"]
    facts, _ = patch.parts()
    back = GradedPatch.of_parts(json.loads(json.dumps(facts)), {"volume": StoredArray(Path("none.npz"), "array-0")})
    assert back.measures is not None and patch.measures is not None
    np.testing.assert_array_equal(back.measures, patch.measures)


def test_about_the_canal_only_the_canal_is_whole() -> None:
    patch = next(phantom_stream(SEED, ("spinal_canal_stenosis",), "canal"))
    found = measured(patch)
    assert (
        np.isnan(found["height_index"]) and np.isfinite([found[name] for name in OF_CANAL if "body" not in name]).all()
    )


def test_foramina_have_patches_alone() -> None:
    assert next(phantom_stream(SEED, ("neural_foraminal_narrowing",), "foramen")).measures is None
