"""A run that was killed goes on as if it had not been, and no run overwrites another."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from made_up_patches import made_up_patches
from torch import nn

from lumbago.errors import SettingsRefused
from lumbago.learning.experiment import Experiment
from lumbago.learning.grader_task import GraderTask
from lumbago.learning.run_state import RunState
from lumbago.learning.train import Course, train

EXPERIMENT = Experiment(
    "small", "grader", conditions=("pfirrmann", "bulging"), patch=(32, 32), slices=3, steps=6, batch=2,
    pretrained=False, save_every=2,
)  # fmt: skip
SAVE_EVERY = EXPERIMENT.save_every
FRESH, AGAIN = Course(), Course(resume=True)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def task() -> GraderTask:
    return GraderTask(EXPERIMENT, made_up_patches())


def silent(step: int, steps: int, loss: float) -> None:
    """Shows nothing."""


def killed_at(last: int) -> Callable[[int, int, float], None]:
    def progress(step: int, steps: int, loss: float) -> None:
        if step == last:
            raise KeyboardInterrupt

    return progress


@pytest.fixture(scope="module")
def whole(task: GraderTask, tmp_path_factory: pytest.TempPathFactory) -> RunState:
    return train(EXPERIMENT, task, tmp_path_factory.mktemp("whole"), silent, FRESH)


def assert_same_weights(first: nn.Module, second: nn.Module) -> None:
    for (name, one), other in zip(first.state_dict().items(), second.state_dict().values(), strict=True):
        assert torch.equal(one, other), name


def test_training_changes_the_network(task: GraderTask, whole: RunState) -> None:
    torch.manual_seed(EXPERIMENT.seed)
    fresh = task.network().state_dict()
    assert whole.step == EXPERIMENT.steps
    unchanged = {name for name, value in whole.mean.state_dict().items() if torch.equal(value, fresh[name])}
    assert unchanged <= {"attention.2.bias"}, "which no softmax sees"
    assert not whole.mean.training


def test_the_same_seed_gives_the_same_weights(task: GraderTask, whole: RunState, tmp_path: Path) -> None:
    assert_same_weights(whole.mean, train(EXPERIMENT, task, tmp_path, silent, FRESH).mean)


def test_another_seed_gives_other_weights(task: GraderTask, whole: RunState, tmp_path: Path) -> None:
    other = train(replace(EXPERIMENT, seed=2), task, tmp_path, silent, FRESH)
    assert not torch.equal(whole.mean.state_dict()["grade.weight"], other.mean.state_dict()["grade.weight"])


@pytest.mark.parametrize("last", [SAVE_EVERY, SAVE_EVERY + 1, 2 * SAVE_EVERY + 1])
def test_a_resumed_run_ends_with_the_same_bits(task: GraderTask, whole: RunState, tmp_path: Path, last: int) -> None:
    """Dropout, batches, optimizer, running mean: none of them knows of the interruption."""
    with pytest.raises(KeyboardInterrupt):
        train(EXPERIMENT, task, tmp_path, killed_at(last), FRESH)
    torch.rand(7)
    steps: list[int] = []
    resumed = train(EXPERIMENT, task, tmp_path, lambda step, _steps, _loss: steps.append(step), AGAIN)
    assert steps[0] == (last - 1) // SAVE_EVERY * SAVE_EVERY + 1, "what was saved is not done again"
    assert_same_weights(whole.network, resumed.network)
    assert_same_weights(whole.mean, resumed.mean)


def test_a_run_killed_before_its_first_checkpoint_starts_anew(
    task: GraderTask, whole: RunState, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(EXPERIMENT, task, tmp_path, killed_at(1), FRESH)
    assert_same_weights(whole.mean, train(EXPERIMENT, task, tmp_path, silent, AGAIN).mean)


def test_a_finished_run_is_not_trained_further(task: GraderTask, whole: RunState, tmp_path: Path) -> None:
    train(EXPERIMENT, task, tmp_path, silent, FRESH)
    assert_same_weights(whole.mean, train(EXPERIMENT, task, tmp_path, killed_at(1), AGAIN).mean)


def test_a_kill_while_saving_leaves_the_old_checkpoint(
    task: GraderTask, whole: RunState, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(EXPERIMENT, task, tmp_path, killed_at(SAVE_EVERY + 1), FRESH)
    (tmp_path / "checkpoint.part").write_bytes(b"half a checkp")
    assert_same_weights(whole.mean, train(EXPERIMENT, task, tmp_path, silent, AGAIN).mean)


def test_the_log_tells_steps_and_losses(task: GraderTask, tmp_path: Path) -> None:
    train(EXPERIMENT, task, tmp_path, silent, FRESH)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3, 4, 5, 6]
    assert all(np.isfinite(line["loss"]) for line in lines)


def test_a_taken_folder_is_refused(task: GraderTask, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(EXPERIMENT, task, tmp_path, killed_at(3), FRESH)
    before = (tmp_path / "checkpoint.pt").read_bytes()
    with pytest.raises(SettingsRefused, match=r"holds a run; .* --resume"):
        train(EXPERIMENT, task, tmp_path, silent, FRESH)
    with pytest.raises(SettingsRefused, match="other settings"):
        train(replace(EXPERIMENT, learning_rate=1e-4), task, tmp_path, silent, AGAIN)
    assert (tmp_path / "checkpoint.pt").read_bytes() == before
