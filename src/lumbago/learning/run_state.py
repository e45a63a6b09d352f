"""All that a run needs to go on, and what it takes for the best weights."""

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn

from lumbago.learning.experiment import Experiment

_PARTS: Final = ("network", "mean", "optimizer")
_NUMBERS: Final = ("step", "seconds", "waited", "best_loss", "best_step", "fruitless")


@dataclass(eq=False)
class RunState:
    """A run as it stands.

    Attributes:
        network, mean: the trained network, and the running mean of it.
        step: steps done; seconds: time they took; waited: of it, spent waiting for batches.
        best_loss, best_step, best: lowest validation loss, where it was, and the mean's weights there.
        fruitless: looks at the validation loss since then.
    """

    network: nn.Module
    mean: nn.Module
    optimizer: torch.optim.Optimizer
    step: int = 0
    seconds: float = 0.0
    waited: float = 0.0
    best_loss: float = math.inf
    best_step: int = 0
    fruitless: int = 0
    best: dict[str, Tensor] | None = None

    @property
    def waiting_share(self) -> float:
        """Share of the time that the trainer stood still for want of a batch."""
        return self.waited / self.seconds if self.seconds else 0.0

    def is_over(self, experiment: Experiment) -> bool:
        """All steps are done, or patience is at its end."""
        return self.step >= experiment.steps or 0 < experiment.patience <= self.fruitless

    def judge(self, loss: float) -> None:
        """Takes a validation loss into account."""
        if loss < self.best_loss:
            self.best_loss, self.best_step, self.fruitless = loss, self.step, 0
            self.best = {name: value.clone() for name, value in self.mean.state_dict().items()}
        else:
            self.fruitless += 1

    def finish(self, experiment: Experiment) -> None:
        """Takes the weights that count: with patience, those of the best validation loss."""
        if experiment.patience and self.best is not None:
            self.mean.load_state_dict(self.best)
        self.mean.eval()

    def save(self, path: Path) -> None:
        """Writes beside, then renames: a kill leaves the old file whole."""
        parts: dict[str, Any] = {name: getattr(self, name).state_dict() for name in _PARTS}
        part = path.with_suffix(".part")
        with part.open("wb") as file:
            torch.save({**parts, **{name: getattr(self, name) for name in _NUMBERS}, "best": self.best}, file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)

    def load(self, path: Path, device: torch.device) -> None:
        """Takes up a saved run."""
        saved = torch.load(path, map_location=device, weights_only=True)
        for name in _PARTS:
            getattr(self, name).load_state_dict(saved[name])
        for name in (*_NUMBERS, "best"):
            setattr(self, name, saved[name])
