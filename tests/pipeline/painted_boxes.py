"""A detector that sees the painted spine as the painted locator does, and tells it by perfect boxes."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from painted_spine import PaintedLocator

from lumbago.inference.weights import Card, Model
from lumbago.learning.true_boxes import true_boxes
from lumbago.pipeline.read_boxes import classes_of

GRADED = ("pfirrmann", "herniation")
CLASSES = classes_of(GRADED)
GRADES = {"pfirrmann=3": 0.6, "pfirrmann=4": 0.2, "herniation=present": 0.225}
"""Scores of every disc, whose score as a disc is `SCORE`."""
SCORE = 0.9

_PATCH = {"pixel_mm": 1.0, "stride": 32, "anchor": "disc", "rows": 48, "columns": 64, "slices": 1}
_CARD = Card("boxes", "1", "0" * 64, "locator", "phantoms", "", {"boxes": CLASSES}, _PATCH, {}, {})


@dataclass(frozen=True, eq=False)
class PaintedDetector(Model):
    """Boxes of what the painted locator draws; every disc is graded alike, see `GRADES`."""

    card: Card = _CARD
    session: Any = None
    eyes: PaintedLocator = field(default_factory=PaintedLocator)

    def run(self, batch: np.ndarray) -> dict[str, np.ndarray]:
        (logits,) = self.eyes.run(batch)["maps"]
        maps = (1 / (1 + np.exp(-logits))).astype(np.float32)
        rows = true_boxes(maps, np.ones_like(maps), (), CLASSES)
        scores = SCORE * np.clip(rows[:, 5:], 0, 1)
        for number, label in enumerate(CLASSES):
            scores[:, number] = np.where(rows[:, 4] == 0, GRADES.get(label, scores[:, number]), scores[:, number])
        return {"boxes": np.concatenate([rows[:, :4], scores], axis=1)[None].astype(np.float32)}
