"""A training of made-up patches in a process of its own: `python one_process.py FOLDER STEPS [KILL_AT [DTYPE]]`;
several processes when RANK and WORLD_SIZE are set. At the step KILL_AT it kills itself as hard as can be."""

import os
import signal
import sys
from pathlib import Path

import torch
from made_up_patches import made_up_patches
from numpy.random import Generator

from lumbago.learning.experiment import Experiment
from lumbago.learning.feed import Batch
from lumbago.learning.grader_task import GraderTask
from lumbago.learning.hardware import open_hardware
from lumbago.learning.train import Course, train

folder, steps, kill_at = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
torch.set_num_threads(1)
torch.set_default_dtype(getattr(torch, sys.argv[4]))
patches = made_up_patches()
experiment = Experiment(
    "small", "grader", conditions=("pfirrmann", "bulging"), patch=(32, 32), slices=3, steps=steps, batch=4,
    pretrained=False, save_every=2, validate_every=3, validation_fold=1,
)  # fmt: skip


class Task(GraderTask):
    """Patches in the precision of the network."""

    def batch(self, rng: Generator, share: range | None = None) -> Batch:
        patches, grades = super().batch(rng, share)
        return patches.to(torch.get_default_dtype()), grades

    def validation(self) -> list[Batch]:
        return [(patches.to(torch.get_default_dtype()), grades) for patches, grades in super().validation()]


def progress(step: int, steps: int, loss: float) -> None:
    if step == kill_at:
        os.kill(os.getpid(), signal.SIGKILL)


with open_hardware("cpu") as hardware:
    train(experiment, Task(experiment, patches, patches[:2]), folder, progress, Course(hardware, resume=True))
