"""The machine as a network says what scikit-learn's says, and exports."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from sklearn.svm import SVC

from lumbago.errors import SettingsRefused
from lumbago.learning.fit_svm import fit_svm
from lumbago.networks.export_onnx import export_onnx
from lumbago.networks.rbf_svm import RbfSvm, RbfSvmForExport

HEADS = {"one": 3, "two": 2}


@pytest.fixture(scope="module")
def samples() -> tuple[np.ndarray, np.ndarray, list[str]]:
    rng = np.random.default_rng(1)
    grades = np.stack([np.arange(60) % 3, np.arange(60) // 3 % 2], axis=1)
    features = rng.normal(0, 0.4, (60, 5)) + np.concatenate([np.eye(3)[grades[:, 0]], grades[:, [1, 1]]], axis=1)
    grades[::7, 1] = -1
    return (7 * features + 3).astype(np.float32), grades, [f"p{n // 4}" for n in range(60)]


@pytest.fixture(scope="module")
def machine(samples: tuple[np.ndarray, np.ndarray, list[str]]) -> RbfSvm:
    return fit_svm(*samples, HEADS)


def test_decisions_are_those_of_scikit_learn(
    machine: RbfSvm, samples: tuple[np.ndarray, np.ndarray, list[str]]
) -> None:
    features, grades, _ = samples
    scaled = (features - features.mean(0)) / features.std(0)
    found = machine.decisions(torch.from_numpy(features)).numpy()
    for column, (known, answers) in {
        1: (grades[:, 0] != -1, grades[:, 0] == 1),
        4: (grades[:, 1] != -1, grades[:, 1] == 1),
    }.items():
        model = SVC(gamma=1 / 5, class_weight="balanced").fit(scaled[known], answers[known])
        np.testing.assert_allclose(found[:, column], model.decision_function(scaled), atol=1e-4)


def test_chances_sum_to_one_and_find_the_grade(
    machine: RbfSvm, samples: tuple[np.ndarray, np.ndarray, list[str]]
) -> None:
    features, grades, _ = samples
    chances = machine(torch.from_numpy(features)).exp().numpy()
    np.testing.assert_allclose(chances[:, :3].sum(1), 1, atol=1e-5)
    np.testing.assert_allclose(chances[:, 3:].sum(1), 1, atol=1e-5)
    assert (chances[:, :3].argmax(1) == grades[:, 0]).mean() > 0.85
    known = grades[:, 1] != -1
    assert (chances[known, 3:].argmax(1) == grades[known, 1]).mean() > 0.85


def test_a_grade_never_seen_is_next_to_impossible(samples: tuple[np.ndarray, np.ndarray, list[str]]) -> None:
    features, grades, patients = samples
    machine = fit_svm(features, grades[:, :1], patients, {"one": 4})
    assert float(machine(torch.from_numpy(features)).exp()[:, 3].max()) < 0.1


def test_eight_samples_are_learned_by_heart() -> None:
    features = np.random.default_rng(3).normal(0, 1, (8, 20)).astype(np.float32)
    grades = (np.arange(8) % 2)[:, None]
    machine = fit_svm(features, grades, [f"p{n}" for n in range(8)], {"one": 2}, softness=100.0)
    assert (machine.decisions(torch.from_numpy(features))[:, 1].numpy() > 0).tolist() == (grades[:, 0] == 1).tolist()


def test_no_sample_is_refused() -> None:
    with pytest.raises(SettingsRefused, match="no sample"):
        fit_svm(np.zeros((0, 3), np.float32), np.zeros((0, 1), np.int64), [], {"one": 2})


@pytest.mark.slow
def test_onnx_runtime_repeats_it(
    machine: RbfSvm, samples: tuple[np.ndarray, np.ndarray, list[str]], tmp_path: Path
) -> None:
    given = torch.from_numpy(samples[0])
    export_onnx(RbfSvmForExport(machine).eval(), given[:2], list(HEADS), {0: 1}, tmp_path)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    found = np.concatenate(session.run(None, {"input": given.numpy()}), axis=1)
    np.testing.assert_allclose(found, machine(given).numpy(), atol=1e-4)
