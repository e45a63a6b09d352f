"""Training a locator that finds boxes: the same windows as `LocatorTask`, their true boxes, and the detector's loss."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from torch import Tensor, nn

from lumbago.learning.detection_losses import DETECTION_LOSSES
from lumbago.learning.experiment import Experiment
from lumbago.learning.locator_network import LOCATORS, example_picture, fresh_locator, network_facts
from lumbago.learning.locator_targets import LocatorSample
from lumbago.learning.locator_task import AnySlice, LocatorTask, View, look
from lumbago.learning.true_boxes import known_places, place_of_class, true_boxes
from lumbago.learning.write_card import ModelFacts
from lumbago.networks.detector import Detector, DetectorForExport, DetectorForTraining, apart
from lumbago.networks.export_onnx import export_onnx
from lumbago.pipeline.locate_discs import PIXEL_MM
from lumbago.pipeline.read_boxes import classes_of

_DISC_PATCH: Final[dict[str, Any]] = {"anchor": "disc", "rows": 48, "columns": 64, "slices": 1}
"""What of the body a grade is shown on, though it was read off a whole slice."""


class DetectorTask(LocatorTask):
    """Batches of windows with true boxes, (batch, most, 5 + classes), and where each place is known."""

    def __init__(self, experiment: Experiment, samples: Sequence[AnySlice], unseen: Sequence[AnySlice] = ()) -> None:
        super().__init__(experiment, samples, unseen)
        self.classes = classes_of(experiment.conditions)
        self._places = place_of_class(self.classes)
        ruler = fresh_locator(experiment)
        assert isinstance(ruler, Detector)
        self._ruler = ruler
        """Says what raw values mean; never trained."""

    def network(self) -> nn.Module:
        """A fresh detector."""
        detector = super().network()
        assert isinstance(detector, Detector)
        return DetectorForTraining(detector)

    def _see(self, sample: LocatorSample, view: View) -> tuple[np.ndarray, ...]:
        views, targets, known = look(sample, view)
        marks = [(*view.warp.place(disc.row, disc.column), disc.grades) for disc in sample.graded]
        return views, true_boxes(targets, known, marks, self.classes), known_places(known)

    def loss(self, outputs: Tensor, targets: tuple[Tensor, ...]) -> Tensor:
        """That of the detector's kind, without what nobody labelled."""
        truths, known = targets
        ruler = self._ruler.to(outputs.device)
        raw = apart(outputs, ruler.strides, (known.shape[2], known.shape[3]))
        return DETECTION_LOSSES[type(ruler)](ruler, raw, truths, known[:, self._places])

    def export(self, networks: list[nn.Module], folder: Path) -> ModelFacts:
        """The detector as ONNX; its golden input is a picture of noise."""
        (network,) = networks
        assert isinstance(network, DetectorForTraining)
        stride = LOCATORS[self.experiment.network].stride
        sha256 = export_onnx(
            DetectorForExport(network.detector), example_picture(stride), ["boxes"], {2: stride, 3: stride}, folder
        )
        inputs = {"pixel_mm": PIXEL_MM, "stride": stride, **(_DISC_PATCH if self.experiment.conditions else {})}
        facts = network_facts(self.experiment, network)
        return ModelFacts("locator", {"boxes": self.classes}, inputs, {}, sha256, facts)
