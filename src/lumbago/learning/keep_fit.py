"""What is left behind by a training without steps: a fit, not a course of optimisation."""

import json
import os
from dataclasses import replace
from pathlib import Path

from lumbago.errors import SettingsRefused
from lumbago.learning.experiment import Experiment
from lumbago.learning.places import Places
from lumbago.learning.seen_patients import Seen, write_seen
from lumbago.learning.splits import memberships, write_memberships
from lumbago.learning.write_card import ModelFacts, Training, write_card


def check_fit(experiment: Experiment, places: Places, *, resume: bool) -> None:
    """Refuses what cannot be fitted at once.

    Raises:
        SettingsRefused: no grader, several processes, or a run folder that is taken.
    """
    if experiment.kind != "grader" or not experiment.conditions:
        raise SettingsRefused(f"{experiment.name} grades nothing", "a grader with conditions")
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise SettingsRefused("a fit by several processes", "one", "start it without torchrun")
    if (places.run / "model").exists() and not resume:
        raise SettingsRefused(f"{places.run} holds a run", "an empty folder", "add --resume to fit it anew")


def keep_fit(facts: ModelFacts, training: Training, places: Places, start: Seen | None = None) -> Path:
    """Writes the card of the model in `RUN/model`, whom it has seen, and `training.json`; gives the model's folder.

    Args:
        start: what the frozen weights that the fit stands on have seen, if there are any.
    """
    model, parts = places.run / "model", list(memberships(training.experiment, places.data))
    write_memberships(places.run, parts)
    course = {**training.course, "patients": write_seen(model, parts, start)}
    write_card(model, facts, replace(training, course=course))
    told = {"seconds": training.seconds, **training.course}
    (places.run / "training.json").write_text(json.dumps(told, indent=1), encoding="utf8")
    return model
