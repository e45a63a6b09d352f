"""What a grader is made of: the network that an experiment names, checked, started, exported, told on the card."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from torch import nn

from lumbago.errors import SettingsRefused
from lumbago.learning.experiment import Experiment
from lumbago.learning.starts import load_start
from lumbago.networks.architectures import ARCHITECTURES, Architecture
from lumbago.networks.efficientnet_lite import has_imagenet, load_imagenet
from lumbago.networks.grader import Grader, GraderForExport
from lumbago.networks.patch_grader import STAGES, USUAL, PatchGrader, PatchGraderForExport
from lumbago.pipeline.crop_patches import MEASURED

SVM: Final = "svm"
LITE0: Final = "lite0"
RULES: Final = "measured"
CLASSICAL: Final = "classical"
FITTED: Final[Mapping[str, str]] = {SVM: CLASSICAL, RULES: MEASURED}
"""Networks that are fitted at once, not trained, and the views that each of them, alone, is given."""

GRADERS: Final[Mapping[str, Architecture]] = {
    row.name: row for row in ARCHITECTURES.values() if row.kind == "grader" and row.slices is None
}
"""Networks that grade the patches of one place, by name. Beside them those of `FITTED` can be named."""


def check_network(experiment: Experiment) -> None:
    """Refuses a grader that cannot be made.

    Raises:
        SettingsRefused: a network, views, a patch or feature layers that do not go together.
    """
    names = [*GRADERS, *FITTED]
    if experiment.network not in names:
        raise SettingsRefused(
            f"{experiment.name} is of the network {experiment.network!r}", f"one of {', '.join(names)}"
        )
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
    else:
        network = GRADERS[experiment.network].build(heads)
    assert isinstance(network, Grader)
    if starts_from_imagenet(experiment):
        assert isinstance(network.encoder, nn.Module)
        load_imagenet(network.encoder)
    load_start(network, experiment)
    return network


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
