"""What a grader is made of: the network that an experiment names, checked, started, exported, told on the card."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any, Final

import torch
from torch import nn

from lumbago.anatomy.conditions import CONDITIONS
from lumbago.errors import SettingsRefused
from lumbago.learning.experiment import Experiment
from lumbago.learning.starts import load_start
from lumbago.networks.architectures import ARCHITECTURES, Architecture
from lumbago.networks.cnn_transformer import SpineTransformer
from lumbago.networks.efficientnet_lite import has_imagenet, load_imagenet
from lumbago.networks.grader import Grader, GraderForExport
from lumbago.networks.patch_grader import STAGES, USUAL, PatchGrader, PatchGraderForExport
from lumbago.networks.resnet50 import study_heads
from lumbago.pipeline.crop_patches import MEASURED, PICTURE, PLACE, PLACES
from lumbago.pipeline.place_patches import SEEN_ON
from lumbago.pipeline.study_input import PICTURES, sites_of

SVM: Final = "svm"
LITE0: Final = "lite0"
RULES: Final = "measured"
CLASSICAL: Final = "classical"
FITTED: Final[Mapping[str, str]] = {SVM: CLASSICAL, RULES: MEASURED}
"""Networks that are fitted at once, not trained, and the views that each of them, alone, is given."""

GRADERS: Final[Mapping[str, Architecture]] = {row.name: row for row in ARCHITECTURES.values() if row.kind == "grader"}
"""Networks that grade, by name. Beside them those of `FITTED` can be named."""

SEEING: Final[Mapping[str, tuple[str, ...]]] = {
    PLACE: (*(row.name for row in GRADERS.values() if row.slices is None), *FITTED),
    PLACES: ("spine-transformer",),
    PICTURE: ("resnet50",),
}
"""The networks for each of `crop_patches.SEES`."""


def check_network(experiment: Experiment) -> None:
    """Refuses a grader that cannot be made.

    Raises:
        SettingsRefused: a network, views, a patch or feature layers that do not go together.
    """
    names = SEEING[experiment.sees]
    if experiment.network not in names:
        what = f"{experiment.name} is of the network {experiment.network!r}"
        if experiment.network in GRADERS:
            what += f" and sees a {experiment.sees}"
        raise SettingsRefused(what, f"one of {', '.join(names)}")
    if experiment.sees != PLACE:
        check_study(experiment)
    wanted = FITTED.get(experiment.network)
    if experiment.views != wanted and (wanted or experiment.views in FITTED.values()):
        raise SettingsRefused(
            f"{experiment.name} gives the network {experiment.network} the views {experiment.views}",
            f"{', '.join(f'{views} for {name}' for name, views in FITTED.items())}, pictures for all others",
        )
    if not wanted:
        _check_patch(experiment)
    if experiment.network == LITE0:
        _check_layers(experiment)
    elif experiment.feature_layers != USUAL:
        raise SettingsRefused(f"{experiment.name} chooses feature layers of {experiment.network}", f"those of {LITE0}")


def _check_patch(experiment: Experiment) -> None:
    stride, (rows, columns) = GRADERS[experiment.network].stride, experiment.patch
    if rows % stride or columns % stride or experiment.slices < 1 or not experiment.slices % 2:
        raise SettingsRefused(
            f"{experiment.name} gives {experiment.network} {experiment.slices} slices of {rows} x {columns} pixels",
            f"an odd number of slices, 1 at least, and sides that divide by {stride}",
        )


def _check_layers(experiment: Experiment) -> None:
    layers = experiment.feature_layers
    if not layers or not set(layers) <= set(STAGES):
        raise SettingsRefused(
            f"{experiment.name} has the feature layers {', '.join(layers) or 'none'}",
            f"auto, or some of {', '.join(STAGES)}",
        )
    stride = max(int(name.removeprefix("stride_")) for name in layers)
    if any(side % stride for side in experiment.patch):
        raise SettingsRefused(
            f"{experiment.name} has patches of {list(experiment.patch)} pixels for features at stride {stride}",
            f"multiples of {stride}",
        )


def check_study(experiment: Experiment) -> None:
    """Refuses a grader of whole studies whose input cannot be made.

    Raises:
        SettingsRefused: votes, mixing, views, slices, conditions or series that it cannot have.
    """
    sides = {CONDITIONS[name].sided for name in experiment.conditions}
    series = ("sagittal_t1",) if SEEN_ON.get(experiment.anchor) == "sagittal_t2" else ()
    faults = {
        f"{experiment.votes} votes": experiment.votes != 1,
        "patches that are mixed": experiment.mixup + experiment.cutmix > 0,
        f"the views {experiment.views}": experiment.views != "three",
        "conditions with sides and without": len(sides) > 1,
        f"places also on {', '.join(experiment.also_on)}": not set(experiment.also_on) <= set(series),
        f"{experiment.slices} slices in one picture": experiment.sees == PICTURE and experiment.slices != 1,
        f"no picture of the anchor {experiment.anchor}": experiment.sees == PICTURE
        and experiment.anchor not in PICTURES,
    }
    for what in (what for what, is_there in faults.items() if is_there):
        raise SettingsRefused(
            f"{experiment.name} sees a whole study and has {what}", "one vote, three views, nothing mixed, conditions "
            "of one kind of place; of discs and canals also_on sagittal_t1, and in a picture one slice",
        )  # fmt: skip


def starts_from_imagenet(experiment: Experiment) -> bool:
    """Whether its encoder starts from ImageNet: wished, of a kind that there are weights for, and those installed."""
    return experiment.pretrained and not experiment.start and GRADERS[experiment.network].has_encoder and has_imagenet()


def fresh_network(experiment: Experiment, heads: Mapping[str, int]) -> Grader:
    """The network with a head for each condition, its encoder from ImageNet if `starts_from_imagenet`, or its features
    from the experiment's start.

    Raises:
        ModelRefused, SettingsRefused: a start that is not there, or is of another network.
    """
    if experiment.network == LITE0:
        network: nn.Module = PatchGrader(dict(heads), stages=experiment.feature_layers)
    elif experiment.sees == PLACES:
        places = tuple(" ".join(part for part in site if part) for site in sites_of(experiment.conditions))
        network = SpineTransformer(heads, places, 1 + len(experiment.also_on), experiment.slices)
    elif experiment.sees == PICTURE:
        network = GRADERS[experiment.network].build(study_heads(experiment.conditions))
    else:
        network = GRADERS[experiment.network].build(heads)
    assert isinstance(network, Grader)
    if starts_from_imagenet(experiment):
        assert isinstance(network.encoder, nn.Module)
        load_imagenet(network.encoder)
    load_start(network, experiment)
    return network


def told_alone(grader: Grader, conditions: Sequence[str]) -> Grader:
    """The grader without the heads of what it has learned beside the conditions; its own where there are none."""
    if not isinstance(grader, PatchGrader) or list(grader.heads) == list(conditions):
        return grader
    alone, kept = deepcopy(grader), sum(grader.heads[name] for name in conditions)
    alone.heads = {name: grader.heads[name] for name in conditions}
    alone.grade = nn.Linear(grader.grade.in_features, kept)
    with torch.no_grad():
        alone.grade.weight.copy_(grader.grade.weight[:kept])
        alone.grade.bias.copy_(grader.grade.bias[:kept])
    return alone.train(grader.training)


def for_export(graders: Sequence[Grader]) -> nn.Module:
    """The mean of like graders, as it is exported. `networks.read_onnx` reads ours back by the form of theirs."""
    own = [grader for grader in graders if isinstance(grader, PatchGrader)]
    return PatchGraderForExport(own) if own else GraderForExport(graders)


def network_facts(experiment: Experiment, graders: Sequence[Grader]) -> dict[str, Any]:
    """What the card is to say of the network."""
    return {
        "name": experiment.network,
        "title": GRADERS[experiment.network].title,
        "parameters": sum(value.numel() for value in graders[0].parameters()),
        "from_imagenet": starts_from_imagenet(experiment),
        "maps_are": graders[0].maps_are,
    }
