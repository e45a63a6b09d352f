"""One loop for every network: it can be killed at any step and goes on as if it had not been.

Each batch, and what dropout drops from it, is drawn from the seed and the number of its step alone, so a resumed run
sees what an uninterrupted one would have seen. The weights that count are a running mean (EMA) of the trained ones.
"""

import json
import math
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor, nn

from lumbago.errors import SettingsRefused
from lumbago.learning.experiment import Experiment
from lumbago.learning.write_card import ModelFacts

Progress = Callable[[int, int, float], None]
"""Called with the step done, the number of steps and the loss."""

_SAVE_EVERY, _WARM_UP = 100, 0.05


@runtime_checkable
class Task(Protocol):
    """What a network learns: its batches and its loss."""

    def network(self) -> nn.Module:
        """A fresh network."""
        ...

    def batch(self, rng: Generator) -> tuple[Tensor, ...]:
        """A batch drawn with `rng`."""
        ...

    def loss(self, network: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        """Scalar loss of a batch."""
        ...

    def export(self, networks: list[nn.Module], folder: Path) -> ModelFacts:
        """Writes the trained networks, averaged, as ONNX with its golden pair."""
        ...

    def sample_counts(self) -> dict[str, int]:
        """Number of samples by source."""
        ...


@dataclass(eq=False)
class RunState:
    """All that a run needs to go on."""

    network: nn.Module
    mean: nn.Module
    optimizer: torch.optim.Optimizer
    step: int = 0
    seconds: float = 0.0

    def save(self, path: Path) -> None:
        """Writes beside, then renames: a kill leaves the old file whole."""
        parts = {name: getattr(self, name).state_dict() for name in ("network", "mean", "optimizer")}
        torch.save({**parts, "step": self.step, "seconds": self.seconds}, path.with_suffix(".part"))
        path.with_suffix(".part").replace(path)

    def load(self, path: Path) -> None:
        """Takes up a saved run."""
        saved = torch.load(path, map_location="cpu", weights_only=True)
        for name in ("network", "mean", "optimizer"):
            getattr(self, name).load_state_dict(saved[name])
        self.step, self.seconds = saved["step"], saved["seconds"]


def train(experiment: Experiment, task: Task, folder: Path, progress: Progress, resume: bool) -> RunState:
    """Trains to the end; the network that counts is `mean`, in evaluation mode. Checkpoint and log lie in `folder`.

    Raises:
        SettingsRefused: the folder holds another run, or one that was not asked to be resumed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(experiment.seed)
    state = _start(experiment, task)
    checkpoint = folder / "checkpoint.pt"
    _claim(folder, experiment, checkpoint.is_file(), resume)
    if checkpoint.is_file():
        state.load(checkpoint)
    with (folder / "log.jsonl").open("a", encoding="utf8") as log:
        for loss in _steps(experiment, task, state):
            progress(state.step, experiment.steps, loss)
            if state.step % _SAVE_EVERY == 0 or state.step == experiment.steps:
                log.write(json.dumps({"step": state.step, "loss": round(loss, 5)}) + "\n")
                log.flush()
                state.save(checkpoint)
    state.mean.eval()
    return state


def _claim(folder: Path, experiment: Experiment, has_run: bool, resume: bool) -> None:
    wanted = json.dumps(asdict(experiment), indent=1)
    settings = folder / "experiment.json"
    if has_run and not resume:
        raise SettingsRefused(f"{folder} holds a run", "an empty folder", "add --resume to go on with it")
    if has_run and settings.read_text(encoding="utf8") != wanted:
        raise SettingsRefused(f"{folder} holds a run with other settings", "the same settings", "choose another --out")
    settings.write_text(wanted, encoding="utf8")


def _start(experiment: Experiment, task: Task) -> RunState:
    network = task.network().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    decayed = [p for p in network.parameters() if p.ndim > 1]
    plain = [p for p in network.parameters() if p.ndim <= 1]
    groups: list[dict[str, Any]] = [
        {"params": decayed, "weight_decay": experiment.weight_decay},
        {"params": plain, "weight_decay": 0.0},
    ]
    return RunState(network, deepcopy(network).eval(), torch.optim.AdamW(groups, lr=experiment.learning_rate))


def _rate(experiment: Experiment, step: int) -> float:
    done = step / experiment.steps
    if done < _WARM_UP:
        return experiment.learning_rate * (done / _WARM_UP + 0.02)
    return experiment.learning_rate * (0.5 + 0.5 * math.cos(math.pi * (done - _WARM_UP) / (1 - _WARM_UP)))


def _steps(experiment: Experiment, task: Task, state: RunState) -> Iterator[float]:
    state.network.train()
    while state.step < experiment.steps:
        for group in state.optimizer.param_groups:
            group["lr"] = _rate(experiment, state.step)
        start = time.perf_counter()
        rng = np.random.default_rng((experiment.seed, state.step))
        batch = task.batch(rng)
        torch.manual_seed(int(rng.integers(2**63)))
        loss = task.loss(state.network, batch)
        state.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(state.network.parameters(), 5.0)
        state.optimizer.step()
        state.step += 1
        state.seconds += time.perf_counter() - start
        _follow(state.mean, state.network, min(0.998, state.step / (state.step + 20)))
        yield loss.item()


@torch.no_grad()
def _follow(mean: nn.Module, network: nn.Module, keep: float) -> None:
    """Moves the running mean towards the network; batch-norm statistics are averaged like weights."""
    for slow, fast in zip(mean.state_dict().values(), network.state_dict().values(), strict=True):
        if slow.is_floating_point():
            slow.lerp_(fast, 1 - keep)
        else:
            slow.copy_(fast)
