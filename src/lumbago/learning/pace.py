"""How many steps a declared budget of processor time buys a network, so that fast and slow ones are given the same.

Processor time, not the clock: other work on the machine takes nothing away, but makes each step dearer, so a comparison
measures one kind of model after another, with nothing of its own beside. The number is kept, so that all folds take as
many steps and a run can be resumed.
"""

import json
import statistics
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from lumbago.errors import SettingsRefused
from lumbago.learning.experiment import Experiment
from lumbago.learning.places import Places
from lumbago.learning.run_training import open_task
from lumbago.learning.train import Course, Task, train

_MEASURED: Final = 8
LEAST_STEPS: Final = 10
PACES: Final = "pace"
"""Folder of a comparison that keeps them."""


def steps_for(experiment: Experiment, places: Places, minutes: float, kept: Path) -> int:
    """Steps that take so many minutes of one processor, as they stand in the file, or else measured and put there.

    Raises:
        SettingsRefused: in the file stand those of other minutes.
    """
    if kept.is_file():
        told = json.loads(kept.read_text(encoding="utf8"))
        if told["minutes"] != minutes:
            found = f"{kept} has the steps of {told['minutes']:g} minutes, not {minutes:g}"
            raise SettingsRefused(found, "the same minutes", "give them, or another folder")
        return int(told["steps"])
    seconds = _seconds_per_step(experiment, open_task(experiment, places))
    steps = max(LEAST_STEPS, round(60 * minutes / seconds))
    kept.parent.mkdir(parents=True, exist_ok=True)
    part = kept.with_suffix(".part")
    part.write_text(json.dumps({"minutes": minutes, "seconds_per_step": seconds, "steps": steps}), encoding="utf8")
    part.replace(kept)
    return steps


def _seconds_per_step(experiment: Experiment, task: Task) -> float:
    """The median of some steps; the first ones, in which much is done once, weigh nothing in it."""
    times = [time.process_time()]
    with TemporaryDirectory() as folder:
        steps = replace(experiment, steps=_MEASURED)
        train(steps, task, Path(folder), lambda *_: times.append(time.process_time()), Course())
    return max(1e-3, statistics.median(after - before for before, after in pairwise(times)))
