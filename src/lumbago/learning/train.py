"""One loop for every network: it can be killed at any step and goes on as if it had not been.

Each batch, and what dropout drops from it, is drawn from the seed and the number of its step alone, so a resumed run
sees what an uninterrupted one would have seen, and several processes together see what one alone would. The weights
that count are a running mean (EMA) of the trained ones: the last, or with patience the best on validation.
"""

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Int64
from numpy.random import Generator
from torch import Tensor, nn

from lumbago.errors import SettingsRefused, TrainingDiverged
from lumbago.learning.experiment import Experiment
from lumbago.learning.feed import Batch, Waiting, feed
from lumbago.learning.hardware import Hardware
from lumbago.learning.run_log import RunLog, open_log
from lumbago.learning.run_state import RunState
from lumbago.learning.write_card import ModelFacts

Progress = Callable[[int, int, float], None]
"""Called with the step done, the number of steps and the loss."""

_WARM_UP, _CLIP, _SLOWEST = 0.05, 5.0, 0.998


@runtime_checkable
class Task(Protocol):
    """What a network learns: its batches and its loss."""

    def network(self) -> nn.Module:
        """A fresh network."""
        ...

    def batch(self, rng: Generator, share: range | None = None) -> Batch:
        """A batch drawn with `rng`, or only those samples of it whose numbers are in `share`."""
        ...

    def loss(self, outputs: Tensor, targets: tuple[Tensor, ...]) -> Tensor:
        """Scalar loss of the network's outputs for a batch, against the rest of the batch."""
        ...

    def validation(self) -> Sequence[Batch]:
        """Batches of patients that the network does not learn from, always the same; empty when there are none."""
        ...

    def confusions(self, network: nn.Module) -> Mapping[str, Int64[np.ndarray, "grades grades"]]:
        """Counts on the validation batches by condition, truth down and prediction across; empty if it grades none."""
        ...

    def export(self, networks: list[nn.Module], folder: Path) -> ModelFacts:
        """Writes the trained networks, averaged, as ONNX with its golden pair."""
        ...

    def sample_counts(self) -> dict[str, int]:
        """Number of samples by source."""
        ...


@dataclass(frozen=True)
class Course:
    """How a run is run: on what, with how many threads that make batches, and whether it may go on with an old one."""

    hardware: Hardware = field(default_factory=Hardware)
    workers: int = 1
    resume: bool = False


def train(experiment: Experiment, task: Task, folder: Path, progress: Progress, course: Course) -> RunState:
    """Trains to the end; the network that counts is `mean`, in evaluation mode. Checkpoint and log lie in `folder`.

    Raises:
        SettingsRefused: the folder holds another run, or one that was not asked to be resumed.
        TrainingDiverged: the loss is no number, and no better weights were kept before.
    """
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(experiment.seed)
    state = _start(experiment, task, course.hardware)
    checkpoint = _checkpoint(folder)
    _claim(folder, experiment, course)
    if checkpoint.is_file():
        state.load(checkpoint, course.hardware.device)
    with open_log(folder, state.step, is_kept=course.hardware.is_first) as log:
        for loss in _steps(experiment, task, state, course):
            progress(state.step, experiment.steps, loss)
            _note(experiment, task, state, (loss, log), course.hardware)
            if state.step % experiment.save_every == 0 or state.is_over(experiment):
                log.flush()
                if course.hardware.is_first:
                    state.save(checkpoint)
    course.hardware.wait_for_all()
    state.finish(experiment)
    return state


def require_free(folder: Path, *, resume: bool) -> None:
    """Refuses a folder that holds a run which nobody asked to go on with, before samples are made for it.

    Raises:
        SettingsRefused: it does.
    """
    if _checkpoint(folder).is_file() and not resume:
        raise SettingsRefused(f"{folder} holds a run", "an empty folder", "add --resume to go on with it")


def _checkpoint(folder: Path) -> Path:
    return folder / "checkpoint.pt"


def _claim(folder: Path, experiment: Experiment, course: Course) -> None:
    require_free(folder, resume=course.resume)
    wanted = json.dumps(asdict(experiment), indent=1)
    settings = folder / "experiment.json"
    if _checkpoint(folder).is_file() and settings.read_text(encoding="utf8") != wanted:
        raise SettingsRefused(f"{folder} holds a run with other settings", "the same settings", "choose another --out")
    if course.hardware.is_first:
        settings.write_text(wanted, encoding="utf8")


def _start(experiment: Experiment, task: Task, hardware: Hardware) -> RunState:
    network = task.network()
    layout = torch.preserve_format if any(p.ndim > 4 for p in network.parameters()) else torch.channels_last
    network = network.to(hardware.device, memory_format=layout)  # type: ignore[call-overload]
    decayed = [p for p in network.parameters() if p.ndim > 1]
    plain = [p for p in network.parameters() if p.ndim <= 1]
    groups: list[dict[str, Any]] = [
        {"params": decayed, "weight_decay": experiment.weight_decay},
        {"params": plain, "weight_decay": 0.0},
    ]
    return RunState(network, deepcopy(network).eval(), torch.optim.AdamW(groups, lr=experiment.learning_rate))


def rate(experiment: Experiment, step: int) -> float:
    """Learning rate of a step: it warms up, then falls as a cosine."""
    done = step / experiment.steps
    if done < _WARM_UP:
        return experiment.learning_rate * (done / _WARM_UP + 0.02)
    return experiment.learning_rate * (0.5 + 0.5 * math.cos(math.pi * (done - _WARM_UP) / (1 - _WARM_UP)))


def _steps(experiment: Experiment, task: Task, state: RunState, course: Course) -> Iterator[float]:
    if state.is_over(experiment):
        return
    hardware, share = course.hardware, course.hardware.share(experiment.batch)
    called, waiting = hardware.spread(state.network.train()), Waiting(state.waited)
    start = time.perf_counter() - state.seconds

    def make(step: int) -> Batch:
        return task.batch(np.random.default_rng((experiment.seed, step)), share)

    batches = feed(make, range(state.step, experiment.steps), course.workers, waiting)
    try:
        for batch in batches:
            loss = _learn(experiment, task, state, (called, hardware.to_device(batch)), hardware)
            state.seconds, state.waited = time.perf_counter() - start, waiting.seconds
            if not math.isfinite(loss) and not (experiment.patience and state.best is not None):
                raise TrainingDiverged(
                    f"the loss of {experiment.name} is {loss} at step {state.step}", "a number",
                    "lower learning_rate, and change --out",
                )  # fmt: skip
            yield loss
            if state.is_over(experiment):
                return
    finally:
        batches.close()  # type: ignore[attr-defined]


def _learn(
    experiment: Experiment, task: Task, state: RunState, given: tuple[nn.Module, Batch], hardware: Hardware
) -> float:
    """One step. Every process computes the loss of the whole batch; DDP takes the mean of their gradients, hence the
    factor."""
    called, (inputs, *targets) = given
    for group in state.optimizer.param_groups:
        group["lr"] = rate(experiment, state.step)
    torch.manual_seed(int(np.random.default_rng((experiment.seed, state.step, 1)).integers(2**63)))
    with hardware.autocast():
        outputs = called(inputs)
    loss = task.loss(*hardware.whole(outputs, tuple(targets)))
    state.optimizer.zero_grad()
    (loss * hardware.ranks).backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(state.network.parameters(), _CLIP)
    state.optimizer.step()
    state.step += 1
    _follow(state.mean, state.network, min(_SLOWEST, state.step / (state.step + 20)))
    return float(loss.detach())


@torch.no_grad()
def _follow(mean: nn.Module, network: nn.Module, keep: float) -> None:
    """Moves the running mean towards the network; batch-norm statistics are averaged like weights."""
    for slow, fast in zip(mean.state_dict().values(), network.state_dict().values(), strict=True):
        if slow.is_floating_point():
            slow.lerp_(fast, 1 - keep)
        else:
            slow.copy_(fast)


def _note(experiment: Experiment, task: Task, state: RunState, told: tuple[float, RunLog], hardware: Hardware) -> None:
    """Logs the step, and when it is time looks at the validation loss."""
    loss, log = told
    line: dict[str, float] = {"loss": loss}
    if experiment.validate_every and state.step % experiment.validate_every == 0:
        line["validation_loss"] = hardware.agreed(validation_loss(task, state.mean, hardware))
        state.judge(line["validation_loss"])
    if len(line) > 1 or state.step % max(1, experiment.steps // 200) == 0 or state.is_over(experiment):
        log.write(state.step, {**line, "learning_rate": rate(experiment, state.step - 1)})


@torch.no_grad()
def validation_loss(task: Task, network: nn.Module, hardware: Hardware) -> float:
    """Mean loss over the validation batches, each weighing as many as it has samples."""
    total, count = 0.0, 0
    for batch in task.validation():
        inputs, *targets = hardware.to_device(batch)
        with hardware.autocast():
            outputs = network(inputs)
        total += float(task.loss(*Hardware().whole(outputs, tuple(targets)))) * len(inputs)
        count += len(inputs)
    return total / count if count else math.nan
