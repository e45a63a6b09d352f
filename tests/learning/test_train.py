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

from lumbago.errors import SettingsRefused, TrainingDiverged
from lumbago.learning.experiment import Experiment
from lumbago.learning.grader_task import GraderTask
from lumbago.learning.hardware import Hardware, open_hardware
from lumbago.learning.run_state import RunState
from lumbago.learning.train import Course, train, validation_loss

EXPERIMENT = Experiment(
    "small", "grader", conditions=("pfirrmann", "bulging"), patch=(32, 32), slices=3, steps=6, batch=2,
    pretrained=False, save_every=2,
)  # fmt: skip
SAVE_EVERY = EXPERIMENT.save_every
FRESH, AGAIN = Course(), Course(resume=True)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    """Before the run that others are held against, whatever an earlier test has set."""
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


WATCHED = replace(EXPERIMENT, steps=12, validate_every=2, validation_fold=1)


def watched(patience: int) -> tuple[Experiment, GraderTask]:
    """Validates on places whose grades are turned around, so that learning makes the validation loss worse."""
    experiment = replace(WATCHED, patience=patience)
    turned = [replace(patch, grades={"bulging": 1 - (n % 2)}) for n, patch in enumerate(made_up_patches())]
    return experiment, GraderTask(experiment, made_up_patches(), turned)


def test_without_patience_the_last_weights_count(tmp_path: Path) -> None:
    experiment, task = watched(patience=0)
    state = train(experiment, task, tmp_path, silent, FRESH)
    assert state.step == experiment.steps and np.isfinite(state.best_loss)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "validation_loss" in line] == [2, 4, 6, 8, 10, 12]


def test_patience_ends_and_the_best_weights_count(tmp_path: Path) -> None:
    experiment, task = watched(patience=1)
    state = train(experiment, task, tmp_path, silent, FRESH)
    looks = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    seen = {line["step"]: line["validation_loss"] for line in looks if "validation_loss" in line}
    assert state.step == max(seen) <= experiment.steps
    assert state.best_step == min(seen, key=lambda step: seen[step])
    assert validation_loss(task, state.mean, Hardware()) == pytest.approx(seen[state.best_step], rel=1e-4)
    if state.step < experiment.steps:
        assert state.fruitless == 1 and state.step == state.best_step + experiment.validate_every


@pytest.mark.parametrize("last", [3, 5])
def test_patience_survives_an_interruption(tmp_path: Path, last: int) -> None:
    experiment, task = watched(patience=2)
    wanted = train(experiment, task, tmp_path / "whole", silent, FRESH)
    with pytest.raises(KeyboardInterrupt):
        train(experiment, task, tmp_path / "broken", killed_at(last), FRESH)
    resumed = train(experiment, task, tmp_path / "broken", silent, AGAIN)
    assert (resumed.step, resumed.best_step, resumed.best_loss) == (wanted.step, wanted.best_step, wanted.best_loss)
    assert_same_weights(wanted.mean, resumed.mean)
    logs = [(tmp_path / name / "log.jsonl").read_text() for name in ("whole", "broken")]
    assert logs[0] == logs[1]


@pytest.mark.parametrize("workers", [0, 3])
def test_threads_change_nothing(task: GraderTask, whole: RunState, tmp_path: Path, workers: int) -> None:
    assert_same_weights(whole.mean, train(EXPERIMENT, task, tmp_path, silent, Course(workers=workers)).mean)


def test_mixed_precision_trains_close_by(task: GraderTask, whole: RunState, tmp_path: Path) -> None:
    """bfloat16 on the processor: weights stay float32, and the losses those of float32 up to its coarseness."""
    with open_hardware("cpu", "bfloat16") as hardware:
        state = train(EXPERIMENT, task, tmp_path, silent, Course(hardware))
    assert all(value.dtype != torch.bfloat16 for value in state.network.state_dict().values())
    loss = json.loads((tmp_path / "log.jsonl").read_text().splitlines()[0])["loss"]
    assert loss == pytest.approx(1.2, abs=0.5)
    assert not torch.equal(whole.mean.state_dict()["grade.weight"], state.mean.state_dict()["grade.weight"])


@pytest.mark.parametrize("given", [("tpu", "auto"), ("cpu", "float8")])
def test_hardware_of_another_name_is_refused(given: tuple[str, str]) -> None:
    with pytest.raises(SettingsRefused, match="is no device or precision"), open_hardware(*given):
        pass


def test_a_batch_is_shared_out_evenly_or_refused() -> None:
    assert [Hardware(rank=rank, ranks=2).share(6) for rank in (0, 1)] == [range(3), range(3, 6)]
    with pytest.raises(SettingsRefused, match="a batch of 7 over 2 processes"):
        Hardware(ranks=2).share(7)


def test_shares_are_the_batch(task: GraderTask) -> None:
    whole, *_ = task.batch(np.random.default_rng(3))
    parts = [task.batch(np.random.default_rng(3), range(n, n + 1))[0] for n in range(EXPERIMENT.batch)]
    assert torch.equal(whole, torch.cat(parts))


def test_confusions_count_the_validation_places(tmp_path: Path) -> None:
    _, task = watched(patience=0)
    tables = task.confusions(task.network().eval())
    assert set(tables) == {"bulging"} and tables["bulging"].sum(1).tolist() == [3, 3]


def test_a_loss_that_is_no_number_ends_the_run_at_once(tmp_path: Path) -> None:
    """All weights are lost with it: what followed came to light when the model was exported."""
    experiment = replace(EXPERIMENT, learning_rate=1e30)
    with pytest.raises(TrainingDiverged, match=r"the loss of small is (nan|inf) at step \d; .* lower learning_rate"):
        train(experiment, GraderTask(experiment, made_up_patches()), tmp_path, silent, FRESH)
