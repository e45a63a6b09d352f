"""The registry of systems: one row for each published method, and ours. Rows are data; nothing here runs.

A system is a set of models: one that locates, and those that grade. Its models lie in a folder of its name, shipped or
under `LUMBAGO_HOME/systems`, one sub-folder each; what each is for stands on its card. Analysis, training, evaluation
and comparison take every row the same way.
"""

from dataclasses import dataclass
from typing import Final

from lumbago.anatomy.conditions import Role
from lumbago.errors import UsageError

OURS: Final = "lumbago"


@dataclass(frozen=True, slots=True)
class Part:
    """A model of a system.

    Attributes:
        name: of the model, its folder, and its experiment under `experiments/systems/<row>/`.
        does: one line: what it does.
        borrowed: it is the model of our own row, because the paper takes places as given, or finds them by a network
            that is not wired yet; `System.differs` says which.
        network: what it is made of, as an experiment names it and a card tells it; "" for any.
        same_as: the part whose model does this too, of a network that finds and grades at once; "" for none.
    """

    name: str
    does: str
    borrowed: bool = False
    network: str = ""
    same_as: str = ""


@dataclass(frozen=True, slots=True)
class System:
    """A published system.

    Attributes:
        name: on the command line and in every table.
        title: one line.
        source: what describes it.
        finds: what it detects; grades: conditions of its own paper; inputs: the series it looks at.
        parts: its models.
        licence: of the code and the weights here.
        differs: where we depart from the paper, and why; "" for nowhere.
    """

    name: str
    title: str
    source: str
    finds: str
    grades: tuple[str, ...]
    inputs: tuple[Role, ...]
    parts: tuple[Part, ...]
    licence: str = "Apache-2.0"
    differs: str = ""


_RSNA: Final = ("spinal_canal_stenosis", "neural_foraminal_narrowing", "subarticular_stenosis")
_SPIDER: Final = (
    "pfirrmann", "narrowing", "bulging", "herniation", "modic", "endplate_upper", "endplate_lower", "spondylolisthesis",
)  # fmt: skip
_ALL_SERIES: Final[tuple[Role, ...]] = ("sagittal_t1", "sagittal_t2", "axial_t2")

_LOCATOR: Final = Part("spine-locator", "finds and names discs, canal, foramina and recesses", borrowed=True)


def _with_graders(network: str) -> tuple[Part, ...]:
    """Our locator, and a grader of the row's own network for each kind of place."""
    return (
        _LOCATOR,
        Part("disc-grader", "grades discs", network=network),
        Part("canal-grader", "grades the canal", network=network),
        Part("foramen-grader", "grades foramina", network=network),
        Part("recess-grader", "grades lateral recesses", network=network),
    )


_BORROWED: Final = "places come from our locator"
_NO_DETECTOR: Final = (
    "the paper's detector, YOLOv8n, is not wired yet: places come from our locator. Patients are split as wholes, not "
    "by row as in the paper. Nothing is flipped; where an experiment mirrors, sides change with it. Crops are of "
    "0.6 mm pixels, not of each scanner's own. Discs, which the paper does not grade, are cropped with 1.2 mm pixels"
)

SYSTEMS: Final[dict[str, System]] = {
    row.name: row
    for row in (
        System(
            OURS, "Heat-map locator, patch graders with attention over slices: the shipped default", "this project",
            "discs, bodies, sacrum, canal, foramina, recesses", (*_RSNA, *_SPIDER), _ALL_SERIES,
            (
                Part("spine-locator", "finds and names discs, canal, foramina and recesses on single slices"),
                Part("disc-grader", "grades discs"),
                Part("canal-grader", "grades the canal"),
                Part("foramen-grader", "grades foramina"),
                Part("recess-grader", "grades lateral recesses"),
            ),
        ),
        System(
            "yolov8+deepscorenet", "Crops of 32 x 32 graded by DeepScoreNet",
            "a study of RSNA 2024 with YOLOv8n detections and DeepScoreNet", "by its paper, condition points on slices",
            _RSNA, _ALL_SERIES, _with_graders("deepscorenet"),
            differs=f"{_NO_DETECTOR}. Conditions of a disc share all but the last layer",
        ),
        System(
            "yolov8+vgg19", "Crops of 32 x 32 graded by VGG-19",
            "the second variant of the same study", "by its paper, condition points on slices",
            _RSNA, _ALL_SERIES, _with_graders("vgg19"),
            differs=f"{_NO_DETECTOR}. VGG-19 has batch norm, one linear layer for three dense ones, no ImageNet start",
        ),
        System(
            "resnet50", "ResNet50 on patches",
            "a multi-label ResNet50 over 224 x 224 pictures of a study", "nothing: it is given places",
            _RSNA, _ALL_SERIES, _with_graders("resnet50"),
            differs="it grades patches of one place; the form for a whole study, 75 values in groups of three instead "
            f"of the paper's single softmax over 15, is not wired yet. {_BORROWED.capitalize()}. No ImageNet start: no "
            "weights under a free licence are at hand",
        ),
        System(
            "svm", "Support vector machine on classical features of patches",
            "a review of the field", "nothing: it is given places",
            (*_RSNA, *_SPIDER), _ALL_SERIES, _with_graders("svm"),
            differs="the review names no one system: features and kernel are our choice. "
            f"{_BORROWED.capitalize()}. Grades have no heat map",
        ),
        System(
            "spinenet", "3D ResNet34 on disc volumes", "SpineNet (Jamaludin et al. 2017; Windsor et al. 2022)",
            "vertebrae by its paper; here it is given places",
            ("pfirrmann", "narrowing", "spinal_canal_stenosis", "spondylolisthesis", "endplate_upper", "endplate_lower",
             "modic", "neural_foraminal_narrowing", "herniation"),
            _ALL_SERIES, _with_graders("spinenet"),
            differs=f"{_BORROWED}, not from its vertebra detector. One network for each kind of place instead of "
            "eleven heads on one; heads follow the conditions here. Pictures of one slice are volumes of depth 1, "
            "others of 3, where the paper has 9",
        ),
        System(
            "unet", "Tissues segmented, grades by rules on what is measured in them", "a review of the field",
            "vertebrae, discs and canal, pixel by pixel", (*_RSNA, *_SPIDER), _ALL_SERIES, _with_graders("measured"),
            differs="the review names no one system: measures and rules (thresholds on weighted sums of a few measures "
            "each) are our choice. Tissues are drawn by our locator, which is a U-Net with EfficientNet-Lite0 for its "
            "encoder, until the paper's own is trained as one. Foramina and recesses, which it does not draw, are "
            "measured by how much is bright about their middle. Grades have no heat map",
        ),
        System(
            "cnn-transformer", "EfficientNet-Lite0 with a transformer over slices", "a review of the field",
            "nothing: it is given places", (*_RSNA, *_SPIDER), _ALL_SERIES, _with_graders("cnn-transformer"),
            differs="the transformer looks across the slices of one place; the one across levels and series is not "
            f"wired yet. {_BORROWED.capitalize()}",
        ),
    )
}  # fmt: skip
"""One row each, in the order of every table."""


def find_system(name: str) -> System:
    """The row of a name.

    Raises:
        UsageError: there is none.
    """
    if name not in SYSTEMS:
        raise UsageError(f"there is no system {name}", f"one of {', '.join(SYSTEMS)}", "see lumbago systems list")
    return SYSTEMS[name]
