"""What a locator is made of: the network that an experiment names, checked, started, told on the card."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import torch
from torch import nn

from lumbago.anatomy.conditions import CONDITIONS
from lumbago.errors import SettingsRefused
from lumbago.learning.experiment import Experiment
from lumbago.networks.architectures import ARCHITECTURES, Architecture
from lumbago.networks.efficientdet import EfficientDet
from lumbago.networks.efficientnet_lite import has_imagenet, load_imagenet
from lumbago.networks.yolov5_disc import Shapes, YoloV5
from lumbago.pipeline.locate_discs import CHANNELS
from lumbago.pipeline.name_by_sacrum import SACRUM
from lumbago.pipeline.read_boxes import classes_of

_OURS: Final[Mapping[str, str]] = {"lite0": "lite0-unet", "lite0-short": "lite0-unet-short"}
"""Names that an experiment gives to networks of other names."""

LOCATORS: Final[Mapping[str, Architecture]] = {
    **{name: ARCHITECTURES[row] for name, row in _OURS.items()},
    **{row.name: row for row in ARCHITECTURES.values() if row.kind != "grader" and row.name not in _OURS.values()},
}
"""Networks that locate, by the name that an experiment gives: those that draw maps, and those that find boxes."""

NAMED_BY: Final[Mapping[str, str]] = {"unet": SACRUM}
"""By what a network's discs are named, if not by its map of L5/S1."""

_SPINE_SHAPES: Final[Shapes] = (
    ((14.0, 14.0), (24.0, 10.0), (34.0, 10.0)),
    ((16.0, 24.0), (34.0, 16.0), (30.0, 26.0)),
    ((44.0, 14.0), (42.0, 26.0), (56.0, 40.0)),
)
"""Width and height in pixels of 1 mm: points, flat and high discs upright and tilted, discs on axial slices."""

_BUILDS: Final[Mapping[str, Callable[[int], nn.Module]]] = {
    "efficientdet": lambda classes: EfficientDet(classes, anchor_strides=2.0),
    "yolov5": lambda classes: YoloV5(classes, _SPINE_SHAPES, with_units=False),
    "yolov5-disc": lambda classes: YoloV5(classes, _SPINE_SHAPES),
}
"""Detectors whose anchors are as large as what they look for here, instead of as in photographs."""


def is_detector(experiment: Experiment) -> bool:
    """Whether its locator finds boxes."""
    return LOCATORS[experiment.network].kind == "detector"


def check_locator(experiment: Experiment) -> None:
    """Refuses a locator that cannot be made.

    Raises:
        SettingsRefused: a network that does not locate, or conditions that it cannot grade.
    """
    if experiment.network not in LOCATORS:
        raise SettingsRefused(
            f"{experiment.name} is of the network {experiment.network!r}", f"one of {', '.join(LOCATORS)}"
        )
    if experiment.conditions and not is_detector(experiment):
        raise SettingsRefused(
            f"{experiment.name} is to grade {', '.join(experiment.conditions)} by the maps of {experiment.network}",
            "conditions for a detector, or for a grader",
        )
    unseen = [name for name in experiment.conditions if CONDITIONS[name].sided]
    if unseen:
        raise SettingsRefused(
            f"{experiment.name} is to grade {', '.join(unseen)} by boxes of discs", "conditions without sides"
        )
    if experiment.members != 1:
        raise SettingsRefused(f"{experiment.name} has {experiment.members} members", "one, of a locator")


def starts_from_imagenet(experiment: Experiment) -> bool:
    """Whether its encoder starts from ImageNet: wished, of a kind that there are weights for, and those installed."""
    return experiment.pretrained and LOCATORS[experiment.network].has_encoder and has_imagenet()


def fresh_locator(experiment: Experiment, channels: Sequence[str] = CHANNELS) -> nn.Module:
    """The network for the locator's maps, or for others, or for the classes of a detector's experiment."""
    row = LOCATORS[experiment.network]
    labels = classes_of(experiment.conditions) if row.kind == "detector" else channels
    own = _BUILDS.get(experiment.network)
    network = own(len(labels)) if own is not None else row.build({"labels": len(labels)})
    if starts_from_imagenet(experiment):
        assert isinstance(network.encoder, nn.Module)
        load_imagenet(network.encoder)
    return network


def example_picture(stride: int) -> torch.Tensor:
    """Noise about as large as a small slice, the golden input; of two cells at least of the coarsest features, since
    what is exported with one cell holds for one cell alone."""
    rows, columns = (max(round(side / stride), 2) * stride for side in (96, 128))
    return torch.randn(1, 3, rows, columns, generator=torch.Generator().manual_seed(1))


def network_facts(experiment: Experiment, network: nn.Module) -> dict[str, Any]:
    """What the card is to say of the network."""
    return {
        "name": experiment.network,
        "title": LOCATORS[experiment.network].title,
        "parameters": sum(value.numel() for value in network.parameters()),
        "from_imagenet": starts_from_imagenet(experiment),
    }
