"""Stages are chosen by patients that the probes have not seen, from features that are computed once."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_up_patches import BACK, DOWN, made_up_volume

from lumbago.errors import SettingsRefused
from lumbago.learning import feature_store
from lumbago.learning.choose_layers import candidates, choose_layers, probe_loss
from lumbago.learning.disc_samples import GradedPatch
from lumbago.learning.experiment import Experiment
from lumbago.learning.feature_store import FeatureTable, frozen_encoder, stored_features
from lumbago.pipeline.crop_patches import PatchFrame, PatchRecipe
from lumbago.pipeline.measure_spine import SignalReference

EXPERIMENT = Experiment("x", "grader", conditions=("bulging",), patch=(32, 48), pretrained=False)
RECIPE = PatchRecipe("disc", 32, 48, 0.6, 1)


@pytest.fixture(scope="module")
def samples() -> list[GradedPatch]:
    """Forty patients; what bulges has a bright blob."""
    rng, patches = np.random.default_rng(1), []
    for number in range(40):
        volume = made_up_volume(300.0 * (number % 2) + 40 * rng.normal())
        center = volume.to_lps_mm(np.array([1.0, 29.5, 29.5]))
        patches.append(
            GradedPatch(
                "spider", f"spider:{number}", f"{number}", "L4/L5", volume, PatchFrame(1, center, BACK, DOWN),
                SignalReference(600.0, 200.0), {"bulging": number % 2},
            )
        )  # fmt: skip
    return patches


def test_candidates_fit_the_patch() -> None:
    assert candidates((80, 112))[-1] == ("stride_8", "stride_16") and len(candidates((80, 112))) == 7
    assert ("stride_16", "stride_32") in candidates((64, 96)) and len(candidates((64, 96))) == 9


def test_a_choice_is_the_best_on_others(samples: list[GradedPatch], tmp_path: Path) -> None:
    choice = choose_layers(EXPERIMENT, samples[:28], samples[28:], tmp_path)
    assert (choice.probed_on, choice.validated_on) == (28, 12)
    assert set(choice.log_loss) == {"+".join(one) for one in candidates(EXPERIMENT.patch)}
    losses = list(choice.log_loss.values())
    assert losses == sorted(losses) and "+".join(choice.layers) == next(iter(choice.log_loss))
    assert losses[0] < np.log(2), "better than a coin"


def test_without_validation_a_quarter_of_the_patients_judges(samples: list[GradedPatch], tmp_path: Path) -> None:
    choice = choose_layers(EXPERIMENT, samples, (), tmp_path)
    assert choice.probed_on + choice.validated_on == 40 and 3 <= choice.validated_on <= 17


def test_too_little_to_choose_by(samples: list[GradedPatch], tmp_path: Path) -> None:
    with pytest.raises(SettingsRefused, match="too few graded patients"):
        choose_layers(EXPERIMENT, samples[::2], (), tmp_path)
    with pytest.raises(SettingsRefused, match="no samples"):
        choose_layers(EXPERIMENT, (), (), tmp_path)


def test_features_are_computed_once_and_again_when_damaged(
    samples: list[GradedPatch], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = frozen_encoder(pretrained=False)
    first = stored_features(samples[:4], RECIPE, ("bulging",), encoder, tmp_path)
    (path,) = tmp_path.iterdir()
    with monkeypatch.context() as patch:
        patch.delattr(feature_store, "_computed")
        again = stored_features(samples[:4], RECIPE, ("bulging",), encoder, tmp_path)
    assert all(np.array_equal(first.stages[name], again.stages[name]) for name in first.stages)
    assert [values.shape for values in first.stages.values()] == [(4, width) for width in (16, 24, 40, 112, 192)]
    path.write_bytes(path.read_bytes()[:-100])
    mended = stored_features(samples[:4], RECIPE, ("bulging",), encoder, tmp_path)
    assert np.array_equal(first.of(("stride_2", "stride_8")), mended.of(("stride_2", "stride_8")))


def test_other_patches_are_other_features(samples: list[GradedPatch], tmp_path: Path) -> None:
    encoder = frozen_encoder(pretrained=False)
    stored_features(samples[:4], RECIPE, ("bulging",), encoder, tmp_path)
    stored_features(samples[:4], replace(RECIPE, pixel_mm=0.7), ("bulging",), encoder, tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


def test_unknown_grades_neither_fit_nor_judge() -> None:
    rng = np.random.default_rng(1)
    features = rng.normal(size=(60, 3)).astype(np.float32)
    known = (features[:, 0] > 0).astype(np.int64)
    is_judge = np.arange(60) % 3 == 0
    whole = FeatureTable({"stride_2": features}, known[:, None], ("p",) * 60)
    holes = np.where(np.arange(60) % 2 == 0, known, -1)
    with_holes = FeatureTable({"stride_2": features}, np.stack([known, holes], axis=1), ("p",) * 60)
    assert 0 < probe_loss(whole, ("stride_2",), is_judge) < np.log(2)
    assert np.isfinite(probe_loss(with_holes, ("stride_2",), is_judge))
    nothing = FeatureTable({"stride_2": features}, np.full((60, 1), -1), ("p",) * 60)
    assert probe_loss(nothing, ("stride_2",), is_judge) == np.inf
