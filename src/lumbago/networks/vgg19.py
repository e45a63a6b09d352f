"""VGG-19 (Simonyan and Zisserman 2015), the second grader beside YOLOv8 detections.

Its sixteen convolutions hold 20,024,384 parameters. Its three dense layers, 123.6 million more for 224 x 224
photographs, would see a single cell of a 32 x 32 crop; a mean over the cells and one linear layer stand in, 513
parameters a grade, and make exact class activation maps. No ImageNet weights under a free licence are at hand, and
without them the plain network does not leave its start: a batch norm after each convolution (11,008 parameters more)
is the default, `norm=False` the plain form. A grey picture is given copied to three channels.
"""

from collections.abc import Mapping

from torch import Tensor, nn

from lumbago.networks.grader import Cells, LinearGrader, Patches
from lumbago.networks.input_size import check_sides

_STAGES = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4))
"""Width and number of convolutions."""


class Vgg19(LinearGrader):
    """Patches in, logits out; slices are averaged.

    Args:
        heads: number of grades of each condition.
        dropout: share of features dropped in training.
        norm: a batch norm after each convolution.
    """

    def __init__(self, heads: Mapping[str, int], dropout: float = 0.5, norm: bool = True) -> None:
        super().__init__(heads, _STAGES[-1][0], dropout)
        layers: list[nn.Module] = []
        before = 3
        for width, convolutions in _STAGES:
            for _ in range(convolutions):
                layers += _layer(before, width, norm)
                before = width
            layers.append(nn.MaxPool2d(2))
        self.filters = nn.Sequential(*layers)

    def cells(self, patches: Patches) -> Cells:
        """Features at stride 32.

        Raises:
            SettingsRefused: a side that does not divide by 32.
        """
        check_sides(patches, 32, "VGG-19")
        features: Tensor = self.filters(patches.flatten(0, 1))
        return features.reshape(-1, patches.shape[1], *features.shape[1:])


def _layer(before: int, after: int, norm: bool) -> list[nn.Module]:
    convolution = nn.Conv2d(before, after, 3, padding=1)
    nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
    nn.init.zeros_(convolution.bias) if convolution.bias is not None else None
    return [convolution, *([nn.BatchNorm2d(after)] if norm else []), nn.ReLU()]
