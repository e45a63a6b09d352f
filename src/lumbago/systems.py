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
        same_as: the part whose model does this too, in a system of one stage; "" for a model of its own.
        joins: the part that grades the same, with whose answers its own are joined; comparisons leave it out. "" for
            what grades alone.
        draws: it grades nothing, but draws the tissues that sizes are read off; comparisons leave it out.
    """

    name: str
    does: str
    borrowed: bool = False
    network: str = ""
    same_as: str = ""
    joins: str = ""
    draws: bool = False

    @property
    def is_own(self) -> bool:
        """Whether it is a model that is trained, and added, under its own name."""
        return not self.borrowed and not self.same_as


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


def _detector(network: str) -> Part:
    return Part("spine-locator", "finds boxes of discs, canal, foramina and recesses on single slices", network=network)


_SEGMENTER: Final = Part("spine-locator", "draws tissues and the points of places on single slices", network="unet")


def _with_graders(network: str, locator: Part = _LOCATOR) -> tuple[Part, ...]:
    """A locator, ours or a detector, and a grader of the row's own network for each kind of place."""
    return (
        locator,
        Part("disc-grader", "grades discs", network=network),
        Part("canal-grader", "grades the canal", network=network),
        Part("foramen-grader", "grades foramina", network=network),
        Part("recess-grader", "grades lateral recesses", network=network),
    )


_BORROWED: Final = "places come from our locator"
_BOXES: Final = (
    "boxes of points are 14 mm, discs are boxed upright whatever their tilt, and both are learned from the labels that "
    "teach the heat-map locator, from which naming, frames and reports follow as for every row"
)
_DETECTED: Final = (
    f"YOLOv8n looks at 1 mm pixels and does not grade: {_BOXES}. Patients are split as wholes, not by row as in the "
    "paper. Nothing is flipped; where an experiment mirrors, sides change with it. Crops are of 0.6 mm pixels, not of "
    "each scanner's own. Discs, which the paper does not grade, are cropped with 1.2 mm pixels"
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
                Part("zone-grader", "grades high-intensity zones"),
                Part("canal-width-grader", "grades canals by measures", network="measured", joins="canal-grader"),
                Part("disc-measures-grader", "grades discs by measures", network="measured", joins="disc-grader"),
                Part("slip-grader", "grades slips by what is measured", network="measured", joins="disc-grader"),
                Part("hernia-grader", "grades herniations on axial slices", joins="disc-grader"),
                Part("disc-t1-grader", "grades discs on sagittal T1 where T2 gives no grade", joins="disc-grader"),
                Part("axial-tissues", "draws sac, disc and recesses on axial slices, for their sizes", draws=True),
                Part("foramen-tissues", "draws foramina and ganglia on sagittal slices, for their sizes", draws=True),
            ),
        ),
        System(
            "efficientdet", "EfficientDet finds, a CNN grades",
            "a clinical system with EfficientDet, EfficientNet features and a grading CNN",
            "discs, canal, foramina and recesses on slices", (*_RSNA, "pfirrmann"), _ALL_SERIES,
            _with_graders("lite0", _detector("efficientdet")),
            differs=f"EfficientDet-D0 with anchors of half the size, on 1 mm pixels: {_BOXES}. The CNN is "
            "EfficientNet-Lite0 on patches of its own, not on the detector's features; it grades on each condition's "
            "scale, of which the document's normal, mild and severe are told for Pfirrmann",
        ),
        System(
            "yolov8+deepscorenet", "Crops of 32 x 32 graded by DeepScoreNet",
            "a study of RSNA 2024 with YOLOv8n detections and DeepScoreNet", "condition points and discs on slices",
            _RSNA, _ALL_SERIES, _with_graders("deepscorenet", _detector("yolov8")),
            differs=f"{_DETECTED}. Conditions of a disc share all but the last layer",
        ),
        System(
            "yolov8+vgg19", "Crops of 32 x 32 graded by VGG-19",
            "the second variant of the same study", "condition points and discs on slices",
            _RSNA, _ALL_SERIES, _with_graders("vgg19", _detector("yolov8")),
            differs=f"{_DETECTED}. VGG-19 has batch norm, one linear layer for three dense ones, no ImageNet start",
        ),
        System(
            "yolov5-disc", "YOLOv5s with channel attention finds and grades in one stage",
            "a one-stage detector of Pfirrmann grades, herniations and high-intensity zones",
            "discs with their grades; canal, foramina and recesses", ("pfirrmann", "herniation", "high_intensity_zone"),
            ("sagittal_t2", "axial_t2"),
            (
                _detector("yolov5-disc"),
                Part("disc-grader", "grades discs: the same boxes", network="yolov5-disc", same_as="spine-locator"),
            ),
            differs=f"anchors fit 1 mm pixels, and {_BOXES}. A herniation or high-intensity zone is a class of its "
            "disc's box, since labels name discs, not places. Grades are read on the one slice through the middle of "
            "the canal, on sagittal T2 alone. Grades have no heat map",
        ),
        System(
            "resnet50", "ResNet50 on a picture of the study",
            "a multi-label ResNet50 over 224 x 224 pictures of a study", "nothing: it is given places",
            _RSNA, _ALL_SERIES, _with_graders("resnet50"),
            differs="a softmax for each condition, level and side (75 values for the paper's conditions) instead of a "
            "single one over 15 outputs. One network for each kind of place: discs on the middle sagittal T2 slice, "
            "canals on T2 and T1, foramina on the T1 slices of either side, recesses side by side; channels without a "
            f"series are zeros. {_BORROWED.capitalize()}: they choose the slices and centre the picture. No ImageNet "
            "start: no weights under a free licence are at hand",
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
            "unet", "Tissues segmented by a U-Net, grades by rules on what is measured in them",
            "a review of the field", "vertebrae, discs and canal, pixel by pixel", (*_RSNA, *_SPIDER), _ALL_SERIES,
            _with_graders("measured", _SEGMENTER),
            differs="the review names no one system: a U-Net of a quarter of the paper's width, measures "
            "and rules (thresholds on weighted sums of a few measures each) are our choice. It also draws points of "
            "discs, foramina and recesses; discs are named by the sacrum that it draws below them. Foramina and "
            "recesses, which it does not outline, are measured by how much is bright about their middle. Grades have "
            "no heat map",
        ),
        System(
            "cnn-transformer", "EfficientNet-Lite0 with a transformer over levels, series and slices",
            "a review of the field", "nothing: it is given places", (*_RSNA, *_SPIDER), _ALL_SERIES,
            _with_graders("spine-transformer"),
            differs="the review names no one system: the network is our choice. One for each kind of place: canals on "
            "T2 and T1, all others on one series, as that is what their labels are of. "
            f"{_BORROWED.capitalize()}",
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
