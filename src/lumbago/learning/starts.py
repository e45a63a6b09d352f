"""Where a grader's network starts from: features that were learned without labels (`pretrain_task`)."""

from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn

from lumbago.errors import ModelRefused, SettingsRefused
from lumbago.learning.experiment import Experiment
from lumbago.learning.seen_patients import Seen, seen_by
from lumbago.learning.splits import HELD_OUT, memberships
from lumbago.networks.grader import Grader

START: Final = "start"
"""Kind on the card of such features."""
START_FILE: Final = "weights.pt"


def start_folder(experiment: Experiment) -> Path:
    """Where its card lies; `{fold}` in the setting stands for the left-out fold."""
    run = Path(experiment.start.format(fold=experiment.fold))
    return run / "model" if (run / "model").is_dir() else run


def start_of(experiment: Experiment) -> Seen | None:
    """Card of the start, and whom it has seen; None of an experiment that has none.

    Raises:
        ModelRefused: no start there.
        SettingsRefused: it is of another network.
    """
    if not experiment.start:
        return None
    seen = seen_by(start_folder(experiment))
    if seen.card.kind != START:
        raise SettingsRefused(f"{experiment.start} is a {seen.card.kind}", "a run of kind pretrain", "change start")
    network = seen.card.proof.get("network", {}).get("name")
    if network != experiment.network:
        raise SettingsRefused(
            f"{experiment.start} holds features of the network {network}", experiment.network, "change start"
        )
    return seen


def check_start(experiment: Experiment, data: Path) -> None:
    """Refuses a start that has seen a patient whom the experiment leaves out.

    Raises:
        ModelRefused: it has, or is not there; SettingsRefused: it is of another network.
        UnreadableInput: label tables under `data` are not there.
    """
    seen = start_of(experiment)
    if seen is not None:
        for row in memberships(experiment, data):
            if row.part == HELD_OUT:
                seen.require_unseen(row.patient)


def load_start(network: nn.Module, experiment: Experiment) -> None:
    """Puts the features of the experiment's start into a fresh network; its heads stay as they are.

    Raises:
        ModelRefused: the weights are not there, or do not fit; SettingsRefused: they are of another network.
    """
    if start_of(experiment) is None:
        return
    path = start_folder(experiment) / START_FILE
    try:
        state: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
        wanted = network.state_dict()
        network.load_state_dict({**wanted, **state})
    except (OSError, RuntimeError, ValueError, EOFError) as error:
        raise ModelRefused(
            f"{path} holds no features for {experiment.network}", "those of a run of kind pretrain", "train it again"
        ) from error


def feature_names(grader: Grader, patches: Tensor) -> set[str]:
    """Names of all weights that the features of cells go through."""
    used: set[nn.Module] = set()
    hooks = [module.register_forward_hook(lambda one, *_: used.add(one)) for module in grader.modules()]
    with torch.no_grad():
        grader.eval().cells(patches)
    for hook in hooks:
        hook.remove()
    return {
        f"{place}.{name}" if place else name
        for place, module in grader.named_modules()
        if module in used
        for name, _ in [*module.named_parameters(), *module.named_buffers()]
    }
