"""Every architecture in one table: what builds it, what it is for, how many parameters it has.

A row's `build` takes the number of grades of each condition, or of classes: a detector's and a segmenter's numbers are
added up. `parameters` is its count for `counted_for`, and is tested.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from torch import nn

from lumbago.anatomy.levels import LEVELS
from lumbago.networks.cnn_transformer import CnnTransformer, SpineTransformer
from lumbago.networks.deepscorenet import DeepScoreNet
from lumbago.networks.efficientdet import EfficientDet
from lumbago.networks.patch_grader import PatchGrader
from lumbago.networks.resnet50 import ResNet50
from lumbago.networks.spine_locator import SpineLocator
from lumbago.networks.spinenet import SpineNet
from lumbago.networks.unet import TISSUES, UNet
from lumbago.networks.vgg19 import Vgg19
from lumbago.networks.yolov5_disc import YoloV5
from lumbago.networks.yolov8 import YoloV8

Kind = Literal["grader", "detector", "segmenter"]
Heads = Mapping[str, int]

SERIES, SLICES = 2, 3
"""Series and slices of each level that the transformer over a whole spine reads."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """One network.

    Attributes:
        name: as an experiment names it; title: for a reader, with its source.
        kind: `grader` (`networks.grader`), `detector` (`networks.detector`) or `segmenter` (a map a class).
        build: makes it, from the number of grades of each condition or of classes.
        stride: what the sides of its pictures divide by; slices: how many patches it takes, None for any number.
        has_encoder: its `encoder` is EfficientNet-Lite0, for which there are ImageNet weights.
        counted_for: the heads that `parameters` is its count for.
    """

    name: str
    title: str
    kind: Kind
    build: Callable[[Heads], nn.Module]
    stride: int
    counted_for: Heads
    parameters: int
    slices: int | None = None
    has_encoder: bool = False


def _classes(heads: Heads) -> int:
    return sum(heads.values())


_SEVERITY: Final = MappingProxyType({"spinal_canal_stenosis": 3})
_PHOTOGRAPHS: Final = MappingProxyType({"things": 80})

ARCHITECTURES: Final[Mapping[str, Architecture]] = {
    row.name: row
    for row in (
        Architecture("lite0", "EfficientNet-Lite0 with attention over slices", "grader",
                     lambda heads: PatchGrader(dict(heads)), 16, _SEVERITY, 718_980, has_encoder=True),
        Architecture("deepscorenet", "DeepScoreNet", "grader", DeepScoreNet, 8, _SEVERITY, 2_784_259),
        Architecture("vgg19", "VGG-19 with batch norm (Simonyan and Zisserman 2015)", "grader",
                     Vgg19, 32, _SEVERITY, 20_036_931),
        Architecture("resnet50", "ResNet50 (He et al. 2016)", "grader",
                     ResNet50, 32, MappingProxyType({"photographs": 1000}), 25_557_032),
        Architecture("spinenet", "3D ResNet34 (Windsor et al. 2022)", "grader", SpineNet, 32, _SEVERITY, 63_515_075),
        Architecture("cnn-transformer", "EfficientNet-Lite0, a transformer over slices", "grader",
                     CnnTransformer, 16, _SEVERITY, 983_139, has_encoder=True),
        Architecture("spine-transformer", "EfficientNet-Lite0, a transformer over levels, series and slices", "grader",
                     lambda heads: SpineTransformer(heads, LEVELS, SERIES, SLICES), 16, _SEVERITY, 984_547,
                     len(LEVELS) * SERIES * SLICES, has_encoder=True),
        Architecture("efficientdet", "EfficientDet-D0 (Tan, Pang and Le 2020)", "detector",
                     lambda heads: EfficientDet(_classes(heads)), 128, MappingProxyType({"things": 90}), 3_880_067),
        Architecture("yolov8", "YOLOv8n", "detector",
                     lambda heads: YoloV8(_classes(heads)), 32, _PHOTOGRAPHS, 3_157_200),
        Architecture("yolov5", "YOLOv5s", "detector",
                     lambda heads: YoloV5(_classes(heads), with_units=False), 32, _PHOTOGRAPHS, 7_235_389),
        Architecture("yolov5-disc", "YOLOv5s with channel attention and residual pooling", "detector",
                     lambda heads: YoloV5(_classes(heads)), 32, _PHOTOGRAPHS, 9_346_273),
        Architecture("unet", "U-Net of a quarter of its width (Ronneberger et al. 2015)", "segmenter",
                     lambda heads: UNet(_classes(heads)), 16, MappingProxyType(dict.fromkeys(TISSUES, 1)), 1_942_628),
        Architecture("lite0-unet", "EfficientNet-Lite0 with a decoder", "segmenter",
                     lambda heads: SpineLocator(_classes(heads)), 32, MappingProxyType({"channels": 7}), 2_457_431,
                     has_encoder=True),
        Architecture("lite0-unet-short", "EfficientNet-Lite0 without its last stage, with a decoder", "segmenter",
                     lambda heads: SpineLocator(_classes(heads), stages=4), 16, MappingProxyType({"channels": 3}),
                     744_659, has_encoder=True),
    )
}  # fmt: skip
"""Name -> row."""
